# amaranth: UnusedElaboratable=no

from types import SimpleNamespace

import pytest
from amaranth import *
from amaranth.lib import data, io, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from boards.top import Top
from sw import wire
from sw.wire import Kind, Packet

DIGEST = "00112233445566778899aabbccddeeff" * 2


class Last(wiring.Component):
    """Stands for a network: the low bits of a frame's last element."""
    def __init__(self, *, beats, lanes, shape):
        self.beats = beats
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(shape, lanes))),
            "o": Out(stream.Signature(4)),
        })

    def elaborate(self, platform):
        m = Module()
        beat = Signal(range(self.beats))
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid & (beat == self.beats - 1))
            m.d.sync += self.o.payload.eq(self.i.p[-1])
            with m.If(self.i.valid):
                m.d.sync += beat.eq(Mux(beat == self.beats - 1, 0, beat + 1))
        return m


class Pins:
    """A platform with a serial line and LEDs of these numbers."""
    def __init__(self, leds):
        self.resources = {("uart", 0): None, ("led_r", 0): None,
                          **{("led", number): None for number in leds}}
        self.uart = SimpleNamespace(rx=io.SimulationPort("i", 1), tx=io.SimulationPort("o", 1))
        self.leds = {number: io.SimulationPort("o", 1) for number in leds}

    def request(self, name, number, *, dir):
        return self.uart if name == "uart" else self.leds[number]


@pytest.mark.parametrize("elements, lanes, shape, leds", [
    (6, 2, unsigned(8), [0, 1, 2, 3]),
    (6, 1, unsigned(8), [7, 5]),
    (3, 3, unsigned(4), [0, 1, 2, 3, 4, 5]),
    (1, 1, unsigned(1), []),
])
def test_a_frame_goes_in_and_its_class_comes_out(elements, lanes, shape, leds):
    """Over the pins, at 4 cycles a bit; the LEDs show the class, low bits first."""
    pins = Pins(leds)
    top = Top(accelerator=Last(beats=elements // lanes, lanes=lanes, shape=shape), digest=DIGEST,
              elements=elements, clock_hz=12e6)
    answers, shown = bytearray(), []

    async def host(ctx):
        ctx.set(pins.uart.rx.i, 1)
        await ctx.tick()
        for payload in (bytes(range(7, 7 + elements)), bytes(range(49, 49 + elements))):
            for byte in wire.encode(Packet(Kind.FRAME, payload)):
                for level in (0, *(byte >> k & 1 for k in range(8)), 1):
                    ctx.set(pins.uart.rx.i, level)
                    for _ in range(4):
                        await ctx.tick()
            for _ in range(400):
                await ctx.tick()
            shown.append([ctx.get(pins.leds[number].o) for number in sorted(leds)])

    async def listen(ctx):
        while True:
            level = 1
            while level:
                _, _, level = await ctx.tick().sample(pins.uart.tx.o)
            byte = 0
            for k in range(36):
                _, _, level = await ctx.tick().sample(pins.uart.tx.o)
                byte |= level << k // 4 if k % 4 == 1 else 0
            answers.append(byte >> 1)

    sim = Simulator(Fragment.get(top, pins))
    sim.add_clock(1e-6)
    sim.add_testbench(host)
    sim.add_testbench(listen, background=True)
    sim.run()
    classes = [(6 + elements) % 2 ** len(Value.cast(Signal(shape))) % 16,
               (48 + elements) % 2 ** len(Value.cast(Signal(shape))) % 16]
    assert bytes(answers) == b"".join(wire.encode(Packet(Kind.RESULT, bytes([number])))
                                      for number in classes)
    assert shown == [[number >> bit & 1 for bit in range(len(leds))] for number in classes]


def test_a_clock_too_slow_for_the_line():
    with pytest.raises(ValueError, match=r"^Divisor must be 4 to 65536 clock cycles a bit, not "
                                         r"3\.33333; choose another bit rate for this clock$"):
        Top(accelerator=None, digest=DIGEST, elements=1, clock_hz=10e6)
