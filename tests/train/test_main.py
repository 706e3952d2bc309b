"""The command that trains the networks of the zoo."""
import dataclasses
import sys

import pytest

from sw import data
from sw.network import Network
from sw.train import __main__ as command
from sw.train import mnist, mnist_bnn, mnist_shiftcnn, mnist_twn


@pytest.mark.parametrize("module", [mnist_bnn, mnist_twn, mnist_shiftcnn],
                         ids=lambda module: module.RECIPE.name)
def test_command_writes_a_network(tmp_path, capsys, monkeypatch, module):
    sample = data.load("mnist", "sample")[slice(0, 5000, 25)]
    monkeypatch.setattr(data, "load", lambda name, split, data=None: sample)
    monkeypatch.setattr(module, "RECIPE",
                        dataclasses.replace(module.RECIPE, copies=1, hidden=(12, 8)))
    name = module.RECIPE.name
    file = tmp_path / "small.npz"
    assert command.main([name, "--epochs", "3", "--runs", "2", "--seed", "5", "--device", "cpu",
                         "-o", str(file)]) == 0
    network = Network.load(file)
    assert network.name == name
    assert network.provenance["accuracy"] == dict.fromkeys(
        ["train", "validation", "sample", "t10k"], mnist.accuracy(network, sample))
    assert network.provenance["data"]["sample"] == sample.digest
    assert network.provenance["recipe"] == module.__name__
    assert network.provenance["command"] == (f"python -m sw.train {name} --epochs 3 --seed 5 "
                                             f"--runs 2 --device cpu")
    assert network.digest[:16] in capsys.readouterr().out


@pytest.mark.parametrize("module", [mnist_bnn, mnist_twn, mnist_shiftcnn],
                         ids=lambda module: module.RECIPE.name)
def test_command_takes_the_recipes_length_and_the_zoos_file(capsys, monkeypatch, module):
    asked = {}

    def make(recipe, **options):
        asked.update(options, recipe=recipe)
        raise data.DataError("enough")

    monkeypatch.setattr(mnist, "make", make)
    recipe = module.RECIPE
    assert command.main([recipe.name, "--device", "cpu"]) == 1
    assert capsys.readouterr().err == "error: --data: enough\n"
    assert asked["recipe"] is recipe
    assert (asked["epochs"], asked["runs"], asked["seed"]) == (recipe.epochs, recipe.runs, 0)
    assert command._options([recipe.name]).output.name == f"{recipe.name}.npz"


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
    monkeypatch.setitem(sys.modules, "torch", None)
    assert command.main(["mnist-bnn"]) == 3
    assert capsys.readouterr().err == ("error: training needs PyTorch; install it with: "
                                       "pip install -e '.[train]'\n")
