"""Ternary processing elements: dot products by addition, subtraction and skipping."""
from amaranth import *
from amaranth.lib import data, wiring

from hw import adder_tree
from hw.adder_tree import AdderTree
from hw.pe import accumulator
from hw.pe.accumulator import accumulate, add, members
from hw.stream import transfers


class TernaryPe(wiring.Component):
    """Dot products of integers with weights −1, 0 and +1, or −1 and +1: sums of ±x.

    ``o`` = W·x + rest: :func:`sw.golden.dense`, and what depends on the weights alone, so that
    whatever follows takes it away. An input is subtracted as its complement, without the carry
    that would make it −x: each weight of −1 adds 2^k − 1 to the rest of its row for unsigned x of
    k bits, −1 for signed x. Places of weight 0 add nothing; without zeros, what fills the end of a
    row must have weight +1 and x = 0. (Courbariaux et al. 2015, BinaryConnect; Li et al. 2016,
    TWN.)

    Words are accumulated until ``last``; ``o`` then is the sum of the row, and the next word
    starts a new one. One word a cycle; ``valid`` and ``last`` belong to the word given ``latency``
    cycles with ``en`` before.

    Parameters
    ----------
    simd : int
        Places a word, at least 1.
    x_shape : Shape
        Shape of an activation.
    shape : Shape
        Shape of the sum of a row; sums wrap around on the way to it.
    zero : bool
        Whether weights are ternary, codes of 2 bits in two's complement; else bipolar, +1 as 1.

    Attributes
    ----------
    latency : int
        Cycles with ``en`` from a word to the accumulator stage.

    Members
    -------
    x : In(ArrayLayout(x_shape, simd))
        A word of activations.
    w : In(2 · simd if zero else simd)
        A word of weight codes.
    en, valid, last : In(1)
        As every element has them: :func:`hw.pe.accumulator.members`.
    o : Out(shape)
        The sum so far, including the word in the accumulator stage.
    """
    def __init__(self, *, simd, x_shape, shape, zero):
        _check(simd, x_shape)
        self.simd = simd
        self.x_shape = Shape.cast(x_shape)
        self.shape = Shape.cast(shape)
        self.zero = zero
        self._count, self._term = _terms(simd, self.x_shape, zero)
        self.latency = 1 + adder_tree.levels(self._count)
        super().__init__(members(
            x=data.ArrayLayout(self.x_shape, simd), w=2 * simd if zero else simd,
            o=self.shape))

    def elaborate(self, platform):
        m = Module()

        m.submodules.tree = tree = AdderTree(count=self._count, shape=self._term)
        m.d.comb += tree.en.eq(self.en)
        for k, target in enumerate(tree.i):
            term = Signal(self._term, name=f"term_{k}")
            with m.If(self.en):
                m.d.sync += term.eq(self._masked(k) if self.zero else self._pair(m, k))
            m.d.comb += target.eq(term)
        accumulate(m, self, tree.o)

        return m

    def _masked(self, k):
        """±x or 0: a look-up table a bit."""
        nonzero, negative = self.w[2 * k], self.w[2 * k + 1]
        return _inverted(self.x[k], negative) & nonzero.replicate(self.x_shape.width)

    def _pair(self, m, k):
        """±x ± y, as ±(x ± y): the outer sign is free, in the look-up tables of the adder."""
        first, *others = self.x[2 * k:2 * k + 2]
        minus, *signs = ~self.w[2 * k:2 * k + 2]
        if not others:
            return _inverted(first, minus)
        second = Signal(self.x_shape, name=f"second_{k}")
        m.d.comb += second.eq(_inverted(others[0], signs[0] ^ minus))
        total = add(minus, first, second)
        return _inverted(total[:self._term.width], minus)


class SumPe(wiring.Component):
    """The sum of a row of integers, Σ x, with no weights: the dot product with ones.

    It is the product with a plane of ones, and the part of products with bipolar weights that all
    rows share where :class:`hw.pe.bit_planes.BitPlanesPe` computes the other one. One word a
    cycle; words are accumulated as :class:`TernaryPe` does. Places beyond a row must be 0.

    Parameters
    ----------
    simd : int
        Places a word, at least 1.
    x_shape : Shape
        Shape of an activation.
    shape : Shape
        Shape of the sum of a row; sums wrap around on the way to it.

    Attributes
    ----------
    latency : int
        Cycles with ``en`` from a word to the accumulator stage.

    Members
    -------
    x : In(ArrayLayout(x_shape, simd))
        A word of activations.
    w : In(0)
        Nothing.
    en, valid, last : In(1)
        As every element has them: :func:`hw.pe.accumulator.members`.
    o : Out(shape)
        The sum so far, including the word in the accumulator stage.
    """
    def __init__(self, *, simd, x_shape, shape):
        _check(simd, x_shape)
        self.simd = simd
        self.x_shape = Shape.cast(x_shape)
        self.shape = Shape.cast(shape)
        self.latency = adder_tree.levels(simd)
        super().__init__(members(x=data.ArrayLayout(self.x_shape, simd), w=0, o=self.shape))

    def elaborate(self, platform):
        m = Module()

        m.submodules.tree = tree = AdderTree(count=self.simd, shape=self.x_shape)
        m.d.comb += [
            tree.en.eq(self.en),
            tree.i.eq(self.x),
        ]
        accumulate(m, self, tree.o)

        return m


def _check(simd, x_shape):
    if not isinstance(simd, int) or simd < 1:
        raise TypeError(f"Simd must be a positive integer, not {simd!r}")
    if not Shape.cast(x_shape).width:
        raise ValueError(f"Activations must have at least one bit, not the shape {x_shape!r}")


def _terms(simd, x_shape, zero):
    """How many terms a :class:`TernaryPe` adds in its tree, and their shape: each place's where
    there are zeros, else the sums of pairs."""
    if zero:
        return simd, x_shape
    return transfers(simd, 2), Shape(x_shape.width + 1, x_shape.signed)


def _inverted(value, invert):
    """``value`` with all its bits inverted if ``invert``."""
    bits = value.as_unsigned() ^ invert.replicate(len(value))
    return bits.as_signed() if value.shape().signed else bits


def cells(*, simd, x_shape, shape, zero):
    """Estimate of the cells of :class:`TernaryPe`."""
    count, term = _terms(simd, Shape.cast(x_shape), zero)
    # A look-up table a bit, or for pairs one for every second input, an adder and its carry in.
    first = count * term.width if zero else simd // 2 * (2 * term.width + 1)
    return first + adder_tree.cells(count, term.width) + accumulator.cells(shape)


def sum_cells(*, simd, x_shape, shape):
    """Estimate of the cells of :class:`SumPe`."""
    return adder_tree.cells(simd, Shape.cast(x_shape).width) + accumulator.cells(shape)
