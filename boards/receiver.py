"""Packets from the host: taken apart, judged, and their frames handed on."""
from amaranth import *
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from boards.packets import BYTE, EVENT, VERDICT, next_crc
from sw.wire import Fault, Kind

# A byte of a frame, or all that are missing because it was cut.
PIECE = data.StructLayout({"data": 8, "cut": 1})


def check_elements(elements):
    """Raise TypeError or ValueError unless a packet can hold a frame of ``elements`` bytes."""
    if not isinstance(elements, int) or isinstance(elements, bool):
        raise TypeError(f"Elements must be an integer, not {elements!r}")
    if not 1 <= elements <= 65_535:
        raise ValueError(f"Elements must be 1 to 65535 a frame, as a packet holds no more, "
                         f"not {elements}")


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

        count   = Signal(range(self.elements))
        filling = Signal()
        step    = Signal()
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
        with m.If(end):
            m.d.sync += [position.eq(Position.HEAD), crc.eq(0xFFFF), fed.eq(0), lost.eq(0)]
        with m.If(self.overrun):
            m.d.sync += lost.eq(1)

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
