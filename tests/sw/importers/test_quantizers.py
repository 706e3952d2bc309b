"""The formulas of QONNX operators are those of its own executor, and of Brevitas where it has none.
"""
import numpy as np
import pytest
from qonnx.custom_op.general.bipolar_quant import binary_quant
from qonnx.custom_op.general.intquant import int_quant
from qonnx.custom_op.general.multithreshold import multithreshold
from qonnx.custom_op.general.trunc import trunc_v1, trunc_v2

from sw.importers import operators
from sw.importers.onnx_file import ModelError

MODES = ["ROUND", "HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN"]
SWITCHES = [(0, 0), (0, 1), (1, 0), (1, 1)]
X = np.concatenate([np.arange(-40, 41) / 8, np.arange(-400, 401, dtype=np.float32) * 0.1,
                    np.random.default_rng(0).normal(0, 9, 999)]).astype(np.float32)


def numbers(*values):
    return [np.float32(value) for value in values]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("signed, narrow", SWITCHES)
def test_quant_equals_qonnx(mode, signed, narrow):
    attributes = {"signed": signed, "narrow": narrow, "rounding_mode": mode}
    for bits in (1, 2, 3, 8):
        for scale, zero in ((0.25, 0), (0.1, 0), (0.1, 3), (1, 0.5), (7.3, -1)):
            given = numbers(scale, zero, bits)
            mine = operators.quant(attributes, X, *given)
            theirs = int_quant(X, *given, bool(signed), bool(narrow), mode)
            np.testing.assert_array_equal(mine, theirs.astype(np.float32))
            assert mine.dtype == np.float32


def test_quant_with_a_scale_for_each_channel_equals_qonnx():
    x = X[:1200].reshape(-1, 4)
    scale, zero = np.float32([[0.25, 0.1, 1, 3]]), np.float32([[0, 1, 2, 0]])
    bits = np.float32(4)
    mine = operators.quant({"signed": 1, "narrow": 0}, x, scale[0], zero[0], bits)
    np.testing.assert_array_equal(mine, int_quant(x, scale, zero, bits, True, False, "ROUND"))


@pytest.mark.parametrize("mode", MODES)
def test_modes_may_be_in_small_letters(mode):
    np.testing.assert_array_equal(operators.rounding(mode.lower())(X), operators.rounding(mode)(X))


def test_round_to_zero_cuts_the_fraction_off():
    np.testing.assert_array_equal(operators.rounding("ROUND_TO_ZERO")(X), np.trunc(X))


def test_dpu_rounds_to_even_but_negative_halves_up():
    x = np.float32([-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, -2.6, -2.4, 2.4, 2.6])
    np.testing.assert_array_equal(operators.rounding("DPU")(x),
                                  [-3, -2, -1, 0, 0, 2, 2, 4, -3, -2, 2, 3])


def test_dpu_and_round_to_zero_equal_brevitas():
    torch = pytest.importorskip("torch")
    ops = pytest.importorskip("brevitas.function.ops_ste")
    x = torch.tensor(X)
    np.testing.assert_array_equal(operators.rounding("DPU")(X), ops.dpu_round_ste(x).numpy())
    np.testing.assert_array_equal(operators.rounding("ROUND_TO_ZERO")(X),
                                  ops.round_to_zero_ste(x).numpy())


@pytest.mark.parametrize("scale", [1, 0.3, 2])
def test_bipolar_quant_equals_qonnx(scale):
    x = np.concatenate([X, np.float32([0.0, -0.0])])
    np.testing.assert_array_equal(operators.bipolar_quant({}, x, np.float32(scale)),
                                  binary_quant(x, np.float32(scale)))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("zero", [0, 3])
def test_trunc_1_equals_qonnx(mode, zero):
    x = np.arange(-300, 300, dtype=np.float32) * np.float32(0.25)
    given = numbers(0.5, zero, 8, 4)
    mine = operators.trunc({"rounding_mode": mode}, x, *given)
    np.testing.assert_array_equal(mine, trunc_v1(x, *given, mode))


def test_trunc_1_of_known_values():
    x = np.float32([-37, -24, -8, 7, 8, 24, 37, 120])
    np.testing.assert_array_equal(operators.trunc({}, x, *numbers(1, 0, 8, 4)),
                                  [-3, -2, -1, 0, 0, 1, 2, 7])
    assert operators.trunc({"rounding_mode": "ROUND"}, x, *numbers(1, 0, 8, 4))[-1] == 8


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("signed, narrow", SWITCHES)
@pytest.mark.parametrize("zero", [0, 16])
def test_trunc_2_equals_qonnx(mode, signed, narrow, zero):
    x = np.arange(-300, 300, dtype=np.float32) * np.float32(0.5)
    scale, zero, before, wide, after = numbers(0.5, zero, 8, 8, 4)
    mine = operators.trunc({"rounding_mode": mode, "signed": signed, "narrow": narrow},
                           x, scale, zero, before, wide, after)
    theirs = trunc_v2(x, scale, zero, before, bool(narrow), bool(signed), wide, after, mode)
    np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("scale, bias", [(1.0, 0.0), (2.0, -1.0), (0.5, -3.5)])
@pytest.mark.parametrize("rows", [1, 3])
def test_multi_threshold_equals_qonnx(scale, bias, rows):
    x = X[:900].reshape(-1, 3)
    steps = np.sort(np.random.default_rng(1).choice(X, (rows, 7)), axis=1)
    mine = operators.multi_threshold({"out_scale": scale, "out_bias": bias}, x,
                                     np.broadcast_to(steps, (3, 7)))
    np.testing.assert_array_equal(mine, multithreshold(x, steps, scale, bias))


@pytest.mark.parametrize("bits", [0, 33, np.nan, np.inf, -4])
def test_quant_of_impossible_bits_is_refused(bits):
    with pytest.raises(ModelError, match="bits, not 1 to 32"):
        operators.quant({"signed": 1, "narrow": 0}, X, *numbers(1, 0, bits))


@pytest.mark.parametrize("missing", ["signed", "narrow"])
def test_quant_without_an_attribute_is_refused(missing):
    attributes = {"signed": 1, "narrow": 0}
    del attributes[missing]
    with pytest.raises(ModelError, match=f"^its attribute '{missing}' is missing$"):
        operators.quant(attributes, X, *numbers(1, 0, 4))


def test_an_unknown_rounding_mode_is_refused():
    with pytest.raises(ModelError, match="^rounding mode 'STOCHASTIC' is none of ROUND, HALF_EVEN"):
        operators.quant({"signed": 1, "narrow": 0, "rounding_mode": "STOCHASTIC"}, X,
                        *numbers(1, 0, 4))


def test_trunc_of_another_number_of_inputs_is_refused():
    with pytest.raises(ModelError, match="^a Trunc has 5 or 6 inputs, not 3$"):
        operators.trunc({}, X, *numbers(1, 0, 8))
