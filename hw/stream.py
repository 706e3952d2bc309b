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
        full = Signal(range(3))
        filled, emptied = Signal(), Signal()
        m.d.sync += full.eq(full + filled - emptied)

        write_word, write_half = Signal(range(self.words)), Signal()
        m.d.comb += [
            self.i.ready.eq(full != 2),
            write.en.eq(self.i.valid & self.i.ready),
            write.addr.eq(Cat(write_word, C(0, half - len(write_word)), write_half)),
            write.data.eq(self.i.payload),
            filled.eq(write.en & (write_word == self.words - 1)),
        ]
        with m.If(write.en):
            m.d.sync += write_word.eq(write_word + 1)
        with m.If(filled):
            m.d.sync += [write_word.eq(0), write_half.eq(~write_half)]

        read_word, read_half, time = Signal(range(self.words)), Signal(), Signal(range(self.times))
        m.d.comb += [
            read.en.eq(~self.o.valid | self.o.ready),
            read.addr.eq(Cat(read_word, C(0, half - len(read_word)), read_half)),
            self.o.payload.eq(read.data),
        ]
        with m.If(read.en):
            m.d.sync += self.o.valid.eq(full != 0)
            with m.If(full != 0):
                m.d.sync += read_word.eq(read_word + 1)
                with m.If(read_word == self.words - 1):
                    m.d.sync += [read_word.eq(0), time.eq(time + 1)]
                    with m.If(time == self.times - 1):
                        m.d.comb += emptied.eq(1)
                        m.d.sync += [time.eq(0), read_half.eq(~read_half)]

        return m


class RegisterReplay(Replay):
    def elaborate(self, platform):
        m = Module()

        # A shift register takes the next vector while the present one goes round in a ring.
        waiting = Signal(self.width * self.words)
        arrived = Signal(range(self.words + 1))
        ring = Signal(self.width * self.words)
        word, time = Signal(range(self.words)), Signal(range(self.times))
        done, start = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(arrived != self.words),
            self.o.payload.eq(ring[:self.width]),
            done.eq(self.o.ready & (word == self.words - 1) & (time == self.times - 1)),
            start.eq((arrived == self.words) & (~self.o.valid | done)),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                waiting.eq(Cat(waiting, self.i.payload)[self.width:]),
                arrived.eq(arrived + 1),
            ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [
                ring.eq(ring.rotate_right(self.width)),
                word.eq(word + 1),
            ]
            with m.If(word == self.words - 1):
                m.d.sync += [word.eq(0), time.eq(time + 1)]
            with m.If(done):
                m.d.sync += [time.eq(0), self.o.valid.eq(0)]
        with m.If(start):
            m.d.sync += [ring.eq(waiting), arrived.eq(0), self.o.valid.eq(1)]

        return m
