import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sw import golden
from sw.schemes.activations import horq, xnor_net
from sw.schemes.uint8 import quantized_multiplier

SIZES = st.tuples(st.integers(0, 4), st.integers(1, 7), st.integers(1, 7))


def arrays(data, shape, lo, hi, dtype=np.int64):
    size = int(np.prod(shape))
    values = data.draw(st.lists(st.integers(lo, hi), min_size=size, max_size=size))
    return np.array(values, dtype).reshape(shape)


def slow_dense(x, weights):
    return [[sum(int(weight) * int(value) for weight, value in zip(row, frame, strict=True))
             for row in weights] for frame in x]


@given(SIZES, st.data())
def test_dense_equals_loops(sizes, data):
    frames, rows, columns = sizes
    x = arrays(data, (frames, columns), -2 ** 24, 2 ** 24)
    weights = arrays(data, (rows, columns), -2 ** 24, 2 ** 24)
    y = golden.dense(x, weights)
    assert y.shape == (frames, rows)
    assert y.tolist() == slow_dense(x, weights)


@pytest.mark.parametrize("largest, dtype", [
    (1, np.int32), (2 ** 24 - 1, np.int32),                      # sums exact in float32
    (2 ** 24, np.int64), (2 ** 24 + 1, np.int64), (2 ** 53 - 1, np.int64),
])
@pytest.mark.parametrize("sign", [1, -1])
def test_dense_is_exact_up_to_its_limit(largest, dtype, sign):
    weights = sign * np.array([[largest - 1, 1], [1, 0]])
    y = golden.dense(np.array([[1, 1], [-1, -1], [1, -1]]), weights)
    assert y.dtype == dtype
    assert y.tolist() == [[sign * largest, sign], [-sign * largest, -sign],
                          [sign * (largest - 2), sign]]


@pytest.mark.parametrize("x, weights, largest", [
    ([[1, 0]], [[2 ** 53 - 1, 1]], 2 ** 53),
    ([[2, 0]], [[0, 1], [2 ** 52, 0]], 2 ** 53),
    ([[-2 ** 53, 0]], [[0, -1]], 2 ** 53),
    ([[1, 1]], [[-2 ** 63, -2 ** 63]], 2 ** 64),
])
def test_dense_refuses_what_is_not_exact(x, weights, largest):
    with pytest.raises(OverflowError,
                       match=rf"^dense sums may reach {largest}, beyond the exact 2\*\*53$"):
        golden.dense(np.array(x), np.array(weights))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.uint32])
def test_dense_takes_every_integer_type_at_its_ends(dtype):
    ends = np.array([[np.iinfo(dtype).min, np.iinfo(dtype).max]], dtype)
    weights = np.array([[1, 1], [-1, 2]])
    assert golden.dense(ends, weights).tolist() == slow_dense(ends, weights)
    assert golden.dense(weights, ends).tolist() == slow_dense(weights, ends)


@pytest.mark.parametrize("shape, dtype", [((0, 3), np.int64), ((2, 0), np.int64)])
def test_dense_of_nothing_is_zero(shape, dtype):
    y = golden.dense(np.zeros(shape, dtype), np.zeros((4, shape[1]), dtype))
    assert y.tolist() == [[0] * 4] * shape[0]


def slow_xnor_net(x, weights):
    return [[sum(map(abs, frame)) * sum(w if value >= 0 else -w
                                        for w, value in zip(row, frame, strict=True))
             for row in weights.tolist()] for frame in x.tolist()]


@given(SIZES, st.sampled_from([(3, 3), (2 ** 20, 2 ** 20)]), st.data())
def test_xnor_net_equals_loops(sizes, largest, data):
    frames, rows, columns = sizes
    x = arrays(data, (frames, columns), -largest[0], largest[0])
    weights = arrays(data, (rows, columns), -largest[1], largest[1])
    y = golden.xnor_net(x, weights)
    assert (y.dtype, y.shape) == (np.int64, (frames, rows))
    assert y.tolist() == slow_xnor_net(x, weights)


def test_xnor_net_scales_frame_by_frame_and_zero_counts_as_plus():
    x = np.array([[0, 0, 0], [0, -5, 1], [-1, -1, -1], [7, 0, -2]])
    weights = np.array([[1, -1, 1], [4, 2, 1]])
    assert golden.xnor_net(x, weights).tolist() == [[0, 0], [18, 18], [-3, -21], [-9, 45]]


@given(st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 5)), st.data())
def test_xnor_net_is_the_scheme_times_a_constant(sizes, data):
    """β · sign(x) of :mod:`sw.schemes.activations.xnor_net` has β = K / columns."""
    frames, rows, columns = sizes
    x = arrays(data, (frames, columns), -99, 99)
    weights = arrays(data, (rows, columns), -9, 9)
    binary = xnor_net.quantize(x.astype(float)).planes[0]
    y = binary.coefficients[:, None] * (binary.codes @ weights.T)
    np.testing.assert_array_equal(np.rint(columns * y), golden.xnor_net(x, weights))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.uint32])
def test_xnor_net_takes_every_integer_type_at_its_ends(dtype):
    ends = np.array([[np.iinfo(dtype).min, np.iinfo(dtype).max, 0]], dtype)
    weights = np.array([[1, 1, 1], [-1, 2, 5]])
    assert golden.xnor_net(ends, weights).tolist() == slow_xnor_net(ends, weights)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_xnor_net_of_nothing_is_zero(shape):
    y = golden.xnor_net(np.zeros(shape, np.int64), np.zeros((4, shape[1]), np.int64))
    assert (y.tolist(), y.dtype) == ([[0] * 4] * shape[0], np.int64)


@pytest.mark.parametrize("sign", [1, -1])
def test_xnor_net_is_exact_up_to_its_limit(sign):
    top = 2 ** 53 - 1
    y = golden.xnor_net(np.array([[sign * top, 0], [0, 0]]), np.array([[1, 0], [0, 0]]))
    assert y.tolist() == [[sign * top, 0], [0, 0]]
    y = golden.xnor_net(np.array([[sign, 0]]), np.array([[top - 1, 1]]))
    assert y.tolist() == [[top if sign == 1 else 2 - top]]


@pytest.mark.parametrize("x, weights, message", [
    ([[2 ** 52, -2 ** 52]], [[1, 0]], rf"xnor_net products may reach {2 ** 53}, "),
    ([[0, 0], [1, -2]], [[2 ** 52, 1], [-2 ** 52, 2 ** 52]],
     rf"xnor_net products may reach {3 * 2 ** 53}, "),
    ([[-2 ** 63, -2 ** 63]], [[0, 0]], rf"xnor_net products may reach {2 ** 64}, "),
    ([[0, 0]], [[2 ** 52, 2 ** 52]], rf"dense sums may reach {2 ** 53}, "),
])
def test_xnor_net_refuses_what_is_not_exact(x, weights, message):
    with pytest.raises(OverflowError, match=rf"^{message}beyond the exact 2\*\*53$"):
        golden.xnor_net(np.array(x), np.array(weights))


@given(SIZES, st.data())
def test_select_equals_loops(sizes, data):
    frames, kept, channels = sizes
    x = arrays(data, (frames, channels), -9, 9)
    indices = arrays(data, (kept,), 0, channels - 1)
    assert golden.select(x, indices).tolist() == [[frame[k] for k in indices] for frame in x]


def slow_threshold(x, thresholds, flip):
    steps = thresholds.shape[1]
    y = []
    for frame in x.tolist():
        counts = [sum(value >= t for t in row)
                  for value, row in zip(frame, thresholds.tolist(), strict=True)]
        y.append([steps - n if down else n for n, down in zip(counts, flip, strict=True)])
    return y


@given(st.tuples(st.integers(0, 4), st.integers(1, 5), st.integers(1, 7)), st.data())
def test_threshold_equals_loops(sizes, data):
    frames, channels, steps = sizes
    x = arrays(data, (frames, channels), -4, 4)       # so few values that many are equal
    thresholds = np.sort(arrays(data, (channels, steps), -4, 4), axis=1)
    flip = np.array(data.draw(st.lists(st.booleans(), min_size=channels, max_size=channels)))
    assert golden.threshold(x, thresholds, flip).tolist() == slow_threshold(x, thresholds, flip)


def test_threshold_counts_equality_and_flip_runs_down():
    x = np.array([[-1, -1], [0, 0], [1, 1], [2, 2], [3, 3]])
    thresholds = np.array([[0, 2, 2], [0, 2, 2]])
    y = golden.threshold(x, thresholds, np.array([False, True]))
    assert y.tolist() == [[0, 3], [1, 2], [1, 2], [3, 0], [3, 0]]


@pytest.mark.parametrize("steps", [127, 128, 255, 2 ** 15 - 1, 2 ** 15])
def test_threshold_counts_many_steps(steps):
    thresholds = np.tile(np.arange(steps), (2, 1))
    x = np.array([[-1, -1], [steps, steps]])
    y = golden.threshold(x, thresholds, np.array([False, True]))
    assert y.tolist() == [[0, steps], [steps, 0]]


def test_threshold_compares_unsigned_inputs_with_negative_thresholds():
    x = np.array([[0], [255]], np.uint8)
    assert golden.threshold(x, np.array([[-1, 255, 256]]), np.array([False])).tolist() == [[1], [2]]


DTYPES = st.sampled_from([np.int8, np.int64])


@given(st.tuples(st.integers(0, 4), st.integers(1, 5)), DTYPES, DTYPES, st.data())
def test_affine_equals_loops(sizes, dtype, its, data):
    frames, channels = sizes
    x = arrays(data, sizes, -128, 127, dtype)
    a, b = (arrays(data, (channels,), -128, 127, its) for _ in range(2))
    y = golden.affine(x, a, b)
    assert (y.dtype, y.shape) == (np.int64, sizes)
    assert y.tolist() == [[c * value + d for c, value, d in zip(
        a.tolist(), frame, b.tolist(), strict=True)] for frame in x.tolist()]


def test_affine_is_exact_in_64_bits():
    x = np.array([[-2 ** 30, 2 ** 30, 2 ** 62 - 1]])
    y = golden.affine(x, np.array([2 ** 31, -2 ** 31, 1]), np.array([-1, 1, -2 ** 62]))
    assert y.tolist() == [[-2 ** 61 - 1, 1 - 2 ** 61, -1]]
    assert golden.affine(np.array([[255]], np.uint8), np.array([-1], np.int8),
                         np.array([2 ** 40])).tolist() == [[2 ** 40 - 255]]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64])
@pytest.mark.parametrize("rows", [1, 3])
def test_lookup_equals_loops(dtype, rows):
    rng = np.random.default_rng(rows)
    table = rng.integers(0, 128, (rows, 8)).astype(dtype)
    codes = rng.integers(0, 8, (20, 3))
    y = golden.lookup(codes, table)
    assert y.dtype == np.int64
    assert y.tolist() == [[table[c % rows, code] for c, code in enumerate(frame)]
                          for frame in codes]
    assert golden.lookup(codes[:0], table).shape == (0, 3)


def slow_residual(x, coefficients, centre, flip):
    codes = []
    for frame in x.tolist():
        codes.append([])
        for value, betas, middle, down in zip(frame, coefficients.tolist(), centre.tolist(),
                                              flip.tolist(), strict=True):
            left, code = (middle - value if down else value - middle), ""
            for beta in betas:
                code += "1" if left >= 0 else "0"
                left += -beta if left >= 0 else beta
            codes[-1].append(int(code, 2))
    return codes


@given(st.tuples(st.integers(0, 9), st.integers(1, 4), st.integers(1, 5)), DTYPES, DTYPES,
       st.data())
def test_residual_binarize_equals_loops(sizes, dtype, its, data):
    frames, channels, terms = sizes
    x = arrays(data, (frames, channels), -128, 127, dtype)
    coefficients = arrays(data, (channels, terms), 1, 127, its)
    centre = arrays(data, (channels,), -128, 127, its)
    flip = np.array(data.draw(st.lists(st.booleans(), min_size=channels, max_size=channels)))
    y = golden.residual_binarize(x, coefficients, centre, flip)
    assert (y.dtype, y.shape) == (np.int64, (frames, channels))
    assert y.tolist() == slow_residual(x, coefficients, centre, flip)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_residual_binarize_is_frozen_high_order_quantization(beta):
    x = np.arange(-40, 41)[:, None]
    for flip in (False, True):
        y = golden.residual_binarize(x + 3, np.array([beta]), np.array([3]), np.array([flip]))
        np.testing.assert_array_equal(y, horq.codes(-x if flip else x, beta=np.array(beta)))


INT32 = st.one_of(st.integers(-2 ** 31, 2 ** 31 - 1),
                  st.sampled_from([-2 ** 31, 1 - 2 ** 31, -1, 0, 1, 2 ** 30, 2 ** 31 - 1]))
HALF = Fraction(1, 2)


@given(INT32, INT32)
def test_doubling_high_product_rounds_ties_up_and_saturates(a, b):
    y = golden.doubling_high_product(np.array([a]), np.array([b]))
    assert y == min(math.floor(Fraction(a * b, 2 ** 31) + HALF), 2 ** 31 - 1)


@given(INT32, st.integers(0, 31))
def test_rounding_shift_rounds_ties_away_from_zero(x, shift):
    y = math.floor(Fraction(abs(x), 2 ** shift) + HALF)
    assert golden.rounding_shift(np.array([x]), shift) == (y if x >= 0 else -y)


def test_products_and_shifts_of_the_ends():
    low = np.array([-2 ** 31])
    assert golden.doubling_high_product(low, low) == 2 ** 31 - 1
    assert golden.doubling_high_product(low, -low - 1) == 1 - 2 ** 31
    assert golden.rounding_shift(np.array([5, -5, 0]), 0).tolist() == [5, -5, 0]


@pytest.mark.parametrize("real, acc, expected", [
    (0.5, [1, 3, -1, -3], [1, 2, 0, -1]),       # exponent 0: the tie of the product
    (0.25, [2, -2, 6, -6], [1, -1, 2, -2]),     # exponent −1: the tie of the shift
    (0.3, [1000, -1000], [300, -300]), (0.1, [5, -5], [1, -1]),
    (4.0, [1, -3], [4, -12]), (0.0, [5, -5], [0, 0]),
])
def test_requantize_rounds_twice(real, acc, expected):
    y = golden.requantize(np.array(acc), *quantized_multiplier(real))
    assert (y.tolist(), y.dtype) == (expected, np.int64)


@pytest.mark.parametrize("real, acc, expected", [
    (0.5, [1, 3, -1, -3], [1, 2, 0, -1]), (0.25, [2, -2, 6, -6], [1, 0, 2, -1]),
    (0.3, [1000, -1000], [300, -300]), (4.0, [1, -3], [4, -12]), (0.0, [5, -5], [0, 0]),
])
def test_requantize_with_a_single_rounding(real, acc, expected):
    y = golden.requantize(np.array(acc), *quantized_multiplier(real), single_rounding=True)
    assert y.tolist() == expected


@given(INT32, st.integers(0, 2 ** 31 - 1), st.integers(-31, 30))
def test_requantize_is_its_definition(acc, multiplier, exponent):
    product = Fraction(acc * multiplier) * Fraction(2) ** (exponent - 31)
    if abs(product) < 2 ** 31 - 1:
        y = golden.requantize(np.array([acc]), multiplier, exponent, single_rounding=True)
        assert y == math.floor(product + HALF)
    if -2 ** 31 <= acc << max(exponent, 0) < 2 ** 31:
        y = golden.requantize(np.array([acc]), multiplier, exponent)
        first = math.floor(Fraction((acc << max(exponent, 0)) * multiplier, 2 ** 31) + HALF)
        last = math.floor(Fraction(abs(first), 2 ** max(-exponent, 0)) + HALF)
        assert y == (last if first >= 0 else -last)


def test_requantize_at_the_smallest_exponent():
    acc = np.array([-2 ** 31, 2 ** 31 - 1])
    for single in (False, True):
        y = golden.requantize(acc, 2 ** 31 - 1, -31, single_rounding=single)
        assert y.tolist() == [-1, 1]


def test_requantize_to_bytes_is_a_count_of_thresholds():
    """The whole operation rises, so hardware may compare instead of multiply."""
    acc = np.arange(-9000, 18001)
    scale = quantized_multiplier(0.0123)
    y = golden.requantize(acc, *scale, zero=64, lo=0, hi=255)
    assert (y.min(), y.max()) == (0, 255)
    thresholds = acc[1:][np.diff(y) == 1]
    assert len(thresholds) == 255
    assert golden.threshold(acc[:, None], thresholds[None], np.array([False])).ravel().tolist() == (
        y.tolist())
    single = golden.requantize(acc, *scale, zero=64, lo=0, hi=255, single_rounding=True)
    assert np.count_nonzero(single != y) == 156


def test_requantize_takes_a_multiplier_for_each_channel():
    acc = np.array([[100, 100, 100], [-7, -7, -7]])
    multiplier, exponent = quantized_multiplier(np.array([0.5, 0.01, 3.0]))
    for single in (False, True):
        y = golden.requantize(acc, multiplier, exponent, zero=-1, hi=200, single_rounding=single)
        assert y.tolist() == [[49, 0, 200], [-4, -1, -22]]


def test_requantize_saturates_after_the_zero_point():
    y = golden.requantize(np.array([100, -100, 3]), *quantized_multiplier(1.0),
                          zero=5, lo=-8, hi=7)
    assert y.tolist() == [7, -8, 7]
    assert golden.requantize(np.array([2 ** 31 - 1]), 2 ** 31 - 1, 0, zero=9) == 2 ** 31 - 1


@pytest.mark.parametrize("acc, exponent, single, value", [
    (2 ** 30, 1, False, 2 ** 31), (-2 ** 30 - 1, 1, False, -2 ** 31 - 2),
    (2 ** 31, 0, False, 2 ** 31), (2 ** 31 - 1, 2, True, 2 ** 32 - 2),
    (-2 ** 31, 2, True, -2 ** 32)])
def test_requantize_refuses_what_does_not_fit(acc, exponent, single, value):
    with pytest.raises(OverflowError, match=rf"^requantize meets {value}, beyond 32 bits$"):
        golden.requantize(np.array([acc]), 2 ** 30, exponent, single_rounding=single)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64])
def test_bipolar(dtype):
    y = golden.bipolar(np.array([[0, 1, 1]], dtype))
    assert (y.tolist(), y.dtype) == ([[-1, 1, 1]], dtype)


@given(SIZES, st.data())
def test_argmax_equals_loops(sizes, data):
    frames, _, channels = sizes
    x = arrays(data, (frames, channels), -2, 2)
    assert golden.argmax(x).tolist() == [frame.index(max(frame)) for frame in x.tolist()]


def test_argmax_of_equal_values_is_the_lowest_index():
    x = np.array([[1, 3, 3], [3, 3, 3], [-5, -5, -6], [0, 2, 1]])
    assert golden.argmax(x).tolist() == [1, 0, 0, 1]
