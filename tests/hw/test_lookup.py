# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.hdl import Shape, signed, unsigned

from hw import lookup
from hw.lookup import Lookup
from sw import golden
from tests.hw.components import offers_before_ready_and_holds
from tests.hw.frames import all_values, play_frames, rhythm


@pytest.mark.parametrize("width, rows, channels, lanes", [
    (3, 1, 4, 1), (3, 1, 4, 3), (7, 1, 2, 2), (3, 4, 4, 1), (3, 5, 5, 2), (2, 3, 3, 4),
    (1, 7, 7, 3), (6, 3, 3, 2)])
@pytest.mark.parametrize("block", [False, True])
@pytest.mark.parametrize("longest", [0, 3])
def test_all_codes(width, rows, channels, lanes, block, longest):
    rng = np.random.default_rng(width * rows)
    table = rng.integers(-20, 13, (rows, 2 ** width))
    codes = all_values(unsigned(width), channels)
    dut = Lookup(shape=unsigned(width), table=table, lanes=lanes, block=block)
    y, beyond = play_frames(dut, codes, rng=rng, longest=longest)
    np.testing.assert_array_equal(y, golden.lookup(codes, table))
    assert rows == 1 or not beyond.any()


def test_codes_are_unsigned_and_entries_raw():
    values = np.arange(-4, 4)[:, None]
    table = np.arange(8)[None]
    for output in (unsigned(3), signed(3)):
        dut = Lookup(shape=signed(3), table=table, output=output)
        y, _ = play_frames(dut, values, rng=np.random.default_rng(0))
        np.testing.assert_array_equal(y, values if output.signed else values % 8)


def test_fewer_entries_than_codes():
    rng = np.random.default_rng(0)
    for rows in (1, 3):
        table = rng.integers(0, 99, (rows, 5))
        codes = rng.integers(0, 5, (12, 3))
        y, _ = play_frames(Lookup(shape=unsigned(3), table=table), codes, rng=rng)
        np.testing.assert_array_equal(y, golden.lookup(codes, table))


def test_entries_have_exactly_the_width_of_their_range():
    assert Lookup(shape=1, table=[[0, 7]]).output == unsigned(3)
    assert Lookup(shape=1, table=[[0, 8]]).output == unsigned(4)
    assert Lookup(shape=1, table=[[-8, 7]]).output == signed(4)


def test_latency():
    taken, offered = rhythm(Lookup(shape=2, table=[[1, 2, 3, 4]]), [0], cycles=20)
    assert offered[0] - taken[0] == Lookup.latency == 1
    assert (np.diff(taken) == 1).all() and (np.diff(offered) == 1).all()


def test_offers_before_ready_and_holds():
    assert offers_before_ready_and_holds(Lookup(shape=2, table=[[1, 2, 3, 0]]), [[0], [1], [2]])


def test_parameters_wrong():
    with pytest.raises(TypeError, match=r"^Lanes must be a positive integer, not 0$"):
        Lookup(shape=1, table=[[0, 1]], lanes=0)
    with pytest.raises(ValueError, match=r"^A table for codes of 1 bits has at most 2 entries, not "
                                         r"3$"):
        Lookup(shape=1, table=[[0, 1, 2]])


# Placed and routed for iCE40, with entries drawn in this order.
def test_cells():
    rng = np.random.default_rng(0)
    for bits, rows, lanes, width, block, measured in [
            (4, 1, 4, 8, False, 37), (8, 1, 1, 8, False, 189), (6, 1, 2, 12, False, 135),
            (3, 64, 1, 8, False, 399), (3, 64, 1, 8, True, 13), (4, 32, 4, 6, False, 285),
            (2, 100, 1, 5, False, 221)]:
        table = rng.integers(0, 1 << width, (rows, 1 << bits))
        cells = lookup.cells(shape=bits, table=table, output=Shape(width), lanes=lanes, block=block)
        assert abs(cells - measured) < 0.15 * measured
