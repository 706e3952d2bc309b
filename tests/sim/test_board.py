import os
import select
import time

import numpy as np
import pytest
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from boards import toolchain
from boards.icebreaker import Icebreaker
from boards.top import Top
from boards.ulx3s import Ulx3s85F
from hw.errors import ToolFailed
from sim.board import SimulatedBoard
from sw import wire
from sw.host import Board, BoardError
from sw.wire import Fault, Kind, Packet

ELEMENTS = 21
FRAMES = np.random.default_rng(0).integers(0, 256, (40, ELEMENTS), np.uint8)
DIGEST = "0123456789abcdef" * 4


class Checksum(wiring.Component):
    """Stands for a network: a sum in which each transfer counts, ``delay`` cycles later.

    It takes no frame before the class of the one before has left.
    """
    def __init__(self, *, elements, lanes, delay):
        self.beats = -(-elements // lanes)
        self.delay = delay
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(unsigned(8), lanes))),
            "o": Out(stream.Signature(unsigned(3))),
        })

    def elaborate(self, platform):
        m = Module()

        total = Signal(8)
        after = Signal(8)
        beat  = Signal(range(self.beats))
        busy  = Signal(range(self.delay + 2))
        m.d.comb += [
            self.i.ready.eq(busy == 0),
            self.o.valid.eq(busy == 1),
            after.eq(3 * total + sum(self.i.p)),
        ]
        with m.If((busy > 1) | (self.o.valid & self.o.ready)):
            m.d.sync += busy.eq(busy - 1)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [total.eq(after), beat.eq(beat + 1)]
            with m.If(beat == self.beats - 1):
                m.d.sync += [total.eq(0), beat.eq(0), busy.eq(self.delay + 1),
                             self.o.payload.eq(after >> 5)]

        return m


def checksum(frames, lanes):
    """What :class:`Checksum` gives."""
    frames = np.pad(frames, ((0, 0), (0, -frames.shape[1] % lanes))).astype(int)
    total = np.zeros(len(frames), int)
    for beat in range(0, frames.shape[1], lanes):
        total = (3 * total + frames[:, beat:beat + lanes].sum(axis=1)) % 256
    return total >> 5


class Design:
    """A design for the board, and what it computes."""
    def __init__(self, folder, *, limit_hz, lanes, delay=0, board=Icebreaker):
        self.folder = folder
        self.lanes = lanes
        platform = board(limit_hz=limit_hz)
        self.clock_hz = platform.clock_hz
        self.clock = f"{platform.default_clk}_0__io"
        accelerator = Checksum(elements=ELEMENTS, lanes=lanes, delay=delay)
        verilog, _ = toolchain.elaborate(platform, Top(
            accelerator=accelerator, digest=DIGEST, elements=ELEMENTS, clock_hz=self.clock_hz))
        (folder / "top.v").write_text(verilog)

    def board(self, *, limit=2_000_000):
        return SimulatedBoard([self.folder / "top.v"], self.folder, clock_hz=self.clock_hz,
                              clock=self.clock, limit=limit)

    def classes(self, frames):
        return checksum(frames, self.lanes)


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    return Design(tmp_path_factory.mktemp("design"), limit_hz=20e6, lanes=4)


def test_the_driver_runs_unchanged(design):
    with design.board() as port, Board(port, timeout=60) as driver:
        identity = driver.identify()
        np.testing.assert_array_equal(driver.classify(FRAMES), design.classes(FRAMES))
    assert identity == wire.Identity(bytes.fromhex(DIGEST)[:8], ELEMENTS, 19_875)


def test_so_it_does_on_an_ecp5(tmp_path):
    design = Design(tmp_path, limit_hz=64e6, lanes=4, board=Ulx3s85F)
    with design.board() as port, Board(port, timeout=60) as driver:
        identity = driver.identify()
        np.testing.assert_array_equal(driver.classify(FRAMES), design.classes(FRAMES))
    assert identity == wire.Identity(bytes.fromhex(DIGEST)[:8], ELEMENTS, 63_889)


def exchange(port, line, count):
    """``count`` packets that the board answers to the bytes ``line``."""
    descriptor = os.open(port, os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(descriptor, line)
        answers = b""
        while answers.count(b"\0") < count:
            assert select.select([descriptor], [], [], 60)[0], f"only {answers.hex()} came"
            answers += os.read(descriptor, 4096)
        return [wire.decode(answer) for answer in answers.split(b"\0")[:-1]]
    finally:
        os.close(descriptor)


def test_bad_packets_leave_others_alone(design):
    frames = FRAMES[:16]
    good = [wire.encode(Packet(Kind.FRAME, frame.tobytes(), k)) for k, frame in enumerate(frames)]
    right = [Packet(Kind.RESULT, bytes([number]), k)
             for k, number in enumerate(design.classes(frames))]
    damaged = bytearray(good[1])
    damaged[9] ^= 4
    long = wire.encode(Packet(Kind.FRAME, bytes(ELEMENTS + 1), 5))
    with design.board() as port:
        answers = exchange(port, b"".join([
            good[0], damaged, good[2], good[3][:11], b"\0", good[4], long, good[6],
            b"\7nonsense\0", good[8], wire.encode(Packet(Kind.IDENTIFY)), good[10]]), 11)
    for answer, (k, expected) in zip(answers, [
            (0, right[0]), (1, Fault.CRC), (2, right[2]), (3, Fault.CRC), (4, right[4]),
            (5, Fault.LENGTH), (6, right[6]), (7, Fault.CRC), (8, right[8]), (9, Kind.IDENTITY),
            (10, right[10])], strict=True):
        match expected:
            case Fault():
                assert (answer.kind, answer.payload) == (Kind.ERROR, bytes([expected])), k
            case Kind():
                assert answer.kind is expected, k
            case _:
                assert answer == expected, k


def test_the_limit_ends_it(design):
    with pytest.raises(ToolFailed, match="the limit of 20000 cycles is reached"):
        with design.board(limit=20_000) as port:
            time.sleep(1)        # time stands still while nothing happens
            assert len(exchange(port, wire.encode(Packet(Kind.IDENTIFY)), 1)) == 1
            with Board(port, timeout=60) as driver, pytest.raises(BoardError):
                driver.classify(FRAMES)


def test_a_slow_design_at_the_oscillators_clock(tmp_path):
    """It computes for longer than a frame takes to arrive: only one may be on its way."""
    design = Design(tmp_path, limit_hz=12e6, lanes=3, delay=2000)
    with design.board() as port, Board(port, timeout=5) as driver:
        np.testing.assert_array_equal(driver.classify(FRAMES[:20]), design.classes(FRAMES[:20]))
