"""Products with weights: dense layers."""
import math
from dataclasses import replace

import numpy as np

from sw.importers import weights as weighting
from sw.importers.expression import Step
from sw.importers.onnx_file import ModelError, Node
from sw.network import Conv2d, Dense


def mat_mul(b, node):
    product(b, node, weights_of(b, node, 1), b.parts.get(node.inputs[1]))


def gemm(b, node):
    if node.attributes.get("transA"):
        raise ModelError(f"{node}: its input is transposed (transA); transpose the weights")
    w = weights_of(b, node, 1)
    parts = b.parts.get(node.inputs[1])
    if node.attributes.get("transB"):
        w = w.T
        parts = parts and [part.map(np.transpose) for part in parts]
    alpha, beta = node.attributes.get("alpha", 1.0), node.attributes.get("beta", 1.0)
    if not alpha:
        raise ModelError(f"{node}: its alpha is 0, which leaves nothing of the input")
    bias = b.constant(node, 2, "bias")
    product(b, node, w, parts, alpha=alpha)
    if bias is not None and beta:
        add_bias(b, node, bias.ravel() * bias.dtype.type(beta))


def mat_mul_integer(b, node):
    w = weights_of(b, node, 1)
    zero = b.constant(node, 3, "zero point")
    if zero is not None:
        w = w.astype(np.int64) - zero.astype(np.int64)
    product(b, node, w.astype(np.float64), None, zero=b.constant(node, 2, "zero point"),
                  dtype=np.int32)


def weights_of(b, node, k):
    w = b.constant(node, k, "second factor")
    if node.inputs[0] not in b.signals:
        raise ModelError(f"{node}: its first factor is constant; hardware multiplies the "
                         f"input by weights on the right")
    if w.ndim != 2 and not (w.ndim == 1 and node.op == "MatMul"):
        raise ModelError(f"{node}: its weights {node.inputs[k]!r} have {w.ndim} axes, not 2")
    return w


def product(b, node, w, parts, *, alpha=1.0, zero=None, dtype=None):
    """A dense layer of weights ``w`` (inputs, outputs), or (inputs,) of one output.

    ``dtype`` is the type of the file's sums, by default that of the weights.
    """
    signal = b.signals[node.inputs[0]]
    shape = signal.where.shape
    dtype = dtype or w.dtype
    kept = shape[:-1] + w.shape[1:]         # of a vector of weights no axis is left
    if w.ndim == 1:
        w, parts = w[:, None], None
    if len(shape) < 1 or w.shape[0] != shape[-1]:
        raise ModelError(f"{node}: weights {w.shape} do not fit an input of shape {shape}")
    x = b.integers(signal, node)
    x = b.less(x, zero)
    tensor = b.tensors[x.source]
    if math.prod(shape[:-1]) != 1:
        if len(tensor.shape) == 3 and np.array_equal(
                x.where.reshape(-1), np.arange(math.prod(tensor.shape))) and (
                shape[-1] == tensor.channels):
            pixels(b, node, x, w, alpha, dtype)
            return
        raise ModelError(f"{node} multiplies {math.prod(shape[:-1])} vectors of a frame; "
                         f"hardware has one a frame, or one a pixel")
    if len(tensor.shape) == 3:
        x = b.flat(node, x)
        tensor = b.tensors[x.source]
    index = x.where.reshape(-1)

    def placed(matrix):
        rows = np.zeros((matrix.shape[1], tensor.channels), matrix.dtype)
        np.add.at(rows.T, index, matrix)
        return rows

    rows = placed(w)
    parts = [part.map(placed) for part in parts] if parts else None
    planes, scale, offset = planes_of(b, node, rows, x, parts)
    name = b.add(Dense(b.name(node), (x.source,), planes))
    where = np.arange(w.shape[1]).reshape(kept)
    b.result(node, name, where, scale * alpha, offset * alpha, dtype)


def pixels(b, node, x, w, alpha, dtype):
    """A product for each pixel: a convolution of 1 × 1."""
    planes, scale, offset = planes_of(b, node, np.ascontiguousarray(w.T), x, None)
    name = b.add(Conv2d(b.name(node), (x.source,), planes, (1, 1), (1, 1),
                            (0, 0, 0, 0), 0, 1))
    size = math.prod(b.tensors[name].shape)
    where = np.arange(size).reshape(*x.where.shape[:-1], -1)
    b.result(node, name, where, scale * alpha, offset * alpha, dtype)


def planes_of(b, node, rows, x, parts):
    """Planes of weights (rows, columns) on ``x``, and scale and offset of each row's sum.

    The scale and offset of ``x`` are those of all, of each column, or (rows, columns).
    """
    if rows.dtype.kind == "b":
        raise ModelError(f"{node}: its weights are truth values; Cast them")
    if rows.dtype.kind != "f":
        rows = rows.astype(np.float64)
        parts = parts and [part.map(lambda x: x.astype(np.float64)) for part in parts]
    if not np.isfinite(rows).all():
        raise ModelError(f"{node}: its weights hold NaN or infinity")
    per_column = np.broadcast_to(x.scale, rows.shape)
    first = per_column[:, :1]
    uniform = bool((per_column == first).all())
    offset = (rows * np.broadcast_to(x.offset, rows.shape)).sum(axis=1)
    given = rows if uniform else (rows * (per_column / first)).astype(rows.dtype)
    try:
        planes, scale = weighting.planes(given, parts if uniform else None)
    except ValueError as error:
        if not uniform:
            raise ModelError(f"{node}: its weights times the scales of its input's channels are "
                             f"multiples of no one number; quantize its input with one scale, or "
                             f"with scales that are powers of two apart") from None
        raise ModelError(f"{node}: its weights: {error}") from None
    return planes, scale * first[:, 0], offset


def add_bias(b, node, bias):
    """Add a bias to the result of a node that has one."""
    signal = b.signals[node.outputs[0]]
    channels = b.tensors[signal.source].channels
    if not np.isfinite(bias).all():
        raise ModelError(f"{node}: its biases hold NaN or infinity")
    if bias.size not in (1, channels):
        raise ModelError(f"{node}: {bias.size} biases for {channels} outputs")
    proto = type(node.proto)(op_type="Add", input=["product", "bias"],
                             output=[node.outputs[0]], name=node.name)
    bias = bias.reshape(()) if bias.size == 1 else bias
    kept = b.taps.pop()
    if bias.dtype != signal.value.dtype:
        bias = bias.astype(signal.value.dtype)
    # The file shows the sum with the bias.
    b.tap(kept.layer, signal, kept.scale, kept.offset + bias.astype(np.float64))
    b.signals[node.outputs[0]] = replace(
        signal, value=Step(Node(proto, {}), (signal.value, bias), {}))


HANDLERS = {"Gemm": gemm, "MatMul": mat_mul, "MatMulInteger": mat_mul_integer}
