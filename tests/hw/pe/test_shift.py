# amaranth: UnusedElaboratable=no

from itertools import product

import numpy as np
import pytest
from amaranth import Shape, signed, unsigned
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.pe import shift
from hw.pe.shift import ShiftPe
from sw import golden
from sw.alphabet import Integer, Pow2
from sw.planes import Plane, signed_digits
from tests.hw.pe.rows import draw_x, limits, run, stream


def expected(x, shape, terms, codes):
    """The sums that the element gives: those of the matrix, and what inverted inputs add."""
    values = [Pow2(powers, zero).decode(code).astype(int) << base
              for (powers, zero, base), code in zip(terms, codes, strict=True)]
    inverted = -1 if shape.signed else limits(shape)[1]
    rest = sum(inverted * np.maximum(-value, 0).sum(axis=1) for value in values)
    return golden.dense(x, sum(values)) + rest


def element(simd, x_shape, terms, shared, columns):
    """One whose accumulator holds just what ``columns`` terms of each kind may make."""
    lo, hi = limits(x_shape)
    most = columns * sum(1 << powers - 1 + base for powers, _, base in terms)
    return ShiftPe(simd=simd, x_shape=x_shape, terms=terms, shared=shared,
                   shape=Shape.cast(range(most * lo, most * hi + 1)))


ALL = [(2, True, 0), (1, False, 1), (3, True, 1)]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("x_shape", [unsigned(1), signed(1), unsigned(3), signed(4)], ids=repr)
@pytest.mark.parametrize("terms", [[(1, True, 0)], [(1, False, 2)], [(2, True, 1)], [(3, False, 0)],
                                   [(5, True, 0)], [(8, False, 0)], ALL], ids=repr)
def test_all_codes_with_all_inputs(terms, x_shape, shared):
    alphabets = [Pow2(powers, zero) for powers, zero, _ in terms]
    choices = [[code for code in range(a.lo, a.hi + 1) if a.zero or code] for a in alphabets]
    codes = [np.array(code)[:, None] for code in zip(*product(*choices), strict=True)]
    lo, hi = limits(x_shape)
    x = np.arange(lo, hi + 1)[:, None]
    dut = element(1, x_shape, terms, shared, 1)
    sums = run(dut, *stream(x, list(zip(alphabets, codes, strict=True)), 1))
    np.testing.assert_array_equal(sums.reshape(len(x), -1), expected(x, x_shape, terms, codes))


@given(st.data())
@settings(max_examples=6)
def test_matches_golden(data):
    simd, rows, columns = (data.draw(st.integers(1, most)) for most in (7, 4, 23))
    x_shape = Shape(data.draw(st.integers(1, 9)), data.draw(st.booleans()))
    terms = data.draw(st.lists(st.tuples(st.integers(1, 9), st.booleans(), st.integers(0, 6)),
                               min_size=1, max_size=4))
    rng = np.random.default_rng(data.draw(st.integers(0, 2 ** 32)))
    alphabets = [Pow2(powers, zero) for powers, zero, _ in terms]
    codes = []
    for alphabet in alphabets:
        code = rng.integers(alphabet.lo, alphabet.hi + 1, (rows, columns))
        code[0] = rng.choice([alphabet.lo, alphabet.hi])
        codes.append(np.where(alphabet.holds(code), code, alphabet.neutral))
    x = draw_x(rng, x_shape, columns)
    dut = element(simd, x_shape, terms, data.draw(st.booleans()), columns)
    sums = run(dut, *stream(x, list(zip(alphabets, codes, strict=True)), simd), rng=rng)
    np.testing.assert_array_equal(sums.reshape(3, rows), expected(x, x_shape, terms, codes))


@pytest.mark.parametrize("shared", [False, True])
def test_runs_integers_as_signed_digits(shared):
    plane = Plane(Integer(-8, 7), np.arange(-8, 8)[:, None], np.ones(16, int))
    digits = signed_digits(plane)
    terms = [(digit.alphabet.powers, True, 2 * k) for k, digit in enumerate(digits)]
    codes = [digit.codes for digit in digits]
    x = np.arange(16)[:, None]
    dut = element(1, unsigned(4), terms, shared, 1)
    sums = run(dut, *stream(x, [(digit.alphabet, digit.codes) for digit in digits], 1))
    rest = sums[:16]
    np.testing.assert_array_equal(sums.reshape(16, 16) - rest, golden.dense(x, plane.codes))
    np.testing.assert_array_equal(sums.reshape(16, 16), expected(x, unsigned(4), terms, codes))


@pytest.mark.parametrize("measured, simd, x_shape, width, terms, shared", [
    (169, 4, unsigned(8), 20, [(4, True, 0)], False),
    (599, 16, unsigned(8), 20, [(4, True, 0)], False),
    (551, 16, unsigned(8), 20, [(4, False, 0)], False),
    (750, 16, unsigned(4), 14, [(4, True, 0)] * 2, False),
    (1376, 8, unsigned(8), 32, [(15, True, 0)] * 2, False),
    (314, 16, unsigned(8), 20, [(1, True, 0)], False),
    (457, 16, unsigned(8), 20, [(2, True, 0)], False),
    (144, 4, unsigned(4), 16, [(2, True, 0), (2, True, 2)], False),
    (1760, 16, signed(8), 20, [(2, True, 2 * t) for t in range(4)], False),
    (579, 8, unsigned(8), 20, [(1, True, 0), (3, True, 1), (1, False, 6)], False),
    (319, 16, unsigned(1), 14, [(7, True, 0)], False),
    (206, 16, unsigned(2), 12, [(3, True, 0)], False),
    (206, 16, unsigned(2), 12, [(3, True, 0)], True),
    (303, 16, unsigned(1), 14, [(7, True, 0)], True),
    (628, 16, signed(3), 14, [(7, True, 0)], True),
    (791, 16, unsigned(8), 20, [(4, True, 0)], True),
])
def test_cells_as_placed_and_routed(measured, simd, x_shape, width, terms, shared):
    estimate = shift.cells(simd=simd, x_shape=x_shape, shape=signed(width), terms=terms,
                           shared=shared)
    assert abs(estimate - measured) < 0.15 * measured


@pytest.mark.parametrize("error, message, parameters", [
    (TypeError, "Simd must be a positive integer, not 0", {"simd": 0}),
    (ValueError, "Inputs must have at least one bit, not the shape unsigned(0)",
     {"x_shape": unsigned(0)}),
    (ValueError, "A weight must have at least one term, not ()", {"terms": ()}),
    (ValueError, "A term must have at least one power and no negative base, not (0, True, 0)",
     {"terms": [(0, True, 0)]}),
    (ValueError, "A term must have at least one power and no negative base, not (1, True, -1)",
     {"terms": [(2, True, 0), (1, True, -1)]}),
])
def test_parameters_wrong(error, message, parameters):
    right = {"simd": 2, "x_shape": unsigned(4), "shape": signed(8), "terms": [(2, True, 0)]}
    with pytest.raises(error) as caught:
        ShiftPe(**right | parameters)
    assert str(caught.value) == message
