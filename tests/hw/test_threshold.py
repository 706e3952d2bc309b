# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.hdl import Shape, signed

from hw.threshold import Threshold
from sw import golden
from tests.hw.components import offers_before_ready_and_holds, play


@pytest.mark.parametrize("channels, steps, lanes", [
    (6, 1, 1), (6, 1, 2), (5, 3, 2), (4, 1, 4), (7, 1, 4), (1, 1, 1), (3, 7, 1)])
@pytest.mark.parametrize("longest", [0, 3])
@pytest.mark.parametrize("lo", [-8, 0])
def test_matches_golden(channels, steps, lanes, longest, lo):
    rng = np.random.default_rng(channels + steps)
    hi = lo + 15
    thresholds = np.sort(rng.integers(lo, hi + 2, (channels, steps)), axis=1)
    thresholds[0, -1] = hi + 1          # never reached
    flip = rng.random(channels) < 0.5
    beats = -(-channels // lanes)
    x = rng.integers(lo, hi + 1, (12, beats * lanes))
    around = rng.integers(-1, 2, (12, channels)) + thresholds[:, rng.integers(steps)]
    x[:, :channels] = np.clip(around, lo, hi)
    dut = Threshold(shape=Shape.cast(range(lo, hi + 1)), thresholds=thresholds, flip=flip,
                    lanes=lanes)
    y = play(dut, x.reshape(-1, lanes), 12 * beats, rng=rng, longest=longest).reshape(12, -1)
    np.testing.assert_array_equal(y[:, :channels],
                                  golden.threshold(x[:, :channels], thresholds, flip))
    assert not y[:, channels:].any()


def test_one_threshold_for_all_needs_no_memory():
    x = np.arange(-8, 8).reshape(-1, 2)
    dut = Threshold(shape=signed(4), thresholds=np.full((4, 1), 3), flip=np.zeros(4, bool), lanes=2)
    y = play(dut, x, 8, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(y, x >= 3)


def test_offers_before_ready_and_holds():
    dut = Threshold(shape=signed(4), thresholds=np.array([[1], [2]]), flip=np.zeros(2, bool))
    assert offers_before_ready_and_holds(dut, [[1], [1], [1]])


def test_parameters_wrong():
    with pytest.raises(TypeError, match=r"^Lanes must be a positive integer, not 0$"):
        Threshold(shape=signed(8), thresholds=np.zeros((4, 3)), flip=np.zeros(4), lanes=0)
    with pytest.raises(ValueError, match=r"^Flip must have an entry a channel, 4, not shape "
                                         r"\(3,\)$"):
        Threshold(shape=signed(8), thresholds=np.zeros((4, 3)), flip=np.zeros(3))
