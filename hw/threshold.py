"""Threshold activation."""
import numpy as np
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class Threshold(wiring.Component):
    """Per-channel thresholds: :func:`sw.golden.threshold`.

    ``lanes`` channels a transfer, one transfer a cycle, latency two cycles. A frame is
    ⌈channels / lanes⌉ transfers.

    Parameters
    ----------
    shape : Shape
        Shape of an input value.
    thresholds : array of int, (channels, steps)
        Ascending thresholds of each channel.
    flip : array of bool, (channels,)
        Channels that count down from ``steps``.
    lanes : int
        Channels a transfer.

    Members
    -------
    i : In(stream.Signature(ArrayLayout(shape, lanes)))
        Values, in channel order.
    o : Out(stream.Signature(ArrayLayout(range(steps + 1), lanes)))
        Levels, in channel order; 0 beyond the last channel.
    """
    def __init__(self, *, shape, thresholds, flip, lanes=1):
        channels, steps = np.shape(thresholds)
        if np.shape(flip) != (channels,):
            raise ValueError(f"Flip must have an entry a channel, {channels}, not shape "
                             f"{np.shape(flip)}")
        if not isinstance(lanes, int) or lanes < 1:
            raise TypeError(f"Lanes must be a positive integer, not {lanes!r}")
        self.shape = Shape.cast(shape)
        self.thresholds = np.asarray(thresholds)
        self.flip = np.asarray(flip)
        self.lanes = lanes
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(self.shape, lanes))),
            "o": Out(stream.Signature(data.ArrayLayout(range(steps + 1), lanes))),
        })

    def elaborate(self, platform):
        m = Module()

        channels, steps = self.thresholds.shape
        lanes = self.lanes
        groups = -(-channels // lanes)
        # What fills the last transfer never reaches a threshold.
        spare = groups * lanes - channels
        never = 1 << (self.shape.width - self.shape.signed)
        thresholds = np.pad(self.thresholds, ((0, spare), (0, 0)), constant_values=never)
        flip = np.pad(self.flip, (0, spare))
        channel = data.StructLayout({
            "thresholds": data.ArrayLayout(
                Shape.cast(range(min(0, int(thresholds.min())), int(thresholds.max()) + 1)), steps),
            "flip": 1,
        })
        entries = [{"thresholds": t, "flip": f}
                   for t, f in zip(thresholds.tolist(), flip.astype(int).tolist(), strict=True)]
        rows = [entries[k:k + lanes] for k in range(0, len(entries), lanes)]
        layout = data.ArrayLayout(channel, lanes)

        en = Signal()
        valid = Signal()
        x = Signal(data.ArrayLayout(self.shape, lanes))
        m.d.comb += [
            en.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(en),
        ]
        with m.If(en):
            m.d.sync += [x.eq(self.i.payload), valid.eq(self.i.valid), self.o.valid.eq(valid)]

        if all(row == rows[0] for row in rows):
            entry = Signal(layout, init=rows[0])
        else:
            m.submodules.rom = rom = Memory(shape=layout, depth=groups, init=rows,
                                            attrs={"ram_style": "logic"})
            port = rom.read_port()
            group = Signal(range(groups))
            m.d.comb += [port.en.eq(en), port.addr.eq(group)]
            with m.If(en & self.i.valid):
                m.d.sync += group.eq(Mux(group == groups - 1, 0, group + 1))
            entry = port.data

        for lane in range(lanes):
            reached = sum(x[lane] >= entry[lane].thresholds[k] for k in range(steps))
            with m.If(en):
                m.d.sync += self.o.payload[lane].eq(
                    Mux(entry[lane].flip, steps - reached, reached))

        return m
