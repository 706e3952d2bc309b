# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.hdl import signed
from amaranth.lib import data

from hw.stream import MemoryReplay, Narrow, Register, RegisterReplay, Widen, transfers
from tests.hw.components import offers_before_ready_and_holds, play

CONVERSIONS = [(1, 1, 3), (2, 2, 5), (1, 4, 7), (4, 2, 4), (3, 3, 1), (1, 16, 20), (2, 4, 8)]


@pytest.mark.parametrize("lanes, ratio, beats", CONVERSIONS)
@pytest.mark.parametrize("longest", [0, 3])
def test_widen_gathers_frames_and_fills_with_zeros(lanes, ratio, beats, longest):
    rng = np.random.default_rng(beats)
    x = rng.integers(-4, 4, (3, beats, lanes))
    wide = transfers(beats, ratio)
    expected = np.zeros((3, wide * ratio, lanes), int)
    expected[:, :beats] = x
    dut = Widen(shape=signed(3), lanes=lanes, ratio=ratio, beats=beats)
    y = play(dut, x.reshape(-1, lanes), 3 * wide, rng=rng, longest=longest)
    np.testing.assert_array_equal(y, expected.reshape(3 * wide, ratio * lanes))


@pytest.mark.parametrize("lanes, ratio, beats", CONVERSIONS)
@pytest.mark.parametrize("longest", [0, 3])
def test_narrow_hands_on_the_frame_and_drops_the_rest(lanes, ratio, beats, longest):
    rng = np.random.default_rng(beats)
    wide = transfers(beats, ratio)
    x = rng.integers(-4, 4, (3, wide * ratio, lanes))
    dut = Narrow(shape=signed(3), lanes=lanes, ratio=ratio, beats=beats)
    y = play(dut, x.reshape(3 * wide, ratio * lanes), 3 * beats, rng=rng, longest=longest)
    np.testing.assert_array_equal(y, x[:, :beats].reshape(-1, lanes))


@pytest.mark.parametrize("replay", [MemoryReplay, RegisterReplay])
@pytest.mark.parametrize("words, times", [(1, 1), (1, 3), (3, 1), (3, 2), (4, 2), (5, 3)])
@pytest.mark.parametrize("longest", [0, 3])
def test_replay_repeats_each_vector(replay, words, times, longest):
    rng = np.random.default_rng(words)
    x = rng.integers(2, size=(5, words, 4))
    expected = np.repeat(x[:, None], times, axis=1).reshape(-1, 4)
    y = play(replay(width=4, words=words, times=times), x.reshape(-1, 4), len(expected), rng=rng,
             longest=longest)
    np.testing.assert_array_equal(y, expected)


def test_register_hands_on():
    rng = np.random.default_rng(0)
    x = rng.integers(-8, 8, (20, 2))
    dut = Register(shape=data.ArrayLayout(signed(4), 2))
    np.testing.assert_array_equal(play(dut, x, 20, rng=rng, longest=2), x)


@pytest.mark.parametrize("dut, beats", [
    (Widen(shape=2, lanes=1, ratio=2, beats=3), [[1], [2], [3], [1], [2]]),
    (Narrow(shape=2, lanes=1, ratio=2, beats=4), [[1, 2], [3, 1]]),
    (MemoryReplay(width=2, words=2, times=2), [[1, 0], [0, 1], [1, 1], [1, 0]]),
    (RegisterReplay(width=2, words=2, times=2), [[1, 0], [0, 1], [1, 1], [1, 0]]),
    (Register(shape=data.ArrayLayout(2, 1)), [[1], [2]]),
], ids=lambda x: type(x).__name__)
def test_offers_before_ready_and_holds(dut, beats):
    assert offers_before_ready_and_holds(dut, beats)
