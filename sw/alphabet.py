"""Alphabets: what a weight's code may be, what it stands for, and the datapath that runs it.

A code is a small integer, ``decode`` turns codes into the values that they stand for, and
``encode_bits``/``decode_bits`` into the unsigned word that a memory stores and back.
"""
import re
from dataclasses import dataclass

import numpy as np


class _Alphabet:
    """What the alphabets of integer codes ``lo`` … ``hi`` have in common."""
    lo: int
    hi: int

    @property
    def levels(self) -> int:
        """How many codes there are."""
        return self.hi - self.lo + 1

    @property
    def bits(self) -> int:
        """Bits that one code takes in memory."""
        return (self.levels - 1).bit_length()

    @property
    def neutral(self) -> int:
        """The code that fills a memory where no weight is: it stands for 0, or nearest to it."""
        return min(max(self.lo, 0), self.hi)

    def holds(self, codes: np.ndarray) -> np.ndarray:
        """Which of ``codes`` belong to the alphabet, as bools of the same shape."""
        return (codes >= self.lo) & (codes <= self.hi)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """The values that ``codes`` stand for: exact, integers wherever all values are."""
        return codes

    def digits(self, codes: np.ndarray) -> int:
        """Additions that the datapath makes for ``codes`` together: non-zero signed digits."""
        return int(np.count_nonzero(codes))

    def encode_bits(self, codes: np.ndarray) -> np.ndarray:
        """``codes`` as unsigned words of ``bits`` bits; here two's complement."""
        return np.asarray(codes, np.int64) & (2 ** self.bits - 1)

    def decode_bits(self, words: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`encode_bits`."""
        words = np.asarray(words, np.int64)
        sign = 2 ** (self.bits - 1) if self.lo < 0 else 0
        return (words ^ sign) - sign


@dataclass(frozen=True)
class Ones(_Alphabet):
    """Every code is 1 and takes no bits: an offset, which multiplies the sum of the inputs."""
    lo = hi = 1
    datapath = "SUM"

    def __str__(self):
        return "ones"

    def decode_bits(self, words):
        return np.ones_like(words, np.int64)


@dataclass(frozen=True)
class Bipolar(_Alphabet):
    """−1 and +1; one bit, +1 stored as 1."""
    lo, hi = -1, 1
    levels = 2
    neutral = 1
    datapath = "XNOR/ADDSUB"

    def __str__(self):
        return "bipolar"

    def holds(self, codes):
        return (codes == -1) | (codes == 1)

    def encode_bits(self, codes):
        return np.asarray(codes > 0, np.int64)

    def decode_bits(self, words):
        return 2 * np.asarray(words, np.int64) - 1


@dataclass(frozen=True)
class Signs(Bipolar):
    """−1 and +1 by their signs; one bit, −1 stored as 1."""
    def encode_bits(self, codes):
        return np.asarray(codes < 0, np.int64)

    def decode_bits(self, words):
        return 1 - 2 * np.asarray(words, np.int64)


@dataclass(frozen=True)
class Ternary(_Alphabet):
    """−1, 0 and +1; two bits: bit 0 is non-zero, bit 1 is negative."""
    lo, hi = -1, 1
    datapath = "TERN"

    def __str__(self):
        return "ternary"


@dataclass(frozen=True)
class Pow2(_Alphabet):
    """Signed powers of two: code c stands for sign(c) · 2^(|c| − 1), |c| ≤ ``powers``.

    ``zero`` says whether code 0, which stands for 0, is one of them. The word is the sign above
    |c| (|c| − 1 without zero).
    """
    powers: int
    zero: bool = True
    datapath = "SHIFT"

    def __post_init__(self):
        if not 1 <= self.powers <= 1024:        # 2^1024 is no float64
            raise ValueError(f"A pow2 alphabet has 1 to 1024 powers, not {self.powers}")

    def __str__(self):
        return f"pow2({self.powers}{'' if self.zero else ', no zero'})"

    @property
    def lo(self):
        return -self.powers

    @property
    def hi(self):
        return self.powers

    @property
    def levels(self):
        return 2 * self.powers + self.zero

    @property
    def neutral(self):
        return 0 if self.zero else 1

    def holds(self, codes):
        return super().holds(codes) & (self.zero | (codes != 0))

    def decode(self, codes):
        codes = codes.astype(np.int32)          # whose |−128| does not wrap
        return np.ldexp(np.sign(codes).astype(np.float64), np.abs(codes) - 1)

    def encode_bits(self, codes):
        codes = np.asarray(codes, np.int64)
        return np.abs(codes) - (not self.zero) + (codes < 0) * 2 ** (self.bits - 1)

    def decode_bits(self, words):
        words = np.asarray(words, np.int64)
        sign, magnitude = np.divmod(words, 2 ** (self.bits - 1))
        return (1 - 2 * sign) * (magnitude + (not self.zero))


@dataclass(frozen=True)
class Integer(_Alphabet):
    """The integers ``lo`` … ``hi``; two's complement, or unsigned when ``lo`` is not negative."""
    lo: int
    hi: int
    datapath = "CSD"

    def __post_init__(self):
        if not -2 ** 62 <= self.lo < self.hi < 2 ** 62:
            raise ValueError(f"An integer alphabet reaches from a lower to a higher value of at "
                             f"most 62 bits, not from {self.lo} to {self.hi}")

    def __str__(self):
        return f"int({self.lo}..{self.hi})"

    @property
    def bits(self):
        if self.lo >= 0:
            return self.hi.bit_length()
        return max(-self.lo - 1, self.hi).bit_length() + 1

    def digits(self, codes):
        return int(csd_digits(codes).sum())


@dataclass(frozen=True)
class Float(_Alphabet):
    """Floating-point numbers in units of the smallest: a mantissa shifted left by an exponent.

    With E ``exponent_bits`` and M ``mantissa_bits``, code c stands for sign(c) · (2^M + m) · 2^e
    with e · 2^M + m = |c| − 1 and e < 2^E: every exponent is that of normal numbers, so that the
    zero, code 0, is one value more than 1 + E + M bits hold.

    With ``ieee``, |c| is the word of IEEE 754 without its sign: up to 2^M it stands for |c| itself
    (subnormal numbers), above for (2^M + m) · 2^e with e · 2^M + m = |c| − 2^M; infinities and NaN
    are left out. The word is the sign above |c|.
    """
    exponent_bits: int
    mantissa_bits: int
    ieee: bool = False
    datapath = "CSD"

    def __post_init__(self):
        if not (1 + self.ieee <= self.exponent_bits <= 8 and 0 <= self.mantissa_bits <= 23):
            raise ValueError(f"A float alphabet has {1 + self.ieee} to 8 exponent bits and 0 to "
                             f"23 mantissa bits, not {self.exponent_bits} and "
                             f"{self.mantissa_bits}")

    def __str__(self):
        ieee = ", ieee" if self.ieee else ""
        return f"float({self.exponent_bits}, {self.mantissa_bits}{ieee})"

    @property
    def lo(self):
        return -self.hi

    @property
    def hi(self):
        return ((2 ** self.exponent_bits - self.ieee) << self.mantissa_bits) - self.ieee

    def _parts(self, codes):
        """Mantissa, with its leading one, and exponent of each code, as integers."""
        magnitude = np.abs(np.asarray(codes, np.int64))
        one = 2 ** self.mantissa_bits
        exponent, mantissa = np.divmod(magnitude - (one if self.ieee else 1), one)
        return np.where(exponent < 0, magnitude, one + mantissa), np.maximum(exponent, 0)

    def decode(self, codes):
        mantissa, exponent = self._parts(codes)
        return np.ldexp(np.copysign(mantissa, codes), exponent.astype(np.int32))

    def digits(self, codes):
        return int(csd_digits(self._parts(codes)[0]).sum())

    def encode_bits(self, codes):
        codes = np.asarray(codes, np.int64)
        return np.abs(codes) + (codes < 0) * 2 ** (self.bits - 1)

    def decode_bits(self, words):
        sign, magnitude = np.divmod(np.asarray(words, np.int64), 2 ** (self.bits - 1))
        return (1 - 2 * sign) * magnitude


class _Table(_Alphabet):
    """What the alphabets have in common whose codes are indices into a table."""
    lo = 0

    @property
    def hi(self):
        return self.levels - 1

    def digits(self, codes):
        return codes.size


@dataclass(frozen=True, eq=False)
class Codebook(_Table):
    """Indices into ``table``, (levels,) finite real values or integers."""
    table: np.ndarray
    datapath = "BUCKET"

    def __post_init__(self):
        _check_table(self.table, 1)

    def __str__(self):
        return f"codebook({self.levels})"

    @property
    def levels(self):
        return len(self.table)

    @property
    def neutral(self):
        return int(np.argmin(np.abs(self.table.astype(np.float64))))

    def decode(self, codes):
        return self.table[codes]


@dataclass(frozen=True, eq=False)
class Vectors(_Table):
    """Indices into tables of vectors: code [o, m] stands for ``table[m, code]``.

    ``table`` is (subspaces, levels, length); code matrices are (rows, subspaces) and stand for
    rows of subspaces · length values, of which the first ``columns`` count.
    """
    table: np.ndarray
    columns: int
    datapath = "LUT"

    def __post_init__(self):
        _check_table(self.table, 3)
        subspaces, _, length = self.table.shape
        if not (subspaces - 1) * length < self.columns <= subspaces * length:
            raise ValueError(f"{subspaces} vectors of {length} values make a row of up to "
                             f"{subspaces * length} columns and more than one vector less, "
                             f"not {self.columns}")

    def __str__(self):
        return f"vectors({self.levels} of {self.table.shape[2]})"

    @property
    def levels(self):
        return self.table.shape[1]

    def decode(self, codes):
        vectors = self.table[np.arange(codes.shape[1]), codes]
        return vectors.reshape(len(codes), -1)[:, :self.columns]


Alphabet = Ones | Bipolar | Ternary | Pow2 | Integer | Float | Codebook | Vectors


def integers(lo: int, hi: int) -> Ternary | Integer:
    """The alphabet of the integers lo … hi, by the cheapest datapath: −1 … 1 is ternary."""
    return Ternary() if (lo, hi) == (-1, 1) else Integer(lo, hi)


def csd_digits(values: np.ndarray) -> np.ndarray:
    """Non-zero digits of each integer in canonical signed digits (non-adjacent form), |v| < 2^61.

    The non-zero digits of v are the ones of v xor 3v (Prodinger 2000).
    """
    v = np.abs(np.asarray(values, np.int64)).astype(np.uint64)
    return np.bitwise_count(v ^ (3 * v)).astype(np.int64)


def _check_table(table, rank):
    if table.dtype.kind not in "iuf" or table.ndim != rank or not table.size:
        raise ValueError(f"A codebook's table has {rank} axes of real values and is not empty, "
                         f"not an array of {table.dtype} of shape {table.shape}")
    if not np.isfinite(table).all():
        raise ValueError("A codebook's table is finite, but it holds NaN or infinity")


def parse(text: str, table: np.ndarray | None = None, columns: int = 0) -> Alphabet:
    """The alphabet that ``str`` prints; ``table`` and ``columns`` are what the text leaves out.

    Raises ValueError when there is none.
    """
    for kind in (Ones(), Bipolar(), Ternary()):
        if text == str(kind):
            return kind
    if found := re.fullmatch(r"pow2\((\d{1,4})(, no zero)?\)", text):
        return Pow2(int(found[1]), found[2] is None)
    if found := re.fullmatch(r"int\((-?\d{1,19})\.\.(-?\d{1,19})\)", text):
        return Integer(int(found[1]), int(found[2]))
    if found := re.fullmatch(r"float\((\d), (\d{1,2})(, ieee)?\)", text):
        return Float(int(found[1]), int(found[2]), found[3] is not None)
    if table is not None and text.startswith(("codebook(", "vectors(")):
        made = Codebook(table) if text.startswith("codebook(") else Vectors(table, columns)
        if str(made) == text:
            return made
    raise ValueError(f"An alphabet is ones, bipolar, ternary, pow2(N), int(LO..HI), float(E, M), "
                     f"or with its table codebook(N) or vectors(N of M), not {text!r}")
