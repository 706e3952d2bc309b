"""Codebook processing elements: sums by code, which the values of a table are put to later."""
from amaranth import *
from amaranth.lib import data, wiring

from hw import adder_tree
from hw.adder_tree import AdderTree
from hw.pe import accumulator
from hw.pe.accumulator import accumulate, members


class CodebookPe(wiring.Component):
    """Adds the inputs to a bucket for each code, ``simd`` columns a cycle.

    With the value t[c] of each code, ``Σ_c t[c] · o[c]`` of a whole row is :func:`sw.golden.dense`:
    one multiplication a code is left for the row. (Han et al. 2016, Deep Compression; two buckets
    are Zhu et al. 2017, TTQ.) Codes whose value is 0 need no bucket.

    Sums of the words of a row are accumulated until ``last``; ``o`` then holds those of the row,
    and the next word starts a new one. They wrap around, so that only the last one must fit. One
    word a cycle; ``valid`` and ``last`` belong to the word given ``latency`` cycles with ``en``
    before.

    Parameters
    ----------
    simd : int
        Columns a word, at least 1.
    bits : int
        Bits of a code.
    buckets : tuple of int
        The code of each bucket.
    x_shape : Shape
        Shape of an input.
    shape : Shape
        Shape of the sum of a bucket.

    Members
    -------
    x : In(ArrayLayout(x_shape, simd))
        A word of inputs.
    w : In(simd · bits)
        A word of codes.
    en, valid, last : In(1)
        As every element has them: :func:`hw.pe.accumulator.members`.
    o : Out(ArrayLayout(shape, len(buckets)))
        The sums so far, including the word in the accumulator stage.
    """
    def __init__(self, *, simd, bits, buckets, x_shape, shape):
        if not isinstance(simd, int) or simd < 1:
            raise TypeError(f"Simd must be a positive integer, not {simd!r}")
        if not buckets:
            raise ValueError(f"There must be at least one bucket, not {buckets!r}")
        for bucket in buckets:
            if not 0 <= bucket < 1 << bits:
                raise ValueError(f"A bucket must be a code of {bits} bits, not {bucket!r}")
        self.simd = simd
        self.bits = bits
        self.buckets = tuple(buckets)
        self.x_shape = Shape.cast(x_shape)
        self.shape = Shape.cast(shape)
        self.latency = 1 + adder_tree.levels(simd)
        super().__init__(members(
            x=data.ArrayLayout(self.x_shape, simd),
            w=simd * bits,
            o=data.ArrayLayout(self.shape, len(self.buckets))))

    def elaborate(self, platform):
        m = Module()

        for o, bucket in zip(self.o, self.buckets, strict=True):
            m.submodules[f"tree_{bucket}"] = tree = AdderTree(count=self.simd, shape=self.x_shape)
            m.d.comb += tree.en.eq(self.en)
            for j, (x, i) in enumerate(zip(self.x, tree.i, strict=True)):
                here = Signal(name=f"here_{bucket}_{j}")
                m.d.comb += here.eq(self.w[j * self.bits:][:self.bits] == bucket)
                term = Signal(self.x_shape, name=f"term_{bucket}_{j}")
                with m.If(self.en):
                    m.d.sync += term.eq(x & here.replicate(len(x)))
                m.d.comb += i.eq(term)

            total = Signal(self.shape, name=f"total_{bucket}")
            m.d.comb += o.eq(total + tree.o)
            with m.If(self.en & self.valid):
                m.d.sync += total.eq(Mux(self.last, 0, o))

        return m


def cells(*, simd, bits, buckets, x_shape, shape):
    """Estimate of the cells of a :class:`CodebookPe`: in each bucket the gated inputs, whether
    each is there, their tree, and an accumulator."""
    inputs = x_shape.width + (bits > 3)
    return len(buckets) * (simd * inputs + adder_tree.cells(simd, x_shape.width)
                           + accumulator.cells(shape))


class SelectPe(wiring.Component):
    """Adds the entry of a table that each code selects, ``simd`` tables a cycle.

    ``o`` of a whole row is ``Σ_j x[j][w_j]``. Of product quantization, whose tables hold the dot
    product of a part of the input vector with each of the centroids, that is the row's
    :func:`sw.golden.dense`, with all multiplications made once for all rows. (Wu et al. 2016,
    Quantized Convolutional Neural Networks.)

    Sums of the words of a row are accumulated until ``last``; ``o`` then is that of the row, and
    the next word starts a new one. They wrap around, so that only the last one must fit. One word
    a cycle; ``valid`` and ``last`` belong to the word given ``latency`` cycles with ``en`` before.

    Parameters
    ----------
    simd : int
        Tables a word, at least 1.
    levels : int
        Entries of a table, at least 1; a code takes the bits that number them.
    t_shape : Shape
        Shape of an entry.
    shape : Shape
        Shape of the sum of a row.

    Members
    -------
    x : In(ArrayLayout(ArrayLayout(t_shape, levels), simd))
        A word of tables.
    w : In(simd · bits of a code)
        A word of codes.
    en, valid, last : In(1)
        As every element has them: :func:`hw.pe.accumulator.members`.
    o : Out(shape)
        The sum so far, including the word in the accumulator stage.
    """
    def __init__(self, *, simd, levels, t_shape, shape):
        if not isinstance(simd, int) or simd < 1:
            raise TypeError(f"Simd must be a positive integer, not {simd!r}")
        if not isinstance(levels, int) or levels < 1:
            raise TypeError(f"Levels must be a positive integer, not {levels!r}")
        self.simd = simd
        self.levels = levels
        self.t_shape = Shape.cast(t_shape)
        self.shape = Shape.cast(shape)
        self.latency = 1 + adder_tree.levels(simd)
        super().__init__(members(
            x=data.ArrayLayout(data.ArrayLayout(self.t_shape, levels), simd),
            w=simd * (levels - 1).bit_length(),
            o=self.shape))

    def elaborate(self, platform):
        m = Module()

        m.submodules.tree = tree = AdderTree(count=self.simd, shape=self.t_shape)
        m.d.comb += tree.en.eq(self.en)
        bits = (self.levels - 1).bit_length()
        for j, (table, i) in enumerate(zip(self.x, tree.i, strict=True)):
            term = Signal(self.t_shape, name=f"term_{j}")
            with m.If(self.en):
                m.d.sync += term.eq(table[self.w[j * bits:][:bits]])
            m.d.comb += i.eq(term)
        accumulate(m, self, tree.o)

        return m


def select_cells(*, simd, levels, t_shape, shape):
    """Estimate of the cells of a :class:`SelectPe`: multiplexers of two, some of which join in a
    cell, the tree, and an accumulator."""
    inputs = t_shape.width * max(1, 0.9 * (levels - 1))
    return simd * inputs + adder_tree.cells(simd, t_shape.width) + accumulator.cells(shape)
