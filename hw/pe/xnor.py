"""XNOR processing element: dot products of bipolar vectors."""
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.popcount import Popcount, levels


class XnorPe(wiring.Component):
    """Counts the places where two bipolar vectors agree, ``simd`` of them a cycle.

    With the count P of a whole row of K places its dot product is 2P − K, which is
    :func:`sw.golden.dense`. (Courbariaux et al. 2016; Rastegari et al. 2016, XNOR-Net.)

    The counts of the words of a row are accumulated until ``last``; ``o`` then is the count of
    the row, and the next word starts a new one. One word a cycle; ``valid`` and ``last`` belong
    to the word given ``latency`` cycles with ``en`` before.

    Parameters
    ----------
    simd : int
        Places a word, at least 1.
    columns : int
        Places a row at most.

    Members
    -------
    en : In(1)
        Advances everything.
    x, w : In(simd)
        A word of activations and of weights, +1 as 1.
    valid : In(1)
        Whether the word in the accumulator stage counts.
    last : In(1)
        Whether it ends its row.
    o : Out(range(columns + 1))
        The count so far, including the word in the accumulator stage.
    """
    def __init__(self, *, simd, columns):
        self.simd = simd
        self.columns = columns
        # One bit of each word skips the popcount: it is the carry in of the accumulator.
        self._counted = max(1, simd - 1)
        self.latency = levels(self._counted)
        super().__init__({
            "en": In(1),
            "x": In(simd),
            "w": In(simd),
            "valid": In(1),
            "last": In(1),
            "o": Out(range(columns + 1)),
        })

    def elaborate(self, platform):
        m = Module()

        agree = Signal(self.simd)
        m.d.comb += agree.eq(~(self.x ^ self.w))

        m.submodules.popcount = popcount = Popcount(width=self._counted)
        m.d.comb += [
            popcount.en.eq(self.en),
            popcount.i.eq(agree[:self._counted]),
        ]
        carry = agree[self._counted:]
        for level in range(self.latency):
            past = Signal.like(carry, name=f"carry_{level}")
            with m.If(self.en):
                m.d.sync += past.eq(carry)
            carry = past

        total = Signal.like(self.o)
        count = Cat(carry, popcount.o) + Cat(carry, total)
        m.d.comb += self.o.eq(count[len(carry):])
        with m.If(self.en & self.valid):
            m.d.sync += total.eq(Mux(self.last, 0, self.o))

        return m
