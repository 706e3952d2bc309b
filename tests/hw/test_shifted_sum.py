# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth import Shape, signed, unsigned
from amaranth.sim import Simulator

from hw.shifted_sum import ShiftedSum

GROUPS = [
    {0: (1, unsigned(3))}, {2: (5, signed(4))}, {0: (3, unsigned(2)), 1: (3, unsigned(2))},
    {1: (1, signed(2)), 3: (7, signed(5)), 4: (2, signed(1))},
    {0: (2, unsigned(3)), 9: (1, unsigned(2))}, {0: (2, signed(3)), 9: (3, signed(2))},
    {place: (2, signed(4)) for place in range(0, 10, 2)},
    {0: (4, unsigned(2)), 2: (1, signed(3)), 3: (1, unsigned(1))},
]


def numbers(rng, shape, count, words):
    lo = -2 ** (shape.width - 1) if shape.signed else 0
    values = rng.integers(lo, lo + 2 ** shape.width, (words, count))
    values[0], values[1] = lo, lo + 2 ** shape.width - 1
    return values


@pytest.mark.parametrize("groups", GROUPS, ids=repr)
@pytest.mark.parametrize("carries", [False, True])
def test_sums_after_its_levels_while_enabled(groups, carries):
    dut = ShiftedSum(groups=groups, carries=carries)
    rng = np.random.default_rng(len(groups))
    words, lowest = 30, min(groups)
    values = {place: numbers(rng, shape, count, words)
              for place, (count, shape) in groups.items()}
    bits = {place: carries * numbers(rng, unsigned(1), count, words)
            for place, (count, _) in groups.items()}
    sums = sum((values[place] + bits[place]).sum(axis=1) << place - lowest for place in groups)

    async def testbench(ctx):
        for k in range(words + dut.levels):
            for place in groups if k < words else ():
                ctx.set(dut.i[str(place)], values[place][k].tolist())
                ctx.set(dut.carry[str(place)],
                        sum(int(bit) << j for j, bit in enumerate(bits[place][k])))
            if dut.levels:
                ctx.set(dut.en, 0)
                await ctx.tick()          # holds
                ctx.set(dut.en, 1)
            else:
                await ctx.delay(1e-6)
            if k >= dut.levels:
                assert ctx.get(dut.o) + ctx.get(dut.spare) == sums[k - dut.levels]
            if dut.levels:
                await ctx.tick()

    sim = Simulator(dut)
    if dut.levels:
        sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()


def test_sums_have_exactly_the_width_of_their_range():
    def shape(groups, carries=False):
        return Shape.cast(ShiftedSum(groups=groups, carries=carries).o.shape())

    assert shape({3: (5, unsigned(2))}) == unsigned(4)                         # up to 15
    assert shape({0: (1, unsigned(2)), 2: (4, unsigned(2))}) == unsigned(6)    # 3 + 4 · 12
    assert shape({0: (1, unsigned(2)), 2: (5, unsigned(2))}) == unsigned(6)    # 3 + 5 · 12 = 63
    assert shape({0: (2, unsigned(2)), 2: (5, unsigned(2))}) == unsigned(7)
    assert shape({0: (1, signed(2)), 1: (1, signed(2))}) == signed(4)          # −6
    assert shape({0: (1, unsigned(1))}, carries=True) == unsigned(1)           # spare apart
    assert shape({0: (1, unsigned(1)), 1: (1, unsigned(1))}, carries=True) == unsigned(3)
