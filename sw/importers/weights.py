"""Weights of a model file as planes: decomposed by value, whatever their author called them."""
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sw.alphabet import Codebook, Pow2, Ternary, Vectors
from sw.decompose import decompose
from sw.planes import Plane

RATIO = 2 ** 20     # of the scales of two summands, at most


@dataclass(frozen=True, eq=False)
class Part:
    """A summand of weights; ``most`` is the largest value that its quantizer can give, if known.
    """
    matrix: np.ndarray
    most: float | None = None

    def map(self, function: Callable[[np.ndarray], np.ndarray]) -> "Part":
        """The summand with its matrix changed."""
        return Part(function(self.matrix), self.most)


def planes(rows: np.ndarray, parts: list[Part] | None
           ) -> tuple[tuple[Plane, ...], np.ndarray]:
    """Planes with integer coefficients, and the scale of each row, of floating-point weights.

    ``rows`` is (rows, columns). ``parts`` are what it is the sum of, if the file has them: where
    each is one plane, those are kept, with as many powers of two as its quantizer has.
    Raises ValueError for weights on no grid.
    """
    if parts and (found := _summed(rows, parts)):
        return found
    found, why = [], ""
    for per in ("tensor", "channel"):
        try:
            q = decompose(rows, per=per)
        except ValueError as error:
            why = str(error)
            continue
        if any(plane.alphabet.table.dtype.kind == "f" for plane in q.planes
               if isinstance(plane.alphabet, Codebook | Vectors)):
            why = f"they have {np.unique(rows).size} levels that are no multiples of one number"
        else:
            found.append(q)
    if not found:
        raise ValueError(_ungridded(rows, why))
    q = min(found, key=lambda q: q.bits_per_weight)
    scale = np.broadcast_to(q.scale, len(rows)).astype(np.float64)
    live = scale > 0
    if not live.any():
        zeros = np.zeros(rows.shape, np.int8)
        return (Plane(Ternary(), zeros, np.ones(len(rows), np.int64)),), np.ones(len(rows))
    return tuple(_cleared(plane, live) for plane in q.planes), np.where(live, scale, 1.0)


def _cleared(plane, live):
    """The plane with zeros in the rows that are not ``live``, whose codes may be any."""
    if live.all():
        return plane
    if isinstance(plane.alphabet, Codebook):
        table = np.append(plane.alphabet.table, 0)
        codes = np.where(live[:, None], plane.codes, len(table) - 1)
        return Plane(Codebook(table), codes, plane.coefficients)
    return Plane(plane.alphabet, plane.codes, np.where(live, plane.coefficients, 0))


def _ungridded(rows, why):
    distinct = np.unique(rows).size
    if distinct > 1000:
        return (f"{distinct:,} distinct values, that is, not quantized; train it quantized (for "
                f"example with Brevitas), or quantize the tensor with python -m sw.quantize "
                f"--scheme linear")
    return f"{why}; quantize them uniformly (python -m sw.quantize --list names the schemes)"


def _summed(rows, parts):
    """The summands as one plane each, or None where one is none or the sum is another."""
    try:
        found = [decompose(part.matrix, per="tensor") for part in parts]
    except ValueError:
        return None
    if any(len(q.planes) != 1 or isinstance(q.planes[0].alphabet, Codebook | Vectors)
           for q in found):
        return None
    unit = min((float(q.scale[0]) for q in found if q.scale[0] > 0), default=0)
    if not unit:
        return None
    kept = []
    for q, part in zip(found, parts, strict=True):
        ratio = float(q.scale[0]) / unit
        if not ratio:
            continue
        if ratio != round(ratio) or ratio > RATIO:
            return None
        plane = q.planes[0]
        kept.append(Plane(_declared(plane.alphabet, float(q.scale[0]), part.most), plane.codes,
                          plane.coefficients.astype(np.int64) * round(ratio)))
    total = sum(plane.values().astype(np.int64) for plane in kept)
    if not np.array_equal((total * unit).astype(rows.dtype), rows):
        return None
    return tuple(kept), np.full(len(rows), unit)


def _declared(alphabet, scale, most):
    """The alphabet with all powers of two that its quantizer can give, used or not."""
    if isinstance(alphabet, Pow2) and most is not None:
        return Pow2(max(alphabet.powers, int(most / scale).bit_length()), alphabet.zero)
    return alphabet
