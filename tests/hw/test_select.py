# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.select import Pick, Select
from sw import golden
from tests.hw.components import offers_before_ready_and_holds, play


@pytest.mark.parametrize("keep", [[1, 0, 1, 1, 0], [0, 0, 1], [1], [0, 1, 1, 0, 0, 0, 1]])
@pytest.mark.parametrize("longest", [0, 3])
def test_matches_golden(keep, longest):
    rng = np.random.default_rng(len(keep))
    x = rng.integers(4, size=(4, len(keep) * 2))
    y = play(Select(shape=2, lanes=2, keep=keep), x.reshape(-1, 2), 4 * sum(keep), rng=rng,
             longest=longest)
    indices = np.flatnonzero(np.repeat(keep, 2))
    np.testing.assert_array_equal(y.reshape(4, -1), golden.select(x, indices))


def test_offers_before_ready_and_holds():
    assert offers_before_ready_and_holds(Select(shape=2, lanes=1, keep=[0, 1]), [[1], [2], [3]])


def test_lanes_are_picked_in_the_order_given():
    dut = Pick(shape=2, lanes=5, indices=[4, 0, 2])
    x = [3, 0, 1, 2, 2]

    async def testbench(ctx):
        ctx.set(dut.i.payload, x)
        for valid, ready in ((0, 1), (1, 0)):
            ctx.set(dut.i.valid, valid)
            ctx.set(dut.o.ready, ready)
            await ctx.delay(1e-6)
            assert list(ctx.get(dut.o.payload)) == [x[4], x[0], x[2]]
            assert (ctx.get(dut.o.valid), ctx.get(dut.i.ready)) == (valid, ready)

    sim = Simulator(dut)
    sim.add_testbench(testbench)
    sim.run()
