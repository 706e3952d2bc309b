"""Pools of images: the largest value of each window, or the mean."""
import math
from dataclasses import replace

import numpy as np

from sw import fold as thresholding
from sw.importers import folding, shapes
from sw.importers.expression import Leaf, affine, changed, grid, leaf, over
from sw.importers.images import channel_order, image, level_of, padding, places, window
from sw.importers.onnx_file import ModelError
from sw.importers.signal import SAMPLES, Signal
from sw.network import Affine, MaxPool, Select, SumPool

NO_PADS = 0, 0, 0, 0


def max_pool(b, node):
    if any(node.outputs[1:]):
        raise ModelError(f"{node}: its indices have no hardware")
    signal = b.signals[node.inputs[0]]
    largest(b, node, signal, *window(node, signal, node.attributes.get("kernel_shape"),
                                     grows=True))


def largest(b, node, signal, kernel, stride, pads, where=None):
    """A MaxPool of the integers that the signal rises with; for ``where`` see :func:`image`."""
    source, value = risen(b, node, signal, where)
    x = b.tensors[source]
    if signal.border:
        pads, filling = padding(node, signal, pads, signal.border[4])
        least = folding.values_of(b, Signal("", source, signal.where, value), x.lo[None])
        if not filling <= least.min():
            raise ModelError(f"{node}: the Pad before it takes part in the maximum; use the "
                             f"pool's own padding")
    name = b.add(MaxPool(b.name(node), (source,), kernel, stride, pads))
    out = Signal(node.outputs[0], name, places(b.tensors[name], _rank(signal, where)), value)
    b.signals[out.name] = out
    b.became[node] = f"MaxPool {name}"
    if (plain := affine(value)) and np.all(plain[0] != 0):
        b.tap(name, out, *plain)


def risen(b, node, signal, where):
    """A tensor in whose integers the signal's values rise, in the order of the file's image, and
    the values as an expression over it."""
    plain = affine(signal.value)
    rises = plain is not None and bool(np.all(plain[0] > 0))
    if rises or grid(signal.value) is not None or signal.source not in b.tensors:
        x, _ = image(b, node, signal, where)
        return x.source, leaf(x.scale, x.offset, b.dtype(signal))
    channels = channel_order(b, node, signal if where is None else replace(signal, where=where))
    if channels is not None:
        name = b.add(Select(b.name(node, "order"), (signal.source,), channels))
        signal = replace(signal, source=name,
                         value=over(signal.value, lambda array: array[channels]))
    signal = turned(b, node, signal)
    return signal.source, signal.value


def turned(b, node, signal):
    """The signal over integers that it rises with: those of falling channels are negated."""
    x = b.tensors[signal.source]
    span = int((x.hi - x.lo).max())
    k = x.lo + (np.minimum(np.arange(span + 1)[:, None], x.hi - x.lo) if span <= thresholding.SWEEP
                else np.rint(np.linspace(0, 1, SAMPLES)[:, None] * (x.hi - x.lo)).astype(int))
    change = np.diff(folding.values_of(b, signal, k), axis=0)
    falls, rises = (change < 0).any(axis=0), (change > 0).any(axis=0)
    if (falls & rises).any():
        raise ModelError(f"{node}: the maximum of values that are no monotone function of "
                         f"integers; quantize before the pool")
    if not falls.any():
        return signal
    sign = np.where(falls, -1, 1)
    name = b.add(Affine(b.name(node, "sign"), (signal.source,), sign,
                        np.zeros(x.channels, np.int64)))
    value = changed(signal.value, lambda array: array, lambda each: Leaf(
        each.scale * sign, each.offset, each.dtype))
    return replace(signal, source=name, value=value)


def average_pool(b, node):
    signal = b.signals[node.inputs[0]]
    kernel, stride, pads = window(node, signal, node.attributes.get("kernel_shape"))
    if any(pads) and not node.attributes.get("count_include_pad"):
        raise ModelError(f"{node} divides by fewer pixels at the border; export it with "
                         f"count_include_pad=1, or without padding")
    mean(b, node, signal, kernel, stride, pads)


def mean(b, node, signal, kernel, stride, pads, where=None):
    total(b, node, signal, kernel, stride, pads, where, count=math.prod(kernel))


def total(b, node, signal, kernel, stride, pads, where=None, *, count=1):
    """A SumPool, whose sums are divided by ``count``; for ``where`` see :func:`image`."""
    pads, filling = padding(node, signal, pads)
    x, _ = image(b, node, signal, where)
    if any(pads) and level_of(node, x, filling) != 0:
        raise ModelError(f"{node} pads with {filling:g}, which is not the 0 of its input's "
                         f"integers; pool without padding")
    name = b.add(SumPool(b.name(node), (x.source,), kernel, stride, pads))
    b.result(node, name, places(b.tensors[name], _rank(signal, where)), x.scale / count,
             x.offset * (math.prod(kernel) / count), b.dtype(signal), count=count)


def _rank(signal, where):
    return (signal.where if where is None else where).ndim


def over_pixels(pool):
    """The handler of a node that pools all pixels of an image, into one."""

    def handler(b, node):
        signal = b.signals[node.inputs[0]]
        before = signal.where.shape
        if node.op.startswith("Global"):
            axes = range(2, len(before))
        else:
            axes = [axis % len(before) for axis in shapes.axes_of(b, node) or ()]
        kept = [axis for axis in range(1, len(before)) if axis not in axes]
        if len(before) not in (3, 4) or len(kept) != 1 or 0 in axes:
            raise ModelError(f"{node} reduces axes {sorted(axes)} of {len(before)}; hardware "
                             f"reduces the pixels of images (axes 2 and 3)")
        where = np.moveaxis(signal.where, kept[0], 1)
        shape = b.tensors[signal.source].shape if signal.source in b.tensors else ()
        if len(shape) == 3 and where.size == math.prod(shape):
            where = where.reshape(1, -1, *shape[:2])    # pixels may be in a row
        kernel = where.shape[2:] if where.ndim == 4 else (1, *where.shape[2:])
        pool(b, node, signal, kernel, (1, 1), NO_PADS, where)
        after = [n for axis, n in enumerate(before) if axis in kept or axis == 0] if (
            not node.attributes.get("keepdims", 1)) else [
            1 if axis in axes else n for axis, n in enumerate(before)]
        out = b.signals[node.outputs[0]]
        b.signals[node.outputs[0]] = replace(out, where=out.where.reshape(after))

    return handler


HANDLERS = {"AveragePool": average_pool, "GlobalAveragePool": over_pixels(mean),
            "GlobalMaxPool": over_pixels(largest), "MaxPool": max_pool,
            "ReduceMax": over_pixels(largest), "ReduceMean": over_pixels(mean),
            "ReduceSum": over_pixels(total)}
