"""The board's end of the host link: packets of :mod:`sw.wire` to frames, classes to packets."""

from amaranth import *
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from boards.cobs import EVENT, CobsDecoder
from sw import wire
from sw.wire import Fault, Kind

BYTE = data.ArrayLayout(8, 1)

# A byte of a frame, or all that are missing because it was cut.
PIECE = data.StructLayout({"data": 8, "cut": 1})

# What to answer to a packet: an ERROR where ``fault`` is not 0; else the RESULT of what was ``fed``
# to the accelerator; else the IDENTITY.
VERDICT = data.StructLayout({"sequence": 4, "fault": 3, "fed": 1})


def check_elements(elements):
    """Raise TypeError or ValueError unless a packet can hold a frame of ``elements`` bytes."""
    if not isinstance(elements, int) or isinstance(elements, bool):
        raise TypeError(f"Elements must be an integer, not {elements!r}")
    if not 1 <= elements <= 65_535:
        raise ValueError(f"Elements must be 1 to 65535 a frame, as a packet holds no more, "
                         f"not {elements}")


def check_shape(shape):
    """Raise ValueError unless a class index of ``shape`` fits a byte."""
    if Shape.cast(shape).signed or Shape.cast(shape).width > 8:
        raise ValueError(f"A class index must be unsigned and have at most 8 bits, but its shape "
                         f"is {Shape.cast(shape)!r}")


class Position(enum.Enum):
    """Which byte of a packet comes next."""
    HEAD        = 0
    LENGTH_LOW  = 1
    LENGTH_HIGH = 2
    PAYLOAD     = 3
    CRC_HIGH    = 4
    CRC_LOW     = 5
    END         = 6
    BEYOND      = 7


def next_crc(crc, byte):
    """:func:`sw.wire.crc`, one byte on: a shift by eight bits that x^16 = x^12 + x^5 + 1 wraps."""
    high = crc[8:] ^ byte
    wrapped = high ^ high[4:]
    return ((crc << 8) ^ wrapped ^ (wrapped << 5) ^ (wrapped << 12))[:16]


class Relay(wiring.Component):
    """Holds one transfer, and takes the next one when it has left: one every second cycle.

    No combinational path leads through it, in either direction.

    Parameters
    ----------
    shape : Shape
        Shape of the payload.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))
    """
    def __init__(self, *, shape):
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
        })

    def elaborate(self, platform):
        m = Module()

        m.d.comb += self.i.ready.eq(~self.o.valid)
        with m.If(~self.o.valid):
            m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)

        return m


class Completer(wiring.Component):
    """Gives whole frames: completes those that are cut with zeros, one a cycle.

    Parameters
    ----------
    elements : int
        Bytes a frame.

    Members
    -------
    i : In(stream.Signature(PIECE))
        Bytes of frames; ``cut`` stands for all that are missing of the present one.
    last : Out(1)
        Whether the next byte is the last one of its frame.
    o : Out(stream.Signature(ArrayLayout(8, 1)))
        Bytes of frames.
    """
    def __init__(self, *, elements):
        check_elements(elements)
        self.elements = elements
        super().__init__({
            "i": In(stream.Signature(PIECE)),
            "last": Out(1),
            "o": Out(stream.Signature(BYTE)),
        })

    def elaborate(self, platform):
        m = Module()

        count = Signal(range(self.elements))
        filling = Signal()
        step = Signal()
        m.d.comb += [
            self.last.eq(count == self.elements - 1),
            self.i.ready.eq(~filling & ~self.o.valid),
            step.eq(Mux(filling, ~self.o.valid | self.o.ready,
                        ~self.o.valid & self.i.valid & ~self.i.p.cut)),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += filling.eq(self.i.p.cut)
        with m.If(step):
            m.d.sync += [
                self.o.valid.eq(1),
                self.o.payload[0].eq(Mux(filling, 0, self.i.p.data)),
                count.eq(count + 1),
            ]
            with m.If(self.last):
                m.d.sync += [count.eq(0), filling.eq(0)]

        return m


class PacketReceiver(wiring.Component):
    """Takes packets apart: hands the payload of a FRAME on and judges each packet at its end.

    Bytes of a frame are handed on as they come, before the CRC is known. A frame that is cut is
    completed with zeros: ``elements`` bytes are handed on for each verdict with ``fed`` set.

    Parameters
    ----------
    elements : int
        Bytes a frame, 1 to 65535.

    Members
    -------
    i : In(stream.Signature(EVENT))
        Decoded packets.
    overrun : In(1)
        High for a cycle when a byte of ``i`` was lost because it was not taken.
    frame : Out(stream.Signature(ArrayLayout(8, 1)))
        Bytes of frames.
    verdict : Out(stream.Signature(VERDICT))
        What to answer. A packet that ends while it is not ready gets no answer; a frame that
        begins then is not handed on, so that the verdict on one that is always finds room.
    """
    def __init__(self, *, elements):
        check_elements(elements)
        self.elements = elements
        super().__init__({
            "i": In(stream.Signature(EVENT)),
            "overrun": In(1),
            "frame": Out(stream.Signature(BYTE)),
            "verdict": Out(stream.Signature(VERDICT)),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.completer = completer = Completer(elements=self.elements)
        connect(m, completer.o, flipped(self.frame))

        event   = self.i.p
        byte    = Signal()
        end     = Signal()
        feeding = Signal()
        m.d.comb += [
            byte.eq(self.i.valid & self.i.ready & ~event.end),
            end.eq(self.i.valid & self.i.ready & event.end),
            completer.i.valid.eq(self.i.valid & feeding),
            completer.i.p.data.eq(event.data),
            completer.i.p.cut.eq(event.end),
            self.i.ready.eq(~feeding | completer.i.ready),
        ]

        position = Signal(Position)
        sequence = Signal(4)
        is_frame = Signal()
        known    = Signal()
        lost     = Signal()
        fed      = Signal()
        crc      = Signal(16, init=0xFFFF)            # of a whole packet, with its CRC: 0
        kind     = event.data[:4]
        length   = Mux(is_frame, C(self.elements, 16), 0)
        m.d.comb += feeding.eq(position == Position.PAYLOAD)
        with m.If(byte):
            m.d.sync += crc.eq(next_crc(crc, event.data))
            with m.Switch(position):
                with m.Case(Position.HEAD):
                    m.d.sync += [
                        sequence.eq(event.data[4:]),
                        is_frame.eq(kind == Kind.FRAME),
                        known.eq((kind == Kind.FRAME) | (kind == Kind.IDENTIFY)),
                        position.eq(Position.LENGTH_LOW),
                    ]
                with m.Case(Position.LENGTH_LOW):
                    m.d.sync += position.eq(Mux(event.data == length[:8], Position.LENGTH_HIGH,
                                                Position.BEYOND))
                with m.Case(Position.LENGTH_HIGH):
                    m.d.sync += position.eq(Position.CRC_HIGH)
                    with m.If(event.data != length[8:]):
                        m.d.sync += position.eq(Position.BEYOND)
                    with m.Elif(is_frame & self.verdict.ready):
                        m.d.sync += [position.eq(Position.PAYLOAD), fed.eq(1)]
                    with m.Elif(is_frame):
                        m.d.sync += lost.eq(1)
                with m.Case(Position.PAYLOAD):
                    with m.If(completer.last):
                        m.d.sync += position.eq(Position.CRC_HIGH)
                with m.Case(Position.CRC_HIGH):
                    m.d.sync += position.eq(Position.CRC_LOW)
                with m.Case(Position.CRC_LOW):
                    m.d.sync += position.eq(Position.END)
                with m.Case(Position.END):
                    m.d.sync += position.eq(Position.BEYOND)
        with m.If(self.overrun):
            m.d.sync += lost.eq(1)
        with m.If(end):
            m.d.sync += [position.eq(Position.HEAD), crc.eq(0xFFFF), fed.eq(0),
                         lost.eq(self.overrun)]

        verdict = self.verdict.p
        m.d.comb += [
            self.verdict.valid.eq(end),
            verdict.sequence.eq(sequence),
            verdict.fed.eq(fed),
        ]
        with m.If(lost):
            m.d.comb += verdict.fault.eq(Fault.OVERRUN)
        with m.Elif(~event.intact | (crc != 0)):
            m.d.comb += verdict.fault.eq(Fault.CRC)
        with m.Elif(~known):
            m.d.comb += verdict.fault.eq(Fault.KIND)
        with m.Elif(position != Position.END):
            m.d.comb += verdict.fault.eq(Fault.LENGTH)

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
        good = Signal()
        value = Signal(8)
        m.d.comb += [
            good.eq(verdict.fault == 0),
            value.eq(Mux(good, self.result.payload, verdict.fault)),
        ]
        head = Cat(Mux(good, C(Kind.RESULT, 4), C(Kind.ERROR, 4)), verdict.sequence)
        body = [head, C(1, 8), C(0, 8), value]
        short = stuff(m, [*body, *checksum(m, body)])
        identity = wire.encode(wire.Packet(Kind.IDENTITY, self.identity))

        index = Signal(range(max(len(identity), len(short))))
        identify = Signal()
        last = Signal()
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


class Link(wiring.Component):
    """Packets to frames and classes to packets.

    Every packet is answered with one packet, in order. A damaged frame is completed with zeros,
    its class is dropped, and an ERROR takes its place. ``depth`` answers may wait for classes or
    for the line; a frame that begins while they do is refused as an overrun.

    Parameters
    ----------
    elements : int
        Bytes a frame, 1 to 65535.
    identity : bytes
        Payload of the IDENTITY packet.
    shape : Shape
        Shape of a class index: unsigned, at most 8 bits.
    depth : int
        Answers that may wait: frames that may be on their way through the accelerator.

    Members
    -------
    rx : In(stream.Signature(8))
        Bytes from the host.
    overrun : In(1)
        High for a cycle when a byte was lost because ``rx`` did not take the one before.
    tx : Out(stream.Signature(8))
        Bytes to the host.
    frame : Out(stream.Signature(ArrayLayout(8, 1)))
        Bytes of frames, always whole frames.
    result : In(stream.Signature(shape))
        One class index a frame, in order.
    """
    def __init__(self, *, elements, identity, shape, depth=2):
        if not isinstance(depth, int) or isinstance(depth, bool) or depth < 1:
            raise TypeError(f"Depth must be a positive integer, not {depth!r}")
        check_elements(elements)
        check_shape(shape)
        self.elements = elements
        self.identity = identity
        self.shape = shape
        self.depth = depth
        super().__init__({
            "rx": In(stream.Signature(8)),
            "overrun": In(1),
            "tx": Out(stream.Signature(8)),
            "frame": Out(stream.Signature(BYTE)),
            "result": In(stream.Signature(shape)),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.decoder = decoder = CobsDecoder()
        m.submodules.receiver = receiver = PacketReceiver(elements=self.elements)
        m.submodules.sender = sender = PacketSender(identity=self.identity,
                                                      shape=self.shape)
        m.submodules.event = event = Relay(shape=EVENT)
        connect(m, flipped(self.rx), decoder.i)
        connect(m, decoder.o, event.i)
        connect(m, event.o, receiver.i)
        connect(m, receiver.frame, flipped(self.frame))
        m.submodules.decision = decision = Relay(shape=self.shape)
        connect(m, flipped(self.result), decision.i)
        connect(m, decision.o, sender.result)
        connect(m, sender.tx, flipped(self.tx))
        m.d.comb += receiver.overrun.eq(self.overrun)

        verdict = receiver.verdict
        for k in range(self.depth):
            m.submodules[f"verdict_{k}"] = relay = Relay(shape=VERDICT)
            connect(m, verdict, relay.i)
            verdict = relay.o
        connect(m, verdict, sender.verdict)

        return m
