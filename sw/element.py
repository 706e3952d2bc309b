"""Element types: the kinds of integer that travel between layers and on hardware streams.

A value travels as its raw code, an unsigned number of ``bits`` bits: ``encode`` gives the codes of
values, ``decode`` the values of codes. ``lo`` and ``hi`` are the smallest and the largest value,
``holds`` says whether all of an array are values of the element, and :func:`parse` inverts ``str``.
"""
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np


class _Element:
    """What the elements have in common."""
    bits: int
    lo: int
    hi: int

    def holds(self, values: np.ndarray) -> bool:
        """Whether all of ``values``, integers, are values of the element."""
        values = np.asarray(values)
        return not values.size or bool(values.min() >= self.lo and values.max() <= self.hi)

    def decode(self, raw: np.ndarray) -> np.ndarray:
        """The values that raw codes stand for, int64; here two's complement, or unsigned."""
        sign = 2 ** (self.bits - 1) if self.lo < 0 else 0
        return (np.asarray(raw, np.int64) ^ sign) - sign

    def encode(self, values: np.ndarray) -> np.ndarray:
        """The raw codes of values that the element holds, int64; the lowest where some are alike.
        """
        return np.asarray(values, np.int64) & (2 ** self.bits - 1)

    def codes(self) -> np.ndarray:
        """Every raw code that stands for a value, ascending."""
        raw = np.arange(2 ** self.bits)
        values = self.decode(raw)
        return raw[(values >= self.lo) & (values <= self.hi) & (self.encode(values) == raw)]


@dataclass(frozen=True)
class Bipolar(_Element):
    """−1 or +1, carried by one bit: bit b means 2b − 1."""
    bits = 1
    lo = -1
    hi = 1

    def __str__(self):
        return "bipolar"

    def holds(self, values):
        return bool(np.all((values == -1) | (values == 1)))

    def decode(self, raw):
        return 2 * np.asarray(raw, np.int64) - 1

    def encode(self, values):
        return np.asarray(np.asarray(values) > 0, np.int64)


@dataclass(frozen=True)
class Ternary(_Element):
    """−1, 0 or +1, carried as two's complement of 2 bits."""
    bits = 2
    lo = -1
    hi = 1

    def __str__(self):
        return "ternary"


@dataclass(frozen=True)
class UInt(_Element):
    """An unsigned integer of ``bits`` bits, 1 to 62."""
    bits: int
    lo = 0

    def __post_init__(self):
        _check_bits(self.bits)

    @property
    def hi(self) -> int:
        return 2 ** self.bits - 1

    def __str__(self):
        return f"uint{self.bits}"


@dataclass(frozen=True)
class Int(_Element):
    """A two's-complement integer of ``bits`` bits, 1 to 62."""
    bits: int

    def __post_init__(self):
        _check_bits(self.bits)

    @property
    def lo(self) -> int:
        return -2 ** (self.bits - 1)

    @property
    def hi(self) -> int:
        return 2 ** (self.bits - 1) - 1

    def __str__(self):
        return f"int{self.bits}"


@dataclass(frozen=True)
class Pow2(_Element):
    """0 or a signed power of two: ±1, ±2, ±4, … ±2^(``powers`` − 1), 1 to 62 powers.

    The code is the sign bit above |c|, as :class:`sw.alphabet.Pow2` encodes its codes c: 0 stands
    for 0 and ±c for ±2^(c − 1).
    """
    powers: int

    def __post_init__(self):
        if not _is_integer(self.powers) or not 1 <= self.powers <= 62:
            raise ValueError(f"A pow2 element has 1 to 62 powers, not {self.powers!r}")

    @property
    def bits(self) -> int:
        return 1 + self.powers.bit_length()

    @property
    def lo(self) -> int:
        return -self.hi

    @property
    def hi(self) -> int:
        return 2 ** (self.powers - 1)

    def __str__(self):
        return f"pow2({self.powers})"

    def holds(self, values):
        if not super().holds(values):
            return False
        magnitude = np.abs(np.asarray(values, np.int64))
        return not np.any(magnitude & (magnitude - 1))

    def decode(self, raw):
        sign, magnitude = np.divmod(np.asarray(raw, np.int64), 2 ** (self.bits - 1))
        return (1 - 2 * sign) * (1 << magnitude >> 1)

    def encode(self, values):
        values = np.asarray(values, np.int64)
        magnitude = np.frexp(values.astype(np.float64))[1].astype(np.int64)
        return magnitude + (values < 0) * 2 ** (self.bits - 1)


class _Table(_Element):
    """What the elements have in common whose codes are the places of a table, ``values``."""
    values: np.ndarray

    @cached_property
    def _places(self):
        """The distinct values, ascending, and the first place of each."""
        return np.unique(self.values, return_index=True)

    def holds(self, values):
        return super().holds(values) and bool(
            np.isin(np.asarray(values, np.int64), self._places[0]).all())

    def decode(self, raw):
        return self.values[np.asarray(raw, np.int64)]

    def encode(self, values):
        distinct, places = self._places
        return places[np.searchsorted(distinct, np.asarray(values, np.int64))]

    def codes(self):
        return np.arange(len(self.values))


@dataclass(frozen=True)
class Levels(_Table):
    """An integer of a table, carried as its place there: 1 to 2^16 of them below 2^31.

    Code k stands for ``table[k]``.
    """
    table: tuple[int, ...]

    def __post_init__(self):
        _check_numbers("Levels", self.table, 2 ** 16)

    @property
    def bits(self) -> int:
        return max(1, (len(self.table) - 1).bit_length())

    @property
    def lo(self) -> int:
        return min(self.table)

    @property
    def hi(self) -> int:
        return max(self.table)

    def __str__(self):
        return f"levels({', '.join(map(str, self.table))})"

    @cached_property
    def values(self) -> np.ndarray:
        return np.array(self.table, np.int64)


@dataclass(frozen=True)
class Planes(_Table):
    """A sum of bipolar planes, each with its coefficient: 1 to 16 integers below 2^31.

    A code stands for ``Σ_j coefficients[j] · (2 · bit_j − 1)``, bit 0 being its lowest: what
    residual binarization (HORQ) and the activations of ABC-Net make.
    """
    coefficients: tuple[int, ...]

    def __post_init__(self):
        _check_numbers("Coefficients of planes", self.coefficients, 16)

    @property
    def bits(self) -> int:
        return len(self.coefficients)

    @property
    def lo(self) -> int:
        return -self.hi

    @property
    def hi(self) -> int:
        return sum(map(abs, self.coefficients))

    def __str__(self):
        return f"planes({', '.join(map(str, self.coefficients))})"

    @cached_property
    def values(self) -> np.ndarray:
        raw = np.arange(2 ** self.bits)
        return sum(c * (2 * (raw >> j & 1) - 1) for j, c in enumerate(self.coefficients))


Element = Bipolar | Ternary | UInt | Int | Pow2 | Levels | Planes


def _is_integer(number):
    return isinstance(number, int) and not isinstance(number, bool)


def _check_bits(bits):
    if not _is_integer(bits) or not 1 <= bits <= 62:
        raise ValueError(f"An element has 1 to 62 bits, not {bits!r}")


def _check_numbers(what, numbers, most):
    if not isinstance(numbers, tuple) or not 1 <= len(numbers) <= most:
        found = f"a tuple of {len(numbers)}" if isinstance(numbers, tuple) else repr(numbers)
        raise ValueError(f"{what} are a tuple of 1 to {most} integers, not {found}")
    for number in numbers:
        if not _is_integer(number) or not -2 ** 31 < number < 2 ** 31:
            raise ValueError(f"{what} are integers of magnitudes below 2^31, not {number!r}")


NUMBER = r"(?:0|-?[1-9]\d{0,10})"


def parse(text: str) -> Element:
    """The element type that ``str`` of it prints: ``bipolar``, ``uint8``, ``planes(1, 2)``."""
    for kind in (Bipolar(), Ternary()):
        if text == str(kind):
            return kind
    if found := re.fullmatch(r"(u?int)([1-9]\d?)", text, re.ASCII):
        return (UInt if found[1] == "uint" else Int)(int(found[2]))
    if found := re.fullmatch(r"pow2\(([1-9]\d?)\)", text, re.ASCII):
        return Pow2(int(found[1]))
    if found := re.fullmatch(rf"(levels|planes)\(({NUMBER}(?:, {NUMBER})*)\)", text, re.ASCII):
        numbers = tuple(map(int, found[2].split(", ")))
        return Levels(numbers) if found[1] == "levels" else Planes(numbers)
    raise ValueError(f"An element type is bipolar, ternary, uintN, intN, pow2(N), levels(A, B, …) "
                     f"or planes(A, B, …), not {text[:80]!r}")


def smallest(lo: int, hi: int) -> UInt | Int:
    """The narrowest integer element that holds every value of lo … hi."""
    if lo >= 0:
        return UInt(max(1, int(hi).bit_length()))
    return Int(int(max(-lo - 1, hi)).bit_length() + 1)
