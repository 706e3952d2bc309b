# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth import Shape, signed, unsigned
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.pe import booth
from hw.pe.booth import BoothPe
from sw import golden
from sw.alphabet import Integer
from tests.hw.pe.rows import draw_x, limits, run, stream


def element(simd, x_shape, w_shape, columns):
    """One whose accumulator is as wide as the largest sums and rests are."""
    most = columns << x_shape.width + w_shape.width + 1
    return BoothPe(simd=simd, x_shape=x_shape, w_shape=w_shape,
                   shape=Shape.cast(range(-most, most)))


def play(dut, x, weights, rng=None):
    alphabet = Integer(*limits(dut.w_shape))
    return run(dut, *stream(x, [(alphabet, weights)], dut.simd), rng=rng).reshape(len(x), -1)


@pytest.mark.parametrize("x_shape", [unsigned(1), signed(1), unsigned(3), signed(4)], ids=repr)
@pytest.mark.parametrize("w_shape", [unsigned(1), signed(1), unsigned(2), signed(2), unsigned(3),
                                     signed(4), unsigned(4), signed(5), signed(6)], ids=repr)
def test_all_weights_with_all_inputs(x_shape, w_shape):
    x, weights = (np.arange(lo, hi + 1)[:, None] for lo, hi in map(limits, (x_shape, w_shape)))
    sums = play(element(1, x_shape, w_shape, 1), x, weights)
    rest = booth.rest(weights, x_shape, w_shape)
    np.testing.assert_array_equal(sums, golden.dense(x, weights) + rest)
    np.testing.assert_array_equal(sums[x[:, 0] == 0], [rest])


@given(st.data())
@settings(max_examples=6)
def test_matches_golden(data):
    simd, rows, columns = (data.draw(st.integers(1, most)) for most in (7, 3, 19))
    x_shape, w_shape = (Shape(data.draw(st.integers(1, 9)), data.draw(st.booleans()))
                        for _ in range(2))
    rng = np.random.default_rng(data.draw(st.integers(0, 2 ** 32)))
    lo, hi = limits(w_shape)
    x, weights = draw_x(rng, x_shape, columns), rng.integers(lo, hi + 1, (rows, columns))
    weights[0] = rng.choice([lo, hi])
    sums = play(element(simd, x_shape, w_shape, columns), x, weights, rng)
    np.testing.assert_array_equal(
        sums, golden.dense(x, weights) + booth.rest(weights, x_shape, w_shape))


@pytest.mark.parametrize("measured, simd, x_shape, w_shape, width", [
    (458, 4, unsigned(8), signed(8), 22), (1713, 16, unsigned(8), signed(8), 22),
    (518, 16, unsigned(4), signed(4), 14), (811, 16, signed(8), signed(4), 18),
    (1754, 32, signed(6), signed(5), 20), (581, 8, unsigned(8), unsigned(4), 20),
    (365, 16, unsigned(8), signed(2), 20), (351, 8, unsigned(8), signed(3), 20),
])
def test_cells_as_placed_and_routed(measured, simd, x_shape, w_shape, width):
    estimate = booth.cells(simd=simd, x_shape=x_shape, w_shape=w_shape, shape=signed(width))
    assert abs(estimate - measured) < 0.15 * measured


@pytest.mark.parametrize("error, message, parameters", [
    (TypeError, "Simd must be a positive integer, not None", {"simd": None}),
    (ValueError, "Operands must have at least one bit, not the shapes unsigned(0) and signed(8)",
     {"x_shape": unsigned(0)}),
])
def test_parameters_wrong(error, message, parameters):
    right = {"simd": 2, "x_shape": unsigned(8), "w_shape": signed(8), "shape": signed(20)}
    with pytest.raises(error) as caught:
        BoothPe(**right | parameters)
    assert str(caught.value) == message
