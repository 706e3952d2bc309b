"""XNOR processing elements: dot products of bipolar and of ternary vectors."""
from amaranth import *
from amaranth.lib import data, wiring

from hw import adder_tree, popcount
from hw.adder_tree import AdderTree
from hw.pe import accumulator
from hw.pe.accumulator import NO_CARRY, accumulate, members
from hw.popcount import Popcount, levels
from hw.stream import transfers


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
    raw_operands : bool
        Whether carry cells have no logic before their operands: iCE40 yes, ECP5 no.

    Members
    -------
    x : In(simd)
        A word of activations, +1 as 1.
    w : In(simd)
        A word of weights by their signs, −1 as 1: then an XOR tells where they agree, which the
        carry cells of an ECP5 take in.
    en, valid, last : In(1)
        As every element has them: :func:`hw.pe.accumulator.members`.
    o : Out(range(columns + 1))
        The count so far, including the word in the accumulator stage.
    """
    def __init__(self, *, simd, columns, raw_operands=True):
        self.simd = simd
        self.columns = columns
        self.raw_operands = raw_operands
        # One bit of each word skips the popcount: it is the carry in of the accumulator.
        self._counted = max(1, simd - 1)
        self.latency = levels(self._counted, raw_operands)
        super().__init__(members(x=simd, w=simd, o=range(columns + 1)))

    def elaborate(self, platform):
        m = Module()

        agree = Signal(self.simd)
        m.d.comb += agree.eq(self.x ^ self.w)

        m.submodules.popcount = popcount = Popcount(width=self._counted,
                                                    raw_operands=self.raw_operands)
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


class GatedXnorPe(wiring.Component):
    """Dot products of vectors of which at least one is ternary and the other one bipolar, or
    ternary too: :func:`sw.golden.dense`. Zeros gate the products (GXNOR-Net, Deng et al. 2018).

    With bipolar activations, ``o`` is the number P of products that are +1, and W·x = 2P − N: of
    each row the number N of its weights that are not 0 remains to be subtracted. (Read as 0 and 1
    instead, the activations give W·x = P − the number of negative weights.) With ternary
    activations N depends on them too, so it is counted beside P, and ``o`` is W·x itself.

    Words are accumulated as :class:`XnorPe` does, one a cycle. Places beyond the end of a row add
    nothing if their weight is 0, and with ternary activations if their activation is 0.

    Parameters
    ----------
    simd : int
        Places a word, at least 1.
    columns : int
        Places a row at most.
    x_ternary, w_ternary : bool
        Whether activations and weights are ternary; bipolar otherwise.
    raw_operands : bool
        Whether carry cells have no logic before their operands: iCE40 yes, ECP5 no.

    Attributes
    ----------
    scale : int
        What ``o`` is to be multiplied by: 2, or 1 with ternary activations.
    latency : int
        Cycles with ``en`` from a word to the accumulator stage.

    Members
    -------
    x : In(simd), or In(ArrayLayout(signed(2), simd)) if ternary
        A word of activations.
    w : In(simd), or In(2 · simd) if ternary
        A word of weights: +1 as 1, or codes of two bits in two's complement.
    en, valid, last : In(1)
        As every element has them: :func:`hw.pe.accumulator.members`.
    o : Out(range(columns + 1)), or Out(range(−columns, columns + 1)) with ternary activations
        The sum so far, including the word in the accumulator stage.
    """
    def __init__(self, *, simd, columns, x_ternary, w_ternary, raw_operands=True):
        for name, value in (("Simd", simd), ("Columns", columns)):
            if not isinstance(value, int) or value < 1:
                raise TypeError(f"{name} must be a positive integer, not {value!r}")
        if not x_ternary and not w_ternary:
            raise ValueError("Weights or activations must be ternary, but both are bipolar")
        self.simd = simd
        self.columns = columns
        self.x_ternary = x_ternary
        self.w_ternary = w_ternary
        self.raw_operands = raw_operands
        self.scale = 1 if x_ternary else 2
        self.latency = 1 + adder_tree.levels(transfers(simd, 3)) if x_ternary else (
            levels(_counted(simd), raw_operands))
        super().__init__(members(
            x=data.ArrayLayout(signed(2), simd) if x_ternary else simd,
            w=2 * simd if w_ternary else simd,
            o=range(-columns if x_ternary else 0, columns + 1)))

    def elaborate(self, platform):
        m = Module()

        x_nonzero, x_negative = _parts(Value.cast(self.x), self.x_ternary)
        w_nonzero, w_negative = _parts(self.w, self.w_ternary)
        nonzero, negative = Signal(self.simd), Signal(self.simd)
        m.d.comb += [
            nonzero.eq(x_nonzero & w_nonzero),
            negative.eq(x_negative ^ w_negative),
        ]

        if self.x_ternary:
            m.submodules.sum = total = AdderTree(count=transfers(self.simd, 3), shape=signed(3))
            for k, leaf in enumerate(total.i):
                ones, minus, value = (Signal(3, name=f"{name}_{k}")
                                      for name in ("ones", "minus", "leaf"))
                m.d.comb += [
                    ones.eq(nonzero[3 * k:3 * k + 3]),
                    minus.eq(ones & negative[3 * k:3 * k + 3]),
                    leaf.eq(value),
                ]
                # ones − 2 · minus: the carry of the ones meets the minus.
                two = _majority(ones)
                with m.If(self.en):
                    m.d.sync += value.eq(Cat(ones.xor(), two ^ minus.xor(),
                                             Mux(two, _majority(minus), minus.any())))
            word, carry = total.o, NO_CARRY
        else:
            # The last place skips the popcount, and joins as the carry in of the accumulator.
            positive = nonzero & ~negative
            counted = _counted(self.simd)
            m.submodules.sum = total = Popcount(width=counted,
                                                raw_operands=self.raw_operands)
            m.d.comb += total.i.eq(positive[:counted])
            word, carry = total.o, positive[counted:]
            for level in range(self.latency):
                past = Signal.like(carry, name=f"carry_{level}")
                with m.If(self.en):
                    m.d.sync += past.eq(carry)
                carry = past
        m.d.comb += total.en.eq(self.en)
        accumulate(m, self, word, carry)

        return m


def _counted(simd):
    """Places of a word that a popcount counts."""
    return max(1, simd - 1)


def _parts(word, ternary):
    """Which values of a word are not 0, and which of those are negative."""
    return (word[::2], word[1::2]) if ternary else (~C(0, len(word)), ~word)


def _majority(bits):
    a, b, c = bits
    return a & b | a & c | b & c


def cells(*, simd, columns, raw_operands=True):
    """Estimate of the cells of :class:`XnorPe`."""
    counted = _counted(simd)
    # The popcount's own estimate leaves out a cell for every second adder.
    return 1.12 * popcount.cells(counted, raw_operands) + levels(
        counted, raw_operands) + accumulator.cells(
        Shape.cast(range(columns + 1)))


def gated_cells(*, simd, columns, x_ternary, w_ternary, raw_operands=True):
    """Estimate of the cells of :class:`GatedXnorPe`."""
    if not x_ternary:
        return cells(simd=simd, columns=columns, raw_operands=raw_operands) + simd / 4
    leaves = transfers(simd, 3)
    return (7 + 2 * w_ternary) * simd / 3 + adder_tree.cells(leaves, 3) + accumulator.cells(
        Shape.cast(range(-columns, columns + 1)))
