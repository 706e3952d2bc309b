# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.hdl import Shape, signed, unsigned
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from hw import threshold
from hw.pipeline import span
from hw.threshold import SearchThreshold, Threshold
from sw import golden
from tests.hw.components import offers_before_ready_and_holds
from tests.hw.frames import all_values, play_frames, rhythm

KINDS = [Threshold, SearchThreshold]
both = pytest.mark.parametrize("kind", KINDS)


def random_thresholds(rng, shape, channels, steps):
    """Thresholds from the lowest value to one above the highest, and beyond; many are equal."""
    lo, hi = span(shape)
    thresholds = np.sort(rng.integers(lo - 2, hi + 4, (channels, steps)), axis=1)
    thresholds[0, 0], thresholds[-1, -1] = min(lo, thresholds[0, 0]), max(hi, thresholds[-1, -1])
    return thresholds


@both
@pytest.mark.parametrize("channels, steps, lanes", [
    (6, 1, 2), (5, 3, 2), (4, 1, 4), (7, 2, 4), (1, 1, 1), (3, 7, 1)])
@pytest.mark.parametrize("longest, lo", [(0, -8), (3, 0)])
def test_matches_golden(kind, channels, steps, lanes, longest, lo):
    rng = np.random.default_rng(channels + steps)
    hi = lo + 15
    thresholds = np.sort(rng.integers(lo, hi + 2, (channels, steps)), axis=1)
    thresholds[0, -1] = hi + 1          # never reached
    flip = rng.random(channels) < 0.5
    around = rng.integers(-1, 2, (12, channels)) + thresholds[:, rng.integers(steps)]
    x = np.clip(around, lo, hi)
    dut = kind(shape=Shape.cast(range(lo, hi + 1)), thresholds=thresholds, flip=flip, lanes=lanes)
    y, beyond = play_frames(dut, x, rng=rng, longest=longest)
    np.testing.assert_array_equal(y, golden.threshold(x, thresholds, flip))
    assert not beyond.any()


@both
@pytest.mark.parametrize("shape", [unsigned(6), signed(6), unsigned(1), signed(1)], ids=repr)
@pytest.mark.parametrize("steps", [1, 3, 6])
@pytest.mark.parametrize("lanes", [3, 6])
def test_all_values(kind, shape, steps, lanes):
    channels = 6        # with 6 lanes, each has thresholds of its own and needs no memory
    rng = np.random.default_rng(steps)
    thresholds = random_thresholds(rng, shape, channels, steps)
    flip = np.arange(channels) % 3 == 0
    x = all_values(shape, channels)
    y, _ = play_frames(kind(shape=shape, thresholds=thresholds, flip=flip, lanes=lanes), x, rng=rng)
    np.testing.assert_array_equal(y, golden.threshold(x, thresholds, flip))


@pytest.mark.parametrize("kind, steps, channels", [
    (Threshold, 31, 1), (Threshold, 15, 2), (SearchThreshold, 255, 1), (SearchThreshold, 100, 2)])
def test_all_values_many_steps(kind, steps, channels):
    rng = np.random.default_rng(steps)
    thresholds = random_thresholds(rng, unsigned(8), channels, steps)
    flip = np.arange(channels) == 1
    x = all_values(unsigned(8), channels)
    y, _ = play_frames(kind(shape=unsigned(8), thresholds=thresholds, flip=flip), x, rng=rng)
    np.testing.assert_array_equal(y, golden.threshold(x, thresholds, flip))


@both
@settings(max_examples=8, deadline=None, derandomize=True, phases=[Phase.generate])
@given(seed=st.integers(0, 2 ** 32), width=st.integers(1, 20), sign=st.booleans(),
       channels=st.integers(1, 7), lanes=st.integers(1, 4), steps=st.integers(1, 9),
       shared=st.booleans(), bits=st.integers(1, 5), negative=st.booleans())
def test_any_codes(kind, seed, width, sign, channels, lanes, steps, shared, bits, negative):
    rng = np.random.default_rng(seed)
    shape = Shape(width, sign)
    thresholds = random_thresholds(rng, shape, 1 if shared else channels, steps)
    flip = rng.random(len(thresholds)) < 0.5
    if shared:
        thresholds, flip = np.tile(thresholds, (channels, 1)), np.tile(flip, channels)
    output = Shape(bits, negative)
    codes = rng.integers(*span(output), steps + 1, endpoint=True)
    x = np.clip(
        thresholds[:, rng.integers(steps, size=8)].T + rng.integers(-1, 2, (8, channels)),
        *span(shape))
    dut = kind(shape=shape, thresholds=thresholds, flip=flip, lanes=lanes, codes=codes.tolist(),
               output=output)
    y, beyond = play_frames(dut, x, rng=rng)
    np.testing.assert_array_equal(y, codes[golden.threshold(x, thresholds, flip)])
    assert not beyond.any()


@both
def test_raw_codes(kind):
    x = np.arange(-8, 8)[:, None]
    dut = kind(shape=signed(4), thresholds=[[-3, 4]], flip=[False], codes=[3, 0, 1],
               output=signed(2))
    y, _ = play_frames(dut, x, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(y, np.add(x >= -3, x >= 4, dtype=int) - 1)


@both
@pytest.mark.parametrize("block", [False, True])
def test_deep_memories(kind, block):
    rng = np.random.default_rng(0)
    thresholds = random_thresholds(rng, signed(6), 81, 3)
    flip = rng.random(81) < 0.5
    x = rng.integers(-32, 32, (6, 81))
    dut = kind(shape=signed(6), thresholds=thresholds, flip=flip, block=block)
    y, _ = play_frames(dut, x, rng=rng)
    np.testing.assert_array_equal(y, golden.threshold(x, thresholds, flip))


def test_one_threshold_for_all_needs_no_memory():
    x = np.arange(-8, 8).reshape(-1, 1) + np.zeros(4, int)
    dut = Threshold(shape=signed(4), thresholds=np.full((4, 1), 3), flip=np.zeros(4, bool), lanes=2)
    y, _ = play_frames(dut, x, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(y, x >= 3)


@pytest.mark.parametrize("kind, steps, latency", [
    (Threshold, 1, 2), (Threshold, 7, 3), (SearchThreshold, 1, 2), (SearchThreshold, 7, 4),
    (SearchThreshold, 8, 5)])
def test_latency(kind, steps, latency):
    dut = kind(shape=signed(4), thresholds=np.zeros((3, steps), int), flip=np.zeros(3, bool))
    taken, offered = rhythm(dut, [0], cycles=20)
    assert dut.latency == latency == offered[0] - taken[0]
    assert (np.diff(taken) == 1).all() and (np.diff(offered) == 1).all()


@both
def test_offers_before_ready_and_holds(kind):
    dut = kind(shape=signed(4), thresholds=np.array([[1], [2]]), flip=np.zeros(2, bool))
    assert offers_before_ready_and_holds(dut, [[1], [1], [1], [1]])


@both
def test_parameters_wrong(kind):
    with pytest.raises(TypeError, match=r"^Lanes must be a positive integer, not 0$"):
        kind(shape=signed(8), thresholds=np.zeros((4, 3)), flip=np.zeros(4), lanes=0)
    with pytest.raises(ValueError, match=r"^Flip must have an entry a channel, 4, not shape "
                                         r"\(3,\)$"):
        kind(shape=signed(8), thresholds=np.zeros((4, 3)), flip=np.zeros(3))
    with pytest.raises(ValueError, match=r"^Thresholds must ascend, but those of channel 1 are "
                                         r"\[5, 4\]$"):
        kind(shape=signed(8), thresholds=[[1, 2], [5, 4]], flip=np.zeros(2))
    with pytest.raises(ValueError, match=r"^Codes must be one more than the thresholds of a "
                                         r"channel, 2, not 2$"):
        kind(shape=signed(8), thresholds=[[1, 2]], flip=[False], codes=[0, 1])
    with pytest.raises(ValueError, match=r"^Codes must fit signed\(2\), but 4 does not$"):
        kind(shape=signed(8), thresholds=[[1, 2]], flip=[False], codes=[3, -2, 4],
             output=signed(2))


# Placed and routed for iCE40: values of 6 to 20 bits, random thresholds.
@pytest.mark.parametrize("bits, steps, channels, lanes, distinct, block, parallel, search", [
    (10, 1, 64, 1, True, False, 96, 96), (10, 3, 64, 1, True, False, 221, 248),
    (10, 3, 16, 4, True, False, 208, 251), (10, 7, 64, 1, True, False, 466, 535),
    (8, 1, 64, 8, False, False, 95, 144), (16, 3, 16, 2, False, False, 77, 146),
    (16, 31, 8, 2, True, False, 1144, 716), (6, 2, 256, 2, True, False, 339, 591),
    (6, 2, 256, 2, True, True, 58, 81), (7, 1, 10, 10, True, False, 96, 144),
    (20, 1, 200, 1, True, False, 454, 453)])
def test_cells(bits, steps, channels, lanes, distinct, block, parallel, search):
    size = {"bits": bits, "steps": steps, "channels": channels, "lanes": lanes,
            "distinct": distinct, "block": block}
    assert abs(threshold.cells(**size) - parallel) < 0.15 * parallel
    assert abs(threshold.search_cells(**size) - search) < 0.15 * search
