# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.popcount import Popcount


def words(width, rng):
    """All words of a narrow width; else the edges and random ones."""
    if width <= 8:
        return range(2 ** width)
    ones = 2 ** width - 1
    edges = [0, ones, 1, 1 << (width - 1), ones >> 1, ones - 1]
    return edges + [int.from_bytes(rng.bytes(width // 8 + 1)) & ones for _ in range(60)]


@pytest.mark.parametrize("width", [*range(1, 18), 23, 31, 32, 63, 64, 97, 256])
def test_counts_the_ones(width):
    dut = Popcount(width=width, registered=False)

    async def testbench(ctx):
        for word in words(width, np.random.default_rng(width)):
            ctx.set(dut.i, word)
            await ctx.delay(1e-6)
            assert ctx.get(dut.o) == word.bit_count()

    sim = Simulator(dut)
    sim.add_testbench(testbench)
    sim.run()


@pytest.mark.parametrize("width", [1, 3, 4, 7, 15, 16, 20])
def test_latency_is_its_levels_and_enable_holds(width):
    dut = Popcount(width=width)
    rng = np.random.default_rng(width)
    inputs = [int(rng.integers(2 ** width)) for _ in range(40)]

    async def testbench(ctx):
        expected = []
        for word in inputs:
            ctx.set(dut.i, word)
            ctx.set(dut.en, 0)
            await ctx.tick()          # holds
            ctx.set(dut.en, 1)
            await ctx.tick()
            expected.append(word.bit_count())
            if len(expected) >= dut.levels:
                assert ctx.get(dut.o) == expected[-dut.levels]

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()


def test_width_wrong():
    with pytest.raises(TypeError, match=r"^Width must be a positive integer, not 0$"):
        Popcount(width=0)
