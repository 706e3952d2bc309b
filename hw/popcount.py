"""Popcount: the number of ones in a word, as a tree of adders on carry chains."""
from functools import cache

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for


class Popcount(wiring.Component):
    """The number of ones of a word, as ``int.bit_count`` gives it.

    Three bits at a time are counted in look-up tables; adders then join two counts and one more
    bit, which stands in both operands below the lowest place and so generates the carry in.
    (As a plain sum, synthesis makes carry-save adders of it, at two look-up tables a bit.)

    One word a cycle; latency ``levels`` cycles in which ``en`` is set if ``registered``, else 0.

    Parameters
    ----------
    width : int
        Bits of a word, at least 1.
    registered : bool
        Whether every level ends in registers.

    Members
    -------
    en : In(1)
        Advances the registers.
    i : In(width)
        The word.
    o : Out(range(width + 1))
        Its number of ones.
    """
    def __init__(self, *, width, registered=True):
        if not isinstance(width, int) or width < 1:
            raise TypeError(f"Width must be a positive integer, not {width!r}")
        self.width = width
        self.registered = registered
        self.levels = levels(width)
        super().__init__({
            "en": In(1, init=1),
            "i": In(width),
            "o": Out(range(width + 1)),
        })

    def elaborate(self, platform):
        m = Module()

        def register(value, name):
            signal = Signal(len(value), name=name)
            if self.registered:
                with m.If(self.en):
                    m.d.sync += signal.eq(value)
            else:
                m.d.comb += signal.eq(value)
            return signal

        def delay(value, cycles, name):
            for level in range(cycles):
                value = register(value, f"{name}_{level}")
            return value

        def count(first, width, level):
            """The registered count of ``width`` bits from ``first`` on, as it leaves ``level``."""
            own = levels(width)
            name = f"count_{first}_{width}"
            if own == 1:
                value = register(_full_adder(self.i[first:first + width]), name)
            else:
                _, _, (carry, left, right) = _tree(width)
                extra = delay(self.i[first:first + carry], own - 1, f"bit_{first}")
                total = (Cat(extra, count(first + carry, left, own - 1))
                         + Cat(extra, count(first + carry + left, right, own - 1)))
                value = register(total[carry:][:bits_for(width)], name)
            return delay(value, level - own, name)

        m.d.comb += self.o.eq(count(0, self.width, self.levels))
        return m


def _full_adder(bits):
    """The count of one to three bits."""
    match list(bits):
        case [x]:
            return x
        case [x, y]:
            return Cat(x ^ y, x & y)
        case [x, y, z]:
            return Cat(x ^ y ^ z, Mux(x ^ y, z, x))


@cache
def _tree(width):
    """The tree of least cells for a width: its cells, its levels, and what its last adder joins:
    0 or 1 bits as the carry in, and the widths of the left and the right operand.

    An adder takes a cell a bit of its operands and one for its carry in or out; a bit taken as
    the carry in one more, for the logic in front of it.
    """
    if width <= 3:
        return (1, 2, 4)[width - 1], 1, None
    trees = []
    for carry in (1, 0):
        for right in range(1, (width - carry) // 2 + 1):
            left = width - carry - right
            cells = _tree(left)[0] + _tree(right)[0] + carry + 1 + bits_for(left)
            trees.append((cells, 1 + max(_tree(left)[1], _tree(right)[1]), (carry, left, right)))
    return min(trees)


def levels(width):
    """Levels of the tree of a width, and so its latency where it is registered."""
    return _tree(width)[1]


def cells(width):
    """Estimate of the cells of a registered popcount of ``width`` bits: the tree, and registers
    for the bits that wait for their adder and the counts that wait for their partner."""
    def waiting(width):
        own = levels(width)
        if own == 1:
            return 0
        carry, left, right = _tree(width)[2]
        return carry * (own - 2) + sum(waiting(part) + (own - 1 - levels(part)) * bits_for(part)
                                       for part in (left, right))
    return _tree(width)[0] + waiting(width)
