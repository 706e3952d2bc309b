"""Adder tree: the sum of several numbers, two at a time on carry chains."""
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2


class AdderTree(wiring.Component):
    """The sum of ``count`` numbers of one shape, and of a bit for each of its adders.

    Each adder joins two sums and takes a bit as its carry in, which stands in both operands below
    the lowest place. Every level ends in registers, so that synthesis keeps each adder on a carry
    chain of its own. (A sum written as one expression becomes carry-save adders in look-up tables,
    at twice the cells.)

    One word a cycle; latency ``levels`` cycles in which ``en`` is set.

    Parameters
    ----------
    count : int
        Numbers to add, at least 1.
    shape : Shape
        Shape of each.
    carries : bool
        Whether the carry bits are used.

    Members
    -------
    en : In(1)
        Advances the registers.
    i : In(ArrayLayout(shape, count))
        The numbers.
    carry : In(count − 1)
        A bit for each adder, all of one word; counts 1.
    o : Out(Shape)
        Their sum, of exactly the shape that its range needs.
    """
    def __init__(self, *, count, shape, carries=False):
        if not isinstance(count, int) or count < 1:
            raise TypeError(f"Count must be a positive integer, not {count!r}")
        self.count = count
        self.shape = Shape.cast(shape)
        self.carries = carries
        self.levels = levels(count)
        super().__init__({
            "en": In(1, init=1),
            "i": In(data.ArrayLayout(self.shape, count)),
            "carry": In(count - 1),
            "o": Out(self._range(count)),
        })

    def _range(self, count):
        """Shape of the sum of ``count`` of the numbers and the carries of its adders."""
        lo, hi = (-1 << self.shape.width - 1, 1 << self.shape.width - 1) if self.shape.signed else (
            0, 1 << self.shape.width)
        return Shape.cast(range(count * lo, count * (hi - 1) + self.carries * (count - 1) + 1))

    def elaborate(self, platform):
        m = Module()

        def delay(value, cycles, name):
            for level in range(cycles):
                past = Signal.like(value, name=f"{name}_{level}")
                with m.If(self.en):
                    m.d.sync += past.eq(value)
                value = past
            return value

        def add(first, count, level):
            """The sum of ``count`` numbers from ``first`` on, as it leaves ``level``."""
            own = levels(count)
            name = f"sum_{first}_{count}"
            if count == 1:
                value = Signal(self.shape, name=name)
                m.d.comb += value.eq(self.i[first])
                return delay(value, level, name)
            left = (count + 1) // 2
            # The adder that joins numbers first + left − 1 and first + left has that carry bit.
            carry = delay(self.carry[first + left - 1], own - 1, f"carry_{first + left}") \
                if self.carries else C(0, 0)
            a, b = add(first, left, own - 1), add(first + left, count - left, own - 1)
            value = Signal(self._range(count), name=name)
            signed = (lambda v: v.as_signed()) if self.shape.signed else (lambda v: v)
            total = signed(Cat(carry, a)) + signed(Cat(carry, b))
            with m.If(self.en):
                m.d.sync += value.eq(total >> len(carry))
            return delay(value, level - own, name)

        m.d.comb += self.o.eq(add(0, self.count, self.levels))
        return m


def levels(count):
    """Levels of the tree of ``count`` numbers, and so its latency."""
    return ceil_log2(count)


def cells(count, width, carries=False):
    """Estimate of the cells of a tree of ``count`` numbers of ``width`` bits, with the registers
    of the sums that wait for their partner."""
    def wide(count):
        return (count * ((1 << width) - 1)).bit_length()

    if count == 1:
        return 0
    left, right = (count + 1) // 2, count // 2
    waiting = (levels(left) - levels(right)) * wide(right)
    return sum(cells(part, width, carries) for part in (left, right)) + (
        wide(count) + carries + waiting)
