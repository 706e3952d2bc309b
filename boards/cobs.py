"""Consistent overhead byte stuffing (Cheshire and Baker 1999), as it is decoded in hardware."""
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from boards.packets import EVENT


class CobsDecoder(wiring.Component):
    """Decodes packets, each of which a zero byte ends.

    Equals ``cobs.decode``, and adds an end to each packet that is not empty. Takes a byte a cycle;
    latency none.

    Members
    -------
    i : In(stream.Signature(8))
        Encoded bytes.
    o : Out(stream.Signature(EVENT))
        Decoded bytes, and the end of each packet.
    """
    i: In(stream.Signature(8))
    o: Out(stream.Signature(EVENT))

    def elaborate(self, platform):
        m = Module()

        # A block is a code byte and as many bytes as it says, less one. It stands for these bytes
        # and a zero, but for the longest block and for the last one of a packet, which have none.
        byte      = self.i.payload
        left      = Signal(8)       # bytes of the block to come
        code      = Signal()        # whether the next byte is a code byte
        delimiter = Signal()
        begun     = Signal()
        owed      = Signal()        # whether the block stands for a zero, should one follow
        m.d.comb += [
            delimiter.eq(byte == 0),
            code.eq(left == 0),
            self.o.p.data.eq(Mux(code, 0, byte)),
            self.o.p.end.eq(delimiter),
            self.o.p.intact.eq(code),
            self.o.valid.eq(self.i.valid & Mux(delimiter, begun, owed | ~code)),
            self.i.ready.eq(self.o.ready),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                left.eq(Mux(code, byte, left) - 1),
                begun.eq(1),
            ]
            with m.If(code):
                m.d.sync += owed.eq(byte != 255)
            with m.If(delimiter):
                m.d.sync += [left.eq(0), begun.eq(0), owed.eq(0)]

        return m
