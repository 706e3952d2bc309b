"""Weights of a model file as planes: decomposed by value, whatever their author called them."""
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sw.alphabet import Codebook, Pow2, Vectors
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
    try:
        q = decompose(rows)
    except ValueError as error:
        raise ValueError(_ungridded(rows, str(error))) from None
    for plane in q.planes:
        match plane.alphabet:
            case Codebook(table) | Vectors(table) if table.dtype.kind == "f":
                raise ValueError(_ungridded(rows, f"they have {table.size} levels that are no "
                                                  f"multiples of one number"))
    scale = np.broadcast_to(q.scale, len(rows)).astype(np.float64)
    return q.planes, np.where(scale > 0, scale, 1.0)


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
