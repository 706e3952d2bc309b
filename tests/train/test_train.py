"""Training: the straight-through estimator, and networks that decide as their models do."""
import numpy as np
import pytest
import torch

from sw import data
from sw.network import Network
from sw.train import __main__ as command
from sw.train import mnist_bnn
from sw.train.augment import distort
from sw.train.ste import BinaryLinear, Sign


def test_sign_forward_and_backward():
    x = torch.tensor([-2.0, -0.0, 0.0, 0.5], requires_grad=True)
    y = Sign.apply(x)
    y.backward(torch.tensor([1.0, 1.0, 2.0, 1.0]))
    assert y.tolist() == [-1, 1, 1, 1]
    torch.testing.assert_close(x.grad, torch.tensor([1.0, 1.0, 2.0, 1.0])
                               * (1 - torch.tanh(torch.tensor([-2.0, 0.0, 0.0, 0.5])) ** 2))


def test_binary_linear_forward_and_backward():
    layer = BinaryLinear(3, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.2, -0.1, 0.0], [-1.5, 0.3, 2.0]]))
    x = torch.tensor([[1.0, -1.0, 1.0]], requires_grad=True)
    y = layer(x)
    y.backward(torch.tensor([[1.0, 10.0]]))
    assert y.tolist() == [[3, -1]]
    assert layer.weight.grad.tolist() == [[1, -1, 1], [10, -10, 10]]   # as if w, not its sign
    assert x.grad.tolist() == [[-9, 9, 11]]                            # through the signs
    layer.clip()
    assert layer.weight.min() == -1 and layer.weight.max() == 1
    assert layer.signs.tolist() == [[1, -1, 1], [-1, 1, 1]]


def test_distort_keeps_shape_and_moves_little():
    images = torch.from_numpy(data.load("mnist", "sample").images[:50])
    copy = distort(images, torch.Generator().manual_seed(0))
    assert copy.shape == images.shape and copy.dtype == torch.uint8
    assert not torch.equal(copy, images)
    still = distort(images, torch.Generator().manual_seed(0), degrees=0, stretch=0, shear=0,
                    pixels=0, elastic=0)
    assert torch.equal(still, images)


@pytest.fixture(scope="module")
def digits():
    """A small model trained on digits: model, its integer network, images and labels."""
    train, sample = data.load("digits", "train"), data.load("digits", "sample")
    torch.manual_seed(0)
    model = mnist_bnn.Model([64, 24, 16, 10])
    copies = torch.from_numpy(15 * train.images.reshape(1, len(train), -1))
    losses = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist_bnn, "BATCH", 64)
        mnist_bnn.fit(model, copies, torch.from_numpy(train.labels.astype(np.int64)), epochs=40,
                      seed=0, progress=lambda epoch, loss: losses.append(loss))
    return model, losses, 15 * sample.images.reshape(len(sample), -1), sample.labels


def test_training_learns(digits):
    model, losses, images, labels = digits
    network = mnist_bnn.export(model, indices=np.arange(64), pixels=64)
    assert losses[-1] < 0.5 * losses[0]
    assert np.mean(network.run(images)[:, 0] == labels) > 0.6


@pytest.mark.parametrize("gamma", ["trained", "negative", "zero"])
def test_network_equals_model(digits, gamma):
    model, _, images, _ = digits
    with torch.no_grad():
        for norm in model.norms:
            kept = norm.weight.clone()
            norm.weight[::2] *= {"trained": 1, "negative": -1, "zero": 0}[gamma]
            norm._kept = kept
    network = mnist_bnn.export(model, indices=np.arange(64), pixels=64)
    x = torch.from_numpy(np.where(images >= mnist_bnn.THRESHOLD, 1.0, -1.0))
    with torch.no_grad():
        logits = model.double()(x) / model.log_scale.exp()
    model.float()
    with torch.no_grad():
        for norm in model.norms:
            norm.weight.copy_(norm._kept)
    tensors = network.run(images, trace=True)
    np.testing.assert_array_equal(tensors["dense3"], logits.round().numpy())
    np.testing.assert_array_equal(tensors["class"][:, 0], logits.round().argmax(1).numpy())


def test_export_is_exact_at_ties():
    model = mnist_bnn.Model([4, 6, 3]).eval()
    norm, = model.norms
    with torch.no_grad():
        norm.running_mean.copy_(torch.tensor([2.0, 2.0, 0.0, 0.0, 0.0, 0.0]))
        norm.weight.copy_(torch.tensor([1.0, -1.0, 0.0, 0.0, 1.0, -1.0]))
        norm.bias.copy_(torch.tensor([0.0, 0.0, -1.0, 0.0, 9.0, -9.0]))
    sign = mnist_bnn.export(model, indices=np.arange(4), pixels=4).layers[3]
    sums = np.arange(-4, 6, 2)[:, None].repeat(6, axis=1)
    assert sign.run(sums).T.tolist() == [
        [-1, -1, -1, 1, 1],       # x >= 2
        [1, 1, 1, 1, -1],         # x <= 2
        [-1] * 5, [1] * 5,        # gamma 0: the sign of beta
        [1] * 5, [-1] * 5,        # never reached
    ]


def test_same_seed_same_network():
    sample = data.load("digits", "train")
    copies = torch.from_numpy(15 * sample.images.reshape(1, len(sample), -1))
    labels = torch.from_numpy(sample.labels.astype(np.int64))
    digests = set()
    for _ in range(2):
        torch.manual_seed(3)
        model = mnist_bnn.fit(mnist_bnn.Model([64, 8, 10]), copies, labels, epochs=2, seed=3)
        digests.add(mnist_bnn.export(model, indices=np.arange(64), pixels=64).digest)
    assert len(digests) == 1


def test_command_writes_a_network(tmp_path, capsys, monkeypatch):
    sample = data.load("mnist", "sample")
    monkeypatch.setattr(data, "load", lambda name, split, data=None: sample[slice(0, 5000, 25)])
    monkeypatch.setattr(mnist_bnn, "COPIES", 1)
    monkeypatch.setattr(mnist_bnn, "HIDDEN", (12, 8))
    file = tmp_path / "small.npz"
    assert command.main(["mnist-bnn", "--epochs", "3", "--runs", "2", "--seed", "5", "--device",
                         "cpu", "-o", str(file)]) == 0
    network = Network.load(file)
    assert network.provenance["accuracy"]["sample"] == mnist_bnn.accuracy(
        network, sample[slice(0, 5000, 25)])
    assert network.provenance["data"]["sample"] == sample[slice(0, 5000, 25)].digest
    assert network.digest[:16] in capsys.readouterr().out


def test_command_names_missing_data(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("BITWRIGHT_DATA", raising=False)
    assert command.main(["mnist-bnn", "--data", str(tmp_path)]) == 1
    assert "error: --data: no IDX files of mnist" in capsys.readouterr().err


def test_command_names_missing_folder(tmp_path, capsys):
    file = tmp_path / "no" / "x.npz"
    assert command.main(["mnist-bnn", "-o", str(file)]) == 1
    assert capsys.readouterr().err == (f"error: --output {file}: there is no folder "
                                       f"{file.parent}\n")


def test_command_names_missing_torch(capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    assert command.main(["mnist-bnn"]) == 3
    assert capsys.readouterr().err == ("error: training needs PyTorch; install it with: "
                                       "pip install -e '.[train]'\n")
