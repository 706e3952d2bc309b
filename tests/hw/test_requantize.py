# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.hdl import Shape, signed, unsigned
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from hw import requantize
from hw.requantize import Requantize
from sw import golden
from tests.hw.components import offers_before_ready_and_holds
from tests.hw.frames import all_values, play_frames, rhythm, some_values

INT32 = signed(32)
ONE = 2 ** 30                       # the multiplier of 1/2
MOST = 2 ** 31 - 1


def check(x, multiplier, exponent, *, rng, shape=INT32, longest=0, options, hardware):
    multiplier, exponent = np.array(multiplier), np.array(exponent)
    dut = Requantize(shape=shape, multiplier=multiplier, exponent=exponent, **options, **hardware)
    y, beyond = play_frames(dut, x, rng=rng, longest=longest)
    np.testing.assert_array_equal(y, golden.requantize(x, multiplier, exponent, **options))
    assert not beyond.any()


def in_range(x, multiplier, exponent):
    """``x``, halved until neither shift nor result goes beyond 32 bits."""
    while True:
        wrong = (np.abs(x * 2.0 ** np.maximum(exponent, 0)) >= 2 ** 31) & (x != 0)
        wrong |= np.abs(x * multiplier * 2.0 ** (exponent - 31)) >= 2 ** 31 - 1
        if not wrong.any():
            return x
        x = np.where(wrong, x // 2 + (x < 0), x)


@pytest.mark.parametrize("single_rounding", [False, True])
@pytest.mark.parametrize("shape", [signed(5), unsigned(4)], ids=repr)
@pytest.mark.parametrize("bits", [1, 3])
def test_all_values_and_so_ties(shape, bits, single_rounding):
    multiplier = [ONE, ONE, ONE, MOST, 3 * 2 ** 29, 1518500250, ONE]
    exponent = [-1, 0, -3, -2, -1, 0, 2]
    check(all_values(shape, 7), multiplier, exponent, rng=np.random.default_rng(0), shape=shape,
          options={"single_rounding": single_rounding}, hardware={"bits": bits, "lanes": 7})


@pytest.mark.parametrize("single_rounding", [False, True])
@pytest.mark.parametrize("exponent", [-31, -1, 0])
def test_ends_of_int32(exponent, single_rounding):
    multiplier = [0, 1, 2, ONE - 1, ONE, ONE + 1, MOST]
    near = np.array([0, 1, 2, 3, 2 ** 29, 2 ** 30, 2 ** 30 + 1, 3 * 2 ** 29, 2 ** 31 - 1])
    x = np.concatenate([near, -near, [-2 ** 31, -2 ** 31 + 2 ** 29]])
    check(np.tile(x[:, None], 7), multiplier, 7 * [exponent], rng=np.random.default_rng(0),
          options={"single_rounding": single_rounding}, hardware={"bits": 16})


@pytest.mark.parametrize("single_rounding", [False, True])
def test_exponents_up_to_30(single_rounding):
    multiplier = np.array([MOST, 1, ONE, ONE, MOST, 5])
    exponent = np.array([30, 30, 30, 1, -31, 29])
    x = in_range(np.array([[1, -1, -2, -2 ** 30, -2 ** 31, 3], [0, 2 ** 30, 1, 7, 5, -4],
                           [-1, -7, 0, -7, 2 ** 31 - 1, 1]]), multiplier, exponent)
    check(x, multiplier, exponent, rng=np.random.default_rng(0),
          options={"single_rounding": single_rounding}, hardware={"lanes": 2, "bits": 7})


@pytest.mark.parametrize("ends", [(-8, 7), (0, 15), (-5, 6), (1, 7)])
def test_all_results_near_the_ends(ends):
    for zero in range(-10, 18, 1 if ends[0] == -8 else 5):
        check(all_values(signed(6), 1), [ONE], [0], rng=np.random.default_rng(0), shape=signed(6),
              options={"zero": zero, "lo": ends[0], "hi": ends[1]}, hardware={})


def test_long_stalls():
    rng = np.random.default_rng(0)
    check(rng.integers(-128, 128, (40, 3)), [ONE, ONE, 3 * 2 ** 29], [0, 1, 0], rng=rng,
          shape=signed(8), longest=12, options={}, hardware={"lanes": 2, "bits": 2})


def test_a_multiplier_of_0_after_one_that_rounds_up():
    check(np.full((3, 2), 1), [0, ONE], [-5, 0], rng=np.random.default_rng(0),
          options={}, hardware={})


@settings(max_examples=12, deadline=None, derandomize=True, phases=[Phase.generate])
@given(seed=st.integers(0, 2 ** 32), width=st.integers(1, 32), sign=st.booleans(),
       channels=st.integers(1, 5), lanes=st.integers(1, 3), bits=st.integers(1, 20),
       kind=st.integers(0, 3), single_rounding=st.booleans(), zero=st.integers(-300, 300),
       ends=st.sampled_from([(-128, 127), (0, 255), (-127, 127), (3, 9), (-90, -6), (0, 1),
                             (-2 ** 31, 2 ** 31 - 1)]), longest=st.sampled_from([0, 3]))
def test_matches_golden(seed, width, sign, channels, lanes, bits, kind, single_rounding, zero,
                        ends, longest):
    rng = np.random.default_rng(seed)
    shape = Shape(min(width, 32 if sign else 31), sign)
    multiplier, exponent = [
        (rng.integers(ONE, MOST, channels), rng.integers(-12, 1, channels)),
        (rng.integers(0, MOST, channels), rng.integers(-31, 31, channels)),
        (1 << rng.integers(0, 31, channels), rng.integers(-31, 31, channels)),
        (rng.integers(0, 8, channels), np.full(channels, rng.integers(-31, 31)))][kind]
    x = in_range(some_values(rng, shape, (5, channels)), multiplier, exponent)
    check(x, multiplier, exponent, shape=shape, rng=rng, longest=longest, options={
        "zero": zero, "lo": ends[0], "hi": ends[1], "single_rounding": single_rounding},
        hardware={"lanes": lanes, "bits": bits})


@pytest.mark.parametrize("block", [False, True])
def test_deep_memories(block):
    rng = np.random.default_rng(0)
    multiplier, exponent = rng.integers(ONE, MOST, 70), rng.integers(-6, -2, 70)
    check(rng.integers(-2 ** 11, 2 ** 11, (2, 70)), multiplier, exponent, rng=rng,
          shape=signed(12), options={"lo": -128, "hi": 127}, hardware={"bits": 10, "block": block})


@pytest.mark.parametrize("multiplier, exponent, bits, cycles", [
    ([MOST], [0], 1, 32), ([MOST], [-7], 1, 39), ([MOST], [-7], 4, 11), ([ONE], [0], 1, 2),
    ([ONE], [1], 1, 2), ([ONE, 3 * 2 ** 29], [0, -4], 1, 7), ([0], [0], 1, 2)])
def test_cycles(multiplier, exponent, bits, cycles):
    dut = Requantize(shape=signed(8), multiplier=multiplier, exponent=exponent, bits=bits)
    taken, offered = rhythm(dut, [-77])
    assert dut.cycles == cycles
    assert requantize.cycles(multiplier=multiplier, exponent=exponent, bits=bits) == cycles
    assert (np.diff(taken) == cycles).all() and (np.diff(offered) == cycles).all()
    assert offered[0] - taken[0] == cycles + 1


def test_offers_before_ready_and_holds():
    dut = Requantize(shape=signed(8), multiplier=[3 * 2 ** 29], exponent=[-2])
    assert offers_before_ready_and_holds(dut, [[100], [-100], [50], [25]])


def test_parameters_wrong():
    for name in ("lanes", "bits"):
        with pytest.raises(TypeError, match=rf"^{name.capitalize()} must be a positive integer, "
                                            rf"not 0$"):
            Requantize(shape=signed(8), multiplier=[1], exponent=[0], **{name: 0})
    with pytest.raises(ValueError, match=r"^Multiplier and exponent must have an entry a channel "
                                         r"each, not shapes \(1,\) and \(2,\)$"):
        Requantize(shape=signed(8), multiplier=[1], exponent=[0, 0])


# Placed and routed for iCE40, with scales drawn in this order.
def test_cells():
    rng = np.random.default_rng(0)
    for width, channels, lanes, bits, single_rounding, zero, lo, hi, block, measured in [
            (20, 1, 1, 1, False, 0, -128, 127, False, 104),
            (20, 1, 1, 1, True, 0, -128, 127, False, 101),
            (20, 1, 1, 1, False, 5, -128, 127, False, 105),
            (20, 1, 1, 1, False, 0, -127, 127, False, 113),
            (16, 64, 1, 1, False, 0, -128, 127, False, 390),
            (16, 64, 1, 1, True, 3, 0, 255, False, 324),
            (24, 16, 1, 1, False, 0, -128, 127, False, 195),
            (32, 1, 1, 1, False, 0, -128, 127, False, 138),
            (20, 16, 4, 1, False, 0, -128, 127, False, 457),
            (20, 1, 1, 2, False, 0, -128, 127, False, 121),
            (20, 1, 1, 4, False, 0, -128, 127, False, 166),
            (20, 256, 1, 1, False, 0, -128, 127, True, 143)]:
        multiplier = rng.integers(ONE, 2 ** 31, channels)
        exponent = rng.integers(-9, -5, channels)
        exponent[:] = -7 if channels == 1 else exponent
        cells = requantize.cells(
            shape=signed(width), multiplier=multiplier, exponent=exponent, zero=zero, lo=lo, hi=hi,
            single_rounding=single_rounding, lanes=lanes, bits=bits, block=block)
        assert abs(cells - measured) < 0.15 * measured
