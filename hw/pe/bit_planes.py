"""Bit-plane processing element: products of integers as counts of common bits."""
from amaranth import *
from amaranth.lib import data, wiring

from hw import popcount, shifted_sum
from hw.pe import accumulator
from hw.pe.accumulator import accumulate, members
from hw.popcount import Popcount
from hw.shifted_sum import ShiftedSum


class BitPlanesPe(wiring.Component):
    """Dot products of unsigned integers with integer weights, bit by bit (DoReFa-Net, Zhou et al.
    2016): ``o`` = W·x = Σ_ij 2^(i + j) · popcount(x_i & w_j), :func:`sw.golden.dense`.

    x_i is bit i of all activations and w_j bit j of all weights; the top bit of signed weights
    counts negatively. With one bit, B, ``o`` = B·x: for bipolar weights 2B − 1 the product is
    2 · o − Σ x, where Σ x (:class:`hw.pe.ternary.SumPe`) is the same for all rows.

    Words are accumulated until ``last``; ``o`` then is the sum of the row, and the next word
    starts a new one. One word a cycle; ``valid`` and ``last`` belong to the word given ``latency``
    cycles with ``en`` before. Places beyond a row must have an activation or a weight of 0.

    Parameters
    ----------
    simd : int
        Places a word, at least 1.
    x_bits, w_bits : int
        Bits of an activation and of a weight.
    w_signed : bool
        Whether weights are in two's complement, of at least 2 bits; unsigned otherwise.
    shape : Shape
        Shape of the sum of a row; sums wrap around on the way to it.
    raw_operands : bool
        Whether carry cells have no logic before their operands: iCE40 yes, ECP5 no.

    Attributes
    ----------
    latency : int
        Cycles with ``en`` from a word to the accumulator stage.

    Members
    -------
    x : In(ArrayLayout(unsigned(x_bits), simd))
        A word of activations.
    w : In(w_bits · simd)
        A word of weights.
    en, valid, last : In(1)
        As every element has them: :func:`hw.pe.accumulator.members`.
    o : Out(shape)
        The sum so far, including the word in the accumulator stage.
    """
    def __init__(self, *, simd, x_bits, w_bits, w_signed, shape, raw_operands=True):
        for name, value in (("Simd", simd), ("Activation bits", x_bits), ("Weight bits", w_bits)):
            if not isinstance(value, int) or value < 1:
                raise TypeError(f"{name} must be a positive integer, not {value!r}")
        if w_signed and w_bits < 2:
            raise ValueError("Signed weights must have at least 2 bits, not 1")
        self.simd = simd
        self.x_bits = x_bits
        self.w_bits = w_bits
        self.w_signed = w_signed
        self.shape = Shape.cast(shape)
        self.raw_operands = raw_operands
        self._widths = _widths(simd, x_bits, w_bits)
        self._levels = _levels(self._widths, raw_operands)
        self.latency = self._levels + shifted_sum.levels(_groups(self._widths)) + w_signed
        super().__init__(members(
            x=data.ArrayLayout(unsigned(x_bits), simd), w=w_bits * simd,
            o=self.shape))

    def elaborate(self, platform):
        m = Module()

        def delay(value, cycles, name):
            for level in range(cycles):
                past = Signal.like(value, name=f"{name}_{level}")
                with m.If(self.en):
                    m.d.sync += past.eq(value)
                value = past
            return value

        m.submodules.sum = places = ShiftedSum(groups=_groups(self._widths), carries=True)
        m.d.comb += places.en.eq(self.en)
        for s, width in enumerate(self._widths):
            products = Signal(width, name=f"products_{s}")
            m.d.comb += products.eq(Cat(self._products(i, s - i) for i in range(self.x_bits)
                                        if 0 <= s - i < self.w_bits))
            # One product of each place skips the popcount: it is the carry in of a later adder.
            counted = _counted(width)
            m.submodules[f"count_{s}"] = count = Popcount(
                width=counted, raw_operands=self.raw_operands)
            m.d.comb += [
                count.en.eq(self.en),
                count.i.eq(products),
                places.i[str(s)][0].eq(delay(count.o, self._levels - count.levels,
                                                  f"count_{s}")),
                places.carry[str(s)].eq(delay(products[counted:], self._levels, f"carry_{s}")),
            ]

        word, carry = places.o, places.spare
        if self.w_signed:
            # The products of the top bit were counted where they are not.
            excess = self.simd * (2 ** self.x_bits - 1) << self.w_bits - 1
            word = Signal(self.shape)
            with m.If(self.en):
                m.d.sync += word.eq(places.o - excess)
            carry = delay(carry, 1, "carry")
        accumulate(m, self, word, carry)

        return m

    def _products(self, i, j):
        """The products of bit i of the activations and bit j of the weights; of a negative bit
        their complement."""
        products = self.x.as_value()[i::self.x_bits] & self.w[j::self.w_bits]
        return ~products if self.w_signed and j == self.w_bits - 1 else products


def _widths(simd, x_bits, w_bits):
    """How many products of bits have each place."""
    return [simd * sum(0 <= s - i < w_bits for i in range(x_bits))
            for s in range(x_bits + w_bits - 1)]


def _counted(width):
    """How many of the products of a place a popcount counts."""
    return max(1, width - 1)


def _levels(widths, raw_operands):
    """Levels of the largest popcount."""
    return max(popcount.levels(_counted(width), raw_operands) for width in widths)


def _groups(widths):
    """The counts as what :class:`hw.shifted_sum.ShiftedSum` adds."""
    return {s: (1, Shape.cast(range(_counted(width) + 1))) for s, width in enumerate(widths)}


def cells(*, simd, x_bits, w_bits, w_signed, shape, raw_operands=True):
    """Estimate of the cells of :class:`BitPlanesPe`."""
    widths = _widths(simd, x_bits, w_bits)
    levels = _levels(widths, raw_operands)
    # A popcount's own estimate leaves out a cell for every second adder.
    counts = sum(1.12 * popcount.cells(_counted(width), raw_operands) + levels for width in widths)
    return (counts + shifted_sum.cells(_groups(widths), carries=True) + w_signed * shape.width
            + accumulator.cells(shape))
