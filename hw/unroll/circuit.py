"""The adders of a graph: what each one adds, and of which operands it takes the complement."""
from dataclasses import dataclass
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
    complements : frozenset of int
        Nodes of which only complements are used.
    inverters : int
        Bits of nodes that are needed both ways, or of elements that are needed complemented.
    """
    graph: AdderGraph
    bounds: list[tuple[int, int]]
    adders: tuple[Adder, ...]
    inverted: frozenset[int] = frozenset()
    complements: frozenset[int] = frozenset()
    inverters: int = 0

    def width(self, n):
        """Bits of a node."""
        return width(*self.bounds[n])

    def row_bounds(self, term):
        """The least and the greatest value of a row."""
        if term is None:
            return 0, 0
        lo, hi = self.bounds[term.node]
        return (lo << term.shift, hi << term.shift) if term.sign > 0 else (
            -hi << term.shift, -lo << term.shift)

    def cost(self):
        """Bits of adders, inverters and negations."""
        negated = [term.node for term in self.graph.rows if term and term.sign < 0]
        return sum(adder.bits for adder in self.adders) + self.inverters + sum(
            map(self.width, negated))

    def levels(self):
        """How many adders lie one behind the other up to each element and the sum of each."""
        levels = dict.fromkeys(range(self.graph.columns), 0)
        for adder in self.adders:
            levels[adder.node] = (adder.bits > 0) + max(levels[n] for n, _ in adder.operands())
        return levels


def circuit(graph, *, lo, hi, raw_operands):
    """The adders of a graph, for elements from ``lo`` to ``hi``.

    With ``raw_operands`` a carry cell takes its operands as they are, and wants the complement of
    what it subtracts: at a look-up table a bit, unless every use of a sum is a complement, which
    its adder can give at no cost. Now ``x − y = ~(~x + y)`` and ``x + y = ~(~x − y)``: an adder may
    use complements either of what it subtracts or of what it adds. Annealing chooses.
    """
    bounds = graph.ranges(lo, hi)
    adders = _adders(graph, bounds)
    if not raw_operands:
        return Circuit(graph, bounds, adders)
    inverted, used = _inverted(graph, adders, bounds)
    elements = range(graph.columns)
    return Circuit(
        graph, bounds, adders, inverted,
        complements=frozenset(n for n, (plain, complement) in enumerate(used)
                              if complement and plain == (n in elements)),
        inverters=sum(width(*bounds[n]) for n, both in enumerate(used) if all(both)))


def _adders(graph, bounds):
    carrier_of = carriers(graph, bounds)
    found, joined = [], set()

    def terms_of(n):
        return graph.sums[n - graph.columns]

    for n in reversed(range(graph.columns, len(bounds))):
        if n in joined:
            continue
        x, y = terms_of(n)
        carry = None
        inner = carrier(n, terms_of, carrier_of, bounds)
        if inner:
            x = y if inner == x else x
            bit, a = sorted(terms_of(inner.node), key=lambda term: bounds[term.node] != (0, 1))
            y, carry = Term(a.node, inner.shift, inner.sign), bit.node
            joined.add(inner.node)
        elif x.shift > y.shift and y.sign > 0:
            x, y = y, x
        apart = carry is None and y.sign > 0 and bounds[x.node][0] >= 0 and (
            bounds[x.node][1] << x.shift < 1 << y.shift)
        found.append(Adder(n, x, y, carry, 0 if apart else width(*bounds[n]) - y.shift))
    return tuple(reversed(found))


def _inverted(graph, adders, bounds, seed=0):
    """The adders that use complements of what they add, and how often each node is used as it is
    and as its complement."""
    random = Random(seed)
    used = [[n < graph.columns, 0] for n in range(len(bounds))]
    for term in graph.rows:
        if term is not None:
            used[term.node][False] += 1
    for adder in adders:
        for n, sign in adder.operands():
            used[n][sign < 0] += 1
    inverted = set()

    def bits(adder):
        return sum(width(*bounds[n]) for n, _ in adder.operands() if all(used[n]))

    def change(adder):
        for n, sign in adder.operands():
            complement = (sign < 0) != (adder.node in inverted)
            used[n][complement] -= 1
            used[n][not complement] += 1
        inverted.symmetric_difference_update({adder.node})

    steps = SWEEPS * len(adders)
    for step in range(steps):
        adder = random.choice(adders)
        before = bits(adder)
        change(adder)
        worse = bits(adder) - before
        if worse > 0 and random.random() >= exp(-worse / (TEMPERATURE * (1 - step / steps))):
            change(adder)
    return frozenset(inverted), used
