# amaranth: UnusedElaboratable=no

import numpy as np
import pytest

from hw.select import Select
from sw import golden
from tests.hw.components import offers_before_ready_and_holds, play


@pytest.mark.parametrize("keep", [[1, 0, 1, 1, 0], [0, 0, 1], [1], [0, 1, 1, 0, 0, 0, 1]])
@pytest.mark.parametrize("longest", [0, 3])
def test_matches_golden(keep, longest):
    rng = np.random.default_rng(len(keep))
    x = rng.integers(4, size=(4, len(keep) * 2))
    y = play(Select(shape=2, lanes=2, keep=keep), x.reshape(-1, 2), 4 * sum(keep), rng=rng,
             longest=longest)
    indices = np.flatnonzero(np.repeat(keep, 2))
    np.testing.assert_array_equal(y.reshape(4, -1), golden.select(x, indices))


def test_offers_before_ready_and_holds():
    assert offers_before_ready_and_holds(Select(shape=2, lanes=1, keep=[0, 1]), [[1], [2], [3]])
