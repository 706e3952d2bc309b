"""ONNX files read with suspicion: a graph of nodes in order, its constants and its input.

A file may be damaged or hostile: sizes are checked before anything is allocated, nothing outside
the file's folder is read, and whatever is wrong is said in one sentence.
"""
import heapq
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError, Message
from onnx import numpy_helper

LARGEST = 2 ** 30           # bytes of a file, of what it points to, and of one tensor
OLDEST = 9                  # opset that is read
MOST = 100_000              # nodes
FRAME = 2 ** 22             # elements of the input
CUSTOM = ("qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas")
STANDARD = ("", "ai.onnx")
NO_NUMBERS = (onnx.TensorProto.UNDEFINED, onnx.TensorProto.STRING, onnx.TensorProto.COMPLEX64,
              onnx.TensorProto.COMPLEX128)
DAMAGE = (ValueError, TypeError, IndexError, KeyError, ArithmeticError, AttributeError,
          MemoryError)      # what a damaged file may lead to


class ModelError(ValueError):
    """What is wrong with a model, or cannot be made hardware of, naming the node and the fix."""


@dataclass(frozen=True, eq=False)
class Node:
    """One operator: its inputs and outputs are names of tensors, '' where one is left out."""
    proto: onnx.NodeProto
    attributes: dict

    @property
    def op(self) -> str:
        return self.proto.op_type

    @property
    def domain(self) -> str:
        return "" if self.proto.domain in STANDARD else self.proto.domain

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(self.proto.input)

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(self.proto.output)

    @property
    def name(self) -> str:
        """The node's own name, or that of its first output."""
        return self.proto.name or self.outputs[0]

    def __str__(self):
        return f"node {self.name} ({self.op})"


@dataclass(frozen=True, eq=False)
class Input:
    """What a graph reads: ``shape`` with a batch of one frame, and FINN's data type, if noted."""
    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    datatype: str | None


@dataclass(frozen=True, eq=False)
class Graph:
    """A model: nodes in topological order, constants by name, and what it reads and gives."""
    model: onnx.ModelProto
    nodes: tuple[Node, ...]
    constants: dict[str, np.ndarray]
    input: Input
    outputs: tuple[str, ...]
    opset: int
    metadata: dict[str, str]


def read(path) -> Graph:
    """The graph of an ONNX file. Raises :exc:`ModelError` naming the file and what is wrong."""
    path = Path(path)
    try:
        if not path.is_file():
            raise ModelError("there is no such file" if not path.exists() else "it is no file")
        if path.stat().st_size > LARGEST:
            raise ModelError(f"it has {path.stat().st_size:,} bytes, more than {LARGEST:,}")
        model = onnx.load_model_from_string(path.read_bytes())
        return _graph(model, path.parent)
    except DecodeError:
        raise ModelError(f"{path}: it is no ONNX file, or damaged") from None
    except OSError as error:
        raise ModelError(f"{path}: it cannot be read: {error.strerror or error}") from None
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    except DAMAGE as error:
        raise ModelError(f"{path}: it is damaged: {told(error)}") from None


def told(error: Exception) -> str:
    """The type of an error and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200] if lines else 'no details'}"


def _graph(model, folder):
    graph = model.graph
    if not all(isinstance(text, str) for text in _texts(model)):
        raise ModelError("it is damaged: one of its names is no UTF-8")
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    opset = opsets.get("", opsets.get("ai.onnx"))
    if opset is None:
        if not graph.node:
            raise ModelError("it is no ONNX model, or an empty one")
        raise ModelError("it does not say which opset its operators are of")
    if opset < OLDEST:
        raise ModelError(f"its operators are of opset {opset}, before {OLDEST}; convert it with "
                         f"onnx.version_converter")
    if opset > onnx.defs.onnx_opset_version():
        raise ModelError(f"its operators are of opset {opset}, after "
                         f"{onnx.defs.onnx_opset_version()}; export it with that or an older one")
    if len(graph.node) > MOST:
        raise ModelError(f"it has {len(graph.node):,} nodes, more than {MOST:,}")
    constants = {}
    for tensor in graph.initializer:
        if tensor.name in constants:
            raise ModelError(f"tensor {tensor.name!r} is there twice")
        constants[tensor.name] = array(tensor, folder)
    if graph.sparse_initializer:
        raise ModelError("it holds sparse tensors; store them dense")
    datatypes = {entry.tensor_name: pair.value for entry in graph.quantization_annotation
                 for pair in entry.quant_parameter_tensor_names if pair.key == "finn_datatype"}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise ModelError(f"it has {len(inputs)} inputs ({names}), but hardware reads one")
    if not graph.output:
        raise ModelError("it has no output")
    made = {inputs[0].name, *constants}
    nodes = _sorted([_node(proto, folder) for proto in graph.node], made)
    outputs = tuple(value.name for value in graph.output)
    for name in outputs:
        if name not in made:
            raise ModelError(f"its output {name!r} is made by no node")
    return Graph(model, nodes, constants, _input(inputs[0], datatypes), outputs, opset,
                 {entry.key: entry.value for entry in model.metadata_props})


def _texts(message):
    """Every text in a message and the messages that it holds; bytes where it is no UTF-8."""
    left = [message]
    while left:
        for field, value in left.pop().ListFields():
            each = [value] if isinstance(value, str | bytes | Message) else value
            if field.type == field.TYPE_STRING:
                yield from each
            elif field.type == field.TYPE_MESSAGE:
                left.extend(each)


def _node(proto, folder):
    if not proto.output or not proto.output[0]:
        raise ModelError(f"node {proto.name or '?'} ({proto.op_type}) has no output")
    attributes = {}
    for attribute in proto.attribute:
        if attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
            raise ModelError(f"node {proto.name or proto.output[0]} ({proto.op_type}) holds a "
                             f"graph of its own: loops and branches have no hardware; export the "
                             f"model without control flow")
        try:
            value = onnx.helper.get_attribute_value(attribute)
        except ValueError as error:
            raise ModelError(f"node {proto.name or proto.output[0]} ({proto.op_type}): its "
                             f"attribute {attribute.name!r}: {error}") from None
        if isinstance(value, onnx.TensorProto):
            value = array(value, folder)
        elif isinstance(value, bytes):
            value = value.decode(errors="replace")
        attributes[attribute.name] = value
    return Node(proto, attributes)


def _sorted(nodes, made):
    """The nodes, each behind those whose outputs it reads; adds what they make to ``made``."""
    makers = {}
    for node in nodes:
        for name in filter(None, node.outputs):
            if name in made or name in makers:
                raise ModelError(f"tensor {name!r} is made twice, the second time by {node}")
            makers[name] = node
    waits, readers = {}, defaultdict(list)
    for place, node in enumerate(nodes):
        for name in filter(None, node.inputs):
            if name not in made and name not in makers:
                raise ModelError(f"{node} reads {name!r}, which nothing makes")
        needed = {name for name in node.inputs if name and name not in made}
        waits[place] = len(needed)
        for name in needed:
            readers[name].append(place)
    ordered, ready = [], [place for place, count in waits.items() if not count]
    while ready:
        place = heapq.heappop(ready)        # in the order of the file where that will do
        ordered.append(nodes[place])
        for name in filter(None, nodes[place].outputs):
            made.add(name)
            for reader in readers[name]:
                waits[reader] -= 1
                if not waits[reader]:
                    heapq.heappush(ready, reader)
    if len(ordered) < len(nodes):
        stuck = next(node for place, node in enumerate(nodes) if waits[place])
        raise ModelError(f"{stuck} waits for its own result: the graph has a cycle")
    return tuple(ordered)


def _input(value, datatypes):
    tensor = value.type.tensor_type
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    except KeyError:
        dtype = None
    if dtype is None or np.dtype(dtype).kind not in "iuf":
        raise ModelError(f"its input {value.name!r} is no tensor of numbers")
    shape = []
    for axis, dim in enumerate(tensor.shape.dim):
        size = dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None
        if axis == 0:
            size = 1                        # the batch
        if size is None:
            raise ModelError(f"axis {axis} of its input {value.name!r} has no fixed size "
                             f"({dim.dim_param or 'unknown'}); export it with fixed shapes, the "
                             f"batch apart")
        shape.append(size)
    if not 2 <= len(shape) <= 4:
        raise ModelError(f"its input {value.name!r} has {len(shape)} axes; a batch of vectors, "
                         f"signals or images has 2 to 4")
    if math.prod(shape) > FRAME:
        raise ModelError(f"its input {value.name!r} has {math.prod(shape):,} elements, more than "
                         f"{FRAME:,}")
    return Input(value.name, np.dtype(dtype), tuple(shape), datatypes.get(value.name))


def array(tensor, folder) -> np.ndarray:
    """The values of a TensorProto; other files are read only inside ``folder``."""
    where = f"tensor {tensor.name!r}"
    dims = list(tensor.dims)
    if any(size < 0 for size in dims) or len(dims) > 8:
        raise ModelError(f"{where} has the impossible shape {dims}")
    if math.prod(dims) * 8 > LARGEST:
        raise ModelError(f"{where} has the shape {dims}, too large to be read")
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except KeyError:
        raise ModelError(f"{where} is of an unknown type, {tensor.data_type}") from None
    if tensor.data_type in NO_NUMBERS:
        raise ModelError(f"{where} holds no real numbers")
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        plain = onnx.TensorProto(dims=dims, data_type=tensor.data_type,
                                 raw_data=_external(tensor, folder, where))
    else:
        plain = tensor
    try:
        values = numpy_helper.to_array(plain)
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{where}: its values do not have the shape {dims} of {dtype}: "
                         f"{error}") from None
    if values.dtype.kind not in "iufb":
        values = values.astype(np.float32)      # bfloat16, float8 and the like
    return values


def _external(tensor, folder, where):
    entries = {entry.key: entry.value for entry in tensor.external_data}
    if "\0" in entries.get("location", ""):
        raise ModelError(f"{where} is in a file whose name holds a NUL")
    target = (folder / entries.get("location", "")).resolve()
    if not target.is_relative_to(folder.resolve()) or not target.is_file():
        raise ModelError(f"{where} is in the file {entries.get('location', '')!r}, which is not "
                         f"in the folder of the model; put it there, or store the weights inside")
    try:
        offset = int(entries.get("offset") or 0)
        length = int(entries.get("length") or target.stat().st_size - offset)
    except ValueError:
        raise ModelError(f"{where}: its place in {target.name} is no number") from None
    if offset < 0 or not 0 <= length <= min(LARGEST, target.stat().st_size - offset):
        raise ModelError(f"{where} reaches beyond the end of {target.name}")
    with target.open("rb") as file:
        file.seek(offset)
        return file.read(length)
