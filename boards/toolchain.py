"""What the tool runs of all FPGA families share: :mod:`boards.ice40` and :mod:`boards.ecp5`."""
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

from hw.errors import ToolFailed, UserError

LIMIT = 1800   # seconds that a tool may take


class Stuck(ToolFailed):
    """Place and route got nowhere from this seed; another one may do."""


@dataclass(frozen=True)
class Implementation:
    """What place and route made of a design.

    ``used`` and ``available`` count LUT4 (logic cells) and what else the family has; ``fmax`` is in
    MHz.
    """
    used: dict[str, int]
    available: dict[str, int]
    fmax: float
    seed: int
    critical_path: tuple[str, str]
    seconds: dict[str, float]

    @classmethod
    def from_report(cls, report: dict, resources: dict[str, str], seed: int,
                    seconds: dict[str, float]) -> "Implementation":
        """From nextpnr's report; ``resources`` has its name of each."""
        counts = {name: report["utilization"].get(cell, {"used": 0, "available": 0})
                  for name, cell in resources.items()}
        paths = [path["path"] for path in report["critical_paths"] if path["from"] == path["to"]]
        return cls(
            used={name: count["used"] for name, count in counts.items()},
            available={name: count["available"] for name, count in counts.items()},
            fmax=round(min(clock["achieved"] for clock in report["fmax"].values()), 2), seed=seed,
            critical_path=(paths[0][0]["from"]["cell"], paths[0][-1]["to"]["cell"]) if paths
            else ("", ""), seconds=seconds)

    def report(self) -> dict:
        return asdict(self)


def elaborate(platform, design) -> tuple[str, str]:
    """Verilog of ``design``, module ``top``, on one of our boards, and the file of its pins."""
    files = platform.prepare(design, "top", debug_verilog=True).files
    return files["top.debug.v"], files[f"top.{platform.TOOLS.PINS}"]


def _command(module, entry, arguments):
    code = f"import sys, {module}; sys.exit({module}.{entry}(sys.argv[1:]))"
    return [sys.executable, "-c", code, *arguments]


def run_tool(module, entry, folder, log, arguments, stuck=lambda said, silent: False):
    """Run a tool in ``folder`` (it sees no other temporary folder), its output in ``log``.

    Raises :exc:`Stuck` once ``stuck`` says so of what it has said and for how many seconds it has
    been silent since.
    """
    started = time.monotonic()
    name = entry.removeprefix("run_").replace("_", "-")
    path = folder / log
    with open(path, "wb") as output:
        process = subprocess.Popen(_command(module, entry, arguments), cwd=folder,
                                   stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            while process.poll() is None:
                if time.monotonic() - started > LIMIT:
                    raise ToolFailed(f"{name} did not end within {LIMIT} s; see {path}")
                silent = time.time() - path.stat().st_mtime
                if stuck(path.read_text(errors="replace"), silent):
                    raise Stuck(f"{name} makes no progress any more; see {path}")
                time.sleep(0.1)
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        _explain(name, path.read_text(errors="replace"), path)
    return round(time.monotonic() - started, 1)


def _explain(name, said, log):
    lines = [line for line in said.splitlines() if "ERROR" in line] or said.splitlines()[-1:]
    text = lines[0].strip() if lines else "nothing"
    if re.search("no more|Unable to place|exceeds|Unable to find legal placement", text):
        raise UserError(f"the design does not fit the device ({name}: {text}); ask for fewer "
                        f"frames per second with --fps, or make its layers narrower")
    raise ToolFailed(f"{name} failed: {text}; see {log}")
