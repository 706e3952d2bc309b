"""Element types: the kinds of integer that travel between layers and on hardware streams."""
import re
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Bipolar:
    """−1 or +1, carried by one bit: bit b means 2b − 1."""
    bits = 1
    lo = -1
    hi = 1

    def __str__(self):
        return "bipolar"

    def holds(self, values: np.ndarray) -> bool:
        return bool(np.all((values == -1) | (values == 1)))


@dataclass(frozen=True)
class UInt:
    """An unsigned integer of ``bits`` bits, 1 to 62."""
    bits: int

    def __post_init__(self):
        _check_bits(self.bits)

    @property
    def lo(self) -> int:
        return 0

    @property
    def hi(self) -> int:
        return 2 ** self.bits - 1

    def __str__(self):
        return f"uint{self.bits}"

    def holds(self, values: np.ndarray) -> bool:
        return bool(np.all((values >= self.lo) & (values <= self.hi)))


@dataclass(frozen=True)
class Int:
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

    def holds(self, values: np.ndarray) -> bool:
        return bool(np.all((values >= self.lo) & (values <= self.hi)))


Element = Bipolar | UInt | Int


def _check_bits(bits):
    if not isinstance(bits, int) or isinstance(bits, bool) or not 1 <= bits <= 62:
        raise ValueError(f"An element has 1 to 62 bits, not {bits!r}")


def parse(text: str) -> Element:
    """The element type that ``str`` of it prints: ``bipolar``, ``uint8``, ``int12``."""
    if text == "bipolar":
        return Bipolar()
    match re.fullmatch(r"(u?int)([1-9]\d?)", text):
        case re.Match() as found:
            return (UInt if found[1] == "uint" else Int)(int(found[2]))
    raise ValueError(f"An element type is bipolar, uintN or intN, not {text!r}")


def smallest(lo: int, hi: int) -> Element:
    """The narrowest integer element that holds every value of lo … hi."""
    if lo >= 0:
        return UInt(max(1, int(hi).bit_length()))
    return Int(int(max(-lo - 1, hi)).bit_length() + 1)
