"""The board's end of the host link: packets of :mod:`sw.wire` to frames, classes to packets."""
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from boards.cobs import CobsDecoder
from boards.packets import BYTE, EVENT, VERDICT
from boards.receiver import PacketReceiver, check_elements
from boards.sender import PacketSender, check_shape


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


class Link(wiring.Component):
    """Packets to frames and classes to packets.

    Every packet is answered with one packet, in order. A damaged frame is completed with zeros,
    its class is dropped, and an ERROR takes its place. ``depth`` answers may wait for classes or
    for the line; a packet that comes while so many do gets none, and a frame is not handed on.

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

        m.submodules.decoder  = decoder  = CobsDecoder()
        m.submodules.event    = event    = Relay(shape=EVENT)
        m.submodules.receiver = receiver = PacketReceiver(elements=self.elements)
        m.submodules.decision = decision = Relay(shape=self.shape)
        m.submodules.sender   = sender   = PacketSender(identity=self.identity, shape=self.shape)
        connect(m, flipped(self.rx), decoder.i)
        connect(m, decoder.o, event.i)
        connect(m, event.o, receiver.i)
        connect(m, receiver.frame, flipped(self.frame))
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
