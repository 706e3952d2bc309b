# amaranth: UnusedElaboratable=no

import re
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from amaranth import Module, Shape, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.pipeline import span
from hw.stream import Register, transfers
from hw.xnor_net import Scale, SignAndScale, scale_cells, sign_and_scale_cells
from sim.pysim import stream_put
from sw import golden
from tests.hw.components import pauses


def run(dut, inputs, counts, *, pause=lambda: 0, limit=5_000):
    """What leaves the streams of ``dut``, and when: two dictionaries of lists.

    ``inputs`` are the transfers that streams take by name, ``counts`` says how many the others
    give. All pause at random. The times are cycles, 0 being the first one of an input.
    """
    payloads, times = ({name: [] for name in counts} for _ in range(2))

    async def send(ctx, port, items):
        for payload in items:
            for _ in range(pause()):
                await ctx.tick()
            await stream_put(ctx, port, payload)

    async def receive(ctx, name, port, count):
        now = 0
        for _ in range(count):
            for _ in range(pause()):
                await ctx.tick()
                now += 1
            ctx.set(port.ready, 1)
            valid = False
            while not valid:
                _, _, valid, payload = await ctx.tick().sample(port.valid, port.payload)
                now += 1
            ctx.set(port.ready, 0)
            payloads[name].append(payload if isinstance(payload, int) else list(payload))
            times[name].append(now - 1)

    async def watch(ctx):
        for _ in range(limit):
            await ctx.tick()
        raise TimeoutError(f"{payloads} in {limit} cycles")

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    for name, items in inputs.items():
        sim.add_testbench(partial(send, port=getattr(dut, name), items=items))
    for name, count in counts.items():
        sim.add_testbench(partial(receive, name=name, port=getattr(dut, name), count=count))
    sim.add_testbench(watch, background=True)
    sim.run()
    return payloads, times


def frames(x, lanes, rng, shape):
    """Transfers of the frames ``x``, anything being beyond their last channel."""
    count, channels = x.shape
    lo, hi = span(shape)
    beats = rng.integers(lo, hi + 1, (count, transfers(channels, lanes) * lanes))
    beats[:, :channels] = x
    return beats.reshape(-1, lanes).tolist()


def signs_and_scale(dut, x, *, rng, longest=0):
    """What :class:`SignAndScale` gives for the frames ``x``: signs as −1 and +1, and sums."""
    count, channels = x.shape
    beats = frames(x, dut.lanes, rng, dut.shape)
    payloads, _ = run(dut, {"i": beats}, {"o": len(beats), "k": count}, pause=pauses(rng, longest))
    bits = np.reshape(payloads["o"], (count, -1))
    assert not bits[:, channels:].any()
    return golden.bipolar(bits[:, :channels]), payloads["k"]


def scaled(dut, x, k, *, rng, longest=0):
    """What :class:`Scale` gives for the frames ``x`` and their factors ``k``."""
    count, channels = x.shape
    beats = frames(x, dut.lanes, rng, dut.shape)
    payloads, _ = run(dut, {"i": beats, "k": k}, {"o": len(beats)}, pause=pauses(rng, longest))
    return np.reshape(payloads["o"], (count, -1))[:, :channels]


def every(shape, channels):
    lo, hi = span(shape)
    return np.array(np.meshgrid(*[np.arange(lo, hi + 1)] * channels)).reshape(channels, -1).T


# Signs and scale.

@pytest.mark.parametrize("shape, lanes, channels", [
    (signed(8), 1, 1), (signed(3), 1, 2), (signed(3), 2, 3), (signed(2), 3, 3), (signed(4), 4, 2),
    (signed(1), 3, 5), (unsigned(3), 2, 2), (unsigned(1), 3, 4)], ids=repr)
def test_signs_and_scale_of_every_frame(shape, lanes, channels):
    rng = np.random.default_rng(0)
    x = every(shape, channels)
    signs, scale = signs_and_scale(
        SignAndScale(shape=shape, lanes=lanes, channels=channels, depth=3), x, rng=rng)
    np.testing.assert_array_equal(signs, np.where(x < 0, -1, 1))
    assert scale == np.abs(x).sum(axis=1).tolist()


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("lanes, channels", [(1, 1), (2, 5), (5, 3), (4, 8)])
def test_signs_and_scale_stall_on_their_own(lanes, channels, depth):
    rng = np.random.default_rng(depth)
    x = rng.integers(-8, 8, (12, channels))
    signs, scale = signs_and_scale(
        SignAndScale(shape=signed(4), lanes=lanes, channels=channels, depth=depth), x, rng=rng,
        longest=4)
    np.testing.assert_array_equal(signs, np.where(x < 0, -1, 1))
    assert scale == np.abs(x).sum(axis=1).tolist()


@given(st.data())
@settings(max_examples=8)
def test_signs_and_scale_match_golden(data):
    shape = Shape(data.draw(st.integers(1, 9)), data.draw(st.booleans()))
    lanes, channels, depth = (data.draw(st.integers(1, most)) for most in (9, 13, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 2 ** 32)))
    lo, hi = span(shape)
    x = rng.integers(lo, hi + 1, (8, channels))
    x[0], x[1], x[2], x[3, ::2] = lo, hi, 0, max(lo, -1)
    dut = SignAndScale(shape=shape, lanes=lanes, channels=channels, depth=depth)
    signs, scale = signs_and_scale(dut, x, rng=rng, longest=data.draw(st.sampled_from([0, 1, 4])))
    identity = np.eye(channels, dtype=int)
    np.testing.assert_array_equal(signs * np.reshape(scale, (-1, 1)), golden.xnor_net(x, identity))


def test_scale_has_exactly_the_width_of_its_range_or_that_asked_for():
    for shape, channels, width in ((signed(4), 7, 6), (signed(4), 8, 7), (unsigned(4), 17, 8),
                                   (unsigned(4), 18, 9)):
        dut = SignAndScale(shape=shape, lanes=4, channels=channels, depth=1)
        assert dut.k.payload.shape() == dut.k_shape == unsigned(width)
    x = np.array([[-7, 7, 7, 7, 3], [-1, 0, 0, 0, -3]])
    dut = SignAndScale(shape=signed(4), lanes=2, channels=5, depth=2, k_shape=unsigned(5))
    assert signs_and_scale(dut, x, rng=np.random.default_rng(0))[1] == [31, 4]


@pytest.mark.parametrize("lanes, channels, depth, cycles", [
    (2, 6, 1, 3), (2, 3, 2, 2), (4, 4, 3, 1), (4, 4, 2, 2), (4, 4, 1, 2), (1, 3, 1, 3)])
def test_signs_and_scale_take_a_transfer_a_cycle(lanes, channels, depth, cycles):
    rng = np.random.default_rng(0)
    dut = SignAndScale(shape=signed(4), lanes=lanes, channels=channels, depth=depth)
    beats = transfers(channels, lanes)
    _, times = run(dut, {"i": frames(np.ones((20, channels), int), lanes, rng, signed(4))},
                   {"o": 20 * beats, "k": 20})
    assert times["o"][:beats] == [*range(1, beats + 1)]
    assert times["k"][0] == beats - 1 + dut.latency
    assert {b - a for a, b in pairwise(times["k"][4:])} == {cycles}
    assert {b - a for a, b in pairwise(times["o"][4 * beats::beats])} == {cycles}


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_signs_pass_until_as_many_sums_wait_and_one_more(depth):
    dut = SignAndScale(shape=signed(3), lanes=1, channels=3, depth=depth)
    beats, most = [[-1]] * 30, 3 * (depth + 1)
    run(dut, {"i": beats[:most]}, {"o": most}, limit=100)
    with pytest.raises(TimeoutError):
        run(dut, {"i": beats}, {"o": most + 1}, limit=100)
    payloads, _ = run(dut, {"i": beats}, {"o": 30, "k": 10}, limit=100)
    assert payloads["k"] == [3] * 10


# Scale.

@pytest.mark.parametrize("shape, bits, lanes", [
    (signed(6), 6, 32), (unsigned(4), 4, 9), (signed(1), 3, 2), (unsigned(1), 1, 1),
    (signed(4), 1, 3), (signed(3), 5, 8)], ids=repr)
def test_every_product(shape, bits, lanes):
    lo, hi = span(shape)
    k = np.arange(2 ** bits)
    x = np.tile(np.arange(lo, hi + 1), (len(k), 1))
    dut = Scale(shape=shape, k_shape=unsigned(bits), lanes=lanes, channels=x.shape[1],
                output=Shape(shape.width + bits, shape.signed))
    y = scaled(dut, x, k.tolist(), rng=np.random.default_rng(0))
    np.testing.assert_array_equal(y, k[:, None] * x)


@pytest.mark.parametrize("lanes, channels", [(1, 1), (2, 5), (1, 3), (4, 8)])
@pytest.mark.parametrize("longest", [1, 4, 20])
def test_scale_stalls_on_its_own(lanes, channels, longest):
    rng = np.random.default_rng(longest)
    x, k = rng.integers(-8, 8, (8, channels)), rng.integers(0, 8, 8)
    dut = Scale(shape=signed(4), k_shape=unsigned(3), lanes=lanes, channels=channels,
                output=signed(7))
    np.testing.assert_array_equal(scaled(dut, x, k.tolist(), rng=rng, longest=longest),
                                  k[:, None] * x)


@given(st.data())
@settings(max_examples=8)
def test_scale_matches_golden(data):
    shape = Shape(data.draw(st.integers(1, 9)), data.draw(st.booleans()))
    bits, lanes, channels = (data.draw(st.integers(1, most)) for most in (11, 4, 7))
    rng = np.random.default_rng(data.draw(st.integers(0, 2 ** 32)))
    lo, hi = span(shape)
    x = rng.integers(lo, hi + 1, (6, channels))
    k = rng.integers(0, 2 ** bits, 6)
    x[0], x[1], x[2], k[:2], k[3] = lo, hi, 0, 2 ** bits - 1, 0
    wider = data.draw(st.integers(0, 2))
    dut = Scale(shape=shape, k_shape=unsigned(bits), lanes=lanes, channels=channels,
                output=Shape(shape.width + bits + wider, shape.signed))
    y = scaled(dut, x, k.tolist(), rng=rng, longest=data.draw(st.sampled_from([0, 1, 20])))
    np.testing.assert_array_equal(y, k[:, None] * x)


def test_an_output_may_have_just_the_bits_that_its_results_need():
    dut = Scale(shape=signed(4), k_shape=unsigned(3), lanes=1, channels=2, output=signed(5))
    y = scaled(dut, np.array([[-8, 7], [-3, 3], [-1, 2]]), [2, 5, 7], rng=np.random.default_rng(0))
    assert y.tolist() == [[-16, 14], [-15, 15], [-7, 14]]


@pytest.mark.parametrize("bits, lanes, channels", [(1, 1, 1), (4, 2, 5), (7, 3, 3)])
def test_scale_takes_the_same_cycles_whatever_the_values(bits, lanes, channels):
    rng = np.random.default_rng(0)
    x = rng.integers(-4, 4, (4, channels))
    dut = Scale(shape=signed(3), k_shape=unsigned(bits), lanes=lanes, channels=channels,
                output=signed(3 + bits))
    beats = frames(x, lanes, rng, signed(3))
    k = [0, 2 ** bits - 1, 1, 2 ** (bits - 1)]
    _, times = run(dut, {"i": beats, "k": k}, {"o": len(beats)})
    assert dut.cycles == bits + 1
    assert times["o"] == [dut.cycles * (n + 1) for n in range(len(beats))]


# Both.

class Loop(wiring.Component):
    """Both components and, for what is between them, some registers: ``y = K · bit``."""
    def __init__(self, *, first, second, between):
        self.first = first
        self.second = second
        self.between = between
        super().__init__({"i": In(stream.Signature(first.i.payload.shape())),
                          "o": Out(stream.Signature(second.o.payload.shape()))})

    def elaborate(self, platform):
        m = Module()

        m.submodules.first, m.submodules.second = first, second = self.first, self.second
        stages = [first, *(Register(shape=first.o.payload.shape()) for _ in range(self.between)),
                  second]
        m.submodules += stages[1:-1]
        for a, b in pairwise(stages):
            connect(m, a.o, b.i)
        connect(m, flipped(self.i), first.i)
        connect(m, first.k, second.k)
        connect(m, second.o, flipped(self.o))

        return m


@pytest.mark.parametrize("lanes, channels", [(3, 3), (2, 5), (1, 4)])
@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("longest", [0, 3])
def test_frames_on_their_way_meet_their_own_scale(lanes, channels, depth, longest):
    """Also with more frames between the components than sums may wait."""
    rng = np.random.default_rng(depth)
    x = rng.integers(-4, 4, (12, channels))
    first = SignAndScale(shape=signed(3), lanes=lanes, channels=channels, depth=depth)
    second = Scale(shape=unsigned(1), k_shape=first.k_shape, lanes=lanes, channels=channels,
                   output=unsigned(8))
    beats = frames(x, lanes, rng, signed(3))
    payloads, _ = run(Loop(first=first, second=second, between=7), {"i": beats}, {"o": len(beats)},
                      pause=pauses(rng, longest))
    y = np.reshape(payloads["o"], (12, -1))[:, :channels]
    np.testing.assert_array_equal(y, np.abs(x).sum(axis=1)[:, None] * (x >= 0))


@pytest.mark.parametrize("longest", [0, 2])
def test_both_and_a_product_between_are_golden(longest):
    rng = np.random.default_rng(longest)
    x, weights = rng.integers(-8, 8, (9, 11)), rng.integers(-3, 4, (5, 11))
    first = SignAndScale(shape=signed(4), lanes=4, channels=11, depth=2)
    signs, scale = signs_and_scale(first, x, rng=rng, longest=longest)
    second = Scale(shape=signed(7), k_shape=first.k_shape, lanes=2, channels=5, output=signed(14))
    y = scaled(second, golden.dense(signs, weights), scale, rng=rng, longest=longest)
    np.testing.assert_array_equal(y, golden.xnor_net(x, weights))


def offers(dut, name, inputs, *, ready=()):
    """What ``dut`` offers at a stream that is never taken, from its first offer on."""
    seen = []

    async def send(ctx, port, items):
        for payload in items:
            ctx.set(port.valid, 1)
            ctx.set(port.payload, payload)
            taken = False
            while not taken:
                _, _, taken = await ctx.tick().sample(port.ready)
        ctx.set(port.valid, 0)

    async def watch(ctx):
        for other in ready:
            ctx.set(getattr(dut, other).ready, 1)
        port = getattr(dut, name)
        payload = port.payload.as_value() if hasattr(port.payload, "as_value") else port.payload
        for _ in range(100):
            _, _, valid, value = await ctx.tick().sample(port.valid, payload)
            seen.append((valid, value))

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    for port, items in inputs.items():
        sim.add_testbench(partial(send, port=getattr(dut, port), items=items), background=True)
    sim.add_testbench(watch)
    sim.run()
    return seen[[valid for valid, _ in seen].index(1):]


@pytest.mark.parametrize("name, ready, expected", [
    ("o", (), 0b01), ("o", ("k",), 0b01), ("k", ("o",), 8)])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_signs_and_scale_offer_before_ready_and_hold(name, ready, expected, depth):
    dut = SignAndScale(shape=signed(4), lanes=2, channels=3, depth=depth)
    beats = [[3, -4], [-1, 5], [-2, -2], [7, 7], [1, 1], [1, 1]]
    assert set(offers(dut, name, {"i": beats}, ready=ready)) == {(1, expected)}


def test_scale_offers_before_ready_and_holds():
    dut = Scale(shape=signed(4), k_shape=unsigned(3), lanes=1, channels=2, output=signed(7))
    assert set(offers(dut, "o", {"i": [[-5], [1], [2]], "k": [6, 5]})) == {(1, -30 % 128)}


# Parameters and estimates.

@pytest.mark.parametrize("change, message", [
    ({"lanes": 0}, "Lanes must be a positive integer, not 0"),
    ({"channels": 0}, "Channels must be a positive integer, not 0"),
    ({"depth": 1.0}, "Depth must be a positive integer, not 1.0")])
def test_parameters_of_signs_and_scale_wrong(change, message):
    with pytest.raises(TypeError, match=f"^{message}$"):
        SignAndScale(**{"shape": signed(4), "lanes": 2, "channels": 3, "depth": 1} | change)


@pytest.mark.parametrize("change, message", [
    ({"lanes": -1}, "Lanes must be a positive integer, not -1"),
    ({"channels": None}, "Channels must be a positive integer, not None")])
def test_parameters_of_scale_wrong(change, message):
    with pytest.raises(TypeError, match=f"^{message}$"):
        Scale(**{"shape": signed(4), "k_shape": unsigned(3), "lanes": 2, "channels": 3,
                 "output": signed(7)} | change)


@pytest.mark.parametrize("k_shape", [signed(4), unsigned(0)], ids=repr)
def test_shape_of_k_wrong(k_shape):
    message = f"^K must be unsigned and have bits, not {re.escape(repr(k_shape))}$"
    with pytest.raises(ValueError, match=message):
        Scale(shape=signed(4), k_shape=k_shape, lanes=1, channels=1, output=signed(8))
    with pytest.raises(ValueError, match=message):
        SignAndScale(shape=signed(4), lanes=1, channels=1, depth=1, k_shape=k_shape)


@pytest.mark.parametrize("shape, lanes, channels, depth, measured", [
    (signed(8), 4, 784, 2, 170), (signed(8), 16, 784, 2, 409), (signed(8), 32, 784, 2, 729),
    (signed(8), 7, 100, 2, 222), (signed(8), 8, 64, 1, 215), (signed(8), 8, 64, 4, 286),
    (signed(4), 8, 64, 3, 172), (signed(12), 8, 60, 4, 368), (signed(2), 16, 100, 2, 183),
    (unsigned(8), 8, 64, 2, 216)])
def test_cells_of_signs_and_scale_are_those_placed(shape, lanes, channels, depth, measured):
    """Logic cells of an iCE40 after place and route, without the registers around."""
    cells = sign_and_scale_cells(shape=shape, lanes=lanes, channels=channels, depth=depth)
    assert 20 * abs(cells - measured) <= measured


@pytest.mark.parametrize("width, bits, lanes, channels, measured", [
    (8, 16, 4, 16, 169), (8, 16, 16, 64, 553), (11, 14, 4, 64, 190), (6, 5, 8, 60, 184),
    (12, 18, 2, 128, 137), (4, 8, 32, 32, 572), (8, 12, 8, 100, 269)])
def test_cells_of_scale_are_those_placed(width, bits, lanes, channels, measured):
    cells = scale_cells(shape=signed(width), k_shape=unsigned(bits), lanes=lanes,
                        channels=channels, output=signed(width + bits))
    assert 10 * abs(cells - measured) <= measured
