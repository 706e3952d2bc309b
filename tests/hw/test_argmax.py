# amaranth: UnusedElaboratable=no

import itertools

import numpy as np
import pytest
from amaranth.hdl import Shape, signed, unsigned

from hw import argmax
from hw.argmax import ArgMax, ParallelArgMax
from sim.pysim import run
from sw import golden
from tests.hw.components import offers_before_ready_and_holds, pauses
from tests.hw.frames import rhythm


@pytest.mark.parametrize("channels", [1, 2, 3, 10, 16])
@pytest.mark.parametrize("longest", [0, 3])
@pytest.mark.parametrize("lo", [-4, 0])
def test_matches_golden(channels, longest, lo):
    rng = np.random.default_rng(channels)
    x = rng.integers(lo, lo + 8, (40, channels))   # few values: many ties
    dut = ArgMax(shape=Shape.cast(range(lo, lo + 8)), channels=channels)
    y = run(dut, x.reshape(-1, 1).tolist(), 40, pause=pauses(rng, longest))
    np.testing.assert_array_equal(y, golden.argmax(x))


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 6, 7, 10, 16, 23])
@pytest.mark.parametrize("longest", [0, 3])
@pytest.mark.parametrize("lo", [-4, 0])
def test_parallel_matches_golden(channels, longest, lo):
    rng = np.random.default_rng(channels)
    x = rng.integers(lo, lo + 8, (40, channels))
    x[:channels] = lo
    x[np.arange(min(40, channels)), np.arange(min(40, channels))] = lo + 7
    dut = ParallelArgMax(shape=Shape.cast(range(lo, lo + 8)), channels=channels)
    y = run(dut, x.tolist(), 40, pause=pauses(rng, longest))
    np.testing.assert_array_equal(y, golden.argmax(x))


@pytest.mark.parametrize("shape, channels", [(signed(2), 4), (unsigned(1), 8), (signed(1), 7),
                                             (unsigned(4), 2), (signed(4), 2)])
def test_parallel_all_values(shape, channels):
    lo = -(1 << shape.width - 1) if shape.signed else 0
    x = np.array(list(itertools.product(range(lo, lo + (1 << shape.width)), repeat=channels)))
    y = run(ParallelArgMax(shape=shape, channels=channels), x.tolist(), len(x))
    np.testing.assert_array_equal(y, golden.argmax(x))


def test_the_lowest_of_equal_values_wins():
    assert run(ArgMax(shape=3, channels=4), [[1], [5], [5], [2]], 1) == [1]
    assert run(ParallelArgMax(shape=3, channels=5), [[1, 5, 5, 2, 5], [0] * 5], 2) == [1, 0]


@pytest.mark.parametrize("channels, latency", [(2, 1), (3, 2), (9, 4)])
def test_parallel_latency(channels, latency):
    dut = ParallelArgMax(shape=3, channels=channels)
    taken, offered = rhythm(dut, [0] * channels, cycles=20)
    assert dut.latency == latency == offered[0] - taken[0]
    assert (np.diff(taken) == 1).all() and (np.diff(offered) == 1).all()


def test_offers_before_ready_and_holds():
    assert offers_before_ready_and_holds(ArgMax(shape=3, channels=2), [[1], [2], [3], [1]])
    assert offers_before_ready_and_holds(ParallelArgMax(shape=3, channels=3),
                                         [[1, 2, 3], [3, 2, 1], [3, 3, 3]])


# Placed and routed for iCE40.
@pytest.mark.parametrize("bits, channels, serial, parallel", [
    (8, 10, 55, 184), (16, 10, 71, 336), (12, 2, 51, 18), (6, 32, 52, 449), (10, 5, 56, 107)])
def test_cells(bits, channels, serial, parallel):
    assert abs(argmax.cells(bits=bits, channels=channels) - serial) < 0.15 * serial
    assert abs(argmax.parallel_cells(bits=bits, channels=channels) - parallel) < 0.15 * parallel
