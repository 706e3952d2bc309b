"""Sums of signed digits, and the pairs of digits that they have in common."""
import numpy as np

from hw.digits import signed_digits
from hw.unroll.graph import bounds


class Sums:
    """Sums of digits; a digit is ± a node shifted left, a node an element of a vector or a sum.

    Pair (a, b, d, s) stands for ``(a + s · (b << d)) << k`` and its negation, for any k: sums have
    it in common whatever the shift and the sign of the whole.

    Every change is logged, and can be taken back.

    Parameters
    ----------
    vectors : list of array of int, (columns,)
        The sums that are wanted, by their coefficients: at first of the canonical signed digits of
        the elements.
    lo, hi : int
        Range of an element.

    Attributes
    ----------
    wanted : range
        The sums that are wanted.
    digits : dict of {(node, shift): sign}
        The digits of each sum.
    users : dict of {sum: count}
        Which sums have how many digits of each node.
    pairs : dict of int
        How often each pair occurs.
    repeated : list of (int, pair)
        Pairs that came to occur so often, two times or more, since the list was last cleared.
    vector, range : dict
        Coefficients and range of each node.
    touched : set
        Sums whose digits have changed since the last :meth:`commit`.
    """
    def __init__(self, vectors, lo, hi):
        self.columns = len(vectors[0])
        self.lo, self.hi = lo, hi
        self.wanted = range(self.columns, self.columns + len(vectors))
        self.digits = {}
        self.users = {n: {} for n in range(self.columns)}
        self.pairs = {}
        self.repeated = []
        self.vector = dict(enumerate(np.eye(self.columns, dtype=np.int64)))
        self.range = {n: (lo, hi) for n in range(self.columns)}
        self.touched = set()
        self._log = []
        self._next = self.columns
        for vector in vectors:
            s = self.create(vector)
            for n, weight in enumerate(vector):
                for shift, sign in signed_digits(int(weight)):
                    self.put(s, n, shift, sign)

    def create(self, vector):
        """A new sum, without digits yet."""
        s = self._next
        self._next += 1
        self.vector[s] = vector
        self.range[s] = bounds(vector, self.lo, self.hi)
        self._create(s)
        self._log.append((self._remove, s))
        return s

    def remove(self, s):
        """Take a sum away, which no other may use."""
        for n, shift in list(self.digits[s]):
            self.take(s, n, shift)
        self._remove(s)
        self._log.append((self._create, s))

    def put(self, s, n, shift, sign):
        """Add a digit to a sum; two alike carry into the next shift, two opposite ones vanish."""
        while (n, shift) in self.digits[s]:
            if self.take(s, n, shift) != sign:
                return
            shift += 1
        self._put(s, n, shift, sign)
        self._log.append((self._take, s, n, shift))

    def take(self, s, n, shift):
        """Take a digit away from a sum, and return its sign."""
        sign = self._take(s, n, shift)
        self._log.append((self._put, s, n, shift, sign))
        return sign

    def dissolve(self, n):
        """Write the digits of a sum wherever it is used, and remove it unless it is wanted."""
        digits = list(self.digits[n].items())
        for s in list(self.users[n]):
            for shift in [shift for m, shift in self.digits[s] if m == n]:
                sign = self.take(s, n, shift)
                for (m, more), other in digits:
                    self.put(s, m, shift + more, sign * other)
        if n not in self.wanted:
            self.remove(n)

    def places(self, pair):
        """Where a pair occurs, no digit twice: sums, shifts, and signs of the whole."""
        a, b, d, sign = pair
        places = []
        for s in self.users.get(a, {}).keys() & self.users.get(b, {}).keys():
            digits, used = self.digits[s], set()
            for (n, shift), first in digits.items():
                if n == a and digits.get((b, shift + d)) == first * sign:
                    both = {(a, shift), (b, shift + d)}
                    if not both & used:
                        used |= both
                        places.append((s, shift, first))
        return places

    def commit(self):
        """Keep what was changed."""
        for s in self.touched - self.digits.keys():
            del self.vector[s], self.range[s]
        self.touched.clear()
        self._log.clear()

    def revert(self):
        """Take back what was changed since the last :meth:`commit`."""
        for change, *arguments in reversed(self._log):
            change(*arguments)
        self.repeated.clear()
        self.commit()

    def _create(self, s):
        self.digits[s], self.users[s] = {}, {}
        self.touched.add(s)

    def _remove(self, s):
        del self.digits[s], self.users[s]

    def _put(self, s, n, shift, sign):
        digits, pairs = self.digits[s], self.pairs
        for (m, other), its in digits.items():
            pair = _pair(n, shift, m, other, sign * its)
            pairs[pair] = count = pairs.get(pair, 0) + 1
            if count > 1:
                self.repeated.append((count, pair))
        digits[n, shift] = sign
        users = self.users[n]
        users[s] = users.get(s, 0) + 1
        self.touched.add(s)

    def _take(self, s, n, shift):
        digits, pairs = self.digits[s], self.pairs
        sign = digits.pop((n, shift))
        for (m, other), its in digits.items():
            pair = _pair(n, shift, m, other, sign * its)
            if pairs[pair] == 1:
                del pairs[pair]
            else:
                pairs[pair] -= 1
        users = self.users[n]
        if users[s] == 1:
            del users[s]
        else:
            users[s] -= 1
        self.touched.add(s)
        return sign


def _pair(a, shift, b, other, sign):
    if a < b or a == b and shift < other:
        return a, b, other - shift, sign
    return b, a, shift - other, sign
