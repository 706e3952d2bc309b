"""The end of a model: the class, or the values, as the file's own output has them."""
import numpy as np
import pytest

from sw.importers.onnx_file import ModelError
from sw.importers.qonnx import load
from sw.network import Affine, ArgMax
from tests.sw.importers.models import Model, compared, same, types

SIZE, CLASSES = 8, 5


def logits(model, outputs=CLASSES, *, bits=3, seed=0):
    """Logits of a layer that often tie: sums of few small integers."""
    x = model.quant(model.input, 0.5, bits)
    return model.dense(x, SIZE, outputs, seed=seed, levels=2, scale=0.5)


def model_of(folder, *end, outputs=CLASSES, **options):
    """A model whose logits go through nodes (operator, constants …), saved."""
    model = Model(1, SIZE, **options)
    x = logits(model, outputs)
    for op, *constants in end:
        x = model(op, x, *constants)
    return model.save(folder, x)


def test_the_largest_logit_decides_and_of_equal_ones_the_first(tmp_path):
    found = same(model_of(tmp_path), "Dense ArgMax")
    x = np.zeros((1, SIZE), np.int64)
    assert found.network.run(x).tolist() == [[0]]


@pytest.mark.parametrize("bias", [[0, 0.25, 0.5, 0.75, 1], [0, 0.1, -0.1, 0.05, 0.025],
                                  [100, 0, 0, -100, 0], [0, 0, 0, 0, 1e-3]])
def test_biases_of_logits_decide_as_in_the_file(bias, tmp_path):
    found = same(model_of(tmp_path, ("Add", np.float32(bias))), "Dense Affine ArgMax")
    assert found.notes[-1].endswith(", and no decision")


def test_one_bias_for_all_logits_is_left_out(tmp_path):
    same(model_of(tmp_path, ("Add", np.float32(3.25))), "Dense ArgMax")


@pytest.mark.parametrize("scale", [[1, 2, 0.5, 1, 0.25], [1, -1, 2, -2, 0.5],
                                   [1, 0.1, 0.3, 0.7, 0.9]])
@pytest.mark.parametrize("bias", [0, 0.5])
def test_logits_of_several_scales_decide_as_in_the_file(scale, bias, tmp_path):
    bias = np.float32(bias) * np.arange(CLASSES, dtype=np.float32)
    same(model_of(tmp_path, ("Mul", np.float32(scale)), ("Add", bias)), "Dense Affine ArgMax")


def test_logits_of_a_negative_scale_decide_as_in_the_file(tmp_path):
    same(model_of(tmp_path, ("Mul", np.float32(-0.5))), "Dense Affine ArgMax")


def test_random_scales_and_biases_of_logits(tmp_path):
    rng = np.random.default_rng(0)
    scale, bias = np.float32(rng.uniform(0.5, 2, CLASSES)), np.float32(rng.normal(0, 2, CLASSES))
    found = same(model_of(tmp_path, ("Mul", scale), ("Add", bias)))
    assert "rounding moves a logit by" in found.notes[-1]
    assert "no decision" not in found.notes[-1]


def test_biases_beyond_what_the_scale_can_tell_are_refused(tmp_path):
    path = model_of(tmp_path, ("Add", np.float32([1e30, 0, 0, 0, 0])))
    with pytest.raises(ModelError) as error:
        load(path)
    assert str(error.value) == (f"{path}: the biases of the logits reach 1e+30, too large beside "
                                f"their scale 0.25")


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("opset", [9, 12, 13, 17])
def test_what_keeps_the_order_of_the_classes_is_dropped(op, opset, tmp_path):
    found = same(model_of(tmp_path, (op,), opset=opset), "Dense ArgMax")
    assert dict((node.op, became) for node, became in found.nodes)[op] == (
        "dropped: it keeps the order")
    assert found.notes[-1] == (f"node {op.lower()}2 ({op}) at the end is dropped: it keeps the "
                               f"order of the classes")


@pytest.mark.parametrize("op", ["Sigmoid", "Tanh", "Softplus"])
def test_biases_before_a_function_that_rises_count(op, tmp_path):
    model = Model(1, SIZE)
    x = model("Mul", logits(model), np.float32(0.0625))
    x = model("Add", x, np.linspace(-0.1, 0.2, CLASSES, dtype=np.float32))
    found = same(model.save(tmp_path, model(op, x)), "Dense Affine ArgMax")
    assert found.notes[-2] == (f"node {op.lower()}4 ({op}) at the end is dropped: it keeps the "
                               f"order of the classes")


@pytest.mark.parametrize("op", ["Sigmoid", "Tanh", "Relu", "Exp"])
def test_functions_that_rise_are_dropped_before_the_decision(op, tmp_path):
    model = Model(1, SIZE)
    x = model("Mul", logits(model), np.float32(0.0625))
    found = load(model.save(tmp_path, model(op, x)))
    assert types(found) == "Dense ArgMax" if op != "Relu" else True
    compared(found)


def test_a_relu_before_the_decision_makes_negative_logits_equal(tmp_path):
    found = same(model_of(tmp_path, ("Sub", np.float32(5)), ("Relu",)))
    assert not any(isinstance(layer, Affine) for layer in found.network.layers)


@pytest.mark.parametrize("op", ["Neg", "Abs"])
def test_functions_that_fall_are_not_dropped(op, tmp_path):
    same(model_of(tmp_path, (op,)))


def test_logits_that_are_quantized_tie_as_in_the_file(tmp_path):
    model = Model(1, SIZE)
    same(model.save(tmp_path, model.quant(logits(model), 2.0, 3)), "Dense Threshold ArgMax")


def test_quantizers_that_differ_from_class_to_class_tie_as_in_the_file(tmp_path):
    model = Model(1, SIZE)
    scale = np.float32([[2, 1, 2, 0.5, 1]])
    same(model.save(tmp_path, model.quant(logits(model), scale, 3)),
         "Dense Threshold Affine ArgMax")


def test_arg_max_is_the_decision(tmp_path):
    model = Model(1, SIZE)
    found = same(model.save(tmp_path, model("ArgMax", logits(model), axis=1)), "Dense ArgMax")
    assert found.nodes[-1][1] == "the decision"


def test_arg_max_behind_a_softmax_is_the_decision(tmp_path):
    model = Model(1, SIZE)
    x = model("Softmax", logits(model), axis=-1)
    same(model.save(tmp_path, model("ArgMax", x, axis=-1, keepdims=0)), "Dense ArgMax")


@pytest.mark.parametrize("outputs", [(1,), (0,), (0, 1)])
def test_top_1_is_the_decision(outputs, tmp_path):
    model = Model(1, SIZE)
    first = model("TopK", logits(model), np.int64([1]), outputs=2)
    names = first, first.replace("_out", "_1")
    same(model.save(tmp_path, *(names[k] for k in outputs)), "Dense ArgMax")


def test_logits_and_decision_may_both_be_outputs(tmp_path):
    model = Model(1, SIZE)
    x = logits(model)
    same(model.save(tmp_path, x, model("ArgMax", x, axis=1)), "Dense ArgMax")


def test_logits_in_another_order_are_put_in_that_of_the_file(tmp_path):
    model = Model(1, SIZE)
    x = model("Gather", logits(model), np.int64([3, 1, 4, 0, 2]), axis=1)
    same(model.save(tmp_path, x), "Dense Select ArgMax")


@pytest.mark.parametrize("bias", [0.0, 0.25, -0.5])
def test_a_single_output_is_class_1_where_it_is_positive(bias, tmp_path):
    found = same(model_of(tmp_path, ("Add", np.float32(bias)), outputs=1), "Dense Threshold")
    assert found.notes[-1] == "decision: class 1 where the output is more than 0, else 0"
    assert found.network.decides


@pytest.mark.parametrize("op", ["Sigmoid", "HardSigmoid"])
@pytest.mark.parametrize("bias", [0.0, -0.5])
def test_behind_a_sigmoid_a_single_output_is_class_1_above_one_half(op, bias, tmp_path):
    found = same(model_of(tmp_path, ("Add", np.float32(bias)), (op,), outputs=1),
                 "Dense Threshold")
    assert found.notes[-1] == "decision: class 1 where the output is more than 0.5, else 0"


def test_a_single_output_that_falls_with_the_sum(tmp_path):
    same(model_of(tmp_path, ("Sub", np.float32(0.5)), ("Neg",), outputs=1), "Dense Threshold")


def test_a_single_output_that_is_not_monotone_is_refused(tmp_path):
    path = model_of(tmp_path, ("Abs",), ("Sub", np.float32(1)), outputs=1)
    with pytest.raises(ModelError) as error:
        load(path)
    assert str(error.value) == (
        f"{path}: node sub3 (Sub): the output is no monotone function of the integers of matmul1 "
        f"(channel 0 is not monotone in its accumulator)")


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
def test_a_softmax_of_one_value_is_refused(op, tmp_path):
    path = model_of(tmp_path, (op,), outputs=1)
    with pytest.raises(ModelError) as error:
        load(path)
    assert str(error.value) == (f"{path}: node {op.lower()}2 ({op}) of a single value is a "
                                f"constant; remove it, or end in a Sigmoid")


@pytest.mark.parametrize("op, constants", [("ArgMax", ()), ("TopK", (np.int64([1]),))])
def test_a_decision_between_one_value_is_refused(op, constants, tmp_path):
    model = Model(1, SIZE)
    x = model(op, logits(model, 1), *constants, outputs=1 + len(constants),
              axis=1)
    path = model.save(tmp_path, x)
    with pytest.raises(ModelError) as error:
        load(path)
    assert str(error.value) == (
        f"{path}: node {op.lower()}2 ({op}) decides between one value; remove it: a single output "
        f"is class 1 where it is positive")


@pytest.mark.parametrize("end", [(), (("Add", np.float32([0, 1, 2, 3, 4])),),
                                 (("Relu",),), (("Mul", np.float32([1, 2, 3, 4, 5])),)])
def test_values_are_integers_whose_scale_is_told(end, tmp_path):
    found = same(model_of(tmp_path, *end), output="values")
    assert found.decision is None
    assert not isinstance(found.network.layers[-1], ArgMax)
    assert found.notes[-1].startswith("output: real values are ")


def test_values_keep_the_order_of_the_file(tmp_path):
    model = Model(1, SIZE)
    x = model("Gather", logits(model), np.int64([3, 1, 4, 0, 2]), axis=1)
    same(model.save(tmp_path, x), "Dense Select", output="values")


@pytest.mark.parametrize("op, message", [
    ("ArgMax", "it ends in a decision; its values are not to be had"),
    ("Softmax", ("it ends in node softmax2 (Softmax), of which only the order is kept; remove it "
                 "to have the values"))])
def test_values_behind_a_decision_are_refused(op, message, tmp_path):
    model = Model(1, SIZE)
    path = model.save(tmp_path, model(op, logits(model), axis=1))
    with pytest.raises(ModelError) as error:
        load(path, output="values")
    assert str(error.value) == f"{path}: {message}"


@pytest.mark.parametrize("names", [("logits", "class"), ("class", "logits"), ("input", "class_2")])
def test_layers_that_are_made_do_not_take_the_names_of_nodes(names, tmp_path):
    model = Model(1, SIZE)
    x = model.quant(model.input, 0.5, 3)
    x = model.quant(model.dense(x, SIZE, 4, name=names[0]), 0.5, 3)
    x = model("Add", model.dense(x, 4, 3, name=names[1]), np.float32([0, 1, 2]))
    found = same(model.save(tmp_path, x), "Dense Threshold Dense Affine ArgMax")
    layers = [layer.name for layer in found.network.layers]
    assert len(set(layers)) == len(layers)
    assert names[1] in layers


def test_nodes_of_one_name_become_layers_of_two(tmp_path):
    model = Model(1, SIZE)
    x = model.quant(model.input, 0.5, 3)
    x = model.quant(model.dense(x, SIZE, 4, name="layer/1"), 0.5, 3)
    x = model.dense(x, 4, 3, name="layer.1")
    found = same(model.save(tmp_path, x), "Dense Threshold Dense ArgMax")
    assert [layer.name for layer in found.network.layers if "layer" in layer.name] == [
        "layer_1", "layer_1_2"]
