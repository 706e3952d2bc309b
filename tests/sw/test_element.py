import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sw import alphabet, element
from sw.element import Bipolar, Int, Levels, Planes, Pow2, Ternary, UInt

SMALL = [Bipolar(), Ternary(), UInt(1), UInt(3), Int(1), Int(3), Pow2(1), Pow2(2), Pow2(3),
         Pow2(4), Levels((5,)), Levels((0, 0)), Levels((-3, 0, 5)), Levels((4, -1, 4, 2, -1)),
         Planes((1,)), Planes((0,)), Planes((1, 2, 4)), Planes((3, -2)), Planes((1, 1, 1, 2))]
NUMBERS = st.integers(1 - 2 ** 31, 2 ** 31 - 1)
ELEMENTS = st.one_of(
    st.sampled_from([Bipolar(), Ternary()]), st.builds(UInt, st.integers(1, 62)),
    st.builds(Int, st.integers(1, 62)), st.builds(Pow2, st.integers(1, 62)),
    st.builds(Levels, st.lists(NUMBERS, min_size=1, max_size=40).map(tuple)),
    st.builds(Planes, st.lists(NUMBERS, min_size=1, max_size=8).map(tuple)))


@pytest.mark.parametrize("kind, bits, lo, hi", [
    (Bipolar(), 1, -1, 1), (Ternary(), 2, -1, 1),
    (UInt(1), 1, 0, 1), (UInt(8), 8, 0, 255), (UInt(62), 62, 0, 2 ** 62 - 1),
    (Int(1), 1, -1, 0), (Int(8), 8, -128, 127), (Int(62), 62, -2 ** 61, 2 ** 61 - 1),
    (Pow2(1), 2, -1, 1), (Pow2(3), 3, -4, 4), (Pow2(4), 4, -8, 8), (Pow2(7), 4, -64, 64),
    (Pow2(8), 5, -128, 128), (Pow2(62), 7, -2 ** 61, 2 ** 61),
    (Levels((7,)), 1, 7, 7), (Levels((-3, 0)), 1, -3, 0), (Levels((5, -9, 2)), 2, -9, 5),
    (Levels((0,) * 256), 8, 0, 0), (Levels((0,) * 257), 9, 0, 0),
    (Levels(tuple(range(2 ** 16))), 16, 0, 2 ** 16 - 1),
    (Planes((3,)), 1, -3, 3), (Planes((1, -2, 4)), 3, -7, 7), (Planes((1,) * 16), 16, -16, 16),
])
def test_bits_and_range(kind, bits, lo, hi):
    assert (kind.bits, kind.lo, kind.hi) == (bits, lo, hi)


@pytest.mark.parametrize("kind, values", [
    (Bipolar(), {0: -1, 1: 1}), (Ternary(), {0: 0, 1: 1, 3: -1}),
    (UInt(2), {0: 0, 1: 1, 2: 2, 3: 3}), (Int(2), {0: 0, 1: 1, 2: -2, 3: -1}),
    (Int(1), {0: 0, 1: -1}), (Pow2(1), {0: 0, 1: 1, 3: -1}),
    (Pow2(3), {0: 0, 1: 1, 2: 2, 3: 4, 5: -1, 6: -2, 7: -4}),
    (Pow2(4), {0: 0, 1: 1, 2: 2, 3: 4, 4: 8, 9: -1, 10: -2, 11: -4, 12: -8}),
    (Levels((-3, 0, 5)), {0: -3, 1: 0, 2: 5}), (Levels((4, -1, 4)), {0: 4, 1: -1, 2: 4}),
    (Planes((1, 2)), {0: -3, 1: -1, 2: 1, 3: 3}), (Planes((2, 1)), {0: -3, 1: 1, 2: -1, 3: 3}),
    (Planes((1, 1)), {0: -2, 1: 0, 2: 0, 3: 2}), (Planes((3, -2)), {0: -1, 1: 5, 2: -5, 3: 1}),
])
def test_codes_and_their_values(kind, values):
    assert kind.codes().tolist() == list(values)
    assert kind.decode(kind.codes()).tolist() == list(values.values())
    for raw, value in values.items():
        first = min(other for other, its in values.items() if its == value)
        assert (kind.decode(raw), kind.encode(value)) == (value, first)


@pytest.mark.parametrize("kind", SMALL, ids=str)
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint64, ">i2"])
def test_decode_takes_codes_of_every_type(kind, dtype):
    codes = kind.codes()
    values = kind.decode(codes.astype(dtype)[None])
    assert (values.dtype, values.shape) == (np.int64, (1, len(codes)))
    assert values.tolist() == [kind.decode(codes).tolist()]


@pytest.mark.parametrize("kind", SMALL, ids=str)
@pytest.mark.parametrize("dtype", [np.int8, np.int64])
def test_holds_its_values_and_nothing_else(kind, dtype):
    values = kind.decode(kind.codes())
    assert (values.min(), values.max()) == (kind.lo, kind.hi)
    assert kind.holds(values.astype(dtype))
    assert kind.holds(np.zeros(0, dtype))
    for value in range(kind.lo - 2, kind.hi + 3):
        held = value in values
        assert kind.holds(np.array([value], dtype)) is held
        assert kind.holds(np.array([*values, value], dtype)) is held


@pytest.mark.parametrize("kind, dtype, end, held", [
    (Pow2(8), np.int8, -128, True), (Pow2(7), np.int8, -128, False), (Int(8), np.int8, -128, True),
    (Int(62), np.int64, -2 ** 63, False), (Int(62), np.int64, 2 ** 63 - 1, False),
    (Int(62), np.uint64, 2 ** 64 - 1, False), (UInt(62), np.int64, -2 ** 63, False),
    (UInt(62), np.uint64, 2 ** 62 - 1, True), (UInt(62), np.uint64, 2 ** 62, False),
    (Pow2(62), np.int64, -2 ** 63, False), (Pow2(62), np.uint64, 2 ** 61, True),
    (Pow2(62), np.uint64, 2 ** 63, False), (Pow2(62), np.uint64, 2 ** 61 - 1, False),
    (Bipolar(), np.uint64, 2 ** 64 - 1, False), (Ternary(), np.uint64, 2 ** 64 - 1, False),
    (Levels((-1, 0)), np.uint64, 2 ** 64 - 1, False), (Levels((-1, 7)), np.uint64, 7, True),
    (Planes((1, 2)), np.uint64, 2 ** 64 - 3, False), (Planes((1, 2)), np.uint64, 3, True)])
def test_holds_at_the_ends_of_types(kind, dtype, end, held):
    assert kind.holds(np.array([end], dtype)) is held


def some_value(kind):
    if isinstance(kind, UInt | Int):
        return st.integers(kind.lo, kind.hi)
    return st.sampled_from(kind.decode(kind.codes()).tolist())


@given(ELEMENTS, st.data())
def test_decode_inverts_encode(kind, data):
    for value in (kind.lo, kind.hi, data.draw(some_value(kind))):
        raw = kind.encode(np.array([value]))
        assert raw.dtype == np.int64 and 0 <= raw < 2 ** kind.bits
        assert kind.decode(raw).tolist() == [value]


@given(ELEMENTS.filter(lambda kind: kind.bits <= 8), st.sampled_from(["i1", "u1", ">i4", "u8"]))
def test_encode_gives_the_lowest_code(kind, dtype):
    codes = kind.codes()
    values = kind.decode(codes.astype(np.int16))
    raw = kind.encode(values)
    assert kind.decode(raw).tolist() == values.tolist()
    assert raw.tolist() == [codes[values == value].min() for value in values]
    assert kind.encode(values[None]).tolist() == [raw.tolist()]
    small = values[(values >= 0) & (values < 128)]
    assert kind.encode(small.astype(dtype)).tolist() == kind.encode(small).tolist()


@pytest.mark.parametrize("powers", [1, 2, 3, 4, 7, 8, 62])
def test_pow2_is_coded_as_the_alphabet_is(powers):
    codes = np.arange(-powers, powers + 1)
    words = alphabet.Pow2(powers).encode_bits(codes)
    assert alphabet.Pow2(powers).bits == Pow2(powers).bits
    values = [2 ** (c - 1) if c > 0 else -2 ** (-c - 1) if c else 0 for c in codes.tolist()]
    assert Pow2(powers).decode(words).tolist() == values
    assert Pow2(powers).encode(np.array(values)).tolist() == words.tolist()
    assert Pow2(powers).codes().tolist() == sorted(words.tolist())


@given(ELEMENTS)
def test_parse_inverts_str(kind):
    assert element.parse(str(kind)) == kind


@pytest.mark.parametrize("kind, text", [
    (Bipolar(), "bipolar"), (Ternary(), "ternary"), (UInt(8), "uint8"), (Int(12), "int12"),
    (Pow2(5), "pow2(5)"), (Levels((-3, 0, 5)), "levels(-3, 0, 5)"), (Levels((0,)), "levels(0)"),
    (Planes((1, 2, 4)), "planes(1, 2, 4)"), (Planes((-1,)), "planes(-1)")])
def test_str(kind, text):
    assert str(kind) == text
    assert element.parse(text) == kind


@pytest.mark.parametrize("kind", [
    *(UInt(bits) for bits in range(1, 63)), *(Int(bits) for bits in range(1, 63)),
    *(Pow2(powers) for powers in range(1, 63)), Levels(tuple(range(2 ** 16)))],
    ids=lambda kind: str(kind)[:20])
def test_parse_inverts_every_str(kind):
    assert element.parse(str(kind)) == kind


@pytest.mark.parametrize("text", [
    "", "int", "uint0", "int08", "int-1", "int100", "float8", "Bipolar", "uint8 ", "uint٣",
    "int1٣", "xint8", "ternary\n", "pow2", "pow2()", "pow2(0)", "pow2(01)", "pow2(100)",
    "pow2(-1)", "pow2(3, no zero)", "levels", "levels()", "levels(1,2)", "levels(1, )",
    "levels(-0)", "levels(01)", "levels(+1)", "levels(1, 2", "levels(1.5)", "levels(1, 2)x",
    "levels(123456789012)", "levels(٣)", "planes()", "planes(1; 2)", "plane(1)"])
def test_parse_refuses(text):
    with pytest.raises(ValueError, match=re.escape(
            f"An element type is bipolar, ternary, uintN, intN, pow2(N), levels(A, B, …) or "
            f"planes(A, B, …), not {text!r}") + "$"):
        element.parse(text)


def test_parse_says_no_more_than_a_line_of_what_it_refuses():
    text = f"levels({'1, ' * 1000})"
    with pytest.raises(ValueError, match=re.escape(f", not {text[:80]!r}") + "$"):
        element.parse(text)


@pytest.mark.parametrize("kind", [UInt, Int])
@pytest.mark.parametrize("bits", [0, -1, 63, True, 8.0, "8", None])
def test_bits_wrong(kind, bits):
    with pytest.raises(ValueError, match=rf"^An element has 1 to 62 bits, not {bits!r}$"):
        kind(bits)
    with pytest.raises(ValueError, match=r"^An element has 1 to 62 bits, not 63$"):
        element.parse("int63")


@pytest.mark.parametrize("powers", [0, -1, 63, True, 8.0, "8", None])
def test_powers_wrong(powers):
    with pytest.raises(ValueError, match=rf"^A pow2 element has 1 to 62 powers, not {powers!r}$"):
        Pow2(powers)


@pytest.mark.parametrize("kind, what, most", [
    (Levels, "Levels", 2 ** 16), (Planes, "Coefficients of planes", 16)])
@pytest.mark.parametrize("numbers, found", [
    ((), "a tuple of 0"), (None, "None"), ([1, 2], r"\[1, 2\]"), (3, "3"), ("ab", "'ab'"),
    ((1,) * (2 ** 16 + 1), "a tuple of 65537")])
def test_tuples_wrong(kind, what, most, numbers, found):
    with pytest.raises(ValueError, match=f"^{what} are a tuple of 1 to {most} integers, not "
                                         f"{found}$"):
        kind(numbers)


@pytest.mark.parametrize("kind, what", [(Levels, "Levels"), (Planes, "Coefficients of planes")])
@pytest.mark.parametrize("number", [2 ** 31, -2 ** 31, 1.0, True, None, "1"])
def test_numbers_wrong(kind, what, number):
    kind((2 ** 31 - 1, 1 - 2 ** 31))
    with pytest.raises(ValueError, match=rf"^{what} are integers of magnitudes below 2\^31, not "
                                         f"{number!r}$"):
        kind((1, number))


def test_elements_are_equal_and_hashed_by_what_they_are():
    kinds = [*SMALL, Pow2(8), Int(8), UInt(8), Levels((1,))]
    assert len({*kinds, *map(element.parse, map(str, kinds))}) == len(kinds)


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
