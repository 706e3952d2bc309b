"""Damage to model files: ``mutant(seed, index)`` is one of any number, always the same."""
import random

import numpy as np
import onnx
from onnx import TensorProto, checker, helper, numpy_helper

from tests.sw.importers.corpus import LARGE, SEEDS

WHOLE = (0, 1, -1, 2, 3, 7, 33, 127, 255, 65536, 2 ** 24, 2 ** 31 - 1, -2 ** 31, 2 ** 32, LARGE,
         2 ** 62, 2 ** 63 - 1, -2 ** 63)
REAL = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 1e-38, 1e38, -1e38, float("nan"), float("inf"),
        float("-inf"), 2.0 ** 30, 1 / 3)
TEXT = ("", "x", "ROUND", "HALF_UP", "SAME_UPPER", "constant", "\0", "ü" * 50, "a" * 5000,
        "../../etc/passwd")
PLACES = ("../../etc/passwd", "/etc/passwd", "", ".", "..", "mutant.onnx", "/dev/zero", "none",
          "\0", "a" * 5000)
OPS = sorted({node.op_type for seed in SEEDS.values() for node in seed().graph.node} | {
    "Abs", "Loop", "If", "LSTM", "Einsum", "Erf", "Exp", "Log", "MatMulInteger", "GlobalMaxPool",
    "ReduceMax", "ReduceSum", "Size", "Sum", "Less", "Xor", "Not", "Selu", "HardSigmoid",
    "QLinearConv", "ConvTranspose", "Constant", "ConstantOfShape", "DynamicQuantizeLinear", ""})
DOMAINS = ("", "ai.onnx", "qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas",
           "com.microsoft", "ai.onnx.ml", "no.such")


def mutant(seed: int, index: int) -> bytes:
    """Mutant ``index`` of a seed: one of the models of :mod:`corpus`, changed one to four times.
    """
    rng = random.Random(f"{seed}/{index}")
    model = SEEDS[rng.choice(list(SEEDS))]()
    if rng.random() < 0.3:
        data = model.SerializeToString()
        for _ in range(rng.choice((1, 1, 2, 4))):
            data = rng.choice(BYTES)(rng, data)
        return data
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        rng.choice(FIELDS)(rng, model)
    return model.SerializeToString()


def flipped(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice((1, 2, 8))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def replaced(rng, data):
    start = rng.randrange(len(data) + 1)
    return data[:start] + rng.randbytes(8) + data[start + 8:]


def inserted(rng, data):
    start = rng.randrange(len(data) + 1)
    return data[:start] + rng.randbytes(rng.choice((1, 3, 30))) + data[start:]


def deleted(rng, data):
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start + rng.choice((1, 3, 30)):]


def doubled(rng, data):
    start, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:end] + data[start:end] + data[end:]


def truncated(rng, data):
    return data[:rng.randrange(len(data) + 1)]


def misspelt(rng, data):
    """A name that is no UTF-8, everywhere in the file."""
    name = rng.choice((b"t0", b"t1", b"c0", b"c2", b"Quant", b"MatMul", b"name", b"x"))
    return data.replace(name, b"\xff" * len(name))


BYTES = flipped, flipped, replaced, inserted, deleted, doubled, truncated, misspelt


def _node(rng, model):
    return rng.choice(model.graph.node) if model.graph.node else onnx.NodeProto()


def _tensor(rng, model):
    held = [attribute.t for node in model.graph.node for attribute in node.attribute
            if attribute.HasField("t")]
    found = [*model.graph.initializer, *held]
    return rng.choice(found) if found else onnx.TensorProto()


def _names(model):
    return [name for node in model.graph.node for name in (*node.input, *node.output)] + ["x", ""]


def attribute_value(rng, model):
    node = _node(rng, model)
    if not node.attribute:
        return
    attribute = rng.choice(node.attribute)
    match attribute.type:
        case onnx.AttributeProto.INT:
            attribute.i = rng.choice(WHOLE)
        case onnx.AttributeProto.FLOAT:
            attribute.f = rng.choice(REAL)
        case onnx.AttributeProto.STRING:
            attribute.s = rng.choice(TEXT).encode()
        case onnx.AttributeProto.INTS:
            values = list(attribute.ints)
            if values and rng.random() < 0.7:
                values[rng.randrange(len(values))] = rng.choice(WHOLE)
            else:
                values = values * rng.choice((0, 2, 100)) or [rng.choice(WHOLE)]
            del attribute.ints[:]
            attribute.ints.extend(values)


def attribute_type(rng, model):
    node = _node(rng, model)
    if node.attribute:
        attribute = rng.choice(node.attribute)
        if rng.random() < 0.3:
            attribute.type = rng.choice(onnx.AttributeProto.AttributeType.values())
        else:
            value = rng.choice((3, 0.5, "text", [1, 2], [0.5], ["a"], helper.make_tensor(
                "v", 1, [2], [1.0, 2.0]), helper.make_graph([], "g", [], [])))
            attribute.CopyFrom(helper.make_attribute(attribute.name, value))


def attribute_set(rng, model):
    node = _node(rng, model)
    if node.attribute and rng.random() < 0.5:
        del node.attribute[rng.randrange(len(node.attribute))]
    else:
        name = rng.choice(("axis", "axes", "pads", "strides", "group", "dilations", "alpha",
                           "transA", "keepdims", "ceil_mode", "auto_pad", "kernel_shape", "to",
                           "training_mode", "allowzero", "epsilon", "perm", "block_size",
                           "out_bias", "out_scale", "value", "saturate", "mode", "shape"))
        value = rng.choice((rng.choice(WHOLE), rng.choice(REAL), rng.choice(TEXT),
                            [rng.choice(WHOLE) for _ in range(rng.choice((1, 2, 4)))]))
        node.attribute.append(helper.make_attribute(name, value))


def operator(rng, model):
    node = _node(rng, model)
    if rng.random() < 0.7:
        node.op_type = rng.choice(OPS)
    else:
        node.domain = rng.choice(DOMAINS)


def opset(rng, model):
    if model.opset_import and rng.random() < 0.7:
        rng.choice(model.opset_import).version = rng.choice((*range(7, 25), *WHOLE))
    elif model.opset_import:
        del model.opset_import[rng.randrange(len(model.opset_import))]
    else:
        model.ir_version = rng.choice(WHOLE)


def tensor_shape(rng, model):
    tensor = _tensor(rng, model)
    if tensor.dims and rng.random() < 0.7:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(WHOLE)
    elif tensor.dims and rng.random() < 0.5:
        tensor.dims.reverse()
    else:
        tensor.dims.extend([1] * rng.choice((1, 3, 70)))


def tensor_type(rng, model):
    tensor = _tensor(rng, model)
    tensor.data_type = rng.choice((*TensorProto.DataType.values(), 99, -1))
    if rng.random() < 0.3:
        tensor.float_data.extend([1.0, 2.0])


def tensor_data(rng, model):
    tensor = _tensor(rng, model)
    size = len(tensor.raw_data)
    tensor.raw_data = rng.choice((b"", tensor.raw_data[:size // 2], tensor.raw_data * 2,
                                  rng.randbytes(size), b"\xff" * size, b"\0" * size))


def tensor_value(rng, model):
    """One value of a tensor, or all."""
    tensor = _tensor(rng, model)
    try:
        values = numpy_helper.to_array(tensor).copy()
    except (ValueError, TypeError, KeyError, checker.ValidationError):
        return
    if values.dtype.kind in "fiu" and values.size:
        value = rng.choice(REAL) if values.dtype.kind == "f" else np.uint64(
            rng.choice(WHOLE) % 2 ** 64)
        place = slice(None) if rng.random() < 0.3 else rng.randrange(values.size)
        with np.errstate(all="ignore"):
            values.reshape(-1)[place] = np.asarray(value).astype(values.dtype)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def outside(rng, model):
    """Data in another file."""
    tensor = _tensor(rng, model)
    tensor.data_location = TensorProto.EXTERNAL
    for key, values in (("location", PLACES), ("offset", WHOLE), ("length", (*WHOLE, "ten"))):
        if rng.random() < 0.7:
            tensor.external_data.append(onnx.StringStringEntryProto(
                key=key, value=str(rng.choice(values))))


def rewired(rng, model):
    """Another tensor in place of an input or output: often a cycle."""
    node = _node(rng, model)
    end = node.input if rng.random() < 0.7 else node.output
    if end:
        end[rng.randrange(len(end))] = rng.choice(_names(model))


def ends(rng, model):
    """Too many inputs or outputs, or too few."""
    node = _node(rng, model)
    end = rng.choice((node.input, node.output))
    if end and rng.random() < 0.5:
        del end[-1]
    else:
        end.extend([rng.choice(_names(model))] * rng.choice((1, 1, 40)))


def nodes(rng, model):
    graph = model.graph
    place = rng.randrange(len(graph.node)) if graph.node else 0
    match rng.randrange(3):
        case 0 if graph.node:
            del graph.node[place]
        case 1 if graph.node:
            graph.node.append(graph.node[place])
        case _:
            found = list(graph.node)
            rng.shuffle(found)
            del graph.node[:]
            graph.node.extend(found)


def stretched(rng, model):
    """An operator that is put before one, on the tensor that it reads first."""
    graph, node = model.graph, _node(rng, model)
    if not node.input:
        return
    inputs = [node.input[0], *rng.choices(_names(model), k=rng.choice((0, 0, 1, 2)))]
    made = f"new{len(graph.node)}"
    graph.node.append(helper.make_node(rng.choice(OPS), inputs, [made], made))
    node.input[0] = made


def reading(rng, model):
    """The input of the model."""
    value = rng.choice(model.graph.input) if model.graph.input else onnx.ValueInfoProto()
    tensor = value.type.tensor_type
    match rng.randrange(5):
        case 0 if tensor.shape.dim:
            rng.choice(tensor.shape.dim).dim_value = rng.choice(WHOLE)
        case 1 if tensor.shape.dim:
            rng.choice(tensor.shape.dim).dim_param = rng.choice(TEXT)
        case 2 if tensor.shape.dim:
            del tensor.shape.dim[-1]
        case 3:
            tensor.elem_type = rng.choice((*TensorProto.DataType.values(), 99))
        case _:
            value.type.Clear()


def interface(rng, model):
    """The inputs, outputs and metadata of the model."""
    graph = model.graph
    match rng.randrange(6):
        case 0:
            graph.output.append(helper.make_tensor_value_info(rng.choice(_names(model)), 1, [1]))
        case 1:
            graph.input.append(helper.make_tensor_value_info(rng.choice(_names(model)), 1, [1]))
        case 2:
            del graph.output[:]
        case 3 if graph.output:
            graph.output[0].name = rng.choice(_names(model))
        case 4 if model.metadata_props:
            rng.choice(model.metadata_props).value = rng.choice(TEXT)
        case _:
            entry = onnx.StringStringEntryProto(key="finn_datatype", value=rng.choice(
                ("INT4", "UINT0", "INT99", "BIPOLAR", "FLOAT32", "FIXED<8,2>", "")))
            graph.quantization_annotation.append(onnx.TensorAnnotation(
                tensor_name=rng.choice(_names(model)), quant_parameter_tensor_names=[entry]))


def named(rng, model):
    """Empty names, and names that are there twice."""
    name = rng.choice(_names(model) + list(TEXT))
    if rng.random() < 0.5:
        _node(rng, model).name = name
    else:
        _tensor(rng, model).name = name


FIELDS = (attribute_value, attribute_value, attribute_type, attribute_set, operator, opset,
          tensor_shape, tensor_type, tensor_data, tensor_value, tensor_value, tensor_value, outside,
          rewired, ends, nodes, stretched, stretched, reading, interface, named)
