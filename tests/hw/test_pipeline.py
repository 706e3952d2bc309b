# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth import Module, Shape
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.pipeline import Pipeline, span
from tests.hw.components import offers_before_ready_and_holds
from tests.hw.frames import play_frames, rhythm


class Tagged(wiring.Component):
    """Values after ``latency`` stages, with the group in which they stood ``late`` stages on."""
    def __init__(self, latency, late, channels, lanes):
        self.latency, self.late, self.channels, self.lanes = latency, late, channels, lanes
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(4, lanes))),
            "o": Out(stream.Signature(data.ArrayLayout(12, lanes))),
        })

    def elaborate(self, platform):
        m = Module()

        pipe = Pipeline(m, self.i, self.o, latency=self.latency, channels=self.channels,
                        lanes=self.lanes)
        for lane in range(self.lanes):
            value = pipe.delay(self.i.payload[lane], self.late, "value")
            value = pipe.register(value + 16 * pipe.group(self.late), 12, "tagged")
            value = pipe.delay(value, self.latency - self.late - 1, "tagged")
            m.d.comb += self.o.payload[lane].eq(pipe.present(value, lane, self.latency))
        return m


@pytest.mark.parametrize("latency, late, channels, lanes", [
    (1, 0, 6, 2), (3, 0, 5, 2), (3, 2, 7, 3), (2, 1, 2, 4), (2, 1, 1, 1)])
@pytest.mark.parametrize("longest", [0, 3])
def test_values_groups_and_what_is_beyond(latency, late, channels, lanes, longest):
    rng = np.random.default_rng(channels)
    x = rng.integers(0, 16, (20, channels))
    y, beyond = play_frames(Tagged(latency, late, channels, lanes), x, rng=rng, longest=longest)
    np.testing.assert_array_equal(y, x + 16 * (np.arange(channels) // lanes))
    assert not beyond.any()


def test_latency():
    taken, offered = rhythm(Tagged(3, 1, 5, 2), [0, 0], cycles=20)
    assert offered[0] - taken[0] == 3
    assert (np.diff(taken) == 1).all() and (np.diff(offered) == 1).all()


def test_offers_before_ready_and_holds():
    assert offers_before_ready_and_holds(Tagged(2, 1, 3, 1), [[k] for k in range(9)])


def test_span():
    for width in range(1, 4):
        for shape in (Shape(width), Shape(width, signed=True)):
            lo, hi = span(shape)
            assert Shape.cast(range(lo, hi + 1)) == shape
