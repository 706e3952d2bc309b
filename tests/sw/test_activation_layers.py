"""Layers that give codes of an element: what they compute, their ranges, and their faults."""
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw import golden
from sw.element import Bipolar, Int, Levels, Planes, Pow2, Ternary, UInt
from sw.network import (
    Affine,
    Lookup,
    Network,
    NetworkError,
    Requantize,
    ResidualBinarize,
    Tensor,
    Threshold,
)
from sw.schemes.activations import horq
from sw.schemes.uint8 import quantized_multiplier
from tests.sw.networks import ELEMENTS, every_frame, network, ranges_are_exact


def refused(layer, message, **options):
    with pytest.raises(NetworkError, match=f"^{re.escape('layer a: ' + message)}$"):
        network(layer, **{"element": UInt(2)} | options)


# Thresholds.

THRESHOLDS = [
    (Bipolar(), 1, [0, 1], [-1, 1]),
    (Ternary(), 2, [3, 0, 1], [-1, 0, 1]),
    (UInt(1), 1, [0, 1], [0, 1]),
    (UInt(3), 5, [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]),
    (Int(1), 1, [1, 0], [-1, 0]),
    (Int(2), 1, [3, 0], [-1, 0]),
    (Int(2), 2, [3, 0, 1], [-1, 0, 1]),
    (Int(2), 3, [2, 3, 0, 1], [-2, -1, 0, 1]),
    (Int(3), 4, [6, 7, 0, 1, 2], [-2, -1, 0, 1, 2]),
    (Int(3), 7, [4, 5, 6, 7, 0, 1, 2, 3], [-4, -3, -2, -1, 0, 1, 2, 3]),
    (Pow2(1), 2, [3, 0, 1], [-1, 0, 1]),
    (Pow2(3), 6, [7, 6, 5, 0, 1, 2, 3], [-4, -2, -1, 0, 1, 2, 4]),
    (Levels((8, -1)), 1, [0, 1], [8, -1]),
    (Levels((-300, 0, 7, 7)), 3, [0, 1, 2, 3], [-300, 0, 7, 7]),
    (Planes((5,)), 1, [0, 1], [-5, 5]),
    (Planes((1, 2)), 3, [0, 1, 2, 3], [-3, -1, 1, 3]),
    (Planes((4, -2)), 3, [0, 1, 2, 3], [-2, 6, -6, 2]),
    (Planes((1, 2)), 2, [0, 1, 3], [-3, -1, 3]),
    (Planes((1, 2, 4)), 3, [0, 1, 3, 7], [-7, -5, -1, 7]),
    (Planes((1, 1, 1)), 7, list(range(8)), [-3, -1, -1, 1, -1, 1, 1, 3]),
]


@pytest.mark.parametrize("element, steps, codes, values", THRESHOLDS, ids=str)
def test_thresholds_give_every_element(element, steps, codes, values):
    thresholds = np.tile(np.arange(1, steps + 1), (2, 1))
    layer = Threshold("a", ("input",), thresholds, np.array([False, True]), element)
    net = network(layer, element=UInt(3))
    x = np.arange(steps + 1)
    assert layer.codes.tolist() == codes
    assert net.run(np.stack([x, x], axis=1)).T.tolist() == [values, values[::-1]]
    assert set(codes) <= set(element.codes().tolist())
    tensor = net.tensors["a"]
    assert tensor.element == element
    assert (tensor.lo.tolist(), tensor.hi.tolist()) == ([min(values)] * 2, [max(values)] * 2)
    assert tensor.lo.dtype == tensor.hi.dtype == np.int64


@pytest.mark.parametrize("element", [*ELEMENTS, Pow2(60), Int(62), Levels((3, 3, 3))], ids=str)
def test_thresholds_read_every_element(element):
    lo, hi = element.lo, element.hi
    thresholds = np.sort([[lo, lo + (hi - lo) // 2, hi], [lo + 1, hi, hi + 1]], axis=1)
    layer = Threshold("a", ("input",), thresholds, np.array([False, True]), Int(2))
    x = np.array([[lo, lo], [hi, hi]])
    count = (x[:, :, None] >= thresholds).sum(axis=2)
    counts = np.where([False, True], 3 - count, count)
    assert layer.run(x).tolist() == (counts - 2).tolist()
    assert layer.infer(Tensor.full(element, (2,))).lo.tolist() == [-2, -2]


@pytest.mark.parametrize("element, steps", [
    (Bipolar(), 2), (Ternary(), 1), (Ternary(), 3), (UInt(1), 2), (UInt(2), 4), (Int(1), 2),
    (Int(2), 4), (Pow2(1), 1), (Pow2(1), 3), (Pow2(3), 7), (Levels((1,)), 1),
    (Levels((1, 2, 3)), 1), (Levels((1, 2, 3)), 3), (Planes((1,)), 2), (Planes((1, 2)), 1),
    (Planes((1, 2)), 4), (Planes((1, 2, 3)), 6), (None, 1)], ids=str)
def test_steps_that_do_not_give_an_element(element, steps):
    refused(Threshold("a", ("input",), np.zeros((2, steps), int), np.zeros(2, bool), element),
            f"{steps} thresholds a channel do not give {element}")


@settings(max_examples=20)
@given(st.integers(1, 6), st.booleans())
def test_frozen_high_order_quantization_is_thresholds(terms, flip):
    """All 2^J − 1 thresholds of the residual binarizer, or the binarizer itself."""
    beta = np.random.default_rng(terms).integers(1, 9, terms)
    planes = Planes(tuple(beta[::-1].tolist()))
    thresholds = np.clip(np.ceil(horq.thresholds(beta)), -40, 41).astype(int)
    x = Tensor(Int(8), (1,), np.array([-40]), np.array([40]))
    ours = ResidualBinarize("a", ("input",), beta[None], np.array([0]), np.array([flip]), planes)
    if flip:      # −x >= T where x < 1 − T; a count that runs down
        thresholds = 1 - thresholds[::-1]
    theirs = Threshold("b", ("input",), thresholds[None], np.array([flip]), planes)
    values = np.arange(-40, 41)[:, None]
    np.testing.assert_array_equal(ours.run(values), theirs.run(values))
    assert (ours.infer(x).lo, ours.infer(x).hi) == (ours.run(values).min(), ours.run(values).max())
    assert theirs.infer(x).element == planes


# Tables.

@pytest.mark.parametrize("element", ELEMENTS, ids=str)
@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("kind", [None, Int(9), Levels(tuple(range(-256, 256)))], ids=str)
def test_tables_read_every_element(element, rows, kind):
    rng = np.random.default_rng(rows)
    table = rng.integers(-256, 256, (rows, 2 ** element.bits))
    codes = element.codes()                       # one entry for codes of one value
    table[:, codes] = table[:, element.encode(element.decode(codes))]
    net = network(Lookup("a", ("input",), table, kind), element=element)
    ranges_are_exact(net)
    x = every_frame(element)
    np.testing.assert_array_equal(net.run(x), golden.lookup(element.encode(x), table))
    lo, hi = net.run(x).min(), net.run(x).max()
    tensor = net.tensors["a"]
    assert tensor.element == kind if kind else tensor.element.bits <= Int(9).bits
    assert tensor.element.lo <= lo and hi <= tensor.element.hi


@pytest.mark.parametrize("element, values", [
    (Bipolar(), [1, -1, -1, 1]), (Ternary(), [0, 1, -1, 0]), (Pow2(3), [4, -2, 0, 1]),
    (Levels((-9, 5)), [5, -9, -9, 5]), (Planes((1, 3)), [-4, 2, -2, 4])], ids=str)
def test_tables_give_values_of_every_element(element, values):
    net = network(Lookup("a", ("input",), np.array([values], np.int8), element), element=UInt(2))
    assert net.run(np.array([[0, 1], [2, 3]])).tolist() == np.reshape(values, (2, 2)).tolist()
    tensor = net.tensors["a"]
    assert tensor.element == element
    assert (tensor.lo.tolist(), tensor.hi.tolist()) == ([min(values)] * 2, [max(values)] * 2)


def test_a_table_counts_only_entries_that_occur():
    step = Threshold("a", ("input",), np.array([[1, 2], [0, 3]]), np.zeros(2, bool), UInt(3))
    far = 2 ** 61 - 1
    table = np.array([[3, 1, 2] + [far] * 5, [-4, 9, 0] + [-far] * 5])
    net = network(step, Lookup("b", ("a",), table),
                  Affine("c", ("b",), np.array([1, 0]), np.array([0, 0])), element=UInt(2))
    assert [t.tolist() for t in (net.tensors["b"].lo, net.tensors["b"].hi)] == [[1, -4], [3, 9]]
    assert str(net.tensors["b"]) == "int5[2]"
    ternary = network(Lookup("a", ("input",), np.array([[1, 2, -far, 3]])), element=Ternary())
    assert str(ternary.tensors["a"]) == "uint2[2]"
    ranges_are_exact(ternary)


def test_a_table_of_16_bits():
    table = np.arange(2 ** 16)[None, ::-1] % 1000
    net = network(Lookup("a", ("input",), table), element=Int(16))
    x = np.array([[-2 ** 15, 2 ** 15 - 1], [-1, 0]])
    assert net.run(x).tolist() == table[0, x & 65535].tolist()
    assert str(net.tensors["a"]) == "uint10[2]"


@pytest.mark.parametrize("table, element, options, message", [
    (np.zeros((1, 4)), None, {}, "its entries must be integers; they are float64"),
    (np.zeros((1, 4), bool), None, {}, "its entries must be integers; they are bool"),
    (np.zeros(4, int), None, {},
     "its entries must have 2 axes and not be empty; their shape is (4,)"),
    (np.zeros((2, 0), int), None, {},
     "its entries must have 2 axes and not be empty; their shape is (2, 0)"),
    (np.zeros((1, 4), int), None, {"element": UInt(17)},
     "its input has 17 bits an element, more than 16"),
    (np.zeros((3, 4), int), None, {},
     "its table has 3 rows of 4 entries, but its input takes 1 or 2 rows of 4"),
    (np.zeros((1, 3), int), None, {},
     "its table has 1 rows of 3 entries, but its input takes 1 or 2 rows of 4"),
    (np.zeros((1, 8), int), None, {"element": Levels((1, 2, 3))},
     "its table has 1 rows of 8 entries, but its input takes 1 or 2 rows of 4"),
    (np.array([[0, 0, 0, 2 ** 61]]), None, {},
     f"its entries reach {2 ** 61}, beyond the 62 bits of an element"),
    (np.array([[0, 0, 0, -2 ** 63]]), None, {},
     f"its entries reach {2 ** 63}, beyond the 62 bits of an element"),
    (np.array([[0, 0, 0, 2 ** 64 - 1]], np.uint64), None, {},
     f"its entries reach {2 ** 64 - 1}, beyond the 62 bits of an element"),
    (np.array([[0, 0, 0, 4]]), UInt(2), {}, "its entries, 0 … 4, are not all values of uint2"),
    (np.array([[-1, 0, 1, -1]]), Bipolar(), {},
     "its entries, -1 … 1, are not all values of bipolar"),
    (np.array([[5, 6, 7, 8]]), None, {"element": Planes((1, 1))},
     "codes 1 and 2 of its input stand for one value, but have different entries"),
    (np.array([[5, 5, 5, 5], [5, 5, 6, 0]]), None, {"element": Levels((3, 0, 3))},
     "codes 0 and 2 of its input stand for one value, but have different entries"),
])
def test_what_is_wrong_with_a_table_is_said(table, element, options, message):
    refused(Lookup("a", ("input",), table, element), message, **options)


# Fixed-point scales.

def requantize(multiplier, exponent, zero=0, element=None, single=False):
    return Requantize("a", ("input",), np.array(multiplier), np.array(exponent), zero,
                      element or Int(8), single)


@pytest.mark.parametrize("element", ELEMENTS, ids=str)
@pytest.mark.parametrize("single", [False, True])
def test_requantize_ranges_are_exact(element, single):
    multiplier, exponent = quantized_multiplier(np.array([3.7, 0.31]))
    for zero, kind in ((0, Int(5)), (3, UInt(4)), (-100, Int(3)), (2 ** 31 - 1, UInt(40))):
        net = network(Requantize("a", ("input",), multiplier, exponent, zero, kind, single),
                      element=element)
        ranges_are_exact(net)
        assert net.tensors["a"].element == kind
        x = every_frame(element)
        np.testing.assert_array_equal(net.run(x), golden.requantize(
            x, multiplier, exponent, zero=zero, lo=kind.lo, hi=kind.hi, single_rounding=single))


def test_requantize_rounds_once_where_told():
    x = np.array([[6, -6], [3, 2]])
    down = [2 ** 30] * 2, [-1] * 2
    assert [network(requantize(*down, single=single), element=Int(4)).run(x).tolist()
            for single in (False, True)] == [[[2, -2], [1, 1]], [[2, -1], [1, 1]]]


@pytest.mark.parametrize("element", [Int(32), UInt(31)])
def test_requantize_reads_all_of_32_bits(element):
    net = network(requantize([2 ** 31 - 1, 0], [-24, 0]), element=element)
    ends = np.array([[element.lo, element.hi], [element.hi, element.lo]])
    y = net.run(ends)
    assert y[:, 0].tolist() == [-128 if element.lo else 0, 127] and not y[:, 1].any()


@pytest.mark.parametrize("layer, options, message", [
    (requantize([1.0, 2], [0, 0]), {}, "multiplier must be integers; they are float64"),
    (requantize([1, 2], [0.5, 0]), {}, "exponent must be integers; they are float64"),
    (requantize([1, 2, 3], [0, 0]), {}, "multiplier must be one a channel of its input, 2, not 3"),
    (requantize([1, 2], [0]), {}, "exponent must be one a channel of its input, 2, not 1"),
    (requantize([[1, 2]], [0, 0]), {},
     "multiplier must have 1 axes and not be empty; their shape is (1, 2)"),
    (requantize([1, -1], [0, 0]), {}, "the multiplier of channel 1 is -1, not 0 to 2147483647"),
    (requantize([2 ** 31, -1], [0, 0]), {},
     "the multiplier of channel 0 is 2147483648, not 0 to 2147483647"),
    (requantize([1, 2], [-32, 31]), {}, "the exponent of channel 0 is -32, not -31 to 30"),
    (requantize([1, 2], [0, 31]), {}, "the exponent of channel 1 is 31, not -31 to 30"),
    *((requantize([1, 2], [0, 0], zero), {}, f"zero must be an integer of 32 bits, not {zero!r}")
      for zero in (2 ** 31, -2 ** 31 - 1, True, 1.0, None, np.int64(3))),
    (requantize([1, 2], [0, 0], 0, Bipolar()), {}, "it gives uintN or intN, not bipolar"),
    (requantize([1, 2], [0, 0], 0, Levels((1, 2))), {},
     "it gives uintN or intN, not levels(1, 2)"),
    (requantize([1, 2], [0, 0], single=1), {}, "single_rounding must be a bool, not 1"),
    (requantize([1, 2], [0, 0], single=np.True_), {},
     "single_rounding must be a bool, not np.True_"),
    (requantize([1, 2], [0, 0]), {"element": UInt(32)},
     "its input reaches from 0 to 4294967295, beyond 32 bits"),
    (requantize([1, 2], [0, 0]), {"element": Pow2(33)},
     "its input reaches from -4294967296 to 4294967296, beyond 32 bits"),
    (requantize([2 ** 30, 2 ** 30], [0, 1]), {"element": UInt(31)},
     "requantize meets 4294967294, beyond 32 bits"),
    (requantize([2 ** 30, 2 ** 30], [1, 2]), {"element": Int(31)},
     "requantize meets -4294967296, beyond 32 bits"),
    (requantize([2 ** 31 - 1, 1], [2, 0], single=True), {"element": Int(31)},
     "requantize meets -4294967294, beyond 32 bits"),
])
def test_what_is_wrong_with_a_scale_is_said(layer, options, message):
    refused(layer, message, **options)


# Residual binarization.

def residual(coefficients, centre=(0, 0), flip=(False, False), element=None):
    element = element or Planes(tuple(range(1, 1 + np.shape(coefficients)[-1])))
    return ResidualBinarize("a", ("input",), np.array(coefficients), np.array(centre),
                            np.array(flip), element)


def test_residual_binarize_by_hand():
    layer = residual([[10, 4], [4, 10]], [1, 0], [False, True], Planes((4, 10)))
    net = network(layer, element=Int(5))
    x = np.array([[-16, 0], [0, 1], [1, -4], [10, -5], [11, 4], [-9, 5], [-10, -16]])
    assert net.run(x).tolist() == [
        [-14, 6], [-6, -6], [6, 14], [6, 14], [14, -6], [-6, -14], [-14, 14]]


@settings(max_examples=60)
@given(st.data())
def test_residual_ranges_are_exact(data):
    terms, channels = data.draw(st.integers(1, 4)), data.draw(st.sampled_from([1, 2, 17]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    lo = rng.integers(-12, 1, channels)
    hi = lo + rng.integers(0, 20, channels)
    layer = ResidualBinarize(
        "a", ("input",), rng.integers(1, 9, (channels, terms)), rng.integers(-6, 7, channels),
        rng.random(channels) < 0.5, Planes(tuple(rng.integers(-9, 10, terms).tolist())))
    tensor = layer.infer(Tensor(Int(6), (channels,), lo, hi))
    y = layer.run(np.minimum(lo + np.arange(20)[:, None], hi))
    assert tensor.lo.tolist() == y.min(axis=0).tolist()
    assert tensor.hi.tolist() == y.max(axis=0).tolist()
    assert tensor.element == layer.element and tensor.element.holds(y)


@pytest.mark.parametrize("element", ELEMENTS, ids=str)
def test_residual_binarize_reads_every_element(element):
    ranges_are_exact(network(residual([[2, 1, 1], [1, 5, 3]], [1, -2], [True, False]),
                             element=element))


def test_residual_binarize_with_16_planes():
    beta = 2 ** np.arange(15, -1, -1)
    net = network(residual([beta.tolist()], [0], [False], Planes(tuple(beta[::-1].tolist()))),
                  element=Int(17), channels=1)
    x = np.arange(1 - 2 ** 16, 2 ** 16, 2)[:, None]
    np.testing.assert_array_equal(net.run(x), x)
    assert (net.tensors["a"].lo, net.tensors["a"].hi) == (1 - 2 ** 16, 2 ** 16 - 1)


@pytest.mark.parametrize("layer, options, message", [
    (residual([[1.5, 1], [1, 1]]), {}, "coefficients must be integers; they are float64"),
    (residual([1, 1]), {}, "coefficients must have 2 axes and not be empty; their shape is (2,)"),
    (residual([[1, 1], [1, 1]], [0.0, 0]), {}, "centre must be integers; they are float64"),
    (residual([[1, 1], [1, 1]], [0]), {}, "centre must be one a channel of its input, 2, not 1"),
    (residual([[1, 1]]), {},
     "it has coefficients for 1 channels and flips for 2, but its input has 2 channels"),
    (residual([[1, 1], [1, 1]], flip=[True]), {},
     "it has coefficients for 2 channels and flips for 1, but its input has 2 channels"),
    (residual([[1, 1], [1, 1]], flip=[0, 1]), {}, "flip must be bool, not int64"),
    (residual([[1, 1], [1, 1]], element=Planes((1, 2, 3))), {},
     "2 coefficients a channel do not give planes(1, 2, 3)"),
    (residual([[1, 1], [1, 1]], element=UInt(2)), {},
     "2 coefficients a channel do not give uint2"),
    (residual([[1, 1], [1, 0]]), {},
     "the coefficients of channel 1, [1, 0], are not 1 to 2^31 − 1"),
    (residual([[2 ** 31, 1], [-1, 1]]), {},
     "the coefficients of channel 0, [2147483648, 1], are not 1 to 2^31 − 1"),
    (residual([[1, 1], [1, 1]], [0, 2 ** 61 - 5]), {},
     f"what is left may reach {2 ** 61}, beyond 62 bits"),
    (residual([[1, 1], [1, 1]], [-2 ** 63, 0]), {},
     f"what is left may reach {2 ** 63 + 5}, beyond 62 bits"),
])
def test_what_is_wrong_with_a_residual_binarizer_is_said(layer, options, message):
    refused(layer, message, **options)


def test_residual_binarize_just_below_the_end():
    net = network(residual([[1, 1], [1, 1]], [2 ** 61 - 6, 6 - 2 ** 61]), element=UInt(2))
    ranges_are_exact(net)
    assert net.run(np.array([[3, 3]])).tolist() == [[-3, 3]]


def test_layers_that_quantize_follow_one_another():
    """Every activation in one network, each reading the one before."""
    rng = np.random.default_rng(0)
    net = Network("net", Tensor.full(Int(4), (2,)), (
        Threshold("a", ("input",), np.array([[-4, -1, 0, 3, 5, 7]] * 2), np.array([True, False]),
                  Pow2(3)),
        Lookup("b", ("a",), rng.integers(-9, 9, (2, 8)) // 3, Int(3)),
        ResidualBinarize("c", ("b",), np.array([[2, 1], [3, 1]]), np.array([0, 1]),
                         np.array([False, True]), Planes((1, 2))),
        Affine("d", ("c",), np.array([100, -70]), np.array([3, 4])),
        Requantize("e", ("d",), np.array([2 ** 30, 2 ** 29]), np.array([-3, -2]), 7, UInt(4)),
        Lookup("f", ("e",), np.arange(16)[None] % 3 - 1, Ternary())))
    x = every_frame(Int(4))
    traced = net.run(x, trace=True)
    layers = {layer.name: layer for layer in net.layers}
    level = golden.threshold(x, layers["a"].thresholds, layers["a"].flip)
    expected = {"a": np.array([-4, -2, -1, 0, 1, 2, 4])[level]}
    expected["b"] = golden.lookup(layers["a"].codes[level], layers["b"].table)
    raw = golden.residual_binarize(expected["b"], layers["c"].coefficients, layers["c"].centre,
                                   layers["c"].flip)
    expected["c"] = 2 * raw - 3
    expected["d"] = expected["c"] * [100, -70] + [3, 4]
    expected["e"] = golden.requantize(expected["d"], layers["e"].multiplier, layers["e"].exponent,
                                      zero=7, lo=0, hi=15)
    expected["f"] = expected["e"] % 3 - 1
    for name, values in expected.items():
        np.testing.assert_array_equal(traced[name], values)
        tensor = net.tensors[name]
        assert (tensor.lo <= values).all() and (values <= tensor.hi).all()
        assert tensor.element.holds(values)
