"""Weight memory: a wide read-only memory cut into block RAMs and look-up tables."""
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

TABLE = 16   # words that one LUT4 holds of a bit


class Rom(wiring.Component):
    """Read-only memory whose words are cut into slices, each a memory of its own.

    One word a cycle, two cycles with ``en`` after its address; it holds while ``en`` is 0. A slice
    in look-up tables reads one LUT4 a bit for every :data:`TABLE` words in the first cycle and
    selects in the second; a block RAM waits a cycle.

    Parameters
    ----------
    words : list of int
        The contents.
    slices : list of (int, bool)
        Width of each slice, low bits first, and whether it is a block RAM (else look-up tables).

    Members
    -------
    en : In(1)
        Advances the reads.
    address : In(range(len(words)))
    data : Out(sum of the widths)
    """
    latency = 2

    def __init__(self, *, words, slices):
        self.words = words
        self.slices = slices
        super().__init__({
            "en": In(1),
            "address": In(range(len(words))),
            "data": Out(sum(width for width, _ in slices)),
        })

    def elaborate(self, platform):
        m = Module()

        past = Signal.like(self.address)
        with m.If(self.en):
            m.d.sync += past.eq(self.address)

        place = 0
        for k, (width, block) in enumerate(self.slices):
            words = [(word >> place) & (1 << width) - 1 for word in self.words]
            target = self.data[place:place + width]
            if block:
                m.submodules[f"slice_{k}"] = memory = Memory(
                    shape=width, depth=len(words), init=words, attrs={"ram_style": "block"})
                port = memory.read_port()
                m.d.comb += [port.en.eq(self.en), port.addr.eq(past), target.eq(port.data)]
            else:
                # Word a of this memory holds words a, a + TABLE, a + 2 · TABLE, … side by side.
                tables = [words[first:first + TABLE] for first in range(0, len(words), TABLE)]
                rows = [sum(table[a] << s * width for s, table in enumerate(tables)
                            if a < len(table)) for a in range(min(TABLE, len(words)))]
                m.submodules[f"slice_{k}"] = memory = Memory(
                    shape=width * len(tables), depth=len(rows), init=rows,
                    attrs={"ram_style": "logic"})
                port = memory.read_port()
                m.d.comb += [
                    port.en.eq(self.en),
                    port.addr.eq(self.address[:len(port.addr)]),
                ]
                chosen = Signal(width, name=f"data_{k}")
                with m.If(self.en):
                    m.d.sync += chosen.eq(port.data.word_select(past[len(port.addr):], width))
                m.d.comb += target.eq(chosen)
            place += width

        return m
