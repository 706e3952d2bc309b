"""XNOR-Net's scale of a frame: its sums of signs times the sum of its magnitudes.

:class:`SignAndScale`, a product of weights and signs, and :class:`Scale` together compute
:func:`sw.golden.xnor_net` (Rastegari et al. 2016, section 3.2).
"""
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2

from hw import adder_tree
from hw.adder_tree import AdderTree
from hw.pe import accumulator
from hw.pipeline import check_positive, span
from hw.stream import Register, transfers


class SignAndScale(wiring.Component):
    """The signs of a frame, ``x >= 0``, and the sum of its magnitudes, ``K = Σ_c |x[c]|``.

    One transfer a cycle (with a ``depth`` below 3 and frames of one transfer, one in two cycles).
    Signs leave a cycle later, K at most ``latency`` cycles after its frame's last transfer. Neither
    waits for the other, but no more than ``depth`` sums, and one in the making, wait to be taken.

    Parameters
    ----------
    shape : Shape
        Shape of an element, a number.
    lanes : int
        Elements a transfer.
    channels : int
        Elements a frame.
    depth : int
        Sums that may wait. With fewer than there are frames on their way from ``o`` to where
        their sum is taken, frames are held up, but none for ever.
    k_shape : Shape
        Shape that holds every K, unsigned; by default the smallest for all values of ``shape``.

    Attributes
    ----------
    latency : int
        Cycles from the last transfer of a frame at ``i`` to its K, if none is waiting.

    Members
    -------
    i : In(stream.Signature(ArrayLayout(shape, lanes)))
        Elements, in channel order; those beyond the last channel do not count.
    o : Out(stream.Signature(ArrayLayout(1, lanes)))
        Signs, 1 for +1 and 0 for −1; 0 beyond the last channel.
    k : Out(stream.Signature(k_shape))
        K, one a frame.
    """
    def __init__(self, *, shape, lanes, channels, depth, k_shape=None):
        for name, value in (("Lanes", lanes), ("Channels", channels), ("Depth", depth)):
            check_positive(name, value)
        self.shape = Shape.cast(shape)
        self.lanes = lanes
        self.channels = channels
        self.depth = depth
        self.k_shape = _sum_shape(self.shape, channels) if k_shape is None else _unsigned(k_shape)
        self._levels = adder_tree.levels(lanes)
        self.latency = self._levels + 2 + (depth > 1)
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(self.shape, lanes))),
            "o": Out(stream.Signature(data.ArrayLayout(1, lanes))),
            "k": Out(stream.Signature(self.k_shape)),
        })

    def elaborate(self, platform):
        m = Module()

        groups = transfers(self.channels, self.lanes)
        group = Signal(range(groups))
        last = group == groups - 1
        # The signs and the sum advance on their own; a transfer enters both at once.
        en, taken = Signal(), Signal()
        signs_en = ~self.o.valid | self.o.ready
        m.d.comb += [
            self.i.ready.eq(en & signs_en),
            taken.eq(self.i.valid & self.i.ready),
        ]
        with m.If(taken):
            m.d.sync += group.eq(Mux(last, 0, group + 1))
        with m.If(signs_en):
            m.d.sync += self.o.valid.eq(taken)

        m.submodules.sum = tree = AdderTree(count=self.lanes, shape=_magnitude(self.shape),
                                            carries=True)
        m.d.comb += tree.en.eq(en)
        negatives = Signal(self.lanes)
        for lane, element in enumerate(self.i.payload):
            counts = C(1) if lane < self.channels - (groups - 1) * self.lanes else ~last
            # −x is ~x + 1: the ones are carry bits of the adders.
            negative = element[-1] if self.shape.signed else C(0)
            below = element[:len(tree.i[lane])]
            magnitude = Signal(len(below), name=f"magnitude_{lane}")
            with m.If(signs_en):
                m.d.sync += self.o.payload[lane].eq(counts & ~negative)
            with m.If(en):
                m.d.sync += [
                    magnitude.eq(Mux(counts, Mux(negative, ~below, below), 0)),
                    negatives[lane].eq(counts & negative),
                ]
            m.d.comb += tree.i[lane].eq(magnitude)
        m.d.comb += tree.carry.eq(negatives[:-1])

        # The last carry bit goes with the sum of its word to the accumulator.
        valid, ends = Signal(self._levels + 1), Signal(self._levels + 1)
        late = Signal(self._levels + 1)
        carry = Cat(negatives[-1], late)[self._levels]
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=self.k_shape.width, depth=self.depth)
        total = Signal(self.k_shape)
        m.d.comb += [
            fifo.w_data.eq(accumulator.add(carry, total, tree.o)),
            fifo.w_en.eq(ends[-1]),
            en.eq(~ends[-1] | fifo.w_rdy),
        ]
        with m.If(en):
            m.d.sync += [
                valid.eq(Cat(taken, valid)),
                ends.eq(Cat(taken & last, ends)),
                late.eq(Cat(negatives[-1], late)),
            ]
            with m.If(valid[-1]):
                m.d.sync += total.eq(Mux(ends[-1], 0, fifo.w_data))
        connect(m, fifo.r_stream, flipped(self.k))

        return m


class Scale(wiring.Component):
    """``y[c] = K · x[c]`` for the channels of each frame, with the frame's own K.

    There is no multiplier: K is read bit by bit from the lowest on, and each 1 adds x to the
    product. Meanwhile the next transfer is taken.

    Parameters
    ----------
    shape : Shape
        Shape of an element.
    k_shape : Shape
        Shape of K, unsigned.
    lanes : int
        Elements a transfer.
    channels : int
        Elements a frame.
    output : Shape
        Shape that holds every result.

    Attributes
    ----------
    cycles : int
        Cycles a transfer, whatever it holds: the bits of K, and one in which ``o`` is valid. So
        many pass from ``i`` to ``o`` too, if K is there in time.

    Members
    -------
    i : In(stream.Signature(ArrayLayout(shape, lanes)))
        Elements, in channel order.
    k : In(stream.Signature(k_shape))
        K, one a frame; that of the next frame is taken when a frame is done.
    o : Out(stream.Signature(ArrayLayout(output, lanes)))
        Products, in channel order; any beyond the last channel.
    """
    def __init__(self, *, shape, k_shape, lanes, channels, output):
        for name, value in (("Lanes", lanes), ("Channels", channels)):
            check_positive(name, value)
        self.shape = Shape.cast(shape)
        self.k_shape = _unsigned(k_shape)
        self.lanes = lanes
        self.channels = channels
        self.output = Shape.cast(output)
        self.cycles = self.k_shape.width + 1
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(self.shape, lanes))),
            "k": In(stream.Signature(self.k_shape)),
            "o": Out(stream.Signature(data.ArrayLayout(self.output, lanes))),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.waiting = waiting = Register(shape=self.i.payload.shape())
        connect(m, flipped(self.i), waiting.i)

        bits, groups = self.k_shape.width, transfers(self.channels, self.lanes)
        place, group = Signal(range(bits)), Signal(range(groups))
        # K goes round in a ring, once a transfer.
        ring, full = Signal(self.k_shape), Signal()
        # The product with the bits so far; each step moves it down by a place.
        products = [Signal(Shape(self.shape.width + bits, self.shape.signed), name=f"product_{k}")
                    for k in range(self.lanes)]
        step, done, last = Signal(), Signal(), Signal()
        m.d.comb += [
            step.eq(waiting.o.valid & full & ~self.o.valid),
            done.eq(step & (place == bits - 1)),
            last.eq(group == groups - 1),
            waiting.o.ready.eq(done),
            self.k.ready.eq(~full),
        ]
        with m.If(~full):
            m.d.sync += [ring.eq(self.k.payload), full.eq(self.k.valid)]
        with m.If(step):
            m.d.sync += [
                ring.eq(ring.rotate_right(1)),
                place.eq(place + 1),
            ]
            for product, x in zip(products, waiting.o.payload, strict=True):
                below, above = product[:bits], product[bits:]
                above = above.as_signed() if self.shape.signed else above
                m.d.sync += product.eq(Cat(below[1:], Mux(ring[0], above + x, above)))
        with m.If(done):
            m.d.sync += [
                place.eq(0),
                group.eq(Mux(last, 0, group + 1)),
                full.eq(~last),
                self.o.valid.eq(1),
            ]
        # Last, so that synthesis takes it for a reset of the registers, which costs nothing.
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += self.o.valid.eq(0)
            m.d.sync += [product.eq(0) for product in products]

        m.d.comb += [y.eq(product) for y, product in zip(self.o.payload, products, strict=True)]

        return m


def _unsigned(k_shape):
    """The shape of K, checked."""
    shape = Shape.cast(k_shape)
    if shape.signed or not shape.width:
        raise ValueError(f"K must be unsigned and have bits, not {shape!r}")
    return shape


def _magnitude(shape):
    """Shape of what a magnitude is without the carry: the bits, inverted if negative."""
    return unsigned(shape.width - shape.signed)


def _sum_shape(shape, channels):
    """The smallest shape for the sum of the magnitudes of so many elements."""
    lo, hi = span(shape)
    return Shape.cast(range(channels * max(-lo, hi) + 1))


def sign_and_scale_cells(*, shape, lanes, channels, depth, k_shape=None):
    """Estimate of the cells of :class:`SignAndScale`, for a ``depth`` of at most 4.

    (Synthesis may make a deeper FIFO, of 7 places or more, a block RAM.)
    """
    shape = Shape.cast(shape)
    k_shape = _sum_shape(shape, channels) if k_shape is None else Shape.cast(k_shape)
    levels, width = adder_tree.levels(lanes), _magnitude(shape).width
    parts = [
        lanes * (1 + width) + adder_tree.cells(lanes, width),
        accumulator.cells(k_shape),
        # Words of the FIFO, the multiplexer of a fourth one, and its counters.
        (depth + max(0, depth - 3)) * k_shape.width + 5 * depth - 3,
        2 * levels + 10 + 1.5 * ceil_log2(transfers(channels, lanes)),
    ]
    if shape.signed:
        # Carry bits: registers in which they wait for their adder, and a cell to enter its chain.
        parts.append(3 * lanes - 2)
    return round(sum(parts))


def scale_cells(*, shape, k_shape, lanes, channels, output):
    """Estimate of the cells of :class:`Scale`."""
    width, bits = Shape.cast(shape).width, Shape.cast(k_shape).width
    counters = ceil_log2(bits) + ceil_log2(transfers(channels, lanes))
    return round(lanes * (2 * width + bits + 1) + bits + 1.5 * counters + 16)
