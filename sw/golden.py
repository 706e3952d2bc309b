"""The integer operations of a network, one short NumPy function each: what hardware must compute.

All take a batch: the first axis counts frames. All are exact on integers.
"""
import numpy as np

EXACT = 2 ** 53   # float64 holds every integer below


def reach(x: np.ndarray, weights: np.ndarray) -> int:
    """A bound of every partial sum of :func:`dense`: ``max |x| · max_o Σ_j |weights[o, j]|``."""
    row = np.abs(weights.astype(np.float64)).sum(axis=1).max()   # exact below 2**53
    return max(abs(int(x.min())), abs(int(x.max()))) * int(row)


def dense(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Matrix-vector product ``y[n, o] = Σ_j weights[o, j] · x[n, j]``.

    ``x`` is (frames, columns), ``weights`` (rows, columns); the result is (frames, rows).
    Runs as a floating-point matrix product (BLAS) of a type in which every partial sum is an
    exact integer; raises OverflowError for operands for which none is.
    """
    if not x.size or not weights.size:
        return np.zeros((len(x), len(weights)), np.int64)
    largest = reach(x, weights)
    if largest >= EXACT:
        raise OverflowError(f"dense sums may reach {largest}, beyond the exact 2**53")
    exact, result = (np.float32, np.int32) if largest < 2 ** 24 else (np.float64, np.int64)
    return (x.astype(exact) @ weights.T.astype(exact)).astype(result)


def xnor_net(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Matrix-vector product of signs, times the magnitude of the frame, int64.

    ``y[n, o] = K[n] · Σ_j weights[o, j] · sign(x[n, j])`` with ``K[n] = Σ_j |x[n, j]|`` and
    sign(0) = +1. Over the number of columns K is XNOR-Net's scale β = ‖x‖₁ / n (Rastegari et al.
    2016, section 3.2). Raises OverflowError for operands whose products may not be exact.
    """
    if not x.size or not weights.size:
        return np.zeros((len(x), len(weights)), np.int64)
    signs = np.where(x < 0, -1, 1)
    scale = np.abs(x.astype(np.float64)).sum(axis=1, keepdims=True)   # exact below 2**53
    largest = int(scale.max()) * max(1, reach(signs, weights))
    if largest >= EXACT:
        raise OverflowError(f"xnor_net products may reach {largest}, beyond the exact 2**53")
    return scale.astype(np.int64) * dense(signs, weights)


def select(x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Keep the listed channels, in the order given: ``y[n, c] = x[n, indices[c]]``."""
    return x[:, indices]


def threshold(x: np.ndarray, thresholds: np.ndarray, flip: np.ndarray) -> np.ndarray:
    """Count, per channel, the thresholds reached: ``y[c] = Σ_j (x[c] >= thresholds[c, j])``.

    Where ``flip[c]`` is set the count runs down instead: ``steps − y[c]`` (a negative slope).
    ``x`` is (frames, channels), ``thresholds`` (channels, steps) ascending, ``flip`` (channels,).
    """
    steps = thresholds.shape[1]
    integer = np.int16 if steps < 2 ** 15 else np.int32
    level = np.zeros(x.shape, integer)
    for j in range(steps):
        level += x >= thresholds[:, j]
    return np.where(flip, integer(steps) - level, level)


def affine(x: np.ndarray, coefficients: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """A product and a sum per channel: ``y[n, c] = coefficients[c] · x[n, c] + offset[c]``, int64.
    """
    return x.astype(np.int64) * coefficients.astype(np.int64) + offset.astype(np.int64)


def lookup(codes: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Table entries of raw codes: ``y[n, c] = table[c, codes[n, c]]``, int64.

    ``codes`` is (frames, channels), ``table`` (channels, entries), or (1, entries) for all
    channels alike.
    """
    return table.astype(np.int64)[np.arange(len(table)), codes]


def residual_binarize(x: np.ndarray, coefficients: np.ndarray, centre: np.ndarray,
                      flip: np.ndarray) -> np.ndarray:
    """Signs of what is left, as raw codes whose highest bit is the first sign, int64.

    Per channel ``r₀ = x − centre``, negated where ``flip``; for ``j = 0 … J − 1`` the bit is
    ``b_j = [r_j >= 0]`` and ``r_{j+1} = r_j − (2 b_j − 1) · coefficients[c, j]``; the code is
    ``Σ_j b_j · 2^(J − 1 − j)``. It rises with ``r₀`` for all positive coefficients.
    ``x`` is (frames, channels), ``coefficients`` (channels, J), the others (channels,).
    """
    left = x.astype(np.int64) - centre.astype(np.int64)
    left = np.where(flip, -left, left)
    codes = np.zeros(left.shape, np.int64)
    for beta in coefficients.astype(np.int64).T:
        up = left >= 0
        left = left - np.where(up, beta, -beta)
        codes = 2 * codes + up
    return codes


def requantize(acc: np.ndarray, multiplier: np.ndarray, exponent: np.ndarray, *,
               zero: int = 0, lo: int = -2 ** 31, hi: int = 2 ** 31 - 1,
               single_rounding: bool = False) -> np.ndarray:
    """``clip(round(acc · multiplier · 2^(exponent − 31)) + zero, lo, hi)``, int64.

    ``acc`` holds int32, ``multiplier`` is 0 … 2^31 − 1 and ``exponent`` −31 … 30, one each or one
    a channel (the last axis). gemmlowp and TensorFlow Lite round twice: after the product, ties
    to +∞ (:func:`doubling_high_product`), and after the shift, ties away from zero
    (:func:`rounding_shift`). ``single_rounding`` is the other way to build TensorFlow Lite: one
    shift by 31 − exponent, ties to +∞.

    Raises OverflowError where a sum shifted left, or the result of one rounding, is no int32.
    """
    acc, multiplier, exponent = (np.asarray(a, np.int64) for a in (acc, multiplier, exponent))
    if single_rounding:
        shift = 31 - exponent
        result = fits_int32((acc * multiplier + (1 << shift - 1)) >> shift)
    else:
        left = fits_int32(acc << np.maximum(exponent, 0))
        result = rounding_shift(doubling_high_product(left, multiplier), np.maximum(-exponent, 0))
    return np.clip(result + zero, lo, hi)


def doubling_high_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``round(a · b / 2^31)`` of two int32, ties to +∞: gemmlowp's SRDHM.

    It saturates: (−2^31)² gives 2^31 − 1.
    """
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    return np.minimum((product + 2 ** 30) >> 31, 2 ** 31 - 1)


def rounding_shift(x: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """``round(x / 2^shift)``, ties away from zero: gemmlowp's RoundingDivideByPOT."""
    x, shift = np.asarray(x, np.int64), np.asarray(shift, np.int64)
    half = np.int64(1) << shift >> 1
    return (x + half - ((x < 0) & (half > 0))) >> shift


def fits_int32(x: np.ndarray) -> np.ndarray:
    """``x``, unless one of it does not fit 32 bits: then OverflowError."""
    wrong = (x < -2 ** 31) | (x >= 2 ** 31)
    if wrong.any():
        raise OverflowError(f"requantize meets {int(x[wrong].flat[0])}, beyond 32 bits")
    return x


def bipolar(bits: np.ndarray) -> np.ndarray:
    """The value of a bipolar bit: ``2b − 1``."""
    return 2 * bits - 1


def argmax(x: np.ndarray) -> np.ndarray:
    """Index of the largest value of each frame; of equal ones the lowest index."""
    return np.argmax(x, axis=1)
