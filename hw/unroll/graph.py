"""Adder graphs: the product of a constant matrix and a vector, by additions of shifted terms."""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Term(NamedTuple):
    """A node of a graph, shifted and signed: ``sign · (node << shift)``."""
    node: int
    shift: int = 0
    sign: int = 1


@dataclass(frozen=True)
class AdderGraph:
    """Sums of two terms each, which lead from a vector to its product with a matrix.

    The nodes are numbered, the elements of the vector first and then the sums; the terms of a sum
    are nodes before it.

    Parameters
    ----------
    columns : int
        Elements of the vector.
    sums : tuple of (Term, Term)
        The additions.
    rows : tuple of Term or None
        Where the elements of the product are; None for one that is always 0.
    """
    columns: int
    sums: tuple[tuple[Term, Term], ...]
    rows: tuple[Term | None, ...]

    def __post_init__(self):
        for number, terms in enumerate(self.sums, self.columns):
            for term in terms:
                _check(term, number)
        for term in self.rows:
            if term is not None:
                _check(term, self.columns + len(self.sums))

    def nodes(self, x: np.ndarray) -> np.ndarray:
        """The values of all nodes, along the last axis, for the vectors along the last one of
        ``x``."""
        values = np.empty((*np.shape(x)[:-1], self.columns + len(self.sums)), np.int64)
        values[..., :self.columns] = x
        for number, terms in enumerate(self.sums, self.columns):
            values[..., number] = sum(_value(term, values) for term in terms)
        return values

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The product with the vectors along the last axis of ``x``."""
        values = self.nodes(x)
        rows = np.zeros((*values.shape[:-1], len(self.rows)), np.int64)
        for row, term in enumerate(self.rows):
            if term is not None:
                rows[..., row] = _value(term, values)
        return rows

    def coefficients(self) -> np.ndarray:
        """Each node as a row of coefficients of the elements of the vector."""
        return self.nodes(np.eye(self.columns, dtype=np.int64)).T

    def matrix(self) -> np.ndarray:
        """The matrix."""
        return self(np.eye(self.columns, dtype=np.int64)).T

    def ranges(self, lo: int, hi: int) -> list[tuple[int, int]]:
        """The least and the greatest value of each node, for elements from ``lo`` to ``hi``."""
        return [bounds(coefficients, lo, hi) for coefficients in self.coefficients()]

    def depth(self) -> int:
        """The most additions from an element of the vector to one of the product."""
        depths = [0] * self.columns
        for terms in self.sums:
            depths.append(1 + max(depths[term.node] for term in terms))
        return max((depths[term.node] for term in self.rows if term is not None), default=0)


def bounds(coefficients, lo, hi):
    """The least and the greatest sum of products of ``coefficients`` with numbers from ``lo`` to
    ``hi``."""
    up = int(coefficients[coefficients > 0].sum())
    down = int(coefficients[coefficients < 0].sum())
    return up * lo + down * hi, up * hi + down * lo


def width(lo, hi):
    """Bits that numbers from ``lo`` to ``hi`` take, in two's complement if any is negative."""
    if lo >= 0:
        return hi.bit_length()
    return max((-lo - 1).bit_length(), max(hi, 0).bit_length()) + 1


def _value(term, values):
    return term.sign * (values[..., term.node] << term.shift)


def _check(term, nodes):
    if not (0 <= term.node < nodes and term.shift >= 0 and term.sign in (1, -1)):
        raise ValueError(f"Terms must be earlier nodes, shifted left, with sign 1 or -1, but one "
                         f"before node {nodes} is {term}")
