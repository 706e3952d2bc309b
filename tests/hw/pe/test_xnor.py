# amaranth: UnusedElaboratable=no

from itertools import product

import numpy as np
import pytest
from amaranth import Shape, signed, unsigned
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.pe import xnor
from hw.pe.xnor import GatedXnorPe, XnorPe
from sw import golden
from sw.alphabet import Bipolar, Signs, Ternary
from tests.hw.pe.rows import run, stream

# Whether activations and weights are ternary.
KINDS = [(False, False), (False, True), (True, False), (True, True)]


def element(x_ternary, w_ternary, **parameters):
    if not x_ternary and not w_ternary:
        return XnorPe(**parameters)
    return GatedXnorPe(x_ternary=x_ternary, w_ternary=w_ternary, **parameters)


def play(dut, x_ternary, w_ternary, x, weights, rng=None):
    """The sums for inputs ``x``: an array (frames, rows)."""
    alphabet = Ternary() if w_ternary else Bipolar() if x_ternary else Signs()
    bits = x if x_ternary else (x > 0).astype(int)
    return run(dut, *stream(bits, [(alphabet, weights)], dut.simd), rng=rng).reshape(len(x), -1)


def expected(x_ternary, x, weights):
    """What a sum stands for: the product, and the products that are not 0 if 0 is no product."""
    rest = 0 if x_ternary else np.count_nonzero(weights, axis=1)
    return golden.dense(x, weights) + rest


def values(ternary):
    return (-1, 0, 1) if ternary else (-1, 1)


@pytest.mark.parametrize("x_ternary, w_ternary", KINDS)
@pytest.mark.parametrize("simd", [1, 2, 3])
def test_all_words_with_all_words(simd, x_ternary, w_ternary):
    x, weights = (np.array(list(product(values(ternary), repeat=simd)))
                  for ternary in (x_ternary, w_ternary))
    dut = element(x_ternary, w_ternary, simd=simd, columns=simd)
    sums = play(dut, x_ternary, w_ternary, x, weights)
    scale = 1 if x_ternary else 2
    np.testing.assert_array_equal(scale * sums, expected(x_ternary, x, weights))


@pytest.mark.parametrize("x_ternary, w_ternary", KINDS)
@given(st.data())
@settings(max_examples=5)
def test_matches_golden(x_ternary, w_ternary, data):
    simd, rows, columns = (data.draw(st.integers(1, most)) for most in (19, 3, 60))
    rng = np.random.default_rng(data.draw(st.integers(0, 2 ** 32)))
    weights = rng.choice(values(w_ternary), (rows, columns))
    x = rng.choice(values(x_ternary), (4, columns))
    weights[0] = rng.choice([-1, 1])
    x[0], x[1] = weights[0], -weights[0]                   # the ends of the range
    dut = element(x_ternary, w_ternary, simd=simd, columns=columns)
    sums = play(dut, x_ternary, w_ternary, x, weights, rng)
    scale = 1 if x_ternary else 2
    np.testing.assert_array_equal(scale * sums, expected(x_ternary, x, weights))


@given(st.integers(1, 19), st.integers(1, 60), st.integers(0, 2 ** 32))
@settings(max_examples=5)
def test_operands_that_are_not_raw(simd, columns, seed):
    rng = np.random.default_rng(seed)
    weights, x = rng.choice([-1, 1], (2, columns)), rng.choice([-1, 1], (3, columns))
    dut = XnorPe(simd=simd, columns=columns, raw_operands=False)
    np.testing.assert_array_equal(2 * play(dut, False, False, x, weights, rng),
                                  golden.dense(x, weights) + columns)
    weights[:, ::3] = 0
    dut = GatedXnorPe(simd=simd, columns=columns, x_ternary=False, w_ternary=True,
                      raw_operands=False)
    np.testing.assert_array_equal(2 * play(dut, False, True, x, weights, rng),
                                  golden.dense(x, weights) + np.count_nonzero(weights, axis=1))


@given(st.integers(1, 9), st.integers(1, 40), st.integers(0, 2 ** 32))
@settings(max_examples=5)
def test_gated_bits_as_numbers(simd, columns, seed):
    rng = np.random.default_rng(seed)
    weights, x = rng.integers(-1, 2, (2, columns)), rng.integers(0, 2, (3, columns))
    dut = element(False, True, simd=simd, columns=columns)
    np.testing.assert_array_equal(play(dut, False, True, x, weights),
                                  golden.dense(x, weights) + np.sum(weights < 0, axis=1))


def test_scale():
    assert element(False, True, simd=2, columns=2).scale == 2
    assert element(True, False, simd=2, columns=2).scale == 1
    assert element(True, True, simd=2, columns=2).scale == 1


@pytest.mark.parametrize("columns", [7, 8])
def test_sums_have_exactly_the_width_of_their_range(columns):
    assert Shape.cast(element(False, False, simd=4, columns=columns).o.shape()) == unsigned(
        columns - 4)
    assert Shape.cast(element(False, True, simd=4, columns=columns).o.shape()) == unsigned(
        columns - 4)
    assert Shape.cast(element(True, False, simd=4, columns=columns).o.shape()) == signed(
        columns - 3)
    assert Shape.cast(element(True, True, simd=4, columns=columns).o.shape()) == signed(columns - 3)


# Cells on the iCE40UP5K, those of the inputs left out.
MEASURED = {
    (4, 64): (20, 21, 29, 32), (7, 20): (24, 26, 39, 44), (10, 800): (45, 48, 58, 65),
    (16, 256): (55, 59, 86, 97), (48, 784): (149, 161, 205, 237), (64, 1024): (189, 205, 307, 350),
}


@pytest.mark.parametrize("simd, columns", MEASURED)
def test_cells_are_near_those_measured(simd, columns):
    for (x_ternary, w_ternary), cells in zip(KINDS, MEASURED[simd, columns], strict=True):
        estimate = xnor.gated_cells(simd=simd, columns=columns, x_ternary=x_ternary,
                                    w_ternary=w_ternary) if x_ternary or w_ternary else (
            xnor.cells(simd=simd, columns=columns))
        assert abs(estimate - cells) < 0.15 * cells


@pytest.mark.parametrize("error, message, parameters", [
    (TypeError, "Simd must be a positive integer, not 0", {"simd": 0}),
    (TypeError, "Columns must be a positive integer, not 2.0", {"columns": 2.0}),
    (ValueError, "Weights or activations must be ternary, but both are bipolar",
     {"x_ternary": False}),
])
def test_parameters_wrong(error, message, parameters):
    right = {"simd": 2, "columns": 4, "x_ternary": True, "w_ternary": False}
    with pytest.raises(error) as raised:
        GatedXnorPe(**right | parameters)
    assert str(raised.value) == message
