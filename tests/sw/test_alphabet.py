import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sw.alphabet import (
    Bipolar,
    Codebook,
    Float,
    Integer,
    Ones,
    Pow2,
    Signs,
    Ternary,
    Vectors,
    csd_digits,
    integers,
    parse,
)
from tests.sw.schemes.examples import raises

TABLE = np.array([-3.5, 0.25, 7])
VECTORS = np.arange(24).reshape(2, 4, 3)    # 2 tables of 4 vectors of 3 values

# Alphabet, its text, codes, bits of a code, the code that fills memories, and datapath.
ALPHABETS = [
    (Ones(), "ones", [1], 0, 1, "SUM"),
    (Bipolar(), "bipolar", [-1, 1], 1, 1, "XNOR/ADDSUB"),
    (Ternary(), "ternary", [-1, 0, 1], 2, 0, "TERN"),
    (Pow2(1), "pow2(1)", range(-1, 2), 2, 0, "SHIFT"),
    (Pow2(1, False), "pow2(1, no zero)", [-1, 1], 1, 1, "SHIFT"),
    (Pow2(3), "pow2(3)", range(-3, 4), 3, 0, "SHIFT"),
    (Pow2(3, zero=False), "pow2(3, no zero)", [-3, -2, -1, 1, 2, 3], 3, 1, "SHIFT"),
    (Pow2(4), "pow2(4)", range(-4, 5), 4, 0, "SHIFT"),
    (Pow2(4, False), "pow2(4, no zero)", [-4, -3, -2, -1, 1, 2, 3, 4], 3, 1, "SHIFT"),
    (Integer(-8, 7), "int(-8..7)", range(-8, 8), 4, 0, "CSD"),
    (Integer(-9, 7), "int(-9..7)", range(-9, 8), 5, 0, "CSD"),
    (Integer(-1, 8), "int(-1..8)", range(-1, 9), 5, 0, "CSD"),
    (Integer(0, 1), "int(0..1)", [0, 1], 1, 0, "CSD"),
    (Integer(0, 15), "int(0..15)", range(16), 4, 0, "CSD"),
    (Integer(3, 16), "int(3..16)", range(3, 17), 5, 3, "CSD"),
    (Integer(-1, 0), "int(-1..0)", [-1, 0], 1, 0, "CSD"),
    (Integer(-6, -5), "int(-6..-5)", [-6, -5], 4, -5, "CSD"),
    (Codebook(TABLE), "codebook(3)", range(3), 2, 1, "BUCKET"),
    (Codebook(TABLE[:1]), "codebook(1)", [0], 0, 0, "BUCKET"),
    (Codebook(np.array([-128, 5], np.int8)), "codebook(2)", [0, 1], 1, 1, "BUCKET"),
    (Vectors(VECTORS, 5), "vectors(4 of 3)", range(4), 2, 0, "LUT"),
]
IDS = [text for _, text, *_ in ALPHABETS]


@pytest.mark.parametrize("alphabet, text, codes, bits, neutral, datapath", ALPHABETS, ids=IDS)
def test_what_an_alphabet_is(alphabet, text, codes, bits, neutral, datapath):
    assert (str(alphabet), alphabet.bits, alphabet.datapath) == (text, bits, datapath)
    assert (alphabet.levels, alphabet.lo, alphabet.hi) == (len(codes), codes[0], codes[-1])
    assert alphabet.neutral == neutral and neutral in codes


def test_signs_are_bipolar_codes_with_the_other_bit():
    codes = np.array([-1, 1])
    assert Signs().encode_bits(codes).tolist() == [1, 0]
    assert Signs().decode_bits(np.array([1, 0])).tolist() == [-1, 1]
    assert Signs() != Bipolar()


@pytest.mark.parametrize("alphabet, codes", [(a, codes) for a, _, codes, *_ in ALPHABETS], ids=IDS)
def test_an_alphabet_holds_its_codes_and_no_others(alphabet, codes):
    for dtype in (np.int8, np.int16, np.int64, np.uint8, np.uint64):
        info = np.iinfo(dtype)
        numbers = [n for n in (*range(-20, 21), info.min, info.max) if info.min <= n <= info.max]
        held = alphabet.holds(np.array([numbers], dtype))
        assert held.shape == (1, len(numbers)) and held.dtype == bool
        assert held.tolist() == [[n in codes for n in numbers]]


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64])
@pytest.mark.parametrize("alphabet, codes", [(a, codes) for a, _, codes, *_ in ALPHABETS], ids=IDS)
def test_every_code_comes_back_from_its_bits(alphabet, codes, dtype):
    codes = np.array([codes], dtype)
    words = alphabet.encode_bits(codes)
    assert words.min() >= 0 and words.max() < 2 ** alphabet.bits
    assert np.unique(words).size == codes.size
    np.testing.assert_array_equal(alphabet.decode_bits(words), codes)
    np.testing.assert_array_equal(alphabet.decode_bits(words.astype(np.uint8)), codes)


@pytest.mark.parametrize("alphabet", [
    Integer(-2 ** 62, 2 ** 62 - 1), Integer(-1, 2 ** 62 - 1), Integer(0, 2 ** 62 - 1),
    Integer(-2 ** 62, -1), Integer(2 ** 61, 2 ** 62 - 1), Integer(-128, 127), Pow2(1024),
    Pow2(1024, False), Float(8, 23), Float(8, 23, ieee=True)], ids=str)
def test_the_ends_of_large_alphabets_come_back(alphabet):
    codes = np.array([alphabet.lo, alphabet.lo + 1, alphabet.neutral, alphabet.hi - 1, alphabet.hi])
    words = alphabet.encode_bits(codes)
    assert 0 <= words.min() and int(words.max()) < 2 ** alphabet.bits <= 2 ** 63
    np.testing.assert_array_equal(alphabet.decode_bits(words), codes)
    assert alphabet.holds(codes).all()
    assert not alphabet.holds(np.array([alphabet.lo - 1, alphabet.hi + 1])).any()


def test_words():
    assert Bipolar().encode_bits(np.array([-1, 1])).tolist() == [0, 1]
    # Bit 0 is whether it is not zero, bit 1 whether it is negative.
    assert Ternary().encode_bits(np.array([-1, 0, 1])).tolist() == [0b11, 0b00, 0b01]
    assert Pow2(3).encode_bits(np.array([-3, -1, 0, 2])).tolist() == [0b111, 0b101, 0, 0b010]
    assert Pow2(4, False).encode_bits(np.array([-4, -1, 1, 4])).tolist() == [
        0b111, 0b100, 0b000, 0b011]
    assert Integer(-3, 4).encode_bits(np.array([-3, -1, 4])).tolist() == [0b1101, 0b1111, 0b0100]
    assert Integer(3, 16).encode_bits(np.array([3, 16])).tolist() == [0b00011, 0b10000]
    assert Codebook(TABLE).encode_bits(np.array([2, 0])).tolist() == [2, 0]
    assert Ones().encode_bits(np.array([[1, 1]])).tolist() == [[0, 0]]


@pytest.mark.parametrize("alphabet, codes, values", [
    (Ones(), [[1, 1]], [[1, 1]]), (Bipolar(), [[-1, 1]], [[-1, 1]]),
    (Ternary(), [[-1, 0, 1]], [[-1, 0, 1]]), (Integer(-9, 9), [[-9, 0, 5]], [[-9, 0, 5]]),
    (Pow2(4), [[-4, -1, 0, 1, 2, 3]], [[-8, -1, 0, 1, 2, 4]]),
    (Pow2(128), [[-128, 127]], [[-2.0 ** 127, 2.0 ** 126]]),
    (Codebook(TABLE), [[2, 0, 1], [1, 1, 2]], [[7, -3.5, 0.25], [0.25, 0.25, 7]]),
    (Vectors(VECTORS, 6), [[3, 0], [1, 2]], [[9, 10, 11, 12, 13, 14], [3, 4, 5, 18, 19, 20]]),
    (Vectors(VECTORS, 5), [[0, 3]], [[0, 1, 2, 21, 22]]),
    (Vectors(VECTORS, 4), [[0, 3]], [[0, 1, 2, 21]])])
def test_values(alphabet, codes, values):
    for dtype in (np.int8, np.int32):
        decoded = alphabet.decode(np.array(codes, dtype))
        assert decoded.tolist() == values


def test_the_largest_power_is_finite():
    assert Pow2(1024).decode(np.array([1024, -1024])).tolist() == [2.0 ** 1023, -2.0 ** 1023]


def test_digits_are_the_additions():
    codes = np.array([[-1, 0, 1, 1]])
    assert Ternary().digits(codes) == 3
    assert Bipolar().digits(np.array([[-1, 1]])) == Ones().digits(np.array([[1, 1]])) == 2
    assert Pow2(2).digits(np.array([[-2, 0, 1]])) == 2
    assert Integer(-9, 9).digits(np.array([[7, -3, 0, 8]])) == 2 + 2 + 0 + 1
    assert Codebook(TABLE).digits(np.array([[0, 1, 1]])) == 3
    assert Vectors(VECTORS, 6).digits(np.array([[0, 1], [3, 3]])) == 4


# Canonical signed digits.

def naf(value):
    """The non-adjacent form of a natural number, least significant digit first, by its rule."""
    digits = []
    while value:
        digit = 0 if value % 2 == 0 else 2 - value % 4
        digits.append(digit)
        value = (value - digit) // 2
    return digits


def test_naf_is_what_it_is_called():
    for value in range(300):
        digits = naf(value)
        assert sum(d * 2 ** k for k, d in enumerate(digits)) == value
        assert not any(a and b for a, b in itertools.pairwise(digits))


def test_digits_are_those_of_the_non_adjacent_form():
    values = np.arange(-5000, 5001)
    expected = [sum(d != 0 for d in naf(abs(v))) for v in values.tolist()]
    assert csd_digits(values).tolist() == expected
    assert csd_digits(values.astype(np.int16)).dtype == np.int64
    assert csd_digits(np.array(1690499128)) == 10             # the multiplier of 0.0123
    assert csd_digits(np.arange(2 ** 16)).mean() == pytest.approx(5.78, abs=0.005)


@given(st.integers(-2 ** 61, 2 ** 61))
def test_digits_of_large_integers(value):
    assert csd_digits(np.array([value])) == sum(d != 0 for d in naf(abs(value)))


@given(st.integers(-200, 200))
def test_digits_are_the_fewest_that_sum_to_the_integer(value):
    count = int(csd_digits(value))
    powers = [sign * 2 ** k for k in range(9) for sign in (1, -1)]
    sums = {0}
    for _ in range(count):
        assert value not in sums or count == 0
        sums = {s + p for s in sums for p in powers}
    assert value in sums


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_digits_of_the_smallest_integer_of_a_type(dtype):
    assert csd_digits(np.array([np.iinfo(dtype).min], dtype)) == 1


def test_alphabet_of_a_range():
    assert integers(-1, 1) == Ternary()
    assert integers(-1, 0) == Integer(-1, 0)
    assert integers(-2, 1) == Integer(-2, 1)
    assert integers(0, 1) == Integer(0, 1)


# Text, and what is wrong.

@pytest.mark.parametrize("alphabet", [
    *(a for a, *_ in ALPHABETS), Float(2, 3), Float(8, 0), Float(4, 3, ieee=True), Pow2(1024),
    Integer(-2 ** 62, 2 ** 62 - 1)], ids=str)
def test_parse_reads_what_str_prints(alphabet):
    table = getattr(alphabet, "table", None)
    found = parse(str(alphabet), table, getattr(alphabet, "columns", 0))
    assert type(found) is type(alphabet)
    assert str(found) == str(alphabet)
    if table is None:
        assert found == alphabet
    else:
        assert found.table is table


NO_ALPHABET = ("An alphabet is ones, bipolar, ternary, pow2(N), int(LO..HI), float(E, M), or with "
               "its table codebook(N) or vectors(N of M), not {!r}")


@pytest.mark.parametrize("text", [
    "", "Ternary", "ternary ", "pow2", "pow2()", "pow2(-1)", "pow2(99999)", "pow2(3,no zero)",
    "int(0,1)", "int(a..b)", "int(0..99999999999999999999)", "float(2)", "codebook(3)",
    "vectors(4 of 3)", "ones\n"])
def test_text_that_is_no_alphabet(text):
    raises(ValueError, NO_ALPHABET.format(text), parse, text)


def test_a_table_is_that_of_the_text():
    raises(ValueError, NO_ALPHABET.format("codebook(4)"), parse, "codebook(4)", TABLE)
    raises(ValueError, NO_ALPHABET.format("vectors(4 of 2)"), parse, "vectors(4 of 2)", VECTORS, 6)
    raises(ValueError, NO_ALPHABET.format("quinary"), parse, "quinary", TABLE)
    raises(ValueError, "A codebook's table has 1 axes of real values and is not empty, not an "
                       "array of int64 of shape (2, 4, 3)", parse, "codebook(4)", VECTORS)
    raises(ValueError, "A codebook's table has 3 axes of real values and is not empty, not an "
                       "array of float64 of shape (3,)", parse, "vectors(3 of 1)", TABLE, 3)


def test_a_table_beside_the_other_alphabets_is_not_read():
    assert parse("ternary", TABLE) == Ternary()


@pytest.mark.parametrize("powers", [0, -1, 1025])
def test_wrong_powers(powers):
    raises(ValueError, f"A pow2 alphabet has 1 to 1024 powers, not {powers}", Pow2, powers)


@pytest.mark.parametrize("lo, hi", [(1, 1), (2, 1), (-2 ** 62 - 1, 0), (0, 2 ** 62)])
def test_wrong_integers(lo, hi):
    raises(ValueError, "An integer alphabet reaches from a lower to a higher value of at most 62 "
                       f"bits, not from {lo} to {hi}", Integer, lo, hi)


@pytest.mark.parametrize("table, shown", [
    (np.zeros(0), "float64 of shape (0,)"), (np.zeros((2, 2)), "float64 of shape (2, 2)"),
    (np.array([True]), "bool of shape (1,)"), (np.array(["a"]), "<U1 of shape (1,)"),
    (np.array(1.0), "float64 of shape ()"), (np.zeros(2, complex), "complex128 of shape (2,)")])
def test_wrong_codebook(table, shown):
    raises(ValueError, "A codebook's table has 1 axes of real values and is not empty, not an "
                       f"array of {shown}", Codebook, table)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_tables_are_finite(value):
    raises(ValueError, "A codebook's table is finite, but it holds NaN or infinity",
           Codebook, np.array([0, value]))


@pytest.mark.parametrize("columns", [0, 3, 7, -1, 10 ** 30])
def test_wrong_columns(columns):
    raises(ValueError, "2 vectors of 3 values make a row of up to 6 columns and more than one "
                       f"vector less, not {columns}", Vectors, VECTORS, columns)
    assert [Vectors(VECTORS, n).columns for n in (4, 5, 6)] == [4, 5, 6]
