"""Exponent processing element: dot products where weights and inputs are powers of two."""
from amaranth import *
from amaranth.lib import data, wiring

from hw import shifted_sum
from hw.pe import accumulator, shift
from hw.pe.accumulator import accumulate, members
from hw.shifted_sum import ShiftedSum


class ExponentPe(wiring.Component):
    """The dot product of powers of two and sums of powers of two, ``simd`` columns a cycle.

    An input with code c is sign(c) · 2^(|c| − 1), or 0, and so is a term of a weight, times 2^base
    (:class:`sw.alphabet.Pow2`): in each product exponents are added and signs compared, and there
    is no multiplication. (Miyashita et al. 2016, LogQuant.) ``o`` of a whole row is
    :func:`sw.golden.dense` of the values.

    Sums of the words of a row are accumulated until ``last``; ``o`` then is that of the row, and
    the next word starts a new one. They wrap around, so that only the last one must fit. One word
    a cycle; ``valid`` and ``last`` belong to the word given ``latency`` cycles with ``en`` before.

    Parameters
    ----------
    simd : int
        Columns a word, at least 1.
    x_powers : int
        Powers of two of an input, at least 1; it may be 0 besides.
    shape : Shape
        Shape of the sum of a row.
    terms : tuple of (int, bool, int)
        Powers of two, whether there is a zero, and the base, of each term of a weight.

    Members
    -------
    x : In(ArrayLayout(bits of a code, simd))
        A word of inputs: codes, the sign above |c|.
    w : In(simd · bits of all terms)
        A word of weights: the codes of the first terms of all columns, then of the second.
    en, valid, last : In(1)
        As every element has them: :func:`hw.pe.accumulator.members`.
    o : Out(shape)
        The sum so far, including the word in the accumulator stage.
    """
    def __init__(self, *, simd, x_powers, shape, terms):
        if not isinstance(simd, int) or simd < 1:
            raise TypeError(f"Simd must be a positive integer, not {simd!r}")
        if not isinstance(x_powers, int) or x_powers < 1:
            raise TypeError(f"Powers of inputs must be a positive integer, not {x_powers!r}")
        shift.check_terms(terms)
        self.simd = simd
        self.x_powers = x_powers
        self.shape = Shape.cast(shape)
        self.terms = tuple(terms)
        self._groups = _groups(simd, x_powers, self.terms)
        self.latency = 2 + shifted_sum.levels(self._groups)
        super().__init__(members(
            x=data.ArrayLayout(shift.code_bits(x_powers, True), simd),
            w=simd * sum(shift.code_bits(powers, zero) for powers, zero, _ in self.terms),
            o=self.shape))

    def elaborate(self, platform):
        m = Module()

        m.submodules.sum = word = ShiftedSum(groups=self._groups, carries=True)
        m.d.comb += word.en.eq(self.en)
        filled = dict.fromkeys(self._groups, 0)
        for (powers, zero, base), codes in shift.split_codes(self.w, self.simd, self.terms):
            for x, code in zip(self.x, codes, strict=True):
                k = filled[base]
                filled[base] += 1
                term, negative = self._product(m, x, code, powers, zero, f"{base}_{k}")
                m.d.comb += [word.i[str(base)][k].eq(term), word.carry[str(base)][k].eq(negative)]

        # A carry at the lowest base is a carry at place 0 on ones below.
        lowest = min(self._groups)
        accumulate(m, self, Cat(word.spare.replicate(lowest), word.o).as_signed(), word.spare)

        return m

    def _product(self, m, x, code, powers, zero, name):
        """A term, less one where it is negative, and whether it is."""
        exponents = self.x_powers + powers - 1
        # The sum of the magnitudes in the codes is ``first`` or more; first − 1 is for a product
        # of 0.
        first = 1 + zero
        exists = Signal(name=f"exists_{name}")
        sum_ = Signal(range(exponents + 1), name=f"sum_{name}")
        m.d.comb += [
            exists.eq(x[:-1].any() & (code[:-1].any() if zero else 1)),
            sum_.eq(x[:-1] + code[:-1]),
        ]
        total = Signal.like(sum_, name=f"total_{name}")
        negative = Signal(name=f"negative_{name}")
        # A product of 0 may be negative: −1 and a carry.
        one_hot = Cat(total == (first + k) % (1 << len(total)) for k in range(exponents))
        term = Signal(signed(exponents + 1), name=f"term_{name}")
        carry = Signal(name=f"carry_{name}")
        with m.If(self.en):
            m.d.sync += [
                total.eq(sum_ & exists.replicate(len(sum_)) | (~exists & (first - 1))),
                negative.eq(x[-1] ^ code[-1]),
                term.eq(Cat(one_hot, 0) ^ negative.replicate(exponents + 1)),
                carry.eq(negative),
            ]
        return term, carry


def _groups(simd, x_powers, terms):
    """What :class:`hw.shifted_sum.ShiftedSum` adds: the products by the bases of their terms."""
    return {base: (count, signed(shape.width + 1))
            for base, (count, shape) in shift.groups(simd, unsigned(x_powers), terms).items()}


def cells(*, simd, x_powers, shape, terms):
    """Estimate of the cells of an element."""
    inputs = 0
    for powers, zero, _ in terms:
        exponents = x_powers + powers - 1
        bits = exponents.bit_length()
        # The sum of the exponents, the sign in both stages and the carry, whether there is a
        # product, and a cell or more for each exponent.
        inputs += bits + 3 + zero + exponents * (1 if bits < 4 else 1.5)
    return (simd * inputs + shifted_sum.cells(_groups(simd, x_powers, terms), carries=True)
            + accumulator.cells(shape))
