"""Selection of channels."""
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
        self.keep = keep
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(shape, lanes))),
            "o": Out(stream.Signature(data.ArrayLayout(shape, lanes))),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.rom = rom = Memory(shape=1, depth=len(self.keep),
                                        init=[int(keep) for keep in self.keep],
                                        attrs={"ram_style": "logic"})
        port = rom.read_port(domain="comb")
        beat = Signal(range(len(self.keep)))
        m.d.comb += [
            port.addr.eq(beat),
            self.o.payload.eq(self.i.payload),
            self.o.valid.eq(self.i.valid & port.data),
            self.i.ready.eq(self.o.ready | ~port.data),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += beat.eq(Mux(beat == len(self.keep) - 1, 0, beat + 1))

        return m
