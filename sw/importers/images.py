"""Operators on images: convolutions, pools and padding."""
import math
from dataclasses import replace

import numpy as np

from sw import fold as thresholding
from sw.importers import folding, products, shapes
from sw.importers.expression import Leaf, affine, changed, grid, leaf
from sw.importers.onnx_file import ModelError
from sw.importers.signal import SAMPLES, Integers, Signal
from sw.network import Affine, Conv2d, MaxPool, SumPool


def image(b, node, signal):
    """The integers of an image (1, channels, height, width) or (1, channels, length)."""
    x = b.integers(replace(signal, border=None), node)
    tensor = b.tensors[x.source]
    if len(tensor.shape) != 3:
        raise ModelError(f"{node} reads an image that was made of {tensor}; there is no "
                         f"hardware for that change of shape")
    order = np.moveaxis(np.arange(math.prod(tensor.shape)).reshape(tensor.shape), -1, 0)
    if x.where.ndim not in (3, 4) or not np.array_equal(x.where.reshape(-1),
                                                        order.reshape(-1)):
        raise ModelError(f"{node} reads its pixels in another order than they come; export it "
                         f"channels first")
    return x, tensor


def window(b, node, signal, kernel):
    """Kernel, stride and padding (top, left, bottom, right) of a node on images."""
    rank = signal.where.ndim - 2
    if rank not in (1, 2):
        raise ModelError(f"{node} reads a tensor of {rank + 2} axes, not an image")
    sizes = signal.where.shape[2:]
    get = node.attributes.get
    kernel = list(kernel or sizes)
    stride, dilations = get("strides") or [1] * rank, get("dilations") or [1] * rank
    pads = list(get("pads") or [0] * 2 * rank)
    if not len(kernel) == len(stride) == len(pads) // 2 == rank:
        raise ModelError(f"{node}: its kernel, strides and pads are not those of {rank} axes")
    if min(kernel) < 1 or min(stride) < 1 or min(pads) < 0:
        raise ModelError(f"{node}: its kernel and strides must be positive, and pads not "
                         f"negative")
    if any(d != 1 for d in dilations):
        raise ModelError(f"{node}: dilation {dilations} has no hardware; use 1")
    match get("auto_pad", "NOTSET"):
        case "SAME_UPPER" | "SAME_LOWER" as how:
            full = [max((-(-n // s) - 1) * s + k - n, 0)
                    for n, s, k in zip(sizes, stride, kernel, strict=True)]
            half = [p // 2 if how == "SAME_UPPER" else -(-p // 2) for p in full]
            pads = half + [p - h for p, h in zip(full, half, strict=True)]
    if rank == 1:
        kernel, stride, pads = [1, *kernel], [1, *stride], [0, pads[0], 0, pads[1]]
    if get("ceil_mode"):
        spans = [n + pads[k] + pads[k + 2] - kernel[k]
                 for k, n in enumerate(sizes if rank == 2 else (1, *sizes))]
        if any(span % s for span, s in zip(spans, stride, strict=True)):
            raise ModelError(f"{node}: ceil_mode adds a window beyond the image; pad instead")
    return tuple(kernel), tuple(stride), tuple(pads)


def bordered(b, node, signal, pads, value):
    """Padding with that of a Pad before it; both must pad with ``value`` (None: either)."""
    if not signal.border:
        return pads
    *border, filling = signal.border
    if value is None or any(pads) and filling != value:
        raise ModelError(f"{node}: the Pad before it pads with {filling:g}, this node not")
    return tuple(a + b for a, b in zip(pads, border, strict=True))


def pad(b, node):
    signal = b.signals[node.inputs[0]]
    rank = signal.where.ndim
    mode = node.attributes.get("mode", "constant")
    pads = node.attributes.get("pads")
    if pads is None:
        pads = b.constant(node, 1, "pads").ravel().tolist()
    value = node.attributes.get("value", 0.0)
    if (given := b.constant(node, 2, "value")) is not None:
        value = float(given.ravel()[0])
    if (axes := b.constant(node, 3, "axes")) is not None:
        full = [0] * 2 * rank
        for k, axis in enumerate(axes.ravel().tolist()):
            full[axis % rank] = pads[k]
            full[rank + axis % rank] = pads[len(axes.ravel()) + k]
        pads = full
    if not any(pads):
        b.give(node, signal, "gone: pads nothing")
        return
    if mode != "constant" or rank not in (3, 4) or len(pads) != 2 * rank or min(pads) < 0 or (
            any(pads[:2]) or any(pads[rank:rank + 2])) or signal.border:
        raise ModelError(f"{node}: hardware pads images with a constant on their four sides")
    sides = (pads[2], pads[3], pads[6], pads[7]) if rank == 4 else (0, pads[2], 0, pads[5])
    b.give(node, replace(signal, border=(*sides, value)), "padding of the next layer")


def conv(b, node):
    bias = b.constant(node, 2, "bias")
    convolution(b, node, kernels(b, node))
    if bias is not None:
        products.add_bias(b, node, bias.ravel())


def conv_integer(b, node):
    w = kernels(b, node).astype(np.int64)
    if (zero := b.constant(node, 3, "zero point")) is not None:
        w = w - zero.astype(np.int64).reshape(-1, *[1] * (w.ndim - 1))
    convolution(b, node, w.astype(np.float64), zero=b.constant(node, 2, "zero point"),
                      dtype=np.int32)


def kernels(b, node):
    w = b.constant(node, 1, "weights")
    if node.inputs[0] not in b.signals:
        raise ModelError(f"{node}: its input is constant")
    rank = b.signals[node.inputs[0]].where.ndim
    if w.ndim != rank:
        raise ModelError(f"{node}: weights of {w.ndim} axes on a tensor of {rank}")
    return w


def convolution(b, node, w, *, zero=None, dtype=np.float32):
    signal = b.signals[node.inputs[0]]
    kernel, stride, pads = window(b, node, signal, w.shape[2:])
    pads = bordered(b, node, signal, pads, 0.0)
    x, tensor = image(b, node, signal)
    x = b.less(x, zero)
    groups = node.attributes.get("group", 1)
    if groups < 1 or w.shape[1] * groups != tensor.channels or w.shape[0] % groups:
        raise ModelError(f"{node}: weights of shape {w.shape} in {groups} groups do not fit "
                         f"{tensor.channels} channels")
    if zero is not None and any(pads):
        filling = np.zeros(())          # ConvInteger pads with the zero point
    else:
        border = signal.border[4] if signal.border else 0.0
        filling = (border - x.offset) / x.scale
    pad = np.unique(np.rint(filling)) if any(pads) else np.zeros(1)
    if any(pads) and zero is not None:
        pad = np.unique(np.rint(-x.offset / x.scale))
    elif any(pads) and (len(pad) > 1 or (np.abs(filling - pad) > 1e-4).any()):
        raise ModelError(f"{node} pads with 0, which is no level of its input (they are "
                         f"{np.ravel(x.scale)[0]:.4g} · n + {np.ravel(x.offset)[0]:.4g}); pad "
                         f"with one of them, or quantize it with a zero")
    each = w.shape[1]
    # Columns are kernel row, kernel column, channel.
    order = w.reshape(len(w), each, *kernel).transpose(0, 2, 3, 1).reshape(len(w), -1)
    if x.scale.ndim or x.offset.ndim:
        x = even(b, node, x, tensor, groups)
    planes, scale, offset = products.planes_of(b, node, np.ascontiguousarray(order), x, None)
    name = b.add(Conv2d(b.name(node), (x.source,), planes, kernel, stride, pads,
                            int(pad[0]), groups))
    b.result(node, name, image_places(b, node, name), scale, offset, dtype)


def even(b, node, x, tensor, groups):
    """Integers whose channels have one scale and offset."""
    scale, offset = (np.broadcast_to(each, tensor.channels) for each in (x.scale, x.offset))
    if (scale != scale[0]).any() or (offset != offset[0]).any():
        raise ModelError(f"{node}: the channels of its input have different scales; quantize "
                         f"it with one scale")
    return replace(x, scale=np.asarray(scale[0]), offset=np.asarray(offset[0]))


def image_places(b, node, name):
    """Where the elements of the file's (1, channels, …) are in an image of the network."""
    shape = b.tensors[name].shape
    where = np.moveaxis(np.arange(math.prod(shape)).reshape(shape), -1, 0)[None]
    rank = b.signals[node.inputs[0]].where.ndim
    return where if rank == 4 else where.reshape(1, shape[-1], -1)


def max_pool(b, node):
    if any(node.outputs[1:]):
        raise ModelError(f"{node}: its indices have no hardware")
    signal = b.signals[node.inputs[0]]
    kernel, stride, pads = window(b, node, signal, node.attributes.get("kernel_shape"))
    if signal.border:
        raise ModelError(f"{node}: the Pad before it takes part in the maximum; use the "
                         f"pool's own padding")
    plain = affine(signal.value)
    rises = plain is not None and bool(np.all(plain[0] > 0))
    if not rises and grid(signal.value) is None and signal.source in b.tensors:
        signal = rising(b, node, signal)
        value = signal.value
        x = Integers(signal.source, signal.where, np.ones(()), np.zeros(()))
    else:
        x, _ = image(b, node, signal)
        value = leaf(x.scale, x.offset)
        if np.any(x.scale <= 0):
            signal = rising(b, node, replace(signal, source=x.source, value=value))
            x, value = replace(x, source=signal.source), signal.value
    if len(b.tensors[x.source].shape) != 3:
        raise ModelError(f"{node} pools {b.tensors[x.source]}, which is no image")
    name = b.add(MaxPool(b.name(node), (x.source,), kernel, stride, pads))
    b.signals[node.outputs[0]] = Signal(node.outputs[0], name,
                                           image_places(b, node, name), value)
    b.became[node] = f"MaxPool {name}"
    pair = affine(value)
    if pair:
        b.tap(name, b.signals[node.outputs[0]], *pair)


def rising(b, node, signal):
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
    name = b.add(Affine(f"{b.name(node)}_sign", (signal.source,), sign,
                            np.zeros(x.channels, np.int64)))
    value = changed(signal.value, lambda array: array, lambda each: Leaf(
        each.scale * sign, each.offset, each.dtype))
    return replace(signal, source=name, value=value)


def average_pool(b, node):
    signal = b.signals[node.inputs[0]]
    kernel, stride, pads = window(b, node, signal, node.attributes.get("kernel_shape"))
    if any(pads) and not node.attributes.get("count_include_pad"):
        raise ModelError(f"{node} divides by fewer pixels at the border; export it with "
                         f"count_include_pad=1, or without padding")
    sum(b, node, signal, kernel, stride, bordered(b, node, signal, pads, 0.0))


def global_average_pool(b, node):
    signal = b.signals[node.inputs[0]]
    kernel, stride, pads = window(b, node, signal, None)
    sum(b, node, signal, kernel, stride, pads)


def reduce_mean(b, node):
    signal = b.signals[node.inputs[0]]
    rank = signal.where.ndim
    axes = sorted(axis % rank for axis in shapes.axes_of(b, node) or ())
    if rank not in (3, 4) or axes != list(range(2, rank)):
        raise ModelError(f"{node} averages axes {axes}; hardware averages the pixels of "
                         f"images (axes 2 and 3)")
    sum(b, node, signal, *window(b, node, signal, None))
    if not node.attributes.get("keepdims", 1):
        out = b.signals[node.outputs[0]]
        b.signals[node.outputs[0]] = replace(out, where=out.where.reshape(1, -1))


def sum(b, node, signal, kernel, stride, pads):
    x, _ = image(b, node, signal)
    if any(pads) and np.any(x.offset):
        raise ModelError(f"{node} pads with 0, which is no level of its input; pool without "
                         f"padding")
    name = b.add(SumPool(b.name(node), (x.source,), kernel, stride, pads))
    b.result(node, name, image_places(b, node, name),
                 x.scale / math.prod(kernel), x.offset, np.float32)


HANDLERS = {"AveragePool": average_pool, "Conv": conv, "ConvInteger": conv_integer,
            "GlobalAveragePool": global_average_pool, "MaxPool": max_pool, "Pad": pad,
            "ReduceMean": reduce_mean}
