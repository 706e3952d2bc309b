"""The trained networks that ship, as the recipes left them."""
from importlib import resources

import numpy as np
import pytest

from sw import data
from sw.network import Dense, Network
from sw.train import mnist_bnn, mnist_shiftcnn, mnist_twn


@pytest.fixture(scope="module", params=[mnist_bnn, mnist_twn, mnist_shiftcnn],
                ids=lambda module: module.RECIPE.name)
def shipped(request):
    recipe = request.param.RECIPE
    with resources.as_file(resources.files("sw.zoo").joinpath(f"{recipe.name}.npz")) as path:
        return recipe, Network.load(path)


def test_the_sample_has_the_recorded_accuracy(shipped):
    _, network = shipped
    sample = data.load("mnist", "sample")
    right = network.run(sample.images)[:, 0] == sample.labels
    assert float(np.mean(right)) == network.provenance["accuracy"]["sample"]
    assert sample.digest == network.provenance["data"]["sample"]


def test_it_is_of_the_recipe(shipped):
    recipe, network = shipped
    assert network.name == recipe.name
    assert network.layers[0].indices.tolist() == recipe.indices.tolist()
    sizes = [layer.planes[0].shape for layer in network.layers if isinstance(layer, Dense)]
    assert sizes == list(zip((*recipe.hidden, 10), (len(recipe.indices), *recipe.hidden),
                             strict=True))
    assert network.provenance["command"].startswith(
        f"python -m sw.train {recipe.name} --epochs {recipe.epochs} --seed 0 "
        f"--runs {recipe.runs} ")


def test_t10k_accuracy_reaches_its_bar(shipped):
    _, network = shipped
    bar = {"mnist-bnn": 0.97, "mnist-twn": 0.965, "mnist-shiftcnn": 0.96}[network.name]
    assert network.provenance["accuracy"]["t10k"] >= bar
