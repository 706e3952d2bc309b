# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth import Shape, signed, unsigned
from amaranth.sim import Simulator

from hw.adder_tree import AdderTree


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 8, 13, 32])
@pytest.mark.parametrize("shape", [unsigned(1), unsigned(4), signed(1), signed(3)], ids=repr)
@pytest.mark.parametrize("carries", [False, True])
def test_sums_after_its_levels_while_enabled(count, shape, carries):
    dut = AdderTree(count=count, shape=shape, carries=carries)
    rng = np.random.default_rng(count)
    lo = -2 ** (shape.width - 1) if shape.signed else 0
    hi = lo + 2 ** shape.width - 1
    words = rng.integers(lo, hi + 1, (24, count))
    words[0], words[1] = lo, hi
    bits = rng.integers(0, 2, (24, count - 1)) * carries
    bits[0], bits[1] = 0, carries
    sums = (words.sum(axis=1) + bits.sum(axis=1)).tolist()

    async def testbench(ctx):
        for k, word in enumerate(words.tolist()):
            ctx.set(dut.i, word)
            ctx.set(dut.carry, sum(int(bit) << j for j, bit in enumerate(bits[k])))
            if not dut.levels:
                await ctx.delay(1e-6)
                assert ctx.get(dut.o) == sums[k]
                continue
            ctx.set(dut.en, 0)
            await ctx.tick()          # holds
            ctx.set(dut.en, 1)
            await ctx.tick()
            if k + 1 >= dut.levels:
                assert ctx.get(dut.o) == sums[k + 1 - dut.levels]

    sim = Simulator(dut)
    if dut.levels:
        sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()


def test_sums_have_exactly_the_width_of_their_range():
    assert Shape.cast(AdderTree(count=5, shape=unsigned(2)).o.shape()) == unsigned(4)
    assert Shape.cast(AdderTree(count=6, shape=unsigned(2)).o.shape()) == unsigned(5)
    assert Shape.cast(AdderTree(count=4, shape=signed(3)).o.shape()) == signed(5)
    assert Shape.cast(AdderTree(count=2, shape=unsigned(1), carries=True).o.shape()) == unsigned(2)


def test_count_wrong():
    with pytest.raises(TypeError, match=r"^Count must be a positive integer, not 0$"):
        AdderTree(count=0, shape=unsigned(3))
