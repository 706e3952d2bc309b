"""Requantization: a real scale for each channel, in fixed point, without a multiplier."""
from functools import reduce
from operator import and_, or_

import numpy as np
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2

from hw import constants, table
from hw.constants import Constants
from hw.pipeline import check_positive, span
from hw.serial_product import SerialProduct
from hw.stream import transfers


class Requantize(wiring.Component):
    """Values times a factor per channel, rounded and clipped: :func:`sw.golden.requantize`.

    Takes a transfer of ``lanes`` channels every ``cycles`` cycles, whatever the values, and
    offers the results one cycle after that. A frame is ⌈channels / lanes⌉ transfers.

    Multipliers are shifted to one binary point, so that exponents need no shifter, and zeros that
    end all of them are left out: each lane is a :class:`hw.serial_product.SerialProduct`.

    Parameters
    ----------
    shape : Shape
        Shape of an input value.
    multiplier, exponent : array of int, (channels,)
        0 … 2^31 − 1, and −31 … 30.
    zero, lo, hi : int
        What 0 becomes, and the ends of the range.
    single_rounding : bool
        Whether results are rounded only once.
    lanes : int
        Channels a transfer.
    bits : int
        Bits of the multipliers that a cycle takes.
    block : bool
        Whether a deep memory is a block RAM.

    Members
    -------
    i : In(stream.Signature(ArrayLayout(shape, lanes)))
        Values, in channel order: those for which the golden function raises no error.
    o : Out(stream.Signature(ArrayLayout(range(lo, hi + 1), lanes)))
        Results, in channel order; 0 beyond the last channel.
    """
    def __init__(self, *, shape, multiplier, exponent, zero=0, lo=-2 ** 31, hi=2 ** 31 - 1,
                 single_rounding=False, lanes=1, bits=1, block=False):
        check_positive("Lanes", lanes)
        check_positive("Bits", bits)
        self.shape = Shape.cast(shape)
        self.multiplier = np.asarray(multiplier)
        self.exponent = np.asarray(exponent)
        if self.multiplier.ndim != 1 or self.multiplier.shape != self.exponent.shape:
            raise ValueError(f"Multiplier and exponent must have an entry a channel each, not "
                             f"shapes {self.multiplier.shape} and {self.exponent.shape}")
        self.zero = zero
        self.lo = lo
        self.hi = hi
        self.single_rounding = single_rounding
        self.lanes = lanes
        self.bits = bits
        self.block = block
        self.output = Shape.cast(range(lo, hi + 1))
        self._factors, self._steps, self._raised = _align(self.multiplier, self.exponent, bits)
        self.cycles = self._steps + 1
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(self.shape, lanes))),
            "o": Out(stream.Signature(data.ArrayLayout(self.output, lanes))),
        })

    def elaborate(self, platform):
        m = Module()

        channels = len(self.multiplier)
        groups = transfers(channels, self.lanes)
        group = Signal(range(groups))
        left = Signal(range(self._steps))       # steps after the present one
        busy, done, free = Signal(), Signal(), Signal()
        m.d.comb += [
            free.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(~busy & (~done | free)),
        ]
        with m.If(free):
            m.d.sync += [self.o.valid.eq(done), done.eq(0)]
        with m.If(self.i.ready):
            m.d.sync += [busy.eq(self.i.valid), left.eq(self._steps - 1)]
        with m.If(busy):
            m.d.sync += left.eq(left - 1)
            with m.If(left == 0):
                m.d.sync += [
                    busy.eq(0),
                    done.eq(1),
                    group.eq(Mux(group == groups - 1, 0, group + 1)),
                ]

        layout, words = _words(self._factors, self._steps, self._rounded(), self.bits)
        m.submodules.constants = read = Constants(
            width=layout.size, values=words, lanes=self.lanes, block=self.block)
        m.d.comb += [read.en.eq(1), read.group.eq(group)]
        for lane in range(self.lanes):
            word = data.View(layout, read.o[lane])
            m.submodules[f"product_{lane}"] = product = SerialProduct(
                shape=self.shape, raised=self._raised, bits=self.bits)
            m.d.comb += [
                product.load.eq(self.i.ready),
                product.x.eq(self.i.payload[lane]),
                product.step.eq(busy),
                product.factor.eq(word.factor[left]),
                product.first.eq(Cat((word.step == left) & (word.slot == slot)
                                     for slot in range(self.bits))),
                product.last.eq(left == 0),
            ]
            result = self._clip(m, lane, product)
            if lane >= channels - (groups - 1) * self.lanes:
                # The group is already the next one.
                result = Mux(group == 0, 0, result)
            with m.If(free):
                m.d.sync += self.o.payload[lane].eq(result)

        return m

    def _rounded(self):
        """How many places below the point each channel is rounded first."""
        return 0 * self.exponent if self.single_rounding else np.maximum(-self.exponent, 0)

    def _clip(self, m, lane, product):
        """The rounded product plus ``zero``, or the end of the range beyond which it lies."""
        width = self.output.width
        base = span(self.output)[0]
        above = self.zero - base        # how far 0 comes above the least value of that width
        total = product.o if self.shape.signed else Cat(product.o, C(0, 1)).as_signed()
        # Products that are not beyond an end fit these bits; of others the sign decides.
        needed = Shape.cast(range(min(-above, -1), max((1 << width) - 1 - above, 1)))
        kept = min(len(total), needed.width)
        fits = total[kept - 1:].all() | ~total[kept - 1:].any()
        least, most = span(signed(kept))
        distance = Signal(range(min(least + above, -1), max(most + above + 1, 1 << width) + 1),
                          name=f"distance_{lane}")
        # The rounding is the carry in: a bit of both operands below the lowest place.
        m.d.comb += distance.eq((Cat(product.up, total[:kept]).as_signed() + Cat(
            product.up, C(above, signed(bits_for(above) + 1))).as_signed()) >> 1)
        inside = distance[:width]
        inner = Mux(inside < self.lo - base, self.lo, Mux(
            inside > self.hi - base, self.hi, inside ^ base % (1 << width)))
        below = Mux(fits, distance[-1], total[-1])
        return Mux(fits & ~distance[width:].any(), inner, Mux(below, self.lo, self.hi))


def _align(multiplier, exponent, bits):
    """Factors of one binary point, the steps that they take, and how far values are raised.

    x · factor · 2^raised / 2^(steps · bits) is x · multiplier · 2^(exponent − 31).
    """
    point = 31 - exponent.astype(int)
    places = int(max(point[multiplier > 0], default=1))
    factors = [value << places - at if value else 0
               for value, at in zip(multiplier.tolist(), point.tolist(), strict=True)]
    every = reduce(or_, factors)
    zeros = (every & -every).bit_length() - 1 if every else places - 1
    places -= zeros
    raised = max(0, (every >> zeros).bit_length() - places)
    places += raised
    steps = transfers(places, bits)
    spare = steps * bits - places
    return [factor >> zeros << spare for factor in factors], steps, raised


def _words(factors, steps, rounded, bits):
    """What the memory holds of each channel, and its layout."""
    step, slot = np.divmod(rounded, bits)
    layout = data.StructLayout({
        "factor": data.ArrayLayout(bits, steps),    # what the last step takes first
        "step": range(int(step.max()) + 1),
        "slot": range(bits),
    })
    words = []
    for factor, after, within in zip(factors, step.tolist(), slot.tolist(), strict=True):
        parts = (factor >> place * bits & (1 << bits) - 1 for place in range(steps))
        word = reduce(lambda word, part: word << bits | part, parts, 0)
        word |= after << layout["step"].offset | bits - 1 - within << layout["slot"].offset
        words.append(word)
    return layout, words


def cycles(*, multiplier, exponent, bits=1):
    """The cycles that a transfer takes, with the parameters of :class:`Requantize`."""
    return _align(np.asarray(multiplier), np.asarray(exponent), bits)[1] + 1


def cells(*, shape, multiplier, exponent, zero=0, lo=-2 ** 31, hi=2 ** 31 - 1,
          single_rounding=False, lanes=1, bits=1, block=False):
    """Estimate of the logic cells, with the parameters of :class:`Requantize`."""
    multiplier, exponent = np.asarray(multiplier), np.asarray(exponent)
    factors, steps, raised = _align(multiplier, exponent, bits)
    rounded = 0 * exponent if single_rounding else np.maximum(-exponent, 0)
    _, words = _words(factors, steps, rounded, bits)
    groups = transfers(len(words), lanes)
    value = Shape.cast(shape).width
    result = Shape.cast(range(lo, hi + 1))
    product = value + (value + raised) * bits + 2 * bits + 1
    clip = 2 * result.width + 4 + max(0, value + raised - result.width) / 2
    clip += 0 if span(result) == (lo, hi) else result.width / 2
    control = 3 * bits_for(steps) + 9
    if not constants.differ(words, lanes):
        return round(lanes * (product + clip + 0.2 * steps * bits) + control)
    # Of what all channels share, the memory keeps nothing.
    kept = (reduce(or_, words) & ~reduce(and_, words)).bit_count()
    memory = table.cells(lanes * kept, groups, block) + 1.7 * ceil_log2(groups)
    return round(lanes * (product + clip + 1.2 * steps * bits) + control + memory)
