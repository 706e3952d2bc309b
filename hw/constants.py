"""Constants that belong to the channels of a frame."""
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw import table
from hw.stream import transfers
from hw.table import Table


class Constants(wiring.Component):
    """The constants of the channels of a transfer, one cycle with ``en`` after its ``group``.

    A :class:`hw.table.Table`; nothing where those of all transfers are the same.

    Parameters
    ----------
    width : int
        Bits of a channel's constants.
    values : list of int
        The constants of each channel; of negative ones the low ``width`` bits.
    lanes : int
        Channels a transfer.
    block : bool
        Whether a deep memory is a block RAM.

    Members
    -------
    en : In(1)
        Advances the read.
    group : In(range(⌈channels / lanes⌉))
        Which transfer of its frame.
    o : Out(ArrayLayout(width, lanes))
        The constants; any beyond the last channel.
    """
    def __init__(self, *, width, values, lanes, block=False):
        self.width = width
        self.values = values
        self.lanes = lanes
        self.block = block
        super().__init__({
            "en": In(1),
            "group": In(range(transfers(len(values), lanes))),
            "o": Out(data.ArrayLayout(width, lanes)),
        })

    def elaborate(self, platform):
        m = Module()

        words = [sum((value & (1 << self.width) - 1) << lane * self.width
                     for lane, value in enumerate(row)) for row in rows(self.values, self.lanes)]
        if not differ(self.values, self.lanes):
            m.d.comb += self.o.eq(words[0])
        else:
            m.submodules.table = read = Table(
                width=self.width * self.lanes, words=words, block=self.block)
            m.d.comb += [
                read.en.eq(self.en),
                read.address.eq(self.group),
                self.o.eq(read.data),
            ]

        return m


def rows(values, lanes):
    """The values of each transfer; beyond the last channel those of the first transfer, or 0."""
    spare = -len(values) % lanes
    first = [*values, *[0] * lanes][:lanes]
    values = [*values, *first[lanes - spare:]]
    return [values[k:k + lanes] for k in range(0, len(values), lanes)]


def differ(values, lanes):
    """Whether transfers of ``lanes`` channels have different values."""
    first, *others = rows(values, lanes)
    return any(row != first for row in others)


def cells(width, values, lanes, block):
    """Estimate of the cells of the constants."""
    if not differ(values, lanes):
        return 0
    return table.cells(width * lanes, transfers(len(values), lanes), block)
