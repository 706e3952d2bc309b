"""ONNX graphs in few lines, and their comparison with the networks that they become."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sw.importers import check
from sw.importers.qonnx import load

GENERAL = "qonnx.custom_op.general"


class Model:
    """A graph under construction: a call adds a node and returns the name of its first output.

    Inputs are names, None for one that is left out, or arrays, which become initializers; numbers
    are float32.
    """
    def __init__(self, *shape, dtype=np.float32, opset=17, custom=2, datatype=None):
        self.nodes, self.constants = [], []
        self.shape, self.dtype, self.opset, self.datatype = shape, dtype, opset, datatype
        self.custom = custom        # version of QONNX's operators
        self.input = "x"

    def constant(self, value):
        array = np.asarray(value)
        if not isinstance(value, np.ndarray | np.generic):
            array = array.astype(np.float32)
        self.constants.append(numpy_helper.from_array(array, f"constant_{len(self.constants)}"))
        return self.constants[-1].name

    def __call__(self, op, *inputs, domain="", name=None, outputs=1, **attributes):
        names = ["" if x is None else x if isinstance(x, str) else self.constant(x)
                 for x in inputs]
        name = name or f"{op.lower()}{len(self.nodes)}"
        made = [f"{name}_{k}" if k else f"{name}_out" for k in range(outputs)]
        self.nodes.append(helper.make_node(op, names, made, name=name, domain=domain, **attributes))
        return made[0]

    def quant(self, x, scale=0.25, bits=4, zero=0.0, *, signed=1, narrow=0, mode="ROUND",
              **attributes):
        return self("Quant", x, scale, zero, float(bits), domain=GENERAL, signed=signed,
                    narrow=narrow, rounding_mode=mode, **attributes)

    def dense(self, x, rows, columns, *, seed=0, levels=8, scale=0.125, **attributes):
        """A product with random weights on a grid, none of them exactly one plane."""
        return self("MatMul", x, weights(rows, columns, seed=seed, levels=levels) * np.float32(
            scale), **attributes)

    def proto(self, *outputs):
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype))
        graph = helper.make_graph(
            self.nodes, "graph", [helper.make_tensor_value_info(self.input, kind, self.shape)],
            [onnx.ValueInfoProto(name=name) for name in outputs], self.constants)
        if self.datatype:
            note = graph.quantization_annotation.add(tensor_name=self.input)
            note.quant_parameter_tensor_names.add(key="finn_datatype", value=self.datatype)
        for value in graph.output:
            indices = value.name.startswith("argmax") or value.name.endswith("_1")     # of TopK
            value.type.tensor_type.elem_type = TensorProto.INT64 if indices else (
                kind if np.dtype(self.dtype).kind == "f" else TensorProto.FLOAT)
        opsets = [helper.make_opsetid("", self.opset)]
        opsets += [helper.make_opsetid(domain, self.custom) for domain in sorted(
            {node.domain for node in self.nodes} - {""})]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def save(self, folder, *outputs, name="net.onnx"):
        path = folder / name
        onnx.save(self.proto(*outputs), path)
        return path


def weights(rows, columns, *, seed=0, levels=8):
    """Random integers 1 − levels … levels − 1 with both ends, float32."""
    w = np.random.default_rng(seed).integers(1 - levels, levels, (rows, columns))
    w.flat[:2] = levels - 1, 1 - levels
    return w.astype(np.float32)


def edges(imported, count=50):
    """Frames at the ends and on the ties of what the file's first quantizer rounds."""
    reading, size = imported.reading, int(np.prod(imported.network.input.shape))
    rng = np.random.default_rng(1)
    if reading.mode == "raw":
        element = imported.network.input.element
        ends = [-1, 1] if not element.holds(0) else [element.lo, 0, element.hi]
        integers = rng.choice(ends, (count, size))
        return check.real(imported, integers), integers
    step = np.broadcast_to(reading.step, imported.network.input.channels)
    middle = (reading.lo + reading.hi) / 2
    ties = middle + step * rng.integers(-20, 20, (count, len(step))) / 2
    flat = np.concatenate([np.full((1, size), at) for at in (
        reading.lo, reading.hi, 0.0, -0.0, 2 * reading.lo - 1, 2 * reading.hi + 1)]
        + [np.resize(ties, (count, size))]).astype(imported.graph.input.dtype)
    return check.in_file(imported, flat), check.codes_of(imported, flat)


def compared(imported, count=200):
    """The import, equal to its file in every integer and decision."""
    for what, frames in (("random frames", check.frames(imported, count)),
                         ("edge frames", edges(imported))):
        found = check.check(imported, *frames, what)
        assert found.equal, (what, found.decisions, found.frames, *(
            (str(layer), layer.first) for layer in found.layers))
    return imported


def types(imported):
    """The types of the network's layers, in a line."""
    return " ".join(type(layer).__name__ for layer in imported.network.layers)


def same(path, expected=None, **options):
    """The import of a file, equal to it, and made of layers of the ``expected`` types."""
    imported = compared(load(path, **options))
    if expected is not None:
        assert types(imported) == expected, types(imported)
    unused = [str(node) for node, became in imported.nodes if became == "not used by the output"]
    assert not unused, unused
    return imported
