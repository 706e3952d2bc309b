"""What the component tests share."""
import numpy as np
from amaranth.sim import Simulator

from sim.pysim import run


def pauses(rng, longest):
    """A ``pause`` for :func:`sim.pysim.run`: 0 to ``longest`` cycles, at random."""
    return lambda: int(rng.integers(longest + 1))


def play(dut, beats, count, *, rng, longest=0):
    """What ``dut`` makes of ``beats`` (transfers, lanes): an array (``count``, lanes)."""
    outputs = run(dut, np.asarray(beats).tolist(), count, pause=pauses(rng, longest))
    return np.array([list(payload) for payload in outputs])


def offers_before_ready_and_holds(dut, beats):
    """Whether ``dut`` offers without being asked, and holds its offer while it is not taken."""
    seen = []

    async def send(ctx):
        for beat in beats:
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.i.payload, beat)
            ready = False
            while not ready:
                _, _, ready = await ctx.tick().sample(dut.i.ready)
        ctx.set(dut.i.valid, 0)

    async def watch(ctx):
        payload = dut.o.payload
        payload = payload.as_value() if hasattr(payload, "as_value") else payload
        for _ in range(200):
            _, _, valid, value = await ctx.tick().sample(dut.o.valid, payload)
            seen.append((valid, value))

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(send, background=True)
    sim.add_testbench(watch)
    sim.run()
    first = [valid for valid, _ in seen].index(1)
    return all(offer == seen[first] for offer in seen[first:])
