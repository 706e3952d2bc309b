"""Folded matrix-vector unit."""
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.affine import payload
from hw.rom import Rom


@dataclass(frozen=True)
class Unit:
    """A processing element that each lane has: some of the terms of which its sums consist.

    ``make`` makes one (see :mod:`hw.pe`), which takes ``width`` bits of weights a word and gives
    sums of the shapes ``terms``. It reads whole elements, or of each the ``bits`` from one
    to before another. One that needs no weights may be ``shared`` by all lanes.
    """
    make: Callable[[], wiring.Component]
    width: int
    terms: tuple[Shape, ...]
    bits: tuple[int, int] | None = None
    shared: bool = False


class MatVec(wiring.Component):
    """Matrix-vector product: :func:`sw.golden.dense` by the processing elements of ``units``.

    One row for each lane at a time, ``simd`` columns a cycle: a vector of ``steps`` words is to
    be given once for each of the groups of rows, and each of its words takes a cycle. Each group's
    last word makes one transfer of a row's terms for each lane. What the terms stand for, the
    processing elements say.

    Parameters
    ----------
    shape : Shape
        Shape of an element of the vector.
    simd : int
        Columns a cycle.
    units : list of Unit
        The processing elements of each lane.
    words : array of 0 and 1, (lanes, groups · steps, bits)
        The weights as :func:`sw.planes.pack_rom` packs them: in each word those of the first unit
        first.
    steps : int
        Words a vector.
    slices : list of (int, bool)
        How the memory of lanes · bits a word is cut: see :class:`hw.rom.Rom`.

    Members
    -------
    i : In(stream.Signature(ArrayLayout(shape, simd)))
    o : Out(stream.Signature(ArrayLayout(terms, lanes)))
        The terms of a row a lane, as :func:`hw.affine.payload` lays them out.
    """
    def __init__(self, *, shape, simd, units, words, steps, slices):
        self.shape = Shape.cast(shape)
        self.simd = simd
        self.units = tuple(units)
        self.words = np.asarray(words, np.uint8)
        self.steps = steps
        self.slices = slices
        lanes, depth, _ = self.words.shape
        if depth % steps:
            raise ValueError(f"Steps must divide the depth of the memory, but {depth} is not a "
                             f"multiple of {steps}")
        terms = payload([term for unit in self.units for term in unit.terms])
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(self.shape, simd))),
            "o": Out(stream.Signature(data.ArrayLayout(terms, lanes))),
        })

    def elaborate(self, platform):
        m = Module()

        lanes, depth, bits = self.words.shape
        en = Signal()
        m.d.comb += [
            en.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(en),
        ]

        def delay(value, cycles, name):
            for level in range(cycles):
                past = Signal(len(Value.cast(value)), name=f"{name}_{level}")
                with m.If(en):
                    m.d.sync += past.eq(value)
                value = past
            return value

        address = Signal(range(depth))
        step = Signal(range(self.steps))
        last = step == self.steps - 1
        with m.If(en & self.i.valid):
            m.d.sync += [
                address.eq(Mux(address == depth - 1, 0, address + 1)),
                step.eq(Mux(last, 0, step + 1)),
            ]
        latency, weights = 0, C(0, 0)
        if bits:
            packed = np.packbits(self.words.swapaxes(0, 1).reshape(depth, -1), axis=1,
                                 bitorder="little")
            m.submodules.rom = rom = Rom(
                words=[int.from_bytes(word.tobytes(), "little") for word in packed],
                slices=self.slices)
            m.d.comb += [rom.en.eq(en), rom.address.eq(address)]
            latency, weights = rom.latency, rom.data
        x = delay(self.i.payload, latency, "x")

        # Units of less latency get their words later, so that all sums are those of one row.
        copies = [[unit.make() for _ in range(1 if unit.shared else lanes)] for unit in self.units]
        longest = max(elements[0].latency for elements in copies)
        valid = delay(self.i.valid, latency + longest, "valid")
        last = delay(self.i.valid & last, latency + longest, "last")
        sums = [[] for _ in range(lanes)]
        place = 0
        for k, (unit, elements) in enumerate(zip(self.units, copies, strict=True)):
            behind = longest - elements[0].latency
            late = delay(x, behind, f"x_unit_{k}")
            if unit.bits is not None:
                late = Cat(late.word_select(j, self.shape.width)[slice(*unit.bits)]
                           for j in range(self.simd))
            for lane, element in enumerate(elements):
                m.submodules[f"pe_{k}_{lane}"] = element
                first = lane * bits + place
                w = delay(weights[first:first + unit.width], behind, f"w_{k}_{lane}")
                m.d.comb += [
                    element.en.eq(en),
                    element.x.eq(late),
                    element.w.eq(w),
                    element.valid.eq(valid),
                    element.last.eq(last),
                ]
                for owner in range(lanes) if unit.shared else [lane]:
                    sums[owner].append(Value.cast(element.o))
            place += unit.width
        m.d.comb += [self.o.payload.eq(Cat(*(Cat(*terms) for terms in sums))),
                     self.o.valid.eq(last)]

        return m
