"""Folded matrix-vector unit."""
import numpy as np
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.pe.xnor import XnorPe
from hw.rom import Rom


class MatVec(wiring.Component):
    """Matrix-vector product of a bipolar matrix: :func:`sw.golden.dense` as agreeing places.

    ``pe`` rows at a time, each ``simd`` columns a cycle: a vector of ``steps`` words is to be
    given once for each of the ``groups`` of rows, and takes ``groups · steps`` cycles. Each
    group's last word makes one transfer of ``pe`` counts. A count P of a row with K columns
    stands for the sum 2P − K.

    Parameters
    ----------
    words : array of 0 and 1, (pe, groups · steps, simd)
        The weights as :func:`sw.planes.pack_rom` packs them.
    steps : int
        Words a vector.
    columns : int
        Columns of the matrix; those that fill the last word do not count.
    slices : list of (int, bool)
        How the memory of pe · simd bits a word is cut: see :class:`hw.rom.Rom`.

    Members
    -------
    i : In(stream.Signature(ArrayLayout(1, simd)))
        Words of the vector, columns in order; 0 where there is no column.
    o : Out(stream.Signature(ArrayLayout(range(columns + 1), pe)))
        Counts, rows in order.
    """
    def __init__(self, *, words, steps, columns, slices):
        pe, depth, simd = np.shape(words)
        if depth % steps:
            raise ValueError(f"Steps must divide the depth of the memory, but {depth} is not a "
                             f"multiple of {steps}")
        self.words = np.asarray(words)
        self.steps = steps
        self.columns = columns
        self.slices = slices
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(1, simd))),
            "o": Out(stream.Signature(data.ArrayLayout(range(columns + 1), pe))),
        })

    def elaborate(self, platform):
        m = Module()

        pe, depth, simd = self.words.shape
        en = Signal()
        m.d.comb += [
            en.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(en),
        ]

        # A word waits for its weights, then passes the levels of the processing elements.
        packed = np.packbits(self.words.swapaxes(0, 1).reshape(depth, pe * simd), axis=1,
                             bitorder="little")
        m.submodules.rom = rom = Rom(words=[int.from_bytes(word.tobytes(), "little")
                                            for word in packed], slices=self.slices)
        address = Signal(range(depth))
        step = Signal(range(self.steps))
        x, valid, last = self.i.payload, self.i.valid, step == self.steps - 1
        m.d.comb += [
            rom.en.eq(en),
            rom.address.eq(address),
        ]
        with m.If(en & valid):
            m.d.sync += [
                address.eq(Mux(address == depth - 1, 0, address + 1)),
                step.eq(Mux(last, 0, step + 1)),
            ]

        def delay(value, name):
            past = Signal(len(Value.cast(value)), name=name)
            with m.If(en):
                m.d.sync += past.eq(value)
            return past

        elements = [XnorPe(simd=simd, columns=self.columns) for _ in range(pe)]
        for level in range(rom.latency):
            x = delay(x, f"x_{level}")
        for level in range(rom.latency + elements[0].latency):
            valid, last = delay(valid, f"valid_{level}"), delay(last, f"last_{level}")
        for k, element in enumerate(elements):
            m.submodules[f"pe_{k}"] = element
            m.d.comb += [
                element.en.eq(en),
                element.x.eq(x),
                element.w.eq(rom.data[k * simd:(k + 1) * simd]),
                element.valid.eq(valid),
                element.last.eq(last),
                self.o.payload[k].eq(element.o),
            ]
        m.d.comb += self.o.valid.eq(valid & last)

        return m
