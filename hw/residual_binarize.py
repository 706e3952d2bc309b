"""Residual binarization: the signs of what is left, one after the other."""
import numpy as np
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw import constants, pipeline
from hw.constants import Constants
from hw.pipeline import Pipeline, check_positive, span
from hw.stream import transfers


class ResidualBinarize(wiring.Component):
    """Signs of what coefficients leave of a value: :func:`sw.golden.residual_binarize`.

    (Li et al. 2017, HORQ.) ``lanes`` channels a transfer, one transfer a cycle, latency
    ``latency`` cycles: one for each sign and one for the code, and one more if the centres or
    flips of a lane differ. A frame is ⌈channels / lanes⌉ transfers.

    What is left of a value that is flipped, r, is carried as −1 − r: its sign is the opposite,
    and coefficients are added and subtracted as to any other. So flips cost an inverted sign.

    Parameters
    ----------
    shape : Shape
        Shape of a value.
    coefficients : array of int, (channels, J)
        What each sign adds or takes away.
    centre : array of int, (channels,)
    flip : array of bool, (channels,)
        Channels of which the distance from the centre is negated.
    lanes : int
        Channels a transfer.
    block : bool
        Whether deep memories are block RAMs.

    Members
    -------
    i : In(stream.Signature(ArrayLayout(shape, lanes)))
        Values, in channel order.
    o : Out(stream.Signature(ArrayLayout(J, lanes)))
        Codes, in channel order, the first sign in the highest bit, 1 if it is not negative;
        0 beyond the last channel.
    """
    def __init__(self, *, shape, coefficients, centre, flip, lanes=1, block=False):
        check_positive("Lanes", lanes)
        self.shape = Shape.cast(shape)
        self.coefficients = np.asarray(coefficients)
        self.centre = np.asarray(centre)
        self.flip = np.asarray(flip, bool)
        self.lanes = lanes
        self.block = block
        channels, signs = self.coefficients.shape
        if not (self.centre.shape == self.flip.shape == (channels,)):
            raise ValueError(f"Centre and flip must have an entry a channel, {channels}, not "
                             f"shapes {self.centre.shape} and {self.flip.shape}")
        self._start = (-self.centre - self.flip).tolist()
        self._shapes = _left(self.shape, self._start, self.coefficients)
        self._shifts = constants.differ(self._start, lanes)
        self.latency = self._shifts + signs + 1
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(self.shape, lanes))),
            "o": Out(stream.Signature(data.ArrayLayout(signs, lanes))),
        })

    def elaborate(self, platform):
        m = Module()

        channels, signs = self.coefficients.shape
        pipe = Pipeline(m, self.i, self.o, latency=self.latency, channels=channels,
                        lanes=self.lanes)

        def read(name, width, values, stage):
            """The constants of the transfer before ``stage``, one a lane."""
            m.submodules[name] = memory = Constants(width=width, values=values, lanes=self.lanes,
                                                    block=self.block)
            m.d.comb += memory.en.eq(pipe.en)
            if stage:
                m.d.comb += memory.group.eq(pipe.group(stage - 1))
            return [memory.o[lane].as_signed() for lane in range(self.lanes)]

        start = read("start", _signed(self._start).width, self._start, self._shifts)
        less = [read(f"less_{k}", _signed(values).width, values, self._shifts + 1 + k)
                for k, values in enumerate((-self.coefficients.T[:-1]).tolist())]
        upright = read("upright", 1, (~self.flip).tolist(), self.latency - 1)

        for lane in range(self.lanes):
            x = pipe.delay(self.i.payload[lane], self._shifts, "x")
            left = pipe.register(x + start[lane], self._shapes[0], "left")
            found = [left[-1]]
            for shape, change in zip(self._shapes[1:], less, strict=True):
                # Taken away if negative: the complement, and a carry in below the lowest place.
                sign = left[-1]
                change = change[lane] ^ Cat(sign).as_signed()
                total = Cat(sign, left).as_signed() + Cat(sign, change).as_signed()
                left = pipe.register(total >> 1, shape, "left")
                found = [pipe.delay(sign, 1, "sign") for sign in found] + [left[-1]]
            code = Cat(found[::-1]) ^ upright[lane]
            m.d.comb += self.o.payload[lane].eq(
                pipe.register(pipe.present(code, lane, self.latency - 1), signs, "code"))

        return m


def _signed(values):
    """The smallest signed shape of the values."""
    return Shape.cast(range(min(-1, *values), max(0, *values) + 1))


def _left(shape, start, coefficients):
    """The shape of what is left before each sign."""
    ranges = [tuple(end + value for end in span(shape)) for value in start]
    shapes = []
    for column in coefficients.T.tolist():
        shapes.append(_signed([end for ends in ranges for end in ends]))
        ranges = [_change(*ends, beta) for ends, beta in zip(ranges, column, strict=True)]
    return shapes


def _change(lo, hi, beta):
    """The range of lo … hi less ``beta``, or plus that where negative."""
    ends = [max(lo, 0) - beta, hi - beta] if hi >= 0 else []
    ends += [lo + beta, min(hi, -1) + beta] if lo < 0 else []
    return min(ends), max(ends)


def cells(*, shape, coefficients, centre, flip, lanes=1, block=False):
    """Estimate of the logic cells, with the parameters of :class:`ResidualBinarize`."""
    shape, coefficients = Shape.cast(shape), np.asarray(coefficients)
    channels, signs = coefficients.shape
    flip = np.asarray(flip, bool)
    start = (-np.asarray(centre) - flip).tolist()
    shapes = _left(shape, start, coefficients)
    widths = [left.width for left in shapes]
    each = signs * (signs + 1) / 2 + sum(widths[1:]) + widths[0]
    parts = []
    for column in (-coefficients.T[:-1]).tolist():
        if constants.differ(column, lanes):
            parts.append(constants.cells(_signed(column).width, column, lanes, block))
            each += _signed(column).width
    if constants.differ(start, lanes):
        parts.append(constants.cells(_signed(start).width, start, lanes, block))
        each += shape.width
    if constants.differ(flip.tolist(), lanes):
        parts.append(constants.cells(1, flip.tolist(), lanes, block))
    latency = signs + 1 + constants.differ(start, lanes)
    groups = transfers(channels, lanes) if parts else 1
    return round(lanes * each + sum(parts) + pipeline.cells(latency, groups, latency - 2))
