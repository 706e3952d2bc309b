import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sw import golden

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
