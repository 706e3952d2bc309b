"""The integer operations of a network, one short NumPy function each: what hardware must compute.

All take a batch: the first axis counts frames. All are exact on integers.
"""
import numpy as np


def dense(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Matrix-vector product ``y[n, o] = Σ_j weights[o, j] · x[n, j]``.

    ``x`` is (frames, columns), ``weights`` (rows, columns); the result is (frames, rows).
    Runs as a floating-point matrix product (BLAS) of a type in which every partial sum is an
    exact integer; raises OverflowError for operands for which none is.
    """
    if not x.size or not weights.size:
        return np.zeros((len(x), len(weights)), np.int64)
    reach = max(abs(int(x.min())), abs(int(x.max())))
    largest = reach * int(np.abs(weights).sum(axis=1, dtype=np.int64).max())
    if largest >= 2 ** 53:
        raise OverflowError(f"dense sums may reach {largest}, beyond the exact 2**53")
    exact, result = (np.float32, np.int32) if largest < 2 ** 24 else (np.float64, np.int64)
    return (x.astype(exact) @ weights.T.astype(exact)).astype(result)


def select(x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Keep the listed channels, in the order given: ``y[n, c] = x[n, indices[c]]``."""
    return x[:, indices]


def threshold(x: np.ndarray, thresholds: np.ndarray, flip: np.ndarray) -> np.ndarray:
    """Count, per channel, the thresholds reached: ``y[c] = Σ_j (x[c] >= thresholds[c, j])``.

    Where ``flip[c]`` is set the count runs down instead: ``steps − y[c]`` (a negative slope).
    ``x`` is (frames, channels), ``thresholds`` (channels, steps) ascending, ``flip`` (channels,).
    """
    steps = thresholds.shape[1]
    level = np.zeros(x.shape, np.int16)
    for j in range(steps):
        level += x >= thresholds[:, j]
    return np.where(flip, np.int16(steps) - level, level)


def bipolar(bits: np.ndarray) -> np.ndarray:
    """The value of a bipolar bit: ``2b − 1``."""
    return 2 * bits - 1


def argmax(x: np.ndarray) -> np.ndarray:
    """Index of the largest value of each frame; of equal ones the lowest index."""
    return np.argmax(x, axis=1)
