# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth import Value
from amaranth.sim import Simulator

from hw.accelerator import Accelerator
from hw.plan import Planner, plan, unroll
from hw.stages import Budget
from hw.verilog import convert
from sim import verilator
from tests.hw.networks import mixed_networks, random_network

# (pixels, kept, hidden, classes, cycles): sizes that nothing divides, one that everything does
CASES = [
    (5, 3, [], 2, 40), (1, 1, [1], 2, 20), (16, 16, [16], 4, 16), (30, 21, [11], 5, 60),
    (30, 30, [13, 7], 3, 45), (64, 32, [24, 16], 10, 64), (64, 40, [17, 9], 10, 200),
    (50, 50, [33], 7, 100), (12, 12, [40, 5], 6, 120), (90, 77, [19, 23], 10, 300),
]


def simulate(accelerator, frames, stalls=0.0, seed=0):
    """What left for the frames, as the golden model's integers, and the cycle in which each did."""
    rng = np.random.default_rng(seed)
    source, sink = accelerator.input, accelerator.taps[-1]
    padded = np.pad(source.element.encode(frames), ((0, 0), (0, -frames.shape[1] % source.lanes)))
    beats = [sum(code << lane * source.shape.width for lane, code in enumerate(beat))
             for beat in padded.reshape(-1, source.lanes).tolist()]
    payloads = [Value.cast(port.payload) for port in (accelerator.i, accelerator.o)]
    words, cycles = [], []

    async def send(ctx):
        for beat in beats:
            while rng.random() < stalls:
                await ctx.tick()
            ctx.set(payloads[0], beat)
            ctx.set(accelerator.i.valid, 1)
            ready = False
            while not ready:
                _, _, ready = await ctx.tick().sample(accelerator.i.ready)
            ctx.set(accelerator.i.valid, 0)

    async def receive(ctx):
        cycle = 0
        while len(words) < len(frames) * sink.transfers:
            ready = rng.random() >= stalls
            ctx.set(accelerator.o.ready, ready)
            _, _, valid, payload = await ctx.tick().sample(accelerator.o.valid, payloads[1])
            cycle += 1
            if valid and ready:
                words.append(payload)
                cycles.append(cycle)
            assert cycle < 100_000, f"{len(words)} transfers of {len(frames)} frames"

    sim = Simulator(accelerator)
    sim.add_clock(1e-6)
    sim.add_testbench(send, background=True)
    sim.add_testbench(receive)
    sim.run()
    width = sink.shape.width
    raw = np.array([[word >> lane * width & (1 << width) - 1 for lane in range(sink.lanes)]
                    for word in words]).reshape(len(frames), -1)[:, :sink.channels]
    return sink.values(raw), np.array(cycles)[sink.transfers - 1::sink.transfers]


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
    np.testing.assert_array_equal(classes, network.run(frames))
    assert np.diff(cycles)[-3:].tolist() == [accelerator.plan.cycles] * 3


@pytest.mark.parametrize("case", CASES[3:7], ids=str)
def test_equals_golden_under_stalls(case):
    network, accelerator, frames = make(case)
    classes, _ = simulate(accelerator, frames, stalls=0.4)
    np.testing.assert_array_equal(classes, network.run(frames))


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


MIXED = {network.name: network for network in mixed_networks(np.random.default_rng(3))}


def drawn(network, count=6):
    """Random frames of a network."""
    kind = network.input.element
    return kind.decode(np.random.default_rng(4).choice(kind.codes(),
                                                       (count, network.input.channels)))


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize("cycles", [None, 400])
def test_every_layer_equals_golden_in_exactly_the_planned_cycles(name, cycles):
    network = MIXED[name]
    accelerator = Accelerator(plan(network, Budget("test", 9000, 4), cycles=cycles))
    frames = drawn(network, 8)
    results, when = simulate(accelerator, frames)
    np.testing.assert_array_equal(results, network.run(frames))
    assert np.diff(when)[-3:].tolist() == [accelerator.plan.cycles] * 3


@pytest.mark.parametrize("name", MIXED)
def test_every_datapath_equals_golden_under_stalls(name):
    network = MIXED[name]
    frames = drawn(network)
    ways = Planner(network, Budget("test", 9000, 0)).ways
    for turn in range(max(map(len, ways.values()))):
        planner = Planner(network, Budget("test", 9000, 0))
        folds = [(found[turn % len(found)], 1 if found[turn % len(found)].front else 2, 3)
                 for found in (ways[layer.name] for layer in planner.dense)]
        results, _ = simulate(Accelerator(planner.build(1, folds)), frames, stalls=0.3)
        np.testing.assert_array_equal(results, network.run(frames))


UNROLLED = {name: MIXED[name] for name in ("residual", "powers", "thermometer")} | {
    "binary": random_network(np.random.default_rng(5), pixels=12, kept=9, hidden=[7], classes=4)}


@pytest.mark.parametrize("name", UNROLLED)
@pytest.mark.parametrize("stalls", [0.0, 0.4])
def test_unrolled_equals_golden_with_a_frame_a_cycle(name, stalls):
    network = UNROLLED[name]
    accelerator = Accelerator(unroll(network, Budget("test", 9000, 0), megahertz=40))
    frames = drawn(network, 12)
    results, when = simulate(accelerator, frames, stalls=stalls)
    np.testing.assert_array_equal(results, network.run(frames))
    if not stalls:
        assert np.diff(when).tolist() == [1] * 11 == [accelerator.plan.cycles] * 11
