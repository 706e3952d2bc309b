"""Of which scale are floating-point numbers the multiples, each product rounded to their type?"""
import numpy as np

from sw.rounding import floor_log2

LARGEST = 2 ** 16 - 1    # integer that is sought
PART = 2 ** 20           # products that are tried at a time


def multiples(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Integers k and scales s, one a row, with ``(k · s[:, None]).astype(type) == rows``.

    ``rows`` is (rows, n), finite; k is int64 of that shape and s float64 (rows,). The scale of a
    row is the largest with integers up to :data:`LARGEST`, or 2^8 for float16, whose rounding
    hides larger ones. Where several float64 give the same products of a shorter type, it is one of
    the fewest binary digits. Of a row of zeros it is 0. None when a row has no such scale.

    The smallest magnitude of a row is 1, 2, 3, … times the scale: each is tried until all others
    are as near to a multiple as rounding explains, and multiplying gives them back exactly.
    """
    scale = np.zeros(len(rows))
    live = rows.any(axis=1)
    ordered = np.sort(np.abs(rows[live]), axis=1)
    if live.any():
        found = _search(ordered)
        if found is None:
            return None
        scale[live] = found
    integers = np.divide(rows, scale[:, None], where=live[:, None], out=np.zeros(rows.shape))
    return np.rint(integers).astype(np.int64), scale


def _search(ordered: np.ndarray) -> np.ndarray | None:
    """The scales of rows of ascending magnitudes, not all 0, or None when one has none."""
    ratio, slack = _ratios(ordered)
    most = min(LARGEST, 0.25 / float(np.finfo(ordered.dtype).eps))
    last = np.floor((most + 0.5) / ratio[:, -1])
    scale = np.zeros(len(ordered))
    left, first, count = np.arange(len(ordered)), 1, 16
    while left.size:
        if (last[left] < first).any():
            return None
        row, k = _candidates(ratio, slack, left, np.arange(first, first + count))
        row, k = row[k <= last[row]], k[k <= last[row]]
        share = 1                   # candidates of each row that are tried at a time
        while row.size:
            tried, start, place = np.unique(row, return_index=True, return_inverse=True)
            now = np.arange(row.size) - start[place] < share
            found = _scale(ordered[row[now]], np.rint(ratio[row[now]] * k[now, None]))
            hits = np.flatnonzero(found)[::-1]      # of several of a row the first is kept
            scale[row[now][hits]] = found[hits]
            later = ~now & (scale[row] == 0)
            row, k = row[later], k[later]
            share = max(1, min(2 * share, PART // (tried.size * ordered.shape[1])))
        left = left[scale[left] == 0]
        first += count
        count = max(16, min(4 * count, 2 ** 20 // max(left.size, 1)))
    return scale


def _ratios(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each magnitude by the smallest of its row, and how far rounding may have moved the ratio."""
    wide = ordered.astype(np.float64)
    # Subnormal numbers are rounded too coarsely to count by.
    normal = ordered >= np.finfo(ordered.dtype).smallest_normal
    least = np.where(normal.any(axis=1), normal.argmax(axis=1), (ordered > 0).argmax(axis=1))
    # Half a unit in the last place as a part of the number, and a little for this arithmetic.
    rounding = 0.5005 * np.divide(_spacing(ordered), wide, where=wide > 0,
                                  out=np.zeros_like(wide)) + 2.0 ** -50
    with np.errstate(over="ignore"):
        ratio = wide / np.take_along_axis(wide, least[:, None], axis=1)
        slack = ratio * (rounding + np.take_along_axis(rounding, least[:, None], axis=1))
    return ratio, np.where((ratio == 0) & (wide > 0), -1, slack)    # too small to be a multiple


def _candidates(ratio, slack, rows, k) -> tuple[np.ndarray, np.ndarray]:
    """Which ``k`` times which of ``rows`` of ratios are integers, as far as a few columns tell."""
    def near(row, column, k):
        product = ratio[row, column] * k
        return np.abs(product - np.rint(product)) <= slack[row, column] * k

    # The largest magnitude tells most candidates off.
    columns = np.unique(np.linspace(0, ratio.shape[1] - 1, 8).astype(int))[::-1]
    place, choice = np.nonzero(near(rows[:, None], columns[0], k))
    row, k = rows[place], k[choice]
    for column in columns[1:]:
        kept = near(row, column, k)
        row, k = row[kept], k[kept]
    return row, k


def _spacing(rows: np.ndarray) -> np.ndarray:
    """The distance of each number to the next larger one of its type, as float64."""
    top = np.finfo(rows.dtype).max
    with np.errstate(over="ignore"):
        up = np.spacing(rows).astype(np.float64)
    return np.minimum(up, float(top) - float(np.nextafter(top, np.zeros_like(top))))


def _scale(rows: np.ndarray, k: np.ndarray) -> np.ndarray:
    """The scale of which each row is exactly k times, rounded; 0 where there is none."""
    scale = np.zeros(len(rows))
    candidates = _neighbours if rows.dtype == np.float64 else _within
    for candidate in candidates(rows, k).T:
        with np.errstate(over="ignore"):
            right = ((k * candidate[:, None]).astype(rows.dtype) == rows).all(axis=1)
        scale = np.where(right & (scale == 0), candidate, scale)
    return scale


def _neighbours(rows: np.ndarray, k: np.ndarray) -> np.ndarray:
    """The float64 numbers about the scale of the largest magnitude, the nearest first.

    Exact products have but one: k times a unit in the last place of the scale shows.
    """
    middle = (rows[:, -1] / k[:, -1])[:, None]
    with np.errstate(over="ignore"):
        near = middle + np.array([0, 1, -1]) * _spacing(middle)
    return np.minimum(near, np.finfo(np.float64).max)


def _within(rows: np.ndarray, k: np.ndarray) -> np.ndarray:
    """The numbers of the fewest binary digits of those that all magnitudes, rounded, allow.

    A product halfway between two floats is rounded to the even one, so that the ends of the range
    may be scales or not: the first number is of the range with its ends, the second without.
    """
    wide = rows.astype(np.float64)
    low = (wide + np.nextafter(rows, 0, dtype=rows.dtype)) / 2      # exact in float64
    high = wide + _spacing(rows) / 2
    low = np.divide(low, k, where=k > 0, out=np.zeros_like(low)).max(axis=1)[:, None]
    high = np.divide(high, k, where=k > 0, out=np.full_like(high, np.inf)).min(axis=1)[:, None]
    margin = np.array([0, 2.0 ** -50])
    low, high = low * (1 + margin), high * (1 - margin)
    step = np.ldexp(1.0, floor_log2(np.maximum(high - low, np.spacing(high))))
    best = np.floor(high / step) * step
    for _ in range(54):
        step = 2 * step
        rounder = np.floor(high / step) * step
        best = np.where(rounder >= low, rounder, best)
    return best


def exact_multiples(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """As :func:`multiples`, by integers of up to 62 bits whose products need no rounding.

    Every float is a multiple of a power of two, so that None means no more than that the numbers
    of a row differ too much in magnitude.
    """
    wide = rows.astype(np.float64)
    mantissa, exponent = np.frexp(wide)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    last = np.where(whole != 0, exponent - 53 + floor_log2(whole & -whole), 2 ** 12)
    unit = np.where(whole.any(axis=1), last.min(axis=1), 0)
    if (exponent.max(axis=1, where=whole != 0, initial=-2 ** 12) - unit > 62).any():
        return None
    k = np.ldexp(wide, -unit[:, None]).astype(np.int64)
    common = np.gcd.reduce(k, axis=1)
    return k // np.maximum(common, 1)[:, None], np.ldexp(common.astype(np.float64), unit)
