# amaranth: UnusedElaboratable=no

from itertools import product

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


@pytest.mark.parametrize("raw_operands", [True, False])
@pytest.mark.parametrize("inverts", [False, True])
@pytest.mark.parametrize("width", [*range(1, 18), 23, 31, 32, 63, 64, 97, 256])
def test_counts_the_ones(width, inverts, raw_operands):
    rng = np.random.default_rng(width)
    inverted = int.from_bytes(rng.bytes(32)) % 2 ** width if inverts else 0
    dut = Popcount(width=width, registered=False, raw_operands=raw_operands, inverted=inverted)

    async def testbench(ctx):
        for word in words(width, rng):
            ctx.set(dut.i, word)
            await ctx.delay(1e-6)
            assert ctx.get(dut.o) == (word ^ inverted).bit_count()

    sim = Simulator(dut)
    sim.add_testbench(testbench)
    sim.run()


@pytest.mark.parametrize("width, raw_operands", [(1, True), *product(
    [2, 3, 4, 7, 15, 16, 20], [True, False])])
def test_latency_is_its_levels_and_enable_holds(width, raw_operands):
    dut = Popcount(width=width, raw_operands=raw_operands)
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
