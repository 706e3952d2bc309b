from dataclasses import replace

import numpy as np
import pytest

from hw.datapath import datapaths
from hw.errors import UserError
from hw.fabric import ECP5, ICE40
from hw.plan import plan, unroll
from hw.stages import Budget, DenseStage
from sw.alphabet import Integer
from sw.element import Bipolar, UInt
from sw.network import (
    Add,
    ArgMax,
    Concat,
    Conv2d,
    Dense,
    Flatten,
    MaxPool,
    Network,
    Select,
    SumPool,
    Tensor,
    Threshold,
    XnorNetDense,
)
from sw.planes import Plane, bipolar
from tests.hw.networks import mixed_networks, random_network

BUDGET = Budget("test", 4000, 20)


@pytest.fixture(scope="module")
def network():
    return random_network(np.random.default_rng(0), pixels=64, kept=48, hidden=[30, 20], classes=10)


def test_the_fastest_plan_fits(network):
    found = plan(network, BUDGET)
    assert found.cells <= BUDGET.cells and found.blocks <= BUDGET.blocks
    assert found.cycles == max(found.input_beats, *(stage.cycles for stage in found.stages))


def test_a_smaller_budget_takes_more_cycles(network):
    assert plan(network, Budget("small", 900, 4)).cycles > plan(network, BUDGET).cycles


@pytest.mark.parametrize("cycles", [64, 100, 400, 3000])
def test_cycles_asked_for_are_kept_with_fewer_cells_the_more_there_are(network, cycles):
    found = plan(network, BUDGET, cycles=cycles)
    assert found.cycles <= cycles
    assert found.cells <= plan(network, BUDGET, cycles=64).cells


def test_block_rams_go_where_they_save_most(network):
    found = plan(network, Budget("blocks", 4000, 3), cycles=200)
    assert found.blocks <= 3
    without = plan(network, Budget("none", 4000, 0), cycles=200)
    assert without.blocks == 0 and found.cells < without.cells


def test_memories_are_cut_into_the_block_rams_of_the_family(network):
    on_ecp5 = plan(network, Budget("large", 4000, 20, ECP5), cycles=64)
    assert 1 <= on_ecp5.blocks < plan(network, BUDGET, cycles=64).blocks
    assert [stage.slice_bits for stage in on_ecp5.stages if isinstance(stage, DenseStage)] == [
        36, 36, 36]
    assert on_ecp5.roofline[0] == 20 * 36


def test_estimates_are_scaled_to_the_family(network):
    def planned(**factors):
        return plan(network, Budget("test", 9000, 0, replace(ICE40, **factors)), cycles=200)

    once, twice = planned(), planned(elements={"": 2}, scale=2)
    assert abs(twice.cells - 2 * once.cells) <= 1
    assert once.cells < planned(elements={"": 1, "xnor": 2}).cells < twice.cells


def test_what_does_not_fit_is_said_with_numbers(network):
    with pytest.raises(UserError, match=r"^network random needs about \d+ logic cells, \d+ more "
                                        r"than the 500 that tiny has for it; make its layers "
                                        r"narrower$"):
        plan(network, Budget("tiny", 500, 0))


def test_more_weights_than_memory_are_refused_at_once(network):
    with pytest.raises(UserError, match=r"^network random has 2,240 bits of weights, 1,819 more "
                                        r"than the 421 bits that tiny can hold in 0 block RAMs "
                                        r"and LUT ROM; make its layers narrower$"):
        plan(network, Budget("tiny", 50, 0))


def test_a_decision_may_be_what_takes_longest():
    network = random_network(np.random.default_rng(0), pixels=3, hidden=[2], classes=50)
    assert plan(network, BUDGET).cycles >= 50


def test_too_few_cycles_are_refused_with_the_fewest(network):
    with pytest.raises(UserError, match=r"^network random: the fastest folding takes \d+ cycles "
                                        r"per frame; ask for no fewer$"):
        plan(network, BUDGET, cycles=1)


def chain(*layers, element=None, shape=(4,)):
    return Network("refused", Tensor.full(element or UInt(8), shape), layers)


W = np.ones((2, 4), int)


@pytest.mark.parametrize("network, message", [
    (chain(Select("s", ("input",), np.array([2, 1])), ArgMax("a", ("s",))),
     r"^layer s: hardware selects channels in ascending order; sort its indices$"),
    (chain(Threshold("t", ("input",), np.full((4, 1), 9), np.zeros(4, bool), Bipolar()),
           ArgMax("a", ("input",))),
     r"^layer a: hardware is a chain of layers, but it reads input and follows t$"),
    (chain(Select("s", ("input",), np.arange(4)), Add("a", ("s", "input"))),
     r"^layer a: a Add has no hardware yet; the golden model runs it$"),
    (chain(Concat("c", ("input", "input"))),
     r"^layer c: a Concat has no hardware yet; the golden model runs it$"),
    (chain(Conv2d("conv1", ("input",), (bipolar(W[:, :3]),), (1, 1)), shape=(2, 2, 3)),
     r"^layer conv1: a Conv2d has no hardware yet; the golden model runs it$"),
    (chain(MaxPool("p", ("input",), (1, 1), (1, 1)), shape=(2, 2, 3)),
     r"^layer p: a MaxPool has no hardware yet; the golden model runs it$"),
    (chain(SumPool("p", ("input",), (1, 1), (1, 1)), shape=(2, 2, 3)),
     r"^layer p: a SumPool has no hardware yet; the golden model runs it$"),
    (chain(Flatten("f", ("input",)), shape=(2, 2, 3)),
     r"^layer f: a Flatten has no hardware yet; the golden model runs it$"),
    (chain(Select("s", ("input",), np.arange(3)), shape=(2, 2, 3)),
     r"^network refused: images, uint8\[2, 2, 3\], have no hardware yet; the golden model runs"),
])
def test_what_has_no_hardware_is_refused_by_name(network, message):
    with pytest.raises(UserError, match=message):
        plan(network, BUDGET)
    with pytest.raises(UserError, match=message):
        unroll(network, BUDGET, megahertz=40)


@pytest.mark.parametrize("name, message", [
    ("requantized", r"^layer requantize: a Requantize takes several cycles a frame; use --style"),
    ("xnor_net", r"^layer first: a XnorNetDense takes several cycles a frame; use --style folded$"),
])
def test_what_takes_several_cycles_is_not_unrolled(name, message):
    networks = {network.name: network for network in mixed_networks(np.random.default_rng(3))}
    with pytest.raises(UserError, match=message):
        unroll(networks[name], BUDGET, megahertz=40)


def test_what_is_too_large_is_not_unrolled(network):
    with pytest.raises(UserError, match=r"^network random has 2,240 weights that are not 0, and at "
                                        r"most about 1,600 fit tiny as logic; use --style folded$"):
        unroll(network, Budget("tiny", 400, 0), megahertz=40)


def test_a_scale_that_is_constant_is_refused():
    network = chain(XnorNetDense("d", ("input",), (bipolar(W),)), element=Bipolar())
    with pytest.raises(UserError, match=r"^layer d: the magnitude of all its inputs is 4, so it "
                                        r"scales by a constant; make it a Dense with that "
                                        r"coefficient$"):
        plan(network, BUDGET)


def test_a_layer_gets_the_datapath_of_least_cost_in_cells_and_memory():
    weights = Plane(Integer(-8, 7), np.random.default_rng(0).integers(-8, 8, (24, 64)),
                    np.ones(24, int))
    layer = Dense("d", ("input",), (weights,))
    network = Network("integers", Tensor.full(UInt(8), (64,)), (layer,))
    ways = {stage.way.name for cycles in (64, 1536)
            for stage in plan(network, Budget("test", 9000, 8), cycles=cycles).stages}
    assert ways <= {way.name for way in datapaths(layer, network.input)} and "booth" in ways


def levels_network(rows=48, steps=255):
    """8-bit activations between two layers, thresholds other in every channel."""
    rng = np.random.default_rng(5)
    hidden = Dense("hidden", ("input",), (bipolar(rng.choice([-1, 1], (rows, 30))),))
    thresholds = np.sort(rng.integers(-1000, 1000, (rows, steps)), axis=1)
    output = Dense("output", ("levels",), (bipolar(rng.choice([-1, 1], (5, rows))),))
    return Network("levels", Tensor.full(UInt(8), (30,)), (
        hidden, Threshold("levels", ("hidden",), thresholds, np.zeros(rows, bool), UInt(8)),
        output, ArgMax("class", ("output",))))


def test_tables_of_many_thresholds_are_block_rams_where_there_are_some():
    network = levels_network()
    found = plan(network, Budget("many", 60_000, 80), cycles=200)
    without = plan(network, Budget("none", 60_000, 0), cycles=200)
    stages = [next(stage for stage in each.stages if stage.layer == "levels")
              for each in (found, without)]
    assert [stage.block for stage in stages] == [True, False]
    # Words that may decide in each of 8 stages: 48 channels times 1, 2, 4, … of 15 bits each.
    assert stages[0].search and stages[0].blocks == sum(
        ICE40.blocks(48 << stage, 15) for stage in range(1, 8))
    assert found.cells < without.cells / 3


def test_without_a_rate_asked_for_no_more_cells_are_taken_than_are_routed_soon(network):
    large = Budget("large", 60_000, 200)
    fastest = plan(network, large)
    patient = plan(network, replace(large, fabric=replace(ICE40, patience=fastest.cells - 1)))
    assert patient.cells < fastest.cells and patient.cycles > fastest.cycles
    hasty = plan(network, replace(large, fabric=replace(ICE40, patience=100)))
    assert 100 < hasty.cells < patient.cells        # the smallest, since none has so few
