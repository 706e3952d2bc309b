"""Popcount: the number of ones in a word, as a tree of adders on carry chains."""
from functools import cache

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for


class Popcount(wiring.Component):
    """The number of ones of a word, as ``int.bit_count`` gives it.

    Adders join two counts and one more bit, which stands in both operands below the lowest place
    and so generates the carry in. (As a plain sum, synthesis makes carry-save adders of it, at
    two look-up tables a bit.) Where the carry cells take their operands raw, three bits at a time
    are first counted in look-up tables.

    One word a cycle; latency ``levels`` cycles in which ``en`` is set if ``registered``, else 0.

    Parameters
    ----------
    width : int
        Bits of a word, at least 1.
    registered : bool
        Whether every level ends in registers.
    raw_operands : bool
        Whether carry cells have no logic before their operands: iCE40 yes, ECP5 no.
    inverted : int
        A mask of bits that count when they are 0, best used for constants: they go where a
        complement costs nothing.

    Members
    -------
    en : In(1)
        Advances the registers.
    i : In(width)
        The word.
    o : Out(range(width + 1))
        Its number of ones.
    """
    def __init__(self, *, width, registered=True, raw_operands=True, inverted=0):
        if not isinstance(width, int) or width < 1:
            raise TypeError(f"Width must be a positive integer, not {width!r}")
        self.width = width
        self.registered = registered
        self.raw_operands = raw_operands
        self.inverted = inverted
        self.levels = _tree(width, raw_operands, registered)[1]
        super().__init__({
            "en": In(1, init=1),
            "i": In(width),
            "o": Out(range(width + 1)),
        })

    def elaborate(self, platform):
        m = Module()

        word = Signal(self.width)
        m.d.comb += word.eq(self._ordered() if self.inverted else self.i)

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
            _, own, parts = _tree(width, self.raw_operands, self.registered)
            name = f"count_{first}_{width}"
            if not own:
                value = word[first]
            elif parts is None:
                value = register(_full_adder(word[first:first + width]), name)
            else:
                carry, left, right = parts
                extra = delay(word[first:first + carry], own - 1, f"bit_{first}")
                total = (Cat(extra, count(first + carry, left, own - 1))
                         + Cat(extra, count(first + carry + left, right, own - 1)))
                value = register(total[carry:][:bits_for(width)], name)
            return delay(value, level - own, name)

        m.d.comb += self.o.eq(count(0, self.width, self.levels))
        return m

    def _ordered(self):
        """The bits to count, those that are inverted where that costs nothing."""
        free = _free(self.width, self.raw_operands, self.registered)
        inverted = [self.inverted >> k & 1 for k in range(self.width)]
        bits = sorted(range(self.width), key=lambda k: inverted[k])
        places = sorted(range(self.width), key=lambda place: free[place])
        at = dict(zip(places, bits, strict=True))
        return Cat(self.i[at[place]] ^ inverted[at[place]] for place in range(self.width))


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
def _tree(width, raw_operands, registered):
    """The tree of least cells for a width: its cells, its levels, and what its last adder joins:
    0 or 1 bits as the carry in, and the widths of the left and the right operand.

    An adder takes a cell a bit of its operands and one for its carry out, which takes the carry in
    as well unless operands are raw: then that takes another, and the logic in front of it a third.
    """
    if width == 1 and not raw_operands:
        return 0, 0, None
    if width <= 3 and raw_operands:
        return width, 1, None
    trees = []
    if width == 2:
        carries = 0,
    elif raw_operands and not registered:
        carries = 1,    # sums with no bit and no register between them become carry-save adders
    else:
        carries = 1, 0
    for carry in carries:
        for right in range(1, (width - carry) // 2 + 1):
            left = width - carry - right
            parts = [_tree(part, raw_operands, registered) for part in (left, right)]
            cells = sum(part[0] for part in parts) + (
                bits_for(left) + 1 + 2 * (carry and raw_operands))
            trees.append((cells, 1 + max(part[1] for part in parts), (carry, left, right)))
    return min(trees)


def _free(width, raw_operands, registered):
    """For each bit whether its complement costs nothing: in front of an operand that is not raw,
    if the other one is no complement, and in look-up tables."""
    parts = _tree(width, raw_operands, registered)[2]
    if parts is None:
        return [True] * width
    carry, left, right = parts
    left_free, right_free = (_free(part, raw_operands, registered) for part in (left, right))
    return ([not raw_operands] * carry + left_free
            + (right_free if raw_operands or right > 1 else [False]))


def levels(width, raw_operands=True):
    """Levels of the registered tree of a width, which are its latency."""
    return _tree(width, raw_operands, True)[1]


def cells(width, raw_operands=True):
    """Estimate of the cells of a registered popcount of ``width`` bits: the tree, and registers
    for the bits that wait for their adder and the counts that wait for their partner."""
    def waiting(width):
        _, own, parts = _tree(width, raw_operands, True)
        if parts is None:
            return 0
        carry, left, right = parts
        return carry * (own - 2) + sum(
            waiting(part) + (own - 1 - levels(part, raw_operands)) * bits_for(part)
            for part in (left, right))
    return _tree(width, raw_operands, True)[0] + waiting(width)
