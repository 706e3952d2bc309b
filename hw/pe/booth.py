"""Booth processing element: dot products of integers in look-up tables, two bits at a time."""
import numpy as np
from amaranth import *
from amaranth.lib import data, wiring

from hw import shifted_sum
from hw.pe import accumulator
from hw.pe.accumulator import accumulate, members
from hw.shifted_sum import ShiftedSum


class BoothPe(wiring.Component):
    """The dot product of inputs and integer weights, ``simd`` columns a cycle.

    Weights are recoded in base 4 (after Booth 1951 and MacSorley 1961), which leaves half as many
    additions as they have bits. Two bits and a carry make a digit: 0, 1, 2, or for 3 the digit −1
    and a carry, for 4 the digit 0 and a carry. So with four digits a bit of the product of digit
    and input depends on two bits of each, and takes one look-up table. The last digit gives no
    carry and is −2 to 2.

    The input of a negative digit is inverted, not negated: ``o`` of a whole row is
    :func:`sw.golden.dense` plus its :func:`rest`, which depends on its weights only.

    Sums of the words of a row are accumulated until ``last``; ``o`` then is that of the row, and
    the next word starts a new one. They wrap around, so that only the last one must fit. One word
    a cycle; ``valid`` and ``last`` belong to the word given ``latency`` cycles with ``en`` before.

    Parameters
    ----------
    simd : int
        Columns a word, at least 1.
    x_shape, w_shape : Shape
        Shapes of an input and of a weight.
    shape : Shape
        Shape of the sum of a row.

    Members
    -------
    x : In(ArrayLayout(x_shape, simd))
        A word of inputs.
    w : In(simd · bits of w_shape)
        A word of weights.
    en, valid, last : In(1)
        As every element has them: :func:`hw.pe.accumulator.members`.
    o : Out(shape)
        The sum so far, including the word in the accumulator stage.
    """
    def __init__(self, *, simd, x_shape, w_shape, shape):
        if not isinstance(simd, int) or simd < 1:
            raise TypeError(f"Simd must be a positive integer, not {simd!r}")
        self.simd = simd
        self.x_shape = Shape.cast(x_shape)
        self.w_shape = Shape.cast(w_shape)
        self.shape = Shape.cast(shape)
        if not min(self.x_shape.width, self.w_shape.width):
            raise ValueError(f"Operands must have at least one bit, not the shapes {x_shape!r} "
                             f"and {w_shape!r}")
        self._groups = _groups(simd, self.x_shape, self.w_shape)
        self.latency = 1 + shifted_sum.levels(self._groups)
        super().__init__(members(
            x=data.ArrayLayout(self.x_shape, simd), w=simd * self.w_shape.width,
            o=self.shape))

    def elaborate(self, platform):
        m = Module()

        m.submodules.sum = word = ShiftedSum(groups=self._groups)
        m.d.comb += word.en.eq(self.en)
        bits = self.w_shape.width
        for j, x in enumerate(self.x):
            carry = C(0, 1)
            weight = self.w[j * bits:][:bits]
            sign = weight[-1] if self.w_shape.signed else C(0, 1)
            for place, (_, shape) in self._groups.items():
                low, high = Cat(weight[place:place + 2], sign.replicate(2))[:2]
                recode = _last_digit if place == max(self._groups) else _digit
                digit, carry = recode(m, low, high, carry)
                product = _multiply(x, *digit)
                term = Signal(shape, name=f"term_{j}_{place}")
                with m.If(self.en):
                    m.d.sync += term.eq(product)
                m.d.comb += word.i[str(place)][j].eq(term)
        accumulate(m, self, word.o)

        return m


def _groups(simd, x_shape, w_shape):
    """What :class:`hw.shifted_sum.ShiftedSum` adds: the digits of all columns by their places."""
    bits = w_shape.width + (not w_shape.signed)     # with a sign
    return {place: (simd, Shape(x_shape.width + min(1, bits - place - 1), x_shape.signed))
            for place in range(0, bits, 2)}


def _digit(m, low, high, carry):
    """A digit as :func:`_multiply` takes it, and the next carry."""
    one, flip, over = Signal(name="one"), Signal(name="flip"), Signal(name="over")
    m.d.comb += [
        one.eq(low ^ carry),
        flip.eq(high ^ (low & carry)),
        over.eq(high & (low | carry)),
    ]
    return (one, ~one & flip, flip, C(0, 1)), over


def _last_digit(m, low, high, carry):
    """The last digit, likewise."""
    one, two = Signal(name="one"), Signal(name="two")
    m.d.comb += [
        one.eq(low ^ carry),
        two.eq((low == carry) & (high != low)),
    ]
    return (one, two, high, high), None


def _multiply(x, one, two, flip_one, flip_two):
    """The bits of x where ``one`` is set, and of 2x where ``two`` is, each inverted or not."""
    def flipped(flip):
        return x.as_unsigned() ^ flip.replicate(len(x))

    single, double = flipped(flip_one), Cat(C(0, 1), flipped(flip_two))
    fill = single[-1] if x.shape().signed else C(0, 1)
    return (Cat(single, fill) & one.replicate(len(double))) | (double & two.replicate(len(double)))


def rest(weights, x_shape, w_shape):
    """What the sums of rows of integer ``weights`` are for inputs of 0, (rows,).

    It is ``n · Σ |d_t| · 4^t`` over the negative digits, where n is −1 for signed inputs and the
    largest input for unsigned ones.
    """
    inverted = -1 if x_shape.signed else (1 << x_shape.width) - 1
    weights = np.asarray(weights, np.int64)
    *places, last = _groups(1, x_shape, w_shape)
    carry = negative = 0
    for place in places:
        value = (weights >> place & 3) + carry
        negative += (value == 3) * (1 << place)
        carry = value > 2
    negative += np.maximum(-(weights >> last) - carry, 0) << last
    return inverted * negative.sum(axis=1)


def cells(*, simd, x_shape, w_shape, shape):
    """Estimate of the cells of an element: the first digit needs no recoding, the next ones a
    little, and the last one takes two cells a bit of the product."""
    groups = _groups(simd, x_shape, w_shape)
    pair = groups[max(groups)][1].width - x_shape.width     # the last digit has two bits
    inputs = x_shape.width + pair
    if len(groups) > 1:
        inputs = (x_shape.width + 2 + (len(groups) - 2) * (x_shape.width + 6)
                  + (1 + pair) * x_shape.width + pair)
    return simd * inputs + shifted_sum.cells(groups) + accumulator.cells(shape)
