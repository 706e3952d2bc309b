"""Elementwise operators: they lengthen the expression of a signal."""
from dataclasses import replace

import numpy as np

from sw.importers import inputs, joins
from sw.importers.expression import Step
from sw.importers.onnx_file import ModelError
from sw.importers.signal import REAL

NAMES = {
    "Abs", "Add", "And", "BatchNormalization", "Cast", "Ceil", "Celu", "Clip", "DequantizeLinear",
    "Div", "Dropout", "Elu", "Equal", "Erf", "Exp", "Floor", "Gelu", "Greater", "GreaterOrEqual",
    "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max",
    "Min", "Mish", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "QuantizeLinear", "Reciprocal",
    "Relu", "Round", "Selu", "Sigmoid", "Sign", "Softplus", "Softsign", "Sqrt", "Sub", "Tanh",
    "ThresholdedRelu", "Where", "Xor"}
CONSTANTS = {"BatchNormalization", "Clip", "DequantizeLinear", "PRelu",
             "QuantizeLinear"}      # operators whose other operands only set them up
QUANTIZERS = {"Quant", "IntQuant", "BipolarQuant", "Trunc", "MultiThreshold"}     # of QONNX


def elementwise(b, node):
    signals = [b.signals.get(name) for name in node.inputs]
    given = [each for each in signals if each is not None]
    first = given[0]
    if node.op == "Dropout" and len(node.inputs) > 2 and np.any(b.constants.get(node.inputs[2])):
        raise ModelError(f"{node} is in training mode; export the model in evaluation mode")
    if node.op in ("Identity", "Dropout"):
        b.give(node, first, "gone")
        return
    if any(each.source != first.source or not np.array_equal(each.where, first.where)
           for each in given[1:]):
        if node.op not in ("Add", "Sub"):
            raise ModelError(f"{node} joins two branches of the network; of such joins "
                             f"hardware has Add, Sub and Concat")
        joins.join(b, node, given)
        return
    if len(node.outputs) > 1 and any(node.outputs[1:]):
        used = {name for each in b.graph.nodes for name in each.inputs}
        if used & set(node.outputs[1:]):
            raise ModelError(f"{node}: its second output has no hardware")
    _check(b, node, signals)
    first = _widened(b, node, first)
    axis, operands = axis_of(node, first.where.ndim), []
    channels = b.channels(first)
    for k, (name, signal) in enumerate(zip(node.inputs, signals, strict=True)):
        if signal is not None:
            operands.append(signal.value)
        elif not name:
            operands.append(None)
        else:
            operands.append(per_channel(b, node, k, b.constants[name], first, axis,
                                              channels))
    attributes = {}
    if node.op in ("QuantizeLinear", "DequantizeLinear"):
        attributes = {"axis": 1}
    signal = replace(first, name=node.outputs[0],
                     value=Step(node, tuple(operands), node.attributes | attributes))
    if signal.source == REAL and node.op in {*QUANTIZERS, "QuantizeLinear"}:
        signal = inputs.read_codes(b, signal)
    b.signals[node.outputs[0]] = signal


def _check(b, node, signals):
    """Refuse constants that are none, and training."""
    constants = [b.constants.get(name) for name in node.inputs]
    if any(x is not None and x.dtype.kind == "f" and not np.isfinite(x).all()
           for x in constants) and node.op not in ("Clip", "Min", "Max"):
        raise ModelError(f"{node}: its constants hold NaN or infinity")
    if node.op in CONSTANTS | QUANTIZERS:
        for name, signal in zip(node.inputs[1:], signals[1:], strict=True):
            if signal is not None:
                raise ModelError(f"{node}: {name!r} is computed from the input; hardware needs it "
                                 f"constant")
        if signals[0] is None:
            raise ModelError(f"{node} reads a constant")
    if node.op in ("Quant", "IntQuant", "BipolarQuant", "Trunc", "QuantizeLinear",
                   "DequantizeLinear") and not constants[1].all():
        raise ModelError(f"{node}: its scale is 0")
    if node.attributes.get("block_size"):
        raise ModelError(f"{node}: scales of blocks have no hardware; use one a channel")
    if node.attributes.get("training_mode"):
        raise ModelError(f"{node} is in training mode; export the model in evaluation mode")


def _widened(b, node, signal):
    """The signal with the axes of 1 in front that an operator's constants have more."""
    if node.op in CONSTANTS | QUANTIZERS:
        return signal
    rank = max(b.constants[name].ndim for name in node.inputs if name in b.constants) if any(
        name in b.constants for name in node.inputs) else 0
    where = signal.where
    return replace(signal, where=where.reshape((1,) * (rank - where.ndim) + where.shape))


def axis_of(node, rank):
    """The axis of the file's tensor that a node's vectors belong to, or None."""
    match node.op:
        case "BatchNormalization":
            return 1
        case "QuantizeLinear" | "DequantizeLinear":
            axis = node.attributes.get("axis", 1)
            return axis + rank if axis < 0 else axis
        case "MultiThreshold":
            layout = node.attributes.get("data_layout", "")
            return rank - 1 if layout.endswith("C") else 1
    return None


def per_channel(b, node, k, constant, signal, axis, channels):
    """A constant as () or (channels,) of the source; (channels, steps) of thresholds."""
    shape = signal.where.shape
    if node.op == "MultiThreshold":
        if constant.ndim != 2:
            raise ModelError(f"{node}: its thresholds have the shape {constant.shape}, not "
                             f"channels × steps")
        columns = [per_channel_of(b, node, column, signal, axis, channels)
                   for column in constant.T]
        return np.stack([np.broadcast_to(c, channels) for c in columns], axis=1)
    if node.op == "BatchNormalization":
        return np.ascontiguousarray(np.broadcast_to(
            per_channel_of(b, node, constant, signal, axis, channels), channels))
    if node.op in ("Clip", "Trunc") and constant.size != 1 and (node.op == "Clip" or k >= 3):
        raise ModelError(f"{node}: its limits are {constant.size} numbers; give one")
    if constant.size == 1:
        return constant.reshape(())
    if axis is not None and constant.ndim == 1:
        return per_channel_of(b, node, constant, signal, axis, channels)
    if np.broadcast_shapes(constant.shape, shape) != shape:
        raise ModelError(f"{node}: constants of shape {constant.shape} do not belong to a "
                         f"tensor of shape {shape}")
    return gathered(b, node, np.broadcast_to(constant, shape), signal, channels)


def per_channel_of(b, node, vector, signal, axis, channels):
    """A vector along ``axis`` of the file's tensor, by channel of the source."""
    if vector.size == 1:
        return vector.reshape(())
    shape = signal.where.shape
    if axis >= len(shape) or vector.shape != shape[axis:axis + 1]:
        raise ModelError(f"{node}: {vector.size} constants for {shape[axis:axis + 1]} "
                         f"channels")
    form = [1] * len(shape)
    form[axis] = -1
    return gathered(b, node, np.broadcast_to(vector.reshape(form), shape), signal, channels)


def gathered(b, node, constant, signal, channels):
    channel = signal.where % channels
    values = np.zeros(channels, constant.dtype)
    values[channel] = constant
    if not np.array_equal(values[channel], constant):
        raise ModelError(f"{node}: its constants differ from pixel to pixel; hardware has one "
                         f"a channel")
    return values
