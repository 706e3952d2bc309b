"""Weight planes: a weight matrix as a sum of matrices over small alphabets, and their memories.

``W[o, j] = Σ_k coefficients_k[o] · codes_k[o, j]``: every quantization scheme ends in this form,
and the alphabet of a plane (with the type of the activations) chooses the processing element.
"""
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from sw import npz
from sw.alphabet import (
    Alphabet,
    Bipolar,
    Codebook,
    Float,
    Integer,
    Ones,
    Pow2,
    Ternary,
    Vectors,
)


@dataclass(frozen=True, eq=False)
class Plane:
    """One term of a weight matrix.

    ``codes`` is (rows, columns), each an integer of ``alphabet`` ((rows, subspaces) for tables of
    vectors). ``coefficients`` is (rows,), or (rows, columns) where they differ within a row
    (buckets, blocks): finite reals in a scheme, integers in a network, 1 with a table.
    """
    alphabet: Alphabet
    codes: np.ndarray
    coefficients: np.ndarray

    def __post_init__(self):
        codes, coefficients = self.codes, self.coefficients
        if np.ndim(codes) != 2 or 0 in np.shape(codes):
            raise ValueError(f"a plane's codes are a matrix of rows × columns, "
                             f"not an array of shape {np.shape(codes)}")
        if codes.dtype.kind not in "iu":
            raise ValueError(f"a plane's codes are integers, not {codes.dtype}")
        if isinstance(self.alphabet, Vectors) and len(self.alphabet.table) != codes.shape[1]:
            raise ValueError(f"a plane has {codes.shape[1]} codes a row, but its alphabet "
                             f"{len(self.alphabet.table)} tables of vectors")
        wrong = ~self.alphabet.holds(codes)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise ValueError(f"weight [{row}, {column}] is {codes[row, column]}, outside the "
                             f"{self.alphabet} alphabet")
        if np.shape(coefficients) not in (codes.shape[:1], self.shape):
            raise ValueError(f"a plane has one coefficient a row, {len(codes)}, or a weight, "
                             f"not an array of shape {np.shape(coefficients)}")
        if coefficients.dtype.kind not in "iuf":
            raise ValueError(f"a plane's coefficients are numbers, not {coefficients.dtype}")
        if not np.isfinite(coefficients).all():
            raise ValueError("a plane's coefficients are finite, but one is NaN or infinite")
        if isinstance(self.alphabet, Codebook | Vectors) and not (coefficients == 1).all():
            raise ValueError("the coefficients of a plane with a table are 1")

    @property
    def bits(self) -> int:
        """Bits that one code takes in memory."""
        return self.alphabet.bits

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the matrix."""
        if isinstance(self.alphabet, Vectors):
            return len(self.codes), self.alphabet.columns
        return self.codes.shape

    def values(self) -> np.ndarray:
        """The matrix: coefficient times decoded code, (rows, columns)."""
        values = self.alphabet.decode(self.codes)
        if (self.coefficients == 1).all():
            return values
        wide = np.int64 if self.coefficients.dtype.kind in "iu" else np.float64
        coefficients = self.coefficients.astype(wide)
        return values * (coefficients[:, None] if coefficients.ndim == 1 else coefficients)

    @property
    def storage(self) -> int:
        """Bits that the codes take together."""
        return self.bits * self.codes.size

    @property
    def digits(self) -> int:
        """Additions for one product with a vector, those of the coefficients apart."""
        return self.alphabet.digits(self.codes)

    @property
    def datapath(self) -> str:
        """The name of the datapath that runs the plane."""
        return self.alphabet.datapath


@dataclass(frozen=True, eq=False)
class Product:
    """A term that is a product of two matrices: two layers in hardware (FFN, a low rank).

    ``left`` is (rows, rank) and ``right`` (rank, columns), whose coefficients are the diagonal
    between the two.
    """
    left: Plane
    right: Plane

    def __post_init__(self):
        if self.left.shape[1] != self.right.shape[0]:
            raise ValueError(f"the left matrix of a product has {self.left.shape[1]} columns, but "
                             f"the right one {self.right.shape[0]} rows")

    @property
    def shape(self) -> tuple[int, int]:
        return self.left.shape[0], self.right.shape[1]

    def values(self) -> np.ndarray:
        return self.left.values() @ self.right.values()

    @property
    def storage(self) -> int:
        return self.left.storage + self.right.storage

    @property
    def digits(self) -> int:
        return self.left.digits + self.right.digits

    @property
    def datapath(self) -> str:
        return f"{self.right.datapath}, {self.left.datapath}"

    def __str__(self):
        return f"{self.left.alphabet} × {self.right.alphabet} of rank {self.left.shape[1]}"


Term = Plane | Product


def bipolar(weights: np.ndarray) -> Plane:
    """The plane of an integer matrix of −1 and +1, with coefficients 1."""
    return Plane(Bipolar(), np.asarray(weights), np.ones(len(weights), np.int8))


def by_row(plane: Plane) -> tuple[Plane, ...]:
    """The plane as planes of one coefficient a row: each distinct one of a row with its codes.

    Codes elsewhere are 0, so bipolar codes and ones become ternary. The sum is the same matrix.
    """
    if plane.coefficients.ndim == 1:
        return plane,
    order = np.sort(plane.coefficients, axis=1)
    new = np.diff(order, axis=1, prepend=np.nan) != 0
    which = np.cumsum(new, axis=1) - 1                       # rank of each sorted coefficient
    match plane.alphabet:
        case Bipolar() | Ones():
            alphabet = Ternary()
        case Integer(lo, hi):
            alphabet = Integer(min(lo, 0), max(hi, 0))
        case Pow2(powers):
            alphabet = Pow2(powers)
        case Codebook() | Vectors():                         # whose coefficients are all 1
            return Plane(plane.alphabet, plane.codes, plane.coefficients[:, 0]),
        case other:
            alphabet = other
    planes = []
    for k in range(int(which.max()) + 1):
        first = np.argmax(which == k, axis=1)                # 0 where a row has fewer
        coefficient = np.where((which == k).any(axis=1),
                               np.take_along_axis(order, first[:, None], 1)[:, 0], 0)
        here = ((plane.coefficients == coefficient[:, None])
                & (which == k).any(axis=1)[:, None])
        planes.append(Plane(alphabet, np.where(here, plane.codes, 0), coefficient))
    return tuple(planes)


def signed_digits(plane: Plane) -> tuple[Plane, ...]:
    """A plane of integers as planes of powers of two, which are its canonical signed digits.

    In this non-adjacent form one of two neighbouring digits is always 0, so that one code of
    Pow2(2) holds digits 2t and 2t + 1, with coefficients 4^t times those of ``plane``. Or plane k
    holds the k-th digit of each weight that is not 0, in a code of as many powers as there are
    digits. The planes of fewer bits are returned. What the alphabet may hold decides how many
    there are, not what the codes are.

    Raises ValueError where values or coefficients are no integers, OverflowError where digits or
    coefficients exceed 64 bits.
    """
    if plane.coefficients.ndim == 2:
        return tuple(digits for part in by_row(plane) for digits in signed_digits(part))
    if plane.coefficients.dtype.kind == "f":
        raise ValueError(f"signed digits need integer coefficients, not "
                         f"{plane.coefficients.dtype}")
    places, most = _digits(plane.alphabet)
    if places > 62:
        raise OverflowError(f"the signed digits of {plane.alphabet} reach 2^{places - 1}, "
                            f"beyond 62 places")
    pairs = [Pow2(min(2, places - place)) for place in range(0, places, 2)]
    values = plane.alphabet.decode(plane.codes).astype(np.int64)
    size, sign = np.abs(values), np.sign(values)
    digits = np.array([((3 * size >> place & 1) - (size >> place & 1)) * sign
                       for place in range(1, 2 * len(pairs) + 1)], np.int8)
    if sum(pair.bits for pair in pairs) <= most * Pow2(places).bits:
        return tuple(Plane(pair, low + 2 * high, _scaled(plane.coefficients, 4 ** t))
                     for t, (pair, low, high) in enumerate(zip(pairs, digits[::2], digits[1::2],
                                                               strict=True)))
    codes = digits * np.arange(1, len(digits) + 1, dtype=np.int8)[:, None, None]
    order = np.argsort(codes == 0, axis=0, kind="stable")[:most]
    return tuple(Plane(Pow2(places), code, plane.coefficients)
                 for code in np.take_along_axis(codes, order, axis=0))


def _digits(alphabet):
    """Places that the canonical signed digits of an alphabet's values take, and the most digits
    of one value that are not 0.

    The longest form is that of the largest value v, of bitlen(3v) − 1 places, and of n places
    ⌈n / 2⌉ may be digits that are not 0.
    """
    match alphabet:
        case Codebook(table) | Vectors(table):
            wrong = table[table != np.rint(table)]
            if wrong.size:
                raise ValueError(f"signed digits are those of integers, but {alphabet} holds "
                                 f"{wrong[0]}")
            sizes = {abs(int(value)) for value in table.flat} | {1}
            return _places(max(sizes)), max((v ^ 3 * v).bit_count() for v in sizes)
        case Pow2(powers):
            return powers, 1
        case Float(mantissa_bits=bits):
            return (_places(int(alphabet.decode(np.array(alphabet.hi)))),
                    (_places(2 ** (bits + 1) - 1) + 1) // 2)
        case _:
            places = _places(max(-alphabet.lo, alphabet.hi))
            return places, (places + 1) // 2


def _places(value):
    return (3 * value).bit_length() - 1


def _scaled(coefficients, factor):
    """Integers times ``factor``, exactly, as int64."""
    products = [int(coefficient) * factor for coefficient in coefficients]
    for product in products:
        if not -2 ** 63 <= product < 2 ** 63:
            raise OverflowError(f"a coefficient of signed digits is {product}, beyond 64 bits")
    return np.array(products, np.int64)


def decompose(values: np.ndarray, *, per: Literal["tensor", "channel"] | None = None):
    """The cheapest planes that give quantized floating-point weights back exactly.

    ``per`` says whether there is one scale for the tensor or one a channel, by default what takes
    fewer bits. Returns a :class:`sw.quantized.Quantized`: this is :func:`sw.decompose.decompose`.
    """
    # Imported here, since it is built upon this module.
    from sw import decompose
    return decompose.decompose(values, per=per)


def pack_rom(plane: Plane, *, lanes: int, simd: int) -> np.ndarray:
    """Words of the weight memories of ``lanes`` processing elements with ``simd`` inputs each.

    Row ``o`` of the plane's codes belongs to lane ``o % lanes``. A lane's memory holds its rows
    one after the other, a row as ``⌈columns / simd⌉`` words. Bits ``i · bits`` to
    ``(i + 1) · bits − 1`` of word ``s`` of a row are the code of column ``s · simd + i``, as the
    alphabet encodes it, its bit 0 first. Places beyond the plane hold the alphabet's neutral
    code: 0 where it has one. A bipolar plane has +1 there: an input bit of 0, which is what
    streams are filled with, disagrees and counts nothing. Of tables of vectors, the columns are
    the indices of a row.

    Returns bits of shape (lanes, words, simd · bits), words = ⌈rows / lanes⌉ · ⌈columns / simd⌉.
    """
    if lanes < 1 or simd < 1:
        raise ValueError(f"A memory has at least one lane and one weight a word, not {lanes} "
                         f"lanes of {simd} weights")
    rows, columns = plane.codes.shape
    groups, steps = -(-rows // lanes), -(-columns // simd)
    codes = np.full((groups * lanes, steps * simd), plane.alphabet.neutral)
    codes[:rows, :columns] = plane.codes
    words = plane.alphabet.encode_bits(codes)
    bits = np.empty((*words.shape, plane.bits), np.uint8)
    for k in range(plane.bits):
        bits[..., k] = words >> k & 1
    width = simd * plane.bits
    return bits.reshape(groups, lanes, steps, width).swapaxes(0, 1).reshape(
        lanes, groups * steps, width)


def unpack_rom(words: np.ndarray, alphabet: Alphabet, *, rows: int, columns: int) -> np.ndarray:
    """The matrix of codes, (rows, columns), that :func:`pack_rom` packed; its inverse."""
    if not alphabet.bits:
        return alphabet.decode_bits(np.zeros((rows, columns), np.int64))
    lanes, depth, width = words.shape
    groups = -(-rows // lanes)
    bits = words.reshape(lanes, groups, depth // groups * width // alphabet.bits, alphabet.bits)
    codes = np.zeros(bits.shape[:-1], np.int64)
    for k in range(alphabet.bits):
        codes |= bits[..., k].astype(np.int64) << k
    codes = codes.swapaxes(0, 1).reshape(groups * lanes, -1)[:rows, :columns]
    return alphabet.decode_bits(codes)


def words_to_ints(words: np.ndarray) -> list[int]:
    """Memory words (words, bits), bit 0 first, as Python integers."""
    return [int.from_bytes(row.tobytes(), "little")
            for row in np.packbits(words, axis=-1, bitorder="little")]


def ints_to_words(numbers: list[int], width: int) -> np.ndarray:
    """Integers as memory words (words, width) of bits, bit 0 first; inverts words_to_ints."""
    size = -(-width // 8)
    data = b"".join(number.to_bytes(size, "little") for number in numbers)
    return np.unpackbits(np.frombuffer(data, np.uint8).reshape(-1, size), axis=1, count=width,
                         bitorder="little")


def write_memory(path, words: np.ndarray) -> None:
    """Write memory words, (words, bits) of 0 and 1 as :func:`pack_rom` gives those of a lane.

    Each is one hexadecimal number of ⌈bits / 4⌉ digits, bit 0 the least significant, the word at
    address 0 first. The suffix chooses the format: ``.mem`` and ``.hex`` are for ``$readmemh`` of
    Verilog, ``.coe`` (radix 16) for the memories of AMD, once Xilinx. A remark on the first line
    says how many words of how many bits there are. The file appears complete or not at all.

    Raises ValueError for another suffix, and for what are no words or no bits.
    """
    coe = _is_coe(path)
    words = np.asarray(words)
    if words.ndim != 2 or 0 in words.shape:
        raise ValueError(f"{path}: a memory is a matrix of words × bits, "
                         f"not an array of shape {words.shape}")
    if not np.isin(words, (0, 1)).all():
        raise ValueError(f"{path}: a memory holds bits, 0 and 1, not "
                         f"{words[~np.isin(words, (0, 1))][0]}")
    count, width = words.shape
    numbers = [f"{number:0{-(-width // 4)}x}" for number in words_to_ints(words > 0)]
    size = f"{count} words of {width} bits\n"
    if coe:
        text = f"; {size}{COE}\n" + ",\n".join(numbers) + ";\n"
    else:
        text = f"// {size}" + "\n".join(numbers) + "\n"
    npz.write_atomic(path, text.encode())


MEMORY_SUFFIXES = (".mem", ".hex", ".coe")
COE = "memory_initialization_radix=16;\nmemory_initialization_vector="


def read_memory(path) -> np.ndarray:
    """The memory words, (words, bits), that :func:`write_memory` wrote; its inverse.

    Words of a file without the remark have four bits for each digit of the longest.

    Raises ValueError naming the file and what is wrong with it.
    """
    coe = _is_coe(path)
    text = Path(path).read_bytes().decode("ascii", "replace")
    said = re.match(r"(?://|;) (\d{1,9}) words of (\d{1,9}) bits\n", text)
    text = re.sub("^ *;.*" if coe else "//.*", "", text, flags=re.MULTILINE)
    if coe:
        head, _, text = text.rpartition("=")
        if "".join(head.split()) + "=" != "".join(COE.split()):
            raise ValueError(f"{path}: it does not begin with {' '.join(COE.split())}")
        text = text.rstrip().removesuffix(";").replace(",", " ")
    numbers = text.split()
    for number in numbers:
        if not re.fullmatch("[0-9A-Fa-f]+", number):
            raise ValueError(f"{path}: {number[:20]!r} is no hexadecimal number")
    if not numbers:
        raise ValueError(f"{path}: it holds no words")
    digits = max(map(len, numbers))
    count, width = map(int, said.groups()) if said else (len(numbers), 4 * digits)
    if (count, -(-width // 4)) != (len(numbers), digits):
        raise ValueError(f"{path}: it holds {len(numbers)} words of up to {digits} digits, not "
                         f"the {count} words of {width} bits that it says")
    values = [int(number, 16) for number in numbers]
    if max(values) >> width:
        raise ValueError(f"{path}: {max(values):x} has more than {width} bits")
    return ints_to_words(values, width)


def _is_coe(path) -> bool:
    suffix = Path(path).suffix
    if suffix not in MEMORY_SUFFIXES:
        raise ValueError(f"{path}: memory files are .mem, .hex or .coe, "
                         f"not {suffix or 'a file without a suffix'}")
    return suffix == ".coe"
