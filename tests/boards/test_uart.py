# amaranth: UnusedElaboratable=no

from fractions import Fraction

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.sim import Simulator

from boards.uart import BitTimer, UartReceiver, UartTransmitter
from sim.pysim import run, stream_put

DIVISORS = [4, 5, 7, 8, 16, 104, 4.5, Fraction(20, 3), 24e6 / 3.5e6]


def bits(*data):
    """Line levels of bytes, a bit each: start bit, data from the low bit, stop bit."""
    return [level for byte in data for level in (0, *(byte >> k & 1 for k in range(8)), 1)]


def receive(levels, *, divisor, length=None, phase=0.0, take=lambda cycle: True, idle=2):
    """What a receiver for ``divisor`` makes of ``levels`` that last ``length`` cycles each.

    Its bytes are taken in the cycles in which ``take`` holds. Returns them and the number of
    overruns.
    """
    dut = UartReceiver(divisor=divisor)
    length = float(length or divisor)
    levels = [1] * idle + levels + [1] * idle
    got, overruns = [], 0

    async def bench(ctx):
        nonlocal overruns
        for cycle in range(int(len(levels) * length)):
            ctx.set(dut.o.ready, take(cycle))
            ctx.set(dut.rx, levels[int(max(cycle - phase, 0) / length)])
            _, _, valid, payload, overrun = await ctx.tick().sample(dut.o.valid, dut.o.payload,
                                                                    dut.overrun)
            if valid and take(cycle):
                got.append(payload)
            overruns += overrun

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    return got, overruns


class Loop(wiring.Component):
    """A transmitter that a receiver hears."""
    i: In(stream.Signature(8))
    o: Out(stream.Signature(8))

    def __init__(self, divisor):
        self.divisor = divisor
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.transmitter = transmitter = UartTransmitter(divisor=self.divisor)
        m.submodules.receiver = receiver = UartReceiver(divisor=self.divisor)
        connect(m, flipped(self.i), transmitter.i)
        connect(m, receiver.o, flipped(self.o))
        m.d.comb += receiver.rx.eq(transmitter.tx)
        return m


@pytest.mark.parametrize("divisor", DIVISORS)
def test_bytes_pass_unchanged(divisor):
    rng = np.random.default_rng(0)
    data = [0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80, *rng.integers(0, 256, 10).tolist()]
    assert run(Loop(divisor), data, len(data), pause=lambda: int(rng.integers(3)),
               limit=40_000) == data


@pytest.mark.parametrize("divisor", DIVISORS)
@pytest.mark.parametrize("sign", [-1, 0, 1])
def test_receiver_tolerates_a_rate_error(divisor, sign):
    """What is left of half a bit: seeing the edge costs half a cycle, and so does rounding."""
    margin = divisor / 2 - (0.75 if isinstance(divisor, int) else 1.25)
    error = sign * margin / ((10 if sign < 0 else 9) * divisor)
    data = [0x00, 0xFF, 0x55, 0xFE, 0x7F, 0x80, 0x01]
    for byte in data:
        for phase in (0.1, 0.5, 0.9):
            assert receive(bits(byte), divisor=divisor, length=float(divisor) * (1 + error),
                           phase=phase) == ([byte], 0)


@pytest.mark.parametrize("divisor", DIVISORS)
def test_transmitter_edges_are_on_the_nearest_cycle(divisor):
    dut = UartTransmitter(divisor=divisor)
    data = [0x55, 0x0F]
    levels = []

    async def send(ctx):
        for byte in data:
            await stream_put(ctx, dut.i, byte)
        for _ in range(int(11 * divisor) + 2):
            await ctx.tick()

    async def watch(ctx):
        while True:
            _, _, level = await ctx.tick().sample(dut.tx)
            levels.append(level)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(send)
    sim.add_testbench(watch, background=True)
    sim.run()
    start = levels.index(0)
    starts = [int(k * divisor + 1 / 2) for k in range(11)]
    expected = []
    for byte in data:
        for level, begin, end in zip(bits(byte), starts[:-1], starts[1:], strict=True):
            expected += [level] * (end - begin)
        expected += [1]
    assert levels[start:start + len(expected)] == expected


def test_receiver_ignores_a_glitch():
    assert receive([1, 1], divisor=8)[0] == []
    glitch = [0] * 3 + [1] * 85                     # of the 4 cycles to the middle of a start bit
    levels = [level for bit in bits(0x5A) for level in [bit] * 8]
    assert receive(glitch + levels, divisor=8, length=1, idle=20) == ([0x5A], 0)


def test_receiver_drops_a_byte_without_stop_bit():
    broken = bits(0xA5)[:-1] + [0]
    assert receive(broken + [1] + bits(0x5A), divisor=8) == ([0x5A], 0)
    assert receive([0] * 40 + [1] + bits(0x5A), divisor=8) == ([0x5A], 0)


def test_receiver_reports_each_byte_lost():
    assert receive(bits(1, 2, 3), divisor=8, take=lambda cycle: False) == ([], 2)
    broken = bits(2)[:-1] + [0]
    assert receive(bits(1) + broken, divisor=8, take=lambda cycle: False) == ([], 0)


def test_a_byte_may_be_taken_until_the_next_one_is_complete():
    """Two bytes, of which the first is taken in one cycle: they are both there, or one is lost."""
    levels = bits(1, 2)
    seen = []
    for cycle in range(70, 110):
        got, overruns = receive(levels, divisor=4, idle=4,
                                take=lambda now, cycle=cycle: now == cycle or now >= 110)
        assert (got, overruns) in [([1, 2], 0), ([1], 1)]
        seen.append(overruns)
    assert seen == sorted(seen) and {0, 1} == set(seen)


def test_receiver_keeps_the_first_byte_when_it_overruns():
    dut = UartReceiver(divisor=4)
    levels = bits(0x12, 0x34) + [1] * 3

    async def bench(ctx):
        for level in levels:
            ctx.set(dut.rx, level)
            for _ in range(4):
                await ctx.tick()
        assert (ctx.get(dut.o.valid), ctx.get(dut.o.payload)) == (1, 0x12)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()


@pytest.mark.parametrize("component", [BitTimer, UartReceiver, UartTransmitter])
def test_divisor_wrong(component):
    with pytest.raises(TypeError, match=r"^Divisor must be a number of clock cycles, not 'x'$"):
        component(divisor="x")
    with pytest.raises(ValueError, match=r"^Divisor must be 4 to 65536 clock cycles a bit, not "
                                         r"3\.9; choose another bit rate for this clock$"):
        component(divisor=3.9)
    with pytest.raises(ValueError, match=r"^Divisor must be 4 to 65536 clock cycles a bit, not "
                                         r"1e\+06; choose another bit rate for this clock$"):
        component(divisor=1_000_000)
