"""Training what all recipes share: integer networks that decide as their models do."""
import dataclasses

import numpy as np
import pytest
import torch

from sw import data
from sw.train import mnist, mnist_bnn, mnist_shiftcnn, mnist_twn


def small(recipe):
    """A recipe of the same kind for 8 × 8 digits."""
    return dataclasses.replace(recipe, indices=np.arange(64), hidden=(24, 16))


RECIPES = [small(module.RECIPE) for module in (mnist_bnn, mnist_twn, mnist_shiftcnn)]


def read(recipe, split):
    return recipe.read(torch.from_numpy(15 * split.images))


def train(recipe, *, epochs, seed, progress=lambda epoch, loss: None):
    split = data.load("digits", "train")
    labels = torch.from_numpy(split.labels.astype(np.int64))
    torch.manual_seed(seed)
    return mnist.fit(recipe.model(), recipe, read(recipe, split)[None], labels, epochs=epochs,
                     seed=seed, progress=progress)


@pytest.fixture(scope="module", params=RECIPES, ids=lambda recipe: recipe.name)
def digits(request):
    """A small model trained on digits: recipe, model and losses."""
    losses = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "BATCH", 64)
        model = train(request.param, epochs=12, seed=0,
                      progress=lambda epoch, loss: losses.append(loss))
    return request.param, model, losses


@pytest.fixture(scope="module")
def sample():
    return data.load("digits", "sample")


def test_training_learns(digits, sample):
    recipe, model, losses = digits
    network = mnist.export(model, recipe, pixels=64)
    assert losses[-1] < 0.5 * losses[0]
    assert np.mean(network.run(15 * sample.images)[:, 0] == sample.labels) > 0.6


@pytest.mark.parametrize("gamma", [1, -1, 0])
def test_network_equals_model(digits, sample, gamma):
    recipe, trained, _ = digits
    model = recipe.model()
    model.load_state_dict(trained.state_dict())
    with torch.no_grad():
        for norm in model.norms:
            norm.weight[::2] *= gamma
    network = mnist.export(model.eval(), recipe, pixels=64)
    with torch.no_grad():
        x = recipe.pixels.values(read(recipe, sample)).double()
        logits = model.double()(x) / model.log_scale.exp()
    tensors = network.run(15 * sample.images, trace=True)
    assert tensors["dense3"].tolist() == logits.round().tolist()
    assert tensors["class"][:, 0].tolist() == logits.round().argmax(1).tolist()


def test_network_is_what_hardware_runs(digits):
    recipe, model, _ = digits
    network = mnist.export(model, recipe, pixels=64)
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds == ["Select", "Threshold", *["Dense", "Threshold"] * 2, "Dense", "ArgMax"]
    assert [layer.inputs[0] for layer in network.layers] == [
        "input", *(layer.name for layer in network.layers[:-1])]
    assert {str(layer.element) for layer in network.layers if hasattr(layer, "element")} == {
        "mnist-bnn": {"bipolar"}, "mnist-twn": {"uint2"}, "mnist-shiftcnn": {"uint4"}
    }[network.name]
    assert {tuple(str(plane.alphabet) for plane in layer.planes) for layer in network.layers
            if hasattr(layer, "planes")} == {
        "mnist-bnn": {("bipolar",)}, "mnist-twn": {("ternary",)},
        "mnist-shiftcnn": {("pow2(3)", "pow2(3)")}}[network.name]


def test_export_is_exact_at_ties():
    recipe = dataclasses.replace(mnist_bnn.RECIPE, indices=np.arange(4), hidden=(6,))
    model = recipe.model().eval()
    norm, = model.norms
    with torch.no_grad():
        norm.running_mean.copy_(torch.tensor([2.0, 2.0, 0.0, 0.0, 0.0, 0.0]))
        norm.weight.copy_(torch.tensor([1.0, -1.0, 0.0, 0.0, 1.0, -1.0]))
        norm.bias.copy_(torch.tensor([0.0, 0.0, -1.0, 0.0, 9.0, -9.0]))
    sign = mnist.export(model, recipe, pixels=4).layers[3]
    sums = np.arange(-4, 6, 2)[:, None].repeat(6, axis=1)
    assert sign.run(sums).T.tolist() == [
        [-1, -1, -1, 1, 1],       # x >= 2
        [1, 1, 1, 1, -1],         # x <= 2
        [-1] * 5, [1] * 5,        # gamma 0: the sign of beta
        [1] * 5, [-1] * 5,        # never reached
    ]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_same_seed_same_network(recipe):
    models = [train(recipe, epochs=2, seed=seed) for seed in (3, 3, 4)]
    digests = [mnist.export(model, recipe, pixels=64).digest for model in models]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_pixels_are_read_as_the_network_reads_them(recipe):
    grey = np.arange(256, dtype=np.uint8).reshape(4, 64)
    network = mnist.export(recipe.model().eval(), recipe, pixels=64)
    seen = network.run(grey, trace=True)[recipe.pixels.input_name]
    assert recipe.pixels.values(recipe.read(torch.from_numpy(grey))).tolist() == seen.tolist()


@pytest.mark.parametrize("module", [mnist_bnn, mnist_twn, mnist_shiftcnn])
def test_recipes_read_ascending_pixels_and_grey_levels(module):
    recipe = module.RECIPE
    assert (np.diff(recipe.indices) > 0).all() and recipe.indices[-1] < mnist.SIDE ** 2
    assert (np.diff(recipe.grey) > 0).all() and len(recipe.grey) == recipe.pixels.steps


def test_make_chooses_on_validation_and_records_each_split(monkeypatch):
    sample = data.load("mnist", "sample")
    splits = {name: sample[slice(k, 5000, 50)]
              for k, name in enumerate(["train", "validation", "sample", "t10k"])}
    monkeypatch.setattr(data, "load", lambda name, split, data=None: splits[split])
    monkeypatch.setattr(mnist, "fit", lambda model, *rest, **options: model.eval())
    recipe = dataclasses.replace(mnist_bnn.RECIPE, hidden=(12, 8), copies=1)
    made = mnist.make(recipe, epochs=1, seed=7, runs=4, device="cpu")

    networks = []
    for seed in range(7, 11):
        torch.manual_seed(seed)
        networks.append(mnist.export(recipe.model().eval(), recipe))
    accuracies = [mnist.accuracy(network, splits["validation"]) for network in networks]
    best = int(np.argmax(accuracies))
    assert 0 < best and accuracies.count(accuracies[best]) == 1     # or this shows nothing
    assert made.digest == networks[best].digest
    assert made.provenance["chosen"] == f"seed {7 + best}, the best of 4 on the validation images"
    assert made.provenance["data"] == {name: split.digest for name, split in splits.items()}
    assert made.provenance["accuracy"] == {
        name: mnist.accuracy(made, split) for name, split in splits.items()}
