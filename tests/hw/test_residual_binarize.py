# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.hdl import Shape, signed, unsigned
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from hw import residual_binarize
from hw.pipeline import span
from hw.residual_binarize import ResidualBinarize
from sw import golden
from tests.hw.components import offers_before_ready_and_holds
from tests.hw.frames import all_values, play_frames, rhythm


@pytest.mark.parametrize("shape", [unsigned(6), signed(6), unsigned(1), signed(1)], ids=repr)
@pytest.mark.parametrize("signs", [1, 2, 4])
@pytest.mark.parametrize("same_coefficients, same_start", [
    (False, False), (False, True), (True, False), (True, True)])
def test_all_values(shape, signs, same_coefficients, same_start):
    rng = np.random.default_rng(signs)
    channels = 5
    coefficients = rng.integers(1, 2 ** shape.width, (channels, signs))
    lo, hi = span(shape)
    centre = rng.integers(lo - 1, hi + 2, channels)
    flip = np.arange(channels) % 2 == 1
    if same_coefficients:
        coefficients[:] = coefficients[0]
    if same_start:
        centre[:], flip[:] = centre[0], signs == 2
    x = all_values(shape, channels)
    dut = ResidualBinarize(shape=shape, coefficients=coefficients, centre=centre, flip=flip,
                           lanes=2)
    y, beyond = play_frames(dut, x, rng=rng)
    np.testing.assert_array_equal(y, golden.residual_binarize(x, coefficients, centre, flip))
    assert not beyond.any()


@settings(max_examples=15, deadline=None, derandomize=True, phases=[Phase.generate])
@given(seed=st.integers(0, 2 ** 32), width=st.integers(1, 24), sign=st.booleans(),
       channels=st.integers(1, 7), lanes=st.integers(1, 4), signs=st.integers(1, 5),
       size=st.integers(0, 26), longest=st.sampled_from([0, 2]))
def test_matches_golden(seed, width, sign, channels, lanes, signs, size, longest):
    rng = np.random.default_rng(seed)
    shape = Shape(width, sign)
    coefficients = rng.integers(1, 2 ** size, (channels, signs), endpoint=True)
    centre = rng.integers(*span(shape), channels, endpoint=True)
    flip = rng.random(channels) < 0.5
    # Values at which some sign changes, and their neighbours.
    x = centre + (rng.choice([-1, 0, 1], (10, channels, signs)) * coefficients).sum(axis=2)
    x = np.clip(x + rng.integers(-1, 2, x.shape), *span(shape))
    dut = ResidualBinarize(shape=shape, coefficients=coefficients, centre=centre, flip=flip,
                           lanes=lanes)
    y, beyond = play_frames(dut, x, rng=rng, longest=longest)
    np.testing.assert_array_equal(y, golden.residual_binarize(x, coefficients, centre, flip))
    assert not beyond.any()


def test_what_is_left_has_the_width_of_its_range():
    x = np.arange(-8, 8)
    for start in (-9, 0, 3):
        for beta in range(1, 20):
            shapes = residual_binarize._left(signed(4), [start], np.array([[beta, 5, 1]]))
            left = x + start
            for shape, coefficient in zip(shapes, (beta, 5, 1), strict=True):
                needed = Shape.cast(range(min(-1, left.min()), max(0, left.max()) + 1))
                # The third time there may be gaps in the range.
                assert shape.signed and shape.width - needed.width in (0, coefficient == 1)
                left = left - np.where(left >= 0, coefficient, -coefficient)


@pytest.mark.parametrize("block", [False, True])
def test_deep_memories(block):
    rng = np.random.default_rng(0)
    coefficients = rng.integers(1, 30, (70, 2))
    centre, flip = rng.integers(-30, 30, 70), rng.random(70) < 0.5
    x = rng.integers(-32, 32, (6, 70))
    dut = ResidualBinarize(shape=signed(6), coefficients=coefficients, centre=centre, flip=flip,
                           block=block)
    y, _ = play_frames(dut, x, rng=rng)
    np.testing.assert_array_equal(y, golden.residual_binarize(x, coefficients, centre, flip))


@pytest.mark.parametrize("centre, signs, latency", [([1, 1], 1, 2), ([1, 1], 3, 4), ([1, 2], 3, 5)])
def test_latency(centre, signs, latency):
    dut = ResidualBinarize(shape=signed(4), coefficients=np.ones((2, signs), int), centre=centre,
                           flip=[True, True])
    taken, offered = rhythm(dut, [0], cycles=20)
    assert dut.latency == latency == offered[0] - taken[0]
    assert (np.diff(taken) == 1).all() and (np.diff(offered) == 1).all()


def test_offers_before_ready_and_holds():
    dut = ResidualBinarize(shape=signed(4), coefficients=[[3, 1]], centre=[0], flip=[False])
    assert offers_before_ready_and_holds(dut, [[k] for k in range(-4, 4)])


def test_parameters_wrong():
    with pytest.raises(TypeError, match=r"^Lanes must be a positive integer, not 0$"):
        ResidualBinarize(shape=signed(4), coefficients=[[1]], centre=[0], flip=[False], lanes=0)
    with pytest.raises(ValueError, match=r"^Centre and flip must have an entry a channel, 2, not "
                                         r"shapes \(2,\) and \(1,\)$"):
        ResidualBinarize(shape=signed(4), coefficients=[[1], [2]], centre=[0, 0], flip=[False])


# Placed and routed for iCE40, with constants drawn in this order.
def test_cells():
    rng = np.random.default_rng(0)
    for width, channels, lanes, signs, same, measured in [
            (12, 1, 1, 2, False, 37), (12, 1, 1, 4, False, 79), (12, 64, 1, 2, False, 180),
            (12, 64, 1, 2, True, 123), (16, 16, 4, 3, False, 393), (10, 128, 1, 1, False, 155)]:
        coefficients = rng.integers(20, 400, (channels, signs))
        centre, flip = rng.integers(-100, 100, channels), rng.random(channels) < 0.5
        if same:
            coefficients[:] = coefficients[0]
        cells = residual_binarize.cells(shape=signed(width), coefficients=coefficients,
                                        centre=centre, flip=flip, lanes=lanes)
        assert abs(cells - measured) < 0.16 * measured
