"""Convolutional networks: integers of the imports equal those of the files, layer by layer."""
import re

import numpy as np
import pytest
from onnx import TensorProto, helper

from sw.importers.onnx_file import ModelError
from sw.importers.qonnx import load
from sw.network import Conv2d, MaxPool, SumPool
from tests.sw.importers.cnn_models import Net, exported, same, saved
from tests.sw.importers.models import GENERAL


def refused(net, output, folder, message, **options):
    """Assert that the import of the graph that ends in ``output`` is refused with ``message``."""
    with pytest.raises(ModelError, match=re.escape(message)):
        net.load(folder, output, **options)


def layers(imported, kind):
    return [layer for layer in imported.network.layers if isinstance(layer, kind)]


# Brevitas.

@pytest.fixture(scope="module")
def brevitas():
    """Brevitas' modules and quantizers in one name; importing it takes seconds."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("brevitas")
    import warnings
    from types import SimpleNamespace

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import brevitas.nn
        import brevitas.quant
    torch.manual_seed(0)
    return SimpleNamespace(**vars(brevitas.quant), **{
        name: value for name, value in vars(brevitas.nn).items() if name.startswith(("Quant",
                                                                                      "Trunc"))},
        torch=torch, nn=torch.nn, Sequential=torch.nn.Sequential)


def norm(b, channels, kind="BatchNorm2d"):
    """A batch norm whose gammas are of both signs."""
    made = getattr(b.nn, kind)(channels)
    with b.torch.no_grad():
        made.weight.uniform_(0.2, 1)
        made.weight[::2] *= -1
        made.bias.uniform_(-0.3, 0.3)
        made.running_mean.uniform_(-0.3, 0.3)
        made.running_var.uniform_(0.3, 1)
    return made


def cnn(b):
    return b.Sequential(
        b.QuantIdentity(bit_width=8),
        b.QuantConv2d(3, 4, 3, stride=2, padding=1, bias=True, weight_bit_width=3), norm(b, 4),
        b.QuantReLU(bit_width=2), b.nn.MaxPool2d(2),
        b.QuantConv2d(4, 6, (3, 2), padding=(1, 0), groups=2, bias=False, weight_bit_width=2,
                      weight_quant=b.Int8WeightPerChannelFloat), norm(b, 6),
        b.QuantReLU(bit_width=3), b.nn.Flatten(),
        b.QuantLinear(6 * 2 * 1, 3, bias=True, weight_bit_width=4))


CNN = ("Threshold Conv2d Threshold MaxPool Conv2d Threshold Flatten Dense Affine ArgMax")


@pytest.mark.parametrize("how", [{"dynamo": False}, {}], ids=["torchscript", "default exporter"])
def test_a_brevitas_cnn(brevitas, tmp_path, how):
    imported = same(load(exported(cnn(brevitas), (1, 3, 8, 8), tmp_path, **how)), CNN)
    first, second = layers(imported, Conv2d)
    assert (first.kernel, first.stride, first.padding) == ((3, 3), (2, 2), (1, 1, 1, 1))
    assert (second.kernel, second.padding, second.groups) == ((3, 2), (1, 0, 1, 0), 2)
    assert imported.network.input.shape == (8, 8, 3)


def bodies(b):
    """Layers on 4 channels of 6 × 6 pixels that end in 2 bits, by name, and the types of theirs."""
    conv, relu, pool = b.QuantConv2d, b.QuantReLU, b.nn.MaxPool2d

    class Flat(b.nn.Module):
        def forward(self, x):
            return x.view(x.shape[0], -1)

    return {
        "depthwise, per channel": (
            [conv(4, 4, 3, groups=4, bias=False, weight_quant=b.Int8WeightPerChannelFloat,
                  weight_bit_width=3), norm(b, 4), relu(bit_width=2), b.nn.Flatten()], 64,
            "Conv2d Threshold Flatten"),
        "1 × 1, per channel, bias": (
            [conv(4, 5, 1, bias=True, weight_quant=b.Int8WeightPerChannelFloat,
                  weight_bit_width=2), relu(bit_width=3), Flat()], 180,
            "Conv2d Threshold Flatten"),
        "pool before the norm": (
            [conv(4, 3, 3, bias=False, weight_bit_width=2), pool(2), norm(b, 3),
             relu(bit_width=2), b.nn.Flatten()], 12, "Conv2d MaxPool Threshold Flatten"),
        "pool behind the norm": (
            [conv(4, 3, 3, bias=False, weight_bit_width=2), norm(b, 3), pool(2),
             b.QuantIdentity(bit_width=2), b.nn.Flatten()], 12,
            "Conv2d Affine MaxPool Threshold Flatten"),
        "pool with padding": (
            [conv(4, 3, 3, bias=False, weight_bit_width=2), relu(bit_width=2), pool(3, 2, 1),
             b.nn.Flatten()], 12, "Conv2d Threshold MaxPool Flatten"),
        "binary activations, zero padding": (
            [b.QuantIdentity(act_quant=b.SignedBinaryActPerTensorConst),
             conv(4, 3, 3, padding=1, bias=False, weight_quant=b.SignedBinaryWeightPerTensorConst),
             norm(b, 3), b.QuantIdentity(act_quant=b.SignedBinaryActPerTensorConst),
             b.nn.Flatten()], 108, "Threshold Conv2d Threshold Flatten"),
        "asymmetric, padding": (
            [b.QuantIdentity(act_quant=b.ShiftedUint8ActPerTensorFloat, bit_width=3),
             conv(4, 3, 3, padding=1, bias=False, weight_bit_width=3), relu(bit_width=2),
             b.nn.Flatten()], 108, "Threshold Conv2d Threshold Flatten"),
        "asymmetric weights": (
            [conv(4, 3, 2, bias=False, weight_quant=b.ShiftedUint8WeightPerTensorFloat,
                  weight_bit_width=3), relu(bit_width=2), b.nn.Flatten()], 75,
            "Conv2d Threshold Flatten"),
        "global average": (
            [conv(4, 3, 3, bias=False, weight_bit_width=3), relu(bit_width=3),
             b.nn.AdaptiveAvgPool2d(1), b.nn.Flatten()], 3,
            "Conv2d Threshold SumPool Flatten"),
        "truncated average": (
            [conv(4, 3, 3, bias=False, weight_bit_width=3),
             relu(bit_width=4, act_quant=b.Uint8ActPerTensorFixedPoint, return_quant_tensor=True),
             b.TruncAvgPool2d(2, bit_width=2), b.nn.Flatten()], 12,
            "Conv2d Threshold SumPool Threshold Flatten"),
    }


BODIES = ["depthwise, per channel", "1 × 1, per channel, bias", "pool before the norm",
          "pool behind the norm", "pool with padding", "binary activations, zero padding",
          "asymmetric, padding", "asymmetric weights", "global average", "truncated average"]


@pytest.mark.parametrize("name", BODIES)
def test_what_brevitas_makes_of(brevitas, tmp_path, name):
    b = brevitas
    body, size, expected = bodies(b)[name]
    net = b.Sequential(b.QuantIdentity(bit_width=4), *body,
                       b.QuantLinear(size, 3, bias=True, weight_bit_width=3))
    path = exported(net, (1, 4, 6, 6), tmp_path, dynamo=False)
    imported = same(load(path, input="codes"), f"{expected} Dense Affine ArgMax")
    if "padding" in name and "pool" not in name:
        assert layers(imported, Conv2d)[0].padding == (1, 1, 1, 1)
        assert layers(imported, Conv2d)[0].pad_value == 0


def test_a_brevitas_network_of_signals(brevitas, tmp_path):
    b = brevitas
    net = b.Sequential(
        b.QuantIdentity(bit_width=4),
        b.QuantConv1d(2, 3, 3, stride=2, padding=1, bias=False, weight_bit_width=3),
        norm(b, 3, "BatchNorm1d"), b.QuantReLU(bit_width=3), b.nn.MaxPool1d(2),
        b.QuantConv1d(3, 4, 2, bias=True, weight_bit_width=3), b.QuantReLU(bit_width=2),
        b.nn.AdaptiveAvgPool1d(1), b.nn.Flatten(),
        b.QuantLinear(4, 3, bias=True, weight_bit_width=3))
    imported = same(load(exported(net, (1, 2, 12), tmp_path, dynamo=False)),
                    "Conv2d Threshold MaxPool Conv2d Threshold SumPool Flatten Dense Affine ArgMax")
    assert imported.network.input.shape == (1, 12, 2)


def test_averages_of_brevitas(brevitas, tmp_path):
    b = brevitas
    net = b.Sequential(
        b.QuantIdentity(act_quant=b.Int8ActPerTensorFixedPoint, bit_width=4), b.nn.AvgPool2d(2),
        b.QuantIdentity(act_quant=b.Int8ActPerTensorFixedPoint, bit_width=4),
        b.nn.AvgPool2d((3, 1), 1), b.nn.Flatten(), b.QuantLinear(4, 3, bias=True))
    imported = same(load(exported(net, (1, 4, 6, 2), tmp_path, dynamo=False), input="codes"))
    assert [x.kernel for x in layers(imported, SumPool)] == [(2, 2), (3, 1)]


# Convolutions.

@pytest.mark.parametrize("attributes, kernel, group, shape", [
    ({}, (3, 3), 1, (1, 2, 5, 6)),
    ({"strides": [2, 3], "pads": [0, 1, 2, 0]}, (3, 2), 1, (1, 2, 5, 6)),
    ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, (3, 2), 1, (1, 2, 6, 5)),
    ({"auto_pad": "SAME_LOWER", "strides": [2, 2]}, (3, 2), 1, (1, 2, 6, 5)),
    ({"auto_pad": "SAME_UPPER", "strides": [3, 1]}, (2, 4), 2, (1, 4, 7, 5)),
    ({"auto_pad": "VALID"}, (1, 4), 1, (1, 2, 3, 5)),
    ({"pads": [1, 1, 1, 1]}, (3, 3), 4, (1, 4, 4, 4)),
    ({"pads": [1, 2], "strides": [2]}, (3,), 2, (1, 4, 9)),
    ({"auto_pad": "SAME_LOWER"}, (4,), 1, (1, 3, 6)),
])
@pytest.mark.parametrize("bias", [False, True], ids=["", "bias"])
def test_convolutions(tmp_path, attributes, kernel, group, shape, bias):
    net = Net(*shape)
    x = net.conv(net.quant("x"), shape[1], 4, kernel, group=group, bias=bias, **attributes)
    x = net("ReduceMean", net.relu(x, 0.5), axes=list(range(2, len(shape))), keepdims=0)
    net.same(tmp_path, x, "Conv2d Threshold SumPool Flatten ArgMax", input="codes")


def test_raw_pixels_keep_their_channels(tmp_path):
    net = Net(1, 3, 4, 5)
    w = np.zeros((3, 3, 2, 2), np.float32)
    w[0, 0], w[1, 1, 0], w[2, 2, :, 1] = 1, 2, [3, -1]
    x = net("Conv", "x", w / 8)
    imported = net.same(tmp_path, net.head(net.relu(x, 0.125), 3 * 3 * 4),
                        "Conv2d Threshold Flatten Dense ArgMax", pixel=(1 / 256, 0.0))
    assert imported.network.input.shape == (4, 5, 3)
    frame = np.zeros((1, 4, 5, 3), int)
    frame[0, 1, 2] = 10, 100, 200
    traced = imported.network.run(frame, trace=True)[imported.network.layers[0].name][0]
    assert sorted({tuple(each) for each in traced.reshape(-1, 3)}) == [
        (0, 0, 0), (10, 0, -200), (10, 0, 0), (10, 100, 0), (10, 100, 600)]


@pytest.mark.parametrize("kind", ["float", "uint8"])
def test_pixels_about_0_are_padded_with_a_level_or_refused(tmp_path, kind):
    def made(offset):
        net = Net(1, 2, 4, 4)
        x = net("Sub", net("Mul", "x", 0.125), offset)
        return net, net.head(net.conv(x, 2, 3, pads=[1, 1, 1, 1]), 48)

    net, end = made(16.0)
    imported = net.same(tmp_path, end, pixel=(1.0, 0.0))
    assert layers(imported, Conv2d)[0].pad_value == 128
    refused(*made(16.0625), tmp_path,
            "pads with 0, which is no level of its input (they are 0.125 · n + -16.06)",
            pixel=(1.0, 0.0))


@pytest.mark.parametrize("scale, level", [(0.1, 123), (0.3, 11), (0.7, 3), (0.01, 99)])
def test_a_level_may_be_rounded_in_the_file(tmp_path, scale, level):
    net = Net(1, 2, 4, 4)
    x = net("Sub", net("Mul", "x", scale), scale * level)
    imported = net.load(tmp_path, net.head(net.conv(x, 2, 3, pads=[1, 1, 1, 1]), 48),
                        pixel=(1.0, 0.0))
    assert layers(imported, Conv2d)[0].pad_value == level


@pytest.mark.parametrize("value, level", [(0.0, 0), (0.5, 2), (-1.0, -4)])
def test_a_pad_goes_into_the_convolution(tmp_path, value, level):
    net = Net(1, 2, 4, 5)
    x = net("Pad", net.quant("x"), np.array([0, 0, 1, 0, 0, 0, 2, 1]), value)
    x = net.relu(net.conv(x, 2, 3))
    imported = net.same(tmp_path, net.head(x, 3 * 5 * 4), input="codes")
    conv, = layers(imported, Conv2d)
    assert (conv.padding, conv.pad_value) == ((1, 0, 2, 1), level)


def test_padding_of_two_nodes_adds_up(tmp_path):
    net = Net(1, 2, 4, 5)
    x = net("Pad", net.quant("x"), np.array([0, 0, 1, 0, 0, 0, 0, 1]))
    x = net.relu(net.conv(x, 2, 3, pads=[1, 1, 0, 0]))
    imported = net.same(tmp_path, net.head(x, 3 * 4 * 5), input="codes")
    assert layers(imported, Conv2d)[0].padding == (2, 1, 0, 1)
    net = Net(1, 2, 4, 5)
    x = net("Pad", net.quant("x"), np.array([0, 0, 0, 1, 0, 0, 0, 0]))
    x = net.relu(net.conv(x, 2, 3, auto_pad="SAME_UPPER", strides=[2, 2]))
    imported = net.same(tmp_path, net.head(x, 3 * 2 * 3), input="codes")
    assert layers(imported, Conv2d)[0].padding == (0, 1, 1, 1)


def test_a_pad_of_some_axes(tmp_path):
    net = Net(1, 2, 4, 5, opset=18)
    x = net("Pad", net.quant("x"), np.array([1, 0, 0, 2]), None, np.array([-1, 2]))
    imported = net.same(tmp_path, net.head(net.conv(x, 2, 3), 3 * 4 * 4), input="codes")
    assert layers(imported, Conv2d)[0].padding == (0, 1, 2, 0)


def test_a_pad_of_nothing_and_one_of_a_signal(tmp_path):
    net = Net(1, 2, 7)
    x = net("Pad", net.quant("x"), np.zeros(6, int), mode="reflect")
    x = net("Pad", x, np.array([0, 0, 1, 0, 0, 2]))
    imported = net.same(tmp_path, net.head(net.conv(x, 2, 3, (4,)), 3 * 7), input="codes")
    assert layers(imported, Conv2d)[0].padding == (0, 1, 0, 2)


@pytest.mark.parametrize("pads, attributes, message", [
    ([0, 1, 0, 0, 0, 0, 0, 0], {}, "hardware pads images with a constant on their four sides"),
    ([0, 0, 1, 0, 0, 0, -1, 0], {}, "hardware pads images with a constant on their four sides"),
    ([0, 0, 1, 1, 0, 0, 1, 1], {"mode": "reflect"}, "hardware pads images with a constant"),
    ([0, 0, 3, 0, 0, 0, 0, 0], {}, "its kernel has 3 rows, but its padding 3"),
])
def test_other_pads_are_refused(tmp_path, pads, attributes, message):
    net = Net(1, 2, 5, 5)
    x = net("Pad", net.quant("x"), np.array(pads), name="pad", **attributes)
    refused(net, net.conv(x, 3 if pads[1] else 2, 3), tmp_path, message)


def test_a_pad_may_only_precede_what_pads(tmp_path):
    net = Net(1, 2, 5, 5)
    x = net("Pad", net.quant("x"), np.array([0, 0, 1, 1, 0, 0, 1, 1]), name="edge")
    refused(net, net("Relu", x, name="act"), tmp_path, "node act (Relu) stands between a Pad and")
    refused(net, x, tmp_path, "which only pads; remove it")
    refused(net, net.conv(net("Pad", net.quant("x"), np.array([0, 0, 1, 1] * 2), 0.5), 2, 3,
                          pads=[1, 1, 1, 1]), tmp_path,
            "pads with 0, but the Pad before it with 0.5; pad in one of them")


def test_channels_of_different_scales_go_into_the_weights(tmp_path):
    net = Net(1, 2, 4, 4)
    scale = np.array([0.25, 0.125], np.float32).reshape(1, 2, 1, 1)
    x = net("Quant", "x", scale, 0.0, 3.0, domain=GENERAL, signed=1, narrow=0,
            rounding_mode="ROUND")
    w = net.weights(4, 1, 2, 2)
    x = net.relu(net("Conv", x, w, group=2, pads=[1, 0, 0, 1]))
    imported = net.same(tmp_path, net.head(net.conv(x, 4, 3), 12), input="codes")
    np.testing.assert_array_equal(np.sign(layers(imported, Conv2d)[0].weights),
                                  np.sign(w.transpose(0, 2, 3, 1).reshape(4, -1)))
    net = Net(1, 2, 4, 4)
    x = net("Quant", "x", scale, 0.0, 3.0, domain=GENERAL, signed=1, narrow=0,
            rounding_mode="ROUND")
    net.same(tmp_path, net.head(net.relu(net.conv(x, 2, 3, pads=[1, 1, 0, 0])), 3 * 9),
             "Conv2d Threshold Flatten Dense ArgMax", input="codes")


def test_weights_that_are_a_sum_keep_their_planes(tmp_path):
    net = Net(1, 2, 4, 4)
    signs = np.sign(net.rng.normal(size=(2, 3, 2, 3, 3))).astype(np.float32)
    w = net("Add", signs[0] * 0.5, signs[1] * 0.125)
    x = net.relu(net("Conv", net.quant("x"), w))
    imported = net.same(tmp_path, net.head(x, 12), input="codes")
    planes = layers(imported, Conv2d)[0].planes
    assert len(planes) == 2
    for plane, part in zip(planes, signs, strict=True):
        np.testing.assert_array_equal(np.sign(plane.values()),
                                      part.transpose(0, 2, 3, 1).reshape(3, -1))


# Integer operators.

@pytest.mark.parametrize("zero, bounds", [(None, "int8"), (3, "uint8"), (-5, "int8")])
def test_integer_convolutions(tmp_path, zero, bounds):
    net = Net(1, 2, 4, 5, dtype=np.dtype(bounds))
    w = net.rng.integers(-4, 4, (3, 2, 2, 2)).astype(np.int8)
    more = [] if zero is None else [np.dtype(bounds).type(zero), np.int8(2)]
    x = net("ConvInteger", "x", w, *more, pads=[1, 1, 0, 0])
    x = net.relu(net("Mul", net("Cast", x, to=1), 1 / 64), 0.5)
    imported = net.same(tmp_path, net.head(x, 60), "Conv2d Threshold Flatten Dense ArgMax")
    assert layers(imported, Conv2d)[0].pad_value == (zero or 0)
    assert imported.network.tensors["input"].element.bits == 8


def test_integer_convolutions_behind_a_pad(tmp_path):
    net = Net(1, 2, 4, 5, dtype=np.uint8)
    w = net.rng.integers(-4, 4, (3, 2, 2, 2)).astype(np.int8)
    x = net("Pad", "x", np.array([0, 0, 1, 0, 0, 0, 0, 1]), np.uint8(7))
    x = net("ConvInteger", x, w, np.uint8(7))
    x = net.relu(net("Mul", net("Cast", x, to=1), 1 / 64), 0.5)
    imported = net.same(tmp_path, net.head(x, 60))
    assert layers(imported, Conv2d)[0].pad_value == 7


def test_a_pool_of_stored_integers(tmp_path):
    net = Net(1, 2, 4, 4)
    x = net("QuantizeLinear", "x", np.float32(0.25), np.uint8(100))
    x = net("MaxPool", x, kernel_shape=[2, 2])
    x = net("DequantizeLinear", x, np.float32(0.25), np.uint8(100))
    net.same(tmp_path, net.head(net.conv(x, 2, 3, (2, 2)), 12), input="codes")


def test_a_network_that_onnxruntime_quantized(tmp_path):
    quantization = pytest.importorskip("onnxruntime.quantization")
    net = Net(1, 3, 8, 8)

    def conv(x, inputs, outputs, *kernel, **attributes):
        w = net.rng.normal(size=(outputs, inputs, *kernel)).astype(np.float32)
        return net("Conv", x, w, net.bias(outputs), kernel_shape=list(kernel), **attributes)

    x = net("Relu", conv("x", 3, 4, 3, 3, pads=[1, 1, 1, 1]))
    x = net("Relu", conv(net("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 4, 4, 3, 3))
    x = net("Flatten", net("GlobalAveragePool", x))
    x = net("Gemm", x, net.rng.normal(size=(4, 3)).astype(np.float32), net.bias(3))
    model = net.proto(x)
    model.graph.output[0].type.CopyFrom(
        helper.make_tensor_type_proto(TensorProto.FLOAT, [1, 3]))
    path = saved(model, tmp_path)

    class Reader(quantization.CalibrationDataReader):
        frames = iter([{"x": net.rng.uniform(0, 1, (1, 3, 8, 8)).astype(np.float32)}
                       for _ in range(4)])

        def get_next(self):
            return next(self.frames, None)

    out = tmp_path / "quantized.onnx"
    quantization.quantize_static(str(path), str(out), Reader(),
                                 quant_format=quantization.QuantFormat.QDQ, per_channel=True)
    same(load(out), "Conv2d Threshold MaxPool Conv2d Threshold SumPool Threshold Flatten Dense "
                    "Threshold ArgMax")


# Pools.

@pytest.mark.parametrize("attributes, shape, size", [
    ({"kernel_shape": [2, 2], "strides": [2, 2]}, (1, 2, 4, 6), 12),
    ({"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "strides": [2, 1]}, (1, 2, 5, 4), 24),
    ({"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}, (1, 2, 4, 4), 8),
    ({"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_LOWER"}, (1, 2, 4, 4), 8),
    ({"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, (1, 2, 5, 4), 12),
    ({"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, (1, 2, 6, 5), 12),
    ({"kernel_shape": [3], "pads": [1, 1], "strides": [2]}, (1, 2, 7), 8),
])
def test_max_pools(tmp_path, attributes, shape, size):
    net = Net(*shape, opset=19)
    x = net("MaxPool", net.stored("x"), **attributes)
    net.same(tmp_path, net.head(x, size), "MaxPool Flatten Dense ArgMax", input="codes")


@pytest.mark.parametrize("kernel, strides, shape, size", [
    ([2, 1], [3, 2], (1, 2, 6, 4), (2, 2)), ([1, 1], [2, 2], (1, 2, 4, 5), (2, 3))])
def test_ceil_mode_adds_no_window_of_nothing_but_padding(tmp_path, kernel, strides, shape, size):
    net = Net(*shape, opset=19)
    x = net("MaxPool", net.stored("x"), kernel_shape=kernel, strides=strides, ceil_mode=1)
    x = net("MatMul", net("ReduceMax", x, np.array([2, 3]), keepdims=0), net.weights(2, 3))
    imported = net.same(tmp_path, x, input="codes")
    assert imported.network.tensors[imported.network.layers[0].name].shape == (*size, 2)


@pytest.mark.parametrize("attributes, shape, size", [
    ({"kernel_shape": [2, 2], "strides": [2, 2]}, (1, 2, 4, 6), 12),
    ({"kernel_shape": [2, 4], "strides": [2, 1]}, (1, 2, 4, 6), 12),
    ({"kernel_shape": [2, 2], "pads": [1, 0, 0, 1], "count_include_pad": 1}, (1, 2, 3, 4), 24),
    ({"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, (1, 2, 4, 2), 4),
    ({"kernel_shape": [4], "strides": [2]}, (1, 2, 8), 6),
])
def test_average_pools(tmp_path, attributes, shape, size):
    net = Net(*shape)
    x = net("AveragePool", net.quant("x"), **attributes)
    x = net.quant(x, 0.25, 3)
    net.same(tmp_path, net.head(x, size), "SumPool Threshold Flatten Dense ArgMax", input="codes")


@pytest.mark.parametrize("op, attributes, kind", [
    ("GlobalAveragePool", {}, SumPool), ("GlobalMaxPool", {}, MaxPool),
    ("ReduceMean", {"axes": [2, 3], "keepdims": 0}, SumPool),
    ("ReduceMean", {"axes": [-1, -2]}, SumPool),
    ("ReduceMax", {"axes": [3, 2], "keepdims": 0}, MaxPool)])
def test_pools_of_all_pixels(tmp_path, op, attributes, kind):
    net = Net(1, 3, 4, 2)
    x = net(op, net.quant("x"), **attributes)
    imported = net.same(tmp_path, net.head(x, 3), f"{kind.__name__} Flatten Dense ArgMax",
                        input="codes")
    assert imported.network.layers[0].kernel == (4, 2)


@pytest.mark.parametrize("shape, axis", [([0, 3, -1], 2), ([0, 3, 1, 8], 3)])
def test_means_of_pixels_in_a_row(tmp_path, shape, axis):
    net = Net(1, 3, 4, 2)
    x = net("Reshape", net.quant("x"), np.array(shape))
    x = net("ReduceMean", x, axes=[2, 3] if axis == 3 else [2], keepdims=0)
    imported = net.same(tmp_path, net("MatMul", x, net.weights(3, 4)),
                        "SumPool Flatten Dense ArgMax", input="codes")
    assert imported.network.layers[0].kernel == (4, 2)


def test_sums_of_pixels(tmp_path):
    net = Net(1, 3, 4, 2)
    x = net("ReduceSum", net.quant("x"), np.array([2, 3]), keepdims=0)
    net.same(tmp_path, net("MatMul", net.relu(x), net.weights(3, 4)),
             "SumPool Threshold Flatten Dense ArgMax", input="codes")
    net = Net(1, 3, 4, 2)
    x = net("ReduceSum", "x", np.array([2, 3]), keepdims=0)
    net.same(tmp_path, net("MatMul", net.relu(x), net.weights(3, 4)), pixel=(1 / 256, -0.5))


@pytest.mark.parametrize("value", [0.0, -np.inf, -3.0])
def test_a_pad_that_is_never_the_largest(tmp_path, value):
    net = Net(1, 2, 4, 4)
    x = net("Relu", net.quant("x")) if value == 0 else net.quant("x")
    x = net("Pad", x, np.array([0, 0, 1, 1] * 2), value)
    x = net("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    imported = net.same(tmp_path, net.head(x, 8), hidden=["MaxPool"], input="codes")
    assert layers(imported, MaxPool)[0].padding == (1, 1, 1, 1)


def test_a_pad_that_may_be_the_largest_is_refused(tmp_path):
    net = Net(1, 2, 4, 4)
    x = net("Pad", net.quant("x"), np.array([0, 0, 1, 1] * 2), 0.0)
    refused(net, net("MaxPool", x, kernel_shape=[3, 3]), tmp_path,
            "the Pad before it takes part in the maximum; use the pool's own padding",
            input="codes")
    net = Net(1, 2, 4, 4)
    x = net.quant("x")
    x = net("Concat", x, net.relu(net.conv(x, 2, 2, (1, 1))), axis=1)
    x = net("Pad", x, np.array([0, 0, 1, 1] * 2), 0.0)
    refused(net, net("MaxPool", x, kernel_shape=[3, 3]), tmp_path,
            "the Pad before it takes part in the maximum", input="codes")


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_a_pad_before_an_average(tmp_path, value):
    net = Net(1, 2, 4, 4)
    x = net("Pad", net.quant("x"), np.array([0, 0, 1, 0, 0, 0, 0, 1]), value)
    x = net("AveragePool", x, kernel_shape=[2, 2])
    if value:
        refused(net, x, tmp_path, "pads with 0.5, which is not the 0 of its input's integers")
    else:
        net.same(tmp_path, net.head(net.quant(x), 32), input="codes")


@pytest.mark.parametrize("signs, expected", [
    ("falling", "Conv2d Affine MaxPool Threshold Flatten Dense ArgMax"),
    ("rising", "Conv2d MaxPool Threshold Flatten Dense ArgMax")])
@pytest.mark.parametrize("relu", [False, True], ids=["", "relu"])
def test_a_pool_between_norm_and_quantizer(tmp_path, signs, expected, relu):
    net = Net(1, 2, 5, 5)
    x = net.norm(net.conv(net.quant("x"), 2, 4, (2, 2)), 4, signs == "falling")
    x = net("MaxPool", net("Relu", x) if relu else x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.quant(x, 0.125, 4)
    net.same(tmp_path, net.head(x, 16), expected, hidden=["MaxPool"] * relu, input="codes")


def test_a_pool_of_a_difference_from_a_constant(tmp_path):
    net = Net(1, 2, 4, 4)
    x = net("Sub", 1.0, net.conv(net.quant("x"), 2, 3, (1, 1)))
    x = net("MaxPool", x, kernel_shape=[2, 2])
    net.same(tmp_path, net.head(net.relu(x), 27),
             "Conv2d Affine MaxPool Threshold Flatten Dense ArgMax", input="codes")


def test_a_pool_of_what_neither_rises_nor_falls_is_refused(tmp_path):
    net = Net(1, 2, 4, 4)
    x = net("Abs", net.conv(net.quant("x"), 2, 3, (1, 1)))
    refused(net, net("MaxPool", x, kernel_shape=[2, 2], name="pool"), tmp_path,
            "node pool (MaxPool): the maximum of values that are no monotone function of integers")


@pytest.mark.parametrize("op, attributes, message", [
    ("MaxPool", {"kernel_shape": [2, 2], "dilations": [2, 1]}, "dilation [2, 1] has no hardware"),
    ("AveragePool", {"kernel_shape": [2, 2], "pads": [1, 0, 0, 0]},
     "divides by fewer pixels at the border; export it with count_include_pad=1"),
    ("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1},
     "ceil_mode adds a window beyond the image"),
    ("MaxPool", {"kernel_shape": [2]}, "its kernel, strides and pads are not those of 2 axes"),
    ("MaxPool", {"kernel_shape": [2, 0]}, "its kernel and strides must be positive"),
    ("ReduceMean", {"axes": [1]}, "reduces axes [1] of 4; hardware reduces the pixels of images"),
    ("ReduceMean", {}, "reduces axes [] of 4; hardware reduces the pixels of images"),
    ("Resize", {}, "node it (Resize): this operator has no hardware"),
    ("ConvTranspose", {}, "node it (ConvTranspose): this operator has no hardware; replace it by"),
    ("LRN", {"size": 3}, "node it (LRN): this operator has no hardware"),
])
def test_other_operators_on_images_are_refused(tmp_path, op, attributes, message):
    net = Net(1, 2, 5, 5)
    more = {"Resize": [None, np.array([1, 1, 2, 2], np.float32)],
            "ConvTranspose": [net.weights(2, 3, 2, 2)]}.get(op, [])
    refused(net, net(op, net.quant("x"), *more, name="it", **attributes), tmp_path, message)


@pytest.mark.parametrize("shape, attributes, message", [
    ((3, 2, 2, 2), {"dilations": [1, 2]}, "node it (Conv): dilation [1, 2] has no hardware; use 1"),
    ((3, 3, 2, 2), {}, "weights of shape (3, 3, 2, 2) in 1 groups do not fit 2 channels"),
    ((3, 1, 2, 2), {"group": 2}, "weights of shape (3, 1, 2, 2) in 2 groups do not fit 2"),
    ((3, 2, 2), {}, "weights of 3 axes on a tensor of 4"),
    ((3, 2, 6, 2), {}, "its kernel has 6 rows, but its padded input only 5"),
    ((3, 2, 2, 2), {"pads": [1, 1]}, "its kernel, strides and pads are not those of 2 axes"),
    ((3, 2, 2, 2), {"pads": [0, -1, 0, 0]}, "its kernel and strides must be positive, and pads"),
])
def test_other_convolutions_are_refused(tmp_path, shape, attributes, message):
    net = Net(1, 2, 5, 5)
    x = net("Conv", net.quant("x"), net.weights(*shape), name="it", **attributes)
    refused(net, x, tmp_path, message)


def test_a_convolution_of_constants_or_by_the_input_is_refused(tmp_path):
    net = Net(1, 2, 5, 5)
    x = net.quant("x")
    refused(net, net("Conv", net.weights(1, 2, 5, 5), x), tmp_path, "is computed from the input")
    refused(net, net("Conv", x, x), tmp_path, "is computed from the input")


# Channels last.

def test_a_network_with_channels_last(tmp_path):
    net = Net(1, 5, 3, 3)
    x = net.conv(net("Transpose", "x", perm=[0, 3, 1, 2]), 3, 4, (2, 2))
    x = net("Transpose", x, perm=[0, 2, 3, 1])
    steps = np.sort(net.rng.integers(-20, 20, (4, 3)), axis=1).astype(np.float32) / 32
    x = net("MultiThreshold", x, steps, domain=GENERAL, out_dtype="UINT2", data_layout="NHWC")
    x = net("MatMul", x, net.weights(4, 5))
    x = net("Add", x, net.bias(5))
    x = net("Relu", net.quant(x, 0.5, 4))
    x = net("ReduceMean", x, axes=[1, 2], keepdims=0)
    imported = net.same(tmp_path, net("MatMul", x, net.weights(5, 3)),
                        "Conv2d Threshold Conv2d Threshold SumPool Flatten Dense ArgMax",
                        pixel=(1 / 256, 0.0))
    assert imported.network.input.shape == (5, 3, 3)
    assert layers(imported, Conv2d)[1].kernel == (1, 1)


def test_products_of_the_pixels_of_an_input(tmp_path):
    net = Net(1, 3, 2, 4)
    x = net.relu(net("MatMul", net.quant("x"), net.weights(4, 3)))
    x = net("ReduceMax", x, axes=[1, 2])
    imported = net.same(tmp_path, net.head(x, 3), "Conv2d Threshold MaxPool Flatten Dense ArgMax",
                        input="codes")
    assert imported.network.input.shape == (3, 2, 4)


def test_pixels_in_rows_are_multiplied_one_by_one(tmp_path):
    net = Net(1, 2, 3, 2)
    x = net("Transpose", net.conv(net.stored("x"), 2, 4, (1, 1)), perm=[0, 2, 3, 1])
    x = net("Gemm", net("Reshape", x, np.array([-1, 4])), net.weights(4, 3), net.bias(3))
    x = net.stored(net("Reshape", x, np.array([1, 18])))
    imported = net.load(tmp_path, net("MatMul", x, net.weights(18, 2)), input="codes")
    same(imported, "Conv2d Conv2d Threshold Flatten Dense ArgMax")


def test_a_threshold_of_images_with_channels_first(tmp_path):
    net = Net(1, 2, 4, 4)
    x = net.conv(net.quant("x"), 2, 3, (2, 2))
    steps = np.array([[-0.5, 0, 0.5], [-1, 0, 1], [0.125, 0.25, 2]], np.float32)
    x = net("MultiThreshold", x, steps, domain=GENERAL, out_dtype="INT2", out_bias=-2.0)
    net.same(tmp_path, net.head(x, 27), "Conv2d Threshold Flatten Dense ArgMax", input="codes")
