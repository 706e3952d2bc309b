"""The adders of a graph: what each one adds, and of which operands it takes the complement."""
from dataclasses import dataclass
from functools import cached_property
from math import exp
from random import Random

from hw.unroll.graph import AdderGraph, Term, width
from hw.unroll.signs import carrier, carriers

SWEEPS = 50
TEMPERATURE = 4.0   # bits


@dataclass(frozen=True)
class Adder:
    """``node = x ± (y + carry)``, with the sign of y; x is not subtracted.

    ``carry`` is a node of a single bit, or None. Bits of x below the shift of y pass by the adder;
    ``bits`` are those that it computes.
    """
    node: int
    x: Term
    y: Term
    carry: int | None
    bits: int

    def operands(self):
        """The nodes that it adds or subtracts, each with its sign."""
        yield self.x.node, 1
        yield self.y.node, self.y.sign
        if self.carry is not None:
            yield self.carry, self.y.sign


@dataclass(frozen=True)
class Circuit:
    """An adder graph as adders.

    Parameters
    ----------
    graph : AdderGraph
        The graph, of :func:`hw.unroll.signs.oriented`.
    bounds : list of (int, int)
        The least and the greatest value of each node.
    adders : tuple of Adder
        Each behind those that it needs.
    inverted : frozenset of int
        Nodes whose adder adds complements and gives the complement of that.
    """
    graph: AdderGraph
    bounds: list[tuple[int, int]]
    adders: tuple[Adder, ...]
    inverted: frozenset[int]

    def levels(self):
        """How many adders lie one behind the other up to each node that is not part of one."""
        levels = dict.fromkeys(range(self.graph.columns), 0)
        for adder in self.adders:
            levels[adder.node] = (adder.bits > 0) + max(levels[n] for n, _ in adder.operands())
        return levels

    @cached_property
    def widths(self):
        """The bits of each node."""
        return [width(*bounds) for bounds in self.bounds]

    def row_bounds(self, term):
        """The least and the greatest value of a row."""
        if term is None:
            return 0, 0
        lo, hi = self.bounds[term.node]
        return (lo << term.shift, hi << term.shift) if term.sign > 0 else (
            -hi << term.shift, -lo << term.shift)

    def complements(self):
        """Nodes of which only complements are used."""
        return {n for n, used in _uses(self.graph, self.adders, self.inverted).items()
                if used[True] and not used[False]}


def circuit(graph, *, lo, hi, raw_operands):
    """The adders of a graph, for elements from ``lo`` to ``hi``.

    With ``raw_operands`` a carry cell takes its operands as they are: subtractions are arranged to
    need few inverters.
    """
    found = _adders(graph, lo, hi)
    bounds = graph.ranges(lo, hi)
    widths = [width(*bound) for bound in bounds]
    return Circuit(graph, bounds, found,
                   _inverted(graph, found, widths) if raw_operands else frozenset())


def _adders(graph, lo, hi):
    bounds = graph.ranges(lo, hi)
    widths = [width(*bound) for bound in bounds]
    carrier_of = carriers(graph, lo, hi)
    found, joined = [], set()

    def terms_of(n):
        return graph.sums[n - graph.columns]

    for n in reversed(range(graph.columns, len(bounds))):
        if n in joined:
            continue
        x, y = terms_of(n)
        carry = None
        inner = carrier(n, terms_of, carrier_of, widths)
        if inner:
            x = y if inner is x else x
            bit, a = sorted(terms_of(inner.node), key=lambda term: bounds[term.node] != (0, 1))
            y, carry = Term(a.node, inner.shift, inner.sign), bit.node
            joined.add(inner.node)
        elif x.shift > y.shift and y.sign > 0:
            x, y = y, x
        apart = carry is None and y.sign > 0 and bounds[x.node][0] >= 0 and (
            bounds[x.node][1] << x.shift < 1 << y.shift)
        found.append(Adder(n, x, y, carry, 0 if apart else widths[n] - y.shift))
    return tuple(reversed(found))


def _inverted(graph, adders, widths, seed=0):
    """The nodes whose adders should add complements, chosen by annealing.

    A carry cell wants the complement of what it subtracts, at a look-up table a bit; but if every
    use of a sum is a complement, its adder can give just that at no cost. Now ``x − y =
    ~(~x + y)`` and ``x + y = ~(~x − y)``: an adder may use complements either of what it subtracts
    or of what it adds.
    """
    random = Random(seed)
    found, used = set(), _uses(graph, adders, ())

    def bits(adder):
        return sum(widths[n] for n, _ in adder.operands() if all(used[n].values()))

    def flip(adder):
        for n, sign in adder.operands():
            complement = (sign < 0) != (adder.node in found)
            used[n][complement] -= 1
            used[n][not complement] += 1
        found.symmetric_difference_update({adder.node})

    steps = SWEEPS * len(adders)
    for step in range(steps):
        adder = random.choice(adders)
        before = bits(adder)
        flip(adder)
        worse = bits(adder) - before
        if worse > 0 and random.random() >= exp(-worse / (TEMPERATURE * (1 - step / steps))):
            flip(adder)
    return frozenset(found)


def _uses(graph, adders, inverted):
    used = {n: {False: 0, True: 0} for n in range(graph.columns + len(graph.sums))}
    for n in [*range(graph.columns), *(term.node for term in graph.rows if term)]:
        used[n][False] += 1
    for adder in adders:
        for n, sign in adder.operands():
            used[n][(sign < 0) != (adder.node in inverted)] += 1
    return used
