"""Networks with branches: sums, differences, concatenations and selections of channels."""
import re

import numpy as np
import pytest

from sw.importers.onnx_file import ModelError
from sw.importers.qonnx import load
from sw.network import Add, Affine, Conv2d, Dense, Select
from tests.sw.importers.cnn_models import Net, exported, same
from tests.sw.importers.models import GENERAL, types


def refused(net, output, folder, message, **options):
    """Assert that the import of the graph that ends in ``output`` is refused with ``message``."""
    with pytest.raises(ModelError, match=re.escape(message)):
        net.load(folder, output, **options)


def layers(imported, kind):
    return [layer for layer in imported.network.layers if isinstance(layer, kind)]


def branches(net, scales=(0.25, 0.25), channels=3):
    """Two quantized branches behind a quantized input of 2 channels."""
    x = net.quant("x")
    return [net.relu(net("Mul", net.conv(x, 2, channels, (1, 1)), 4 * scale), scale)
            for scale in scales]


def test_a_brevitas_residual_network(tmp_path):
    torch = pytest.importorskip("torch")
    b = pytest.importorskip("brevitas.nn")
    torch.manual_seed(0)

    class Block(torch.nn.Module):
        def __init__(self, inputs, outputs, shared):
            super().__init__()
            self.conv = b.QuantConv2d(inputs, outputs, 3, padding=1, bias=False,
                                      weight_bit_width=3)
            self.norm = torch.nn.BatchNorm2d(outputs)
            torch.nn.init.uniform_(self.norm.weight, -2, 2)
            self.shortcut = torch.nn.Identity() if inputs == outputs else b.QuantConv2d(
                inputs, outputs, 1, bias=True, weight_bit_width=3)
            self.shared = shared        # one quantizer, so that both branches have its scale
            self.relu = b.QuantReLU(bit_width=3)

        def forward(self, x):
            return self.relu(self.shared(self.norm(self.conv(x))) + self.shared(self.shortcut(x)))

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            shared = b.QuantIdentity(bit_width=4, return_quant_tensor=True)
            self.input = b.QuantIdentity(bit_width=4)
            self.blocks = torch.nn.Sequential(Block(2, 2, shared), Block(2, 3, shared))
            self.head = b.QuantLinear(3 * 16, 3, bias=True, weight_bit_width=3)

        def forward(self, x):
            return self.head(self.blocks(self.input(x)).flatten(1))

    imported = same(load(exported(Net(), (1, 2, 4, 4), tmp_path, dynamo=False),
                         input="codes"))
    assert len(layers(imported, Add)) == 2 and len(layers(imported, Conv2d)) == 3


@pytest.mark.parametrize("op", ["Add", "Sub", "Sum"])
@pytest.mark.parametrize("scales, affine", [((0.25, 0.25), []), ((0.25, 0.75), [3]),
                                            ((0.5, 0.3125), [8, 5]), ((0.1, 0.3), [3]),
                                            ((32.0, 0.25), [128]), ((2.0 ** -12, 2.0), [8192])])
def test_joins_of_two_scales(tmp_path, op, scales, affine):
    net = Net(1, 2, 3, 3)
    x = net(op, *branches(net, scales), name="join")
    imported = net.same(tmp_path, net.unlike(net.head(x, 27)), input="codes")
    add, = layers(imported, Add)
    assert add.name == "join"
    factors = [int(layer.coefficients[0]) for layer in imported.network.layers
               if layer.name in add.inputs and isinstance(layer, Affine)]
    sign = -1 if op == "Sub" else 1
    expected = list(affine)
    if sign < 0:
        expected = (expected or [1])[:-1] + [-(expected or [1])[-1]] if scales[0] < scales[1] or (
            len(affine) != 1) else [-1, *expected]
    assert sorted(factors) == sorted(expected)


def test_a_join_of_accumulators_channel_by_channel(tmp_path):
    net = Net(1, 2, 3, 3)
    x = net.quant("x")
    scale = np.array([1, 2, 0.5], np.float32).reshape(3, 1, 1, 1)
    w = [net.rng.integers(-3, 4, (3, 2, 2, 2)).astype(np.float32) * 0.125 for _ in range(2)]
    for each in w:
        each[:, 0, 0, 0], each[:, 1, 0, 0] = 0.375, 0.25
    x = net("Add", net("Conv", x, w[0], net.bias(3)), net("Conv", x, w[1] * scale))
    imported = net.same(tmp_path, net.head(net.relu(x), 12), input="codes")
    assert types(imported) == "Conv2d Conv2d Affine Affine Add Threshold Flatten Dense ArgMax"


@pytest.mark.parametrize("scales", [(0.25, 0.25 * np.pi), (0.25, 0.25 * (1 + 1e-4)),
                                    (2.0 ** -20, 1.0)])
@pytest.mark.parametrize("op", ["Add", "Sub"])
def test_joins_of_unlike_scales_are_refused(tmp_path, scales, op):
    net = Net(1, 2, 3, 3)
    x = net(op, *branches(net, scales), name="join")
    refused(net, net.head(x, 27), tmp_path,
            f"node join ({op}) joins tensors of the scales {scales[0]:.6g} and "
            f"{np.float32(scales[1]):.6g}, of which neither is a small multiple")


def test_a_join_of_three(tmp_path):
    net = Net(1, 2, 3, 3)
    a, b = branches(net, (0.5, 0.75))
    c = net.relu(net.conv(a, 3, 3, (1, 1)), 0.125)
    imported = net.same(tmp_path, net.head(net.relu(net("Sum", a, b, c)), 27), input="codes")
    add, = layers(imported, Add)
    assert len(add.inputs) == 3
    assert sorted(int(layer.coefficients[0]) for layer in layers(imported, Affine)) == [4, 6]


def test_a_sum_of_one_is_gone(tmp_path):
    net = Net(1, 2, 3, 3)
    x = net("Concat", net("Sum", net.quant("x")), axis=1)
    net.same(tmp_path, net.head(x, 18), "Dense ArgMax", input="codes")


@pytest.mark.parametrize("raw", [True, False], ids=["pixels", "codes"])
def test_a_join_with_the_input(tmp_path, raw):
    net = Net(1, 2, 4, 4)
    x = "x" if raw else net.quant("x")
    y = net("Add", x, net.conv(x, 2, 2, pads=[1, 1, 1, 1]))
    options = {"pixel": (1 / 256, 0.0)} if raw else {"input": "codes"}
    net.same(tmp_path, net.head(net.relu(y), 32),
             "Conv2d Affine Add Threshold Flatten Dense ArgMax", **options)


@pytest.mark.parametrize("quantized", [True, False])
def test_a_tensor_that_two_read(tmp_path, quantized):
    net = Net(1, 2, 4, 4)
    x = net.conv(net.quant("x"), 2, 3, pads=[1, 1, 1, 1])
    x = net.relu(x) if quantized else x
    y = net("Add", net.conv(net.quant(x, 0.5, 3), 3, 3, (1, 1)), x)
    y = net("Sub", net.quant(y), net.quant(net("Neg", x)))
    net.same(tmp_path, net.head(net.relu(y), 48), input="codes")


def test_a_join_of_a_tensor_with_a_function_of_it_is_one_function(tmp_path):
    net = Net(1, 2, 4, 4)
    x = net.conv(net.quant("x"), 2, 3)
    x = net.quant(net("Add", x, net("Relu", net("Mul", x, -0.5))), 0.5)
    net.same(tmp_path, net.head(x, 12), "Conv2d Threshold Flatten Dense ArgMax", input="codes")


def test_joins_of_vectors_and_of_integers(tmp_path):
    net = Net(1, 6)
    x = net.quant("x")
    a, b = (net("MatMul", x, net.weights(6, 5)) for _ in range(2))
    x = net.relu(net("Add", a, b), 0.5)
    imported = net.same(tmp_path, net("MatMul", x, net.weights(5, 3)),
                        "Dense Dense Add Threshold Dense ArgMax")
    assert len(layers(imported, Dense)) == 3
    net = Net(1, 2, 3, 3, dtype=np.int8)
    a, b = (net("ConvInteger", "x", net.rng.integers(-3, 4, (3, 2, 2, 2)).astype(np.int8))
            for _ in range(2))
    x = net("Mul", net("Cast", net("Add", a, b), to=1), 1 / 64)
    net.same(tmp_path, net.head(net.relu(x, 1.0), 12),
             "Conv2d Conv2d Add Threshold Flatten Dense ArgMax")


def test_layers_that_the_output_does_not_depend_on_are_left_out(tmp_path):
    net = Net(1, 2, 4, 4)
    x = net.relu(net.conv(net.quant("x"), 2, 3))
    dead = net.conv(x, 3, 4, (1, 1))
    net("LRN", dead, size=3)
    shape = net("Shape", net.conv(x, 3, 5, (1, 1)))
    y = net("Reshape", x, net("Concat", net("Slice", shape, np.array([0]), np.array([1])),
                              np.array([-1]), axis=0))
    imported = net.same(tmp_path, net("MatMul", y, net.weights(12, 3)),
                        "Conv2d Threshold Flatten Dense ArgMax", input="codes")
    became = {node.op: text for node, text in imported.nodes}
    assert became["LRN"] == "not used by the output"


def test_names_of_layers_beside_others_are_their_own(tmp_path):
    net = Net(1, 2, 4, 4)
    x = net.quant(net.conv(net.quant("x"), 2, 3, (1, 1), name="join_b"), 0.25, 4)
    x = net.quant(net.conv(x, 3, 3, (1, 1), name="pool_sign"), 0.25)
    y = net("Neg", net.conv(x, 3, 3, (1, 1)))
    y = net.quant(net("MaxPool", y, kernel_shape=[1, 1], name="pool"), 0.5)
    x = net("Sub", x, net("MaxPool", y, kernel_shape=[1, 1], name="pool/"), name="join")
    imported = net.same(tmp_path, net.head(x, 48), input="codes")
    assert {"join_b", "join_b_2", "pool_sign", "pool_sign_2", "pool", "pool_2"} <= set(
        imported.network.tensors)


@pytest.mark.parametrize("op, message", [
    ("Mul", "joins two branches of the network; of such joins hardware has Add, Sub and Concat"),
    ("Max", "node join (Max) joins two branches of the network")])
def test_other_joins_are_refused(tmp_path, op, message):
    net = Net(1, 2, 3, 3)
    refused(net, net(op, *branches(net), name="join"), tmp_path, message)


def test_joins_of_other_shapes_are_refused(tmp_path):
    net = Net(1, 2, 3, 3)
    a, b = branches(net)
    message = "node join (Add) adds tensors of shapes (1, 3, 3, 3) and"
    refused(net, net("Add", a, net("GlobalAveragePool", b), name="join"), tmp_path,
            f"{message} (1, 3, 1, 1)")
    net = Net(1, 2, 3, 3)
    a, b = branches(net)
    refused(net, net("Add", a, net("Transpose", b, perm=[0, 1, 3, 2]), name="join"), tmp_path,
            f"{message} (1, 3, 3, 3); hardware adds tensors of one shape and order")


# Channels.

@pytest.mark.parametrize("scales, per_channel", [((0.25, 0.25), False), ((0.25, 0.125), True)])
def test_concatenations_of_images(tmp_path, scales, per_channel):
    net = Net(1, 2, 4, 4)
    x = net("Concat", *branches(net, scales), axis=1)
    x = net.relu(net.conv(x, 6, 4, (2, 2)))
    imported = net.same(tmp_path, net.head(x, 36),
                        "Conv2d Conv2d Threshold Threshold Concat Conv2d Threshold Flatten Dense "
                        "ArgMax", input="codes")
    tap = next(tap for tap in imported.taps if tap.layer.startswith("concat"))
    assert bool(np.ndim(tap.scale)) == per_channel


@pytest.mark.parametrize("behind", ["pool", "average", "depthwise", "quantizer", "join", "head",
                                    "grouped"])
def test_what_follows_a_concatenation_of_scales(tmp_path, behind):
    net = Net(1, 2, 4, 4)
    a, b = branches(net, (0.25, 0.125))
    x, size = net("Concat", a, b, axis=1), 96
    match behind:
        case "pool":
            x, size = net("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 24
        case "average":
            x, size = net("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]), 24
        case "depthwise":
            x, size = net.relu(net.conv(x, 6, 6, (2, 2), group=6)), 54
        case "grouped":
            x, size = net.relu(net.conv(x, 6, 4, (2, 2), group=2, pads=[1, 0, 0, 0])), 48
        case "quantizer":
            x = net.quant(x, 0.5, 2)
        case "join":
            x = net("Add", x, net("Concat", b, a, axis=1))
    net.same(tmp_path, net("Add", net.head(x, size), net.bias(4)), input="codes")


def test_concatenations_of_accumulators_with_biases(tmp_path):
    net = Net(1, 2, 4, 4)
    x = net.quant("x")
    x = net("Concat", net.conv(x, 2, 3, (1, 1), bias=True), x, net.conv(x, 2, 1, (1, 1)), axis=-3)
    net.same(tmp_path, net.head(net.relu(x), 96), input="codes")


def test_concatenations_of_vectors_and_flat_images(tmp_path):
    net = Net(1, 2, 4, 4)
    a, b = branches(net)
    b = net("MaxPool", b, kernel_shape=[2, 2], strides=[2, 2])
    x = net("Concat", net("Flatten", a), net("Flatten", b), axis=1)
    y = net.relu(net("MatMul", x, net.weights(60, 5)))
    x = net("Concat", y, net.relu(net("MatMul", x, net.weights(60, 3)), 0.5), axis=-1)
    imported = net.same(tmp_path, net("MatMul", x, net.weights(8, 3)), input="codes")
    assert types(imported).endswith("Flatten Flatten Concat Dense Dense Threshold Threshold "
                                    "Concat Dense ArgMax")


def test_a_concatenation_with_channels_last(tmp_path):
    net = Net(1, 2, 4, 3)
    a, b = (net("Transpose", each, perm=[0, 2, 3, 1]) for each in branches(net))
    x = net("Transpose", net("Concat", a, b, axis=3), perm=[0, 3, 1, 2])
    net.same(tmp_path, net.head(net.relu(net.conv(x, 6, 3, (2, 2))), 18), input="codes")


@pytest.mark.parametrize("axis, message", [
    (0, "node join (Concat) joins along axis 0; hardware joins channels"),
    (1, "node join (Concat) joins tensors of different sizes"),
    (2, "whose pixels are in another order than those of the")])
def test_other_concatenations_are_refused(tmp_path, axis, message):
    net = Net(1, 2, 4, 4)
    a, b = branches(net)
    if axis == 1:
        b = net("MaxPool", b, kernel_shape=[2, 2])
    x = net("Concat", a, b, axis=axis, name="join")
    refused(net, net.conv(x, 3, 2, (1, 1)), tmp_path, message)
    x = net("Concat", a, np.zeros((1, 3, 4, 4), np.float32), axis=1, name="other")
    refused(net, x, tmp_path,
            "node other (Concat) joins constants to the data; hardware joins layers")


@pytest.mark.parametrize("how", ["Slice", "Slice, steps", "Slice, backwards", "Gather", "Split",
                                 "Slice, old"])
@pytest.mark.parametrize("quantized", [True, False])
def test_selections_of_channels(tmp_path, how, quantized):
    net = Net(1, 2, 4, 4, opset=9 if how == "Slice, old" else 13)
    x = net.conv(net.quant("x"), 2, 5)
    x = net.quant(x) if quantized else x
    kept = {"Slice": [1, 2, 3], "Slice, steps": [1, 3], "Slice, backwards": [3, 2, 1],
            "Slice, old": [1, 2, 3], "Gather": [4, 0, 3], "Split": [2, 3]}[how]
    match how:
        case "Slice":
            x = net("Slice", x, np.array([1]), np.array([-1]), np.array([1]))
        case "Slice, steps":
            x = net("Slice", x, np.array([1]), np.array([99]), np.array([-3]), np.array([2]))
        case "Slice, backwards":
            x = net("Slice", x, np.array([-2]), np.array([0]), np.array([1]), np.array([-1]))
        case "Slice, old":
            x = net("Slice", x, starts=[1], ends=[4], axes=[1])
        case "Gather":
            x = net("Gather", x, np.array([4, 0, -2]), axis=1)
        case "Split":
            net("Split", x, np.array([2, 2, 1]), axis=-3, outputs=3, name="parts")
            x = "parts_1"
    x = net.relu(net.conv(x, len(kept), 3, (2, 2)))
    imported = net.same(tmp_path, net.head(x, 3), input="codes")
    selects = layers(imported, Select)
    chosen = np.arange(5)
    for layer in selects:
        chosen = chosen[layer.indices]
    assert chosen.tolist() == kept and len(selects) == 1 + (kept != sorted(kept))


def test_a_split_into_equal_parts_of_which_all_are_read(tmp_path):
    net = Net(1, 2, 4, 4)
    x = net.relu(net.conv(net.quant("x"), 2, 5))
    net("Split", x, axis=1, outputs=2, name="parts", num_outputs=2)
    net.opset = 18
    x = net("Concat", net.relu(net.conv("parts_1", 2, 2, (1, 1))), "parts_out", axis=1)
    imported = net.same(tmp_path, net.head(x, 20), input="codes")
    assert [layer.indices.tolist() for layer in layers(imported, Select)] == [[0, 1, 2], [3, 4]]


def test_an_output_left_out_has_no_layer(tmp_path):
    net = Net(1, 2, 4, 4)
    x = net("Split", net.stored(net.conv(net.stored("x"), 2, 5)), np.array([3, 1, 1]), axis=1,
            outputs=3)
    net.nodes[-1].output[1] = ""
    x = net.stored(net("Clip", net.conv(x, 3, 3, (2, 2)), None, 1.0))
    imported = net.load(tmp_path, net.head(x, 3), input="codes")
    assert len(layers(imported, Select)) == 1


def test_a_shuffle_of_channels(tmp_path):
    net = Net(1, 2, 4, 4)
    x = net.relu(net.conv(net.quant("x"), 2, 6))
    x = net("Reshape", x, np.array([0, 2, 3, 2, 2]))
    x = net("Reshape", net("Transpose", x, perm=[0, 2, 1, 3, 4]), np.array([0, -1, 2, 2]))
    pooled = net("MaxPool", net("Add", x, np.arange(6, dtype=np.float32).reshape(6, 1, 1)),
                 kernel_shape=[2, 2])
    x = net.relu(net.conv(x, 6, 4, (2, 2), group=2))
    x = net("Concat", net("Flatten", x), net("Flatten", pooled), axis=1)
    imported = net.same(tmp_path, net("MatMul", x, net.weights(10, 3)), hidden=["MaxPool"],
                        input="codes")
    assert [layer.indices.tolist() for layer in layers(imported, Select)] == [
        [0, 3, 1, 4, 2, 5]] * 2


def test_a_pool_of_what_is_turned_and_shuffled(tmp_path):
    net = Net(1, 2, 4, 4)
    x = net.norm(net.conv(net.quant("x"), 2, 4), 4)
    x = net("MaxPool", net("Gather", net("Relu", x), np.array([2, 3, 1, 0]), axis=1),
            kernel_shape=[2, 2])
    net.same(tmp_path, net.head(net.quant(x), 4), hidden=["MaxPool"], input="codes")


@pytest.mark.parametrize("op, more, attributes", [
    ("Slice", [np.array([1]), np.array([3]), np.array([2])], {}),
    ("Gather", [np.array([0, 1])], {"axis": 3})])
def test_a_crop_is_refused(tmp_path, op, more, attributes):
    net = Net(1, 2, 4, 4)
    x = net(op, net.quant("x"), *more, name="crop", **attributes)
    refused(net, net.conv(x, 2, 2, (1, 1)), tmp_path,
            f"node crop ({op}) crops or repeats pixels; hardware keeps or drops whole channels")


def test_channels_that_are_quantized_apart(tmp_path):
    net = Net(1, 2, 4, 4)
    x = net.norm(net.conv(net.quant("x"), 2, 4), 4)
    a = net("Slice", x, np.array([0]), np.array([1]), np.array([1]))
    b = net("Slice", x, np.array([1]), np.array([4]), np.array([1]))
    steps = np.sort(net.rng.integers(-9, 9, (3, 3)), axis=1).astype(np.float32) / 4
    b = net("MultiThreshold", b, steps, domain=GENERAL, out_dtype="UINT2", out_scale=0.5)
    x = net("Concat", net.relu(a, 0.5, 2), b, axis=1)
    net.same(tmp_path, net.head(x, 16), input="codes")
