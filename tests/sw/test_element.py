import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sw import element
from sw.element import Bipolar, Int, UInt


@pytest.mark.parametrize("kind, bits, lo, hi", [
    (Bipolar(), 1, -1, 1),
    (UInt(1), 1, 0, 1), (UInt(8), 8, 0, 255), (UInt(62), 62, 0, 2 ** 62 - 1),
    (Int(1), 1, -1, 0), (Int(8), 8, -128, 127), (Int(62), 62, -2 ** 61, 2 ** 61 - 1),
])
def test_bits_and_range(kind, bits, lo, hi):
    assert (kind.bits, kind.lo, kind.hi) == (bits, lo, hi)


@pytest.mark.parametrize("kind", [UInt(1), UInt(3), Int(1), Int(3)])
@pytest.mark.parametrize("dtype", [np.int8, np.int64])
def test_holds_its_range_and_nothing_else(kind, dtype):
    assert kind.holds(np.arange(kind.lo, kind.hi + 1, dtype=dtype))
    assert kind.holds(np.zeros(0, dtype))
    assert not kind.holds(np.array([0, kind.lo - 1], dtype))
    assert not kind.holds(np.array([0, kind.hi + 1], dtype))


def test_bipolar_holds_only_minus_one_and_one():
    assert Bipolar().holds(np.array([-1, 1, 1]))
    for wrong in (-2, 0, 2):
        assert not Bipolar().holds(np.array([1, wrong]))


@pytest.mark.parametrize("kind", [
    Bipolar(), *(UInt(bits) for bits in range(1, 63)), *(Int(bits) for bits in range(1, 63))])
def test_parse_inverts_str(kind):
    assert element.parse(str(kind)) == kind


@pytest.mark.parametrize("text", ["", "int", "uint0", "int08", "int-1", "int100", "float8",
                                  "Bipolar", "uint8 ", "uint٣", "xint8"])
def test_parse_refuses(text):
    with pytest.raises(ValueError, match=re.escape(
            f"An element type is bipolar, uintN or intN, not {text!r}") + "$"):
        element.parse(text)


@pytest.mark.parametrize("kind", [UInt, Int])
@pytest.mark.parametrize("bits", [0, -1, 63, True, 8.0, "8", None])
def test_bits_wrong(kind, bits):
    with pytest.raises(ValueError, match=rf"^An element has 1 to 62 bits, not {bits!r}$"):
        kind(bits)
    with pytest.raises(ValueError, match=r"^An element has 1 to 62 bits, not 63$"):
        element.parse("int63")


@given(st.integers(-2 ** 61, 2 ** 61 - 1), st.integers(-2 ** 61, 2 ** 61 - 1))
def test_smallest_holds_with_no_bit_too_many(a, b):
    lo, hi = min(a, b), max(a, b)
    kind = element.smallest(lo, hi)
    assert isinstance(kind, UInt if lo >= 0 else Int)
    assert kind.lo <= lo and hi <= kind.hi
    if kind.bits > 1:
        narrower = type(kind)(kind.bits - 1)
        assert lo < narrower.lo or narrower.hi < hi


@pytest.mark.parametrize("lo, hi, kind", [
    (0, 0, UInt(1)), (0, 1, UInt(1)), (0, 2, UInt(2)), (5, 255, UInt(8)), (5, 256, UInt(9)),
    (-1, -1, Int(1)), (-1, 0, Int(1)), (-1, 1, Int(2)), (-2, 0, Int(2)), (-8, -8, Int(4)),
    (-128, 127, Int(8)), (-129, 0, Int(9)), (-1, 128, Int(9)),
])
def test_smallest(lo, hi, kind):
    assert element.smallest(lo, hi) == kind


def test_smallest_has_an_end():
    with pytest.raises(ValueError, match=r"^An element has 1 to 62 bits, not 63$"):
        element.smallest(0, 2 ** 62)
