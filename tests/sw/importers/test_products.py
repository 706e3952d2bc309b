"""Dense layers of the forms in which files have them."""
import numpy as np
import pytest

from sw.importers.onnx_file import ModelError
from sw.importers.qonnx import load
from tests.sw.importers.models import Model, same, weights

SIZE = 8


def ended(model, x, folder, columns=6):
    """The model with a quantizer and a last layer behind ``x``, equal to its file."""
    x = model.quant(x, 0.5, 3)
    return same(model.save(folder, model.dense(x, columns, 3)))


def start(*shape, **options):
    model = Model(*(shape or (1, SIZE)), **options)
    return model, model.quant(model.input, 0.25, 4)


@pytest.mark.parametrize("opset", [9, 10, 11, 12, 13, 15, 17, 19, 21])
def test_each_opset(opset, tmp_path):
    model, x = start(opset=opset)
    w = model("Transpose", weights(6, SIZE) / 8, perm=[1, 0])
    x = model("Relu", model("Add", model("MatMul", x, w), np.arange(6, dtype=np.float32)))
    ended(model, x, tmp_path)


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("alpha, beta", [(1.0, 1.0), (0.5, 1.0), (-2.0, 0.25), (1.0, 0.0)])
@pytest.mark.parametrize("bias", [(6,), (1, 6), (1,), ()])
def test_gemm(transposed, alpha, beta, bias, tmp_path):
    model, x = start()
    w = weights(SIZE, 6) / 8
    x = model("Gemm", x, np.ascontiguousarray(w.T) if transposed else w,
              np.resize(np.arange(6, dtype=np.float32), bias), transB=transposed, alpha=alpha,
              beta=beta)
    ended(model, x, tmp_path)


def test_gemm_without_bias(tmp_path):
    model, x = start()
    ended(model, model("Gemm", x, weights(SIZE, 6) / 8), tmp_path)


def test_a_vector_of_weights_gives_one_output(tmp_path):
    model, x = start()
    found = same(model.save(tmp_path, model("MatMul", x, weights(SIZE, 1)[:, 0])))
    assert found.network.decides


def test_a_vector_of_weights_within(tmp_path):
    model, x = start()
    x = model("Reshape", model("MatMul", x, weights(SIZE, 1)[:, 0]), np.int64([-1, 1]))
    ended(model, x, tmp_path, columns=1)


def test_an_input_of_one_axis(tmp_path):
    model, x = start()
    x = model("MatMul", model("Reshape", x, np.int64([-1])), weights(SIZE, 6) / 8)
    ended(model, model("Reshape", x, np.int64([1, -1])), tmp_path)


@pytest.mark.parametrize("shape", [(1, SIZE), (1, 2, 4), (1, 2, 2, 2)])
@pytest.mark.parametrize("op", ["Flatten", "Reshape"])
def test_inputs_of_each_rank(shape, op, tmp_path):
    model = Model(*shape)
    x = model.quant(model.input, 0.25, 4)
    x = model("Flatten", x) if op == "Flatten" else model("Reshape", x, np.int64([-1, SIZE]))
    x = model.quant(model.dense(x, SIZE, 6), 0.5, 3)
    same(model.save(tmp_path, model.dense(x, 6, 3)), input="codes")


def test_axes_of_one_may_come_and_go(tmp_path):
    model, x = start()
    x = model("Unsqueeze", x, np.int64([1]))
    x = model("Squeeze", model.dense(x, SIZE, 6), np.int64([1]))
    ended(model, x, tmp_path)


def test_a_part_of_the_input_may_be_used(tmp_path):
    model, x = start()
    x = model("Slice", x, np.int64([1]), np.int64([7]), np.int64([1]), np.int64([2]))
    found = ended(model, model.dense(x, 3, 6), tmp_path)
    assert type(found.network.layers[0]).__name__ == "Select"


def test_rows_of_weights_that_are_all_zero(tmp_path):
    model, x = start()
    w = weights(SIZE, 6) / 8
    w[:, 2], w[3] = 0, 0
    found = ended(model, model("Add", model("MatMul", x, w), np.ones(6, np.float32)), tmp_path)
    assert not found.network.layers[0].weights[2].any()


def test_weights_that_are_all_zero(tmp_path):
    model, x = start()
    x = model("Add", model("MatMul", x, np.zeros((SIZE, 6), np.float32)),
              np.arange(6, dtype=np.float32))
    ended(model, x, tmp_path)


@pytest.mark.parametrize("scale", [2.0 ** -3, 0.1, 3e-5])
@pytest.mark.parametrize("levels", [2, 4, 30])
def test_scales_of_each_row(scale, levels, tmp_path):
    model, x = start()
    factors = scale * 2.0 ** np.arange(6)
    w = weights(SIZE, 6, levels=levels)
    w[0] = levels - 1
    x = model("MatMul", x, (w * factors).astype(np.float32))
    found = same(model.save(tmp_path, x), output="values")
    assert np.abs(found.network.layers[0].weights).max() == levels - 1


def test_scales_of_each_column_become_part_of_the_weights(tmp_path):
    model, x = start()
    x = model.quant(model.dense(x, SIZE, 6), np.float32([[1, 2, 0.5, 1, 4, 1]]), 3)
    same(model.save(tmp_path, model.dense(x, 6, 3)))


def test_scales_of_columns_that_fit_no_grid_are_refused(tmp_path):
    model, x = start()
    x = model.quant(model.dense(x, SIZE, 6), np.float32([[0.3, 0.7, 0.11, 1.3, 0.9, 0.41]]), 3)
    path = model.save(tmp_path, model.dense(x, 6, 3))
    with pytest.raises(ModelError) as error:
        load(path)
    assert str(error.value) == (
        f"{path}: node matmul3 (MatMul): its weights times the scales of its input's channels are "
        f"multiples of no one number; quantize its input with one scale, or with scales that are "
        f"powers of two apart")


@pytest.mark.parametrize("levels, alphabet", [((-1, 1), "Bipolar"), ((-1, 0, 1), "Ternary")])
def test_weights_of_two_or_three_levels_are_one_plane(levels, alphabet, tmp_path):
    model, x = start()
    w = np.random.default_rng(0).choice(np.float32(levels), (SIZE, 6)) / 4
    found = ended(model, model("MatMul", x, w), tmp_path)
    (plane,) = found.network.layers[0].planes
    assert type(plane.alphabet).__name__ == alphabet


def test_weights_are_quantized_in_the_file(tmp_path):
    model, x = start()
    w = model.quant(np.random.default_rng(0).normal(size=(SIZE, 6)).astype(np.float32), 0.25, 4,
                    narrow=1)
    found = ended(model, model("MatMul", x, w), tmp_path)
    assert np.abs(found.network.layers[0].weights).max() == 7


def test_one_tensor_may_be_read_twice(tmp_path):
    model, x = start()
    x = model.quant(model.dense(x, SIZE, 6), 0.5, 3)
    x = model("Add", model.dense(x, 6, 3), model.dense(x, 6, 3, seed=1))
    found = same(model.save(tmp_path, x))
    assert [type(layer).__name__ for layer in found.network.layers] == [
        "Dense", "Threshold", "Dense", "Dense", "Add", "ArgMax"]


def test_what_the_output_does_not_use_is_said(tmp_path):
    model, x = start()
    y = model.dense(x, SIZE, 3)
    model("Relu", y)
    found = load(model.save(tmp_path, y))
    assert {node.op: became for node, became in found.nodes} == {
        "Quant": "quantizes the input, before the hardware", "MatMul": "Dense matmul1",
        "Relu": "not used by the output"}
