# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth import signed, unsigned

from hw.unroll.sharing import shared
from hw.unrolled import Unrolled, cells
from tests.hw.components import offers_before_ready_and_holds, play

RNG = np.random.default_rng(0)
MATRICES = {
    "one": np.array([[1]]), "minus": np.array([[-1]]), "seven": np.array([[7]]),
    "column": np.array([[3], [-3], [6], [0]]),
    "row": np.array([[1, -1, 2, 0, 5]]),
    "shared": np.array([[1, 1, 1, 0], [1, 1, 0, 1], [-1, -1, 0, 1], [2, 2, 2, 0], [0, 0, 0, 0]]),
    "ternary": RNG.integers(-1, 2, (7, 11)),
    "integers": RNG.integers(-128, 128, (5, 6)),
    "powers": RNG.choice([0, 1, -1, 2, -4, 8, 64], (6, 5)),
}


def vectors(shape, columns):
    lo = -1 << shape.width - 1 if shape.signed else 0
    hi = lo + (1 << shape.width) - 1
    x = np.random.default_rng(columns).integers(lo, hi + 1, (12, columns))
    x[0], x[1] = lo, hi
    return x


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("shape", [signed(8), unsigned(3), unsigned(1)], ids=repr)
@pytest.mark.parametrize("stage, raw", [(None, True), (1, True), (2, False)])
def test_products_of_vectors_under_stalls(name, shape, stage, raw):
    matrix = MATRICES[name]
    x = vectors(shape, matrix.shape[1])
    dut = Unrolled(matrix=matrix, shape=shape, adders_per_stage=stage, raw_operands=raw)
    y = play(dut, x, len(x), rng=np.random.default_rng(1), longest=2)
    np.testing.assert_array_equal(y, x @ matrix.T)


def test_offers_before_ready_and_holds():
    dut = Unrolled(matrix=MATRICES["row"], shape=signed(4), adders_per_stage=1)
    assert offers_before_ready_and_holds(dut, vectors(signed(4), 5).tolist())


@pytest.mark.parametrize("name", MATRICES)
def test_the_graph_is_the_matrix_with_no_more_adders_than_its_digits(name):
    matrix = MATRICES[name]
    graph = shared(tuple(map(tuple, matrix.tolist())), lo=-128, hi=127)
    np.testing.assert_array_equal(graph.matrix(), matrix)
    digits = [[bin(abs(3 * int(w)) ^ abs(int(w))).count("1") for w in row] for row in matrix]
    assert len(graph.sums) <= sum(max(0, sum(row) - 1) for row in digits)


def test_rows_share_what_they_have_in_common():
    graph = shared(((1, 1, 1, 0), (1, 1, 0, 1), (-1, -1, 0, 1), (2, 2, 2, 0)), lo=0, hi=255)
    assert len(graph.sums) == 4      # the first pair once, and its double for nothing


def test_more_registers_and_weights_take_more_cells():
    few, many = (cells(MATRICES["ternary"], shape=signed(8), adders_per_stage=k) for k in (None, 1))
    assert few <= many < cells(np.vstack([MATRICES["ternary"]] * 2 + [
        RNG.integers(-1, 2, (20, 11))]), shape=signed(8), adders_per_stage=1)


def test_matrix_wrong():
    with pytest.raises(ValueError, match=r"^Matrix must have two dimensions and an element, not "
                                         r"shape \(3,\)$"):
        Unrolled(matrix=np.ones(3, int), shape=signed(8))
    with pytest.raises(TypeError, match=r"^Matrix must hold integers, not float64$"):
        Unrolled(matrix=np.ones((2, 2)), shape=signed(8))
