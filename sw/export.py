"""An integer network as a QONNX file: ``save(network, "net.onnx")``.

Layers become operators of ONNX, and ``Quant``, ``BipolarQuant`` and ``MultiThreshold`` of qonnx, on
float32 tensors that hold the network's integers. The tensor that a layer gives has the layer's
name; images are channels first. Every sum is below 2^24, where float32 is exact in any order.

What :func:`sw.importers.qonnx.load` makes of the file computes the same. It is the same network,
digest included, if the network is such as that import makes them: a Lookup or a Requantize comes
back as the thresholds that it is, weights in the planes that their values ask for.
"""
from importlib import metadata

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sw import element, golden, npz
from sw.alphabet import Bipolar, Codebook, Vectors
from sw.element import Element, Int, UInt
from sw.network import (
    Add,
    Affine,
    ArgMax,
    Concat,
    Conv2d,
    Dense,
    Flatten,
    Lookup,
    MaxPool,
    Network,
    NetworkError,
    Requantize,
    ResidualBinarize,
    Select,
    SumPool,
    Tensor,
    Threshold,
    XnorNetDense,
)

EXACT = 2 ** 24         # float32 holds every integer up to here
AVERAGED = 2 ** 20      # sums up to here are found again from their average, times its size
STEPS = 2 ** 12         # thresholds a channel that stand for a table, or for unequal levels
SWEEP = 2 ** 16         # values of an input on which the steps of a table are looked for
BLOCK = 2 ** 20         # of these values, those of all channels, that are looked at at a time
OPSET, IR = 13, 8       # of ONNX, which opset 13 came with
CUSTOM = "qonnx.custom_op.general"
QONNX = ("Quant", "BipolarQuant", "MultiThreshold")


def save(network: Network, path) -> None:
    """Write the network as a QONNX file; it appears complete or not at all.

    Raises :exc:`NetworkError` naming the layer that QONNX cannot hold, and why.
    """
    try:
        made = model(network)
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from None
    npz.write_atomic(path, made.SerializeToString(deterministic=True))


def model(network: Network) -> onnx.ModelProto:
    """The network as a QONNX model. Raises :exc:`NetworkError` as :func:`save` does."""
    try:
        w = Writer(network)
    except ValueError as error:
        raise NetworkError(f"network {network.name}: its input: {error}") from None
    for layer in network.layers:
        try:
            w.check(network.tensors[layer.name])
            write(w, layer)
        except ValueError as error:
            raise NetworkError(f"layer {layer.name}: {error}") from None
    last = network.layers[-1].name
    graph = helper.make_graph(
        w.nodes, network.name, [w.values.pop("input")], [w.values.pop(last)],
        initializer=list(w.constants.values()), value_info=list(w.values.values()))
    note = onnx.TensorAnnotation(tensor_name="input")
    note.quant_parameter_tensor_names.add(key="finn_datatype",
                                          value=datatype(network.input.element))
    graph.quantization_annotation.append(note)
    made = helper.make_model(
        graph, ir_version=IR, producer_name="bitwright",
        producer_version=metadata.version("bitwright"),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(CUSTOM, 1)])
    helper.set_model_props(made, {key: value for key, value in (
        ("name", network.name), ("labels", "\n".join(network.labels)),
        ("dataset", network.provenance.get("dataset"))) if value})
    return made


class Writer:
    """The graph under construction: nodes, constants, and the type and shape of every tensor.

    Names of layers are identifiers, so ``layer/part`` is free for what else a layer needs.
    """
    def __init__(self, network: Network):
        self.network = network
        self.nodes, self.constants, self.values = [], {}, {}
        self.check(network.input)
        self.value("input", shape_of(network.input))

    def check(self, tensor: Tensor, bound: int = 0) -> None:
        """Raises ValueError if a tensor, or sums of up to ``bound``, are not exact in float32."""
        reach = max(bound, -int(tensor.lo.min()), int(tensor.hi.max()))
        if reach > EXACT:
            raise ValueError(f"it computes with integers up to {reach}, but QONNX with float32, "
                             f"which is exact up to 2^24; narrow its weights or its input")

    def value(self, name, shape, dtype=TensorProto.FLOAT):
        self.values[name] = helper.make_tensor_value_info(name, dtype, shape)

    def constant(self, name: str, array, dtype=np.float32) -> str:
        """An initializer; returns its name."""
        array = np.ascontiguousarray(array, dtype)
        self.constants[name] = numpy_helper.from_array(array, name)
        self.value(name, array.shape, helper.np_dtype_to_tensor_dtype(array.dtype))
        return name

    def node(self, op: str, inputs: list[str], output: str, shape: tuple[int, ...], *,
             name: str | None = None, dtype=TensorProto.FLOAT, **attributes) -> str:
        """A node, named like its output unless ``name`` is given; returns the output's name."""
        self.nodes.append(helper.make_node(
            op, inputs, [output], name=name or output, domain=CUSTOM if op in QONNX else None,
            **attributes))
        self.value(output, shape, dtype)
        return output


def write(w: Writer, layer) -> None:
    """Append the nodes of a layer. Raises ValueError when QONNX cannot hold it."""
    name, xs = layer.name, [w.network.tensors[source] for source in layer.inputs]
    inputs, x, shape = list(layer.inputs), xs[0], shape_of(w.network.tensors[layer.name])
    match layer:
        case XnorNetDense():
            xnor_net(w, layer, x, shape)
        case Dense():
            w.check(x, sums(layer.weights, np.maximum(-x.lo, x.hi)))
            w.node("MatMul", [*inputs, weights(w, layer, lambda matrix: matrix.T, (1, -1))], name,
                   shape)
        case Conv2d():
            convolution(w, layer, x, shape)
        case Threshold():
            threshold(w, layer, x)
        case Lookup() | Requantize() | ResidualBinarize():
            staircase(w, layer, x, *steps_of(layer, x))
        case Affine(coefficients=factors, offset=offset):
            w.check(x, max(sums(factors[:, None], np.maximum(-x.lo, x.hi)[:, None]),
                           int(np.abs(offset).max())))
            w.node("Mul", [*inputs, channels(w, f"{name}/coefficients", factors, x)],
                   f"{name}/product", shape)
            w.node("Add", [f"{name}/product", channels(w, f"{name}/offset", offset, x)], name,
                   shape)
        case Select(indices=indices):
            w.node("Gather", [*inputs, w.constant(f"{name}/indices", indices, np.int64)], name,
                   shape, axis=1)
        case MaxPool():
            w.node("MaxPool", inputs, name, shape, kernel_shape=layer.kernel,
                   strides=layer.stride, pads=layer.padding)
        case SumPool():
            sum_pool(w, layer, x, shape)
        case Add():
            w.check(x, int(sum(np.maximum(-each.lo, each.hi) for each in xs).max()))
            chain(w, "Add", inputs, name, shape)
        case Concat():
            w.node("Concat", inputs, name, shape, axis=1)
        case Flatten():
            w.node("Transpose", inputs, f"{name}/rows", (1, *x.shape), perm=[0, 2, 3, 1])
            w.node("Flatten", [f"{name}/rows"], name, shape, axis=1)
        case ArgMax():
            last = layer is w.network.layers[-1]
            found = w.node("ArgMax", inputs, name if last else f"{name}/index", shape, name=name,
                           dtype=TensorProto.INT64, axis=1, keepdims=1)
            if not last:
                w.node("Cast", [found], name, shape, name=f"{name}/cast", to=TensorProto.FLOAT)
        case _:
            raise ValueError(f"{type(layer).__name__} has no form in QONNX")


def shape_of(tensor: Tensor) -> tuple[int, ...]:
    """The shape of a tensor of the file: one frame, and channels first."""
    return 1, tensor.channels, *tensor.shape[:-1]


def sums(weights: np.ndarray, magnitudes: np.ndarray) -> int:
    """A bound of every partial sum of products with the rows of ``weights``, in any order."""
    return int((np.abs(weights.astype(np.float64)) * magnitudes).sum(axis=1).max())


def channels(w, name, array, x):
    """A constant of one number a channel of ``x``."""
    return w.constant(name, np.reshape(array, (1, -1, *[1] * (len(x.shape) - 1))))


def chain(w, op, inputs, name, shape):
    """An operator of two inputs on all of them, from left to right; the last has the name."""
    total = inputs[0]
    for k, each in enumerate(inputs[1:], 1):
        total = w.node(op, [total, each], name if k == len(inputs) - 1 else f"{name}/{k}", shape)
    return total


def weights(w, layer, arrange, rows):
    """The weights of a layer as the file's tensor: planes of quantized codes, scaled and added.

    ``arrange`` brings a matrix to the file's form, in which ``rows`` is the shape of what there is
    one of a row.
    """
    bound = sum(np.abs(plane.values().astype(np.float64)).max() for plane in layer.planes)
    if bound > EXACT:
        raise ValueError(f"its weights may reach {bound:.0f}, but QONNX holds them as float32, "
                         f"which is exact up to 2^24")
    parts = []
    for k, plane in enumerate(layer.planes):
        name = f"{layer.name}/plane{k}"
        part = quantized(w, name, plane.alphabet, arrange(plane.alphabet.decode(plane.codes)))
        if (plane.coefficients != 1).any():
            factors = w.constant(f"{name}/coefficients", plane.coefficients.reshape(rows))
            part = w.node("Mul", [part, factors], f"{name}/scaled", shape_in(w, part))
        parts.append(part)
    return chain(w, "Add", parts, f"{layer.name}/weights", shape_in(w, parts[0]))


def shape_in(w, name):
    return [dim.dim_value for dim in w.values[name].type.tensor_type.shape.dim]


def quantized(w, name, alphabet, values):
    """Values of an alphabet, behind the quantizer that says so."""
    codes, one = w.constant(f"{name}/values", values), w.constant(f"{name}/scale", 1)
    if isinstance(alphabet, Bipolar):
        return w.node("BipolarQuant", [codes, one], name, values.shape)
    ends = alphabet.table if isinstance(alphabet, Codebook | Vectors) else alphabet.decode(
        np.array([alphabet.lo, alphabet.hi]))
    kind = element.smallest(int(ends.min()), int(ends.max()))
    zero, bits = w.constant(f"{name}/zero", 0), w.constant(f"{name}/bits", max(2, kind.bits)
                                                           if kind.lo < 0 else kind.bits)
    return w.node("Quant", [codes, one, zero, bits], name, values.shape,
                  signed=int(kind.lo < 0), narrow=int(kind.lo < 0 and ends.min() > kind.lo),
                  rounding_mode="ROUND")


def convolution(w, layer, x, shape):
    each = x.channels // layer.groups
    ends = np.concatenate([x.lo, x.hi, [layer.pad_value]])
    w.check(x, golden.reach(ends, layer.weights))
    kernels = weights(w, layer, lambda matrix: matrix.reshape(
        len(matrix), *layer.kernel, each).transpose(0, 3, 1, 2), (-1, 1, 1, 1))
    source, pads = layer.inputs[0], layer.padding
    if layer.pad_value and any(pads):
        top, left, bottom, right = pads
        sides = w.constant(f"{layer.name}/sides", [0, 0, top, left, 0, 0, bottom, right], np.int64)
        filling = w.constant(f"{layer.name}/filling", layer.pad_value)
        source = w.node("Pad", [source, sides, filling], f"{layer.name}/padded", (
            1, x.channels, x.shape[0] + top + bottom, x.shape[1] + left + right))
        pads = (0, 0, 0, 0)
    w.node("Conv", [source, kernels], layer.name, shape, kernel_shape=layer.kernel,
           strides=layer.stride, pads=pads, group=layer.groups)


def sum_pool(w, layer, x, shape):
    """The average times its size, and rounded if the average was."""
    name, size = layer.name, layer.kernel[0] * layer.kernel[1]
    rounded = size & (size - 1) > 0
    w.check(x, reach := size * int(np.maximum(-x.lo, x.hi).max()))
    if rounded and reach > AVERAGED:
        raise ValueError(f"its sums of {size} values may reach {reach}, but are found from their "
                         f"averages up to 2^20 only; pool windows of 2^n values")
    w.node("AveragePool", layer.inputs, f"{name}/average", shape, name=name,
           kernel_shape=layer.kernel, strides=layer.stride, pads=layer.padding,
           count_include_pad=1)
    w.node("Mul", [f"{name}/average", w.constant(f"{name}/size", size)],
           f"{name}/sum" if rounded else name, shape, name=f"{name}/sum")
    if rounded:
        w.node("Round", [f"{name}/sum"], name, shape, name=f"{name}/whole")


def xnor_net(w, layer, x, shape):
    """Signs times weights, times the sum of the magnitudes."""
    name, (source,) = layer.name, layer.inputs
    largest = np.maximum(-x.lo, x.hi)
    w.check(x, max(int(largest.sum()), sums(layer.weights, np.ones(x.channels))))
    w.node("BipolarQuant", [source, w.constant(f"{name}/one", 1)], f"{name}/signs", shape_of(x))
    matrix = weights(w, layer, lambda matrix: matrix.T, (1, -1))
    w.node("MatMul", [f"{name}/signs", matrix], f"{name}/sums", shape, name=name)
    w.node("Abs", [source], f"{name}/magnitudes", shape_of(x))
    w.node("ReduceSum", [f"{name}/magnitudes", w.constant(f"{name}/axis", [1], np.int64)],
           f"{name}/magnitude", (1, 1), keepdims=1)
    w.node("Mul", [f"{name}/sums", f"{name}/magnitude"], name, shape, name=f"{name}/product")


def threshold(w, layer, x):
    """One MultiThreshold if all levels are equally far apart.

    Where counts run down, ``x < t`` is ``−x >= 1 − t``.
    """
    levels, flip = layer.element.decode(layer.codes), layer.flip[:, None]
    rises = np.diff(levels)
    if rises.min() != rises.max() or rises[0] <= 0:
        staircase(w, layer, x, np.where(layer.flip, levels[-1], levels[0]), layer.thresholds,
                  np.where(flip, -rises[::-1], rises))
        return
    source, shape = layer.inputs[0], shape_of(x)
    if layer.flip.any():
        signs = channels(w, f"{layer.name}/signs", np.where(layer.flip, -1, 1), x)
        source = w.node("Mul", [source, signs], f"{layer.name}/signed", shape)
    multi_threshold(w, source, layer.name, shape,
                    np.where(flip, 1 - layer.thresholds[:, ::-1], layer.thresholds),
                    layer.element, scale=rises[0], bias=levels[0])


def multi_threshold(w, source, name, shape, thresholds, kind, *, scale=1, bias=0, node=None):
    """A MultiThreshold that gives values of the element ``kind``."""
    places = w.constant(f"{name}/thresholds", thresholds)
    return w.node("MultiThreshold", [source, places], name, shape, name=node,
                  out_dtype=datatype(kind), out_scale=float(scale), out_bias=float(bias),
                  data_layout="NC" if len(shape) == 2 else "NCHW")


def steps_of(layer, x):
    """A function of each channel as steps: the first value, where it changes, and by how much.

    Places and changes are (channels, steps); where a channel has fewer, the changes are 0.
    """
    values = (np.arange(int(x.lo.min()), min(int(x.hi.max()), int(x.lo.min()) + SWEEP) + 1)
              if isinstance(x.element, UInt | Int) else
              np.unique(x.element.decode(x.element.codes())))
    if len(values) > SWEEP:
        raise ValueError(f"its input takes more than {SWEEP} values, {x.lo.min()} … {x.hi.max()}; "
                         f"narrow it by a Threshold before it")

    def run(k):
        k = np.clip(k[:, None], x.lo, x.hi)
        return np.asarray(layer.run(x.element.encode(k) if layer.reads_codes else k), np.int64)

    first, found = run(values[:1])[0], []
    part = max(1, BLOCK // x.channels)
    for start in range(0, len(values) - 1, part):
        here = values[start:start + part + 1]
        rises = np.diff(run(here), axis=0)
        row, channel = np.nonzero(rises)
        found.append((channel, here[row + 1], rises[row, channel]))
    channel, place, rise = map(np.concatenate, zip(*found, strict=True)) if found else (
        np.zeros((3, 0), np.int64))
    order = np.argsort(channel, kind="stable")
    counts = np.bincount(channel, minlength=x.channels)
    columns = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    places, changes = np.zeros((2, x.channels, max(1, counts.max())), np.int64)
    places[channel[order], columns] = place[order]
    changes[channel[order], columns] = rise[order]
    return first, places, changes


def staircase(w, layer, x, first, places, changes):
    """Any function of each channel as counts of thresholds: those of steps up less those down.

    ``first`` (channels,) are the values below all ``places`` (channels, steps), at which they
    change by ``changes``. A step of several units is as many equal thresholds.
    """
    base, kind = int(first.min()), w.network.tensors[layer.name].element
    unit = max(1, int(np.gcd.reduce(np.concatenate([first - base, changes.ravel()]))))
    places = np.concatenate([x.lo[:, None], places], axis=1)
    counts = np.concatenate([(first - base)[:, None], changes], axis=1) // unit
    up, down = np.maximum(counts, 0), np.maximum(-counts, 0)
    most = int(max(up.sum(axis=1).max(), down.sum(axis=1).max()))
    if most > STEPS:
        raise ValueError(f"its values change by {most} steps of {unit}, more than the {STEPS} "
                         f"thresholds a channel that stand for it in QONNX; give it fewer levels")
    name, source, shape = layer.name, layer.inputs[0], shape_of(x)
    reached = {"scale": unit, "bias": base}
    if not down.any():
        multi_threshold(w, source, name, shape, repeated(places, up, x), kind, **reached)
        return
    wide = element.smallest(min(base, 0), base + unit * most)
    multi_threshold(w, source, f"{name}/up", shape, repeated(places, up, x), wide, **reached)
    multi_threshold(w, source, f"{name}/down", shape, repeated(places, down, x),
                    element.smallest(0, unit * most), scale=unit, node=name)
    w.node("Sub", [f"{name}/up", f"{name}/down"], name, shape, name=f"{name}/difference")


def repeated(places, counts, x):
    """Each place as often as its count says; rows are filled with what no value reaches."""
    totals = counts.sum(axis=1)
    rows = np.tile(x.hi[:, None] + 1, (1, max(1, totals.max())))
    rows[np.arange(rows.shape[1]) < totals[:, None]] = np.repeat(places.ravel(), counts.ravel())
    return rows


def datatype(kind: Element) -> str:
    """The name that FINN has for an element; of the smallest integer type where it has none."""
    match kind:
        case element.Bipolar():
            return "BIPOLAR"
        case element.Ternary():
            return "TERNARY"
        case UInt(1):
            return "BINARY"
        case UInt(bits):
            return f"UINT{bits}"
        case Int(bits):
            return f"INT{bits}"
    return datatype(element.smallest(kind.lo, kind.hi))
