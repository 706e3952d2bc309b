"""Serial line: 8 data bits, no parity, one stop bit, at any bit rate up to a quarter of the clock.

A bit need not last a whole number of cycles: bit edges fall on the nearest one, so that the rate
is exact on average and every sample is taken near the middle of its bit.
"""
from itertools import pairwise
from numbers import Real

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

BITS = 10       # start bit, eight data bits, stop bit


def check_divisor(divisor):
    """Raise TypeError or ValueError unless ``divisor`` is a bit's length in clock cycles."""
    if not isinstance(divisor, Real) or isinstance(divisor, bool):
        raise TypeError(f"Divisor must be a number of clock cycles, not {divisor!r}")
    if not 4 <= divisor <= 65_536:
        raise ValueError(f"Divisor must be 4 to 65536 clock cycles a bit, not {float(divisor):g}; "
                         f"choose another bit rate for this clock")


class BitTimer(wiring.Component):
    """Counts the bits of a byte, and the cycles of a bit.

    Parameters
    ----------
    divisor : Real
        Clock cycles a bit, at least 4. Bit ``k`` starts in cycle ``k · divisor``, rounded.

    Members
    -------
    run : In(1)
        While low, the next cycle is the first of bit 0.
    bit : Out(range(10))
        Index of the bit.
    middle : Out(1)
        High for one cycle a bit, the one in which to sample a line whose edge started the timer.
    last : Out(1)
        High in the last cycle of a bit.
    """
    def __init__(self, *, divisor):
        check_divisor(divisor)
        self.divisor = divisor
        super().__init__({
            "run": In(1),
            "bit": Out(range(BITS)),
            "middle": Out(1),
            "last": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        starts = [int(k * self.divisor + 1 / 2) for k in range(BITS + 1)]
        cycles = [end - start for start, end in pairwise(starts)]
        longer = sum((length > min(cycles)) << k for k, length in enumerate(cycles))
        cycle = Signal(range(max(cycles)))
        m.d.comb += [
            # The edge is seen half a cycle late on average, and starts the timer a cycle later.
            self.middle.eq(cycle == int(self.divisor / 2 - 1)),
            self.last.eq(cycle == min(cycles) - 1 + Const(longer, 16).bit_select(self.bit, 1)),
        ]
        m.d.sync += cycle.eq(cycle + 1)
        with m.If(self.last):
            m.d.sync += [cycle.eq(0), self.bit.eq(self.bit + 1)]
        with m.If(~self.run):
            m.d.sync += [cycle.eq(0), self.bit.eq(0)]

        return m


class UartReceiver(wiring.Component):
    """Receives bytes from a serial line.

    A start bit that is over before its middle is ignored. A byte whose stop bit is low is dropped,
    and so is one that is complete before the one before it has been taken.

    Parameters
    ----------
    divisor : Real
        Clock cycles a bit, at least 4.

    Members
    -------
    rx : In(1)
        The line, asynchronous.
    o : Out(stream.Signature(8))
        Bytes.
    overrun : Out(1)
        High for one cycle when a byte is dropped because ``o`` was not taken.
    """
    def __init__(self, *, divisor):
        check_divisor(divisor)
        self.divisor = divisor
        super().__init__({
            "rx": In(1, init=1),
            "o": Out(stream.Signature(8)),
            "overrun": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        line = Signal(init=1)
        before = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        m.submodules.timer = timer = BitTimer(divisor=self.divisor)
        busy = Signal()
        complete = Signal()
        shift = Signal(8)
        m.d.comb += [
            timer.run.eq(busy),
            complete.eq(timer.middle & (timer.bit == BITS - 1)),
            self.overrun.eq(complete & line & self.o.valid & ~self.o.ready),
        ]
        m.d.sync += before.eq(line)
        with m.If(~busy):
            m.d.sync += busy.eq(before & ~line)
        with m.Elif(complete | (timer.middle & (timer.bit == 0) & line)):
            m.d.sync += busy.eq(0)
        with m.If(timer.middle):
            m.d.sync += shift.eq(Cat(shift, line)[1:])
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [
                self.o.valid.eq(complete & line),
                self.o.payload.eq(shift),
            ]

        return m


class UartTransmitter(wiring.Component):
    """Sends bytes to a serial line; each takes ten bits and a cycle.

    Parameters
    ----------
    divisor : Real
        Clock cycles a bit, at least 4.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes.
    tx : Out(1)
        The line.
    """
    def __init__(self, *, divisor):
        check_divisor(divisor)
        self.divisor = divisor
        super().__init__({
            "i": In(stream.Signature(8)),
            "tx": Out(1, init=1),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.timer = timer = BitTimer(divisor=self.divisor)
        busy = Signal()
        shift = Signal(9, init=-1)
        m.d.comb += [
            timer.run.eq(busy),
            self.i.ready.eq(~busy),
            self.tx.eq(shift[0]),
        ]
        with m.If(~busy):
            m.d.sync += busy.eq(self.i.valid)
            with m.If(self.i.valid):
                m.d.sync += shift.eq(Cat(C(0, 1), self.i.payload))
        with m.Elif(timer.last):
            m.d.sync += shift.eq(Cat(shift[1:], C(1, 1)))
            with m.If(timer.bit == BITS - 1):
                m.d.sync += busy.eq(0)

        return m
