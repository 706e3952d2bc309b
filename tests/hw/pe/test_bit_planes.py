# amaranth: UnusedElaboratable=no

from itertools import product

import numpy as np
import pytest
from amaranth import Shape, signed, unsigned
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.pe import bit_planes
from hw.pe.bit_planes import BitPlanesPe
from sw import golden
from sw.alphabet import Bipolar, Integer
from tests.hw.pe.rows import draw_x, limits, run, stream


def element(simd, x_bits, w_shape, columns, **options):
    """One whose accumulator holds just the sums of ``columns`` products."""
    lo, hi = limits(w_shape)
    most = columns * (2 ** x_bits - 1)
    return BitPlanesPe(simd=simd, x_bits=x_bits, w_bits=w_shape.width, w_signed=w_shape.signed,
                       shape=Shape.cast(range(most * lo, most * hi + 1)), **options)


def play(dut, x, alphabet, weights, rng=None):
    return run(dut, *stream(x, [(alphabet, weights)], dut.simd), rng=rng).reshape(len(x), -1)


@pytest.mark.parametrize("simd, x_bits, w_shape", [
    *product([1], [1, 2, 4], [unsigned(1), unsigned(2), signed(2), unsigned(3), signed(4)]),
    (2, 2, signed(2)), (2, 1, signed(3)), (2, 3, unsigned(1)), (3, 1, signed(2)),
    (3, 2, unsigned(1)), (4, 1, unsigned(1)),
], ids=repr)
def test_all_weights_with_all_inputs(simd, x_bits, w_shape):
    lo, hi = limits(w_shape)
    x = np.array(list(product(range(2 ** x_bits), repeat=simd)))
    weights = np.array(list(product(range(lo, hi + 1), repeat=simd)))
    sums = play(element(simd, x_bits, w_shape, simd), x, Integer(lo, hi), weights)
    np.testing.assert_array_equal(sums, golden.dense(x, weights))


@given(st.data())
@settings(max_examples=12)
def test_matches_golden(data):
    simd, rows, columns = (data.draw(st.integers(1, most)) for most in (9, 3, 23))
    x_bits = data.draw(st.integers(1, 5))
    w_shape = data.draw(st.sampled_from([unsigned(1), unsigned(2), unsigned(3), signed(2),
                                         signed(3), signed(5)]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2 ** 32)))
    lo, hi = limits(w_shape)
    x, weights = draw_x(rng, unsigned(x_bits), columns), rng.integers(lo, hi + 1, (rows, columns))
    weights[0] = rng.choice([lo, hi])
    dut = element(simd, x_bits, w_shape, columns, raw_operands=data.draw(st.booleans()))
    sums = play(dut, x, Integer(lo, hi), weights, rng)
    np.testing.assert_array_equal(sums, golden.dense(x, weights))


def test_bipolar_weights():
    rng = np.random.default_rng(0)
    x, weights = draw_x(rng, unsigned(2), 17), rng.choice([-1, 1], (5, 17))
    sums = play(element(4, 2, unsigned(1), 17), x, Bipolar(), weights)
    np.testing.assert_array_equal(2 * sums - x.sum(axis=1, keepdims=True),
                                  golden.dense(x, weights))


# Cells on the iCE40UP5K, those of the inputs left out.
MEASURED = {
    (4, 2, unsigned(1), 9): 35, (4, 3, unsigned(3), 12): 156, (11, 4, signed(4), 15): 606,
    (16, 8, unsigned(1), 17): 389, (32, 2, signed(2), 13): 402, (64, 4, unsigned(2), 16): 1466,
}


@pytest.mark.parametrize("simd, x_bits, w_shape, width", MEASURED, ids=repr)
def test_cells_are_near_those_measured(simd, x_bits, w_shape, width):
    estimate = bit_planes.cells(simd=simd, x_bits=x_bits, w_bits=w_shape.width,
                                w_signed=w_shape.signed, shape=signed(width))
    cells = MEASURED[simd, x_bits, w_shape, width]
    assert abs(estimate - cells) < 0.15 * cells


@pytest.mark.parametrize("error, message, parameters", [
    (TypeError, "Simd must be a positive integer, not 0", {"simd": 0}),
    (TypeError, "Activation bits must be a positive integer, not '2'", {"x_bits": "2"}),
    (TypeError, "Weight bits must be a positive integer, not -1", {"w_bits": -1}),
    (ValueError, "Signed weights must have at least 2 bits, not 1", {"w_bits": 1}),
])
def test_parameters_wrong(error, message, parameters):
    right = {"simd": 2, "x_bits": 2, "w_bits": 2, "w_signed": True, "shape": signed(20)}
    with pytest.raises(error) as raised:
        BitPlanesPe(**right | parameters)
    assert str(raised.value) == message
