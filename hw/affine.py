"""Affine map of each channel: the sums of several planes become one integer."""
from dataclasses import dataclass

import numpy as np
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw import constants, digits, pipeline
from hw.constants import Constants
from hw.pipeline import Pipeline, check_positive, span
from hw.stream import transfers


def payload(shapes):
    """Shape of an element of terms of these shapes: ``term_0``, ``term_1``, …, or the only one."""
    if len(shapes) == 1:
        return Shape.cast(shapes[0])
    return data.StructLayout({f"term_{k}": Shape.cast(shape) for k, shape in enumerate(shapes)})


class Affine(wiring.Component):
    """``y[c] = Σ_k coefficients[c, k] · x[c, k] + offset[c]``, :func:`sw.golden.affine` of K terms.

    ``lanes`` channels a transfer, one transfer a cycle, latency ``latency`` cycles. A frame is
    ⌈channels / lanes⌉ transfers.

    There is no multiplier. A coefficient that all channels of a lane share is a sum of canonical
    signed digits: shifts and adders. One that differs has radix-4 digits −1, 0, 1, 2 in a
    read-only memory, each of which selects the complement of the term, 0, the term or its double:
    two bits that choose among two bits, one LUT4 for each bit. (Booth's digit −2 would make it
    two.) A complement lacks 1 to the negative; where complements are taken depends on the
    coefficients only, so that the offset makes up for it. The adders form a tree of exact widths,
    each level in registers.

    Parameters
    ----------
    shapes : sequence of Shape, K of them
        Shape of each term.
    coefficients : array of int, (channels, K)
    offset : array of int, (channels,)
    lanes : int
        Channels a transfer.
    output : Shape
        Shape that holds every result; by default the smallest for all terms of those shapes.
    block : bool
        Whether a deep memory is a block RAM.

    Members
    -------
    i : In(stream.Signature(ArrayLayout(payload(shapes), lanes)))
        Terms, in channel order.
    o : Out(stream.Signature(ArrayLayout(output, lanes)))
        Results, in channel order; any beyond the last channel.
    """
    def __init__(self, *, shapes, coefficients, offset, lanes=1, output=None, block=False):
        check_positive("Lanes", lanes)
        self.shapes = tuple(Shape.cast(shape) for shape in shapes)
        self.coefficients = np.asarray(coefficients)
        self.offset = np.asarray(offset)
        if self.coefficients.shape != (len(self.offset), len(self.shapes)):
            raise ValueError(f"Coefficients must have a row for each of {len(self.offset)} offsets "
                             f"and a column for each of {len(self.shapes)} terms, not shape "
                             f"{self.coefficients.shape}")
        self.lanes = lanes
        self.output = _result(self.shapes, self.coefficients, self.offset) if output is None else (
            Shape.cast(output))
        self.block = block
        self._sums = _Sums(self.coefficients, self.offset, lanes)
        self.latency = self._sums.latency
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(payload(self.shapes), lanes))),
            "o": Out(stream.Signature(data.ArrayLayout(self.output, lanes))),
        })

    def elaborate(self, platform):
        m = Module()

        channels, terms = self.coefficients.shape
        sums = self._sums
        pipe = Pipeline(m, self.i, self.o, latency=self.latency, channels=channels,
                        lanes=self.lanes)

        def read(name, width, values, stage):
            """The constants of the transfer before ``stage``."""
            m.submodules[name] = memory = Constants(width=width, values=values, lanes=self.lanes,
                                                    block=self.block)
            m.d.comb += [memory.en.eq(pipe.en), memory.group.eq(pipe.group(stage - 1))]
            return memory.o

        def register(value, interval):
            return pipe.register(value, interval.shape(self.output), "sum"), interval

        def add(a, b):
            (low, below), (high, above) = sorted((a, b), key=lambda number: number[1].place)
            return register(low + (high << above.place - below.place), below + above)

        if sums.digits:
            codes = read("digits", 2 * sums.digits, sums.words, 1)
        if sums.adds:
            shape = sums.offset.shape(self.output)
            offset = read("offset", shape.width, sums.rest, self.latency - 1)

        for lane, numbers in enumerate(sums.numbers):
            element = self.i.payload[lane]
            x = [element] if terms == 1 else [element[f"term_{k}"] for k in range(terms)]
            if sums.digits:
                x = [pipe.delay(term, 1, "x") for term in x]
            values = []
            for number in numbers:
                code = C(number.digits[0] % 4, 2) if number.index is None else (
                    codes[lane].word_select(number.index, 2))
                values.append(register(_select(x[number.term], code), number.interval(self.shapes)))
            for _ in range(sums.levels):
                values = _pairs(values, add, lambda value: register(*value))
            total, = values
            if sums.adds:
                value = offset[lane].as_signed() if shape.signed else offset[lane]
                total = add((value, sums.offset), total)
            value, interval = total
            m.d.comb += self.o.payload[lane].eq(value << interval.place)

        return m


def _select(x, code):
    """0, the number, its double or its complement, for the code 0, 1, 2 or 3."""
    x = x if x.shape().signed else Cat(x, C(0)).as_signed()
    return Mux(code[1], Mux(code[0], ~x, x << 1), Mux(code[0], x, 0))


def _pairs(numbers, add, wait):
    """A level of a tree: the sums of two numbers each; one that is left over waits."""
    odd = numbers[len(numbers) // 2 * 2:]
    return [add(a, b) for a, b in zip(numbers[::2], numbers[1::2], strict=False)] + [
        wait(number) for number in odd]


@dataclass(frozen=True)
class _Interval:
    """The numbers lo … hi, times 2^place."""
    lo: int
    hi: int
    place: int = 0

    def __add__(self, other):
        place = min(self.place, other.place)
        lo, hi = ((a << self.place - place) + (b << other.place - place)
                  for a, b in ((self.lo, other.lo), (self.hi, other.hi)))
        return _Interval(lo, hi, place)

    def shape(self, output):
        """Shape of a number, or of those of its bits that a result of shape ``output`` has."""
        shape = Shape.cast(range(self.lo, self.hi + 1))
        width = max(0, output.width - self.place)
        return shape if shape.width <= width else Shape(width)


@dataclass(frozen=True)
class _Number:
    """A digit times a term, or the term's complement for the digit −1, times 2^place."""
    term: int
    place: int
    digits: tuple[int, ...]     # of each group of channels, or the one of all groups
    index: int | None = None    # of several, where in the memory

    def interval(self, shapes):
        ends = [~x if digit == -1 else digit * x
                for digit in self.digits for x in span(shapes[self.term])]
        return _Interval(min(ends), max(ends), self.place)


class _Sums:
    """What is added up: ``numbers`` of each lane in a tree of ``levels``, then the offset.

    ``words`` are the digits of each channel in memory, ``digits`` a word; ``rest`` are the
    offsets with what complements lack, if they are added at all (``adds``).
    """
    def __init__(self, coefficients, offset, lanes):
        self.numbers = [[] for _ in range(lanes)]
        self.digits = 0
        for term, column in enumerate(coefficients.T.tolist()):
            rows = constants.rows(column, lanes)
            if constants.differ(column, lanes):
                for place, digit in digits.radix_4(rows):
                    for own, choice in zip(self.numbers, digit.T.tolist(), strict=True):
                        own.append(_Number(term, place, tuple(choice), self.digits))
                    self.digits += 1
            else:
                for own, value in zip(self.numbers, rows[0], strict=True):
                    own += [_Number(term, place, (digit,))
                            for place, digit in digits.signed_digits(value)]
        for own in self.numbers:
            own.sort(key=lambda number: number.place)
            own += [] if own else [_Number(0, 0, (0,))]
        channels = [(self.numbers[c % lanes], c // lanes) for c in range(len(offset))]
        self.words = [sum(number.digits[group] % 4 << 2 * number.index
                          for number in own if number.index is not None)
                      for own, group in channels]
        self.rest = [value + sum(1 << number.place for number in own
                                 if number.digits[group % len(number.digits)] == -1)
                     for value, (own, group) in zip(offset.tolist(), channels, strict=True)]
        self.offset = _Interval(min(self.rest), max(self.rest))
        self.adds = any(self.rest)
        self.levels = ceil_log2(max(map(len, self.numbers)))
        self.latency = (self.digits > 0) + 1 + self.levels + self.adds


def _result(shapes, coefficients, offset):
    """The smallest shape for every result."""
    ends = [span(shape) for shape in shapes]
    lo, hi = (offset.astype(object) + sum(
        pick(*(coefficients[:, k].astype(object) * end for end in ends[k]))
        for k in range(len(ends))) for pick in (np.minimum, np.maximum))
    return Shape.cast(range(int(lo.min()), int(hi.max()) + 1))


def cells(*, shapes, coefficients, offset, lanes=1, output=None, block=False):
    """Estimate of the logic cells, with the parameters of :class:`Affine`."""
    shapes = tuple(Shape.cast(shape) for shape in shapes)
    coefficients, offset = np.asarray(coefficients), np.asarray(offset)
    output = _result(shapes, coefficients, offset) if output is None else Shape.cast(output)
    sums = _Sums(coefficients, offset, lanes)
    parts = []

    def register(interval):
        parts.append(interval.shape(output).width)
        return interval

    stages = 0
    groups = 1
    if sums.digits:
        groups = transfers(len(offset), lanes)
        parts.append(constants.cells(2 * sums.digits, sums.words, lanes, block))
        parts.append(lanes * sum(shape.width for shape in shapes))
    if sums.adds and constants.differ(sums.rest, lanes):
        groups = transfers(len(offset), lanes)
        stages = sums.latency - 2
        parts.append(constants.cells(sums.offset.shape(output).width, sums.rest, lanes, block))
    parts.append(pipeline.cells(sums.latency, groups, stages))
    for numbers in sums.numbers:
        values = [number.interval(shapes) for number in numbers]
        # The shifts of a term, or of its complement, share its registers.
        parts += {(n.term, n.digits, n.index): interval.shape(output).width
                  for n, interval in zip(numbers, values, strict=True)}.values()
        for _ in range(sums.levels):
            values = _pairs(values, lambda a, b: register(a + b), register)
        if sums.adds:
            register(sums.offset + values[0])
    return round(sum(parts))
