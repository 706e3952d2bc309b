# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw import constants
from hw.constants import Constants


@pytest.mark.parametrize("channels, lanes", [(1, 1), (7, 1), (7, 2), (3, 4), (40, 2), (6, 3)])
@pytest.mark.parametrize("same", [False, True])
def test_constants_of_each_group(channels, lanes, same):
    rng = np.random.default_rng(channels)
    values = rng.integers(-16, 16, channels).tolist()
    if same:
        values = (values[:lanes] * channels)[:channels]
    dut = Constants(width=5, values=values, lanes=lanes)

    async def testbench(ctx):
        ctx.set(dut.en, 1)
        for group in range(-(-channels // lanes)):
            ctx.set(dut.group, group)
            await ctx.delay(1e-6)
            for lane, value in enumerate(values[group * lanes:(group + 1) * lanes]):
                assert ctx.get(dut.o[lane]) == value % 32

    sim = Simulator(dut)
    sim.add_clock(1e-6, if_exists=True)      # constants need none
    sim.add_testbench(testbench)
    sim.run()


def test_rows():
    assert constants.rows([1, 2, 3, 4], 2) == [[1, 2], [3, 4]]
    assert constants.rows([1, 2, 3, 4, 5], 3) == [[1, 2, 3], [4, 5, 3]]
    assert constants.rows([1, 2], 4) == [[1, 2, 0, 0]]


def test_nothing_is_kept_where_transfers_are_the_same():
    assert not constants.differ([1, 2, 1, 2, 1], 2)
    assert constants.differ([1, 2, 1, 2, 1], 3)
    assert constants.cells(5, [1, 2, 1, 2, 1], 2, False) == 0
    assert constants.cells(5, [1, 2, 1, 2, 1], 3, False) > 0
