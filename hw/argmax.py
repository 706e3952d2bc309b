"""The decision: index of the largest value."""
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw import pipeline
from hw.pipeline import Pipeline


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


class ParallelArgMax(wiring.Component):
    """Index of the largest of ``channels`` values, given at once: :func:`sw.golden.argmax`.

    Of equal values the lowest index wins. A tree of comparisons of two values each; every level
    ends in registers. Takes a frame a cycle, latency ``latency`` cycles.

    Parameters
    ----------
    shape : Shape
        Shape of a value.
    channels : int
        Values a frame.

    Members
    -------
    i : In(stream.Signature(ArrayLayout(shape, channels)))
        Values, in channel order.
    o : Out(stream.Signature(range(channels)))
        Index of the largest.
    """
    def __init__(self, *, shape, channels):
        self.shape = Shape.cast(shape)
        self.channels = channels
        self.latency = ceil_log2(channels)
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(self.shape, channels))),
            "o": Out(stream.Signature(range(channels))),
        })

    def elaborate(self, platform):
        m = Module()

        pipe = Pipeline(m, self.i, self.o, latency=self.latency, channels=self.channels,
                        lanes=self.channels)
        def invert(values):
            """The values as the next level reads them: the first of two, to subtract, inverted."""
            return [~value if k % 2 == 0 and k + 1 < len(values) else value
                    for k, value in enumerate(values)]

        def extend(value, inverted):
            return Cat(value, value[-1] if self.shape.signed else C(inverted, 1))

        values = invert(list(self.i.payload))
        indices = [C(0, 0)] * self.channels     # of each, among those that it has beaten
        for _ in range(self.latency):
            best, places = [], []
            for k in range(0, len(values) - 1, 2):
                less, value = values[k:k + 2]
                # Value − less − 1 is not negative.
                better = ~(extend(value, 0) + extend(less, 1))[self.shape.width]
                best.append(Mux(better, value, ~less))
                places.append(Cat(Mux(better, indices[k + 1], indices[k]), better))
            if len(values) % 2:
                best.append(values[-1])
                places.append(Cat(indices[-1], C(0, 1)))
            values = [pipe.delay(value, 1, "value") for value in invert(best)]
            indices = [pipe.delay(place, 1, "index") for place in places]
        m.d.comb += self.o.payload.eq(indices[0])

        return m


def cells(*, bits, channels):
    """Estimate of the logic cells of an :class:`ArgMax` of values of ``bits`` bits."""
    return 2 * bits + 4 * ceil_log2(channels) + 23


def parallel_cells(*, bits, channels):
    """Estimate of the logic cells of a :class:`ParallelArgMax` of values of ``bits`` bits."""
    total = pipeline.cells(ceil_log2(channels))
    values = channels
    for level in range(ceil_log2(channels)):
        compared, values = values // 2, (values + 1) // 2
        total += compared * (bits + 1) + values * (level + 1 + (bits if values > 1 else 0))
    return round(total)
