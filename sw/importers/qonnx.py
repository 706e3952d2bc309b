"""QONNX and ONNX files as integer networks: ``load("net.onnx")``.

The graph is walked in order. A tensor of the file is either constant, or a
:class:`sw.importers.signal.Signal`: an expression (:mod:`sw.importers.expression`) over a tensor of
integers of the network under construction. Elementwise operators lengthen the expression; changes
of shape only move its places. Where an operator needs integers (a product with weights, a pool, a
join, the output) the expression is folded into thresholds or a table, whose values are whole
multiples of one real scale, which the next expression starts from. So nothing is rounded but what
the file itself rounds.
"""
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sw.importers import (
    decision,
    elementwise,
    images,
    inputs,
    joins,
    pools,
    products,
    schema,
    shapes,
)
from sw.importers.builder import Builder
from sw.importers.inputs import Reading
from sw.importers.onnx_file import CUSTOM, DAMAGE, Graph, ModelError, Node, read, told
from sw.importers.operators import MOST, Operators, limits
from sw.importers.signal import Decision, Tap
from sw.importers.weights import Part
from sw.network import ArgMax, Network, NetworkError

HANDLERS = (shapes.HANDLERS | products.HANDLERS | images.HANDLERS | pools.HANDLERS
            | joins.HANDLERS | decision.HANDLERS
            | dict.fromkeys(elementwise.NAMES, elementwise.elementwise))
MOVED = ("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Cast",
         "Shape")
PADDED = ("Conv", "ConvInteger", "AveragePool", "MaxPool")
CONSTANT = elementwise.NAMES | {      # operators on constants that are carried out
    "Concat", "Constant", "ConstantOfShape", "Expand", "Flatten", "Gather", "MatMul", "ReduceMax",
    "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "Reshape", "Shape", "Size", "Slice",
    "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"}
ADVICE = {
    "DynamicQuantizeLinear": "its scale depends on the data; quantize statically",
    "QLinearMatMul": "export with QuantizeLinear and DequantizeLinear nodes (QDQ) instead",
    "QLinearConv": "export with QuantizeLinear and DequantizeLinear nodes (QDQ) instead",
    "LSTM": "recurrent layers are not supported", "GRU": "recurrent layers are not supported",
    "RNN": "recurrent layers are not supported",
    "Loop": "export the model without control flow", "If": "export it without control flow",
    "FloatQuant": "quantize to integers instead",
    "Im2Col": "import the model from before it was lowered to matrix products",
    "ConvTranspose": "replace it by a convolution",
}


@dataclass(frozen=True, eq=False)
class Import:
    """A network read from a file.

    ``nodes`` says of every node of the file what became of it, ``notes`` what a user should know,
    ``taps`` where its integers can be seen in the file, ``where`` the place of each element of
    the file's input in a frame of the network. ``decision`` is the file's tensor that is decided
    on, and the level that a single output is compared with; None where the output is values.
    """
    network: Network
    graph: Graph
    operators: Operators
    reading: Reading
    where: np.ndarray
    taps: tuple[Tap, ...]
    decision: tuple[str, float | None] | None
    nodes: tuple[tuple[Node, str], ...]
    notes: tuple[str, ...]


def load(path, *, input: str | None = None, pixel: tuple[float, float] | None = None,
         output: str = "decision", dataset: str | None = None, name: str | None = None,
         labels: tuple[str, ...] = ()) -> Import:
    """Read a QONNX or ONNX file.

    ``input`` is ``raw`` (frames of 8-bit pixels, or of what integer type the file reads) or
    ``codes`` (those of the file's first quantizer). By default images are read raw, and other
    inputs as codes. ``pixel`` is what the file's real input is of pixel p, (scale, offset); by
    default p where the file itself divides by about 255, else p / 255. ``output`` is
    ``decision`` (the class, or of one output whether it is positive) or ``values``. ``dataset``
    names the data that it is for.

    Raises ModelError naming file, node and what would do.
    """
    path = Path(path)
    for what, value, allowed in (("input", input, (None, "raw", "codes")),
                                 ("output", output, ("decision", "values"))):
        if value not in allowed:
            raise ModelError(f"{what} {value}: it is {' or '.join(filter(None, allowed))}")
    graph = read(path)
    name = name or graph.metadata.get("name") or path.stem
    name = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII).lstrip(".-") or "network"
    try:
        b = Builder(graph, dataset)
        inputs.read_input(b, input, pixel)
        for node in graph.nodes:
            if b.used & set(node.outputs):
                _read(b, node)
        return _finished(b, name, output, labels, path)
    except (ModelError, NetworkError) as error:
        raise ModelError(f"{path}: {error}") from None
    except RecursionError:
        raise ModelError(f"{path}: its output is that of too many operators in a row without a "
                         f"quantizer or layer between them") from None
    except DAMAGE as error:
        raise ModelError(f"{path}: its output cannot be read: {told(error)}") from None


def _finished(b, name, output, labels, path):
    """The import of a graph that was walked to its end."""
    decided = decision.finish(b, output)
    for node in b.graph.nodes:
        b.became.setdefault(node, "not used by the output")
    labels = labels or tuple(filter(None, b.graph.metadata.get("labels", "").split("\n")))
    last = b.layers[-1]
    if not isinstance(last, ArgMax) or len(labels) != b.tensors[last.name].hi[0] + 1:
        labels = ()
    provenance = {"file": path.name, "producer": b.graph.model.producer_name, "notes": b.notes}
    dataset = b.dataset or b.graph.metadata.get("dataset")
    if dataset and b.reading.mode == "raw":
        provenance["dataset"] = dataset
    layers = _read_by_last(b.layers)
    network = Network(name, b.tensors["input"], layers, labels, provenance)
    taps = tuple(tap for tap in b.taps if tap.layer in network.tensors)
    return Import(network, b.graph, b.operators, b.reading, b.where, taps, decided,
                  tuple((node, b.became[node]) for node in b.graph.nodes), tuple(b.notes))


def _read_by_last(layers):
    """The layers that the last one depends on: of others, say, only the shape is used."""
    read, kept = {layers[-1].name}, []
    for layer in reversed(layers):
        if layer.name in read:
            read.update(layer.inputs)
            kept.append(layer)
    return tuple(reversed(kept))


def _read(b: Builder, node: Node) -> None:
    """One node of the walk; raises ModelError that names it."""
    try:
        schema.check(node, b.graph.opset)
        if all(name in b.constants for name in node.inputs if name):
            _fold_constant(b, node)
            return
        _check_use(b, node)
        if node.domain in CUSTOM:
            known = node.op in elementwise.QUANTIZERS
            handler = elementwise.elementwise if known else None
        else:
            handler = None if node.domain else HANDLERS.get(node.op)
        if handler is None:
            raise ModelError(f"{node}: this operator {_of(node)}has no hardware; {_advice(node)}")
        handler(b, node)
    except ModelError as error:
        text = str(error)
        raise ModelError(text if node.name in text else f"{node}: {text}") from None
    except RecursionError:
        raise ModelError(f"{node} is one of too many operators in a row without a quantizer or "
                         f"layer between them") from None
    except DAMAGE as error:
        raise ModelError(f"{node} cannot be read: {told(error)}") from None


def _check_use(b, node):
    """Refuse what may not follow a decision, a Softmax or a Pad."""
    for k, name in enumerate(node.inputs):
        signal = b.signals.get(name)
        if isinstance(signal, Decision):
            raise ModelError(f"{node} uses the decision; hardware ends with it")
        if signal is not None and signal.order and node.op not in (*MOVED, "ArgMax", "TopK"):
            raise ModelError(f"{node} uses the result of {signal.order}, of which only the order "
                             f"is kept; end the model there")
        if signal is not None and signal.border and (k or node.op not in PADDED):
            raise ModelError(f"{node} stands between a Pad and a Conv or pool; move the padding "
                             f"into that")


def _fold_constant(b, node):
    """Carry out a node whose inputs are all constant."""
    if node.op not in CONSTANT and node.domain not in CUSTOM or node.op == "MultiThreshold":
        raise ModelError(f"{node}: this operator {_of(node)}cannot be folded into constants; "
                         f"simplify the model, for example with onnxsim")
    values = [b.constants[name] if name else None for name in node.inputs]
    if node.op == "Constant":
        results = [_constant(node)]
    else:
        b.spent += _size(node, values)
        if b.spent > MOST:
            raise ModelError(f"{node} makes {_size(node, values):,.0f} constants; all nodes "
                             f"together may make {MOST:,}")
        with np.errstate(all="ignore"):
            results = b.operators.run(node, values)
    for out, value in zip(node.outputs, results, strict=False):
        if out:
            b.constants[out] = np.asarray(value)
    _keep_parts(b, node)
    b.became[node] = "constant"


def _size(node, values):
    """How many elements the results of an operator on constants may have."""
    given = [value for value in values if value is not None]
    match node.op:
        case "ConstantOfShape":
            return float(np.prod(given[0].astype(float)))
        case "Expand":
            return float(np.prod(np.abs(given[1].astype(float)))) * given[0].size
        case "Tile":
            return float(np.prod(np.abs(given[1].astype(float)))) * given[0].size
        case "MatMul":
            return float(given[0].size) * given[1].size
        case "Gather":
            return float(given[0].size) * given[1].size
        case _ if node.op in elementwise.NAMES - elementwise.CONSTANTS:
            shape = np.broadcast_shapes(*(value.shape for value in given))
            return float(np.prod(shape, dtype=float))
    return float(sum(value.size for value in given))


def _keep_parts(b, node):
    """Remember the summands of a sum of tensors: weights that are planes already."""
    names, out = node.inputs, node.outputs[0]
    most = _most(b, node, [b.constants[name] for name in names if name])
    if most is not None:
        b.most[out] = most
    if node.op == "Add" and b.constants[out].ndim >= 2 and (
            len({b.constants[name].shape for name in names}) == 1):
        b.parts[out] = [part for name in names
                        for part in b.parts.get(name, [Part(b.constants[name], b.most.get(name))])]
    elif node.op == "Transpose" and names[0] in b.parts:
        perm = node.attributes.get("perm")
        b.parts[out] = [part.map(lambda x: x.transpose(perm)) for part in b.parts[names[0]]]


def _most(b, node, values):
    """The largest value that the quantizer of a constant can give, if it has one for all."""
    match node.op:
        case "Quant" | "IntQuant" if all(value.size == 1 for value in values[1:]):
            scale, zero, bits = (float(value.reshape(())) for value in values[1:])
            _, top = limits(bits, signed=bool(node.attributes["signed"]),
                            narrow=bool(node.attributes["narrow"]))
            return (top - zero) * scale
        case "Transpose":
            return b.most.get(node.inputs[0])
        case "Mul" if (values[1] == values[1].flat[:1]).all() and node.inputs[0] in b.most:
            return b.most[node.inputs[0]] * abs(float(values[1].flat[0]))
    return None


def _constant(node):
    for name, dtype in (("value", None), ("value_float", np.float32), ("value_int", np.int64),
                        ("value_floats", np.float32), ("value_ints", np.int64)):
        if name in node.attributes:
            return np.asarray(node.attributes[name], dtype)
    raise ModelError(f"{node} holds no numbers")


def _of(node):
    return f"of {node.domain} " if node.domain else ""


def _advice(node):
    return ADVICE.get(node.op, "replace it, or remove it before the export")
