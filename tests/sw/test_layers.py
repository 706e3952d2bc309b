"""Layers on every kind of element: exact ranges, and what is wrong with an affine layer."""
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sw import alphabet, golden
from sw.element import Bipolar, Int, Planes, UInt, smallest
from sw.network import (
    Affine,
    ArgMax,
    Dense,
    Lookup,
    NetworkError,
    Requantize,
    ResidualBinarize,
    Select,
    Tensor,
    Threshold,
    XnorNetDense,
)
from sw.planes import Plane
from tests.sw.networks import ELEMENTS, every_frame, network, ranges_are_exact


@pytest.mark.parametrize("element", ELEMENTS, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_ranges_are_exact_for_every_element(element, seed):
    rng = np.random.default_rng(seed)
    planes = (Plane(alphabet.Integer(-9, 9), rng.integers(-9, 10, (3, 2)), np.array([1, -2, 5])),
              Plane(alphabet.Ones(), np.ones((3, 2), int), rng.integers(1, 9, 3)))
    net = network(Dense("dense", ("input",), planes),
                  Affine("affine", ("dense",), rng.integers(-9, 10, 3), rng.integers(-99, 99, 3)),
                  Select("select", ("affine",), np.array([2, 0])),
                  Affine("other", ("input",), np.array([0, -3], np.int8), np.array([-7, 127])),
                  element=element)
    ranges_are_exact(net)
    for name, tensor in net.tensors.items():
        if name != "input":
            whole = net.tensors["affine"] if name == "select" else tensor
            assert tensor.element == smallest(int(whole.lo.min()), int(whole.hi.max()))


@pytest.mark.parametrize("element", ELEMENTS, ids=str)
def test_a_network_runs_on_values_of_every_element(element):
    weights = np.array([[2, -1], [3, 5]])
    net = network(Dense("dense", ("input",), (
        Plane(alphabet.Integer(-8, 7), weights, np.ones(2, int)),)),
        ArgMax("class", ("dense",)), element=element, labels=("a", "b"))
    x = every_frame(element)
    traced = net.run(x, trace=True)
    np.testing.assert_array_equal(traced["dense"], x @ weights.T)
    np.testing.assert_array_equal(net.run(x)[:, 0], (x @ weights.T).argmax(axis=1))
    with pytest.raises(ValueError, match=f"^network net reads {re.escape(str(element))} values, "
                                         f"not 0 … 99$"):
        net.run(np.array([[99, 0]]))


TWO = np.array([[1, 0], [0, 1]])
LAST = [
    Select("last", ("input",), np.array([1, 0])),
    Dense("last", ("input",), (Plane(alphabet.Ternary(), TWO, np.ones(2, int)),)),
    XnorNetDense("last", ("input",), (Plane(alphabet.Ternary(), TWO, np.ones(2, int)),)),
    Affine("last", ("input",), np.array([1, 2]), np.array([0, -5])),
    Threshold("last", ("input",), np.array([[1], [2]]), np.array([False, True]), Bipolar()),
    Lookup("last", ("input",), np.array([[5, 6, 7, -8]])),
    Requantize("last", ("input",), np.full(2, 2 ** 30), np.zeros(2, int), 3, UInt(4)),
    ResidualBinarize("last", ("input",), TWO + 1, np.ones(2, int), np.zeros(2, bool),
                     Planes((1, 2))),
    ArgMax("last", ("input",)),
]


@pytest.mark.parametrize("layer", LAST, ids=lambda layer: type(layer).__name__)
@pytest.mark.parametrize("labels", [(), ("a", "b")])
def test_a_network_may_end_in_every_layer(layer, labels):
    net = network(layer, element=UInt(2), labels=labels)
    y = net.run(every_frame(UInt(2)))
    assert y.shape == (16, *net.tensors["last"].shape)
    assert net.tensors["last"].element.holds(y)
    assert net.labels == labels


@given(st.lists(st.tuples(st.integers(-2 ** 27, 2 ** 27), st.integers(-2 ** 59, 2 ** 59)),
                min_size=1, max_size=4))
def test_affine_ranges_up_to_62_bits(pairs):
    coefficients, offset = np.array(pairs).T
    net = network(Affine("a", ("input",), coefficients, offset), element=Int(32),
                  channels=len(pairs))
    ends = np.array([[-2 ** 31] * len(pairs), [2 ** 31 - 1] * len(pairs)])
    y = net.run(ends)
    exact = [[int(a) * int(x) + int(b) for a, x, b in zip(coefficients, frame, offset, strict=True)]
             for frame in ends]
    assert y.tolist() == exact
    tensor = net.tensors["a"]
    assert tensor.lo.tolist() == np.min(exact, axis=0).tolist()
    assert tensor.hi.tolist() == np.max(exact, axis=0).tolist()
    np.testing.assert_array_equal(y, golden.affine(ends, coefficients, offset))


def test_affine_takes_unsigned_numbers():
    net = network(Affine("a", ("input",), np.array([255, 1], np.uint8),
                         np.array([2 ** 40, 0], np.uint64)), element=Int(2))
    assert net.run(np.array([[-2, 1]], np.int8)).tolist() == [[2 ** 40 - 510, 1]]
    assert net.tensors["a"].lo.tolist() == [2 ** 40 - 510, -2]


@pytest.mark.parametrize("coefficients, offset, message", [
    ([1.0, 2.0], [0, 0], "coefficients must be integers; they are float64"),
    ([1.0, np.nan], [0, 0], "coefficients must be integers; they are float64, and hold NaN"),
    ([1, 2], [0.0, 0], "offset must be integers; they are float64"),
    ([[1, 2]], [0, 0], "coefficients must have 1 axes and not be empty; their shape is (1, 2)"),
    ([1, 2], [[0], [0]], "offset must have 1 axes and not be empty; their shape is (2, 1)"),
    ([1], [0, 0], "coefficients must be one a channel of its input, 2, not 1"),
    ([1, 2], [0, 0, 0], "offset must be one a channel of its input, 2, not 3"),
    ([1, 2 ** 59], [0, 0], f"its values may reach {2 ** 61}, beyond the 62 bits of an element"),
    ([1, -2 ** 59], [0, 0], f"its values may reach {2 ** 61}, beyond the 62 bits of an element"),
    ([0, -4], [-2 ** 61 + 16, 0],
     f"its values may reach {2 ** 61}, beyond the 62 bits of an element"),
    ([-2 ** 63, 1], [-2 ** 63, 1],
     f"its values may reach {5 * 2 ** 63}, beyond the 62 bits of an element"),
])
def test_what_is_wrong_with_an_affine_layer_is_said(coefficients, offset, message):
    with pytest.raises(NetworkError, match=f"^{re.escape('layer a: ' + message)}$"):
        network(Affine("a", ("input",), np.array(coefficients), np.array(offset)), element=Int(3))


def test_affine_values_just_below_the_end():
    net = network(Affine("a", ("input",), np.array([0, -4]), np.array([17 - 2 ** 61, 0])),
                  element=Int(3))
    assert net.tensors["a"].lo.tolist() == [17 - 2 ** 61, -12]


def xnor_net(weights, coefficients=(1, 1)):
    return XnorNetDense("a", ("input",), (
        Plane(alphabet.Integer(-2 ** 40, 2 ** 40), np.array(weights), np.array(coefficients)),))


@pytest.mark.parametrize("element", ELEMENTS, ids=str)
@pytest.mark.parametrize("weights", [[[1, 1], [1, -1]], [[-1, -3], [0, 2]], [[0, 0], [5, 0]]],
                         ids=str)
def test_xnor_net_ranges_hold_and_are_exact_for_symmetric_channels_and_for_one_sign(element,
                                                                                    weights):
    net = network(xnor_net(weights), element=element)
    x = every_frame(element)
    y = net.run(x)
    np.testing.assert_array_equal(y, golden.xnor_net(x, np.array(weights)))
    tensor = net.tensors["a"]
    lo, hi = tensor.lo.tolist(), tensor.hi.tolist()
    assert tensor.element == smallest(min(lo), max(hi))
    if element.lo == -element.hi or element.lo >= 0 or element.hi < 0:
        assert (lo, hi) == (y.min(axis=0).tolist(), y.max(axis=0).tolist())
    assert (lo <= y.min(axis=0)).all() and (y.max(axis=0) <= hi).all()


RANGES = st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 3), st.integers(-3, 3),
                            st.integers(-3, 3)), min_size=1, max_size=3)


@given(RANGES)
def test_xnor_net_ranges_hold_for_channels_of_any_range(channels):
    lo, size, *rows = np.array(channels, np.int64).T
    layer = xnor_net(rows)
    x = Tensor(Int(4), (len(lo),), lo, lo + size)
    frames = np.array(np.meshgrid(*[np.arange(a, a + n + 1) for a, n in zip(lo, size, strict=True)]
                                  )).reshape(len(lo), -1).T
    y, tensor, sums = layer.run(frames), layer.infer(x), layer.sums(x)
    assert (tensor.lo <= y.min(axis=0)).all() and (y.max(axis=0) <= tensor.hi).all()
    assert tensor.element.holds(y) and tensor.shape == (2,)
    scales = np.abs(frames).sum(axis=1)
    assert layer.scale(x) == (scales.min(), scales.max())
    signs = np.where(frames < 0, -1, 1) @ layer.weights.T
    assert sums.lo.tolist() == signs.min(axis=0).tolist()
    assert sums.hi.tolist() == signs.max(axis=0).tolist()


def test_xnor_net_of_bipolar_values_has_a_constant_scale():
    layer = xnor_net([[1, 1], [1, -1]])
    assert layer.scale(Tensor.full(Bipolar(), (2,))) == (2, 2)
    assert layer.scale(Tensor.full(Int(2), (2,))) == (0, 4)


@pytest.mark.parametrize("weights, message", [
    ([[1, 1, 1], [1, 1, 1]], "its weights have 3 columns, but its input has 2 channels"),
    ([[2 ** 21, 0], [0, 0]], f"its values may reach {2 ** 53}, beyond the exact 2**53"),
    ([[1, 0], [-1, 2 ** 40]], f"its values may reach {2 ** 72 + 2 ** 32}, beyond the exact 2**53"),
])
def test_what_is_wrong_with_an_xnor_net_layer_is_said(weights, message):
    with pytest.raises(NetworkError, match=f"^{re.escape('layer a: ' + message)}$"):
        network(xnor_net(weights), element=Int(32))


def test_xnor_net_values_just_below_the_end():
    net = network(xnor_net([[2 ** 21 - 1, 0], [1, 2 - 2 ** 21]]), element=Int(32))
    top = 2 ** 53 - 2 ** 32
    assert net.tensors["a"].hi.tolist() == [top, top]
    assert net.run(np.array([[-2 ** 31, -2 ** 31]])).tolist() == [[-top, top - 2 ** 33]]


def test_xnor_net_refuses_a_scale_that_is_not_exact_even_if_nothing_is_scaled():
    x = Tensor(Int(62), (2,), np.array([-2 ** 61, 0]), np.array([0, 2 ** 61 - 1]))
    with pytest.raises(ValueError, match=rf"^its values may reach {2 ** 62}, beyond the exact "
                                         r"2\*\*53$"):
        xnor_net([[0, 0], [0, 0]]).infer(x)
