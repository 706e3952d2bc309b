import itertools
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sw import alphabet, golden, npz
from sw.element import Bipolar, Int, UInt, smallest
from sw.network import ArgMax, Dense, Layer, Network, NetworkError, Select, Tensor, Threshold
from sw.planes import Plane, Product, bipolar

MATRIX = np.array([[1, -1, 1], [-1, -1, 1]])


def dense(name, source, matrix=MATRIX):
    return Dense(name, (source,), (bipolar(matrix),))


def threshold(name, source, thresholds, flip=None, element=None):
    thresholds = np.array(thresholds)
    flip = np.zeros(len(thresholds), bool) if flip is None else np.array(flip)
    return Threshold(name, (source,), thresholds, flip, element or Bipolar())


def network(*layers, name="net", element=None, shape=(3,), labels=(), provenance=None):
    return Network(name, Tensor.full(element or UInt(2), shape), layers, labels, provenance or {})


def sample(**changes):
    """One layer of each type, and two of the planes' matrices; ``changes`` replaces its parts."""
    part = {
        "indices": np.array([2, 0, 3, 1]), "grey": np.array([[1, 2], [0, 3], [1, 1], [2, 4]]),
        "down": np.array([False, True, False, True]),
        "codes": np.array([[1, -1, 1, -1], [-1, -1, 1, 1], [1, 1, 1, 1]]),
        "coefficients": np.array([1, -2, 3]),
        "sign": np.array([[0], [2], [9]]), "flip": np.array([True, False, False]),
        "last": np.array([[1, -1, 1], [-1, -1, 1]]), "name": "sample", "labels": ("no", "yes"),
        "provenance": {"by": "hand"}, "element": UInt(2), "source": "sign",
    } | changes
    return network(
        Select("crop", ("input",), part["indices"]),
        Threshold("levels", ("crop",), part["grey"], part["down"], UInt(2)),
        Dense("hidden", ("levels",), (
            Plane(alphabet.Bipolar(), part["codes"], part["coefficients"]),
            Plane(alphabet.Bipolar(), -part["codes"][:, ::-1], np.array([1, 1, 1])))),
        Threshold("sign", ("hidden",), part["sign"], part["flip"], Bipolar()),
        Dense("output", (part["source"],), (bipolar(part["last"]),)),
        ArgMax("class", ("output",)),
        name=part["name"], labels=part["labels"], provenance=part["provenance"],
        element=part["element"], shape=(5,))


def every_frame(element, channels):
    values = [-1, 1] if element == Bipolar() else range(element.lo, element.hi + 1)
    return np.array(list(itertools.product(values, repeat=channels)))


# What is derived.

@pytest.mark.parametrize("element", [UInt(1), UInt(2), Int(2), Int(1), Bipolar()])
@pytest.mark.parametrize("seed", range(5))
def test_dense_range_is_exact_per_channel(element, seed):
    rng = np.random.default_rng(seed)
    planes = tuple(Plane(alphabet.Bipolar(), rng.choice([-1, 1], (4, 3)),
                         rng.choice([-3, -1, 1, 2], 4)) for _ in range(1 + seed % 3))
    net = network(Dense("dense", ("input",), planes), element=element)
    y = net.run(every_frame(element, 3))
    tensor = net.tensors["dense"]
    assert (tensor.lo.tolist(), tensor.hi.tolist()) == (y.min(axis=0).tolist(),
                                                        y.max(axis=0).tolist())
    assert (tensor.element, tensor.shape) == (smallest(int(y.min()), int(y.max())), (4,))


@pytest.mark.parametrize("seed", range(5))
def test_every_tensor_stays_within_its_range(seed):
    rng = np.random.default_rng(seed)
    net = sample(codes=rng.choice([-1, 1], (3, 4)), last=rng.choice([-1, 1], (2, 3)),
                 indices=rng.integers(0, 5, 4), down=rng.random(4) < 0.5,
                 flip=rng.random(3) < 0.5, sign=np.zeros((3, 1), int))
    for name, values in net.run(every_frame(UInt(2), 5), trace=True).items():
        tensor = net.tensors[name]
        assert values.shape[1:] == tensor.shape
        assert tensor.element.holds(values)
        assert (values >= tensor.lo).all() and (values <= tensor.hi).all()


def test_tensors():
    net = sample()
    assert {name: str(tensor) for name, tensor in net.tensors.items()} == {
        "input": "uint2[5]", "crop": "uint2[4]", "levels": "uint2[4]", "hidden": "int6[3]",
        "sign": "bipolar[3]", "output": "int3[2]", "class": "uint1[1]"}
    assert {name: [*zip(tensor.lo.tolist(), tensor.hi.tolist(), strict=True)]
            for name, tensor in net.tensors.items()} == {
        "input": [(0, 3)] * 5, "crop": [(0, 3)] * 4, "levels": [(0, 2)] * 4,
        "hidden": [(-8, 8), (-4, 4), (0, 16)], "sign": [(-1, 1)] * 3, "output": [(-3, 3)] * 2,
        "class": [(0, 1)]}


def test_select_takes_range_with_channel():
    net = network(dense("dense", "input"), Select("select", ("dense",), np.array([1, 1, 0])))
    tensor = net.tensors["select"]
    assert (tensor.lo.tolist(), tensor.hi.tolist()) == ([-6, -6, -3], [3, 3, 6])
    assert (str(tensor), tensor.channels) == ("int4[3]", 3)


def test_weights_are_the_sum_of_planes():
    first, second = np.array([[1, -1], [1, 1]]), np.array([[-1, -1], [1, -1]])
    layer = Dense("dense", ("input",), (
        Plane(alphabet.Bipolar(), first, np.array([4, -5], np.int8)),
        Plane(alphabet.Bipolar(), second, np.array([2, 100], np.int8))))
    assert layer.weights.tolist() == [[2, -6], [95, -105]]


def test_weights_do_not_wrap_in_a_small_type():
    plane = Plane(alphabet.Bipolar(), np.ones((1, 2), np.int8), np.array([127], np.int8))
    assert Dense("dense", ("input",), (plane, plane)).weights.tolist() == [[254, 254]]


# What it computes.

def composed(net, x):
    """Every tensor by the golden functions, one after the other, on the whole batch."""
    crop, levels, hidden, sign, output, _ = net.layers
    tensors = {"input": x, "crop": golden.select(x, crop.indices)}
    tensors["levels"] = golden.threshold(tensors["crop"], levels.thresholds, levels.flip)
    tensors["hidden"] = golden.dense(tensors["levels"], hidden.weights)
    tensors["sign"] = golden.bipolar(
        golden.threshold(tensors["hidden"], sign.thresholds, sign.flip))
    tensors["output"] = golden.dense(tensors["sign"], output.weights)
    tensors["class"] = golden.argmax(tensors["output"])[:, None]
    return tensors


@pytest.mark.parametrize("frames", [0, 1, 2, 499, 500, 501, 1000, 1001])
def test_run_composes_the_golden_functions(frames):
    net = sample()
    x = np.random.default_rng(frames).integers(0, 4, (frames, 5))
    expected = composed(net, x)
    traced = net.run(x, trace=True)
    assert list(traced) == list(expected) == list(net.tensors)
    for name, values in expected.items():
        np.testing.assert_array_equal(traced[name], values)
    y = net.run(x)
    assert y.shape == (frames, 1)
    np.testing.assert_array_equal(y, expected["class"])


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, np.uint64])
def test_run_takes_every_integer_type_and_frame_shape(dtype):
    net = network(dense("dense", "input", np.array([[1, -1, 1, 1]])), shape=(4,))
    x = np.array([[[3, 1], [0, 2]], [[0, 3], [0, 0]]], dtype)
    assert net.run(x).tolist() == net.run(x.reshape(2, 4)).tolist() == [[4], [-3]]
    assert net.run(x.tolist()).tolist() == [[4], [-3]]


def test_run_reads_bipolar_inputs():
    net = network(dense("dense", "input"), element=Bipolar())
    assert net.run(np.array([[1, -1, 1]])).tolist() == [[3, 1]]


@pytest.mark.parametrize("x, error, message", [
    (np.zeros((1, 3)), TypeError, "network net reads integers, not float64"),
    (np.full((1, 3), np.nan), TypeError, "network net reads integers, not float64"),
    (np.zeros((1, 3), bool), TypeError, "network net reads integers, not bool"),
    (np.array([["a"] * 3]), TypeError, "network net reads integers, not <U1"),
    (np.zeros(3, int), ValueError,
     "network net reads frames of uint2[3], not an array of shape (3,)"),
    (np.zeros((), int), ValueError,
     "network net reads frames of uint2[3], not an array of shape ()"),
    (np.zeros((1, 4), int), ValueError,
     "network net reads frames of uint2[3], not an array of shape (1, 4)"),
    (np.zeros((3, 2), int), ValueError,
     "network net reads frames of uint2[3], not an array of shape (3, 2)"),
    (np.zeros((2, 0), int), ValueError,
     "network net reads frames of uint2[3], not an array of shape (2, 0)"),
    (np.array([[0, 1, 4]]), ValueError, "network net reads uint2 values, not 0 … 4"),
    (np.array([[0, 0, 0], [-1, 0, 3]]), ValueError, "network net reads uint2 values, not -1 … 3"),
])
def test_run_refuses(x, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        network(dense("dense", "input")).run(x)


def test_run_refuses_zero_where_it_reads_bipolar():
    with pytest.raises(ValueError, match=r"^network net reads bipolar values, not 0 … 1$"):
        network(dense("dense", "input"), element=Bipolar()).run(np.array([[0, 1, 1]]))


# What it refuses to be.

STEP = [[0], [0], [0]]
CLAMP = ", its input's range and one above; clamp them"


@pytest.mark.parametrize("layers, message", [
    ([dense("a", "input", MATRIX[:, :2])],
     "layer a: its weights have 2 columns, but its input has 3 channels"),
    ([dense("a", "input"), dense("b", "a")],
     "layer b: its weights have 3 columns, but its input has 2 channels"),
    ([Dense("a", ("input",), ())], "layer a: its planes must have one shape, not []"),
    ([Dense("a", ("input",), (bipolar(MATRIX), bipolar(MATRIX[:1])))],
     "layer a: its planes must have one shape, not [(1, 3), (2, 3)]"),
    ([Select("a", ("input",), np.array([0, 3]))],
     "layer a: indices reach from 0 to 3, but its input has channels 0 to 2"),
    ([Select("a", ("input",), np.array([-1, 2]))],
     "layer a: indices reach from -1 to 2, but its input has channels 0 to 2"),
    ([Select("a", ("input",), np.array([0.0, np.nan]))],
     "layer a: indices must be integers; they are float64, and hold NaN"),
    ([Select("a", ("input",), np.array([True]))],
     "layer a: indices must be integers; they are bool"),
    ([Select("a", ("input",), np.zeros(0, int))],
     "layer a: indices must have 1 axes and not be empty; their shape is (0,)"),
    ([Select("a", ("input",), np.zeros((1, 2), int))],
     "layer a: indices must have 1 axes and not be empty; their shape is (1, 2)"),
    ([threshold("a", "input", STEP[:2])],
     "layer a: it has thresholds for 2 channels and flips for 2, but its input has 3 channels"),
    ([threshold("a", "input", STEP, [True, False])],
     "layer a: it has thresholds for 3 channels and flips for 2, but its input has 3 channels"),
    ([threshold("a", "input", STEP, [0, 1, 0])], "layer a: flip must be bool, not int64"),
    ([threshold("a", "input", STEP, [0.0, np.nan, 0.0])],
     "layer a: flip must be bool, not float64"),
    ([threshold("a", "input", [0, 0, 0], [False] * 3)],
     "layer a: thresholds must have 2 axes and not be empty; their shape is (3,)"),
    ([threshold("a", "input", np.zeros((3, 0), int))],
     "layer a: thresholds must have 2 axes and not be empty; their shape is (3, 0)"),
    ([threshold("a", "input", [[0.0], [1.0], [2.0]])],
     "layer a: thresholds must be integers; they are float64"),
    ([threshold("a", "input", [[0.0], [np.nan], [2.0]])],
     "layer a: thresholds must be integers; they are float64, and hold NaN"),
    ([threshold("a", "input", [[0, 1], [2, 1], [1, 0]], element=UInt(2))],
     "layer a: the thresholds of channel 1 are not in ascending order"),
    ([threshold("a", "input", [[0], [0], [5]])],
     "layer a: the thresholds of channel 2, [5], are not within 0 … 4" + CLAMP),
    ([threshold("a", "input", [[4], [-1], [5]])],
     "layer a: the thresholds of channel 1, [-1], are not within 0 … 4" + CLAMP),
    ([dense("a", "input"), threshold("b", "a", [[8], [0]])],
     "layer b: the thresholds of channel 0, [8], are not within -3 … 7" + CLAMP),
    ([threshold("a", "input", [[0, 1]] * 3)],
     "layer a: 2 thresholds a channel do not give bipolar"),
    ([threshold("a", "input", [[0, 1]] * 3, element=UInt(1))],
     "layer a: 2 thresholds a channel do not give uint1"),
    ([threshold("a", "input", [[0, 1]] * 3, element=Int(1))],
     "layer a: 2 thresholds a channel do not give int1"),
    ([dense("a", "input"), dense("a", "input")], "layer a: another layer has the same name"),
    ([dense("input", "input")], "layer input: another layer has the same name"),
    ([dense("a", "b"), dense("b", "input")],
     "layer a: it reads 'b', which is no earlier layer"),
    ([dense("a", "a")], "layer a: it reads 'a', which is no earlier layer"),
    ([Dense("a", (), (bipolar(MATRIX),))], "layer a: a Dense reads one layer, not 0"),
    ([ArgMax("a", ("input", "input"))], "layer a: a ArgMax reads one layer, not 2"),
    ([], "network net: it has no layers"),
    *(([dense(name, "input")], f"layer {name!r}: a name is letters, digits and '_'")
      for name in ("", "1a", "_a", "a b", "a.b", "a-b", "a/b", "../a", "é", "a\n")),
])
def test_what_is_wrong_with_a_layer_is_said(layers, message):
    with pytest.raises(NetworkError, match=f"^{re.escape(message)}$"):
        network(*layers)


@pytest.mark.parametrize("element, coefficient, largest", [
    (UInt(32), 700_000, 3 * 700_000 * (2 ** 32 - 1)), (Int(32), -(2 ** 31), 3 * 2 ** 62)])
def test_sums_that_are_not_exact_are_refused(element, coefficient, largest):
    plane = Plane(alphabet.Bipolar(), MATRIX, np.array([1, coefficient]))
    with pytest.raises(NetworkError, match=rf"^layer a: its sums may reach {largest}, beyond the "
                                           r"exact 2\*\*53$"):
        network(Dense("a", ("input",), (plane,)), element=element)


def test_sums_that_are_just_exact_are_computed():
    plane = Plane(alphabet.Bipolar(), MATRIX, np.array([1, 699_050]))
    net = network(Dense("a", ("input",), (plane,)), element=UInt(32))
    top = 2 ** 32 - 1
    assert net.run(np.array([[0, 0, top], [top, top, 0]])).tolist() == [
        [top, 699_050 * top], [0, -2 * 699_050 * top]]


BIG = alphabet.Integer(-2 ** 62, 2 ** 62 - 1)


@pytest.mark.parametrize("plane, message", [
    (Product(bipolar(MATRIX), bipolar(np.ones((3, 3)).astype(int))),
     "it holds a product of planes; make it two layers"),
    (Plane(alphabet.Codebook(np.array([.5, 1, 2])), np.array([[0, 1, 2]]), np.ones(1, int)),
     "a plane's table must hold integers, not float64; use Quantized.network_weights"),
    (Plane(alphabet.Vectors(np.ones((1, 1, 3), np.float32), 3), np.array([[0]]), np.ones(1, int)),
     "a plane's table must hold integers, not float32; use Quantized.network_weights"),
    (Plane(alphabet.Pow2(54), np.array([[1, 0, 2]]), np.ones(1, int)),
     "a plane's powers reach 2^53, beyond the exact 2^53"),
    (Plane(alphabet.Bipolar(), MATRIX, np.array([1, 0.5], np.float32)),
     ("a plane's coefficients are one integer a row, not float32 of shape (2,); use "
      "Quantized.network_weights")),
    (Plane(alphabet.Bipolar(), MATRIX, np.ones((2, 3), int)),
     ("a plane's coefficients are one integer a row, not int64 of shape (2, 3); use "
      "Quantized.network_weights")),
    (Plane(alphabet.Bipolar(), MATRIX, np.array([1, 2 ** 31])),
     "a plane's coefficients have 32 bits, but that of row 1 is 2147483648"),
    (Plane(alphabet.Bipolar(), MATRIX, np.array([-2 ** 31 - 1, 1])),
     "a plane's coefficients have 32 bits, but that of row 0 is -2147483649"),
    (Plane(alphabet.Bipolar(), MATRIX, np.zeros(2, int)),
     "a plane's coefficients are all zero; leave the plane out"),
    (Plane(alphabet.Vectors(np.ones((1, 1, 2 ** 13), int), 2 ** 13), np.zeros((2 ** 14, 1), int),
           np.ones(2 ** 14, int)),
     "a plane of vectors stands for 16384 × 8192 weights, more than 67108864"),
    (Plane(BIG, np.array([[0, -2 ** 53, 3]]), np.ones(1, int)),
     "its weights may reach 9007199254740992, beyond the exact 2**53"),
    (Plane(BIG, np.array([[0, -2 ** 62, 3]]), np.array([-2 ** 31])),
     "its weights may reach 9903520314283042199192993792, beyond the exact 2**53"),
    (Plane(alphabet.Integer(-2 ** 31, 2 ** 31 - 1), np.array([[-2 ** 31] * 3], np.int32),
           np.array([2 ** 30])),
     "its weights may reach 2305843009213693952, beyond the exact 2**53"),
    (Plane(alphabet.Codebook(np.array([2 ** 64 - 1], np.uint64)), np.array([[0] * 3]),
           np.ones(1, int)),
     "its weights may reach 18446744073709551616, beyond the exact 2**53"),
])
def test_what_is_wrong_with_a_plane_is_said(plane, message):
    with pytest.raises(NetworkError, match=f"^{re.escape('layer a: ' + message)}$"):
        network(Dense("a", ("input",), (plane,)))


def test_a_product_beside_planes_is_refused_as_well():
    with pytest.raises(NetworkError, match="^layer a: it holds a product of planes; make it two "
                                           "layers$"):
        network(Dense("a", ("input",), (bipolar(np.ones((2, 3), int)), Product(
            bipolar(MATRIX), bipolar(np.ones((3, 3), int))))))


def test_sums_of_planes_that_are_not_exact_are_refused():
    plane = Plane(BIG, np.array([[2 ** 52, 0, 1], [1, 2, 3]]), np.array([1, 1]))
    other = Plane(BIG, np.array([[-2 ** 52, 0, 1], [1, 2, 3]]), np.array([1, 1]))
    with pytest.raises(NetworkError, match=r"^layer a: its weights may reach 9007199254740992, "
                                           r"beyond the exact 2\*\*53$"):
        network(Dense("a", ("input",), (plane, other)), element=UInt(1))


def test_coefficients_have_32_bits():
    plane = Plane(alphabet.Ternary(), MATRIX, np.array([-2 ** 31, 2 ** 31 - 1]))
    net = network(Dense("a", ("input",), (plane,)), element=UInt(1))
    assert net.layers[0].weights.tolist() == (MATRIX * [[-2 ** 31], [2 ** 31 - 1]]).tolist()


def test_the_smallest_code_of_a_small_type_is_not_lost():
    plane = Plane(alphabet.Integer(-128, 127), np.array([[-128, -128, -128]], np.int8),
                  np.array([2 ** 30]))
    net = network(Dense("a", ("input",), (plane,)), element=UInt(1))
    assert net.run(np.array([[1, 1, 1]])).tolist() == [[-3 * 128 * 2 ** 30]]
    assert net.tensors["a"].lo.tolist() == [-3 * 128 * 2 ** 30]


@pytest.mark.parametrize("thresholds", [[[0], [4], [2]], [[0, 0], [4, 4], [0, 4]]])
def test_thresholds_may_lie_at_the_ends_and_be_equal(thresholds):
    assert network(threshold("a", "input", thresholds, element=UInt(2)))


@pytest.mark.parametrize("changes, message", [
    *(({"name": name}, f"network {name!r}: a name is letters, digits, '_', '-', '.'")
      for name in ("", "-a", ".a", "a b", "a/b", "..", "é", "a\n")),
    ({"element": UInt(33)}, "network net: its input has 33 bits an element, more than 32"),
    ({"element": Int(62)}, "network net: its input has 62 bits an element, more than 32"),
    *(({"shape": shape}, ("network net: its input's shape must be one size, or height, width and "
                          f"channels, not {shape}"))
      for shape in ((2, 3), (1, 2, 2, 3), (2, 0, 3))),
    ({"labels": ("a",)}, "network net: it has 1 labels for 2 classes"),
    ({"labels": ("a", "b", "c")}, "network net: it has 3 labels for 2 classes"),
])
def test_what_is_wrong_with_the_network_is_said(changes, message):
    with pytest.raises(NetworkError, match=f"^{re.escape(message)}$"):
        network(dense("a", "input"), ArgMax("class", ("a",)), **changes)


@pytest.mark.parametrize("name", ["a", "9", "_x", "mnist-bnn", "v1.2"])
def test_names_that_may_be(name):
    assert network(dense("dense1_x", "input"), name=name).name == name


def test_labels_name_classes_or_are_none():
    layers = dense("a", "input"), ArgMax("class", ("a",))
    assert network(*layers, labels=("no", "yes")).labels == ("no", "yes")
    assert network(*layers).labels == ()


@dataclass(frozen=True, eq=False)
class Unfinished(Layer):
    """A layer type that does nothing of its own."""


def test_a_layer_must_infer_and_run():
    layer = Unfinished("a", ("input",))
    with pytest.raises(TypeError, match="^Unfinished is not a layer$"):
        network(layer)
    with pytest.raises(TypeError, match="^Unfinished is not a layer$"):
        layer.run(np.zeros((1, 3), int))


# Its digest.

@pytest.mark.parametrize("changes", [{"name": "other"}, {"provenance": {"by": "chance"}}])
def test_digest_is_independent_of(changes):
    assert sample(**changes).digest == sample().digest


@pytest.mark.parametrize("part", ["indices", "grey", "codes", "coefficients", "sign", "last"])
@pytest.mark.parametrize("dtype", [np.int8, np.int32, ">i8"])
def test_digest_is_independent_of_the_type_of(part, dtype):
    by_default = {"indices": [2, 0, 3, 1], "grey": [[1, 2], [0, 3], [1, 1], [2, 4]],
                  "codes": [[1, -1, 1, -1], [-1, -1, 1, 1], [1, 1, 1, 1]],
                  "coefficients": [1, -2, 3], "sign": [[0], [2], [9]],
                  "last": [[1, -1, 1], [-1, -1, 1]]}[part]
    array = np.asfortranarray(np.array(by_default, dtype))
    assert sample(**{part: array}).digest == sample().digest


@pytest.mark.parametrize("changes", [
    {"indices": np.array([2, 0, 3, 2])},
    {"indices": np.array([0, 2, 3, 1])},
    {"grey": np.array([[1, 2], [0, 3], [1, 2], [2, 4]])},
    {"down": np.array([False, True, True, True])},
    {"codes": np.array([[1, -1, 1, -1], [-1, -1, 1, 1], [1, 1, 1, -1]])},
    {"coefficients": np.array([1, -2, 2])},
    {"sign": np.array([[0], [2], [8]])},
    {"flip": np.array([True, True, False])},
    {"flip": np.array([False, True, False])},
    {"last": np.array([[1, -1, 1], [-1, 1, 1]])},
    {"labels": ("yes", "no")},
    {"labels": ()},
    {"element": Int(3), "grey": np.array([[1, 2], [0, 3], [1, 1], [2, 4]])},
    {"source": "hidden"},
])
def test_digest_changes_with(changes):
    assert sample(**changes).digest != sample().digest


@given(st.lists(st.sampled_from([-1, 1]), min_size=6, max_size=6))
def test_digest_tells_weights_apart(weights):
    last = np.array(weights).reshape(2, 3)
    same = (last == [[1, -1, 1], [-1, -1, 1]]).all()
    assert (sample(last=last).digest == sample().digest) == same


def test_digest_is_stable_over_versions():
    assert sample().digest == (
        "1cd42c1310f24c5408b48686be05c311f7c3e21576ae98e8c7ea5ba2e2bf81c4")


# On disk.

def test_load_inverts_save(tmp_path):
    net = sample()
    net.save(tmp_path / "net.npz")
    found = Network.load(tmp_path / "net.npz")
    assert (found.digest, found.name, found.labels, found.provenance) == (
        net.digest, net.name, net.labels, net.provenance)
    x = np.random.default_rng(0).integers(0, 4, (50, 5))
    traced = net.run(x, trace=True)
    for name, values in found.run(x, trace=True).items():
        np.testing.assert_array_equal(values, traced[name])


@pytest.mark.parametrize("element, top", [
    (UInt(8), 255), (Int(8), 128), (UInt(7), 128), (UInt(16), 65535), (UInt(32), 2 ** 32)])
def test_large_thresholds_survive(tmp_path, element, top):
    net = network(threshold("a", "input", [[top], [element.lo], [1]]), element=element)
    net.save(tmp_path / "net.npz")
    found = Network.load(tmp_path / "net.npz").layers[0]
    assert found.thresholds.tolist() == [[top], [element.lo], [1]]
    assert found.flip.dtype == bool


def test_arrays_are_saved_in_the_smallest_type(tmp_path):
    thresholds = np.array([[0], [127], [128]])
    network(threshold("a", "input", thresholds[:2]), threshold("b", "input", thresholds[1:]),
            element=UInt(8), shape=(2,)).save(tmp_path / "net.npz")
    with np.load(tmp_path / "net.npz", allow_pickle=False) as file:
        assert {key: str(file[key].dtype) for key in file.files} == {
            "header": "uint8", "a.thresholds": "int8", "a.flip": "bool", "b.thresholds": "int16",
            "b.flip": "bool"}


def test_saved_bytes_depend_on_content_only(tmp_path, monkeypatch):
    sample().save(tmp_path / "a.npz")
    monkeypatch.setattr("time.time", lambda: 2e9)
    wide = sample(codes=np.asfortranarray(sample().layers[2].planes[0].codes.astype(np.int32)))
    wide.save(tmp_path / "b.npz")
    Network.load(tmp_path / "a.npz").save(tmp_path / "c.npz")
    for name, order in (("d.npz", 1), ("e.npz", -1)):
        provenance = dict([("by", "hand"), ("at", "noon")][::order])
        sample(provenance=provenance).save(tmp_path / name)
    assert (tmp_path / "d.npz").read_bytes() == (tmp_path / "e.npz").read_bytes()
    first = (tmp_path / "a.npz").read_bytes()
    assert first == (tmp_path / "b.npz").read_bytes() == (tmp_path / "c.npz").read_bytes()
    replace(sample(), name="other").save(tmp_path / "a.npz")
    assert first != (tmp_path / "a.npz").read_bytes()


def fail(*arguments):
    raise OSError(28, "No space left on device")


def write_half(path, content):
    with path.open("wb") as file:
        file.write(content[:len(content) // 2])
    fail()


@pytest.mark.parametrize("where, failure", [
    ((npz.os, "replace"), fail), ((Path, "write_bytes"), write_half)])
def test_a_save_that_fails_leaves_the_old_file_and_no_part(tmp_path, monkeypatch, where, failure):
    path = tmp_path / "net.npz"
    sample().save(path)
    before = path.read_bytes()
    monkeypatch.setattr(*where, failure)
    with pytest.raises(OSError, match=r"No space left on device: .*\.(npz|mem)"):
        sample(name="other").save(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_save_replaces_and_leaves_no_part(tmp_path):
    path = tmp_path / "net.npz"
    path.write_text("something else")
    sample().save(path)
    assert Network.load(str(path)).digest == sample().digest
    assert list(tmp_path.iterdir()) == [path]


def test_save_into_no_folder_makes_none(tmp_path):
    with pytest.raises(FileNotFoundError):
        sample().save(tmp_path / "none" / "net.npz")
    assert list(tmp_path.iterdir()) == []


def test_what_load_would_refuse_is_not_saved(tmp_path):
    large = sample(provenance={"text": "x" * npz.LARGEST_HEADER})
    with pytest.raises(ValueError,
                       match=rf"^its header has \d+ bytes, more than {npz.LARGEST_HEADER}$"):
        large.save(tmp_path / "net.npz")
    assert list(tmp_path.iterdir()) == []


def test_shipped_network_is_what_was_measured():
    net = Network.load(Path(npz.__file__).parent / "zoo" / "mnist-bnn.npz")
    assert net.name == "mnist-bnn"
    assert [str(tensor) for tensor in net.tensors.values()][::8] == ["uint8[784]", "uint4[1]"]
