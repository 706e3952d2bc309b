import numpy as np
import pytest

from sim.payload import pack, unpack


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [1, 3, 8, 9, 16, 17, 33, 62])
@pytest.mark.parametrize("lanes", [1, 3, 8])
def test_unpack_inverts_pack(lanes, bits, signed):
    low, high = (-2 ** (bits - 1), 2 ** (bits - 1)) if signed else (0, 2 ** bits)
    values = np.random.default_rng(0).integers(low, high, (7, lanes))
    values[0], values[1] = low, high - 1
    text = pack(values, bits)
    assert len(text.splitlines()) == 7
    np.testing.assert_array_equal(unpack(text, lanes=lanes, bits=bits, signed=signed), values)


def test_element_0_is_in_the_low_bits():
    assert pack([[1, -2, 3]], 4) == "03e1\n"


def test_no_transfers():
    assert pack(np.zeros((0, 3)), 4) == ""
    assert unpack("", lanes=3, bits=4, signed=False).shape == (0, 3)


def test_value_too_large():
    with pytest.raises(ValueError, match=r"^Elements of 3 bits do not hold 0 … 8$"):
        pack([[8]], 3)
    with pytest.raises(ValueError, match=r"^Elements of 3 bits do not hold -5 … 0$"):
        pack([[-5]], 3)
