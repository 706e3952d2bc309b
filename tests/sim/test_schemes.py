"""Every scheme on generated hardware: a dense layer of its weights, on every kind of activation.

A group of designs is one model of Verilator: each has a folding that divides neither rows nor
columns, its inputs and outputs stall at random, and every output must be the golden model's.
"""
import numpy as np
import pytest

from hw.accelerator import Accelerator
from hw.plan import Planner
from hw.stages import Budget
from hw.verilog import convert
from sim.accelerator import Bench, Group
from sw.element import Bipolar, Int, Levels, Planes, Pow2, Ternary, UInt
from sw.network import Dense, Network, NetworkError, Tensor
from sw.planes import Product
from sw.schemes import schemes

ROWS, COLUMNS = 11, 37
PE, SIMD = 2, 3
FRAMES = 12
ELEMENTS = {
    "bipolar": Bipolar(), "ternary": Ternary(), "uint4": UInt(4), "int5": Int(5),
    "pow2": Pow2(3), "levels": Levels((-7, -2, 0, 1, 9)), "planes": Planes((1, 3)),
}
EDGES = "int5"      # on which the second tensor runs, too
BUDGET = Budget("test", 10 ** 6, 0)


def random_weights():
    return np.random.default_rng(7).normal(0, 0.1, (ROWS, COLUMNS))


def edge_weights():
    """Rows of zeros, of constants, of extremes, and of all magnitudes."""
    w = np.random.default_rng(8).normal(0, 0.1, (ROWS, COLUMNS))
    w[0], w[1], w[2] = 0, 0.7, -0.7
    w[3, ::2], w[3, 1::2] = 1e3, -1e3
    w[4] = 2.0 ** -(np.arange(COLUMNS) % 16)
    w[5, 1:] = 0
    return w


WEIGHTS = {"random": random_weights(), "edge": edge_weights()}


def layers(terms):
    """The dense layers of quantized weights: two of a product of matrices."""
    if isinstance(terms[0], Product):
        (product,) = terms
        return (Dense("first", ("input",), (product.right,)),
                Dense("second", ("first",), (product.left,)))
    used = tuple(plane for plane in terms if plane.coefficients.any()) or terms[:1]
    return (Dense("dense", ("input",), used),)


def inputs(network, rng):
    """Frames at the ends of every row's range, of one value throughout, and at random."""
    element = network.input.element
    values = np.unique(element.decode(element.codes()))
    frames = rng.choice(values, (FRAMES, COLUMNS))
    frames[0], frames[1] = element.lo, element.hi
    dense = network.layers[0]
    for k in range(min(3, len(dense.weights))):
        up = dense.weights[k] >= 0
        frames[2 + 2 * k] = np.where(up, element.hi, element.lo)
        frames[3 + 2 * k] = np.where(up, element.lo, element.hi)
    return frames


def design(network, turn):
    """A network's accelerator, folded oddly, and the datapath that it is on: each in its turn."""
    planner = Planner(network, BUDGET)
    folds = []
    for layer in planner.dense:
        ways = planner.ways[layer.name]
        way = ways[turn % len(ways)]
        folds.append((way, 1 if way.front else SIMD, PE))
    return Accelerator(planner.build(1, folds)), " / ".join(way.name for way, _, _ in folds)


@pytest.mark.parametrize("element", ELEMENTS)
def test_every_scheme_equals_golden_on(element, tmp_path):
    kind = ELEMENTS[element]
    networks, accelerators, frames, names, without = {}, {}, {}, {}, []
    rng = np.random.default_rng(1)
    turn = 0
    for scheme in schemes().values():
        for which, w in WEIGHTS.items():
            if which == "edge" and element != EDGES:
                continue
            quantized = scheme.quantize(w, **scheme.stand_ins(w))
            name = f"{scheme.name}_{which}"
            try:
                network = Network(name, Tensor.full(kind, (COLUMNS,)),
                                  layers(quantized.network_weights().planes))
            except NetworkError as error:
                without.append((name, str(error)))
                continue
            accelerators[name], names[name] = design(network, turn)
            networks[name], frames[name] = network, inputs(network, rng)
            turn += 1
    group = Group(accelerators)
    (tmp_path / "group.v").write_text(convert(group, "accelerator"))
    bench = Bench(group, tmp_path / "group.v", tmp_path, optimize=False)
    runs = bench.run(frames, stalls=0.3)
    wrong = [f"{name} ({names[name]})" for name, run in runs.items()
             if not np.array_equal(run.results, networks[name].run(frames[name]))]
    assert wrong == []
    assert without == []
