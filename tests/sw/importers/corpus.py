"""Small model files of every kind that the importer reads, to be damaged by :mod:`mutations`."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"
LARGE = 2 ** 40         # of sizes that hostile files give


class Draft:
    """A model under construction: ``draft("Relu", "x")`` appends a node, returns its output."""
    def __init__(self, *shape, dtype=TensorProto.FLOAT, seed=0):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.tensors, self.annotations = [], [], []
        self.inputs = [helper.make_tensor_value_info("x", dtype, shape)]

    def __call__(self, op, *inputs, domain="", outputs=1, **attributes):
        made = [f"t{len(self.nodes)}" + ("" if not k else f"_{k}") for k in range(outputs)]
        self.nodes.append(helper.make_node(
            op, [each if isinstance(each, str) else self.constant(each) for each in inputs],
            made, f"{op}_{len(self.nodes)}", domain=domain, **attributes))
        return made[0] if outputs == 1 else made

    def constant(self, value):
        value = np.asarray(value)
        if value.dtype == np.float64:
            value = value.astype(np.float32)
        self.tensors.append(numpy_helper.from_array(value, f"c{len(self.tensors)}"))
        return self.tensors[-1].name

    def weights(self, *shape, high=1):
        """Random integers times a scale, as floats."""
        return self.rng.integers(-high, high, shape, endpoint=True) * np.float32(0.25)

    def quant(self, x, bits=2.0, scale=0.5, signed=1, narrow=0):
        return self("Quant", x, scale, 0.0, bits, domain=QONNX, signed=signed, narrow=narrow,
                    rounding_mode="ROUND")

    def bipolar(self, x):
        return self("BipolarQuant", x, 0.5, domain=QONNX)

    def dense(self, x, inputs, outputs, bits=2.0):
        return self("MatMul", x, self.quant(self.constant(self.weights(inputs, outputs)),
                                            bits, 0.25, narrow=1))

    def model(self, *outputs, opset=17, dtype=TensorProto.FLOAT):
        graph = helper.make_graph(
            self.nodes, "net", self.inputs,
            [helper.make_tensor_value_info(name, dtype, None) for name in outputs], self.tensors)
        graph.quantization_annotation.extend(self.annotations)
        found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset),
                                                        helper.make_opsetid(QONNX, 1)])
        found.ir_version = 8
        helper.set_model_props(found, {"name": "seed", "labels": "a\nb\nc"})
        return found


def quants():
    """A QONNX multi-layer perceptron with a batch norm."""
    d = Draft(1, 6)
    h = d.dense(d.quant("x", 4.0), 6, 5)
    h = d("BatchNormalization", h, d.rng.uniform(0.5, 2, 5), d.rng.normal(size=5),
          d.rng.normal(size=5), d.rng.uniform(0.5, 2, 5))
    h = d.quant(d("Relu", h), signed=0)
    return d.model(d("ArgMax", d("Add", d.dense(h, 5, 3), d.rng.normal(size=3)), axis=1,
                     keepdims=0), dtype=TensorProto.INT64)


def signs():
    """Bipolar weights and activations, the scales from constants, and one output."""
    d = Draft(1, 8)
    one = d("Reciprocal", d("Sqrt", 4.0))
    h = d("MatMul", d.bipolar("x"), d("Transpose", d.bipolar(d.constant(d.weights(5, 8))),
                                      perm=[1, 0]))
    h = d.bipolar(d("Sub", d("Mul", h, one), d.rng.normal(size=5)))
    return d.model(d("Sigmoid", d.dense(h, 5, 1)))


def linear():
    """QuantizeLinear and DequantizeLinear, as onnxruntime and PyTorch write them."""
    d = Draft("batch", 6)

    def dequantized(values, axis=0):
        scale = np.full(values.shape[axis], 0.125, np.float32)
        return d("DequantizeLinear", d.constant(values.astype(np.int8)), d.constant(scale),
                 d.constant(np.zeros(len(scale), np.int8)), axis=axis)

    def through(h, kind=np.uint8):
        scale, zero = d.constant(0.25), d.constant(np.array(3, kind))
        return d("DequantizeLinear", d("QuantizeLinear", h, scale, zero), scale, zero)

    h = d("Gemm", through("x"), dequantized(d.rng.integers(-3, 4, (5, 6))),
          d.constant(d.rng.normal(size=5)), transB=1)
    h = through(d("Relu", h))
    return d.model(d("Softmax", d("Gemm", h, dequantized(d.rng.integers(-3, 4, (5, 3)), 1))))


def pixels():
    """A convolutional network on 8-bit pixels."""
    d = Draft(1, 2, 6, 6)
    h = d("Conv", d("Div", "x", 255.0), d.weights(3, 2, 3, 3), pads=[1, 1, 1, 1],
          kernel_shape=[3, 3])
    h = d("MaxPool", d.quant(d("Relu", h), signed=0), kernel_shape=[2, 2], strides=[2, 2])
    h = d.quant(d("Conv", h, d.weights(3, 1, 2, 2), group=3))
    h = d("Flatten", h)
    return d.model(d("Gemm", h, d.weights(3, 12), d.rng.normal(size=3), transB=1))


def residual():
    """Two branches that are added, of channels as many as the image has."""
    d = Draft(1, 2, 4, 4)
    x = d.quant("x", 3.0)
    h = d.quant(d("Conv", x, d.weights(2, 2, 3, 3), pads=[1, 1, 1, 1]), 3.0)
    h = d("GlobalAveragePool", d.quant(d("Add", h, x), 3.0))
    return d.model(d.dense(d("Reshape", h, np.array([0, -1])), 2, 3))


def thresholds():
    """A FINN network of MultiThreshold on an input that is annotated with its data type."""
    d = Draft(1, 5)
    d.annotations.append(onnx.TensorAnnotation(tensor_name="x", quant_parameter_tensor_names=[
        onnx.StringStringEntryProto(key="finn_datatype", value="INT4")]))
    h = d("MatMul", "x", d.weights(5, 4) * 4)
    h = d("MultiThreshold", h, np.sort(d.rng.integers(-9, 9, (4, 3)), axis=1).astype(np.float32),
          domain=QONNX, out_dtype="UINT2")
    values, found = d("TopK", d("MatMul", h, d.weights(4, 3)), np.array([1]), outputs=2)
    return d.model(found, dtype=TensorProto.INT64)


def joined():
    """Channels that are split, sliced, gathered and put together."""
    d = Draft(1, 4, 2, 2)
    x = d.quant("x", 3.0)
    one, two = d("Split", x, np.array([1, 3]), outputs=2, axis=1)
    two = d("Slice", two, np.array([1]), np.array([3]), np.array([1]))
    h = d("Concat", d("Gather", two, np.array([1, 0]), axis=1), one, axis=1)
    h = d("Unsqueeze", d("Squeeze", d("Reshape", h, np.array([1, 12, 1])), np.array([2])),
          np.array([2]))
    h = d("Transpose", h, perm=[0, 2, 1])
    return d.model(d("Squeeze", d.dense(h, 12, 3), np.array([1])))


def folded():
    """Weights that are computed by operators on constants."""
    d = Draft(1, 4)
    w = d("Reshape", d("Tile", d.constant(d.weights(2, 3)), np.array([2, 1])), np.array([4, -1]))
    w = d("Add", w, d("Expand", d("ConstantOfShape", np.array([1, 1]),
                                  value=numpy_helper.from_array(np.array([0.5], np.float32))),
                      np.array([4, 3])))
    w = d("Where", np.array([[True], [False], [True], [True]]), w, d("Neg", w))
    part = d("Constant", value=numpy_helper.from_array(d.weights(4, 3).astype(np.float32)))
    w = d("Add", d.bipolar(w), d.bipolar(part))
    shape = d("Concat", d("Slice", d("Shape", "x"), np.array([0]), np.array([1])),
              np.array([-1]), axis=0)
    h = d("MatMul", d.quant(d("Reshape", "x", shape)), w)
    return d.model(d("Pow", d("Clip", h, 0.0, 3.0), 2.0))


def whole():
    """Products of whole numbers, as onnxruntime's dynamic operators make them."""
    d = Draft(1, 1, 4, 4, dtype=TensorProto.UINT8)
    h = d("ConvInteger", "x", d.constant(d.rng.integers(-2, 3, (2, 1, 3, 3)).astype(np.int8)),
          d.constant(np.uint8(3)))
    h = d("Flatten", d.quant(d("Mul", d("Cast", h, to=1), 0.125), 3.0))
    return d.model(d.dense(h, 8, 2))


def pools():
    """Pads, average pools and means."""
    d = Draft(1, 2, 6, 6)
    x = d.quant("x", 3.0)
    h = d("Conv", d("Pad", x, np.array([0, 0, 1, 1, 0, 0, 1, 1])), d.weights(2, 2, 3, 3),
          strides=[2, 2], auto_pad="VALID")
    h = d("AveragePool", d.quant(h), kernel_shape=[2, 2], ceil_mode=0, count_include_pad=1)
    h = d("Trunc", h, 0.125, 0.0, 8.0, 4.0, domain=QONNX, rounding_mode="FLOOR")
    h = d("ReduceMean", h, axes=[2, 3], keepdims=0)
    return d.model(d("LogSoftmax", d.dense(h, 2, 3)))


def curves():
    """Long expressions between quantizers."""
    d = Draft(1, 1, 7, dtype=TensorProto.FLOAT)
    x = d("Round", d("Clip", d.quant("x", 5.0), -3.0, 3.0))
    h = d("Conv", x, d.weights(3, 1, 3), strides=[2])
    h = d("Tanh", d("Mul", d("LeakyRelu", d("Sub", 1.0, h), alpha=0.5), d.constant(
        d.rng.uniform(0.5, 2, (3, 1)))))
    h = d("PRelu", d("Max", d("Add", h, h), d("Neg", h)), d.constant(np.full((3, 1), 0.25)))
    h = d("Sign", d("MaxPool", d.quant(h, 3.0, 0.125), kernel_shape=[2]))
    return d.model(d.dense(d("Identity", d("Flatten", d("Dropout", h))), 6, 2))


SEEDS = {f.__name__: f for f in (quants, signs, linear, pixels, residual, thresholds, joined,
                                 folded, whole, pools, curves)}
