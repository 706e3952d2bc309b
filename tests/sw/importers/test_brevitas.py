"""Networks of dense layers that Brevitas exports, as it does by each of its ways."""
import warnings

import numpy as np
import pytest

from sw.alphabet import Bipolar, Ternary
from sw.importers.qonnx import load
from tests.sw.importers.models import compared, types

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import brevitas.nn as qnn
    from brevitas import quant
    from brevitas.export import export_onnx_qcdq, export_qonnx
    from brevitas.quant.ternary import SignedTernaryWeightPerTensorConst

# Brevitas and the exporters of PyTorch warn of themselves.
pytestmark = pytest.mark.filterwarnings("ignore")
SIZE, HIDDEN, CLASSES = 12, 10, 4
FOLDED = "Dense Threshold Dense"


def trained(*layers):
    """A network whose scales and statistics are those of some random training."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(*layers)
    for parameter in net.parameters():
        if parameter.ndim == 1 and parameter.numel() == HIDDEN:
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    net.train()
    for _ in range(3):
        net(torch.randn(32, SIZE))
    return net.eval()


def mlp(*, weights=None, bits=4, act=None, first=None, last=(), **linear):
    """A network of one hidden layer with batch normalization."""
    given = {"weight_quant": weights} if weights is not None else {
        "weight_bit_width": bits}
    first = first or qnn.QuantIdentity(bit_width=8, return_quant_tensor=True)
    act = act or qnn.QuantReLU(bit_width=3, return_quant_tensor=True)
    return trained(
        first, qnn.QuantLinear(SIZE, HIDDEN, bias=False, **given, **linear),
        torch.nn.BatchNorm1d(HIDDEN), act,
        qnn.QuantLinear(HIDDEN, CLASSES, bias=True, **given, **linear), *last)


def exported(net, folder, write=export_qonnx, **options):
    path = folder / "net.onnx"
    options = {"dynamo": False} | options if write is export_qonnx else options
    write(net, torch.randn(1, SIZE), str(path), **options)
    return path


def close(path, expected):
    """The import of a file, equal to it, that begins with layers of the ``expected`` types."""
    found = load(path)
    assert types(found).startswith(expected)
    assert "not used by the output" not in {became for _, became in found.nodes}
    return compared(found)


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 7, 8])
def test_weights_of_each_number_of_bits(bits, tmp_path):
    found = close(exported(mlp(bits=bits), tmp_path), FOLDED)
    weights = found.network.layers[0].weights
    assert np.abs(weights).max() <= 2 ** (bits - 1) - 1


def test_a_scale_a_row_of_weights(tmp_path):
    close(exported(mlp(weight_scaling_per_output_channel=True), tmp_path), FOLDED)


@pytest.mark.parametrize("write", [export_qonnx, export_onnx_qcdq])
def test_each_exporter(write, tmp_path):
    close(exported(mlp(), tmp_path, write), FOLDED)


def test_the_exporter_of_dynamo_at_its_own_opset(tmp_path):
    close(exported(mlp(), tmp_path, dynamo=True), FOLDED)


def test_the_default_options(tmp_path):
    path = tmp_path / "net.onnx"
    export_qonnx(mlp(), torch.randn(1, SIZE), str(path))
    close(path, FOLDED)


@pytest.mark.parametrize("opset", [9, 11, 13, 16, 17])
def test_each_opset(opset, tmp_path):
    close(exported(mlp(), tmp_path, opset_version=opset), FOLDED)


@pytest.mark.parametrize("quantizer, kind", [
    (quant.Int8ActPerTensorFloat, "int8"), (quant.Uint8ActPerTensorFloat, "uint8"),
    (quant.ShiftedUint8ActPerTensorFloat, "int"), (quant.Int8ActPerTensorFixedPoint, "int8")])
def test_inputs_of_eight_bits(quantizer, kind, tmp_path):
    first = qnn.QuantIdentity(act_quant=quantizer, return_quant_tensor=True)
    found = close(exported(mlp(first=first), tmp_path), FOLDED)
    assert str(found.network.input.element).startswith(kind)


@pytest.mark.parametrize("act, kind", [
    (lambda: qnn.QuantReLU(bit_width=2), "uint2"), (lambda: qnn.QuantReLU(bit_width=8), "uint8"),
    (lambda: qnn.QuantIdentity(bit_width=4), "int4"),
    (lambda: qnn.QuantIdentity(bit_width=2, narrow_range=True), "ternary"),
    (lambda: qnn.QuantIdentity(act_quant=quant.SignedBinaryActPerTensorConst), "bipolar"),
    (lambda: qnn.QuantHardTanh(bit_width=3, min_val=-1.0, max_val=1.0), "int3"),
    (lambda: qnn.QuantTanh(bit_width=4), "int4"), (lambda: qnn.QuantSigmoid(bit_width=4), "uint4")])
def test_activations(act, kind, tmp_path):
    found = close(exported(mlp(act=act()), tmp_path), FOLDED)
    assert str(found.network.tensors[found.network.layers[1].name].element) == kind


@pytest.mark.parametrize("weights, alphabet", [
    (quant.SignedBinaryWeightPerTensorConst, Bipolar),
    (SignedTernaryWeightPerTensorConst, Ternary)])
@pytest.mark.parametrize("dynamo", [False, True])
def test_binary_and_ternary_weights_are_one_plane(weights, alphabet, dynamo, tmp_path):
    found = close(exported(mlp(weights=weights), tmp_path, dynamo=dynamo), FOLDED)
    for layer in found.network.layers[0], found.network.layers[2]:
        assert [plane.alphabet for plane in layer.planes] == [alphabet()]


@pytest.mark.parametrize("last", [(), (torch.nn.Sigmoid(),)], ids=["plain", "sigmoid"])
def test_a_single_output(last, tmp_path):
    net = trained(qnn.QuantIdentity(bit_width=8), qnn.QuantLinear(
        SIZE, 1, bias=True, weight_bit_width=4), *last)
    close(exported(net, tmp_path), "Dense Threshold")


@pytest.mark.parametrize("last", [torch.nn.Softmax(dim=1), torch.nn.LogSoftmax(dim=1)])
@pytest.mark.parametrize("dynamo", [False, True])
def test_a_softmax_at_the_end(last, dynamo, tmp_path):
    close(exported(mlp(last=(last,)), tmp_path, dynamo=dynamo), FOLDED)


class Decided(torch.nn.Module):
    """A network that ends in the index of its largest output."""
    def __init__(self, net, decide):
        super().__init__()
        self.net, self.decide = net, decide

    def forward(self, x):
        return self.decide(self.net(x))


@pytest.mark.parametrize("decide", [lambda x: torch.argmax(x, 1), lambda x: torch.topk(x, 1)[1],
                                    lambda x: torch.max(x, 1)[1]], ids=["argmax", "topk", "max"])
def test_a_decision_at_the_end(decide, tmp_path):
    close(exported(Decided(mlp(), decide).eval(), tmp_path), FOLDED)


def test_quantized_biases(tmp_path):
    net = trained(
        qnn.QuantIdentity(bit_width=8, return_quant_tensor=True),
        qnn.QuantLinear(SIZE, HIDDEN, bias=True, weight_bit_width=4,
                        bias_quant=quant.Int8BiasPerTensorFloatInternalScaling),
        qnn.QuantReLU(bit_width=4, return_quant_tensor=True),
        qnn.QuantLinear(HIDDEN, CLASSES, bias=True, weight_bit_width=4,
                        bias_quant=quant.Int32Bias))
    close(exported(net, tmp_path), FOLDED)
