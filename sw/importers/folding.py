"""An expression over integers as a layer: thresholds or a table, by evaluation."""
import numpy as np

from sw import fold as thresholding
from sw.importers.expression import evaluate, grid, steps
from sw.importers.onnx_file import ModelError
from sw.importers.signal import LEVELS, SAMPLES, Integers, element_of, steps_of
from sw.multiples import multiples
from sw.network import Lookup, Threshold

PART = 2 ** 22              # values that are evaluated at a time
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
    sampled = lo + (np.minimum(np.arange(span + 1)[:, None], hi - lo) if span <= thresholding.SWEEP
                    else np.rint(np.linspace(0, 1, SAMPLES)[:, None] * (hi - lo)).astype(int))
    levels = values_of(b, signal, sampled)
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

    if span <= thresholding.SWEEP and unchanged(whole_numbers, lo, hi):
        for step in within:
            b.became.setdefault(step.node, "gone: gives what it gets")
        return Integers(signal.source, signal.where, scale, np.zeros(()))
    try:
        layer = thresholds(name, signal.source, level, lo, hi, count, kind)
    except ValueError as error:
        if x.element.bits > 16 or 2 ** x.element.bits * x.channels > 2 ** 24:
            raise ModelError(
                f"{node} reads {signal.name!r}, which is no monotone function of the "
                f"integers of {signal.source} ({error}), of which there are too many for a "
                f"table; quantize before it") from None
        layer = table(b, name, signal.source, whole_numbers, kind)
    b.add(layer)
    for step in within:
        b.became[step.node] = f"folded into {type(layer).__name__} {name}"
    b.tap(name, signal, scale, 0.0)
    return Integers(name, signal.where, scale, np.zeros(()))


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


def thresholds(name, source, level, lo, hi, count, kind):
    """The Threshold of ``level`` (integers, channels), which gives levels 0 … ``count``."""
    span = int((hi - lo).max()) + 1
    part = max(1, PART // span) if span <= thresholding.SWEEP else len(lo)
    found = [thresholding.thresholds(lambda k, c=c: level(k, slice(c, c + part)),
                             lo[c:c + part], hi[c:c + part], count)
             for c in range(0, len(lo), part)]
    return Threshold(name, (source,), np.concatenate([t for t, _ in found]),
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
