"""Weights of a model file as planes: decomposed by value, whatever their author called them."""
import numpy as np

from sw.alphabet import Codebook, Vectors
from sw.decompose import decompose
from sw.planes import Plane

RATIO = 2 ** 20     # of the scales of two summands, at most


def planes(rows: np.ndarray, parts: list[np.ndarray] | None
           ) -> tuple[tuple[Plane, ...], np.ndarray]:
    """Planes with integer coefficients, and the scale of each row, of floating-point weights.

    ``rows`` is (rows, columns). ``parts`` are matrices that it is the sum of, if the file has
    them: where each is one plane, those are kept. Raises ValueError for weights on no grid.
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
        found = [decompose(part, per="tensor") for part in parts]
    except ValueError:
        return None
    if any(len(q.planes) != 1 or isinstance(q.planes[0].alphabet, Codebook | Vectors)
           for q in found):
        return None
    unit = min((float(q.scale[0]) for q in found if q.scale[0] > 0), default=0)
    if not unit:
        return None
    kept = []
    for q in found:
        ratio = float(q.scale[0]) / unit
        if not ratio:
            continue
        if ratio != round(ratio) or ratio > RATIO:
            return None
        plane = q.planes[0]
        kept.append(Plane(plane.alphabet, plane.codes,
                          plane.coefficients.astype(np.int64) * round(ratio)))
    total = sum(plane.values().astype(np.int64) for plane in kept)
    if not np.array_equal((total * unit).astype(rows.dtype), rows):
        return None
    return tuple(kept), np.full(len(rows), unit)
