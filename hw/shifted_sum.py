"""Sum of numbers that stand at several binary places."""
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw import adder_tree
from hw.adder_tree import AdderTree
from hw.pe.accumulator import add


class ShiftedSum(wiring.Component):
    """The sum of several groups of numbers, the numbers of each group shifted left by its place.

    ``o = Σ_g 2^(place_g − lowest place) · Σ_j i[g][j]``, and with ``carries`` the same of the
    carry bits, ``carry[g][j]``. Each group has an adder tree no wider than its numbers need;
    adders then join two groups at a time, and the bits below the higher place pass by.

    One word a cycle; latency ``levels`` cycles in which ``en`` is set.

    Parameters
    ----------
    groups : dict of int to (int, Shape)
        For each place, rising, how many numbers stand there and the shape of each.
    carries : bool
        Whether the carry bits are used.

    Members
    -------
    en : In(1)
        Advances the registers.
    i : In(StructLayout of an ArrayLayout(shape, count) for each place)
        The numbers; the name of a field is the place.
    carry : In(StructLayout of count bits for each place)
        A bit for each number, all of one word.
    o : Out(Shape)
        Their sum without ``spare``, of exactly the shape that its range needs.
    spare : Out(1)
        The last carry bit of the lowest place, for which no adder is left; as late as ``o``.
    """
    def __init__(self, *, groups, carries=False):
        self.groups = {place: (count, Shape.cast(shape))
                       for place, (count, shape) in groups.items()}
        self.carries = carries
        self.levels = levels(self.groups)
        super().__init__({
            "en": In(1, init=1),
            "i": In(data.StructLayout({str(place): data.ArrayLayout(shape, count)
                                       for place, (count, shape) in self.groups.items()})),
            "carry": In(data.StructLayout({str(place): count
                                           for place, (count, _) in self.groups.items()})),
            "o": Out(_range(self.groups, carries)),
            "spare": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        trees = _tree_levels(self.groups)

        def delay(value, cycles, name):
            for level in range(cycles):
                past = Signal.like(value, name=f"{name}_{level}")
                with m.If(self.en):
                    m.d.sync += past.eq(value)
                value = past
            return value

        def group(place):
            """The sum of a group and its last carry bit, when all trees are done."""
            count, shape = self.groups[place]
            m.submodules[f"tree_{place}"] = tree = AdderTree(count=count, shape=shape,
                                                             carries=self.carries)
            carry = self.carry[str(place)]
            m.d.comb += [
                tree.en.eq(self.en),
                tree.i.eq(self.i[str(place)]),
                tree.carry.eq(carry),
            ]
            last = carry[count - 1] if self.carries else C(0, 0)
            return (delay(tree.o, trees - tree.levels, f"sum_{place}"),
                    delay(last, trees, f"last_{place}"))

        def join(places, level):
            """The sum of groups and the last carry bit of the lowest, ``level`` joins later."""
            own = ceil_log2(len(places))
            name = "_".join(map(str, places))
            if own == 0:
                value, spare = group(places[0])
            else:
                half = (len(places) + 1) // 2
                (low, spare), (high, carry) = (join(places[:half], own - 1),
                                               join(places[half:], own - 1))
                below = Signal(places[half] - places[0], name=f"below_{name}")
                m.d.comb += below.eq(low)
                above = add(carry, low.shift_right(len(below)), high)
                value = Signal(_range({place: self.groups[place] for place in places},
                                      self.carries), name=f"join_{name}")
                with m.If(self.en):
                    m.d.sync += value.eq(Cat(below, above))
                spare = delay(spare, 1, f"spare_{name}")
            return (delay(value, level - own, f"value_{name}"),
                    delay(spare, level - own, f"carry_{name}"))

        value, spare = join(list(self.groups), self.levels - trees)
        m.d.comb += [self.o.eq(value), self.spare.eq(spare)]
        return m


def levels(groups):
    """Levels of the sum of ``groups``, and so its latency: of the trees, then of the joins."""
    return _tree_levels(groups) + ceil_log2(len(groups))


def _tree_levels(groups):
    return max(adder_tree.levels(count) for count, _ in groups.values())


def _range(groups, carries):
    """Shape of the sum of ``groups``, without the last carry bit of the lowest."""
    lowest = min(groups)
    lo, hi = 0, -int(carries)
    for place, (count, shape) in groups.items():
        least = -1 << shape.width - 1 if shape.signed else 0
        lo += count * least << place - lowest
        hi += count * (least + (1 << shape.width) - 1 + carries) << place - lowest
    return Shape.cast(range(lo, hi + 1))


def cells(groups, carries=False):
    """Estimate of the cells of a sum of ``groups``, with the registers of what waits."""
    trees = _tree_levels(groups)

    def group(place):
        count, shape = groups[place]
        width = _range({place: groups[place]}, carries).width
        waiting = (trees - adder_tree.levels(count)) * width
        return (adder_tree.cells(count, shape.width, carries) + waiting
                + carries * (_late(count) + trees))

    def join(places, level):
        own = ceil_log2(len(places))
        width = _range({place: groups[place] for place in places}, carries).width
        half = (len(places) + 1) // 2
        inner = group(places[0]) if own == 0 else (
            join(places[:half], own - 1) + join(places[half:], own - 1) + width + 1)
        return inner + (level - own) * width

    return join(list(groups), ceil_log2(len(groups)))


def _late(count):
    """Registers that the carry bits of a tree pass."""
    if count == 1:
        return 0
    left = (count + 1) // 2
    return adder_tree.levels(count) - 1 + _late(left) + _late(count - left)
