# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.rom import Rom


@pytest.mark.parametrize("depth", [1, 2, 15, 16, 17, 33, 48])
@pytest.mark.parametrize("slices", [[(5, True)], [(5, False)], [(3, True), (1, False), (2, False)]])
def test_reads_its_words_and_holds(depth, slices):
    rng = np.random.default_rng(depth)
    width = sum(bits for bits, _ in slices)
    words = rng.integers(2 ** width, size=depth).tolist()
    dut = Rom(words=words, slices=slices)
    order = rng.integers(depth, size=60).tolist()

    async def testbench(ctx):
        for k, address in enumerate(order):
            ctx.set(dut.address, address)
            ctx.set(dut.en, 0)
            await ctx.tick()
            ctx.set(dut.en, 1)
            await ctx.tick()
            if k >= 1:
                assert ctx.get(dut.data) == words[order[k - 1]]

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()
