# amaranth: UnusedElaboratable=no

from itertools import product

import numpy as np
import pytest
from amaranth import Shape, signed
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.pe import exponent
from hw.pe.exponent import ExponentPe
from sw import golden
from sw.alphabet import Pow2
from tests.hw.pe.rows import run, stream


def expected(x, x_powers, terms, codes):
    weights = sum(Pow2(powers, zero).decode(code).astype(int) << base
                  for (powers, zero, base), code in zip(terms, codes, strict=True))
    return golden.dense(Pow2(x_powers).decode(x).astype(int), weights)


def element(simd, x_powers, terms, columns):
    """One whose accumulator holds just what ``columns`` products of each kind may make."""
    most = columns * sum(1 << x_powers - 1 + powers - 1 + base for powers, _, base in terms)
    return ExponentPe(simd=simd, x_powers=x_powers, terms=terms,
                      shape=Shape.cast(range(-most, most + 1)))


def play(dut, x, terms, codes, rng=None):
    """The sums for inputs of codes ``x``: an array (frames, rows)."""
    words = Pow2(dut.x_powers).encode_bits(x)
    planes = [(Pow2(powers, zero), code)
              for (powers, zero, _), code in zip(terms, codes, strict=True)]
    return run(dut, *stream(words, planes, dut.simd), rng=rng).reshape(len(x), -1)


@pytest.mark.parametrize("x_powers", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("terms", [[(1, True, 0)], [(1, False, 0)], [(2, True, 3)], [(3, False, 1)],
                                   [(4, True, 0)], [(4, True, 2), (1, False, 1), (2, True, 2)]],
                         ids=repr)
def test_all_codes_with_all_inputs(terms, x_powers):
    choices = [[code for code in range(-powers, powers + 1) if zero or code]
               for powers, zero, _ in terms]
    codes = [np.array(code)[:, None] for code in zip(*product(*choices), strict=True)]
    x = np.arange(-x_powers, x_powers + 1)[:, None]
    sums = play(element(1, x_powers, terms, 1), x, terms, codes)
    np.testing.assert_array_equal(sums, expected(x, x_powers, terms, codes))


@given(st.data())
@settings(max_examples=8)
def test_matches_golden(data):
    simd, rows, columns = (data.draw(st.integers(1, most)) for most in (7, 3, 19))
    x_powers = data.draw(st.integers(1, 6))
    terms = data.draw(st.lists(st.tuples(st.integers(1, 6), st.booleans(), st.integers(0, 5)),
                               min_size=1, max_size=3))
    rng = np.random.default_rng(data.draw(st.integers(0, 2 ** 32)))
    codes = [np.where(rng.random((rows, columns)) < 0.3, -powers if zero else powers,
                      rng.integers(1, powers + 1, (rows, columns)) * rng.choice(
                          [-1, 0, 1] if zero else [-1, 1], (rows, columns)))
             for powers, zero, _ in terms]
    x = rng.integers(-x_powers, x_powers + 1, (3, columns))
    x[0] = x_powers * rng.choice([-1, 1])
    dut = element(simd, x_powers, terms, columns + -columns % simd)
    # A column that is not there has an input of 0.
    sums = play(dut, x, terms, codes, rng)
    np.testing.assert_array_equal(sums, expected(x, x_powers, terms, codes))


def test_zero_may_have_a_sign():
    plus, minus, zero, minus_zero = 0b001, 0b101, 0b000, 0b100
    x = [[minus_zero, minus_zero], [minus, plus], [minus_zero, plus], [minus, minus_zero]]
    w = [minus << 3 | plus, zero << 3 | minus_zero, minus_zero << 3 | minus, plus << 3 | plus]
    dut = element(2, 2, [(2, True, 0)], 2)
    assert run(dut, x, w, 1).tolist() == [0, 0, 0, -1]


@pytest.mark.parametrize("measured, simd, x_powers, width, terms", [
    (128, 4, 4, 16, [(4, True, 0)]), (438, 16, 4, 16, [(4, True, 0)]),
    (214, 4, 7, 22, [(7, True, 0)]), (764, 16, 7, 22, [(7, True, 0)]),
    (729, 16, 3, 16, [(3, True, 0), (3, True, 2)]), (319, 8, 8, 18, [(4, False, 0)]),
])
def test_cells_as_placed_and_routed(measured, simd, x_powers, width, terms):
    estimate = exponent.cells(simd=simd, x_powers=x_powers, shape=signed(width), terms=terms)
    assert abs(estimate - measured) < 0.15 * measured


@pytest.mark.parametrize("error, message, parameters", [
    (TypeError, "Simd must be a positive integer, not 1.5", {"simd": 1.5}),
    (TypeError, "Powers of inputs must be a positive integer, not 0", {"x_powers": 0}),
    (ValueError, "A weight must have at least one term, not []", {"terms": []}),
])
def test_parameters_wrong(error, message, parameters):
    right = {"simd": 2, "x_powers": 4, "shape": signed(8), "terms": [(2, True, 0)]}
    with pytest.raises(error) as caught:
        ExponentPe(**right | parameters)
    assert str(caught.value) == message
