"""Changes of shape: only the places of values move, and nothing is left of the node."""
import math
from dataclasses import replace

import numpy as np

from sw.importers.expression import affine, grid, leaf, over
from sw.importers.onnx_file import ModelError
from sw.network import Select

AXES = 8            # of a tensor
LARGEST = 2 ** 24   # elements that a Gather may give


def moved(b, node, where):
    """Give the values of a node's input new places; fewer are a selection of channels."""
    signal = b.signals[node.inputs[0]]
    if where.size < signal.where.size:
        select(b, node, node.outputs[0], where)
    else:
        b.give(node, replace(signal, where=where), "gone: a change of shape")


def reshape(b, node):
    if node.inputs[0] not in b.signals:
        raise ModelError(f"{node}: its data is constant")
    where = b.signals[node.inputs[0]].where
    shape = [int(n) for n in b.constant(node, 1, "shape").ravel()]
    if not node.attributes.get("allowzero"):
        shape = [where.shape[k] if n == 0 else n for k, n in enumerate(shape)]
    moved(b, node, where.reshape(shape))


def flatten(b, node):
    where = b.signals[node.inputs[0]].where
    axis = node.attributes.get("axis", 1)
    axis += where.ndim if axis < 0 else 0
    moved(b, node, where.reshape(math.prod(where.shape[:axis]), -1))


def transpose(b, node):
    where = b.signals[node.inputs[0]].where
    moved(b, node, where.transpose(node.attributes.get("perm")))


def axes_of(b, node):
    """The axes of a node, an attribute or an input; None if it has none."""
    axes = node.attributes.get("axes")
    if axes is None and (given := b.constant(node, 1, "axes")) is not None:
        axes = given.ravel().tolist()
    if axes is not None and len(axes) > AXES:
        raise ModelError(f"{node} has {len(axes):,} axes, more than {AXES}")
    return axes


def squeeze(b, node):
    axes = axes_of(b, node)
    where = b.signals[node.inputs[0]].where
    moved(b, node, where.squeeze(None if axes is None else tuple(axes)))


def unsqueeze(b, node):
    where = b.signals[node.inputs[0]].where
    moved(b, node, np.expand_dims(where, tuple(axes_of(b, node))))


def shape(b, node):
    shape = np.array(b.signals[node.inputs[0]].where.shape, np.int64)
    start, end = node.attributes.get("start", 0), node.attributes.get("end")
    b.constants[node.outputs[0]] = shape[start:end]
    b.became[node] = "constant"


def size(b, node):
    b.constants[node.outputs[0]] = np.array(b.signals[node.inputs[0]].where.size)
    b.became[node] = "constant"


def gather(b, node):
    if node.inputs[0] not in b.signals:
        raise ModelError(f"{node} looks up a table by the input; export it as a layer")
    where = b.signals[node.inputs[0]].where
    indices = b.constant(node, 1, "indices")
    if where.size * indices.size > LARGEST:
        raise ModelError(f"{node} takes {indices.size:,} times from {where.size:,} elements, more "
                         f"than {LARGEST:,} in all")
    moved(b, node, np.take(where, indices.astype(np.int64),
                              node.attributes.get("axis", 0)))


def slice_(b, node):
    where = b.signals[node.inputs[0]].where
    given = [b.constant(node, k, "limits") for k in range(1, 5)]
    if "starts" in node.attributes:
        given = [np.asarray(node.attributes.get(name)) if name in node.attributes else None
                 for name in ("starts", "ends", "axes", "steps")]
    starts, ends, axes, strides = (None if each is None else each.ravel().tolist()
                                   for each in given)
    cut = [slice(None)] * where.ndim
    for k, (start, end) in enumerate(zip(starts, ends, strict=True)):
        stride = strides[k] if strides else 1
        cut[axes[k] if axes else k] = slice(start, end, stride)
    moved(b, node, where[tuple(cut)])


def split(b, node):
    signal = b.signals[node.inputs[0]]
    axis = node.attributes.get("axis", 0)
    sizes = node.attributes.get("split")
    if sizes is None and (given := b.constant(node, 1, "sizes")) is not None:
        sizes = given.ravel().tolist()
    if sizes is None:
        count = len(node.outputs)
        each = -(-signal.where.shape[axis] // count)
        sizes = [each] * (count - 1) + [signal.where.shape[axis] - each * (count - 1)]
    if len(sizes) != len(node.outputs) or min(sizes) < 0 or (
            sum(sizes) != signal.where.shape[axis]):
        raise ModelError(f"{node} splits {signal.where.shape[axis]} channels into "
                         f"{str(sizes)[:60]}")
    parts = np.split(signal.where, np.cumsum(sizes)[:-1], axis)
    for name, where in zip(node.outputs, parts, strict=True):
        if name in b.used:
            select(b, node, name, where)


def expand(b, node):
    where = b.signals[node.inputs[0]].where
    shape = tuple(b.constant(node, 1, "shape").ravel().tolist())
    shape = np.broadcast_shapes(where.shape, shape)
    if math.prod(shape) != where.size:
        raise ModelError(f"{node} repeats values, which has no hardware")
    b.give(node, replace(b.signals[node.inputs[0]], where=where.reshape(shape)), "gone")


def select(b, node, name, where):
    """Make tensor ``name`` of the channels of ``where`` alone."""
    signal = b.signals[node.inputs[0]]
    if signal.source not in b.tensors:
        raise ModelError(f"{node} selects from an input that is not yet quantized; say that "
                         f"it takes 8-bit pixels (--input raw), or select behind a quantizer")
    x = b.tensors[signal.source]
    kept = np.unique(where % x.channels)
    if len(kept) == x.channels and where.size == math.prod(x.shape):
        b.signals[name] = replace(signal, name=name, where=where)
        b.became.setdefault(node, "gone: a change of shape")
        return
    if not where.size or where.size != len(kept) * math.prod(x.shape[:-1]) or (
            len(np.unique(where)) != where.size):
        raise ModelError(f"{node} crops or repeats pixels; hardware keeps or drops whole "
                         f"channels")
    if grid(signal.value) is not None:
        found = b.integers(signal, node)        # once for all selections
        signal = replace(signal, source=found.source,
                         value=leaf(found.scale, found.offset, b.dtype(signal)))
    layer = b.add(Select(b.name(node), (signal.source,), kept))
    place = np.searchsorted(kept, where % x.channels) + where // x.channels * len(kept)
    value = over(signal.value, lambda array: array[kept])
    b.signals[name] = replace(signal, name=name, source=layer, where=place, value=value)
    b.became[node] = f"Select {layer}"
    if (plain := affine(value)) and np.all(plain[0] != 0):
        b.tap(layer, b.signals[name], *plain)


HANDLERS = {"Expand": expand, "Flatten": flatten, "Gather": gather, "Reshape": reshape,
            "Shape": shape, "Size": size, "Slice": slice_, "Split": split, "Squeeze": squeeze,
            "Transpose": transpose, "Unsqueeze": unsqueeze}
