"""Runs a processing element."""
import numpy as np
from amaranth import Value
from amaranth.sim import Simulator

from sw.planes import Plane, pack_rom, words_to_ints


def run(dut, x, w, steps, *, rng=None):
    """The sums that ``dut`` gives for rows of ``steps`` words: an array (rows,), or (rows, sums).

    ``x`` is (rows · steps, simd) and ``w`` has as many words. With ``rng``, words that do not count
    and cycles without ``en`` come in between, with anything at all inputs.
    """
    width = len(Value.cast(dut.x)) // dut.simd
    words = [sum((int(value) & (1 << width) - 1) << j * width for j, value in enumerate(word))
             for word in np.asarray(x)]
    given = []                                   # a word for each cycle with ``en``
    for k, word in enumerate(words):
        while rng is not None and rng.random() < 0.2:
            given.append((*_junk(rng, dut), False, rng.random() < 0.5))
        given.append((word, w[k], True, k % steps == steps - 1))
    given += [(0, 0, False, False)] * dut.latency
    sums = []

    async def testbench(ctx):
        port = Value.cast(dut.x)
        for k, (word, weights, _, _) in enumerate(given):
            if rng is not None and rng.random() < 0.2:
                ctx.set(dut.en, 0)
                ctx.set(dut.valid, 1)
                for value, signal in zip(_junk(rng, dut), (port, dut.w), strict=True):
                    ctx.set(signal, value)
                await ctx.tick()
            _, _, valid, last = given[k - dut.latency] if k >= dut.latency else (0, 0, 0, 0)
            ctx.set(dut.en, 1)
            ctx.set(port, word)
            ctx.set(dut.w, weights)
            ctx.set(dut.valid, valid)
            ctx.set(dut.last, last)
            if valid and last:
                sum_ = ctx.get(dut.o)
                sums.append(sum_ if isinstance(sum_, int) else list(sum_))
            await ctx.tick()

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()
    return np.array(sums)


def _junk(rng, dut):
    return [int.from_bytes(rng.bytes(64), "little") % (1 << len(Value.cast(port)))
            for port in (dut.x, dut.w)]


def stream(x, planes, simd):
    """Words of the vectors ``x``, (frames, columns), each with every row of the planes' codes.

    ``planes`` is a list of (alphabet, codes). Returns what :func:`run` takes: x, w, steps.
    """
    frames, columns = x.shape
    rows, steps = len(planes[0][1]), -(-columns // simd)
    padded = np.zeros((frames, steps * simd), x.dtype)
    padded[:, :columns] = x
    memory = np.concatenate([pack_rom(Plane(alphabet, codes, np.ones(rows, int)), lanes=1,
                                      simd=simd)[0] for alphabet, codes in planes], axis=1)
    words = np.repeat(padded.reshape(frames, 1, steps, simd), rows, axis=1).reshape(-1, simd)
    return words, words_to_ints(memory) * frames, steps


def limits(shape):
    """The least and the largest value of a shape."""
    lo = -2 ** (shape.width - 1) if shape.signed else 0
    return lo, lo + 2 ** shape.width - 1


def draw_x(rng, shape, columns):
    """Three vectors: of the least value, of the largest, and of any."""
    lo, hi = limits(shape)
    x = rng.integers(lo, hi + 1, (3, columns))
    x[0], x[1] = lo, hi
    return x
