"""Every elementwise operator between a product and a quantizer, against the file's executor."""
import numpy as np
import pytest
from onnx import TensorProto

from sw.importers import elementwise
from sw.importers.onnx_file import ModelError
from sw.importers.qonnx import load
from tests.sw.importers.models import GENERAL, Model, same

N = 6           # channels
SCALAR = np.float32(0.75)
CHANNELS = np.linspace(-1.5, 2, N, dtype=np.float32)
POSITIVE = np.linspace(0.5, 3, N, dtype=np.float32)
FOLDED = "Dense Threshold Dense ArgMax"
VALUES = "Dense Threshold Dense"        # where sums of the file, not exact, break ties at random
TABLE = "Dense Lookup Dense ArgMax"


def between(tmp_path, middle, *, opset=20, scale=0.5, bits=4, signed=1, expected=None):
    """A model of ``middle`` (of a model and a tensor) between a product and a quantizer."""
    model = Model(1, 7, opset=opset)
    x = model.quant(model.input, 0.25, 3)
    x = middle(model, model.dense(x, 7, N, seed=1))
    x = model.dense(model.quant(x, scale, bits, signed=signed), N, 3, seed=2)
    return same(model.save(tmp_path, x), expected)


def of(op, **attributes):
    return lambda model, x: model(op, x, **attributes)


# What becomes of each operator of one operand; those left out need constants and are below.
UNARY = {
    "Abs": (of("Abs"), TABLE), "Celu": (of("Celu", alpha=0.5), FOLDED),
    "Ceil": (of("Ceil"), FOLDED), "Dropout": (of("Dropout"), FOLDED), "Elu": (of("Elu"), FOLDED),
    "Erf": (of("Erf"), FOLDED), "Exp": (of("Exp"), FOLDED), "Floor": (of("Floor"), FOLDED),
    "Gelu": (of("Gelu"), None), "HardSigmoid": (of("HardSigmoid"), FOLDED),
    "HardSwish": (of("HardSwish"), None), "Identity": (of("Identity"), FOLDED),
    "LeakyRelu": (of("LeakyRelu"), FOLDED), "Mish": (of("Mish"), None), "Neg": (of("Neg"), FOLDED),
    "Relu": (of("Relu"), FOLDED), "Round": (of("Round"), FOLDED), "Selu": (of("Selu"), FOLDED),
    "Sigmoid": (of("Sigmoid"), FOLDED), "Sign": (of("Sign"), FOLDED),
    "Softplus": (of("Softplus"), FOLDED), "Softsign": (of("Softsign"), FOLDED),
    "Tanh": (of("Tanh"), FOLDED), "ThresholdedRelu": (of("ThresholdedRelu"), FOLDED),
    "Sqrt": (lambda model, x: model("Sqrt", model("Relu", x)), FOLDED),
    "Log": (lambda model, x: model("Log", model("Max", x, SCALAR)), FOLDED),
    "Reciprocal": (lambda model, x: model("Reciprocal", model("Add", x, np.float32(0.0625))),
                   TABLE),
    "Cast": (lambda model, x: model("Cast", model("Cast", x, to=TensorProto.INT32),
                                    to=TensorProto.FLOAT), FOLDED),
    "Not": (lambda model, x: model(
        "Cast", model("Not", model("Greater", x, SCALAR)), to=TensorProto.FLOAT), FOLDED),
}


@pytest.mark.parametrize("op", UNARY)
def test_an_operator_of_one_operand_is_folded(op, tmp_path):
    middle, expected = UNARY[op]
    between(tmp_path, middle, expected=expected)


@pytest.mark.parametrize("constant", [SCALAR, CHANNELS, CHANNELS[None], POSITIVE],
                         ids=["scalar", "vector", "row", "positive"])
@pytest.mark.parametrize("right", [True, False], ids=["right", "left"])
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Max", "Min"])
def test_a_constant_on_either_side_is_folded(op, right, constant, tmp_path):
    def middle(model, x):
        if op == "Div" and not right:
            x = model("Add", x, np.float32(0.0625))      # never 0
        return model(op, *((x, constant) if right else (constant, x)))

    between(tmp_path, middle, expected=None if op == "Div" and not right else FOLDED)


@pytest.mark.parametrize("constant", [SCALAR, CHANNELS], ids=["scalar", "vector"])
@pytest.mark.parametrize("right", [True, False], ids=["right", "left"])
@pytest.mark.parametrize("op", ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"])
def test_a_comparison_is_folded(op, right, constant, tmp_path):
    between(tmp_path, lambda model, x: model(
        "Cast", model(op, *((x, constant) if right else (constant, x))), to=TensorProto.FLOAT),
        expected=TABLE if op == "Equal" and constant.ndim == 0 else None)


@pytest.mark.parametrize("op", ["And", "Or", "Xor"])
def test_logic_of_two_comparisons_is_folded(op, tmp_path):
    between(tmp_path, lambda model, x: model("Cast", model(
        op, model("Greater", x, CHANNELS), model("Less", x, np.float32(1))),
        to=TensorProto.FLOAT))


@pytest.mark.parametrize("slope", [np.float32(0.25), CHANNELS, -POSITIVE[None]])
def test_prelu_is_folded(slope, tmp_path):
    between(tmp_path, lambda model, x: model("PRelu", x, slope))


@pytest.mark.parametrize("power", [2, 3, 0.5])
def test_pow_is_folded(power, tmp_path):
    between(tmp_path, lambda model, x: model("Pow", model("Abs", x), np.float32(power)))


@pytest.mark.parametrize("limits", [(-1, 1.5), (None, 0.5), (-0.5, None), (None, None)])
def test_clip_is_folded(limits, tmp_path):
    between(tmp_path, lambda model, x: model("Clip", x, *(
        None if each is None else np.float32(each) for each in limits)), expected=FOLDED)


def test_clip_of_old_opsets_has_its_limits_as_attributes(tmp_path):
    between(tmp_path, of("Clip", min=-0.5, max=1.0), opset=10, expected=FOLDED)


@pytest.mark.parametrize("gamma", [POSITIVE, CHANNELS, 0 * POSITIVE],
                         ids=["rises", "either", "zero"])
def test_batch_norm_is_folded(gamma, tmp_path):
    between(tmp_path, lambda model, x: model(
        "BatchNormalization", x, gamma, CHANNELS, CHANNELS[::-1].copy(), POSITIVE),
        expected=FOLDED)


def test_quantize_linear_and_back_is_folded(tmp_path):
    def middle(model, x):
        given = np.float32(0.3), np.uint8(100)
        return model("DequantizeLinear", model("QuantizeLinear", x, *given), *given)

    between(tmp_path, middle, bits=8, expected=FOLDED)


def test_every_operator_of_the_table_has_a_test():
    others = {"Add", "Sub", "Mul", "Div", "Max", "Min", "Equal", "Greater", "GreaterOrEqual",
              "Less", "LessOrEqual", "And", "Or", "Xor", "PRelu", "Pow", "Clip", "Where",
              "BatchNormalization", "QuantizeLinear", "DequantizeLinear"}
    assert elementwise.NAMES == others | set(UNARY)


@pytest.mark.parametrize("scale, expected", [(0.0625, TABLE), (1.0, FOLDED)])
def test_x_times_its_sigmoid_becomes_a_table_where_it_falls_and_rises(scale, expected, tmp_path):
    between(tmp_path, lambda model, x: model("Mul", x, model("Sigmoid", x)), scale=scale, bits=6,
            expected=expected)


def test_where_chooses_between_two_functions_of_one_integer(tmp_path):
    between(tmp_path, lambda model, x: model(
        "Where", model("Greater", x, CHANNELS), model("Mul", x, SCALAR), model("Neg", x)))


def test_where_chooses_between_constants(tmp_path):
    between(tmp_path, lambda model, x: model(
        "Where", model("Greater", x, SCALAR), CHANNELS, np.float32(-1)))


@pytest.mark.parametrize("steps", [1, 3])
def test_a_dag_with_shared_parts_is_one_function(steps, tmp_path):
    def middle(model, x):
        for _ in range(steps):
            half = model("Mul", x, np.float32(0.5))
            x = model("Add", model("Max", half, x), model("Min", half, CHANNELS))
        return x

    between(tmp_path, middle)


def test_hard_tanh_of_two_relus_is_one_function(tmp_path):
    between(tmp_path, lambda model, x: model(
        "Sub", model("Relu", model("Add", x, SCALAR)), model("Relu", model("Sub", x, SCALAR))),
        expected=FOLDED)


def test_a_constant_with_more_axes_than_the_tensor_adds_axes(tmp_path):
    model = Model(1, 7)
    x = model.dense(model.quant(model.input, 0.25, 3), 7, N)
    x = model.quant(model("Mul", x, np.float32([[[0.5]]])), 0.5, 3)
    x = model("Transpose", x, perm=[0, 2, 1])
    x = model.dense(model("Flatten", x), N, 3)
    same(model.save(tmp_path, x), FOLDED)


@pytest.mark.parametrize("mode", ["ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN",
                                  "round_to_zero"])
@pytest.mark.parametrize("scale", [0.25, 0.3])
def test_a_quantizer_of_any_rounding_is_folded(mode, scale, tmp_path):
    model = Model(1, 7)
    x = model.dense(model.quant(model.input, 0.25, 3, mode=mode), 7, N)
    x = model.dense(model.quant(x, scale, 3, mode=mode), N, 3)
    same(model.save(tmp_path, x), VALUES, output="values")


@pytest.mark.parametrize("signed, narrow, bits, kind", [
    (0, 0, 1, "uint1"), (1, 0, 1, "bipolar"), (1, 1, 2, "ternary"), (1, 0, 2, "int2"),
    (0, 0, 2, "uint2"), (0, 1, 2, "uint2"), (1, 0, 8, "int8"), (0, 0, 8, "uint8")])
def test_a_quantizer_gives_the_smallest_element(signed, narrow, bits, kind, tmp_path):
    model = Model(1, 70)
    x = model.dense(model.quant(model.input, 0.25, 4), 70, N)
    x = model.quant(x, 0.25, bits, signed=signed, narrow=narrow)
    found = same(model.save(tmp_path, model.dense(x, N, 3)), FOLDED)
    assert str(found.network.tensors[found.network.layers[1].name].element) == kind


@pytest.mark.parametrize("zero", [3, -2, 0.5])
@pytest.mark.parametrize("signed", [0, 1])
def test_a_quantizer_may_have_a_zero_point(zero, signed, tmp_path):
    model = Model(1, 7)
    x = model.dense(model.quant(model.input, 0.25, 4, zero=1.0), 7, N)
    x = model.quant(x, 0.3, 3, zero=zero, signed=signed)
    same(model.save(tmp_path, model.dense(x, N, 3)), VALUES, output="values")


def test_a_quantizer_may_have_a_scale_a_channel(tmp_path):
    model = Model(1, 7)
    x = model.dense(model.quant(model.input, 0.25, 4), 7, N)
    x = model.quant(x, np.float32([[0.25, 0.5, 1, 0.25, 2, 0.125]]), 3)
    same(model.save(tmp_path, model.dense(x, N, 3)), FOLDED)


@pytest.mark.parametrize("version, rest", [(1, [8, 3]), (2, [8, 4, 3])])
@pytest.mark.parametrize("mode", ["FLOOR", "ROUND"])
def test_trunc_is_folded(version, rest, mode, tmp_path):
    model = Model(1, 7, custom=version)
    x = model.dense(model.quant(model.input, 0.25, 4), 7, N)
    x = model.quant(x, 0.125, 8)
    x = model("Trunc", x, 0.125, 0.0, *map(float, rest), domain=GENERAL, rounding_mode=mode)
    same(model.save(tmp_path, model.dense(x, N, 3)), FOLDED)


@pytest.mark.parametrize("scale, bias, expected", [
    (1.0, 0.0, "uint3"), (2.0, -1.0, "int5"), (1.0, -3.0, "int4"), (0.5, 0.0, "uint3")])
@pytest.mark.parametrize("rows", [1, N])
def test_multi_threshold_is_folded(scale, bias, expected, rows, tmp_path):
    model = Model(1, 7)
    x = model.dense(model.quant(model.input, 0.25, 4), 7, N)
    steps = np.sort(np.random.default_rng(0).normal(0, 2, (rows, 7)).astype(np.float32), axis=1)
    x = model("MultiThreshold", x, steps, domain=GENERAL, out_dtype="INT8", out_scale=scale,
              out_bias=bias)
    found = same(model.save(tmp_path, model.dense(x, N, 3)), FOLDED)
    assert str(found.network.tensors[found.network.layers[1].name].element) == expected


def wide(tmp_path, middle, *, columns=99, name="net.onnx", **quantizer):
    """A model whose first sums have a range of more than 2^16 integers."""
    model = Model(1, columns, datatype="UINT8")
    x = middle(model, model.dense(model.input, columns, N, scale=2.0 ** -9))
    x = model.quant(x, **quantizer) if quantizer else x
    return model.save(tmp_path, model.dense(x, N, 3), name=name)


@pytest.mark.parametrize("middle", [
    of("Relu"), of("Tanh"), of("LeakyRelu"),
    lambda model, x: model("Mul", x, CHANNELS),
    lambda model, x: model("BatchNormalization", x, CHANNELS, CHANNELS, CHANNELS, POSITIVE),
    lambda model, x: model("Add", model("Relu", x), model("Mul", x, POSITIVE)),
    lambda model, x: model("Min", model("Max", x, CHANNELS), np.float32(2))])
def test_sums_of_long_ranges_are_searched(middle, tmp_path):
    same(wide(tmp_path, middle, scale=0.25, bits=4), FOLDED)


def test_a_zero_between_two_signs_is_found_in_a_long_range(tmp_path):
    path = wide(tmp_path, lambda model, x: model.quant(
        model("Mul", x, np.float32(2.0 ** 9)), 1.0, 2, narrow=1))
    found = same(path, FOLDED)
    assert str(found.network.tensors[found.network.layers[1].name].element) == "ternary"


def test_levels_between_samples_are_found_in_a_long_range(tmp_path):
    def middle(model, x):       # levels of no quantizer that is told: 0.25, 1.25, 2.25 … 7.25
        x = model("Clip", model("Mul", x, np.float32(64)), np.float32(0), np.float32(7))
        return model("Add", model("Round", x), np.float32(0.25))

    same(wide(tmp_path, middle), FOLDED)


@pytest.mark.parametrize("middle", [
    of("Abs"), of("HardSwish"), lambda model, x: model("Mul", x, model("Sigmoid", x)),
    lambda model, x: model("Sub", model("Relu", x), model("Mul", x, CHANNELS)),
    lambda model, x: model("LeakyRelu", x, alpha=-0.25),
    lambda model, x: model("PRelu", x, -POSITIVE)])
def test_functions_that_may_not_be_monotone_are_refused_in_a_long_range(middle, tmp_path):
    path = wide(tmp_path, middle, scale=0.25, bits=4)
    with pytest.raises(ModelError, match=(
            r"reads 'quant\d+_out', which may be no monotone function of the 109,141 integers of "
            r"matmul0, and these are too many for a table; quantize before it$")):
        load(path)


def test_more_levels_than_thresholds_can_give_become_a_table(tmp_path):
    model = Model(1, 7)
    x = model.dense(model.quant(model.input, 0.25, 3), 7, N)
    same(model.save(tmp_path, model.dense(model.quant(x, 2.0 ** -11, 16), N, 3)), TABLE)


def test_sixteen_bits_of_a_long_range_are_refused(tmp_path):
    path = wide(tmp_path, of("Identity"), scale=2.0 ** -9, bits=16)
    with pytest.raises(ModelError, match=(
            r"which takes [\d,]+ values or more, more than 1,024: quantize it \(in Brevitas")):
        load(path)
