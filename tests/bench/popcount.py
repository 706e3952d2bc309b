"""What a popcount costs: ``python -m tests.bench.popcount``.

XNOR of two registered words and the count of its ones, in a register, placed and routed on the
iCE40UP5K: logic cells per input bit (those that only hold the inputs left out) and Fmax, beside
the plain sum that one would write.
"""
import json
from pathlib import Path
from statistics import median

from amaranth import *
from amaranth.back import verilog
from rich.console import Console
from rich.table import Table

from boards import ice40
from boards.icebreaker import Icebreaker
from hw.popcount import Popcount
from tests.bench import record

SEEDS = (1, 2, 3)
BEST = {64: 2.25, 256: 2.25}   # the best structure measured before, cells placed by hand


class Measured(Elaboratable):
    """Words shifted in bit by bit, and the registered count of the places where they agree."""
    def __init__(self, width, plain):
        self.width = width
        self.plain = plain
        self.x, self.w, self.count = Signal(), Signal(), Signal(range(width + 1))

    def elaborate(self, platform):
        m = Module()
        x, w, agree = Signal(self.width), Signal(self.width), Signal(self.width)
        m.d.sync += [x.eq(Cat(self.x, x)), w.eq(Cat(self.w, w))]
        m.d.comb += agree.eq(~(x ^ w))
        if self.plain:
            total = C(0)
            for bit in agree:   # through signals: an expression may not nest too deep
                part = Signal(range(self.width + 1))
                m.d.comb += part.eq(total + bit)
                total = part
        else:
            m.submodules.popcount = popcount = Popcount(width=self.width, registered=False)
            m.d.comb += popcount.i.eq(agree)
            total = popcount.o
        m.d.sync += self.count.eq(total)
        return m


def measure(folder, width, plain):
    design = Measured(width, plain)
    (folder / "top.v").write_text(verilog.convert(
        design, name="top", ports=[design.x, design.w, design.count]))
    ice40.synthesize(folder, top="top", sources=["top.v"])
    options = [*Icebreaker.NEXTPNR, "--pcf-allow-unconstrained"]
    runs = [ice40.place_and_route(folder, top="top", options=options, constraints="",
                                  megahertz=100, seed=seed) for seed in SEEDS]
    cells = (runs[0].used["LUT4"] - 2 * width) / width
    return {"cells_per_bit": round(cells, 4), "fmax": [run.fmax for run in runs]}


def main():
    folder = Path("build/bench-popcount").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    table = Table("bits", "structure", "cells per bit", "best known", "Fmax (median)", "Fmax")
    rows = []
    for width in BEST:
        for plain in (True, False):
            row = {"width": width, "structure": "plain sum" if plain else "hw.popcount"}
            row |= measure(folder, width, plain)
            rows.append(row)
            table.add_row(str(width), row["structure"], f"{row['cells_per_bit']:.3f}",
                          f"{BEST[width]}", f"{median(row['fmax']):.1f}", str(row["fmax"]))
    Console().print(json.dumps(record.machine()), table)
    record.write("popcount", {"device": "iCE40UP5K", "rows": rows})


if __name__ == "__main__":
    main()
