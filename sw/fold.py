"""Fold by evaluation: whatever stands between two integer tensors becomes integer thresholds.

Scales, biases, batch norm, activation and quantizer are together a function of one integer per
channel. It is evaluated on *every* value that the integer can take and the steps are read off,
which is exact for every tie rule, evaluation order and sign of gamma.
"""
from collections.abc import Callable
from fractions import Fraction

import numpy as np


def thresholds(function: Callable[[np.ndarray], np.ndarray], lo: np.ndarray, hi: np.ndarray,
               steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Thresholds and flips with which :func:`sw.golden.threshold` equals ``function``.

    ``function`` maps an integer array (values, channels) to codes 0 … ``steps`` of that shape;
    ``lo`` and ``hi`` (channels,) are the exact range of each channel. Returns thresholds
    (channels, steps), ascending and within lo … hi + 1, and flip (channels,).

    Raises ValueError where a channel is not monotone: no thresholds exist for it.
    """
    lo, hi = np.asarray(lo, np.int64), np.asarray(hi, np.int64)
    offsets = np.arange(int((hi - lo).max()) + 1)[:, None]
    values = np.minimum(lo + offsets, hi)          # shorter channels repeat their last value
    codes = np.asarray(function(values)).astype(np.int64)
    if codes.shape != values.shape or codes.min() < 0 or codes.max() > steps:
        raise ValueError(f"a folded function must give codes 0 to {steps} of shape {values.shape}")
    change = np.diff(codes, axis=0)
    falls = (change < 0).any(axis=0)
    if (falls & (change > 0).any(axis=0)).any():
        channel = int(np.argmax(falls & (change > 0).any(axis=0)))
        raise ValueError(f"channel {channel} is not monotone in its accumulator")
    rising = np.where(falls, steps - codes, codes)
    inside = lo + offsets <= hi
    below = [(inside & (rising < level)).sum(axis=0) for level in range(1, steps + 1)]
    return lo[:, None] + np.stack(below, axis=1), falls


def batch_norm_sign(x: np.ndarray, *, gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray,
                    variance: np.ndarray, epsilon: float) -> np.ndarray:
    """``gamma · (x − mean) / √(variance + epsilon) + beta >= 0`` in exact real arithmetic.

    Courbariaux et al. 2016 (Binarized Neural Networks), with sign(0) = +1. ``x`` is an integer
    array (values, channels), the parameters floats (channels,), taken at their exact binary
    values. Decides in float64 and settles what is too close to call in rational arithmetic.
    """
    gamma, beta, mean, variance = (np.asarray(p, np.float64) for p in (gamma, beta, mean, variance))
    u = gamma * (x - mean)
    w = beta * np.sqrt(variance + epsilon)
    result = u + w >= 0
    close = np.abs(u + w) <= 1e-9 * (np.abs(gamma) * (np.abs(x) + np.abs(mean)) + np.abs(w))
    for v, c in np.argwhere(close):
        result[v, c] = _at_least_zero(
            Fraction(float(gamma[c])) * (int(x[v, c]) - Fraction(float(mean[c]))),
            Fraction(float(beta[c])), Fraction(float(variance[c])) + Fraction(float(epsilon)))
    return result


def _at_least_zero(u: Fraction, w: Fraction, s: Fraction) -> bool:
    """Whether ``u + w·√s >= 0``, without a root: compare signs, then squares."""
    if u >= 0 and w >= 0:
        return True
    if u <= 0 and w <= 0:
        return u == 0 and (w == 0 or s == 0)
    return u * u >= w * w * s if u > 0 else w * w * s >= u * u
