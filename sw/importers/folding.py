"""An expression over integers as a layer: thresholds or a table, by evaluation."""
import numpy as np

from sw import fold as thresholding
from sw.importers.expression import evaluate, grid, steps
from sw.importers.monotone import EXACT, SMOOTH, monotone
from sw.importers.onnx_file import ModelError
from sw.importers.signal import LEVELS, Integers, element_of, steps_of
from sw.multiples import multiples
from sw.network import Lookup, Threshold

PART = 2 ** 22              # values that are evaluated at a time
SHORT = 2 ** 12             # the longest range whose every value is always evaluated
FIRST = 64                  # values that a search for levels begins with
QUANTIZERS = ("Quant", "IntQuant", "BipolarQuant", "Trunc", "MultiThreshold", "QuantizeLinear",
              "Sign")


def fold(b, signal, node):
    """Thresholds or a table that give the signal's values as multiples of a scale."""
    x = b.tensors[signal.source]
    within = steps(signal.value)
    quantizer = next((step.node for step in reversed(within) if step.node.op in QUANTIZERS),
                     within[-1].node)
    lo, hi = x.lo.astype(np.int64), x.hi.astype(np.int64)
    span = int((hi - lo).max())
    if searched(b, signal, node):
        levels = levels_of(b, signal, lo, hi)
    else:
        levels = values_of(b, signal, lo + np.minimum(np.arange(span + 1)[:, None], hi - lo))
    scale, whole = scale_of(signal, node, levels)
    least, most = int(whole.min()), int(whole.max())
    bipolar = bool(np.isin(whole, (-1, 1)).all()) and (
        (whole < 0).any() or quantizer.op == "BipolarQuant")
    kind = element_of(least, most, bipolar)
    count = steps_of(kind, least, most)
    bottom = -(-count // 2) if kind.lo < 0 else 0
    name = b.name(quantizer)

    def whole_numbers(k, channels=slice(None)):
        values = evaluate(signal.value, k, b.operators, channels)
        with np.errstate(all="ignore"):
            n = np.rint(values / (scale[channels] if scale.ndim else scale))
        return np.where(np.isfinite(n), n, 2 ** 40).astype(np.int64)

    def level(k, channels):
        n = whole_numbers(k, channels)
        return (n + 1) // 2 if bipolar else n + bottom

    if span <= LEVELS and unchanged(whole_numbers, lo, hi):
        for step in within:
            b.became.setdefault(step.node, "gone: gives what it gets")
        return Integers(signal.source, signal.where, scale, np.zeros(()))
    try:
        if count > 2 * LEVELS:
            raise ValueError(f"it would take {count:,} thresholds")
        layer = thresholds(b, signal, node, name, level, count, kind)
    except ModelError:
        raise
    except ValueError as error:
        if x.element.bits > 16 or 2 ** x.element.bits * x.channels > 2 ** 24:
            raise ModelError(
                f"{node} reads {signal.name!r}, for which there are no thresholds on "
                f"{signal.source} ({error}), and whose integers are too many for a table; "
                f"quantize before it, or more coarsely") from None
        layer = table(b, name, signal.source, whole_numbers, kind)
    b.add(layer)
    for step in within:
        b.became[step.node] = f"folded into {type(layer).__name__} {name}"
    b.tap(name, signal, scale, 0.0, signal.value)
    return Integers(name, signal.where, scale, np.zeros(()))


def searched(b, signal, node):
    """Whether the steps of a signal are searched, not read off its values on all integers.

    That is exact for monotone functions only. Raises ModelError for others of long ranges.
    """
    x = b.tensors[signal.source]
    span = int((x.hi - x.lo).max())
    if span <= thresholding.SWEEP:
        return span > SHORT and monotone(signal.value, x.lo, x.hi, b.operators, EXACT)
    if not monotone(signal.value, x.lo, x.hi, b.operators, EXACT | SMOOTH):
        raise ModelError(f"{node} reads {signal.name!r}, which may be no monotone function of the "
                         f"{span + 1:,} integers of {signal.source}, and these are too many for a "
                         f"table; quantize before it")
    return True


def levels_of(b, signal, lo, hi):
    """Values (…, channels) of a monotone signal, all levels of each channel among them.

    Between integers of different values others are tried until they are neighbours, or there are
    more levels than may be.
    """
    k = lo + np.rint(np.linspace(0, 1, FIRST)[:, None] * (hi - lo)).astype(np.int64)
    values = values_of(b, signal, k)
    while True:
        between = (np.diff(values, axis=0) != 0) & (np.diff(k, axis=0) > 1)
        count = int(between.sum(axis=0).max())
        if not 0 < count <= LEVELS:
            return values
        place = np.argsort(~between, axis=0, kind="stable")[:count]
        middle = (np.take_along_axis(k, place, 0) + np.take_along_axis(k, place + 1, 0)) // 2
        k = np.concatenate([k, middle])
        values = np.concatenate([values, values_of(b, signal, middle)])
        order = np.argsort(k, axis=0, kind="stable")
        k, values = (np.take_along_axis(each, order, 0) for each in (k, values))


def values_of(b, signal, k):
    """The values at integers ``k`` (values, channels), a few channels at a time."""
    part = max(1, PART // len(k))
    parts = [evaluate(signal.value, k[:, c:c + part], b.operators, slice(c, c + part))
             for c in range(0, k.shape[1], part)]
    values = np.concatenate([np.asarray(each, np.float64) for each in parts], axis=1)
    if not np.isfinite(values).all():
        raise ModelError(f"tensor {signal.name!r} may be NaN or infinite")
    return values


def scale_of(signal, node, values):
    """A scale, () or (channels,), and the values as multiples of it."""
    step = grid(signal.value)
    if step is not None:
        whole = np.rint(values / step)
        if (np.abs(values / step - whole) <= np.abs(whole) * 2.0 ** -20 + 2.0 ** -20).all() \
                and np.abs(whole).max() < 2 ** 24:
            few(signal, node, np.unique(whole))
            return np.asarray(step), whole
    levels = np.unique(values)
    few(signal, node, levels)
    found = multiples(levels.astype(_dtype(values))[None])
    if found is None:
        raise ModelError(f"{node} reads {signal.name!r}, whose {len(levels)} levels are no "
                         f"multiples of one number; quantize it uniformly")
    scale = found[1][0] or 1.0
    return np.asarray(scale), np.rint(values / scale)


def few(signal, node, levels):
    if len(levels) > LEVELS:
        raise ModelError(f"{node} reads {signal.name!r}, which takes {len(levels):,} values "
                         f"or more, more than {LEVELS:,}: quantize it (in Brevitas with a "
                         f"QuantIdentity or QuantReLU before this node)")


def unchanged(function, lo, hi):
    """Whether every integer stays what it is."""
    part = max(1, PART // (int((hi - lo).max()) + 1))
    for c in range(0, len(lo), part):
        channels = slice(c, c + part)
        k = np.minimum(lo[channels] + np.arange(int((hi - lo).max()) + 1)[:, None],
                       hi[channels])
        if not np.array_equal(function(k, channels), k):
            return False
    return True


def thresholds(b, signal, node, name, level, count, kind):
    """The Threshold of ``level`` (integers, channels), which gives levels 0 … ``count``."""
    x = b.tensors[signal.source]
    lo, hi = x.lo.astype(np.int64), x.hi.astype(np.int64)
    if searched(b, signal, node):
        part, find = len(lo), thresholding.search
    else:
        part, find = max(1, PART // (int((hi - lo).max()) + 1)), thresholding.thresholds
    found = [find(lambda k, c=c: level(k, slice(c, c + part)),
                  lo[c:c + part], hi[c:c + part], count) for c in range(0, len(lo), part)]
    return Threshold(name, (signal.source,), np.concatenate([t for t, _ in found]),
                     np.concatenate([f for _, f in found]), kind)


def table(b, name, source, function, kind):
    x = b.tensors[source]
    codes = np.arange(2 ** x.element.bits)
    values = np.clip(x.element.decode(codes)[:, None], x.lo, x.hi)
    table = function(values).T
    if (table == table[0]).all():
        table = table[:1]
    return Lookup(name, (source,), np.ascontiguousarray(table), kind)


def _dtype(values: np.ndarray) -> type:
    """The floating-point type that values have been rounded to: float32 if they all fit it."""
    with np.errstate(over="ignore"):
        return np.float32 if np.array_equal(values.astype(np.float32), values) else np.float64
