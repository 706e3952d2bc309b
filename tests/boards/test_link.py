# amaranth: UnusedElaboratable=no

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from amaranth.sim import Simulator
from cobs import cobs

from boards.link import Link
from boards.receiver import Completer, PacketReceiver
from boards.sender import PacketSender
from sim.pysim import stream_get, stream_put
from sw import wire
from sw.wire import Fault, Kind, Packet

IDENTITY = wire.Identity(bytes.fromhex("00ff000102030000"), 6, 12_000).pack()


def classify(frame):
    """What stands for a network here; every byte and its place matter."""
    return sum(k * value for k, value in enumerate(frame, 1)) % 11


def talk(line, *, elements=6, gap=2, rests=None, latency=0, slow=0,
         pause=lambda: 0, overrun=(), limit=30_000):
    """What a link answers to the bytes ``line``, and the frames that its accelerator sees.

    A byte arrives ``gap`` cycles after the one before was taken, and after ``rests[index]`` more.
    The accelerator waits ``pause()`` cycles before it takes a byte, and computes ``latency``
    cycles on a frame while it takes the next ones. The host waits ``slow`` cycles before it takes
    a byte of an answer. The bytes with an index in ``overrun`` are lost.
    """
    dut = Link(elements=elements, identity=IDENTITY, shape=4)
    rests = rests or {}
    frames, answers = [], bytearray()

    async def host(ctx):
        for k, byte in enumerate(line):
            for _ in range(gap + rests.get(k, 0)):
                await ctx.tick()
            if k in overrun:
                ctx.set(dut.overrun, 1)
                await ctx.tick()
                ctx.set(dut.overrun, 0)
            else:
                await stream_put(ctx, dut.rx, byte)
        for _ in range(2 * elements + 3 * latency + 100 * (1 + slow)):
            await ctx.tick()

    async def read(ctx):
        while True:
            frame = []
            for _ in range(elements):
                for _ in range(pause()):
                    await ctx.tick()
                frame.append((await stream_get(ctx, dut.frame))[0])
            frames.append(bytes(frame))

    async def compute(ctx):
        done = 0
        while True:
            await ctx.tick()
            if len(frames) > done:
                for _ in range(latency):
                    await ctx.tick()
                await stream_put(ctx, dut.result, classify(frames[done]))
                done += 1

    async def listen(ctx):
        while True:
            for _ in range(slow):
                await ctx.tick()
            answers.append(await stream_get(ctx, dut.tx))

    async def watch(ctx):
        for _ in range(limit):
            await ctx.tick()
        raise TimeoutError(f"{len(frames)} frames and {len(answers)} bytes in {limit} cycles")

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(host)
    for bench in (read, compute, listen, watch):
        sim.add_testbench(bench, background=True)
    sim.run()
    assert not answers or answers[-1] == 0
    return [wire.decode(answer) for answer in bytes(answers).split(b"\0")[:-1]], frames


def frame(payload, sequence=0):
    return wire.encode(Packet(Kind.FRAME, bytes(payload), sequence))


def result(payload, sequence=0):
    return Packet(Kind.RESULT, bytes([classify(payload)]), sequence)


def error(fault, sequence=0):
    return Packet(Kind.ERROR, bytes([fault]), sequence)


GOOD = bytes([10, 0, 0, 255, 1, 0])


@pytest.mark.parametrize("longest_pause", [0, 5])
@pytest.mark.parametrize("elements", [1, 6, 260])
def test_frames_are_classified(elements, longest_pause):
    rng = np.random.default_rng(elements)
    payloads = [bytes(elements), b"\1" * elements, b"\xff" * elements,
                *(rng.integers(0, 256, elements, np.uint8).tobytes() for _ in range(3)),
                *(rng.integers(0, 3, elements, np.uint8).tobytes() for _ in range(3))]
    line = b"".join(frame(payload, k) for k, payload in enumerate(payloads))
    starts = [k + 1 for k, byte in enumerate(line) if byte == 0]
    answers, frames = talk(line, elements=elements, gap=2, latency=20,
                           rests=dict.fromkeys(starts, 40),
                           pause=lambda: int(rng.integers(longest_pause + 1)))
    assert answers == [result(payload, k) for k, payload in enumerate(payloads)]
    assert frames == payloads


def test_every_class_and_sequence_number_is_encoded():
    payloads = [bytes([value, 0]) for value in range(11)]
    packets = [(payload, sequence) for payload in payloads for sequence in range(16)]
    answers, _ = talk(b"".join(frame(*packet) for packet in packets), elements=2, gap=4)
    assert answers == [result(*packet) for packet in packets]


def test_identify():
    line = wire.encode(Packet(Kind.IDENTIFY))
    assert talk(line + line)[0] == [Packet(Kind.IDENTITY, IDENTITY)] * 2


def cut(line, end):
    return line[:end] + b"\0"


DAMAGED = {
    "crc": (frame(GOOD[::-1] + b"")[:-2] + b"\1\0", Fault.CRC),
    "bit": (frame(GOOD).replace(b"\xff", b"\xfe"), Fault.CRC),
    "cut in its head": (cut(frame(GOOD), 1), Fault.CRC),
    "cut in its length": (cut(frame(GOOD), 3), Fault.CRC),
    "cut before its payload": (cut(frame(GOOD), 4), Fault.CRC),
    "cut in its payload": (cut(frame(GOOD), 7), Fault.CRC),
    "cut in its CRC": (cut(frame(GOOD), len(frame(GOOD)) - 2), Fault.CRC),
    "cut between blocks": (cut(frame(GOOD), 6), Fault.CRC),
    "garbage": (b"\x07\x22\x06\x01\x99\0", Fault.CRC),
    "frame too short": (frame(GOOD[:-1], 5), Fault.LENGTH),
    "frame too long": (frame(GOOD + b"\1", 5), Fault.LENGTH),
    "frame far too long": (frame(bytes(6 + 256), 5), Fault.LENGTH),
    "no payload": (frame(b"", 5), Fault.LENGTH),
    "identify with payload": (wire.encode(Packet(Kind.IDENTIFY, b"\0", 5)), Fault.LENGTH),
    "kind of the board": (wire.encode(Packet(Kind.RESULT, b"\0", 5)), Fault.KIND),
    "kind 0": (wire.encode(Packet(0, GOOD, 5)), Fault.KIND),
    "kind 10": (wire.encode(Packet(10, GOOD, 5)), Fault.KIND),
}


def length_says_otherwise(length):
    """A frame whose length is right, but not what it says."""
    body = bytes([Kind.FRAME | 5 << 4, *length.to_bytes(2, "little"), *GOOD])
    return cobs.encode(body + wire.crc(body).to_bytes(2, "big")) + b"\0"


def longer_than_it_says():
    body = bytes([Kind.FRAME | 5 << 4, 6, 0, *GOOD, 1, 2])
    return cobs.encode(body + wire.crc(body).to_bytes(2, "big")) + b"\0"


def shorter_than_it_says():
    body = bytes([Kind.FRAME | 5 << 4, 6, 0, *GOOD[:3]])
    return cobs.encode(body + wire.crc(body).to_bytes(2, "big")) + b"\0"


DAMAGED |= {
    "low length wrong": (length_says_otherwise(7), Fault.LENGTH),
    "high length wrong": (length_says_otherwise(6 + 512), Fault.LENGTH),
    "longer than it says": (longer_than_it_says(), Fault.LENGTH),
    "shorter than it says": (shorter_than_it_says(), Fault.LENGTH),
}


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("latency", [0, 40])
def test_a_bad_packet_leaves_others_alone(name, latency):
    bad, fault = DAMAGED[name]
    sequence = {Fault.CRC: None}.get(fault, 5)
    good = [bytes([k, 0, 7, 9, 255, k]) for k in range(4)]
    line = (frame(good[0], 1) + frame(good[1], 2) + bad + frame(good[2], 3) + bad + bad
            + frame(good[3], 4))
    answers, frames = talk(line, gap=12, latency=latency)
    kept = [answer for answer in answers if answer.kind is not Kind.ERROR]
    errors = [answer for answer in answers if answer.kind is Kind.ERROR]
    assert kept == [result(payload, k) for k, payload in enumerate(good, 1)]
    assert [answers.index(answer) for answer in kept] == [0, 1, 3, 6]
    assert [answer.payload for answer in errors] == [bytes([fault])] * 3
    assert sequence is None or {answer.sequence for answer in errors} == {sequence}
    assert [seen for seen in frames if seen in good] == good


def test_a_frame_that_is_cut_is_completed_with_zeros():
    answers, frames = talk(cut(frame(b"\1\2\3\4\5\6"), 7) + frame(GOOD))
    assert frames == [b"\1\2\3\0\0\0", GOOD]
    assert answers == [error(Fault.CRC), result(GOOD)]


def test_a_frame_that_is_too_long_is_not_handed_on():
    assert talk(DAMAGED["frame too long"][0] + frame(GOOD))[1] == [GOOD]


def test_zeros_between_packets_are_nothing():
    assert talk(b"\0\0" + frame(GOOD) + b"\0\0\0" + frame(GOOD) + b"\0")[0] == [result(GOOD)] * 2


def test_a_frame_waits_until_the_one_before_is_completed():
    rng = np.random.default_rng(0)
    payload = bytes(range(100))
    answers, frames = talk(cut(frame(payload), 5) + frame(payload, 1), elements=100, gap=0,
                           pause=lambda: int(rng.integers(4)))
    assert answers == [error(Fault.CRC), result(payload, 1)]
    assert frames[1] == payload


@pytest.mark.parametrize("gap, lost", [(12, lost) for lost in range(15)]
                         + [(gap, lost) for gap in range(4) for lost in (0, 13)])
def test_an_overrun_is_reported(gap, lost):
    lines = [frame(GOOD, 1), frame(GOOD[::-1], 2), frame(GOOD, 3)]
    assert len(lines[1]) == 13
    answers, _ = talk(b"".join(lines), overrun=[len(lines[0]) + lost], gap=gap, latency=10)
    kept = [answer for answer in answers if answer.kind is not Kind.ERROR]
    errors = [answer.payload for answer in answers if answer.kind is Kind.ERROR]
    if lost < 12:
        assert kept == [result(GOOD, 1), result(GOOD, 3)]
        assert errors == [bytes([Fault.OVERRUN])]
    elif lost == 12:        # without the zero byte between them, two frames are one bad packet
        assert kept == [result(GOOD, 1)]
        assert errors == [bytes([Fault.OVERRUN])]
    else:
        assert kept == [result(GOOD, 1), result(GOOD[::-1], 2)]
        assert errors == [bytes([Fault.OVERRUN])]


def test_an_answer_that_needs_no_class_takes_none():
    answers, _ = talk(frame(b"", 1) + frame(GOOD, 2), slow=40)  # the class waits for the ERROR
    assert answers == [error(Fault.LENGTH, 1), result(GOOD, 2)]


def test_frames_are_refused_while_too_many_wait():
    """The classes of two frames may be due; later frames are as if they had never been sent."""
    payloads = [bytes([k] * 6) for k in range(6)]
    lines = [frame(payload, k) for k, payload in enumerate(payloads)]
    answers, frames = talk(b"".join(lines), latency=500,
                           rests={sum(map(len, lines[:5])): 1000})
    assert frames == [payloads[0], payloads[1], payloads[5]]
    assert answers == [result(payloads[0], 0), result(payloads[1], 1), result(payloads[5], 5)]


def test_a_frame_refused_is_an_overrun_where_there_is_room_for_an_answer():
    lines = [frame(GOOD, k) for k in range(4)]
    middle = len(lines[0] + lines[1]) + 6           # both classes come while frame 2 rests here
    answers, frames = talk(b"".join(lines), latency=500, rests={middle: 1500})
    assert frames == [GOOD] * 3
    assert answers == [result(GOOD, 0), result(GOOD, 1), error(Fault.OVERRUN, 2), result(GOOD, 3)]


def judge(chunk, elements):
    """What the board must think of a packet's line: a fault, or None."""
    try:
        body = cobs.decode(chunk)
    except cobs.DecodeError:
        return Fault.CRC
    if wire.crc(body):
        return Fault.CRC
    length = {Kind.FRAME: elements, Kind.IDENTIFY: 0}.get(body[0] & 15)
    if length is None:
        return Fault.KIND
    says = int.from_bytes(body[1:3], "little")
    return None if says == length == len(body) - 5 else Fault.LENGTH


@pytest.mark.parametrize("seed", range(8))
def test_any_line_gets_the_right_answers(seed):
    """Frames with random damage: bytes changed, lost, inserted; every packet is judged right."""
    rng = np.random.default_rng(seed)
    line = bytearray()
    for k in range(30):
        packet = bytearray(frame(rng.integers(0, 4, 6, np.uint8).tobytes(), k % 16))
        if rng.integers(2):
            place = int(rng.integers(len(packet)))
            match rng.integers(3):
                case 0:
                    packet[place] ^= 1 << int(rng.integers(8))
                case 1:
                    del packet[place:place + int(rng.integers(1, 4))]
                case 2:
                    packet.insert(place, int(rng.integers(256)))
        line += packet
    line += b"\0"
    chunks = [chunk for chunk in bytes(line).split(b"\0") if chunk]
    answers, frames = talk(line, gap=30, latency=int(rng.integers(30)))
    for chunk, answer in zip(chunks, answers, strict=True):
        fault = judge(chunk, 6)
        if fault is None:
            packet = wire.decode(chunk)
            assert answer == result(packet.payload, packet.sequence)
        else:
            assert (answer.kind, answer.payload) == (Kind.ERROR, bytes([fault]))


def test_parameters_wrong():
    for component in (lambda elements: Completer(elements=elements),
                      lambda elements: PacketReceiver(elements=elements),
                      lambda elements: Link(elements=elements, identity=b"", shape=4)):
        with pytest.raises(TypeError, match=r"^Elements must be an integer, not 2\.5$"):
            component(2.5)
        with pytest.raises(ValueError, match=r"^Elements must be 1 to 65535 a frame, as a packet "
                                             r"holds no more, not 65536$"):
            component(65_536)
    for component in (lambda shape: PacketSender(identity=b"", shape=shape),
                      lambda shape: Link(elements=1, identity=b"", shape=shape)):
        for shape in (unsigned(9), signed(4)):
            with pytest.raises(ValueError, match="^" + re.escape(
                    f"A class index must be unsigned and have at most 8 bits, but its shape is "
                    f"{shape!r}") + "$"):
                component(shape)
    with pytest.raises(TypeError, match=r"^Depth must be a positive integer, not 0$"):
        Link(elements=1, identity=b"", shape=4, depth=0)
