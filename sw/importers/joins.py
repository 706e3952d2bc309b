"""Branches that come together: sums, differences and concatenations."""
from dataclasses import replace
from math import prod

import numpy as np

from sw.importers.onnx_file import ModelError
from sw.network import Add, Affine, Concat

RATIO = 64                  # whole numbers that scales of joined tensors may be to each other
POWER = 2 ** 16             # and powers of two
NEAR = 1e-6                 # of a ratio: how far it may be from these, since scales are rounded


def join(b, node, signals):
    """The sum of branches, or the difference of two."""
    parts = [b.integers(signal, node) for signal in signals]
    first = parts[0]
    for part in parts[1:]:
        if first.where.shape != part.where.shape or not np.array_equal(first.where, part.where) or (
                b.tensors[first.source].shape != b.tensors[part.source].shape):
            raise ModelError(f"{node} adds tensors of shapes {first.where.shape} and "
                             f"{part.where.shape}; hardware adds tensors of one shape and order")
    if node.op == "Sub":
        parts[1] = replace(parts[1], scale=-parts[1].scale, offset=-parts[1].offset)
    scale, factors = first.scale, [1]
    for part in parts[1:]:
        scale, left, right = common(node, scale, part.scale)
        factors = [*(factor * left for factor in factors), right]
    sources = [times(b, node, part.source, factor, side)
               for side, (part, factor) in enumerate(zip(parts, factors, strict=True))]
    name = b.add(Add(b.name(node), tuple(sources)))
    b.result(node, name, first.where, scale, sum(part.offset for part in parts),
             b.dtype(signals[0]))


def common(node, a, b):
    """A scale that ``a`` and ``b`` are multiples of, and these: whole numbers, a channel each."""
    with np.errstate(all="ignore"):
        ratio = np.asarray(b / a)
    if not (np.isfinite(ratio) & (ratio != 0)).all():
        raise ModelError(f"{node} joins tensors whose scales differ too much; give both branches "
                         f"the same quantizer")
    left, right = np.zeros(ratio.shape, np.int64), np.zeros(ratio.shape, np.int64)
    for q in range(1, RATIO + 1):
        p = np.rint(ratio * q)
        fits = (left == 0) & (np.abs(p) <= RATIO) & (p != 0) & (
            np.abs(ratio * q - p) <= NEAR * np.abs(p))
        left, right = np.where(fits, q, left), np.where(fits, p, right)
    power = 2.0 ** np.clip(np.rint(np.log2(np.abs(ratio))), -1000, 1000)
    fits = (left == 0) & (np.abs(np.abs(ratio) / power - 1) <= NEAR) & (
        np.maximum(power, 1 / power) <= POWER)
    left = np.where(fits, np.maximum(1 / power, 1), left).astype(np.int64)
    right = np.where(fits, np.sign(ratio) * np.maximum(power, 1), right).astype(np.int64)
    if not left.all():
        wrong = np.argmax(np.atleast_1d(left) == 0)
        a, b = (np.broadcast_to(each, ratio.shape).ravel()[wrong] for each in (a, b))
        raise ModelError(f"{node} joins tensors of the scales {a:.6g} and {abs(b):.6g}, of which "
                         f"neither is a small multiple of the other; give both branches the same "
                         f"quantizer")
    return a / left, left, right


def times(b, node, source, factor, side):
    """The tensor ``source`` times whole numbers, one or a channel each."""
    if np.all(factor == 1):
        return source
    channels = b.tensors[source].channels
    return b.add(Affine(b.name(node, "abcdefgh"[side] if side < 8 else str(side)), (source,),
                        np.array(np.broadcast_to(factor, channels)),
                        np.zeros(channels, np.int64)))


def sum_of(b, node):
    """The sum of any number of branches."""
    signals = _branches(b, node)
    if len(signals) == 1:
        b.give(node, signals[0], "gone")
    else:
        join(b, node, signals)


def concat(b, node):
    """Channels of several branches, one after the other."""
    signals = _branches(b, node)
    rank = signals[0].where.ndim
    axis = node.attributes["axis"] % rank
    if axis == 0 and signals[0].where.shape[0] == 1 and rank > 1:
        raise ModelError(f"{node} joins along axis {axis}; hardware joins channels (axis 1)")
    if len(signals) == 1:
        b.give(node, signals[0], "gone")
        return
    parts = [b.integers(signal, node) for signal in signals]
    if rank == 2 and any(len(b.tensors[part.source].shape) == 3 for part in parts):
        parts = [b.flat(node, part) for part in parts]
    tensors = [b.tensors[part.source] for part in parts]
    if len({tensor.shape[:-1] for tensor in tensors}) != 1 or any(
            part.where.size != prod(tensor.shape)
            for part, tensor in zip(parts, tensors, strict=True)):
        raise ModelError(f"{node} joins tensors of different sizes; hardware joins the channels "
                         f"of images of one size")
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
    b.result(node, name, np.concatenate(where, axis), scale, offset, b.dtype(signals[0]))


def _branches(b, node):
    """The signals that a node joins."""
    signals = [b.signals.get(name) for name in node.inputs]
    if None in signals:
        raise ModelError(f"{node} joins constants to the data; hardware joins layers")
    return signals


HANDLERS = {"Concat": concat, "Sum": sum_of}
