"""Layers of images and joins: against PyTorch, their ranges, their files, and what they refuse."""
import copy
import itertools
import re
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from sw import alphabet, golden, npz
from sw import network as network_module
from sw.element import Bipolar, Int, Levels, Planes, Pow2, Ternary, UInt, smallest
from sw.network import (
    Add,
    Affine,
    ArgMax,
    Concat,
    Conv2d,
    Dense,
    Flatten,
    Lookup,
    MaxPool,
    Network,
    NetworkError,
    Requantize,
    ResidualBinarize,
    Select,
    SumPool,
    Tensor,
    Threshold,
    XnorNetDense,
)
from sw.planes import Plane, bipolar

SEEDS = range(60)


def plane(weights, coefficients=None):
    weights = np.array(weights)
    ones = np.ones(len(weights), int)
    return Plane(alphabet.Integer(-2 ** 40, 2 ** 40), weights,
                 ones if coefficients is None else np.array(coefficients))


def conv(weights, kernel, name="a", inputs=("input",), **options):
    return Conv2d(name, inputs, (plane(weights),), kernel, **options)


def network(*layers, element=None, shape=(3, 2, 2), **options):
    return Network("net", Tensor.full(element or UInt(2), shape), layers, **options)


def sizes(rng):
    """A kernel, a stride, a padding less than the kernel, and an image that they fit."""
    kernel, stride = rng.integers(1, 8, 2), rng.integers(1, 4, 2)
    padding = rng.integers(0, np.minimum(4, [*kernel, *kernel]))
    least = np.maximum(1, kernel - padding[:2] - padding[2:])
    return (tuple(kernel.tolist()), tuple(stride.tolist()), tuple(padding.tolist()),
            (least + rng.integers(0, 5, 2)).tolist())


def pad(x, padding, value):
    """Images of PyTorch, (frames, channels, height, width), with pixels around."""
    top, left, bottom, right = padding
    return functional.pad(x, (left, right, top, bottom), value=value)


def to_torch(x):
    return torch.from_numpy(x.astype(np.float64)).permute(0, 3, 1, 2)


def from_torch(y):
    return y.permute(0, 2, 3, 1).numpy()


# The golden functions.

@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("window_values", [1, 2 ** 20])
def test_conv2d_equals_pytorch(seed, window_values, monkeypatch):
    monkeypatch.setattr(golden, "WINDOWS", window_values)
    rng = np.random.default_rng(seed)
    kernel, stride, padding, image = sizes(rng)
    groups = int(rng.integers(1, 4))
    inner = int(rng.choice([1, rng.integers(1, 4)]))            # of 1: depthwise
    rows = groups * int(rng.integers(1, 4))
    pad_value = int(rng.integers(-9, 10))
    x = rng.integers(-20, 20, (3, *image, groups * inner), rng.choice([np.int8, np.int64]))
    weights = rng.integers(-9, 10, (rows, inner * kernel[0] * kernel[1]))
    y = golden.conv2d(x, weights, kernel=kernel, stride=stride, padding=padding,
                      pad_value=pad_value, groups=groups)
    matrix = torch.from_numpy(weights.reshape(rows, *kernel, inner).astype(np.float64))
    expected = from_torch(functional.conv2d(pad(to_torch(x), padding, pad_value),
                                            matrix.permute(0, 3, 1, 2), stride=stride,
                                            groups=groups))
    np.testing.assert_array_equal(y, expected)
    assert y.dtype.kind == "i"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64])
def test_pools_equal_pytorch(seed, dtype):
    rng = np.random.default_rng(seed)
    kernel, stride, padding, image = sizes(rng)
    ends = np.iinfo(dtype)
    x = rng.integers(max(ends.min, -9), 9, (3, *image, 2), dtype)
    x[0] = rng.choice([ends.min, ends.max], x[0].shape) if dtype != np.int64 else -9
    y = golden.max_pool(x, kernel=kernel, stride=stride, padding=padding)
    expected = functional.max_pool2d(pad(to_torch(x), padding, -np.inf), kernel, stride)
    np.testing.assert_array_equal(y, from_torch(expected))
    y = golden.sum_pool(x, kernel=kernel, stride=stride, padding=padding)
    expected = functional.avg_pool2d(pad(to_torch(x), padding, 0), kernel, stride,
                                     divisor_override=1)
    np.testing.assert_array_equal(y, from_torch(expected))
    assert y.dtype == np.int64


def test_a_window_is_read_row_by_row_with_the_channels_innermost():
    x = np.arange(2 * 3 * 2).reshape(1, 2, 3, 2)
    weights = 100 ** np.arange(4)[None]
    y = golden.conv2d(x, weights, kernel=(1, 2))
    assert y.tolist() == [[[[3020100], [5040302]], [[9080706], [11100908]]]]
    y = golden.conv2d(x, weights, kernel=(2, 1))
    assert y.tolist() == [[[[7060100], [9080302], [11100504]]]]


@pytest.mark.parametrize("largest, padding, pad_value", [
    (2 ** 40, (0, 0, 0, 0), 0), (1, (0, 1, 0, 0), -2 ** 40), (255, (0, 1, 0, 0), -2 ** 31)])
@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.uint8])
def test_conv2d_is_exact_for_large_numbers(largest, padding, pad_value, dtype):
    x = np.array([largest, 1]).astype(dtype)
    y = golden.conv2d(x.reshape(1, 1, 2, 1), np.array([[3, -5]]), kernel=(1, 2), padding=padding,
                      pad_value=pad_value)
    line = [pad_value] * padding[1] + x.tolist()
    assert y.ravel().tolist() == [3 * a - 5 * b for a, b in itertools.pairwise(line)]


def test_conv2d_refuses_what_is_not_exact():
    with pytest.raises(OverflowError, match=rf"^dense sums may reach {2 ** 53}, beyond the exact "
                                            r"2\*\*53$"):
        golden.conv2d(np.ones((1, 1, 1, 1), int), np.array([[2 ** 21, 0]]), kernel=(1, 2),
                      padding=(0, 1, 0, 0), pad_value=2 ** 32)


def test_joins_take_every_integer_type():
    a, b = np.array([[255, 1]], np.uint8), np.array([[2 ** 40, 2]], np.uint64)
    c = np.array([[-1, -3]], np.int8)
    assert golden.add(a, a, b, c).tolist() == [[2 ** 40 + 509, 1]]
    y = golden.concat(a, b, c)
    assert (y.tolist(), y.dtype) == ([[255, 1, 2 ** 40, 2, -1, -3]], np.int64)


@pytest.mark.parametrize("shape", [(3, 4, 5, 2), (0, 4, 5, 2), (2, 1, 1, 1)])
def test_flatten_is_row_major(shape):
    x = np.arange(np.prod(shape)).reshape(shape)
    y = golden.flatten(x)
    assert y.shape == (len(x), shape[1] * shape[2] * shape[3])
    assert y.ravel().tolist() == list(range(x.size))


# What is derived.

def every_image(element, shape):
    values = element.decode(element.codes()).tolist()
    return np.array(list(itertools.product(values, repeat=int(np.prod(shape)))))


def ranges_hold(net, exact=True):
    """Assert it of every tensor over all frames, and that their ends are reached."""
    for name, values in net.run(every_image(net.input.element, net.input.shape),
                                trace=True).items():
        tensor = net.tensors[name]
        assert values.shape[1:] == tensor.shape
        assert tensor.element.holds(values)
        assert tensor.lo.shape == tensor.hi.shape == (tensor.channels,)
        assert (tensor.lo.dtype, tensor.hi.dtype) == (np.int64, np.int64)
        assert (tensor.lo <= values).all() and (values <= tensor.hi).all()
        if exact:
            values = values.reshape(-1, tensor.channels)
            assert tensor.lo.tolist() == values.min(axis=0).tolist()
            assert tensor.hi.tolist() == values.max(axis=0).tolist()


@pytest.mark.parametrize("element, shape", [
    (Ternary(), (3, 2, 1)), (Bipolar(), (2, 2, 2)), (UInt(1), (1, 3, 2)), (Int(2), (2, 2, 1)),
    (Levels((-9, 40, 3)), (3, 1, 2))], ids=str)
@pytest.mark.parametrize("seed", range(12))
def test_conv2d_ranges_are_exact_at_the_edges_too(element, shape, seed):
    rng = np.random.default_rng(seed)
    while True:
        kernel, stride, padding, _ = sizes(rng)
        if all(size + padding[k] + padding[k + 2] >= kernel[k] for k, size in
               enumerate(shape[:2])):
            break
    groups = int(rng.choice([1, shape[2]]))
    inner = shape[2] // groups
    weights = rng.integers(-9, 10, (4, inner * kernel[0] * kernel[1]))
    net = network(
        Affine("scale", ("input",), rng.integers(-2, 3, shape[2]), rng.integers(-9, 9, shape[2])),
        conv(weights, kernel, inputs=("scale",), stride=stride, padding=padding,
             pad_value=int(rng.integers(-30, 31)), groups=groups),
        element=element, shape=shape)
    ranges_hold(net)
    tensor = net.tensors["a"]
    assert tensor.element == smallest(int(tensor.lo.min()), int(tensor.hi.max()))


def test_a_pad_value_without_padding_changes_nothing():
    net = network(conv([[1, 2 ** 30]], (1, 1), pad_value=-2 ** 31))
    assert (net.tensors["a"].lo.tolist(), net.tensors["a"].hi.tolist()) == ([0], [3 + 3 * 2 ** 30])


def test_a_flat_image_keeps_the_range_of_each_channel():
    net = network(Affine("scale", ("input",), np.array([1, -2]), np.array([0, 5])),
                  Flatten("a", ("scale",)), element=UInt(1))
    ranges_hold(net)
    assert (net.tensors["a"].lo.tolist(), net.tensors["a"].hi.tolist()) == ([0, 3] * 6, [1, 5] * 6)


@pytest.mark.parametrize("layer, shapes", [
    (MaxPool("a", ("input",), (2, 1), (1, 1), (1, 0, 1, 0)), "uint1[4, 2, 2]"),
    (MaxPool("a", ("input",), (3, 2), (1, 1)), "uint1[1, 1, 2]"),
    (SumPool("a", ("input",), (2, 2), (1, 1)), "uint3[2, 1, 2]"),
    (SumPool("a", ("input",), (2, 2), (3, 3), (1, 1, 0, 1)), "uint1[1, 1, 2]"),
    (SumPool("a", ("input",), (5, 1), (1, 2), (2, 0, 2, 0)), "uint2[3, 1, 2]"),
    (Add("a", ("input", "input", "input")), "uint2[3, 2, 2]"),
    (Concat("a", ("input", "input")), "uint1[3, 2, 4]"),
    (Flatten("a", ("input",)), "uint1[12]"),
    (Select("a", ("input",), np.array([1, 0, 1])), "uint1[3, 2, 3]"),
], ids=lambda layer: type(layer).__name__)
def test_shapes_and_exact_ranges(layer, shapes):
    net = network(layer, element=UInt(1))
    assert str(net.tensors["a"]) == shapes
    ranges_hold(net)


@pytest.mark.parametrize("element", [Bipolar(), Ternary(), Int(2), Pow2(1), Levels((7,)),
                                     Levels((-9, 3)), Planes((1, 2))], ids=str)
def test_ranges_of_every_element(element):
    net = network(MaxPool("max", ("input",), (2, 1), (1, 1), (1, 0, 0, 0)),
                  SumPool("sum", ("input",), (2, 2), (1, 1), (1, 1, 0, 0)),
                  Affine("affine", ("input",), np.array([2]), np.array([1])),
                  Add("add", ("affine", "affine")),
                  Flatten("flat", ("affine",)), element=element, shape=(2, 2, 1))
    ranges_hold(net)
    assert net.tensors["max"].element == element


@pytest.mark.parametrize("padding, lo, hi", [
    ((0, 0, 0, 0), 4, 12), ((1, 0, 0, 0), 2, 12), ((1, 1, 1, 1), 1, 12)])
def test_windows_at_the_edges_sum_fewer_pixels(padding, lo, hi):
    net = network(Affine("one", ("input",), np.array([1]), np.array([1])),
                  SumPool("a", ("one",), (2, 2), (1, 1), padding), element=UInt(1), shape=(3, 3, 1))
    ranges_hold(net)
    assert (net.tensors["a"].lo.tolist(), net.tensors["a"].hi.tolist()) == ([lo], [8])
    wide = network(Affine("one", ("input",), np.array([2]), np.array([1])),
                   SumPool("a", ("one",), (2, 2), (1, 1), padding), element=UInt(1),
                   shape=(3, 3, 1))
    assert wide.tensors["a"].hi.tolist() == [hi]


def test_ranges_of_what_depends_on_each_other_are_bounds():
    net = network(Affine("negative", ("input",), np.array([-1, 1]), np.array([0, 0])),
                  Add("a", ("input", "negative")), element=UInt(2), shape=(1, 1, 2))
    ranges_hold(net, exact=False)
    assert (net.tensors["a"].lo.tolist(), net.tensors["a"].hi.tolist()) == ([-3, 0], [3, 6])


@pytest.mark.parametrize("elements, expected", [
    ((UInt(2), UInt(2)), UInt(2)), ((Levels((4, 2)), Levels((4, 2))), Levels((4, 2))),
    ((UInt(3), UInt(1)), UInt(3)), ((Bipolar(), Ternary()), Int(2)), ((UInt(3), Int(2)), Int(4)),
    ((Pow2(3), Bipolar()), Int(4)), ((UInt(1), UInt(1), UInt(4)), UInt(4))], ids=str)
def test_concat_takes_the_common_element_or_the_smallest(elements, expected):
    tensors = [Tensor.full(kind, (1, 2, 3)) for kind in elements]
    joined = Concat("a", ()).infer(*tensors)
    assert (joined.element, joined.shape) == (expected, (1, 2, 3 * len(elements)))
    assert joined.lo.tolist() == [kind.lo for kind in elements for _ in range(3)]
    assert joined.hi.tolist() == [kind.hi for kind in elements for _ in range(3)]


PER_CHANNEL = [
    Select("a", ("input",), np.array([1, 0, 1])),
    Affine("a", ("input",), np.array([1, -2]), np.array([0, 5])),
    Threshold("a", ("input",), np.array([[1], [3]]), np.array([False, True]), Bipolar()),
    Threshold("a", ("input",), np.array([[1, 2], [0, 3]]), np.array([False, True]), Ternary()),
    Lookup("a", ("input",), np.array([[5, 6, 7, -8], [0, 1, 2, 3]])),
    Lookup("a", ("input",), np.array([[5, 6, 7, -8]])),
    Requantize("a", ("input",), np.array([2 ** 30, 2 ** 29]), np.array([1, 2]), 3, UInt(4)),
    ResidualBinarize("a", ("input",), np.array([[1, 2], [3, 1]]), np.array([1, 0]),
                     np.array([False, True]), Planes((1, 2))),
]


@pytest.mark.parametrize("layer", PER_CHANNEL, ids=lambda layer: type(layer).__name__)
def test_layers_of_vectors_treat_each_pixel_alike(layer):
    x = np.random.default_rng(0).integers(0, 4, (5, 3, 2, 2))
    images, vectors = network(layer), network(layer, shape=(2,))
    ours, theirs = images.tensors["a"], vectors.tensors["a"]
    assert (ours.element, ours.shape) == (theirs.element, (3, 2, theirs.channels))
    assert (ours.lo.tolist(), ours.hi.tolist()) == (theirs.lo.tolist(), theirs.hi.tolist())
    np.testing.assert_array_equal(images.run(x), vectors.run(x.reshape(-1, 2)).reshape(
        5, 3, 2, -1))


# Networks: a residual one, with two joins and a concatenation.

def residual(seed=0, **changes):
    rng = np.random.default_rng(seed)

    def weights(rows, columns):
        return (bipolar(rng.choice([-1, 1], (rows, columns))),)

    def sign(name, source, channels):
        return Threshold(name, (source,), rng.integers(-9, 9, (channels, 1)),
                         rng.random(channels) < 0.5, Bipolar())

    part = {"kernel": (3, 3), "stride": (1, 2), "padding": (1, 1, 1, 1), "pad_value": -1,
            "groups": 2, "pool": (2, 2), "pool_stride": (2, 1), "pool_padding": (0, 1, 1, 0),
            "first": "sign1", "shape": (6, 7, 3), "pool_type": MaxPool} | changes
    return Network("residual", Tensor.full(Int(4), part["shape"]), (
        Conv2d("conv1", ("input",), weights(4, 27), part["kernel"], part["stride"],
               part["padding"], part["pad_value"]),
        sign("sign1", "conv1", 4),
        Conv2d("conv2", ("sign1",), weights(4, 18), (3, 3), padding=(1, 1, 1, 1),
               groups=part["groups"]),
        Add("join1", ("conv2", part["first"])),
        sign("sign2", "join1", 4),
        Conv2d("conv3", ("sign2",), weights(4, 4), (1, 1)),
        Add("join2", ("conv3", "join1", "sign2")),
        part["pool_type"]("pool", ("join2",), part["pool"], part["pool_stride"],
                          part["pool_padding"]),
        MaxPool("narrow", ("sign1",), (2, 2), (2, 1), (0, 1, 1, 0)),
        Concat("both", ("pool", "narrow", "narrow")),
        SumPool("mean", ("both",), (3, 4), (3, 4)),
        Flatten("flat", ("mean",)),
        Dense("logits", ("flat",), weights(5, 12)),
        ArgMax("class", ("logits",))), tuple("abcde"))


def composed(net, x):
    """What a residual network computes, by PyTorch."""
    layers = {layer.name: layer for layer in net.layers}

    def convolve(name, x, padding, value, **options):
        layer = layers[name]
        rows, columns = layer.weights.shape
        kernel = torch.from_numpy(layer.weights.astype(float)).reshape(rows, *layer.kernel, -1)
        return functional.conv2d(pad(x, padding, value), kernel.permute(0, 3, 1, 2), **options)

    def sign(name, x):
        layer = layers[name]
        up = x >= torch.from_numpy(layer.thresholds)[:, :, None]
        return (up ^ torch.from_numpy(layer.flip)[:, None, None]).double() * 2 - 1

    def pool(x):
        return functional.max_pool2d(pad(x, (0, 1, 1, 0), -99), (2, 2), (2, 1))

    made = {"input": to_torch(x)}
    made["conv1"] = convolve("conv1", made["input"], (1, 1, 1, 1), -1, stride=(1, 2))
    made["sign1"] = sign("sign1", made["conv1"])
    made["conv2"] = convolve("conv2", made["sign1"], (1, 1, 1, 1), 0, groups=2)
    made["join1"] = made["conv2"] + made["sign1"]
    made["sign2"] = sign("sign2", made["join1"])
    made["conv3"] = convolve("conv3", made["sign2"], (0, 0, 0, 0), 0)
    made["join2"] = made["conv3"] + made["join1"] + made["sign2"]
    made["pool"], made["narrow"] = pool(made["join2"]), pool(made["sign1"])
    made["both"] = torch.cat([made["pool"], made["narrow"], made["narrow"]], dim=1)
    made["mean"] = made["both"].sum(dim=(2, 3), keepdim=True)
    made = {name: from_torch(tensor) for name, tensor in made.items()}
    made["flat"] = made["mean"].reshape(len(x), 12)
    made["logits"] = made["flat"] @ layers["logits"].weights.T
    made["class"] = made["logits"].argmax(axis=1)[:, None]
    return made


NETWORK = residual()


@pytest.mark.parametrize("frames", [0, 1, 7, 501])
@pytest.mark.parametrize("values", [1, 2500, 2 ** 24])
def test_a_residual_network_equals_pytorch(frames, values, monkeypatch, tmp_path):
    monkeypatch.setattr(network_module, "VALUES", values)
    x = np.random.default_rng(frames).integers(-8, 8, (frames, 6, 7, 3))
    NETWORK.save(tmp_path / "net.npz")
    found = Network.load(tmp_path / "net.npz")
    assert (found.digest, str(found.tensors)) == (NETWORK.digest, str(NETWORK.tensors))
    traced, expected = found.run(x, trace=True), composed(NETWORK, x)
    assert list(traced) == list(NETWORK.tensors) and len(traced) == len(expected)
    for name, tensor in found.tensors.items():
        np.testing.assert_array_equal(traced[name], expected[name])
        assert traced[name].shape == (frames, *tensor.shape)
        assert (tensor.lo <= traced[name]).all() and (traced[name] <= tensor.hi).all()
    np.testing.assert_array_equal(NETWORK.run(x), expected["class"])


def test_the_frames_of_large_tensors_run_a_few_at_a_time(monkeypatch):
    seen = []
    monkeypatch.setattr(Flatten, "run", lambda self, x: seen.append(len(x)) or golden.flatten(x))
    monkeypatch.setattr(network_module, "VALUES", 100)
    net = network(Flatten("a", ("input",)))
    net.run(np.zeros((9, 12), int))
    assert seen == [4, 4, 1]


def test_digest_changes_with_every_part():
    nets = [NETWORK, residual(pad_value=0),
            residual(padding=(0, 1, 2, 1)), residual(pool_padding=(0, 0, 1, 1)),
            residual(first="conv2"), residual(pool_type=SumPool),
            residual(shape=(6, 8, 3)), residual(seed=1)]
    merged = replace(NETWORK.layers[2], planes=(plane(np.ones((4, 18), int)),))
    for groups, columns in ((1, 36), (2, 18), (4, 9)):
        layer = replace(merged, groups=groups, planes=(plane(np.ones((4, columns), int)),))
        nets.append(replace(NETWORK, layers=(*NETWORK.layers[:2], layer, *NETWORK.layers[3:])))
    for kernel in ((1, 2), (2, 1)):
        nets.append(network(conv([[1, 1, 1, 1]], kernel)))
        nets.append(network(conv([[1, 1]], (1, 1), stride=kernel)))
        nets.append(network(MaxPool("a", ("input",), kernel, (1, 1))))
        nets.append(network(MaxPool("a", ("input",), (1, 1), kernel)))
    nets += [network(Concat("a", ("input", "input"))), network(Add("a", ("input", "input"))),
             network(Flatten("a", ("input",)))]
    assert len({net.digest for net in nets}) == len(nets)


def test_digest_is_stable_over_versions():
    assert NETWORK.digest == (
        "53db85503e8b0277853a1c5c5c96f14d9e99ea93c781f0eba09190134ba3f0ab")


# What is refused.

ONE = np.array([[1, 1]])


@pytest.mark.parametrize("layer, message", [
    (conv(ONE, (4, 1)), "its kernel has 4 rows, but its padded input only 3"),
    (conv(ONE, (1, 5), padding=(0, 1, 0, 1)),
     "its kernel has 5 columns, but its padded input only 4"),
    (MaxPool("a", ("input",), (2, 3), (1, 1)),
     "its kernel has 3 columns, but its padded input only 2"),
    (conv(ONE, (2, 1), padding=(0, 0, 2, 0)),
     ("its kernel has 2 rows, but its padding 2, so that some windows would be nothing but "
      "padding; pad by less")),
    (SumPool("a", ("input",), (2, 1), (1, 1), (0, 1, 0, 0)),
     ("its kernel has 1 columns, but its padding 1, so that some windows would be nothing but "
      "padding; pad by less")),
    (conv(ONE, (1, 1), groups=3),
     "its groups must divide the channels that it reads and gives, but 3 does not divide 2 and 1"),
    (conv(ONE, (1, 1), groups=2),
     "its groups must divide the channels that it reads and gives, but 2 does not divide 2 and 1"),
    (conv(ONE, (1, 1), groups=0), "groups must be a positive integer, not 0"),
    (conv(ONE, (1, 1), groups=True), "groups must be a positive integer, not True"),
    (conv([[1, 1, 1]], (2, 1)), "its weights have 3 columns, but a window has 2 × 1 × 2 values"),
    (conv(np.ones((2, 2), int), (1, 1), groups=2),
     "its weights have 2 columns, but a window has 1 × 1 × 1 values"),
    (conv(ONE, (1, 1), pad_value=2 ** 31),
     "pad_value must be an integer of 32 bits, not 2147483648"),
    (conv(ONE, (1, 1), pad_value=1.0), "pad_value must be an integer of 32 bits, not 1.0"),
    (conv(ONE, (1,)), "kernel must be 2 integers of 1 to 2^20, not (1,)"),
    (conv(ONE, (1, 0)), "kernel must be 2 integers of 1 to 2^20, not (1, 0)"),
    (conv(ONE, [1, 1]), "kernel must be 2 integers of 1 to 2^20, not [1, 1]"),
    (conv(ONE, 1), "kernel must be 2 integers of 1 to 2^20, not 1"),
    (conv(ONE, (1, True)), "kernel must be 2 integers of 1 to 2^20, not (1, True)"),
    (conv(ONE, (1, 1), stride=(0, 1)), "stride must be 2 integers of 1 to 2^20, not (0, 1)"),
    (MaxPool("a", ("input",), (1, 1), (1, 2 ** 20 + 1)),
     "stride must be 2 integers of 1 to 2^20, not (1, 1048577)"),
    (conv(ONE, (1, 1), padding=(0, 0)), "padding must be 4 integers of 0 to 2^20, not (0, 0)"),
    (conv(ONE, (1, 1), padding=(0, 0, -1, 0)),
     "padding must be 4 integers of 0 to 2^20, not (0, 0, -1, 0)"),
    (Conv2d("a", ("input",), (plane(ONE), plane([[1, 1, 1]])), (1, 1)),
     "its planes must have one shape, not [(1, 2), (1, 3)]"),
    (Conv2d("a", ("input",), (plane(ONE, [2 ** 31]),), (1, 1)),
     "a plane's coefficients have 32 bits, but that of row 0 is 2147483648"),
    (Add("a", ("input",)), "a Add reads two or more layers, not 1"),
    (Concat("a", ()), "a Concat reads two or more layers, not 0"),
    (Flatten("a", ("input", "input")), "a Flatten reads one layer, not 2"),
    (conv(ONE, (1, 1), inputs=("input", "input")), "a Conv2d reads one layer, not 2"),
    (Add("a", ("input", "b")), "it reads 'b', which is no earlier layer"),
    (Add("a", ("a", "input")), "it reads 'a', which is no earlier layer"),
    (Dense("a", ("input",), (plane(ONE),)),
     "it reads one axis, but its input is uint2[3, 2, 2]; flatten it first"),
    (XnorNetDense("a", ("input",), (plane(ONE),)),
     "it reads one axis, but its input is uint2[3, 2, 2]; flatten it first"),
    (ArgMax("a", ("input",)),
     "it reads one axis, but its input is uint2[3, 2, 2]; flatten it first"),
])
def test_what_is_wrong_with_a_layer_is_said(layer, message):
    with pytest.raises(NetworkError, match=f"^{re.escape('layer a: ' + message)}$"):
        network(layer)


@pytest.mark.parametrize("layer", [
    conv([[1]], (1, 1)), MaxPool("a", ("input",), (1, 1), (1, 1)),
    SumPool("a", ("input",), (1, 1), (1, 1)), Flatten("a", ("input",))],
    ids=lambda layer: type(layer).__name__)
def test_layers_of_images_refuse_vectors(layer):
    with pytest.raises(NetworkError, match=r"^layer a: it reads height, width and channels, but "
                                           r"its input is uint2\[2\]$"):
        network(layer, shape=(2,))


def test_sums_with_what_is_padded_are_exact_or_refused():
    def padded(weight, pad_value):
        return network(conv([[weight, 0]], (1, 2), padding=(0, 1, 0, 0), pad_value=pad_value),
                       shape=(1, 1, 1))
    net = padded(2 ** 22 - 1, -2 ** 31)
    assert net.run(np.array([[3]])).tolist() == [[[[2 ** 31 - 2 ** 53]]]]
    assert net.tensors["a"].lo.tolist() == net.tensors["a"].hi.tolist() == [2 ** 31 - 2 ** 53]
    with pytest.raises(NetworkError, match=rf"^layer a: its sums may reach {2 ** 53}, beyond the "
                                           r"exact 2\*\*53$"):
        padded(2 ** 22, -2 ** 31)


def test_joins_refuse_what_is_not_alike():
    a, b = Tensor.full(UInt(2), (2, 3, 4)), Tensor.full(UInt(2), (2, 2, 4))
    c, d = Tensor.full(UInt(2), (24,)), Tensor.full(Levels((0, 5)), (2, 3, 1))
    e, f = Tensor.full(Levels((5, 0)), (2, 3, 1)), Tensor.full(Planes((1,)), (2, 3, 1))
    for xs, message in (((a, b), "uint2[2, 3, 4] and uint2[2, 2, 4]"),
                        ((a, a, c), "uint2[2, 3, 4] and uint2[24]")):
        with pytest.raises(ValueError, match=re.escape(f"what it adds must have one shape, not "
                                                       f"{message}")):
            Add("a", ()).infer(*xs)
        with pytest.raises(ValueError, match=re.escape("what it joins must be alike but in "
                                                       f"channels, not {message}")):
            Concat("a", ()).infer(*xs)
    for xs in ((a, d), (d, a), (d, e), (d, f), (a, a, f)):
        with pytest.raises(ValueError, match=re.escape(
                f"it cannot join {xs[0].element} and {xs[-1].element}, whose codes differ; make "
                f"both one element by a Lookup")):
            Concat("a", ()).infer(*xs)


def test_sums_of_more_than_62_bits_are_refused():
    x = Tensor.full(Int(62), (1, 1, 1))
    half = Tensor(Int(62), (1, 1, 1), np.array([1 - 2 ** 60]), np.array([0]))
    for layer, xs in ((Add("a", ()), (half, half, Tensor.full(Int(2), (1, 1, 1)))),
                      (SumPool("a", (), (1, 1), (1, 1)), (x,)),
                      (SumPool("a", (), (2, 1), (1, 1), (1, 0, 1, 0)),
                       (Tensor(Int(62), (2, 1, 1), np.array([0]), np.array([2 ** 60])),))):
        with pytest.raises(ValueError, match=rf"^its sums may reach {2 ** 61}, beyond the 62 bits "
                                             r"of an element$"):
            layer.infer(*xs)
    assert Add("a", ()).infer(half, half).lo.tolist() == [2 - 2 ** 61]


def test_a_convolution_makes_no_larger_image_than_a_tensor_may_be():
    layer = conv(np.ones((5, 1), int), (1, 1))
    with pytest.raises(ValueError, match=r"^its output has 1024 × 4096 × 5 elements; a tensor has "
                                         r"no more than 2\^24, and 2\^20 channels$"):
        layer.infer(Tensor.full(UInt(1), (2 ** 10, 2 ** 12, 1)))


def test_images_in_another_order_are_refused():
    net = network(Flatten("a", ("input",)), shape=(4, 3, 2))
    x = np.arange(24).reshape(1, 4, 3, 2) % 4
    for same in (x, x.reshape(1, 24), x.reshape(1, 12, 2)):
        assert net.run(same).tolist() == x.reshape(1, 24).tolist()
    with pytest.raises(ValueError, match=r"^network net reads frames of uint2\[4, 3, 2\], not an "
                                         r"array of shape \(1, 2, 4, 3\)$"):
        net.run(x.transpose(0, 3, 1, 2))


# Files.

@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A path, and the header and arrays of the network's file."""
    path = tmp_path_factory.mktemp("file") / "net.npz"
    NETWORK.save(path)
    return path, *npz.read(path)


def test_every_key_of_a_layer_must_be_there(stored):
    path, header, members = stored
    for index, layer in enumerate(header["layers"]):
        for key in layer:
            changed = copy.deepcopy(header)
            del changed["layers"][index][key]
            npz.write(path.with_name("other.npz"), changed, members)
            with pytest.raises(NetworkError, match=f"other.npz: layer .*: '{key}' must be given"):
                Network.load(path.with_name("other.npz"))


ANYTHING = [None, True, 0, -1, 1, 2, 1.5, 10 ** 40, "", "input", "Add", "Conv2d", "MaxPool",
            "Concat", "Flatten", [], {}, ["sign1"], ["input", "sign1"], ["conv2", "conv2"], [1, 1],
            [2, 2], [10 ** 40] * 2, [10 ** 40] * 4, [2 ** 20] * 2, [2 ** 20 - 1] * 4, [0] * 4,
            [1, 0, 0, 1], [1.0, 1], [True, True], [[1], [1]], [-1, 1, 1, 1]]


@pytest.mark.parametrize("value", ANYTHING, ids=str)
def test_every_place_of_a_layer_may_hold_anything(stored, monkeypatch, value):
    _, header, members = stored
    x = np.random.default_rng(0).integers(-8, 8, (2, 6, 7, 3))
    for index, layer in enumerate(header["layers"]):
        for key in layer:
            changed = copy.deepcopy(header)
            changed["layers"][index][key] = value
            monkeypatch.setattr(npz, "read", lambda path, read=(changed, dict(members)): read)
            try:
                net = Network.load("net.npz")
            except NetworkError as error:
                assert "\n" not in str(error) and len(str(error)) < 300
                continue
            for name, values in net.run(x, trace=True).items():
                tensor = net.tensors[name]
                assert (tensor.lo <= values).all() and (values <= tensor.hi).all()


@pytest.mark.parametrize("key, value, message", [
    ("kernel", 3, "'kernel' must be given as a list"),
    ("kernel", [3, 3.0], "'kernel' must be a list of integers"),
    ("kernel", [True, 3], "'kernel' must be a list of integers"),
    ("kernel", [3], "kernel must be 2 integers of 1 to 2^20, not (3,)"),
    ("stride", [1, None], "'stride' must be a list of integers"),
    ("padding", ["1"] * 4, "'padding' must be a list of integers"),
    ("padding", [10 ** 99] * 4, f"padding must be 4 integers of 0 to 2^20, not (1{'0' * 78}"),
    ("pad_value", None, "'pad_value' must be given as a int"),
    ("pad_value", False, "pad_value must be an integer of 32 bits, not False"),
    ("groups", "1", "'groups' must be given as a int"),
    ("groups", True, "groups must be a positive integer, not True"),
    ("planes", [], "its planes must have one shape, not []"),
])
def test_what_is_wrong_with_a_convolution_is_said(stored, key, value, message):
    path, header, members = stored
    header = copy.deepcopy(header)
    header["layers"][0][key] = value
    npz.write(path.with_name("other.npz"), header, members)
    with pytest.raises(NetworkError, match=f"other.npz: layer conv1: {re.escape(message)}$"):
        Network.load(path.with_name("other.npz"))


GROW = {"type": "MaxPool", "kernel": [2 ** 20, 1], "stride": [1, 1],
        "padding": [2 ** 20 - 1, 0] * 2}


@pytest.mark.parametrize("shape, layers, message", [
    ([2 ** 20] * 3, [{"type": "Flatten"}], rf"layer a0: its output has {2 ** 60} elements"),
    ([2 ** 10] * 3, [{"type": "Flatten"}], rf"layer a0: its output has {2 ** 30} elements"),
    ([2 ** 20, 14, 1], [GROW], rf"layer a0: its padded input has {3 * 2 ** 20 - 2} × 14 × 1 elem"),
    ([2 ** 20, 1, 1], [GROW] * 20, r"layer a9: with it the tensors of a frame have \d+ elements"),
    ([1, 1, 2 ** 20], [{"type": "Concat", "inputs": ["input"] * 2}],
     rf"layer a0: its output has 1 × 1 × {2 ** 21} elements"),
    ([2 ** 7] * 3, [{"type": "Add", "inputs": ["input"] * 2}] * 40,
     rf"layer a31: with it the tensors of a frame have {33 * 2 ** 21} elements, more than"),
    ([2 ** 20, 1, 1], [{"type": "Flatten"}] * 100,
     rf"layer a63: with it the tensors of a frame have {65 * 2 ** 20} elements, more than"),
])
def test_a_small_file_makes_no_large_network(tmp_path, shape, layers, message):
    header = {"format": "bitwright network", "schema": 1, "name": "net", "labels": [],
              "provenance": {}, "input": {"element": "uint1", "shape": shape}}
    header["layers"] = [{"name": f"a{k}", "inputs": ["input" if k == 0 or "padding" not in layer
                                                     else f"a{k - 1}"]} | layer
                        for k, layer in enumerate(layers)]
    npz.write(tmp_path / "net.npz", header, {})
    tracemalloc.start()
    try:
        with pytest.raises(NetworkError, match=message):
            Network.load(tmp_path / "net.npz")
        assert tracemalloc.get_traced_memory()[1] < 1.2 * 2 ** 30
    finally:
        tracemalloc.stop()
