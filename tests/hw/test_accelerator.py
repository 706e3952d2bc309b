# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.accelerator import Accelerator
from hw.plan import Budget, plan
from hw.verilog import convert
from sim import verilator
from tests.hw.networks import random_network

# (pixels, kept, hidden, classes, cycles): sizes that nothing divides, one that everything does
CASES = [
    (5, 3, [], 2, 40), (1, 1, [1], 2, 20), (16, 16, [16], 4, 16), (30, 21, [11], 5, 60),
    (30, 30, [13, 7], 3, 45), (64, 32, [24, 16], 10, 64), (64, 40, [17, 9], 10, 200),
    (50, 50, [33], 7, 100), (12, 12, [40, 5], 6, 120), (90, 77, [19, 23], 10, 300),
]


def simulate(accelerator, frames, stalls=0.0, seed=0):
    """Classes of the frames, and the cycle in which each left."""
    rng = np.random.default_rng(seed)
    lanes = accelerator.input_lanes
    padded = np.pad(frames, ((0, 0), (0, -frames.shape[1] % lanes)))
    beats = padded.reshape(-1, lanes).tolist()
    classes, cycles = [], []

    async def send(ctx):
        for beat in beats:
            while rng.random() < stalls:
                await ctx.tick()
            ctx.set(accelerator.i.payload, beat)
            ctx.set(accelerator.i.valid, 1)
            ready = False
            while not ready:
                _, _, ready = await ctx.tick().sample(accelerator.i.ready)
            ctx.set(accelerator.i.valid, 0)

    async def receive(ctx):
        cycle = 0
        while len(classes) < len(frames):
            ready = rng.random() >= stalls
            ctx.set(accelerator.o.ready, ready)
            _, _, valid, payload = await ctx.tick().sample(accelerator.o.valid,
                                                           accelerator.o.payload)
            cycle += 1
            if valid and ready:
                classes.append(payload)
                cycles.append(cycle)
            assert cycle < 100_000, f"{len(classes)} of {len(frames)} frames"

    sim = Simulator(accelerator)
    sim.add_clock(1e-6)
    sim.add_testbench(send, background=True)
    sim.add_testbench(receive)
    sim.run()
    return np.array(classes), np.array(cycles)


def make(case, *, blocks=8):
    pixels, kept, hidden, classes, cycles = case
    rng = np.random.default_rng(pixels)
    network = random_network(rng, pixels=pixels, kept=kept, hidden=hidden, classes=classes)
    frames = rng.integers(0, 256, (7, pixels))
    return network, Accelerator(plan(network, Budget("test", 9000, blocks), cycles=cycles)), frames


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("blocks", [0, 8])
def test_equals_golden_in_exactly_the_planned_cycles(case, blocks):
    network, accelerator, frames = make(case, blocks=blocks)
    classes, cycles = simulate(accelerator, frames)
    np.testing.assert_array_equal(classes, network.run(frames)[:, 0])
    assert np.diff(cycles)[-3:].tolist() == [accelerator.plan.cycles] * 3


@pytest.mark.parametrize("case", CASES[3:7], ids=str)
def test_equals_golden_under_stalls(case):
    network, accelerator, frames = make(case)
    classes, _ = simulate(accelerator, frames, stalls=0.4)
    np.testing.assert_array_equal(classes, network.run(frames)[:, 0])


def test_verilog_is_linted_and_reproducible_with_readable_ports(tmp_path):
    _, accelerator, _ = make(CASES[5])
    _, again, _ = make(CASES[5])
    text = convert(accelerator, "accelerator", header="random network\nsecond line")
    assert text == convert(again, "accelerator", header="random network\nsecond line")
    assert text.startswith("// random network\n// second line\n")
    for port in ("i__payload", "i__valid", "i__ready", "o__payload", "trace__dense1__payload"):
        assert port in text
    path = tmp_path / "accelerator.v"
    path.write_text(text)
    verilator.lint(path, top="accelerator")
