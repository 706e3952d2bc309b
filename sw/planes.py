"""Weight planes: a weight matrix as an exact integer sum of matrices over small alphabets.

``W[o, j] = Σ_k coefficients_k[o] · codes_k[o, j]``: every quantization scheme ends in this form,
and the alphabet of a plane (with the type of the activations) chooses the processing element.
"""
from dataclasses import dataclass

import numpy as np

ALPHABETS = {
    "bipolar": (-1, 1),
}


@dataclass(frozen=True, eq=False)
class Plane:
    """One term of a weight matrix.

    ``alphabet`` names an entry of :data:`ALPHABETS`; ``codes`` is (rows, columns), each a value
    of the alphabet; ``coefficients`` is (rows,), a non-zero integer of 32 bits a row.
    """
    alphabet: str
    codes: np.ndarray
    coefficients: np.ndarray

    def __post_init__(self):
        if self.alphabet not in ALPHABETS:
            raise ValueError(f"a plane's alphabet is one of {', '.join(ALPHABETS)}, "
                             f"not {self.alphabet!r}")
        if np.ndim(self.codes) != 2 or 0 in np.shape(self.codes):
            raise ValueError(f"a plane's codes are a matrix of rows × columns, "
                             f"not an array of shape {np.shape(self.codes)}")
        if np.shape(self.coefficients) != np.shape(self.codes)[:1]:
            raise ValueError(f"a plane has one coefficient a row, {len(self.codes)}, "
                             f"not an array of shape {np.shape(self.coefficients)}")
        for what, array in (("codes", self.codes), ("coefficients", self.coefficients)):
            if array.dtype.kind not in "iu":
                raise ValueError(f"a plane's {what} are integers, not {array.dtype}")
        wrong = ~np.isin(self.codes, ALPHABETS[self.alphabet])
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise ValueError(f"weight [{row}, {column}] is {self.codes[row, column]}, outside the "
                             f"{self.alphabet} alphabet {ALPHABETS[self.alphabet]}")
        large = (self.coefficients < -2 ** 31) | (self.coefficients >= 2 ** 31)
        if large.any():
            raise ValueError(f"a plane's coefficients have 32 bits, but that of row "
                             f"{int(np.argmax(large))} is {self.coefficients[np.argmax(large)]}")
        if not self.coefficients.all():
            raise ValueError(f"a plane's coefficients are not zero, but that of row "
                             f"{int(np.argmin(self.coefficients != 0))} is")

    @property
    def bits(self) -> int:
        """Bits that one code takes in memory."""
        return (len(ALPHABETS[self.alphabet]) - 1).bit_length()


def bipolar(weights: np.ndarray) -> Plane:
    """The plane of an integer matrix of −1 and +1, with coefficients 1."""
    return Plane("bipolar", np.asarray(weights), np.ones(len(weights), np.int8))


def pack_rom(plane: Plane, *, lanes: int, simd: int) -> np.ndarray:
    """Words of the weight memories of ``lanes`` processing elements with ``simd`` inputs each.

    Row ``o`` of the plane belongs to lane ``o % lanes``. A lane's memory holds its rows one after
    the other, a row as ``⌈columns / simd⌉`` words; bit ``i`` of word ``s`` of a row is the weight
    of column ``s · simd + i`` (+1 stored as 1). Places beyond the plane are stored as 1: an input
    bit of 0, which is what streams are filled with, disagrees there and counts nothing.

    Returns bits of shape (lanes, words, simd) with words = ⌈rows / lanes⌉ · ⌈columns / simd⌉.
    """
    rows, columns = plane.codes.shape
    groups, steps = -(-rows // lanes), -(-columns // simd)
    bits = np.ones((groups * lanes, steps * simd), np.uint8)
    bits[:rows, :columns] = plane.codes > 0
    return bits.reshape(groups, lanes, steps, simd).swapaxes(0, 1).reshape(lanes, -1, simd)


def unpack_rom(words: np.ndarray, *, rows: int, columns: int) -> np.ndarray:
    """The matrix of −1 and +1 that :func:`pack_rom` packed; its inverse."""
    lanes, depth, simd = words.shape
    steps = -(-columns // simd)
    bits = words.reshape(lanes, depth // steps, steps * simd).swapaxes(0, 1)
    return 2 * bits.reshape(-1, steps * simd)[:rows, :columns].astype(np.int8) - 1


def words_to_ints(words: np.ndarray) -> list[int]:
    """Memory words (words, bits), bit 0 first, as Python integers."""
    return [int.from_bytes(row.tobytes(), "little")
            for row in np.packbits(words, axis=-1, bitorder="little")]
