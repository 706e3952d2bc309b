from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hw.accelerator import Accelerator
from hw.errors import ToolFailed
from hw.plan import plan
from hw.stages import Budget
from hw.verilog import convert
from sim import verilator
from sim.accelerator import Mismatch, trace, verify
from sw.element import Bipolar, UInt
from sw.network import ArgMax, Dense, Network, Tensor, Threshold
from sw.planes import bipolar


def network(rng):
    """Random weights, 21 pixels in, 5 classes out: no size divides any other."""
    def dense(name, source, rows, columns):
        return Dense(name, (source,), (bipolar(rng.choice([-1, 1], (rows, columns))),))

    def threshold(name, source, thresholds, flip):
        return Threshold(name, (source,), thresholds[:, None], flip, Bipolar())

    return Network("random", Tensor.full(UInt(8), (21,)), (
        threshold("binarize", "input", rng.integers(64, 192, 21), np.zeros(21, bool)),
        dense("hidden", "binarize", 11, 21),
        threshold("sign", "hidden", rng.integers(-4, 4, 11), rng.integers(0, 2, 11) > 0),
        dense("output", "sign", 5, 11),
        ArgMax("decision", ("output",)),
    ))


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    """A network, its accelerator, frames, and a folder for its model."""
    rng = np.random.default_rng(0)
    ir = network(rng)
    accelerator = Accelerator(plan(ir, Budget("test", 5000, 4), cycles=40))
    folder = tmp_path_factory.mktemp("accelerator")
    verilog = folder / "accelerator.v"
    verilog.write_text(convert(accelerator, "accelerator"))
    return SimpleNamespace(network=ir, accelerator=accelerator, verilog=verilog, folder=folder,
                           frames=rng.integers(0, 256, (300, 21), dtype=np.uint8))


def check(design, *, network=None, frames=None, **options):
    return verify(network or design.network, design.accelerator, design.verilog,
                  design.frames if frames is None else frames, design.folder, **options)


def test_equals_golden_in_as_many_cycles_as_planned(design):
    result = check(design)
    assert (result.digest, result.frames, result.logits) == (design.network.digest, 300, 1500)
    assert result.cycles_per_frame == design.accelerator.plan.cycles


@pytest.mark.parametrize("stalls", [0.2, 0.7])
def test_equals_golden_under_stalls(design, stalls):
    ends = [check(design, stalls=stalls, seed=seed).last for seed in (1, 2, 1)]
    assert ends[0] == ends[2] != ends[1]


def test_single_frame(design):
    result = check(design, frames=design.frames[:1])
    assert result.cycles_per_frame == result.last + 1 == result.first + 1


def test_progress(design):
    done = []
    check(design, frames=np.tile(design.frames, (10, 1)), progress=done.append)
    assert done[-1] == 3000
    assert done == sorted(done)


def test_trace_has_every_tensor(design):
    golden = design.network.run(design.frames, trace=True)
    tensors = trace(design.accelerator, design.verilog, design.frames, design.folder)
    assert ["input", *tensors] == list(golden)
    for layer, tensor in tensors.items():
        np.testing.assert_array_equal(tensor, golden[layer], layer)


@pytest.mark.parametrize("index, channel", [(0, 20), (2, 3)])
def test_mismatch_names_the_first_layer_that_differs(design, index, channel):
    layers = list(design.network.layers)
    thresholds = layers[index].thresholds.copy()
    thresholds[channel] += 1 if index == 0 else 2
    layers[index] = replace(layers[index], thresholds=thresholds)
    other = replace(design.network, layers=tuple(layers))
    ours, theirs = (ir.run(design.frames, trace=True) for ir in (design.network, other))
    differs = (ours["output"] != theirs["output"]).any(axis=1)
    frame, layer = int(np.argmax(differs)), layers[index].name

    with pytest.raises(Mismatch) as caught:
        check(design, network=other, stalls=0.1)
    error = caught.value
    assert (error.frame, error.layer, error.channel) == (frame, layer, channel)
    assert error.got == ours[layer][frame, channel] == -theirs[layer][frame, channel]
    equal = 300 - np.count_nonzero(differs)
    assert str(error) == (f"{equal} of 300 frames equal; frame {frame}, layer {layer}, channel "
                          f"{channel}: expected {error.expected}, got {error.got}")


def test_mismatch_in_the_logits(design):
    layers = list(design.network.layers)
    codes = layers[3].planes[0].codes.copy()
    codes[2, 7] *= -1
    layers[3] = replace(layers[3], planes=(bipolar(codes),))
    with pytest.raises(Mismatch, match=r"^0 of 300 frames equal; frame 0, layer output, channel 2: "
                                       r"expected -?\d+, got -?\d+$"):
        check(design, network=replace(design.network, layers=tuple(layers)))


def test_cycle_limit(design):
    with pytest.raises(ToolFailed, match=(
            r"^(\d+) results of 300 frames left the accelerator in \d+ cycles; in a run of the "
            r"first \d+, the layers gave: binarize \d+, hidden \d+, sign \d+, output \d+, "
            r"decision \d+$")):
        check(design, limit=1000)


def test_wrong_parameters(design):
    with pytest.raises(ValueError, match=r"^There are no frames to simulate$"):
        check(design, frames=design.frames[:0])
    with pytest.raises(ValueError, match=r"^Stalls must be a probability below 1, not 1$"):
        check(design, stalls=1)


def test_lint(design):
    verilator.lint(design.verilog, "accelerator")
