"""The integer operations of a network, one short NumPy function each: what hardware must compute.

All take a batch: the first axis counts frames, the last one channels. All are exact on integers.
Where (frames, channels) is said of a function that works channel by channel, images are taken as
well: (frames, height, width, channels).
"""
import math
from functools import reduce

import numpy as np

EXACT = 2 ** 53   # float64 holds every integer below
WINDOWS = 2 ** 20  # values of windows that are gathered at a time


class Matrix:
    """Integer weights (rows, columns) made ready for :func:`dense`, which is then faster.

    ``reach`` is the largest sum of magnitudes of a row.
    """
    def __init__(self, weights: np.ndarray):
        self.weights = weights
        rows = np.abs(weights.astype(np.float64)).sum(axis=1)       # exact below 2**53
        self.reach = int(rows.max()) if weights.size else 0
        self._transposed = {}

    def transposed(self, dtype: type) -> np.ndarray:
        """The weights of that type, (columns, rows)."""
        if dtype not in self._transposed:
            self._transposed[dtype] = self.weights.T.astype(dtype)
        return self._transposed[dtype]


def reach(x: np.ndarray, weights: np.ndarray | Matrix) -> int:
    """A bound of every partial sum of :func:`dense`: ``max |x| · max_o Σ_j |weights[o, j]|``."""
    matrix = weights if isinstance(weights, Matrix) else Matrix(weights)
    return max(abs(int(x.min())), abs(int(x.max()))) * matrix.reach


def dense(x: np.ndarray, weights: np.ndarray | Matrix) -> np.ndarray:
    """Matrix-vector product ``y[n, o] = Σ_j weights[o, j] · x[n, j]``.

    ``x`` is (frames, columns), ``weights`` (rows, columns); the result is (frames, rows).
    Runs as a floating-point matrix product (BLAS) of a type in which every partial sum is an
    exact integer; raises OverflowError for operands for which none is.
    """
    matrix = weights if isinstance(weights, Matrix) else Matrix(weights)
    if not x.size or not matrix.weights.size:
        return np.zeros((len(x), len(matrix.weights)), np.int64)
    largest = reach(x, matrix)
    if largest >= EXACT:
        raise OverflowError(f"dense sums may reach {largest}, beyond the exact 2**53")
    exact, result = (np.float32, np.int32) if largest < 2 ** 24 else (np.float64, np.int64)
    return (x.astype(exact) @ matrix.transposed(exact)).astype(result)


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


def taps(x: np.ndarray, kernel: tuple[int, int], stride: tuple[int, int],
         padding: tuple[int, int, int, int], fill: int) -> list[np.ndarray]:
    """What the windows of images see, tap by tap: kh · kw arrays, row by row of the kernel.

    ``x`` is (frames, height, width, channels), ``kernel`` and ``stride`` are (rows, columns) and
    ``padding`` is (top, left, bottom, right), of pixels that are ``fill``. Each array is (frames,
    ⌊(height + top + bottom − kh) / sh⌋ + 1, ⌊(width + left + right − kw) / sw⌋ + 1, channels).
    """
    (rows, columns), (down, across), (top, left, bottom, right) = kernel, stride, padding
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    height, width = x.shape[1] - rows + 1, x.shape[2] - columns + 1
    return [x[:, row:row + height:down, column:column + width:across]
            for row in range(rows) for column in range(columns)]


def conv2d(x: np.ndarray, weights: np.ndarray, *, kernel: tuple[int, int],
           stride: tuple[int, int] = (1, 1), padding: tuple[int, int, int, int] = (0, 0, 0, 0),
           pad_value: int = 0, groups: int = 1) -> np.ndarray:
    """Convolution of images (as in all frameworks: nothing is mirrored).

    ``y[n, i, j, o] = Σ weights[o, (p · kw + q) · C + c] · x[n, i·sh + p − top, j·sw + q − left,
    g·C + c]`` over p < kh, q < kw and c < C, where x is ``pad_value`` beyond its edges, C is
    channels / groups and ``g = ⌊o · groups / rows⌋`` is the group of row o.

    ``x`` and the sizes are those of :func:`taps`, ``weights`` is (rows, kh · kw · C); the result
    is (frames, height, width, rows). Raises OverflowError like :func:`dense`.
    """
    rows, columns = weights.shape
    channels = x.shape[3] // groups
    largest = max(-int(x.min(initial=0)), int(x.max(initial=0)), abs(pad_value))
    x = x.astype(np.int32 if largest < 2 ** 31 else np.int64)

    def some(x):
        seen = taps(x, kernel, stride, padding, pad_value)
        sums = []
        for group, matrix in enumerate(weights.reshape(groups, rows // groups, columns)):
            part = slice(group * channels, (group + 1) * channels)
            windows = np.concatenate([tap[..., part] for tap in seen], axis=3)
            sums.append(dense(windows.reshape(-1, columns), matrix))
        return np.concatenate(sums, axis=1).reshape(*seen[0].shape[:3], rows)

    values = math.prod(x.shape[1:]) * math.prod(kernel)
    frames = max(1, WINDOWS * math.prod(stride) // values)
    return np.concatenate([some(x[k:k + frames]) for k in range(0, max(len(x), 1), frames)])


def max_pool(x: np.ndarray, *, kernel: tuple[int, int], stride: tuple[int, int],
             padding: tuple[int, int, int, int] = (0, 0, 0, 0)) -> np.ndarray:
    """The largest value in each window, channel by channel; padding is never it.

    ``x`` and the sizes are those of :func:`taps`; no window may be padding alone.
    """
    return reduce(np.maximum, taps(x, kernel, stride, padding, np.iinfo(x.dtype).min))


def sum_pool(x: np.ndarray, *, kernel: tuple[int, int], stride: tuple[int, int],
             padding: tuple[int, int, int, int] = (0, 0, 0, 0)) -> np.ndarray:
    """The sum of each window, channel by channel, int64; padding counts as 0.

    ``x`` and the sizes are those of :func:`taps`.
    """
    return sum(taps(x.astype(np.int64), kernel, stride, padding, 0))


def add(*xs: np.ndarray) -> np.ndarray:
    """The sum of tensors of one shape, int64."""
    return sum(x.astype(np.int64) for x in xs)


def concat(*xs: np.ndarray) -> np.ndarray:
    """The channels of several tensors, one after the other, int64."""
    return np.concatenate([x.astype(np.int64) for x in xs], axis=-1)


def flatten(x: np.ndarray) -> np.ndarray:
    """Images as vectors: row by row, and pixel by pixel all channels."""
    return x.reshape(len(x), math.prod(x.shape[1:]))


def select(x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Keep the listed channels, in the order given: ``y[n, c] = x[n, indices[c]]``."""
    return x[..., indices]


def threshold(x: np.ndarray, thresholds: np.ndarray, flip: np.ndarray) -> np.ndarray:
    """Count, per channel, the thresholds reached: ``y[c] = Σ_j (x[c] >= thresholds[c, j])``.

    Where ``flip[c]`` is set the count runs down instead: ``steps − y[c]`` (a negative slope).
    ``x`` is (frames, channels), ``thresholds`` (channels, steps) ascending, ``flip`` (channels,).
    """
    steps = thresholds.shape[1]
    integer = np.min_scalar_type(-steps - 1)    # signed, and holds steps
    if x.dtype.kind in "iu" and _fits(thresholds, x.dtype):
        thresholds = thresholds.astype(x.dtype)     # compared without a conversion of x
    level = np.zeros(x.shape, integer)
    for j in range(steps):
        level += x >= thresholds[:, j]
    return np.where(flip, integer.type(steps) - level, level) if flip.any() else level


def _fits(values, dtype):
    """Whether an integer type holds all of an array of integers."""
    limits = np.iinfo(dtype)
    return not values.size or limits.min <= values.min() and values.max() <= limits.max


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
