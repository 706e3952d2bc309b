"""Lookup of codes in a table."""
import numpy as np
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw import pipeline
from hw import table as tables
from hw.pipeline import Pipeline, check_positive
from hw.stream import transfers
from hw.table import Table


class Lookup(wiring.Component):
    """Table entries of codes: :func:`sw.golden.lookup`.

    ``lanes`` channels a transfer, one transfer a cycle, latency one cycle. With a table for each
    channel, a frame is ⌈channels / lanes⌉ transfers. Each lane has a memory: the table, or those
    of its channels one after the other.

    Parameters
    ----------
    shape : Shape
        Shape of a code.
    table : array of int, (channels, entries) or (1, entries)
        What each code, as an unsigned number, becomes; of a negative one the low bits count.
        One row is for all channels.
    output : Shape
        Shape of an entry; by default the smallest.
    lanes : int
        Channels a transfer.
    block : bool
        Whether deep memories are block RAMs.

    Members
    -------
    i : In(stream.Signature(ArrayLayout(shape, lanes)))
        Codes, in channel order.
    o : Out(stream.Signature(ArrayLayout(output, lanes)))
        Entries, in channel order; beyond the last of several channels 0.
    """
    latency = 1

    def __init__(self, *, shape, table, output=None, lanes=1, block=False):
        check_positive("Lanes", lanes)
        self.shape = Shape.cast(shape)
        self.table = np.asarray(table)
        self.output = _result(self.table) if output is None else Shape.cast(output)
        self.lanes = lanes
        self.block = block
        entries = self.table.shape[1]
        if entries > 1 << self.shape.width:
            raise ValueError(f"A table for codes of {self.shape.width} bits has at most "
                             f"{1 << self.shape.width} entries, not {entries}")
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(self.shape, lanes))),
            "o": Out(stream.Signature(data.ArrayLayout(self.output, lanes))),
        })

    def elaborate(self, platform):
        m = Module()

        channels = len(self.table)
        pipe = Pipeline(m, self.i, self.o, latency=1, channels=channels, lanes=self.lanes)
        lanes = _lanes(self.shape, self.table, self.output, self.lanes)
        for lane, words in enumerate(lanes):
            m.submodules[f"table_{lane}"] = read = Table(
                width=self.output.width, words=words, block=self.block)
            m.d.comb += [
                read.en.eq(pipe.en),
                read.address.eq(Cat(self.i.payload[lane], pipe.group(0))),
                self.o.payload[lane].eq(read.data),
            ]

        return m


def _lanes(shape, table, output, lanes):
    """The words of each lane's memory."""
    rows = table.astype(np.int64) & (1 << output.width) - 1
    if len(rows) == 1:
        return [rows[0].tolist()] * lanes
    # Each table takes as many words as there may be codes, and so does what is no channel.
    words = np.zeros((transfers(len(rows), lanes) * lanes, 1 << shape.width), np.int64)
    words[:len(rows), :rows.shape[1]] = rows
    return [words[lane::lanes].reshape(-1).tolist() for lane in range(lanes)]


def _result(table):
    """The smallest shape of all entries."""
    return Shape.cast(range(int(table.min()), int(table.max()) + 1))


def cells(*, shape, table, output=None, lanes=1, block=False):
    """Estimate of the logic cells, with the parameters of :class:`Lookup`."""
    shape, table = Shape.cast(shape), np.asarray(table)
    output = _result(table) if output is None else Shape.cast(output)
    memories = sum(tables.cells(_columns(words, output.width), len(words), block)
                   for words in _lanes(shape, table, output, lanes))
    return round(memories + pipeline.cells(1, transfers(len(table), lanes)))


def _columns(words, width):
    """How many bits of the words differ from each other and are not always the same."""
    bits = np.array(words)[:, None] >> np.arange(width) & 1
    changing = bits[:, (bits != bits[0]).any(axis=0)]
    return np.unique(changing, axis=1).shape[1]
