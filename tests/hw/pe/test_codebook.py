# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth import Shape, signed, unsigned
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.pe import codebook
from hw.pe.codebook import CodebookPe, SelectPe
from sw import golden
from sw.alphabet import Codebook, Vectors
from sw.planes import Plane
from tests.hw.pe.rows import draw_x, limits, run, stream


def play(dut, x, codes, levels, rng=None):
    """The sums for inputs ``x``: (frames, rows), and buckets if there are some."""
    sums = run(dut, *stream(x, [(Codebook(np.arange(levels)), codes)], dut.simd), rng=rng)
    return sums.reshape(len(x), len(codes), *sums.shape[1:])


@pytest.mark.parametrize("x_shape", [unsigned(1), signed(1), unsigned(3), signed(4)], ids=repr)
@pytest.mark.parametrize("levels, buckets", [(1, (0,)), (2, (1,)), (5, (4, 0, 1)), (8, range(8)),
                                             (16, (2, 15, 7))])
def test_all_codes_with_all_inputs(levels, buckets, x_shape):
    lo, hi = limits(x_shape)
    x, codes = np.arange(lo, hi + 1)[:, None], np.arange(levels)[:, None]
    dut = CodebookPe(simd=1, bits=(levels - 1).bit_length(), buckets=buckets, x_shape=x_shape,
                     shape=x_shape)
    np.testing.assert_array_equal(play(dut, x, codes, levels), np.stack(
        [golden.dense(x, (codes == bucket).astype(int)) for bucket in buckets], axis=-1))


@given(st.data())
@settings(max_examples=6)
def test_matches_golden(data):
    simd, rows, columns = (data.draw(st.integers(1, most)) for most in (7, 3, 23))
    x_shape = Shape(data.draw(st.integers(1, 8)), data.draw(st.booleans()))
    table = np.array(data.draw(st.lists(st.integers(-99, 99), min_size=1, max_size=9)))
    buckets = tuple(np.flatnonzero(table).tolist()) or (0,)
    rng = np.random.default_rng(data.draw(st.integers(0, 2 ** 32)))
    x, codes = draw_x(rng, x_shape, columns), rng.integers(0, len(table), (rows, columns))
    codes[0] = rng.integers(0, len(table))
    lo, hi = limits(x_shape)
    dut = CodebookPe(simd=simd, bits=(len(table) - 1).bit_length(), buckets=buckets,
                     x_shape=x_shape, shape=Shape.cast(range(columns * lo, columns * hi + 1)))
    sums = play(dut, x, codes, len(table), rng)
    for bucket, sum_ in zip(buckets, np.moveaxis(sums, -1, 0), strict=True):
        np.testing.assert_array_equal(sum_, golden.dense(x, (codes == bucket).astype(int)))
    # What the buckets are for.
    np.testing.assert_array_equal(sums @ table[list(buckets)], golden.dense(x, table[codes]))


@pytest.mark.parametrize("levels, length, rows, subspaces, simd, t_shape", [
    (1, 2, 2, 3, 2, signed(5)), (2, 1, 3, 1, 1, signed(4)), (5, 3, 4, 7, 3, signed(9)),
    (8, 2, 3, 5, 5, signed(8)), (16, 1, 16, 1, 1, signed(4)), (13, 4, 3, 6, 4, signed(10))])
def test_selects_as_product_quantization(levels, length, rows, subspaces, simd, t_shape):
    rng = np.random.default_rng(levels)
    centroids = rng.integers(-3, 4, (subspaces, levels, length))
    codes = rng.integers(0, levels, (rows, subspaces))
    codes[:, 0] = np.arange(rows) % levels
    x = rng.integers(-4, 4, (4, subspaces * length))
    tables = np.einsum("msl,fml->fms", centroids, x.reshape(4, subspaces, length))
    tables = np.clip(tables, *limits(t_shape))
    words = np.array([[sum((entry & (1 << t_shape.width) - 1) << k * t_shape.width
                           for k, entry in enumerate(table)) for table in frame]
                      for frame in tables.tolist()], object)
    most = subspaces << t_shape.width - 1
    dut = SelectPe(simd=simd, levels=levels, t_shape=t_shape,
                   shape=Shape.cast(range(-most, most)))
    sums = play(dut, words, codes, levels, rng)
    if tables.min() > limits(t_shape)[0] and tables.max() < limits(t_shape)[1]:
        plane = Plane(Vectors(centroids, subspaces * length), codes, np.ones(rows, int))
        np.testing.assert_array_equal(sums, golden.dense(x, plane.values()))
    np.testing.assert_array_equal(
        sums, tables[:, np.arange(subspaces), codes].sum(axis=-1))


@pytest.mark.parametrize("measured, simd, bits, buckets, x_shape, width", [
    (290, 4, 2, (1, 2, 3), unsigned(8), 16), (968, 16, 2, (1, 2, 3), unsigned(8), 16),
    (446, 4, 4, range(1, 8), unsigned(4), 12), (1199, 32, 2, (1, 3), signed(8), 18),
])
def test_cells_as_placed_and_routed(measured, simd, bits, buckets, x_shape, width):
    estimate = codebook.cells(simd=simd, bits=bits, buckets=buckets, x_shape=x_shape,
                              shape=unsigned(width))
    assert abs(estimate - measured) < 0.15 * measured


@pytest.mark.parametrize("measured, simd, levels, t_width, width", [
    (161, 4, 4, 8, 16), (481, 4, 16, 8, 16), (716, 8, 8, 12, 20)])
def test_cells_of_selection_as_placed_and_routed(measured, simd, levels, t_width, width):
    estimate = codebook.select_cells(simd=simd, levels=levels, t_shape=signed(t_width),
                                     shape=signed(width))
    assert abs(estimate - measured) < 0.15 * measured


@pytest.mark.parametrize("error, message, parameters", [
    (TypeError, "Simd must be a positive integer, not 0", {"simd": 0}),
    (ValueError, "There must be at least one bucket, not ()", {"buckets": ()}),
    (ValueError, "A bucket must be a code of 2 bits, not 4", {"buckets": (1, 4)}),
    (ValueError, "A bucket must be a code of 2 bits, not -1", {"buckets": (-1,)}),
])
def test_parameters_wrong(error, message, parameters):
    right = {"simd": 2, "bits": 2, "buckets": (1, 2), "x_shape": unsigned(4), "shape": signed(8)}
    with pytest.raises(error) as caught:
        CodebookPe(**right | parameters)
    assert str(caught.value) == message


@pytest.mark.parametrize("message, parameters", [
    ("Simd must be a positive integer, not -1", {"simd": -1}),
    ("Levels must be a positive integer, not 0", {"levels": 0}),
])
def test_parameters_of_selection_wrong(message, parameters):
    right = {"simd": 2, "levels": 4, "t_shape": signed(4), "shape": signed(8)}
    with pytest.raises(TypeError) as caught:
        SelectPe(**right | parameters)
    assert str(caught.value) == message
