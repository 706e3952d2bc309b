# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from amaranth.sim import Simulator

from hw.pipeline import span
from hw.serial_product import SerialProduct
from sw import golden


@pytest.mark.parametrize("shape, raised, bits", [
    (signed(3), 0, 1), (signed(3), 2, 2), (unsigned(3), 0, 1), (signed(1), 0, 3)], ids=repr)
def test_all_values_factors_and_roundings(shape, raised, bits):
    places = 4 if bits == 1 else 2 * bits
    lo, hi = span(shape)
    dut = SerialProduct(shape=shape, raised=raised, bits=bits)

    async def testbench(ctx):
        for x in range(lo, hi + 1):
            for factor in range(1 << places):
                for first in range(places):
                    ctx.set(dut.load, 1)
                    ctx.set(dut.x, x)
                    await ctx.tick()
                    ctx.set(dut.load, 0)
                    ctx.set(dut.step, 1)
                    for place in range(0, places, bits):
                        ctx.set(dut.factor, factor >> place & (1 << bits) - 1)
                        ctx.set(dut.first, (1 << first) >> place & (1 << bits) - 1)
                        ctx.set(dut.last, place + bits == places)
                        await ctx.tick()
                    ctx.set(dut.step, 0)
                    product = (x << raised) * factor
                    once = (product + (1 << first)) >> first + 1
                    twice = golden.rounding_shift(np.array(once), places - 1 - first)
                    assert ctx.get(dut.o) == product >> places
                    assert ctx.get(dut.o) + ctx.get(dut.up) == twice

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()
