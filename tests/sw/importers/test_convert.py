"""The command: what it prints and writes, and its exit codes."""
import subprocess
import sys

import numpy as np
import pytest

from sw import convert
from sw.importers.qonnx import load
from sw.network import Network
from tests.sw.importers.models import Model

SIZE = 8


@pytest.fixture
def path(tmp_path):
    """A file of two layers."""
    model = Model(1, SIZE)
    x = model.quant(model.input, 0.25, 4)
    x = model.quant(model.dense(x, SIZE, 6, name="first"), 0.5, 3)
    x = model("Softmax", model.dense(x, 6, 3, name="second"), axis=1)
    return model.save(tmp_path, x)


def refused(capsys, arguments, message):
    """Assert that the command ends with exit code 1 and the message."""
    with pytest.raises(SystemExit) as error:
        convert.main([*map(str, arguments)])
    assert error.value.code == 1
    assert capsys.readouterr().err == f"error: {message}\n"


def test_the_report_says_what_was_read_and_that_it_is_equal(path, capsys):
    assert convert.main([str(path), "--frames", "50"]) == 0
    told = capsys.readouterr().out
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    assert lines[0] == "net: int4[8] in"
    assert [line.split()[:2] for line in lines if line.split()[0] in (
        "first", "quant2", "second", "class")] == [
        ["first", "Dense"], ["quant2", "Threshold"], ["second", "Dense"], ["class", "ArgMax"]]
    assert "input: int4 codes of the file's quantizer quant0" in lines
    assert "node softmax4 (Softmax) at the end is dropped: it keeps the order of the classes" in (
        lines)
    assert lines[-1].startswith("qonnx 1.0.0, 50 random frames: 50 of 50 decisions and 1,150 of "
                                "1,150 integers of 4 layers")


def test_what_became_of_each_node_is_told_on_request(path, capsys):
    assert convert.main([str(path), "--frames", "9", "--nodes"]) == 0
    told = capsys.readouterr().out
    rows = [line.split(maxsplit=2) for line in told.splitlines()]
    for row in (["quant0", "Quant", "quantizes the input, before the hardware"],
                ["first", "MatMul", "Dense first"], ["quant2", "Quant",
                                                     "folded into Threshold quant2"],
                ["softmax4", "Softmax", "dropped: it keeps the order"]):
        assert row in [[each.strip() for each in found] for found in rows]


def test_the_network_is_written_and_is_the_same_when_loaded(path, tmp_path, capsys):
    output = tmp_path / "network.npz"
    assert convert.main([str(path), "-o", str(output), "--frames", "9"]) == 0
    network, imported = Network.load(output), load(path).network
    assert network.digest == imported.digest
    assert f"network digest {network.digest[:16]}" in " ".join(capsys.readouterr().out.split())
    assert network.provenance["file"] == "net.onnx"
    x = np.random.default_rng(0).integers(-8, 8, (99, SIZE))
    np.testing.assert_array_equal(network.run(x), imported.run(x))


def test_values_and_pixels_on_request(path, capsys):
    refused(capsys, [path, "--result", "values"],
            f"{path}: it ends in node softmax4 (Softmax), of which only the order is kept; remove "
            f"it to have the values")
    assert convert.main([str(path), "--input", "raw", "--pixel", "2/255,-1", "--frames", "9"]) == 0
    assert "reads as 0.00784314 · p + -1" in " ".join(capsys.readouterr().out.split())


def test_a_data_set_is_compared_too(tmp_path, capsys):
    model = Model(1, 1, 8, 8)
    x = model("Flatten", model.quant(model.input, 2.0 ** -7, 8))
    path = model.save(tmp_path, model.dense(x, 64, 10, levels=2))
    assert convert.main([str(path), "--dataset", "digits", "--frames", "30"]) == 0
    assert "30 frames of digits: 30 of 30 decisions" in " ".join(capsys.readouterr().out.split())


def test_a_data_set_of_another_size_is_refused(path, capsys):
    refused(capsys, [path, "--dataset", "digits"],
            f"--dataset digits: its frames are 64 8-bit pixels, but {path} reads uint8[8]")


def test_a_data_set_of_pixels_is_nothing_for_codes(path, capsys):
    refused(capsys, [path, "--dataset", "digits", "--input", "codes"],
            f"--dataset digits: its frames are 64 8-bit pixels, but {path} reads int4[8]; say "
            f"--input raw")


@pytest.mark.parametrize("pixel", ["1/0", "nan", "x", "1,2,3", "", "0", "1e999"])
def test_pixels_must_be_numbers(pixel, path, capsys):
    refused(capsys, [path, "--pixel", pixel],
            f"argument --pixel: must be SCALE or SCALE,OFFSET such as 1/255 or 2/255,-1, not "
            f"{pixel!r}; see --help")


@pytest.mark.parametrize("options, message", [
    (["--frames", "0"], "--frames 0: it must be 1 or more"),
    (["--input", "all"], "input all: it is raw or codes"),
    (["--result", "all"], "output all: it is decision or values"),
    (["-o", "net.txt"], "net.txt: a network is written as .npz or .onnx"),
    (["-o", "none/net.npz"], "none/net.npz: there is no folder none; make it first"),
    (["--frames", "many"], "argument --frames: invalid int value: 'many'; see --help")])
def test_a_bad_option_is_refused(options, message, path, capsys):
    refused(capsys, [path, *options], message)


def test_a_file_that_is_no_model_is_refused(tmp_path, capsys):
    path = tmp_path / "net.onnx"
    path.write_text("a text")
    refused(capsys, [path], f"{path}: it is no ONNX file, or damaged")


def test_a_network_that_is_no_network_is_refused(tmp_path, capsys):
    path = tmp_path / "net.npz"
    path.write_text("a text")
    with pytest.raises(SystemExit) as error:
        convert.main([str(path)])
    assert error.value.code == 1
    assert capsys.readouterr().err.startswith(f"error: {path}: ")


def test_a_layer_that_differs_is_refused(path, capsys, monkeypatch):
    from sw.importers import products

    def wrong(*given):
        planes, scale, offset = of_weights(*given)
        return planes, 1.5 * scale, offset

    of_weights = products.planes_of
    monkeypatch.setattr(products, "planes_of", wrong)
    with pytest.raises(SystemExit) as error:
        convert.main([str(path), "--frames", "50"])
    assert error.value.code == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error: {path}: layer first differs from tensor 'first_out' as qonnx "
                           f"1.0.0 computes it, on random frames: ")
    assert "of 300 integers (frame 0, element (" in told


def test_decisions_that_differ_are_refused(path, capsys, monkeypatch):
    from sw.importers import decision

    def wrong(b, maker, x):
        return x if x.source != "second" else ordered(b, maker, decision.replace(
            x, where=x.where[..., ::-1]))

    ordered = decision.ordered
    monkeypatch.setattr(decision, "ordered", wrong)
    with pytest.raises(SystemExit):
        convert.main([str(path), "--frames", "50"])
    told = capsys.readouterr().err
    assert told.startswith(f"error: {path}: its decisions are others than qonnx 1.0.0 takes, on ")
    assert told.endswith(" of 50 random frames\n")


def test_an_interrupt_ends_with_130(path, monkeypatch, capsys):
    def interrupted(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(convert, "convert", interrupted)
    assert convert.main([str(path)]) == 130
    assert capsys.readouterr().err == "interrupted; nothing was left half written\n"


def test_the_module_is_a_command(path):
    done = subprocess.run([sys.executable, "-m", "sw.convert", path, "--frames", "5"],
                          capture_output=True, text=True, check=True)
    assert "5 of 5 decisions" in " ".join(done.stdout.split())
    assert done.stderr == ""
