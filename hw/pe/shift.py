"""Shift processing element: dot products with weights that are sums of signed powers of two."""
from functools import reduce
from operator import or_

from amaranth import *
from amaranth.lib import data, wiring

from hw import shifted_sum
from hw.pe import accumulator
from hw.pe.accumulator import accumulate, members
from hw.shifted_sum import ShiftedSum


class ShiftPe(wiring.Component):
    """The dot product of inputs and sums of signed powers of two, ``simd`` columns a cycle.

    A weight is the sum of its terms, and a term with code c is sign(c) · 2^(|c| − 1 + base), or 0:
    a code of :class:`sw.alphabet.Pow2`. (Gudovskiy & Rigazio 2017, ShiftCNN; Zhou et al. 2017, INQ;
    :func:`sw.planes.signed_digits` brings other weights to this form.) Shifts are to the left
    only, so that nothing is dropped.

    The input of a negative term is inverted, not negated, which adds to the row what depends on
    its weights only: with the matrix W, ``o`` of a whole row is :func:`sw.golden.dense` plus
    ``n · Σ 2^(|c| − 1 + base)`` over its negative terms, where n is −1 for signed inputs and the
    largest input, 2^k − 1, for unsigned ones of k bits. That is what the row gives for x = 0.

    Sums of the words of a row are accumulated until ``last``; ``o`` then is that of the row, and
    the next word starts a new one. They wrap around, so that only the last one must fit. One word
    a cycle; ``valid`` and ``last`` belong to the word given ``latency`` cycles with ``en`` before.

    Parameters
    ----------
    simd : int
        Columns a word, at least 1.
    x_shape : Shape
        Shape of an input.
    shape : Shape
        Shape of the sum of a row.
    terms : tuple of (int, bool, int)
        Powers of two, whether there is a zero, and the base, of each term of a weight.
    shared : bool
        How a term is shifted: False, one place, two places, four places one after the other;
        True, ShiftCNN's way: all shifted inputs are there, as wires, and the term selects one.
        The results are the same; see :func:`cells` for the costs.

    Members
    -------
    x : In(ArrayLayout(x_shape, simd))
        A word of inputs.
    w : In(simd · bits of all terms)
        A word of weights: the codes of the first terms of all columns, then of the second.
    en, valid, last : In(1)
        As every element has them: :func:`hw.pe.accumulator.members`.
    o : Out(shape)
        The sum so far, including the word in the accumulator stage.
    """
    def __init__(self, *, simd, x_shape, shape, terms, shared=False):
        if not isinstance(simd, int) or simd < 1:
            raise TypeError(f"Simd must be a positive integer, not {simd!r}")
        if not Shape.cast(x_shape).width:
            raise ValueError(f"Inputs must have at least one bit, not the shape {x_shape!r}")
        check_terms(terms)
        self.simd = simd
        self.x_shape = Shape.cast(x_shape)
        self.shape = Shape.cast(shape)
        self.terms = tuple(terms)
        self.shared = shared
        self._groups = groups(simd, self.x_shape, self.terms)
        self.latency = latency(simd, terms)
        super().__init__(members(
            x=data.ArrayLayout(self.x_shape, simd),
            w=simd * sum(code_bits(powers, zero) for powers, zero, _ in self.terms),
            o=self.shape))

    def elaborate(self, platform):
        m = Module()

        m.submodules.sum = word = ShiftedSum(groups=self._groups)
        m.d.comb += word.en.eq(self.en)
        shift = _select if self.shared else _shift
        shifted = {base: [] for base in self._groups}
        for (powers, zero, base), codes in split_codes(self.w, self.simd, self.terms):
            for x, code in zip(self.x, codes, strict=True):
                term = Signal(_term_shape(self.x_shape, powers),
                              name=f"term_{base}_{len(shifted[base])}")
                value = shift(m, x, code, powers, zero)
                with m.If(self.en):
                    m.d.sync += term.eq(value)
                shifted[base].append(term)
        for base, group in shifted.items():
            m.d.comb += [i.eq(term) for i, term in zip(word.i[str(base)], group, strict=True)]

        accumulate(m, self, word.o << min(self._groups))

        return m


def check_terms(terms):
    """Raise ValueError unless ``terms`` are those of a weight."""
    if not terms:
        raise ValueError(f"A weight must have at least one term, not {terms!r}")
    for powers, zero, base in terms:
        if powers < 1 or base < 0:
            raise ValueError(f"A term must have at least one power and no negative base, not "
                             f"{(powers, zero, base)!r}")


def code_bits(powers, zero):
    """Bits of the code of a term."""
    return (2 * powers + zero - 1).bit_length()


def split_codes(w, simd, terms):
    """Each term, and the codes of its columns: [((powers, zero, base), [code, …]), …]."""
    place = 0
    for powers, zero, base in terms:
        bits = code_bits(powers, zero)
        yield (powers, zero, base), [w[place + j * bits:][:bits] for j in range(simd)]
        place += simd * bits


def _term_shape(x_shape, powers):
    return Shape(x_shape.width + powers - 1, x_shape.signed)


def latency(simd, terms):
    """Cycles from inputs to the accumulator stage."""
    return 1 + shifted_sum.levels(groups(simd, unsigned(1), terms))


def groups(simd, x_shape, terms):
    """What :class:`hw.shifted_sum.ShiftedSum` adds: the terms by their bases."""
    groups = {}
    for base in sorted({base for _, _, base in terms}):
        powers = [powers for powers, _, at in terms if at == base]
        groups[base] = simd * len(powers), _term_shape(x_shape, max(powers))
    return groups


def _named(m, value):
    """A signal of the value, which as an expression would be written out wherever it is used."""
    signal = Signal.like(value, name="part")
    m.d.comb += signal.eq(value)
    return signal


def _invert(m, x, code):
    """The bits of ``x``, inverted where the code is negative, and the one that extends them."""
    y = _named(m, x.as_unsigned() ^ _named(m, code[-1]).replicate(len(x)))
    return y, y[-1] if x.shape().signed else C(0, 1)


def _shift(m, x, code, powers, zero):
    """A term by a shifter of one level for each bit of the exponent."""
    magnitude = _named(m, code[:-1])
    exponent = magnitude
    if zero:   # one less
        exponent = [bit ^ ~magnitude[:k].any() for k, bit in enumerate(magnitude)]
    y, fill = _invert(m, x, code)
    for k, step in enumerate(exponent[:(powers - 1).bit_length()]):
        width = min(len(y) + 2 ** k, len(x) + powers - 1)
        stays = Cat(y, fill.replicate(width - len(y)))
        moves = Cat(C(0, 2 ** k), y)[:width]
        step = _named(m, step)
        y = _named(m, stays & ~step.replicate(width) | moves & step.replicate(width))
    return y & _named(m, magnitude.any()).replicate(len(y)) if zero else y


def _select(m, x, code, powers, zero):
    """A term by a selection among all that it may be."""
    y, fill = _invert(m, x, code)
    width = len(x) + powers - 1
    return reduce(or_, (Cat(C(0, k), y, fill.replicate(width - k - len(y)))
                        & _named(m, code[:-1] == k + zero).replicate(width)
                        for k in range(powers)))


def cells(*, simd, x_shape, shape, terms, shared=False):
    """Estimate of the cells of an element, each organisation with its own for the terms.

    Selection is worth it for inputs of one bit and many powers only, by a twentieth; mostly it
    takes more, up to a third.
    """
    inputs = 0
    for powers, zero, _ in terms:
        selected = _select_cells(x_shape.width, powers, zero)
        # Synthesis finds the selection by itself.
        inputs += selected if shared else min(selected, _shift_cells(x_shape.width, powers, zero))
    return (simd * inputs + shifted_sum.cells(groups(simd, x_shape, terms))
            + accumulator.cells(shape))


def _shift_cells(width, powers, zero):
    """Each level, the first with the inversion; where there is a zero, whether it is one, and the
    exponent's bits but for the lowest, which is a bit of the code. A single level has no room for
    both the inversion and the zero."""
    levels = (powers - 1).bit_length()
    widths = [min(width + 2 ** (k + 1), width + powers) - 1 for k in range(levels)]
    return (sum(widths) if levels else width) + zero * (width - 1 if levels == 1 else levels)


def _select_cells(width, powers, zero):
    """Up to two of a bit's inputs a cell, and one more joins each further cell; the inversions and
    the decoded exponent, which are parts of these cells where inputs and codes are narrow."""
    inputs = [min(k, width + powers - k, width, powers) for k in range(1, width + powers)]
    narrow = code_bits(powers, zero) < 4
    return (sum(-(-(2 * count - 1) // 3) for count in inputs)
            + width * (width > 1 or not narrow) + powers * (width > 1 and not narrow))
