# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw import table
from hw.table import Table


def read(dut, addresses):
    """The word after each address; each is held for a cycle, with another address given."""
    words = []

    async def testbench(ctx):
        for address in addresses:
            ctx.set(dut.en, 1)
            ctx.set(dut.address, address)
            await ctx.tick()
            words.append(ctx.get(dut.data))
            ctx.set(dut.en, 0)
            ctx.set(dut.address, (address + 17) % len(dut.words))
            await ctx.tick()
            assert ctx.get(dut.data) == words[-1]

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()
    return words


@pytest.mark.parametrize("depth", [1, 2, 15, 16, 17, 33, 64, 65, 100])
@pytest.mark.parametrize("block", [False, True])
def test_reads_after_a_cycle_while_enabled(depth, block):
    rng = np.random.default_rng(depth)
    words = rng.integers(0, 2 ** 11, depth).tolist()
    addresses = [*range(depth), *rng.permutation(depth).tolist()]
    assert read(Table(width=11, words=words, block=block), addresses) == [
        words[address] for address in addresses]


# Placed and routed for iCE40, 12 random bits and 10 more cells at most for the address.
@pytest.mark.parametrize("depth, measured", [(16, 14), (24, 41), (32, 39), (64, 66), (128, 145),
                                             (256, 271)])
def test_cells(depth, measured):
    assert abs(table.cells(12, depth) - measured) < 0.15 * measured


def test_a_block_ram_takes_no_cells():
    assert table.cells(12, 65, True) == 0 < table.cells(12, 64, True)
