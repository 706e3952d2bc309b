"""The design on a board: an accelerator between the pins of a serial line."""
from amaranth import *
from amaranth.lib import io
from amaranth.lib.wiring import connect

from boards.link import Link
from boards.uart import UartReceiver, UartTransmitter, check_divisor
from hw.stream import Widen
from sw import wire


class Top(Elaboratable):
    """An accelerator behind the host link, for any platform with a UART.

    The board's LEDs show the last class index, low bits first.

    Parameters
    ----------
    accelerator : Component
        Takes frames of ``elements`` elements of up to 8 bits at ``i``, a stream of
        ``ArrayLayout(shape, lanes)``; gives a class index each at ``o``, an unsigned stream.
    digest : str
        SHA-256 (hex) of the network.
    elements : int
        Elements a frame, a byte each on the link.
    clock_hz : float
        Frequency of the ``sync`` domain, as the platform makes it.
    baud : float
        Bit rate of the serial line, at most a quarter of that.
    """
    def __init__(self, *, accelerator, digest, elements, clock_hz, baud=wire.BAUD):
        check_divisor(clock_hz / baud)
        self.accelerator = accelerator
        self.elements    = elements
        self.divisor     = clock_hz / baud
        self.identity    = wire.Identity(bytes.fromhex(digest)[:8], elements,
                                         round(clock_hz / 1000))

    def elaborate(self, platform):
        m = Module()

        pixels = self.accelerator.i.payload.shape()
        decision = self.accelerator.o
        m.submodules.receiver = receiver = UartReceiver(divisor=self.divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(divisor=self.divisor)
        m.submodules.link = link = Link(elements=self.elements, identity=self.identity.pack(),
                                        shape=decision.payload.shape())
        m.submodules.widen = widen = Widen(shape=pixels.elem_shape, lanes=1, ratio=pixels.length,
                                           beats=self.elements)
        m.submodules.accelerator = self.accelerator
        connect(m, receiver.o, link.rx)
        connect(m, link.tx, transmitter.i)
        connect(m, widen.o, self.accelerator.i)
        connect(m, decision, link.result)
        m.d.comb += [
            link.overrun.eq(receiver.overrun),
            widen.i.payload[0].eq(link.frame.payload[0]),
            widen.i.valid.eq(link.frame.valid),
            link.frame.ready.eq(widen.i.ready),
        ]

        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.d.comb += [receiver.rx.eq(rx.i), tx.o.eq(transmitter.tx)]

        shown = Signal.like(decision.payload)
        with m.If(decision.valid & decision.ready):
            m.d.sync += shown.eq(decision.payload)
        leds = sorted(number for name, number in platform.resources if name == "led")
        for bit, number in enumerate(leds):
            led = io.Buffer("o", platform.request("led", number, dir="-"))
            m.submodules[f"led_{number}"] = led
            m.d.comb += led.o.eq(shown[bit] if bit < len(shown) else 0)

        return m
