"""The cocotb end of :mod:`sim.stream`: plays and records one component, and checks the rules."""
import json
import random
from pathlib import Path

import cocotb
from cocotb.triggers import Timer

AFTER = 64   # cycles in which nothing more may come


class Player:
    """Offers transfers at ``i``, and noise in between."""
    def __init__(self, dut, words, bits, stalls, rng):
        self.valid, self.ready, self.payload = dut.i__valid, dut.i__ready, dut.i__payload
        self.words, self.bits, self.stalls, self.rng = words, bits, stalls, rng
        self.taken, self.offered = 0, False

    def drive(self):
        if not self.offered and self.taken < len(self.words):
            self.offered = self.rng.random() >= self.stalls
        self.valid.value = self.offered
        self.payload.value = (self.words[self.taken] if self.offered
                              else self.rng.getrandbits(self.bits))

    def sample(self):
        if self.offered and self.ready.value:
            self.offered, self.taken = False, self.taken + 1


class Recorder:
    """Takes transfers at ``o``. Now and then it waits for ``valid`` before it is ready."""
    def __init__(self, dut, stalls, rng):
        self.valid, self.ready, self.payload = dut.o__valid, dut.o__ready, dut.o__payload
        self.stalls, self.rng = stalls, rng
        self.words, self.cycles = [], []
        self.held = None         # what was offered and not taken in the cycle before
        self.patient = self._choose()

    def _choose(self):
        return self.stalls > 0 and self.rng.random() < 0.5

    def offer(self):
        return int(self.payload.value) if self.valid.value else None

    def drive(self):
        """Whether to be ready in this cycle; ``ready`` is low until then."""
        now = self.offer()
        if self.held is not None:
            assert now is not None, f"o.valid fell before transfer {len(self.words)} was taken"
            assert now == self.held, (f"o.payload changed from {self.held:#x} to {now:#x} before "
                                      f"transfer {len(self.words)} was taken")
        ready = self.rng.random() >= self.stalls and (self.held is not None or not self.patient)
        self.held = now
        self.ready.value = ready
        return ready

    def sample(self, cycle):
        assert self.offer() == self.held, (f"o.valid or o.payload depends on o.ready within a "
                                           f"cycle, at transfer {len(self.words)}")
        if self.held is not None:
            self.words.append(self.held)
            self.cycles.append(cycle)
            self.held, self.patient = None, self._choose()


@cocotb.test()
async def play(dut):
    job = json.loads(Path(cocotb.plusargs["job"]).read_text())
    count, limit = job["count"], job["limit"]
    rng = random.Random(job["seed"])
    words = [int(word, 16) for word in job["words"]]
    player = Player(dut, words, job["input_bits"], job["stalls"], rng)
    recorder = Recorder(dut, job["stalls"], rng)
    clk, rst = (getattr(dut, name, None) for name in ("clk", "rst"))

    async def tick():
        await Timer(1, "ns")
        if clk is not None:
            clk.value = 1
            await Timer(1, "ns")
            clk.value = 0

    if rst is not None:
        rst.value = 1
        await tick()
        rst.value = 0
    cycle, end = 0, None
    while cycle != end:
        player.drive()
        recorder.ready.value = 0
        await Timer(1, "ns")
        if recorder.drive():
            await Timer(1, "ns")
            recorder.sample(cycle)
        player.sample()
        await tick()
        cycle += 1
        assert len(recorder.words) <= count, f"more than {count} transfers left"
        if end is None and len(recorder.words) == count:
            end = cycle + AFTER
        assert end is not None or cycle < limit, (
            f"{len(recorder.words)} of {count} transfers left in {limit} cycles, "
            f"{player.taken} of {len(words)} came in")
    digits = 2 * -(-job["output_bits"] // 8)
    Path("recording.json").write_text(json.dumps({
        "words": [f"{word:0{digits}x}" for word in recorder.words], "cycles": recorder.cycles}))
