"""Images: in which order their pixels are read, padding, and convolutions."""
import math
from dataclasses import replace

import numpy as np

from sw.importers import products
from sw.importers.onnx_file import ModelError
from sw.network import Conv2d, Select

NEAR = 1e-4         # of a level: how far what is padded with may be from it


def image(b, node, signal, where=None):
    """The integers of an image (1, channels, height, width) or (1, channels, length), in the order
    of their tensor, and this tensor. ``where`` are the places of the signal as such an image, if
    the file has it in another form."""
    x = b.integers(replace(signal, border=None), node)
    x = x if where is None else replace(x, where=where)
    channels = channel_order(b, node, x)
    if channels is not None:
        scale, offset = (each[channels] if each.ndim else each for each in (x.scale, x.offset))
        x = replace(x, source=b.add(Select(b.name(node, "order"), (x.source,), channels)),
                    where=x.where[:, np.argsort(channels)], scale=scale, offset=offset)
    return x, b.tensors[x.source]


def channel_order(b, node, x):
    """The channels of the tensor of ``x`` (a signal or integers) in the order in which the file
    has them as an image; None if that is its own order."""
    tensor = b.tensors[x.source]
    if len(tensor.shape) != 3:
        raise ModelError(f"{node} reads an image that was made of {tensor}; there is no "
                         f"hardware for that change of shape")
    order = places(tensor, x.where.ndim)
    if x.where.shape == order.shape:
        channels = x.where.reshape(len(order[0]), -1)[:, 0] % tensor.channels
        if np.array_equal(channels, np.arange(tensor.channels)) and (
                np.array_equal(x.where, order)):
            return None
        if np.array_equal(np.sort(channels), np.arange(tensor.channels)) and (
                np.array_equal(x.where, order[:, channels])):
            return channels
    raise ModelError(f"{node} reads a tensor of shape {x.where.shape}, whose pixels are in another "
                     f"order than those of the {tensor} that it is made of; export the model "
                     f"channels first, without changes of shape between its images")


def places(tensor, rank):
    """Where the elements of the file's (1, channels, …) of ``rank`` axes are in an image of the
    network."""
    where = np.moveaxis(np.arange(math.prod(tensor.shape)).reshape(tensor.shape), -1, 0)[None]
    return where[:, :, 0] if rank == 3 and tensor.shape[0] == 1 else where


def window(node, signal, kernel, *, grows=False):
    """Kernel, stride and padding (top, left, bottom, right) of a node on images.

    What a Pad before the node adds is not in this padding. ``grows``: the windows that ceil_mode
    adds are padding on the far sides.
    """
    rank = signal.where.ndim - 2
    if rank not in (1, 2):
        raise ModelError(f"{node} reads a tensor of {rank + 2} axes, not an image")
    get = node.attributes.get
    sizes, kernel = list(signal.where.shape[2:]), list(kernel or ())
    stride, dilations = get("strides") or [1] * rank, get("dilations") or [1] * rank
    pads = list(get("pads") or [0] * 2 * rank)
    if not len(kernel) == len(stride) == len(pads) // 2 == rank:
        raise ModelError(f"{node}: its kernel, strides and pads are not those of {rank} axes")
    if min(kernel) < 1 or min(stride) < 1 or min(pads) < 0:
        raise ModelError(f"{node}: its kernel and strides must be positive, and pads not "
                         f"negative")
    if any(d != 1 for d in dilations):
        raise ModelError(f"{node}: dilation {dilations} has no hardware; use 1")
    if rank == 1:
        sizes, kernel, stride, pads = [1, *sizes], [1, *kernel], [1, *stride], [0, pads[0], 0,
                                                                               pads[1]]
    if signal.border:
        sizes = [n + signal.border[k] + signal.border[k + 2] for k, n in enumerate(sizes)]
    how = get("auto_pad", "NOTSET")
    if how in ("SAME_UPPER", "SAME_LOWER"):
        full = [max((-(-n // s) - 1) * s + k - n, 0)
                for n, s, k in zip(sizes, stride, kernel, strict=True)]
        half = [p // 2 if how == "SAME_UPPER" else -(-p // 2) for p in full]
        pads = half + [p - h for p, h in zip(full, half, strict=True)]
    elif get("ceil_mode"):
        pads = _ceiled(node, sizes, kernel, stride, pads, grows)
    return tuple(kernel), tuple(stride), tuple(pads)


def _ceiled(node, sizes, kernel, stride, pads, grows):
    """Padding that has room for the windows that ceil_mode adds."""
    more = [-(n + pads[k] + pads[k + 2] - kernel[k]) % stride[k] for k, n in enumerate(sizes)]
    for k in range(2):
        if pads[k + 2] + more[k] >= kernel[k]:      # it would begin beyond the image: left out
            more[k] = 0
    if any(more) and not grows:
        raise ModelError(f"{node}: ceil_mode adds a window beyond the image, of fewer pixels; "
                         f"pad instead")
    return pads[:2] + [pads[2] + more[0], pads[3] + more[1]]


def padding(node, signal, pads, own=0.0):
    """The padding of a node together with that of a Pad before it, and what stands there: the
    node itself pads with ``own``."""
    if not signal.border:
        return pads, own
    *border, filling = signal.border
    if any(pads) and filling != own:
        raise ModelError(f"{node} pads with {own:g}, but the Pad before it with {filling:g}; pad "
                         f"in one of them")
    return tuple(a + b for a, b in zip(pads, border, strict=True)), filling


def level_of(node, x, filling):
    """The integer that stands for ``filling`` among integers ``x``."""
    with np.errstate(all="ignore"):
        exact = np.atleast_1d((filling - x.offset) / x.scale)
        level = np.rint(exact)
        if not (np.abs(exact - level) <= NEAR).all() or (level != level[0]).any():
            raise ModelError(f"{node} pads with {filling:g}, which is no level of its input (they "
                             f"are {np.ravel(x.scale)[0]:.4g} · n + {np.ravel(x.offset)[0]:.4g}); "
                             f"pad with one of them, or quantize it with a zero")
    return int(level[0])


def pad(b, node):
    """Padding of the convolution or pool that follows."""
    signal = b.signals[node.inputs[0]]
    rank = signal.where.ndim
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
    mode = node.attributes.get("mode", "constant")
    if mode != "constant" or rank not in (3, 4) or len(pads) != 2 * rank or min(pads) < 0 or (
            any(pads[:2]) or any(pads[rank:rank + 2])):
        raise ModelError(f"{node}: hardware pads images with a constant on their four sides")
    sides = (pads[2], pads[3], pads[6], pads[7]) if rank == 4 else (0, pads[2], 0, pads[5])
    # It keeps its name, under which the file shows the integers without the padding.
    b.signals[node.outputs[0]] = replace(signal, border=(*sides, value))
    b.became[node] = "padding of the next layer"


def conv(b, node):
    bias = b.constant(node, 2, "bias")
    convolution(b, node, kernels(b, node), b.parts.get(node.inputs[1]))
    if bias is not None:
        products.add_bias(b, node, bias.ravel())


def conv_integer(b, node):
    w = kernels(b, node).astype(np.int64)
    if (zero := b.constant(node, 3, "zero point")) is not None:
        w = w - zero.astype(np.int64).reshape(-1, *[1] * (w.ndim - 1))
    convolution(b, node, w.astype(np.float64), zero=b.constant(node, 2, "zero point"),
                dtype=np.int32)


def kernels(b, node):
    """The weights of a convolution."""
    w = b.constant(node, 1, "weights")
    if node.inputs[0] not in b.signals:
        raise ModelError(f"{node}: its input is constant")
    rank = b.signals[node.inputs[0]].where.ndim
    if w.ndim != rank:
        raise ModelError(f"{node}: weights of {w.ndim} axes on a tensor of {rank}")
    return w


def convolution(b, node, w, parts=None, *, zero=None, dtype=np.float32):
    """A Conv2d of weights ``w``, which are the sum of ``parts``."""
    signal = b.signals[node.inputs[0]]
    kernel, stride, pads = window(node, signal, w.shape[2:])
    pads, filling = padding(node, signal, pads, 0.0 if zero is None else float(zero.ravel()[0]))
    x, tensor = image(b, node, signal)
    groups = node.attributes.get("group", 1)
    if groups < 1 or w.shape[1] * groups != tensor.channels or w.shape[0] % groups:
        raise ModelError(f"{node}: weights of shape {w.shape} in {groups} groups do not fit "
                         f"{tensor.channels} channels")
    pad_value = level_of(node, x, filling) if any(pads) else 0

    def rows(weights):
        """Rows of weights; their columns are kernel row, kernel column, channel."""
        apart = weights.reshape(len(w), w.shape[1], *kernel).transpose(0, 2, 3, 1)
        return np.ascontiguousarray(apart.reshape(len(w), -1))

    def columns(values):
        """Numbers of the channels, for the columns of each row."""
        of_group = np.repeat(values.reshape(groups, -1), len(w) // groups, axis=0)
        return np.tile(of_group, math.prod(kernel))

    x = b.less(x, zero)
    by_column = replace(x, scale=columns(x.scale) if x.scale.ndim else x.scale,
                        offset=columns(x.offset) if x.offset.ndim else x.offset)
    planes, scale, offset = products.planes_of(b, node, rows(w), by_column,
                                               parts and [part.map(rows) for part in parts])
    name = b.add(Conv2d(b.name(node), (x.source,), planes, kernel, stride, pads, pad_value, groups))
    b.result(node, name, places(b.tensors[name], signal.where.ndim), scale, offset, dtype)


HANDLERS = {"Conv": conv, "ConvInteger": conv_integer, "Pad": pad}
