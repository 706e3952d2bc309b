# amaranth: UnusedElaboratable=no

from itertools import product

import numpy as np
import pytest
from amaranth import Shape, signed, unsigned
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.pe import ternary
from hw.pe.ternary import SumPe, TernaryPe
from sw import golden
from sw.alphabet import Bipolar, Ones, Ternary
from tests.hw.pe.rows import draw_x, limits, run, stream


def span(x_shape, columns):
    """Shape of the sums of ``columns`` inputs, each as it is or inverted."""
    lo, hi = limits(x_shape)
    return Shape.cast(range(columns * min(0, lo), columns * hi + 1))


def play(dut, x, weights, rng=None):
    """The sums for inputs ``x``: an array (frames, rows)."""
    alphabet = Ternary() if dut.zero else Bipolar()
    return run(dut, *stream(x, [(alphabet, weights)], dut.simd), rng=rng).reshape(len(x), -1)


def expected(x, x_shape, weights):
    inverted = -1 if x_shape.signed else limits(x_shape)[1]
    return golden.dense(x, weights) + inverted * np.sum(weights < 0, axis=1)


def values(zero):
    return (-1, 0, 1) if zero else (-1, 1)


SHAPES = [unsigned(1), signed(1), unsigned(2), signed(2)]


@pytest.mark.parametrize("simd, x_shape", [
    *product((1, 2, 3), SHAPES), (1, unsigned(4)), (1, signed(4)), (2, unsigned(3)), (2, signed(3)),
], ids=repr)
@pytest.mark.parametrize("zero", [False, True])
def test_all_weights_with_all_inputs(simd, x_shape, zero):
    lo, hi = limits(x_shape)
    x = np.array(list(product(range(lo, hi + 1), repeat=simd)))
    weights = np.array(list(product(values(zero), repeat=simd)))
    dut = TernaryPe(simd=simd, x_shape=x_shape, shape=span(x_shape, simd), zero=zero)
    sums = play(dut, x, weights)
    np.testing.assert_array_equal(sums, expected(x, x_shape, weights))
    np.testing.assert_array_equal(sums[(x == 0).all(axis=1)],
                                  [expected(0 * x[0], x_shape, weights)])


@pytest.mark.parametrize("zero", [False, True])
@given(st.data())
@settings(max_examples=8)
def test_matches_golden(zero, data):
    simd, rows, columns = (data.draw(st.integers(1, most)) for most in (9, 3, 31))
    x_shape = Shape(data.draw(st.integers(1, 9)), data.draw(st.booleans()))
    rng = np.random.default_rng(data.draw(st.integers(0, 2 ** 32)))
    weights = rng.choice(values(zero), (rows, columns))
    weights[0] = rng.choice([-1, 1])
    x = draw_x(rng, x_shape, columns)
    dut = TernaryPe(simd=simd, x_shape=x_shape, shape=span(x_shape, columns), zero=zero)
    np.testing.assert_array_equal(play(dut, x, weights, rng), expected(x, x_shape, weights))


@given(st.data())
@settings(max_examples=8)
def test_sum_matches_golden(data):
    simd, columns = (data.draw(st.integers(1, most)) for most in (9, 31))
    x_shape = Shape(data.draw(st.integers(1, 9)), data.draw(st.booleans()))
    rng = np.random.default_rng(data.draw(st.integers(0, 2 ** 32)))
    x, ones = draw_x(rng, x_shape, columns), np.ones((1, columns), int)
    dut = SumPe(simd=simd, x_shape=x_shape, shape=span(x_shape, columns))
    sums = run(dut, *stream(x, [(Ones(), ones)], simd), rng=rng)
    np.testing.assert_array_equal(sums[:, None], golden.dense(x, ones))


# Cells on the iCE40UP5K, those of the inputs left out: with zeros, without, and of the sum.
MEASURED = {
    (4, unsigned(5), 11): (61, 53, 41), (7, signed(4), 10): (86, 73, 58),
    (16, unsigned(2), 10): (108, 100, 76), (16, signed(8), 16): (306, 250, 178),
    (32, unsigned(8), 17): (595, 483, 339), (32, signed(4), 13): (335, 287, 207),
}


@pytest.mark.parametrize("simd, x_shape, width", MEASURED, ids=repr)
def test_cells_are_near_those_measured(simd, x_shape, width):
    options = {"simd": simd, "x_shape": x_shape, "shape": unsigned(width)}
    estimates = (ternary.cells(**options, zero=True), ternary.cells(**options, zero=False),
                 ternary.sum_cells(**options))
    for estimate, cells in zip(estimates, MEASURED[simd, x_shape, width], strict=True):
        assert abs(estimate - cells) < 0.15 * cells


@pytest.mark.parametrize("error, message, parameters", [
    (TypeError, "Simd must be a positive integer, not 0", {"simd": 0}),
    (ValueError, "Activations must have at least one bit, not the shape unsigned(0)",
     {"x_shape": unsigned(0)}),
])
@pytest.mark.parametrize("make", [SumPe, lambda **options: TernaryPe(zero=True, **options)])
def test_parameters_wrong(make, error, message, parameters):
    right = {"simd": 2, "x_shape": unsigned(8), "shape": signed(20)}
    with pytest.raises(error) as raised:
        make(**right | parameters)
    assert str(raised.value) == message
