"""Multiply-accumulate processing element: dot products of integers, by multiplication."""
from amaranth import *
from amaranth.lib import data, wiring

from hw import adder_tree
from hw.adder_tree import AdderTree
from hw.pe import accumulator
from hw.pe.accumulator import accumulate, members

BLOCK = 16         # bits of an operand that a multiplier block takes on every device
PRODUCT = 11       # bits of a product below which synthesis takes no block for it


class MacPe(wiring.Component):
    """The dot product of inputs and integer weights, ``simd`` columns a cycle.

    ``o`` of a whole row is :func:`sw.golden.dense`. Each product goes to a register. It is what
    one would write, and so the baseline for all other processing elements.

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
    dsp : bool
        Whether each product is to have a multiplier block: then its size must be one that yosys
        maps to one, ``synth_ice40 -dsp`` to an SB_MAC16 (with its register, up to 16 bits of
        product), ``synth_ecp5`` to a MULT18X18D. Without that option it is in look-up tables.

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
    def __init__(self, *, simd, x_shape, w_shape, shape, dsp):
        if not isinstance(simd, int) or simd < 1:
            raise TypeError(f"Simd must be a positive integer, not {simd!r}")
        self.simd = simd
        self.x_shape = Shape.cast(x_shape)
        self.w_shape = Shape.cast(w_shape)
        self.shape = Shape.cast(shape)
        self.dsp = dsp
        widths = self.x_shape.width, self.w_shape.width
        if not min(widths):
            raise ValueError(f"Operands must have at least one bit, not the shapes {x_shape!r} "
                             f"and {w_shape!r}")
        if dsp and (max(widths) > BLOCK or min(widths) < 2 or sum(widths) < PRODUCT):
            raise ValueError(f"Operands of a multiplier block must have 2 to {BLOCK} bits, and "
                             f"together at least {PRODUCT}, not {widths[0]} and {widths[1]}")
        self.latency = 1 + adder_tree.levels(simd)
        super().__init__(members(
            x=data.ArrayLayout(self.x_shape, simd), w=simd * self.w_shape.width,
            o=self.shape))

    def elaborate(self, platform):
        m = Module()

        weights = data.View(data.ArrayLayout(self.w_shape, self.simd), self.w)
        products = [x * w for x, w in zip(self.x, weights, strict=True)]
        m.submodules.tree = tree = AdderTree(count=self.simd, shape=products[0].shape())
        m.d.comb += tree.en.eq(self.en)
        for j, (product, i) in enumerate(zip(products, tree.i, strict=True)):
            # Without reset, as the register of a multiplier block is used.
            term = Signal(product.shape(), reset_less=True, name=f"product_{j}")
            with m.If(self.en):
                m.d.sync += term.eq(product)
            m.d.comb += i.eq(term)
        accumulate(m, self, tree.o)

        return m


def cells(*, simd, x_shape, w_shape, shape, dsp):
    """Estimate of the cells of an element, those in multiplier blocks apart."""
    few, many = sorted((x_shape.width, w_shape.width))
    signs = 1.15 if x_shape.signed and w_shape.signed else 1
    product = 0 if dsp else signs * many * max(1, 2.75 * few - 2.4)
    return (simd * product + adder_tree.cells(simd, few + many)
            + accumulator.cells(shape))
