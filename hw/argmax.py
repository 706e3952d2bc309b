"""The decision: index of the largest value."""
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out


class ArgMax(wiring.Component):
    """Index of the largest of ``channels`` values: :func:`sw.golden.argmax`.

    Of equal values the lowest index wins. Takes one value a cycle.

    Parameters
    ----------
    shape : Shape
        Shape of a value.
    channels : int
        Values a frame.

    Members
    -------
    i : In(stream.Signature(ArrayLayout(shape, 1)))
        Values, in channel order.
    o : Out(stream.Signature(range(channels)))
        Index of the largest.
    """
    def __init__(self, *, shape, channels):
        self.shape = Shape.cast(shape)
        self.channels = channels
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(self.shape, 1))),
            "o": Out(stream.Signature(range(channels))),
        })

    def elaborate(self, platform):
        m = Module()

        index = Signal(range(self.channels))
        best = Signal(self.shape)
        leader = Signal.like(index)
        better = Signal()
        m.d.comb += [
            better.eq((index == 0) | (self.i.payload[0] > best)),
            self.i.ready.eq(~self.o.valid | self.o.ready),
        ]
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(0)
            with m.If(self.i.valid):
                m.d.sync += index.eq(index + 1)
                with m.If(better):
                    m.d.sync += [best.eq(self.i.payload[0]), leader.eq(index)]
                with m.If(index == self.channels - 1):
                    m.d.sync += [
                        index.eq(0),
                        self.o.valid.eq(1),
                        self.o.payload.eq(Mux(better, index, leader)),
                    ]

        return m
