"""Imported networks on generated hardware: from the ONNX file to the simulated Verilog."""
import numpy as np
import pytest

from hw.accelerator import Accelerator
from hw.plan import plan
from hw.stages import Budget
from hw.verilog import convert
from sim.accelerator import Bench, Group
from sw.importers import check
from sw.importers.qonnx import load
from tests.sw.importers.models import GENERAL, Model, weights

BUDGET = Budget("test", 10 ** 6, 200)
CYCLES = 150        # a frame, so that layers are folded
FRAMES = 60


def bits(weight_bits, activation_bits):
    """Biases, weights of a scale each, activations of so many bits; codes of 8 bits in."""
    rng = np.random.default_rng(weight_bits)
    m = Model(1, 13)
    x = m.quant(m.input, 1 / 16, 8)
    for k, (columns, rows) in enumerate(((13, 9), (9, 7))):
        scale = rng.uniform(0.01, 0.1, rows).astype(np.float32)
        w = weights(rows, columns, seed=k, levels=2 ** (weight_bits - 1)) * scale[:, None]
        x = m("Gemm", x, w, rng.normal(0, 1, rows).astype(np.float32), transB=1)
        x = m.quant(m("Relu", x), 0.3, activation_bits, signed=0)
    return m, m("Gemm", x, weights(7, 5, levels=4), rng.normal(0, 9, 5).astype(np.float32))


def binary():
    """Images as pixels, binary weights and activations, batch norms of both slopes."""
    rng = np.random.default_rng(3)
    m = Model(1, 1, 6, 6)
    x = m("Reshape", m("Sub", m("Mul", m.input, 2.0), 1.0), np.array([1, 36]))
    for columns, rows in ((36, 12), (12, 10)):
        x = m("BipolarQuant", x, 1.0, domain=GENERAL)
        w = rng.choice(np.array([-1, 1], np.float32), (columns, rows))
        gamma, beta, mean = (rng.normal(0, 2, rows).astype(np.float32) for _ in range(3))
        x = m("BatchNormalization", m("MatMul", x, w), gamma, beta, mean,
              np.full(rows, 30, np.float32))
    x = m("BipolarQuant", x, 1.0, domain=GENERAL)
    return m, m("Softmax", m("MatMul", x, weights(10, 4, levels=2)), axis=-1)


def single():
    """One output behind a Sigmoid: the decision is whether it is above a half."""
    m = Model(1, 13)
    x = m.quant(m.dense(m.quant(m.input, 1 / 8, 6), 13, 8), 4.0, 4)
    return m, m("Sigmoid", m("Add", m.dense(x, 8, 1), 0.7))


def curved():
    """An activation that falls and rises, which takes a table, and the output of a quantizer."""
    m = Model(1, 13)
    x = m("MatMul", m.quant(m.input, 1 / 4, 4), weights(13, 8, levels=2))
    x = m.quant(m("Abs", m("Mul", x, 0.25)), 0.5, 4, signed=0)
    return m, m.quant(m.dense(x, 8, 6), 2.0, 5)


MODELS = {"bits2": lambda: bits(2, 2), "bits4": lambda: bits(4, 4), "bits6": lambda: bits(6, 8),
          "binary": binary, "single": single, "curved": curved}


@pytest.fixture(scope="module")
def imports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {name: load(model.save(folder, output, name=f"{name}.onnx"))
            for name, (model, output) in ((name, make()) for name, make in MODELS.items())}


@pytest.mark.parametrize("name", MODELS)
def test_equals_the_file(imports, name):
    found = check.check(imports[name], *check.frames(imports[name], 300), "random frames")
    assert found.equal, found


def test_hardware_equals_golden_on_all_in_the_cycles_planned(imports, tmp_path):
    networks = {name: imported.network for name, imported in imports.items()}
    plans = {name: plan(network, BUDGET, cycles=CYCLES) for name, network in networks.items()}
    group = Group({name: Accelerator(each) for name, each in plans.items()})
    (tmp_path / "group.v").write_text(convert(group, "accelerator"))
    frames = {name: check.frames(imported, FRAMES)[1] for name, imported in imports.items()}
    bench = Bench(group, tmp_path / "group.v", tmp_path, optimize=False)
    for stalls in (0, 0.3):
        runs = bench.run(frames, stalls=stalls)
        for name, run in runs.items():
            np.testing.assert_array_equal(run.results, networks[name].run(frames[name]), name)
            if not stalls:
                assert (run.last - run.first) / (FRAMES - 1) == plans[name].cycles, name


def test_a_single_output_is_a_class(imports):
    network = imports["single"].network
    assert network.decides and network.tensors["class"].hi.tolist() == [1]
