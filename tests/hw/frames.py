"""Frames of channels through the components around the matrices."""
import numpy as np
from amaranth.sim import Simulator

from hw.pipeline import span
from tests.hw.components import play


def fill(values, lanes, rng):
    """The transfers of (frames, channels) values; what fills the last ones are some of them."""
    frames, channels = values.shape
    beats = -(-channels // lanes)
    filled = rng.choice(values.reshape(-1), (frames, beats * lanes))
    filled[:, :channels] = values
    return filled.reshape(-1, lanes)


def play_frames(dut, values, *, rng, longest=0):
    """What ``dut`` makes of (frames, channels) values, and what it adds beyond the channels."""
    beats = fill(values, dut.lanes, rng)
    y = play(dut, beats, len(beats), rng=rng, longest=longest).reshape(len(values), -1)
    return y[:, :values.shape[1]], y[:, values.shape[1]:]


def all_values(shape, channels):
    """Every value of a shape, in every channel: (frames, channels)."""
    lo, hi = span(shape)
    return np.arange(lo, hi + 1)[:, None] + np.zeros(channels, int)


def some_values(rng, shape, size):
    """Values of a shape, of any size, and both ends."""
    lo, hi = span(shape)
    values = rng.integers(lo, hi, size, endpoint=True)
    values = np.sign(values) * (np.abs(values) >> rng.integers(0, shape.width, size))
    return np.where(rng.random(size) < 0.1, rng.choice([lo, hi], size), values)



def rhythm(dut, values, *, cycles=200):
    """The cycles in which ``dut``, always offered some values, takes one, and offers one."""
    taken, offered = [], []

    async def watch(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.i.payload, values)
        ctx.set(dut.o.ready, 1)
        for cycle in range(cycles):
            _, _, ready, valid = await ctx.tick().sample(dut.i.ready, dut.o.valid)
            if ready:
                taken.append(cycle)
            if valid:
                offered.append(cycle)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(watch)
    sim.run()
    return np.array(taken), np.array(offered)
