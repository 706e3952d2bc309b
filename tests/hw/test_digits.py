import numpy as np

from hw.digits import radix_4, signed_digits
from sw.alphabet import csd_digits


def test_signed_digits_are_canonical():
    for value in range(-600, 600):
        digits = signed_digits(value)
        assert sum(digit << place for place, digit in digits) == value
        assert {digit for _, digit in digits} <= {-1, 1}
        assert len(digits) == csd_digits(np.array(value))
    assert signed_digits(-2 ** 70) == [(70, -1)]


def test_radix_4():
    values = np.arange(-600, 600).reshape(4, 300)
    digits = radix_4(values)
    np.testing.assert_array_equal(sum(digit << place for place, digit in digits), values)
    assert [place for place, _ in digits] == [0, 2, 4, 6, 8, 10]
    assert {int(d) for _, digit in digits for d in digit.flat} == {-1, 0, 1, 2}
    assert len(radix_4([42, -21])) == 3 and len(radix_4([43])) == 4
    assert radix_4([0, 0]) == []
