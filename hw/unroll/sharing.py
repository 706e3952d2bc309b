"""Adder graphs of few bits: partial sums that several rows have in common are computed once.

Of all pairs of terms that occur more than once, up to a shift and a sign, the most frequent one
becomes a sum of its own, until there is none left (Hartley 1996; Hosangadi, Fallah and Kastner
2005). Then, again and again, a few neighbouring sums are dissolved into their terms, and shared
anew with other choices among pairs of about the same frequency; whatever that costs is accepted
with a probability that falls as the search goes on (ruin and recreate: Schrimpf et al. 2000;
annealing: Kirkpatrick, Gelatt and Vecchi 1983).
"""
from heapq import heapify, heappop, heappush
from math import exp
from random import Random

import numpy as np

from hw.unroll.graph import AdderGraph, Term, width
from hw.unroll.sums import Sums

STEPS = 10_000
TEMPERATURE = 4.0   # bits
NOISE = 0.1, 0.5, 1.5
RUIN = 2, 4, 8, 16  # sums
ORDERS = 100


def shared(matrix, *, lo, hi, steps=STEPS, seed=0):
    """A graph of few bits of adders for elements from ``lo`` to ``hi``, after ``steps`` steps of
    search. The same arguments give the same graph."""
    rows = [_reduced(row) for row in np.asarray(matrix, np.int64)]
    vectors = list(dict.fromkeys(vector for vector, _, _ in rows if any(vector)))
    columns = np.shape(matrix)[1]
    if not vectors:
        return AdderGraph(columns, (), (None,) * len(rows))
    search = _Search([np.array(vector) for vector in vectors], lo, hi, Random(seed))
    search.share(noise=0)
    search.accept()
    for step in range(steps):
        search.step(TEMPERATURE * (1 - step / steps))
    return search.graph([(vectors.index(vector), shift, sign) if any(vector) else None
                         for vector, shift, sign in rows])


def _reduced(row):
    """A row as a vector with an odd coefficient, its first one positive, shifted and signed."""
    nonzero = row[row != 0]
    if not len(nonzero):
        return tuple(row.tolist()), 0, 1
    common = int(np.bitwise_or.reduce(nonzero))
    shift = (common & -common).bit_length() - 1
    sign = 1 if nonzero[0] > 0 else -1
    return tuple((row * sign >> shift).tolist()), shift, sign


class _Search:
    """The sums, what each costs, and random steps towards cheaper ones."""
    def __init__(self, vectors, lo, hi, random):
        self.sums = Sums(vectors, lo, hi)
        self.random = random
        self.bits = {}

    def step(self, temperature):
        """Dissolve a few sums and share again; take it back if the cost does not convince."""
        self.ruin(self.random.choice(RUIN))
        self.share(self.random.choice(NOISE))
        worse = sum(self.cost(s) - self.bits.get(s, 0) for s in self.sums.touched)
        if worse <= 0 or self.random.random() < exp(-worse / temperature):
            self.accept()
        else:
            self.sums.revert()

    def accept(self):
        for s in self.sums.touched:
            self.bits[s] = self.cost(s)
        self.sums.commit()

    def cost(self, s):
        """The bits of the adders of a sum."""
        if s not in self.sums.digits:
            return 0
        return self.association(sorted(self.sums.digits[s].items()))[0]

    def association(self, digits):
        """How to add digits: :func:`association`."""
        terms = []
        for (n, shift), sign in digits:
            lo, hi = self.sums.range[n]
            bit = n < self.sums.columns and (lo, hi) == (0, 1)
            terms.append((shift, lo, hi, 1, bit) if sign > 0 else (shift, -hi, -lo, -1, bit))
        return association(terms)

    def share(self, noise):
        """Make sums of pairs until none occurs twice."""
        random, heap, repeated = self.random.random, [], self.sums.repeated
        while heap or repeated:
            for count, pair in repeated:
                heappush(heap, (-count - noise * random(), count, pair))
            repeated.clear()
            order, count, pair = heappop(heap)
            now = self.sums.pairs.get(pair, 0)
            if now < count:
                if now > 1:
                    heappush(heap, (order + count - now, now, pair))
            else:
                self.extract(pair)

    def extract(self, pair):
        """Make a sum of a pair wherever it occurs, unless that is only once."""
        sums, (a, b, d, sign) = self.sums, pair
        places = sums.places(pair)
        if len(places) < 2:
            return
        base = min(0, d)
        whole = [(s, first) for s, shift, first in places
                 if len(sums.digits[s]) == 2 and shift + base == 0]
        if whole:
            n, its = whole[0]
        else:
            n, its = sums.create((sums.vector[a] << -base) + sign * (sums.vector[b] << d - base)), 1
            sums.put(n, a, -base, 1)
            sums.put(n, b, d - base, sign)
        for s, shift, first in places:
            if s != n:
                sums.take(s, a, shift)
                sums.take(s, b, shift + d)
                sums.put(s, n, shift + base, first * its)
        self.tidy({a, b, *(s for s, _, _ in places)})

    def tidy(self, nodes):
        """Dissolve those of the sums that are used once or are but another one, remove those that
        are not used."""
        sums, nodes = self.sums, sorted(nodes)
        while nodes:
            n = nodes.pop()
            if n not in sums.digits:
                continue
            uses, below, above = sum(sums.users[n].values()), sums.digits[n], sums.users[n]
            below, above = [m for m, _ in below], list(above)
            if n not in sums.wanted and not uses:
                sums.remove(n)
                nodes += below
            elif uses and (len(below) < 2 or uses == 1 and n not in sums.wanted):
                sums.dissolve(n)
                nodes += below + above

    def ruin(self, size):
        """Dissolve up to ``size`` sums that have users or digits in common."""
        sums, random = self.sums, self.random
        chosen = [random.choice(list(sums.digits))]
        for n in chosen:
            near = [m for s in sums.users[n] for m, _ in sums.digits[s]]
            near += [*sums.users[n], *(m for m, _ in sums.digits[n])]
            near = sorted({m for m in near if m in sums.digits} - set(chosen))
            random.shuffle(near)
            chosen += near[:min(3, size - len(chosen))]
        for n in chosen:
            if n in sums.digits and sums.users[n]:
                sums.dissolve(n)

    def graph(self, rows):
        """The sums as a graph, of which the rows are wanted sums, shifted and signed."""
        sums, built = [], {n: Term(n) for n in range(self.sums.columns)}

        def build(n):
            if n not in built:
                digits = min((self.random.sample(digits, len(digits)) for digits in
                              [sorted(self.sums.digits[n].items())] * ORDERS),
                             key=lambda digits: self.association(digits)[0])
                terms = [scale(build(m), shift, sign) for (m, shift), sign in digits]
                for x, y in self.association(digits)[1]:
                    terms.append(join(terms[x], terms[y]))
                built[n] = terms[-1]
            return built[n]

        def join(x, y):
            base = min(x.shift, y.shift)
            sums.append(tuple(term._replace(shift=term.shift - base) for term in (x, y)))
            return Term(self.sums.columns + len(sums) - 1, base)

        rows = [row and scale(build(self.sums.wanted[row[0]]), *row[1:]) for row in rows]
        return AdderGraph(self.sums.columns, tuple(sums), tuple(rows))


def scale(term, shift, sign):
    return Term(term.node, term.shift + shift, term.sign * sign)


def association(terms):
    """How to add terms, two at a time: the bits of the adders, and the places of the two terms of
    each, whose sum takes the next place.

    ``terms`` are shifts, ranges, signs, and whether they are single bits. The narrowest are added
    first. A single bit is left to be the carry in of another adder where it can; it is then added
    to a term of that one beforehand, at no cost.
    """
    heap, bits = [], []
    for place, (shift, lo, hi, sign, bit) in enumerate(terms):
        term = width(lo, hi) + shift, place, shift, lo << shift, hi << shift, sign
        (bits if bit else heap).append(term)
    heapify(heap)
    bits.sort(key=lambda term: term[2:])
    joined, cost = [], 0

    def join(x, y):
        joined.append((x[1], y[1]))
        _, _, shift, lo, hi, sign = x
        _, _, its_shift, its_lo, its_hi, its_sign = y
        lo, hi = lo + its_lo, hi + its_hi
        return (width(lo, hi), len(terms) + len(joined) - 1, min(shift, its_shift), lo, hi,
                sign if sign == its_sign else 0)

    while len(heap) + len(bits) > 1:
        if len(heap) > 1:
            x, y = heappop(heap), heappop(heap)
        elif heap and len(bits) < 3:
            x, y = heap.pop(), bits.pop()
        else:
            x, y = bits.pop(), bits.pop()
        if x[2] > y[2]:
            x, y = y, x
        apart = 0 <= x[3] and x[4] < 1 << y[2]
        for bit in bits:
            if bit[2] == y[2] and bit[5] == y[5]:
                bits.remove(bit)
                y, apart = join(y, bit), False
                break
        total = join(x, y)
        cost += 0 if apart else total[0] - y[2]
        heappush(heap, total)
    return cost, joined
