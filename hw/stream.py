"""Streams between components: width conversion and replay of vectors.

A frame of ``channels`` elements travels as ⌈channels / lanes⌉ transfers of ``lanes`` elements;
elements of the last one beyond the frame are 0.
"""
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2


def transfers(channels, lanes):
    """Transfers that a frame takes: ⌈channels / lanes⌉."""
    return -(-channels // lanes)


class Widen(wiring.Component):
    """Gathers ``ratio`` transfers into one that is as many times as wide.

    Each frame starts a new transfer: zeros fill the last one of the frame before. Takes one
    transfer a cycle.

    Parameters
    ----------
    shape : Shape
        Shape of an element.
    lanes : int
        Elements of a transfer of ``i``.
    ratio : int
        Transfers gathered.
    beats : int
        Transfers of ``i`` in a frame.

    Members
    -------
    i : In(stream.Signature(ArrayLayout(shape, lanes)))
    o : Out(stream.Signature(ArrayLayout(shape, lanes · ratio)))
    """
    def __init__(self, *, shape, lanes, ratio, beats):
        self.ratio = ratio
        self.beats = beats
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(shape, lanes))),
            "o": Out(stream.Signature(data.ArrayLayout(shape, lanes * ratio))),
        })

    def elaborate(self, platform):
        m = Module()

        ratio, beats = self.ratio, self.beats
        word = self.o.payload.as_value()
        piece = self.i.payload.as_value()
        slot, beat = Signal(range(ratio)), Signal(range(beats))
        # Pieces shift down from the top; the last one of a frame takes the zeros along.
        spare = transfers(beats, ratio) * ratio - beats
        last = (beat == beats - 1) if spare else C(0)
        zeros = C(0, spare * len(piece))
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid & (last | (slot == ratio - 1)))
            with m.If(self.i.valid):
                m.d.sync += [
                    word.eq(Mux(last, Cat(word, piece, zeros)[len(zeros) + len(piece):],
                                Cat(word, piece)[len(piece):])),
                    slot.eq(Mux(last | (slot == ratio - 1), 0, slot + 1)),
                    beat.eq(Mux(beat == beats - 1, 0, beat + 1)),
                ]

        return m


class Narrow(wiring.Component):
    """Hands a transfer on in ``ratio`` parts, low elements first.

    Of a frame it hands on ``beats`` parts; what follows in the frame's last transfer is dropped.
    A transfer takes a cycle a part, and one more in which the next one is taken.

    Parameters
    ----------
    shape : Shape
        Shape of an element.
    lanes : int
        Elements of a transfer of ``o``.
    ratio : int
        Parts of a transfer.
    beats : int
        Transfers of ``o`` in a frame.

    Members
    -------
    i : In(stream.Signature(ArrayLayout(shape, lanes · ratio)))
    o : Out(stream.Signature(ArrayLayout(shape, lanes)))
    """
    def __init__(self, *, shape, lanes, ratio, beats):
        self.ratio = ratio
        self.beats = beats
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(shape, lanes * ratio))),
            "o": Out(stream.Signature(data.ArrayLayout(shape, lanes))),
        })

    def elaborate(self, platform):
        m = Module()

        ratio, beats = self.ratio, self.beats
        word = Signal(len(self.i.payload.as_value()))
        part = Signal(range(ratio))
        beat = Signal(range(beats))
        busy = Signal()
        m.d.comb += [
            self.i.ready.eq(~busy),
            self.o.valid.eq(busy),
            self.o.payload.eq(word[:len(self.o.payload.as_value())]),
        ]
        with m.If(~busy):
            m.d.sync += [
                word.eq(self.i.payload),
                busy.eq(self.i.valid),
                part.eq(0),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += [
                word.eq(word[len(self.o.payload.as_value()):]),
                part.eq(part + 1),
                beat.eq(Mux(beat == beats - 1, 0, beat + 1)),
            ]
            with m.If((part == ratio - 1) | (beat == beats - 1)):
                m.d.sync += busy.eq(0)

        return m


class Register(wiring.Component):
    """Holds one transfer: cuts the path between two components. One transfer a cycle.

    Parameters
    ----------
    shape : Shape
        Shape of the payload.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))
    """
    def __init__(self, *, shape):
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
        })

    def elaborate(self, platform):
        m = Module()

        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload)]

        return m


class Replay(wiring.Component):
    """Gives each vector of ``words`` transfers ``times`` times over, while it takes the next.

    One transfer a cycle without gaps, as long as the next vector arrives in time. Two vectors
    fit: :class:`MemoryReplay` keeps them in a block RAM, :class:`RegisterReplay` in registers.

    Parameters
    ----------
    width : int
        Bits of a transfer.
    words : int
        Transfers of a vector.
    times : int
        How often it is given.

    Members
    -------
    i : In(stream.Signature(ArrayLayout(1, width)))
    o : Out(stream.Signature(ArrayLayout(1, width)))
    """
    def __init__(self, *, width, words, times):
        self.width = width
        self.words = words
        self.times = times
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(1, width))),
            "o": Out(stream.Signature(data.ArrayLayout(1, width))),
        })


class MemoryReplay(Replay):
    def elaborate(self, platform):
        m = Module()

        # The halves of the memory hold a vector each, and take turns.
        half = ceil_log2(self.words)
        m.submodules.memory = memory = Memory(shape=self.width, depth=2 << half, init=[],
                                              attrs={"ram_style": "block", "no_rw_check": 1})
        write, read = memory.write_port(), memory.read_port()
        some, both = Signal(), Signal()
        filled, emptied = Signal(), Signal()
        with m.If(filled & ~emptied):
            m.d.sync += [some.eq(1), both.eq(some)]
        with m.Elif(emptied & ~filled):
            m.d.sync += [some.eq(both), both.eq(0)]

        write_half, read_half = Signal(), Signal()
        write_word, last_written = count(m, self.words, write.en, "write_word")
        m.d.comb += [
            self.i.ready.eq(~both),
            write.en.eq(self.i.valid & self.i.ready),
            write.addr.eq(Cat(write_word, C(0, half - len(write_word)), write_half)),
            write.data.eq(self.i.payload),
            filled.eq(write.en & last_written),
        ]
        with m.If(filled):
            m.d.sync += write_half.eq(~write_half)

        fetch = Signal()
        read_word, last_word = count(m, self.words, fetch, "read_word")
        _, last_time = count(m, self.times, fetch & last_word, "time")
        m.d.comb += [
            read.en.eq(~self.o.valid | self.o.ready),
            fetch.eq(read.en & some),
            read.addr.eq(Cat(read_word, C(0, half - len(read_word)), read_half)),
            self.o.payload.eq(read.data),
            emptied.eq(fetch & last_word & last_time),
        ]
        with m.If(read.en):
            m.d.sync += self.o.valid.eq(some)
        with m.If(emptied):
            m.d.sync += read_half.eq(~read_half)

        return m


class RegisterReplay(Replay):
    def elaborate(self, platform):
        m = Module()

        # A shift register takes the next vector while the present one goes round in a ring.
        waiting = Signal(self.width * self.words)
        full = Signal()
        ring = Signal(self.width * self.words)
        take, give, done, start = Signal(), Signal(), Signal(), Signal()
        _, last_taken = count(m, self.words, take, "arrived")
        _, last_given = count(m, self.words * self.times, give, "given")
        m.d.comb += [
            self.i.ready.eq(~full),
            self.o.payload.eq(ring[:self.width]),
            take.eq(self.i.valid & self.i.ready),
            give.eq(self.o.valid & self.o.ready),
            done.eq(give & last_given),
            start.eq(full & (~self.o.valid | done)),
        ]
        with m.If(take):
            m.d.sync += [
                waiting.eq(Cat(waiting, self.i.payload)[self.width:]),
                full.eq(last_taken),
            ]
        with m.If(give):
            m.d.sync += ring.eq(ring.rotate_right(self.width))
        with m.If(done):
            m.d.sync += self.o.valid.eq(0)
        with m.If(start):
            m.d.sync += [ring.eq(waiting), full.eq(0), self.o.valid.eq(1)]

        return m


def count(m, steps, en, name):
    """A counter that ``en`` advances, and whether it is at the last of its ``steps``: from a
    register, so that no comparison stands between the ``ready`` of one component and the next."""
    value, last = Signal(range(steps), name=name), Signal(name=f"{name}_last", init=steps == 1)
    if steps > 1:
        with m.If(en):
            m.d.sync += [value.eq(Mux(last, 0, value + 1)), last.eq(value == steps - 2)]
    return value, last
