"""Packets to the host: answers, encoded."""
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from boards.packets import VERDICT, next_crc
from sw import wire
from sw.wire import Kind


def check_shape(shape):
    """Raise ValueError unless a class index of ``shape`` fits a byte."""
    if Shape.cast(shape).signed or Shape.cast(shape).width > 8:
        raise ValueError(f"A class index must be unsigned and have at most 8 bits, but its shape "
                         f"is {Shape.cast(shape)!r}")


class PacketSender(wiring.Component):
    """Answers verdicts, in order, with encoded packets.

    Parameters
    ----------
    identity : bytes
        Payload of the IDENTITY packet.
    shape : Shape
        Shape of a class index: unsigned, at most 8 bits.

    Members
    -------
    verdict : In(stream.Signature(VERDICT))
        What to answer.
    result : In(stream.Signature(shape))
        A class index for each verdict with ``fed`` set; where its fault is not 0, it is dropped.
    tx : Out(stream.Signature(8))
        Packets as :func:`sw.wire.encode` gives them.
    """
    def __init__(self, *, identity, shape):
        check_shape(shape)
        self.identity = identity
        super().__init__({
            "verdict": In(stream.Signature(VERDICT)),
            "result": In(stream.Signature(shape)),
            "tx": Out(stream.Signature(8)),
        })

    def elaborate(self, platform):
        m = Module()

        verdict = self.verdict.p
        good    = Signal()
        value   = Signal(8)
        m.d.comb += [
            good.eq(verdict.fault == 0),
            value.eq(Mux(good, self.result.payload, verdict.fault)),
        ]
        head = Cat(Mux(good, C(Kind.RESULT, 4), C(Kind.ERROR, 4)), verdict.sequence)
        body = [head, C(1, 8), C(0, 8), value]
        short = stuff(m, [*body, *checksum(m, body)])
        identity = wire.encode(wire.Packet(Kind.IDENTITY, self.identity))

        index    = Signal(range(max(len(identity), len(short))))
        identify = Signal()
        last     = Signal()
        m.d.comb += [
            identify.eq(good & ~verdict.fed),
            last.eq(index == Mux(identify, len(identity) - 1, len(short) - 1)),
            self.tx.valid.eq(self.verdict.valid & (~verdict.fed | self.result.valid)),
        ]
        with m.If(identify):
            with m.Switch(index):
                for k, byte in enumerate(identity):
                    with m.Case(k):
                        m.d.comb += self.tx.payload.eq(byte)
        with m.Else():
            with m.Switch(index):
                for k, byte in enumerate(short):
                    with m.Case(k):
                        m.d.comb += self.tx.payload.eq(byte)
        with m.If(self.tx.valid & self.tx.ready):
            m.d.sync += index.eq(Mux(last, 0, index + 1))
            m.d.comb += [
                self.verdict.ready.eq(last),
                self.result.ready.eq(last & verdict.fed),
            ]

        return m


def checksum(m, body):
    """The CRC's two bytes, which follow the bytes ``body`` by a cycle."""
    total = C(0xFFFF, 16)
    for k, byte in enumerate(body):
        crc = Signal(16, name=f"crc_{k}")
        m.d.comb += crc.eq(next_crc(total, byte))
        total = crc
    crc = Signal(16)
    m.d.sync += crc.eq(total)
    return [crc[8:], crc[:8]]


def stuff(m, body):
    """The bytes ``body`` COBS-encoded, and a zero byte.

    A byte in front, and each zero byte, becomes the distance to the next zero byte or the end.
    """
    zeros = Signal(len(body))
    m.d.comb += zeros.eq(Cat(byte == 0 for byte in body))
    line = []
    for place in range(-1, len(body)):
        distance = Signal(8, name=f"distance_{place + 1}")
        m.d.comb += distance.eq(len(body) - place)
        for later in reversed(range(place + 1, len(body))):
            with m.If(zeros[later]):
                m.d.comb += distance.eq(later - place)
        line.append(Mux(zeros[place], distance, body[place]) if place >= 0 else distance)
    return [*line, C(0, 8)]
