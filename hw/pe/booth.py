"""Booth processing element: dot products of integers in look-up tables, two bits at a time."""
import numpy as np
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.pe import shift
from hw.pe.shift import ShiftPe


class BoothPe(wiring.Component):
    """The dot product of inputs and integer weights, ``simd`` columns a cycle.

    Bits 2t + 1, 2t and 2t − 1 of a weight say which of −2, −1, 0, 1 and 2 is its digit of place
    4^t (MacSorley 1961, after Booth 1951). So weights are stored as they are, and
    :class:`hw.pe.shift.ShiftPe` adds half as many terms as they have bits. ``o`` of a whole row is
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
    en : In(1)
        Advances everything.
    x : In(ArrayLayout(x_shape, simd))
        A word of inputs.
    w : In(simd · bits of w_shape)
        A word of weights.
    valid : In(1)
        Whether the word in the accumulator stage counts.
    last : In(1)
        Whether it ends its row.
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
        self._terms = _terms(self.w_shape)
        self.latency = shift.latency(simd, self._terms)
        super().__init__({
            "en": In(1),
            "x": In(data.ArrayLayout(self.x_shape, simd)),
            "w": In(simd * self.w_shape.width),
            "valid": In(1),
            "last": In(1),
            "o": Out(self.shape),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.shift = element = ShiftPe(simd=self.simd, x_shape=self.x_shape,
                                               shape=self.shape, terms=self._terms)
        bits = self.w_shape.width
        weights = [self.w[j * bits:][:bits] for j in range(self.simd)]
        digits = [_digit(weight, self.w_shape.signed, powers, base)
                  for powers, _, base in self._terms for weight in weights]
        m.d.comb += [
            element.en.eq(self.en),
            element.x.eq(self.x),
            element.w.eq(Cat(digits)),
            element.valid.eq(self.valid),
            element.last.eq(self.last),
            self.o.eq(element.o),
        ]

        return m


def _terms(w_shape):
    """Terms of a weight for :class:`hw.pe.shift.ShiftPe`: two of a digit unless it is the last."""
    bits = w_shape.width + (not w_shape.signed)     # with a sign
    return tuple((min(2, bits - place), True, place) for place in range(0, bits, 2))


def _digit(weight, negative, powers, base):
    """The code of a digit: its sign above |d|."""
    extended = Cat(C(0, 1), weight, (weight[-1] & negative).replicate(2))
    low, middle, high = extended[base:base + 3]
    one = low ^ middle
    two = (middle == low) & (high != middle)
    return Cat(one, two, high) if powers == 2 else Cat(one, high)


def rest(weights, x_shape, w_shape):
    """What the sums of rows of integer ``weights`` are for inputs of 0, (rows,).

    It is ``n · Σ |d_t| · 4^t`` over the negative digits, where n is −1 for signed inputs and the
    largest input for unsigned ones.
    """
    inverted = -1 if x_shape.signed else (1 << x_shape.width) - 1
    doubled = 2 * np.asarray(weights, np.int64)
    negative = 0
    for _, _, place in _terms(w_shape):
        low, middle, high = (doubled >> place + k & 1 for k in range(3))
        negative += np.maximum(2 * high - middle - low, 0) << place
    return inverted * negative.sum(axis=1)


def cells(*, simd, x_shape, w_shape, shape):
    """Estimate of the cells of an element: one more than of a shift element for each digit."""
    terms = _terms(w_shape)
    return (simd * len(terms)
            + shift.cells(simd=simd, x_shape=x_shape, shape=shape, terms=terms))
