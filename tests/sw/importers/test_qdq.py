"""Files that onnxruntime quantizes, and products of integers."""
import logging

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from sw.importers.onnx_file import ModelError
from sw.importers.qonnx import load
from tests.sw.importers.models import Model, compared, same, types, weights

SIZE, HIDDEN, CLASSES = 8, 6, 4


class Frames(CalibrationDataReader):
    """Random frames to calibrate on."""
    def __init__(self):
        rng = np.random.default_rng(0)
        self.frames = [{"x": rng.normal(size=(1, SIZE)).astype(np.float32)} for _ in range(20)]

    def get_next(self):
        return self.frames.pop() if self.frames else None


def float_model(folder, *, opset=17, op="Gemm"):
    """A small perceptron in floating point."""
    rng = np.random.default_rng(1)
    model = Model(1, SIZE, opset=opset)
    x = model.input
    for rows, columns in ((SIZE, HIDDEN), (HIDDEN, CLASSES)):
        w = rng.normal(0, 0.5, (rows, columns)).astype(np.float32)
        b = rng.normal(0, 0.5, columns).astype(np.float32)
        x = model("Gemm", x, w, b) if op == "Gemm" else model("Add", model("MatMul", x, w), b)
        x = model("Relu", x) if columns == HIDDEN else x
    return model.save(folder, x, name="float.onnx")


@pytest.fixture(autouse=True)
def quiet():
    """The quantizer of onnxruntime advises on the root logger."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("op", ["Gemm", "MatMul"])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("activations", [QuantType.QUInt8, QuantType.QInt8])
@pytest.mark.parametrize("opset", [13, 21])
def test_static_quantization_of_a_perceptron(op, per_channel, activations, opset, tmp_path):
    quantize_static(
        float_model(tmp_path, op=op, opset=opset), tmp_path / "net.onnx", Frames(),
        quant_format=QuantFormat.QDQ, per_channel=per_channel, activation_type=activations,
        weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax)
    found = load(tmp_path / "net.onnx")
    assert types(found) == "Dense Threshold Dense Threshold ArgMax"
    compared(found)
    assert {plane.datapath for layer in found.network.layers
            for plane in getattr(layer, "planes", ())}


def test_symmetric_quantization_of_weights_of_eight_bits(tmp_path):
    quantize_static(
        float_model(tmp_path), tmp_path / "net.onnx", Frames(), activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8, extra_options={"ActivationSymmetric": True})
    same(tmp_path / "net.onnx")


def test_operators_on_integers_are_refused_with_what_to_export(tmp_path):
    quantize_static(float_model(tmp_path, op="MatMul"), tmp_path / "net.onnx", Frames(),
                    quant_format=QuantFormat.QOperator)
    with pytest.raises(ModelError, match=(
            r"node \S+ \(QLinearMatMul\): this operator has no hardware; export with "
            r"QuantizeLinear and DequantizeLinear nodes \(QDQ\) instead$")):
        load(tmp_path / "net.onnx")


def test_dynamic_quantization_is_refused_by_name(tmp_path):
    quantize_dynamic(float_model(tmp_path), tmp_path / "net.onnx")
    with pytest.raises(ModelError, match=(
            r"\(DynamicQuantizeLinear\): this operator has no hardware; its scale depends on the "
            r"data; quantize statically$")):
        load(tmp_path / "net.onnx")


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("zeros", [(), (3,), (3, 2), (None, 2)])
def test_a_product_of_integers(dtype, zeros, tmp_path):
    model = Model(1, SIZE, dtype=dtype)
    w = weights(SIZE, HIDDEN).astype(np.int8)
    given = [None if zero is None else np.asarray(zero, kind)
             for zero, kind in zip(zeros, (dtype, np.int8), strict=False)]
    x = model("MatMulInteger", model.input, w, *given)
    x = model("Mul", model("Cast", x, to=onnx.TensorProto.FLOAT), np.float32(2.0 ** -6))
    x = model("QuantizeLinear", x, np.float32(0.5), np.uint8(4))
    x = model("MatMulInteger", x, weights(HIDDEN, CLASSES).astype(np.int8), np.uint8(4))
    found = same(model.save(tmp_path, model("Cast", x, to=onnx.TensorProto.FLOAT)),
                 "Dense Threshold Dense Affine ArgMax")
    assert str(found.network.input.element) == str(np.dtype(dtype))


def test_zero_points_of_each_column_of_weights(tmp_path):
    model = Model(1, SIZE, dtype=np.uint8)
    zeros = np.arange(CLASSES).astype(np.int8)
    x = model("MatMulInteger", model.input, weights(SIZE, CLASSES).astype(np.int8), np.uint8(1),
              zeros)
    same(model.save(tmp_path, model("Cast", x, to=onnx.TensorProto.FLOAT)), "Dense Affine ArgMax")


def test_whole_division_of_sums_is_not_taken_for_an_exact_one(tmp_path):
    model = Model(1, SIZE, dtype=np.int8)
    x = model("MatMulInteger", model.input, weights(SIZE, HIDDEN, levels=2).astype(np.int8))
    x = model("Cast", model("Div", x, np.int32(7)), to=onnx.TensorProto.FLOAT)
    same(model.save(tmp_path, model.dense(x, HIDDEN, CLASSES)), "Dense Threshold Dense ArgMax")


def test_an_input_that_is_quantized_may_be_used_by_functions(tmp_path):
    model = Model(1, SIZE)
    given = np.float32(0.125), np.uint8(128)
    x = model("DequantizeLinear", model("QuantizeLinear", model.input, *given), *given)
    x = model("DequantizeLinear", model("QuantizeLinear", model("Abs", x), *given), *given)
    same(model.save(tmp_path, model.dense(x, SIZE, CLASSES)), "Lookup Dense ArgMax")


@pytest.mark.parametrize("axis", [1, -1])
def test_scales_of_each_channel(axis, tmp_path):
    model = Model(1, SIZE)
    given = np.float32(0.125), np.int8(0)
    x = model("DequantizeLinear", model("QuantizeLinear", model.input, *given), *given)
    x = model.dense(x, SIZE, HIDDEN)
    given = 2.0 ** -np.arange(HIDDEN, dtype=np.float32), np.zeros(HIDDEN, np.int8)
    x = model("QuantizeLinear", x, *given, axis=axis)
    x = model("DequantizeLinear", x, *given, axis=axis)
    same(model.save(tmp_path, model.dense(x, HIDDEN, CLASSES)), "Dense Threshold Dense ArgMax")


def test_scales_of_blocks_are_refused(tmp_path):
    model = Model(1, SIZE, opset=21)
    given = np.full((1, 2), 0.5, np.float32), np.zeros((1, 2), np.int8)
    x = model("QuantizeLinear", model.input, *given, axis=1, block_size=4)
    path = model.save(tmp_path, model.dense(model("Cast", x, to=1), SIZE, CLASSES))
    with pytest.raises(ModelError) as error:
        load(path, input="raw")
    assert str(error.value) == (f"{path}: node quantizelinear0 (QuantizeLinear): scales of blocks "
                                f"have no hardware; use one a channel")
