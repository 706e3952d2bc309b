# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.hdl import Shape

from hw.argmax import ArgMax
from sim.pysim import run
from sw import golden
from tests.hw.components import offers_before_ready_and_holds, pauses


@pytest.mark.parametrize("channels", [1, 2, 3, 10, 16])
@pytest.mark.parametrize("longest", [0, 3])
@pytest.mark.parametrize("lo", [-4, 0])
def test_matches_golden(channels, longest, lo):
    rng = np.random.default_rng(channels)
    x = rng.integers(lo, lo + 8, (40, channels))   # few values: many ties
    dut = ArgMax(shape=Shape.cast(range(lo, lo + 8)), channels=channels)
    y = run(dut, x.reshape(-1, 1).tolist(), 40, pause=pauses(rng, longest))
    np.testing.assert_array_equal(y, golden.argmax(x))


def test_the_lowest_of_equal_values_wins():
    assert run(ArgMax(shape=3, channels=4), [[1], [5], [5], [2]], 1) == [1]


def test_offers_before_ready_and_holds():
    assert offers_before_ready_and_holds(ArgMax(shape=3, channels=2), [[1], [2], [3], [1]])
