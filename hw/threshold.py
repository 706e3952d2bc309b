"""Threshold activation."""
from math import log2

import numpy as np
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw import constants, pipeline, table
from hw.constants import Constants
from hw.pipeline import Pipeline, check_positive, span
from hw.stream import transfers
from hw.table import Table


class Threshold(wiring.Component):
    """Per-channel thresholds: :func:`sw.golden.threshold`, of whose counts the codes are given.

    All thresholds of a value are compared at once. ``lanes`` channels a transfer, one transfer a
    cycle, latency two cycles, or three with several thresholds. A frame is ⌈channels / lanes⌉
    transfers.

    Parameters
    ----------
    shape : Shape
        Shape of an input value.
    thresholds : array of int, (channels, steps)
        Ascending thresholds of each channel.
    flip : array of bool, (channels,)
        Channels that count down from ``steps``.
    lanes : int
        Channels a transfer.
    codes : sequence of int, steps + 1 of them
        What is given for each count; by default the count.
    output : Shape
        Shape of a code.
    block : bool
        Whether deep memories are block RAMs.

    Members
    -------
    i : In(stream.Signature(ArrayLayout(shape, lanes)))
        Values, in channel order.
    o : Out(stream.Signature(ArrayLayout(output, lanes)))
        Codes, in channel order; 0 beyond the last channel.
    """
    def __init__(self, *, shape, thresholds, flip, lanes=1, codes=None, output=None, block=False):
        channels, steps = np.shape(thresholds)
        if np.shape(flip) != (channels,):
            raise ValueError(f"Flip must have an entry a channel, {channels}, not shape "
                             f"{np.shape(flip)}")
        check_positive("Lanes", lanes)
        self.shape = Shape.cast(shape)
        self.thresholds = np.asarray(thresholds)
        self.flip = np.asarray(flip, bool)
        self.lanes = lanes
        self.codes = tuple(range(steps + 1) if codes is None else codes)
        self.output = Shape.cast(range(steps + 1) if output is None else output)
        self.block = block
        self.latency = _latency(steps)
        falling = (np.diff(self.thresholds, axis=1) < 0).any(axis=1)
        if falling.any():
            c = int(np.argmax(falling))
            raise ValueError(f"Thresholds must ascend, but those of channel {c} are "
                             f"{self.thresholds[c].tolist()}")
        if len(self.codes) != steps + 1:
            raise ValueError(f"Codes must be one more than the thresholds of a channel, {steps}, "
                             f"not {len(self.codes)}")
        width = self.output.width
        unfit = [code for code in self.codes if not -1 << width <= 2 * code < 2 << width]
        if unfit:
            raise ValueError(f"Codes must fit {self.output}, but {unfit[0]} does not")
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(self.shape, lanes))),
            "o": Out(stream.Signature(data.ArrayLayout(self.output, lanes))),
        })

    def _words(self):
        """The thresholds as they are compared: (channels, steps) words of a bit more than a value.

        :meth:`_distance` plus a word has in its top bit whether the value reaches the threshold.
        Where counts run down, that bit is inverted and the order reversed, so that the bits of all
        thresholds are ones, as many as the count, before zeros.
        """
        lo, hi = span(self.shape)
        words = np.clip(self.thresholds, lo, hi + 1).astype(np.int64) - lo
        return np.where(self.flip[:, None], words[:, ::-1] ^ hi - lo + 1, words).tolist()

    def _distance(self, x):
        """The distance from ``x`` to the greatest value, with a 1 before it."""
        return Cat((x ^ span(self.shape)[1])[:self.shape.width], 1)

    def elaborate(self, platform):
        m = Module()

        channels, steps = self.thresholds.shape
        width = self.shape.width + 1
        pipe = Pipeline(m, self.i, self.o, latency=self.latency, channels=channels,
                        lanes=self.lanes)
        words = [sum(word << j * width for j, word in enumerate(own)) for own in self._words()]
        differ = constants.differ(words, self.lanes)
        if differ:
            m.submodules.constants = read = Constants(
                width=steps * width, values=words, lanes=self.lanes, block=self.block)
            m.d.comb += [read.en.eq(pipe.en), read.group.eq(pipe.group(0))]

        for lane, word in enumerate(constants.rows(words, self.lanes)[0]):
            x = pipe.delay(self._distance(self.i.payload[lane]), 1, "x")
            reached = []
            for j in range(steps):
                if differ:
                    reached.append((x + read.o[lane].word_select(j, width))[width - 1])
                else:
                    reached.append(_top_of_sum(x, word >> j * width))
            reached = pipe.delay(Cat(reached), self.latency - 2, "reached")
            code = [C(self.codes[0] >> bit & 1) ^ Cat(
                one for one, a, b in zip(reached, self.codes, self.codes[1:], strict=False)
                if (a ^ b) >> bit & 1).xor() for bit in range(self.output.width)]
            m.d.comb += self.o.payload[lane].eq(
                pipe.delay(pipe.present(Cat(code), lane, self.latency - 1), 1, "code"))

        return m


class SearchThreshold(Threshold):
    """:class:`Threshold` for many levels: a binary search in as many stages as a count has bits.

    Each stage has one comparator a lane, and the thresholds that may decide there in a table,
    by the channel and by the bits found before. One transfer a cycle, latency one cycle more than
    stages.
    """
    def __init__(self, **parameters):
        super().__init__(**parameters)
        self.latency = self.thresholds.shape[1].bit_length() + 1

    def elaborate(self, platform):
        m = Module()

        channels, steps = self.thresholds.shape
        width = self.shape.width + 1
        stages = self.latency - 1
        pipe = Pipeline(m, self.i, self.o, latency=self.latency, channels=channels,
                        lanes=self.lanes)
        # Counts beyond the steps are never reached.
        never = 1 << width - 1
        words = [(*own, *[never] * ((1 << stages) - 1 - steps)) for own in self._words()]
        groups = [[words[c] for c in row]
                  for row in constants.rows(list(range(channels)), self.lanes)]
        differ = groups.count(groups[0]) < len(groups)

        for lane in range(self.lanes):
            own = [group[lane] for group in (groups if differ else groups[:1])]
            x = self._distance(self.i.payload[lane])
            found = Cat()
            for stage in range(stages):
                # A count of bits p so far goes on with a 1 if it reaches p, 1, 0, …, 0.
                bit = 1 << stages - 1 - stage
                entries = [word for words in own for word in words[bit - 1::2 * bit]]
                m.submodules[f"table_{lane}_{stage}"] = read = Table(
                    width=width, words=entries, block=self.block)
                m.d.comb += [
                    read.en.eq(pipe.en),
                    read.address.eq(Cat(found, pipe.group(stage)) if differ else found),
                ]
                x = pipe.delay(x, 1, "x")
                reached = (x + read.data)[width - 1]
                found = Cat(reached, pipe.delay(found, 1, "found"))
            code = found
            if self.codes != tuple(range(steps + 1)):
                size = self.output.width
                code = Array(C(code % (1 << size), size) for code in self.codes)[found]
            code = pipe.register(pipe.present(code, lane, stages), self.output, "code")
            m.d.comb += self.o.payload[lane].eq(code)

        return m


def _top_of_sum(x, word):
    """The top bit of ``x`` plus the constant ``word``: logic, as small as the constant allows."""
    carry = C(0)
    for place, bit in enumerate(x[:-1]):
        carry = bit | carry if word >> place & 1 else bit & carry
    return x[-1] ^ carry ^ C(word >> len(x) - 1 & 1)


def _latency(steps):
    """Several comparisons are registered before they make a code."""
    return 2 + (steps > 1)


def cells(*, channels, steps, bits, lanes, distinct, block=False):
    """Estimate of the logic cells of a :class:`Threshold` of values of ``bits`` bits.

    ``distinct`` says whether channels differ in their thresholds or flips.
    """
    codes = sum(max(1, transfers((steps >> bit) - 1, 3)) for bit in range(steps.bit_length()))
    if not distinct or channels <= lanes:
        # A comparison with a constant takes a LUT4 for three bits; those of one value share some.
        compared = steps * max(1, bits - 0.8 * log2(steps)) / 3
        return round(pipeline.cells(_latency(steps)) + lanes * (bits + compared + codes))
    groups = transfers(channels, lanes)
    stored = 1 + steps * min(bits, max(1, bits + 2 - log2(steps)))   # they ascend
    compared = lanes * (bits + steps * (bits + 1) + codes)
    return round(pipeline.cells(_latency(steps), groups) + compared
                 + table.cells(lanes * stored, groups, block))


def search_tables(*, channels, steps, bits, lanes, distinct):
    """Words and bits of each memory of a :class:`SearchThreshold` that may be a block RAM."""
    groups = transfers(channels, lanes) if distinct else 1
    depths = [groups << stage for stage in range(steps.bit_length())] * lanes
    return [(depth, bits + 1) for depth in depths if depth > table.DEEP]


def search_cells(*, channels, steps, bits, lanes, distinct, block=False):
    """Estimate of the logic cells of a :class:`SearchThreshold`, as :func:`cells`."""
    groups = transfers(channels, lanes) if distinct else 1
    stages = steps.bit_length()
    each = sum(2 * bits + 1 + stage + table.cells(bits + 1, groups << stage, block)
               for stage in range(stages))
    return round(pipeline.cells(stages + 1, groups, stages - 1) + lanes * each)
