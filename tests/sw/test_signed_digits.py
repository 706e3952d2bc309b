import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.alphabet import (
    Bipolar,
    Codebook,
    Float,
    Integer,
    Ones,
    Pow2,
    Ternary,
    Vectors,
    csd_digits,
)
from sw.planes import Plane, signed_digits
from tests.sw.schemes.examples import raises

# Each with its planes' powers.
ALPHABETS = [
    (Ones(), [1]), (Bipolar(), [1]), (Ternary(), [1]), (Integer(0, 1), [1]), (Integer(-2, 1), [2]),
    (Integer(0, 3), [2, 1]), (Integer(-4, 3), [2, 1]), (Integer(-6, 5), [2, 2]),
    (Integer(-8, 7), [2, 2]), (Integer(0, 15), [2, 2, 1]), (Integer(-5, 11), [2, 2, 1]),
    (Integer(-128, 127), [2, 2, 2, 2]), (Integer(0, 255), [2, 2, 2, 2, 1]),
    (Integer(-600, -300), [2, 2, 2, 2, 2]), (Integer(-2 ** 9, 2 ** 9 - 1), [2] * 5),
    (Pow2(1), [1]), (Pow2(2, False), [2]), (Pow2(3), [3]), (Pow2(7, False), [7]),
    (Float(2, 0), [4]), (Float(2, 1), [6, 6]), (Float(3, 3), [12] * 3), (Float(1, 3), [2] * 3),
    (Float(4, 3, ieee=True), [18] * 3),
    (Codebook(np.array([0, 0])), [1]), (Codebook(np.array([3, -1, 0], np.int8)), [2, 1]),
    (Codebook(np.array([-64., 0., 8.])), [7]), (Codebook(np.array([1023, -7, 40])), [11, 11]),
    (Vectors(np.arange(-12, 12).reshape(3, 4, 2), 5), [2, 2, 1]),
]
IDS = [str(alphabet) for alphabet, _ in ALPHABETS]


def every_code(alphabet):
    """All codes, columns of them for tables of vectors."""
    codes = np.arange(alphabet.lo, alphabet.hi + 1)[:, None]
    codes = codes[alphabet.holds(codes[:, 0])]
    return np.repeat(codes, len(alphabet.table), axis=1) if isinstance(
        alphabet, Vectors) else codes


@pytest.mark.parametrize("alphabet, powers", ALPHABETS, ids=IDS)
def test_digits_are_the_weights(alphabet, powers):
    codes = every_code(alphabet)
    plane = Plane(alphabet, codes, np.ones(len(codes), np.int8))
    planes = signed_digits(plane)
    assert [digits.alphabet for digits in planes] == [Pow2(power) for power in powers]
    np.testing.assert_array_equal(sum(digits.values() for digits in planes), plane.values())
    # As few of them as there can be, and of integers no two of them neighbours.
    assert sum(digits.digits for digits in planes) == csd_digits(plane.values()).sum()


@pytest.mark.parametrize("alphabet, powers", ALPHABETS, ids=IDS)
def test_a_few_codes_take_the_planes_of_the_alphabet(alphabet, powers):
    codes = every_code(alphabet)[:1]
    planes = signed_digits(Plane(alphabet, codes, np.ones(1, np.int8)))
    assert [digits.alphabet for digits in planes] == [Pow2(power) for power in powers]


@given(st.data())
@settings(max_examples=50)
def test_matches_any_integers(data):
    lo = data.draw(st.integers(-2 ** 50, 2 ** 50))
    hi = data.draw(st.integers(lo + 1, 2 ** 50 + 1))
    weights = np.array(data.draw(st.lists(st.integers(lo, hi), min_size=1, max_size=20)))
    weights = np.append(weights, [lo, hi])[None, :]
    coefficient = data.draw(st.integers(-1000, 1000))
    planes = signed_digits(Plane(Integer(lo, hi), weights, np.array([coefficient])))
    total = sum(int(digits.coefficients[0])
                * digits.alphabet.decode(digits.codes).astype(int).astype(object)
                for digits in planes)
    assert (total == coefficient * weights.astype(object)).all()
    assert all(digits.coefficients.dtype == np.int64 for digits in planes)


def test_coefficients_of_a_row_each():
    codes = np.array([[3, -4], [2, 0], [-1, 1]])
    planes = signed_digits(Plane(Integer(-4, 3), codes, np.array([1, -5, 0], np.int8)))
    assert [digits.coefficients.tolist() for digits in planes] == [[1, -5, 0], [4, -20, 0]]
    assert [digits.codes.tolist() for digits in planes] == [
        [[-1, 0], [2, 0], [-1, 1]], [[1, -1], [0, 0], [0, 0]]]


def test_coefficients_of_a_weight_each():
    rng = np.random.default_rng(0)
    plane = Plane(Integer(-8, 7), rng.integers(-8, 8, (3, 10)), rng.integers(-2, 3, (3, 10)))
    planes = signed_digits(plane)
    assert {digits.coefficients.shape for digits in planes} == {(3,)}
    np.testing.assert_array_equal(sum(digits.values() for digits in planes), plane.values())


ONE = np.ones(1, np.int64)


def test_no_integers():
    half = Plane(Codebook(np.array([1, .5, 2])), np.array([[0]]), ONE)
    raises(ValueError, "signed digits are those of integers, but codebook(3) holds 0.5",
           signed_digits, half)
    scaled = Plane(Ternary(), np.array([[0]]), np.float32([.5]))
    raises(ValueError, "signed digits need integer coefficients, not float32",
           signed_digits, scaled)


@pytest.mark.parametrize("alphabet, place", [
    (Integer(-2 ** 62, 0), 62), (Float(8, 3), 259), (Pow2(63), 62),
    (Codebook(np.array([2. ** 62])), 62),
], ids=str)
def test_digits_beyond_62_places(alphabet, place):
    raises(OverflowError, f"the signed digits of {alphabet} reach 2^{place}, beyond 62 places",
           signed_digits, Plane(alphabet, np.array([[0]]), ONE))


def test_digits_of_62_places():
    plane = Plane(Integer(-2 ** 61, 0), np.array([[-2 ** 61, -1]]), ONE)
    values = sum(digits.values().astype(object) for digits in signed_digits(plane))
    assert values.tolist() == [[-2 ** 61, -1]]


def test_coefficients_beyond_64_bits():
    least = Plane(Integer(-8, 7), np.array([[0]]), np.array([-2 ** 61]))
    assert signed_digits(least)[1].coefficients.tolist() == [-2 ** 63]
    for most in (2 ** 61, -2 ** 61 - 1):
        raises(OverflowError, f"a coefficient of signed digits is {4 * most}, beyond 64 bits",
               signed_digits, Plane(Integer(-8, 7), np.array([[0]]), np.array([most])))
