"""Branches that come together: sums, differences and concatenations."""
import math
from dataclasses import replace

import numpy as np

from sw.importers.onnx_file import ModelError
from sw.network import Add, Affine, Concat

RATIO = 64                  # of the scales of two tensors that are joined, at most


def join(b, node, signals):
    """The sum or difference of two branches."""
    left, right = (b.integers(signal, node) for signal in signals)
    if left.where.shape != right.where.shape or not np.array_equal(left.where, right.where) or (
            b.tensors[left.source].shape != b.tensors[right.source].shape):
        raise ModelError(f"{node} adds tensors of shapes {left.where.shape} and "
                         f"{right.where.shape}; hardware adds tensors of one shape and order")
    if node.op == "Sub":
        right = replace(right, scale=-right.scale, offset=-right.offset)
    scale, factors = common(node, left.scale, right.scale)
    sources = [times(b, node, x.source, factor, side)
               for x, factor, side in zip((left, right), factors, "ab", strict=True)]
    name = b.add(Add(b.name(node), tuple(sources)))
    b.result(node, name, left.where, scale, left.offset + right.offset, np.float32)


def common(node, a, b):
    """A scale of which ``a`` and ``b`` are small multiples, and these: integers."""
    ratio = np.unique(b / a)
    for q in range(1, RATIO + 1):
        p = np.rint(ratio * q)
        if len(set(p)) == 1 and 0 < abs(p[0]) <= RATIO and (
                np.abs(ratio * q - p) <= 1e-6 * np.abs(p)).all():
            return a / q, (q, int(p[0]))
    raise ModelError(f"{node} joins tensors of the scales {np.ravel(a)[0]:.6g} and "
                     f"{np.ravel(b)[0]:.6g}, of which neither is a small multiple of the "
                     f"other; give both branches the same quantizer")


def times(b, node, source, factor, side):
    """The tensor ``source`` times an integer."""
    if factor == 1:
        return source
    channels = b.tensors[source].channels
    return b.add(Affine(f"{b.name(node)}_{side}", (source,), np.full(channels, factor),
                        np.zeros(channels, np.int64)))


def concat(b, node):
    """Channels of several branches, one after the other."""
    signals = [b.signals.get(name) for name in node.inputs]
    if None in signals:
        raise ModelError(f"{node} joins constants to the data; hardware joins layers")
    rank = signals[0].where.ndim
    axis = node.attributes["axis"] % rank
    if axis != 1 or math.prod(signals[0].where.shape[:1]) != 1:
        raise ModelError(f"{node} joins along axis {axis}; hardware joins channels (axis 1)")
    parts = [b.integers(signal, node) for signal in signals]
    tensors = [b.tensors[part.source] for part in parts]
    if rank == 2 and any(len(tensor.shape) == 3 for tensor in tensors):
        parts = [b.flat(node, part) if len(tensor.shape) == 3 else part
                 for part, tensor in zip(parts, tensors, strict=True)]
        tensors = [b.tensors[part.source] for part in parts]
    if len({tensor.shape[:-1] for tensor in tensors}) != 1 or any(
            part.where.size != math.prod(tensor.shape)
            for part, tensor in zip(parts, tensors, strict=True)):
        raise ModelError(f"{node} joins tensors of different sizes")
    name = b.add(Concat(b.name(node), tuple(part.source for part in parts)))
    total = b.tensors[name].channels
    first, where = 0, []
    for part, tensor in zip(parts, tensors, strict=True):
        where.append(part.where // tensor.channels * total + part.where % tensor.channels
                     + first)
        first += tensor.channels
    scale, offset = (np.concatenate([np.broadcast_to(getattr(part, what), tensor.channels)
                                     for part, tensor in zip(parts, tensors, strict=True)])
                     for what in ("scale", "offset"))
    if (scale == scale[0]).all() and (offset == offset[0]).all():
        scale, offset = scale[0], offset[0]
    b.result(node, name, np.concatenate(where, axis=1), scale, offset, np.float32)


HANDLERS = {"Concat": concat}
