"""Runs a stream component in Amaranth's simulator."""
from amaranth.sim import Simulator

# Plain ticks: a testbench that is abandoned in `until` leaves an error behind.

async def stream_put(ctx, stream, payload):
    ctx.set(stream.valid, 1)
    ctx.set(stream.payload, payload)
    ready = False
    while not ready:
        _, _, ready = await ctx.tick().sample(stream.ready)
    ctx.set(stream.valid, 0)


async def stream_get(ctx, stream):
    ctx.set(stream.ready, 1)
    valid = False
    while not valid:
        _, _, valid, payload = await ctx.tick().sample(stream.valid, stream.payload)
    ctx.set(stream.ready, 0)
    return payload


def run(dut, inputs, count, *, pause=lambda: 0, limit=10_000):
    """Feed ``inputs`` to ``dut.i`` and return the ``count`` payloads that leave ``dut.o``.

    Before each transfer, each side waits for ``pause()`` cycles. Raises :exc:`TimeoutError` if
    the payloads have not all left after ``limit`` cycles.
    """
    outputs = []

    async def send(ctx):
        for payload in inputs:
            for _ in range(pause()):
                await ctx.tick()
            await stream_put(ctx, dut.i, payload)

    async def receive(ctx):
        for _ in range(count):
            for _ in range(pause()):
                await ctx.tick()
            outputs.append(await stream_get(ctx, dut.o))

    async def watch(ctx):
        for _ in range(limit):
            await ctx.tick()
        raise TimeoutError(f"{len(outputs)} of {count} payloads in {limit} cycles")

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(send)
    sim.add_testbench(receive)
    sim.add_testbench(watch, background=True)
    sim.run()
    return outputs
