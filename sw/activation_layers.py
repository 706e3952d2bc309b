"""The layers that give codes of a chosen element: activations, and what quantizes sums again."""
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from sw import alphabet, element, golden
from sw.element import Bipolar, Element, Int, Levels, Planes, Pow2, Ternary, UInt
from sw.layers import Layer, Tensor, integers, magnitude, per_channel

BLOCK = 16      # channels whose residual codes are listed at a time: up to 2^16 of each


@dataclass(frozen=True, eq=False)
class Threshold(Layer):
    """Per-channel thresholds: :func:`sw.golden.threshold`, given as ``element``.

    ``thresholds`` is (channels, steps), each row ascending, each within the exact range of its
    channel's input or one above it; ``flip`` (channels,) is bool. What a count k of 0 … steps
    stands for depends on the element:

    | element | steps | value of k |
    |---|---|---|
    | ``bipolar`` | 1 | 2k − 1 |
    | ``ternary`` | 2 | k − 1 |
    | ``uintN`` | up to 2^N − 1 | k |
    | ``intN`` | up to 2^N − 1 | k − ⌈steps / 2⌉ |
    | ``pow2(N)`` | 2N | that of the signed code k − N |
    | ``levels`` | one less than levels | the level k |
    | ``planes``, J of them | 2^J − 1 | that of the code k |
    | ``planes``, J of them | J | that of the code 2^k − 1: the k lowest planes are +1 |
    """
    thresholds: np.ndarray
    flip: np.ndarray
    element: Element

    def infer(self, x):
        integers("thresholds", self.thresholds, 2)
        channels, steps = self.thresholds.shape
        if channels != x.channels or self.flip.shape != (channels,):
            raise ValueError(f"it has thresholds for {channels} channels and flips for "
                             f"{self.flip.size}, but its input has {x.channels} channels")
        if self.flip.dtype != bool:
            raise ValueError(f"flip must be bool, not {self.flip.dtype}")
        unordered = (self.thresholds[:, 1:] < self.thresholds[:, :-1]).any(axis=1)
        if unordered.any():
            raise ValueError(f"the thresholds of channel {int(np.argmax(unordered))} are not in "
                             f"ascending order")
        outside = ((self.thresholds < x.lo[:, None])
                   | (self.thresholds > x.hi[:, None] + 1)).any(axis=1)
        if outside.any():
            c = int(np.argmax(outside))
            more = ", …" if self.thresholds.shape[1] > 8 else ""
            few = ", ".join(map(str, self.thresholds[c, :8])) + more
            raise ValueError(f"the thresholds of channel {c}, [{few}], are "
                             f"not within {x.lo[c]} … {x.hi[c] + 1}, its input's range and one "
                             f"above; clamp them")
        codes, ones = self.codes, np.ones(channels, np.int64)
        values = self.element.decode(codes)
        return Tensor(self.element, x.shape, ones * values.min(), ones * values.max())

    @cached_property
    def codes(self) -> np.ndarray:
        """The raw code of the element for each count 0 … steps, (steps + 1,).

        Raises ValueError when so many steps do not give the element.
        """
        steps = self.thresholds.shape[1]
        count = np.arange(steps + 1)
        match self.element:
            case Bipolar() if steps == 1:
                return count
            case Ternary() if steps == 2:
                return self.element.encode(count - 1)
            case UInt(bits) if steps < 2 ** bits:
                return count
            case Int(bits) if steps < 2 ** bits:
                return self.element.encode(count - (steps + 1) // 2)
            case Pow2(powers) if steps == 2 * powers:
                return alphabet.Pow2(powers).encode_bits(count - powers)
            case Levels(table) if steps == len(table) - 1:
                return count
            case Planes(coefficients) if steps == 2 ** len(coefficients) - 1:
                return count
            case Planes(coefficients) if steps == len(coefficients):
                return (1 << count) - 1
        raise ValueError(f"{steps} thresholds a channel do not give {self.element}")

    def run(self, x):
        level = golden.threshold(x, self.thresholds, self.flip)
        match self.element:     # the first ones are what the last gives, sooner and in fewer bits
            case UInt():
                return level
            case Bipolar():
                return golden.bipolar(level)
            case Ternary() | Int():
                return level - level.dtype.type((self.thresholds.shape[1] + 1) // 2)
        return self.element.decode(self.codes)[level]


@dataclass(frozen=True, eq=False)
class Lookup(Layer):
    """A table of what each code of the input becomes: :func:`sw.golden.lookup`.

    ``table`` is (channels, 2^bits) for an input element of up to 16 bits, or (1, 2^bits) for all
    channels alike. It holds values: of ``element``, or of the smallest integer element where that
    is None. Entries of codes that never occur may be any.
    """
    table: np.ndarray
    element: Element | None = None

    reads_codes = True

    def infer(self, x):
        integers("its entries", self.table, 2)
        rows, entries = self.table.shape
        if x.element.bits > 16:
            raise ValueError(f"its input has {x.element.bits} bits an element, more than 16")
        if rows not in (1, x.channels) or entries != 2 ** x.element.bits:
            raise ValueError(f"its table has {rows} rows of {entries} entries, but its input takes "
                             f"1 or {x.channels} rows of {2 ** x.element.bits}")
        reach = magnitude(self.table)
        if reach >= 2 ** 61:
            raise ValueError(f"its entries reach {reach}, beyond the 62 bits of an element")
        if self.element is not None and not self.element.holds(self.table):
            raise ValueError(f"its entries, {self.table.min()} … {self.table.max()}, are not all "
                             f"values of {self.element}")
        codes = x.element.codes()
        values = x.element.decode(codes)
        self._check_twins(codes, x.element.encode(values))

        @cache
        def extremes(row, lo, hi):
            reached = self.table[row, codes[(values >= lo) & (values <= hi)]]
            return int(reached.min()), int(reached.max())

        row = np.arange(x.channels) % rows
        lo, hi = np.array([extremes(*key) for key in zip(
            row.tolist(), x.lo.tolist(), x.hi.tolist(), strict=True)]).T
        return Tensor(self.element or element.smallest(int(lo.min()), int(hi.max())), x.shape,
                      lo, hi)

    def _check_twins(self, codes, first):
        """Codes of one value must have one entry: the golden model carries only values."""
        wrong = (self.table[:, codes] != self.table[:, first]).any(axis=0)
        if wrong.any():
            k = int(np.argmax(wrong))
            raise ValueError(f"codes {first[k]} and {codes[k]} of its input stand for one value, "
                             f"but have different entries")

    def run(self, codes):
        return golden.lookup(codes, self.table)


@dataclass(frozen=True, eq=False)
class Requantize(Layer):
    """A real scale per channel, in fixed point: :func:`sw.golden.requantize`.

    ``multiplier`` and ``exponent`` are (channels,), what
    :func:`sw.schemes.uint8.quantized_multiplier` gives; ``zero`` is what 0 becomes; ``element``
    is ``uintN`` or ``intN``, at whose ends values saturate.
    """
    multiplier: np.ndarray
    exponent: np.ndarray
    zero: int
    element: UInt | Int
    single_rounding: bool = False

    def infer(self, x):
        per_channel(x, multiplier=self.multiplier, exponent=self.exponent)
        for what, array, lo, hi in (("multiplier", self.multiplier, 0, 2 ** 31 - 1),
                                    ("exponent", self.exponent, -31, 30)):
            wrong = (array < lo) | (array > hi)
            if wrong.any():
                c = int(np.argmax(wrong))
                raise ValueError(f"the {what} of channel {c} is {array[c]}, not {lo} to {hi}")
        if type(self.zero) is not int or not -2 ** 31 <= self.zero < 2 ** 31:
            raise ValueError(f"zero must be an integer of 32 bits, not {self.zero!r}")
        if not isinstance(self.element, UInt | Int):
            raise ValueError(f"it gives uintN or intN, not {self.element}")
        if type(self.single_rounding) is not bool:
            raise ValueError(f"single_rounding must be a bool, not {self.single_rounding!r}")
        if x.lo.min() < -2 ** 31 or x.hi.max() >= 2 ** 31:
            raise ValueError(f"its input reaches from {x.lo.min()} to {x.hi.max()}, beyond 32 "
                             f"bits")
        try:
            lo, hi = self.run(np.stack([x.lo, x.hi]))    # the function never falls
        except OverflowError as error:
            raise ValueError(str(error)) from error
        return Tensor(self.element, x.shape, lo, hi)

    def run(self, x):
        return golden.requantize(x, self.multiplier, self.exponent, zero=self.zero,
                                 lo=self.element.lo, hi=self.element.hi,
                                 single_rounding=self.single_rounding)


@dataclass(frozen=True, eq=False)
class ResidualBinarize(Layer):
    """Signs of what is left, one after the other: :func:`sw.golden.residual_binarize`.

    ``coefficients`` is (channels, J), positive and in any order, ``centre`` (channels,) and
    ``flip`` (channels,) bool: high-order residual quantization with frozen coefficients
    (:mod:`sw.schemes.activations.horq`). ``element`` says what the J bits stand for to the layers
    that follow, plane J − 1 being the first sign.
    """
    coefficients: np.ndarray
    centre: np.ndarray
    flip: np.ndarray
    element: Planes

    def infer(self, x):
        integers("coefficients", self.coefficients, 2)
        per_channel(x, centre=self.centre)
        channels, count = self.coefficients.shape
        if channels != x.channels or self.flip.shape != (channels,):
            raise ValueError(f"it has coefficients for {channels} channels and flips for "
                             f"{self.flip.size}, but its input has {x.channels} channels")
        if self.flip.dtype != bool:
            raise ValueError(f"flip must be bool, not {self.flip.dtype}")
        if not isinstance(self.element, Planes) or self.element.bits != count:
            raise ValueError(f"{count} coefficients a channel do not give {self.element}")
        wrong = ((self.coefficients < 1) | (self.coefficients >= 2 ** 31)).any(axis=1)
        if wrong.any():
            c = int(np.argmax(wrong))
            raise ValueError(f"the coefficients of channel {c}, {self.coefficients[c].tolist()}, "
                             f"are not 1 to 2^31 − 1")
        reach = (magnitude(x.lo, x.hi) + magnitude(self.centre)
                 + count * magnitude(self.coefficients))
        if reach >= 2 ** 61:
            raise ValueError(f"what is left may reach {reach}, beyond 62 bits")
        lo, hi = np.concatenate([self._extremes(x, slice(k, k + BLOCK))
                                 for k in range(0, channels, BLOCK)], axis=1)
        return Tensor(self.element, x.shape, lo, hi)

    def _extremes(self, x, part):
        """The smallest and the largest values of some channels, (2, channels)."""
        lo, hi, centre = x.lo[part], x.hi[part], self.centre[part].astype(np.int64)
        sums = [np.zeros((1, len(lo)), np.int64)]
        for beta in self.coefficients[part, :-1].T.astype(np.int64):
            sums.append(np.concatenate([sums[-1] - beta, sums[-1] + beta]))
        # The code changes just before (with flip: just behind) the centre and sums upon it, so
        # that these and both ends meet every code.
        points = np.clip(np.concatenate([[lo, hi], centre + np.concatenate(sums)]), lo, hi)
        values = self.element.decode(golden.residual_binarize(
            points, self.coefficients[part], centre, self.flip[part]))
        return np.stack([values.min(axis=0), values.max(axis=0)])

    def run(self, x):
        return self.element.decode(golden.residual_binarize(
            x, self.coefficients, self.centre, self.flip))
