import numpy as np
import pytest
from amaranth import *
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.errors import ToolFailed
from sim.stream import Bench


class Fault(enum.Enum, shape=4):
    NONE     = 0
    WRONG    = 1   # a payload is wrong
    FALLS    = 2   # valid falls without a transfer
    CHANGES  = 3   # the payload changes while it waits
    REACTS   = 4   # valid depends on ready
    WAITS    = 5   # valid comes only after ready
    REPEATS  = 6   # a transfer too many
    STOPS    = 7   # no transfers any more


class Negate(wiring.Component):
    """Negates transfers; the first one is taken as the :class:`Fault` that it has."""
    i: In(stream.Signature(data.ArrayLayout(signed(6), 3)))
    o: Out(stream.Signature(data.ArrayLayout(signed(7), 3)))

    def elaborate(self, platform):
        m = Module()

        fault, known = Signal(Fault), Signal()
        full, time = Signal(), Signal(5)
        now = Signal()   # once in 32 cycles
        payload = Signal.like(self.o.payload)
        m.d.sync += time.eq(time + 1)
        m.d.comb += [
            now.eq(time == 0),
            self.o.valid.eq(full),
            self.o.payload.eq(payload),
            self.i.ready.eq(~full | (self.o.valid & self.o.ready)),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += full.eq(0)
        with m.If(self.i.valid & self.i.ready):
            with m.If(~known):
                m.d.sync += [fault.eq(self.i.p[0]), known.eq(1)]
            with m.Else():
                m.d.sync += [full.eq(1), *(payload[k].eq(-self.i.p[k]) for k in range(3))]
                with m.If((fault == Fault.WRONG) & now):
                    m.d.sync += payload[2].eq(self.i.p[2])
        with m.Switch(fault):
            with m.Case(Fault.FALLS):
                m.d.comb += self.o.valid.eq(full & ~now)
            with m.Case(Fault.CHANGES):
                m.d.comb += self.o.payload[1].eq(payload[1] ^ now)
            with m.Case(Fault.REACTS):
                m.d.comb += self.o.valid.eq(full & (self.o.ready | ~now))
            with m.Case(Fault.WAITS):
                waited = Signal()
                m.d.sync += waited.eq((waited | self.o.ready) & ~(self.o.valid & self.o.ready))
                m.d.comb += self.o.valid.eq(full & waited)
            with m.Case(Fault.REPEATS):
                m.d.comb += self.o.valid.eq(full | now)
            with m.Case(Fault.STOPS):
                stopped = Signal()
                m.d.sync += stopped.eq(stopped | now)
                m.d.comb += self.o.valid.eq(full & ~stopped)

        return m


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(Negate(), tmp_path_factory.mktemp("negate"))


def inputs(fault, count=300):
    values = np.random.default_rng(0).integers(-32, 32, (count + 1, 3))
    values[0, 0], values[1] = fault.value, -32
    return values


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("stalls", [0, 0.1, 0.6])
def test_plays_and_records(bench, stalls, seed):
    x = inputs(Fault.NONE)
    recording = bench.run(x, 300, stalls=stalls, seed=seed)
    np.testing.assert_array_equal(recording.outputs, -x[1:])
    assert (np.diff(recording.cycles) >= 1).all()
    if not stalls:
        np.testing.assert_array_equal(recording.cycles, np.arange(2, 302))


def test_seeds_stall_differently_and_repeat(bench):
    cycles = [bench.run(inputs(Fault.NONE), 300, stalls=0.3, seed=seed).cycles.tolist()
              for seed in (1, 2, 1)]
    assert cycles[0] == cycles[2] != cycles[1]


def test_wrong_payload_is_recorded(bench):
    x = inputs(Fault.WRONG)
    assert (bench.run(x, 300).outputs != -x[1:]).any(axis=0).tolist() == [False, False, True]


@pytest.mark.parametrize("fault, stalls, message", [
    (Fault.FALLS, 0.5, r"o\.valid fell before transfer \d+ was taken"),
    (Fault.CHANGES, 0.5, r"o\.payload changed from \w+ to \w+ before transfer \d+ was taken"),
    (Fault.REACTS, 0, r"o\.\w+ or o\.\w+ depends on o\.ready within a cycle, at transfer 30"),
    (Fault.WAITS, 0.5, r"\d+ of 300 transfers left in 2000 cycles, \d+ of 301 came in"),
    (Fault.REPEATS, 0, r"more than 300 transfers left"),
    (Fault.STOPS, 0, r"31 of 300 transfers left in 2000 cycles, 33 of 301 came in"),
])
def test_broken_component_is_caught(bench, fault, stalls, message):
    with pytest.raises(ToolFailed, match=rf"^sim\.stream_bench: {message} \(see .*\)$"):
        bench.run(inputs(fault), 300, stalls=stalls, limit=2000)


def test_stalls_wrong(bench):
    with pytest.raises(ValueError, match=r"^Stalls must be a probability below 1, not 1$"):
        bench.run(inputs(Fault.NONE), 300, stalls=1)
