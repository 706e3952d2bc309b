"""Signs of the sums of an adder graph: such that adders can compute them, and most cheaply."""
from heapq import heappop, heappush
from math import exp
from random import Random

from hw.unroll.graph import AdderGraph, width

SWEEPS = 50
TEMPERATURE = 4.0   # bits


def oriented(graph, *, lo, hi, seed=0):
    """The same graph with other signs of its sums: of the terms of a sum the first is positive.

    A sum of two like terms has their sign, so that no sum has two negative ones; the sign of any
    other sum is free. They are chosen by random changes so that few bits are added in vain:
    those below a shift, where the term without it is negative; negations of rows; and additions of
    a single bit that could be the carry in of the next adder (:func:`carrier`) but for a sign.
    """
    search, steps = _Search(graph, lo, hi, Random(seed)), SWEEPS * len(graph.sums)
    for step in range(steps):
        search.step(TEMPERATURE * (1 - step / steps))
    return search.graph()


def carriers(graph, bounds):
    """Sums of a term and a single bit that only another sum uses, and which one that is."""
    users = {n: [] for n in range(graph.columns, len(bounds))}
    for n, terms in [*enumerate(graph.sums, graph.columns), (None, filter(None, graph.rows))]:
        for term in terms:
            if term.node in users:
                users[term.node].append(n)
    return {n: users[n][0] for n, (x, y) in enumerate(graph.sums, graph.columns)
            if (0, 1) in (bounds[x.node], bounds[y.node]) and x.shift == y.shift
            and len(users[n]) == 1 and users[n][0] is not None}


def carrier(n, terms_of, carriers, bounds):
    """The term of sum ``n``, itself the sum of a term a and a bit, that needs no adder of its own
    because the sum can be one, ``other ± (a + bit)``, with the bit as its carry in; or None.

    ``terms_of`` gives the terms of a sum, ``carriers`` is what :func:`carriers` returns, ``bounds``
    are those of the nodes.
    """
    x, y = terms_of(n)
    fit = [inner for inner, other in ((x, y), (y, x))
           if carriers.get(inner.node) == n and inner.shift >= other.shift and other.sign > 0
           and all(term.sign > 0 for term in terms_of(inner.node))]
    return max(fit, key=lambda term: width(*bounds[term.node]), default=None)


class _Search:
    """Signs of the sums, and random changes of them that do not raise their cost."""
    def __init__(self, graph, lo, hi, random):
        self.before = graph
        self.random = random
        self.bounds = graph.ranges(lo, hi)
        self.carriers = carriers(graph, self.bounds)
        self.sign = [1 for _ in self.bounds]
        self.users = [set() for _ in self.bounds]
        self.rows = [[] for _ in self.bounds]
        for n, terms in enumerate(graph.sums, graph.columns):
            for term in terms:
                self.users[term.node].add(n)
            self.sign[n] = self.follow(n)
        for term in graph.rows:
            if term is not None:
                self.rows[term.node].append(term.sign)

    def terms(self, n):
        """The terms of a sum with their signs as they are now."""
        return [term._replace(sign=self.sign[n] * term.sign * self.sign[term.node])
                for term in self.before.sums[n - self.before.columns]]

    def follow(self, n):
        """The sign that a sum has after its terms: theirs if they are alike, else as it is."""
        return -self.sign[n] if all(term.sign < 0 for term in self.terms(n)) else self.sign[n]

    def step(self, temperature):
        """Change the sign of a sum, and of those that have to follow, if the cost convinces."""
        n = self.random.randrange(self.before.columns, len(self.sign))
        x, y = self.terms(n)
        if x.sign == y.sign:
            return
        changed = self.change(n)
        affected = set(changed).union(*(self.users[m] for m in changed))
        worse = sum(map(self.cost, affected))
        self.flip(changed)
        worse -= sum(map(self.cost, affected))
        if worse <= 0 or self.random.random() < exp(-worse / temperature):
            self.flip(changed)

    def change(self, n):
        """Change the sign of a sum, and of those that have to follow: all that changed."""
        changed, front = [n], sorted(self.users[n])
        self.flip([n])
        while front:
            n = heappop(front)
            if self.sign[n] != self.follow(n):
                self.flip([n])
                changed.append(n)
                for user in self.users[n]:
                    heappush(front, user)
        return changed

    def flip(self, nodes):
        for n in nodes:
            self.sign[n] *= -1

    def cost(self, n):
        """Bits that are added in vain because of the signs of a sum, its terms, and its rows."""
        low, high = sorted(self.terms(n), key=lambda term: term.shift)
        inner = carrier(n, self.terms, self.carriers, self.bounds)
        vain = [n for sign in self.rows[n] if sign != self.sign[n]]
        vain += [term.node for term in (low, high)
                 if self.carriers.get(term.node) == n and term != inner]
        return (sum(width(*self.bounds[m]) for m in vain)
                + (high.shift - low.shift if low.sign < 0 else 0))

    def graph(self):
        sums = [sorted(self.terms(n), key=lambda term: (-term.sign, term.shift))
                for n in range(self.before.columns, len(self.sign))]
        rows = [term and term._replace(sign=term.sign * self.sign[term.node])
                for term in self.before.rows]
        return AdderGraph(self.before.columns, tuple(map(tuple, sums)), tuple(rows))
