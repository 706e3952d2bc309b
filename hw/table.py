"""Read-only memory for constants: in look-up tables or a block RAM."""
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.stream import transfers

TABLE = 16   # words that one LUT4 holds of a bit
DEEP = 64    # words beyond which a block RAM is worth while


class Table(wiring.Component):
    """A word of a read-only memory, one cycle with ``en`` after its address.

    Look-up tables of :data:`TABLE` words end in registers that are 0 unless their table is
    addressed (a flip-flop has a synchronous reset, which costs no logic); the word is the OR of
    all. That is 1.33 LUT4 for each bit of a table, where multiplexers would take 2.

    Parameters
    ----------
    width : int
        Bits of a word.
    words : list of int
        The contents.
    block : bool
        Whether a memory of more than :data:`DEEP` words is a block RAM.

    Members
    -------
    en : In(1)
        Advances the read.
    address : In(range(len(words)))
    data : Out(width)
    """
    def __init__(self, *, width, words, block=False):
        self.width = width
        self.words = words
        self.block = block
        super().__init__({
            "en": In(1),
            "address": In(range(len(words))),
            "data": Out(width),
        })

    def elaborate(self, platform):
        m = Module()

        if self.block and len(self.words) > DEEP:
            m.submodules.memory = memory = Memory(
                shape=self.width, depth=len(self.words), init=self.words,
                attrs={"ram_style": "block"})
            port = memory.read_port()
            m.d.comb += [
                port.en.eq(self.en),
                port.addr.eq(self.address),
                self.data.eq(port.data),
            ]
            return m

        tables = []
        for first in range(0, len(self.words), TABLE):
            words = self.words[first:first + TABLE]
            m.submodules[f"memory_{first}"] = memory = Memory(
                shape=self.width, depth=len(words), init=words, attrs={"ram_style": "logic"})
            port = memory.read_port(domain="comb")
            m.d.comb += port.addr.eq(self.address)
            # Without the reset of the domain, which would take the flip-flop's own.
            word = Signal(self.width, name=f"word_{first}", reset_less=True)
            with m.If(self.en):
                m.d.sync += word.eq(port.data)
                if len(self.words) > TABLE:
                    with m.If(self.address // TABLE != first // TABLE):
                        m.d.sync += word.eq(0)
            tables.append(word)
        m.d.comb += self.data.eq(Cat(
            Cat(word[bit] for word in tables).any() for bit in range(self.width)))

        return m


def cells(width, depth, block=False):
    """Estimate of the cells of a table of random contents."""
    if block and depth > DEEP:
        return 0
    tables = transfers(depth, TABLE)
    # In few words, bits are the same in all, or the same as other bits.
    kinds = 2 ** min(depth, TABLE)
    bits = (kinds - 2) * (1 - (1 - 1 / kinds) ** width)
    return bits * (tables + transfers(tables - 1, 3)) + (tables if tables > 1 else 0)
