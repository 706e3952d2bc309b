"""Selection of channels: of whole transfers, or of lanes."""
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class Select(wiring.Component):
    """Keeps some transfers of each frame: :func:`sw.golden.select` of whole transfers in order.

    Takes one transfer a cycle, latency none.

    Parameters
    ----------
    shape : Shape
        Shape of an element.
    lanes : int
        Elements a transfer.
    keep : list of bool
        Whether each transfer of a frame is kept.

    Members
    -------
    i : In(stream.Signature(ArrayLayout(shape, lanes)))
    o : Out(stream.Signature(ArrayLayout(shape, lanes)))
    """
    def __init__(self, *, shape, lanes, keep):
        self.keep = [int(kept) for kept in keep]
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(shape, lanes))),
            "o": Out(stream.Signature(data.ArrayLayout(shape, lanes))),
        })

    def elaborate(self, platform):
        m = Module()

        # What becomes of the next transfer is looked up one ahead, to keep the path short.
        following = self.keep[1:] + self.keep[:1]
        m.submodules.rom = rom = Memory(shape=1, depth=len(following), init=following,
                                        attrs={"ram_style": "logic"})
        port = rom.read_port(domain="comb")
        beat = Signal(range(len(following)))
        keep = Signal(init=self.keep[0])
        m.d.comb += [
            port.addr.eq(beat),
            self.o.payload.eq(self.i.payload),
            self.o.valid.eq(self.i.valid & keep),
            self.i.ready.eq(self.o.ready | ~keep),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                keep.eq(port.data),
                beat.eq(Mux(beat == len(following) - 1, 0, beat + 1)),
            ]

        return m


class Pick(wiring.Component):
    """Keeps some lanes of each transfer: :func:`sw.golden.select` where a transfer is a frame.

    Wires only: takes one transfer a cycle, latency none.

    Parameters
    ----------
    shape : Shape
        Shape of an element.
    lanes : int
        Elements of a transfer of ``i``.
    indices : list of int
        The lanes kept, in the order of ``o``.

    Members
    -------
    i : In(stream.Signature(ArrayLayout(shape, lanes)))
    o : Out(stream.Signature(ArrayLayout(shape, len(indices))))
    """
    def __init__(self, *, shape, lanes, indices):
        self.indices = indices
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(shape, lanes))),
            "o": Out(stream.Signature(data.ArrayLayout(shape, len(indices)))),
        })

    def elaborate(self, platform):
        m = Module()

        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
        ]
        m.d.comb += [self.o.payload[k].eq(self.i.payload[index])
                     for k, index in enumerate(self.indices)]

        return m
