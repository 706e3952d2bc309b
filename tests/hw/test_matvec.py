# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth import Shape

from hw.matvec import MatVec, Unit
from hw.pe.xnor import XnorPe
from sw import golden
from sw.alphabet import Signs
from sw.planes import Plane, pack_rom
from tests.hw.components import offers_before_ready_and_holds, play


def make(weights, pe, simd, block=True):
    rows, columns = weights.shape
    plane = Plane(Signs(), weights, np.ones(rows, int))
    words = pack_rom(plane, lanes=pe, simd=simd)
    width = pe * simd
    cut = (width + 1) // 2
    slices = [(cut, block), (width - cut, not block)] if width > 1 else [(width, block)]
    unit = Unit(make=lambda: XnorPe(simd=simd, columns=columns), width=simd,
                terms=(Shape.cast(range(columns + 1)),))
    return MatVec(shape=1, simd=simd, units=[unit], words=words, steps=-(-columns // simd),
                  slices=slices)


def stream(x, simd, groups):
    """The words that a replay gives for the bipolar vectors ``x``: each vector once a group."""
    frames, columns = x.shape
    steps = -(-columns // simd)
    bits = np.zeros((frames, steps * simd), int)
    bits[:, :columns] = x > 0
    return np.repeat(bits.reshape(frames, 1, steps, simd), groups, axis=1).reshape(-1, simd)


SIZES = [(1, 1, 1, 1), (5, 7, 2, 3), (10, 20, 5, 4), (11, 37, 3, 16), (6, 33, 6, 8), (7, 64, 2, 16),
         (4, 40, 1, 32), (3, 18, 3, 1), (9, 300, 2, 15)]


@pytest.mark.parametrize("rows, columns, pe, simd", SIZES)
@pytest.mark.parametrize("longest", [0, 3])
@pytest.mark.parametrize("block", [True, False])
def test_matches_golden(rows, columns, pe, simd, longest, block):
    rng = np.random.default_rng(rows * columns)
    weights = rng.choice([-1, 1], (rows, columns))
    weights[0] = 1
    x = rng.choice([-1, 1], (4, columns))
    x[0], x[1], x[2] = weights[0], -weights[0], weights[-1]   # the ends of the range
    groups = -(-rows // pe)
    counts = play(make(weights, pe, simd, block), stream(x, simd, groups), len(x) * groups,
                  rng=rng, longest=longest)
    counts = counts.reshape(len(x), groups * pe)[:, :rows]
    np.testing.assert_array_equal(2 * counts - columns, golden.dense(x, weights))


def test_offers_before_ready_and_holds():
    rng = np.random.default_rng(0)
    weights = rng.choice([-1, 1], (4, 12))
    x = rng.choice([-1, 1], (2, 12))
    assert offers_before_ready_and_holds(make(weights, 2, 4), stream(x, 4, 2).tolist())


def test_counts_have_exactly_the_width_of_their_range():
    assert len(XnorPe(simd=4, columns=7).o) == 3
    assert len(XnorPe(simd=4, columns=8).o) == 4


def test_steps_wrong():
    with pytest.raises(ValueError, match=r"^Steps must divide the depth of the memory, but 6 is "
                                         r"not a multiple of 4$"):
        MatVec(shape=1, simd=2, units=[], words=np.zeros((1, 6, 2)), steps=4, slices=[(2, True)])
