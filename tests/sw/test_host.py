import os
import select
import threading
import tty

import numpy as np
import pytest

from sw import host, wire
from sw.element import Bipolar, Int, UInt
from sw.host import Board, BoardError
from sw.network import ArgMax, Dense, Network, Tensor
from sw.planes import bipolar
from sw.wire import Fault, Identity, Kind, Packet

BYTE = UInt(8)


def network(element=BYTE, seed=0, channels=64):
    weights = np.random.default_rng(seed).choice([-1, 1], (10, channels))
    return Network(f"net{seed}", Tensor.full(element, (channels,)), (
        Dense("dense", ("input",), (bipolar(weights),)), ArgMax("argmax", ("dense",))))


class PortOfBoard:
    """A pseudo-terminal behind which a thread answers packets like a board.

    ``mishap(k, packet, answer)`` gives the bytes that really leave for the ``k``-th packet of a
    frame, None for the right ones.
    """
    def __init__(self, network, mishap=lambda k, packet, answer: None):
        self.network = network
        self.mishap = mishap
        self.packets = []

    def __enter__(self):
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.stop, self.stopper = os.pipe()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return os.ttyname(self.slave)

    def __exit__(self, *_):
        os.close(self.stopper)
        self.thread.join()
        for descriptor in (self.master, self.slave, self.stop):
            os.close(descriptor)

    def serve(self):
        received = b""
        while self.master in select.select([self.master, self.stop], [], [])[0]:
            *lines, received = (received + os.read(self.master, 4096)).split(b"\0")
            for line in filter(None, lines):
                os.write(self.master, self.answer(line))

    def answer(self, line):
        try:
            packet = wire.decode(line)
        except wire.PacketError:
            return wire.encode(Packet(Kind.ERROR, bytes([Fault.CRC])))
        if packet.kind is Kind.IDENTIFY:
            elements = self.network.input.channels
            identity = Identity(bytes.fromhex(self.network.digest)[:8], elements, 24_000)
            right = wire.encode(Packet(Kind.IDENTITY, identity.pack()))
        else:
            image = np.frombuffer(packet.payload, np.uint8)[None]
            right = wire.encode(Packet(Kind.RESULT, bytes(self.network.run(image)[0].tolist()),
                                       packet.sequence))
            self.packets.append(packet)
        given = self.mishap(len(self.packets) - 1, packet, right)
        return right if given is None else given


def images(count=40, channels=64):
    return np.random.default_rng(1).integers(0, 256, (count, channels), np.uint8)


def check(mishap, *, sent, timeout=0.2):
    """Frames are classified right in spite of ``mishap``; it takes ``sent`` packets."""
    net, x = network(), images()
    port = PortOfBoard(net, lambda k, packet, answer:
                       mishap(k, packet, answer) if packet.kind is Kind.FRAME else None)
    with port as name, Board(name, timeout=timeout) as board:
        board.expect(net)
        np.testing.assert_array_equal(board.classify(x), net.run(x)[:, 0])
    assert len(port.packets) == sent


def test_frames_are_classified():
    check(lambda k, packet, answer: None, sent=40)


def test_progress_counts_frames():
    net, done = network(), []
    with PortOfBoard(net) as name, Board(name) as board:
        board.classify(images(5), progress=done.append)
    assert done == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("fault", [Fault.CRC, Fault.LENGTH, Fault.KIND, 77])
def test_a_frame_with_an_error_is_sent_again(fault):
    check(lambda k, packet, answer: wire.encode(Packet(Kind.ERROR, bytes([fault]),
                                                       packet.sequence))
          if k in (0, 7, 39, 41) else None, sent=44)


def test_a_lost_answer_is_noticed_by_the_next_one():
    check(lambda k, packet, answer: b"" if k in (0, 7, 8, 20) else None, sent=44)


def test_a_damaged_answer_is_noticed_by_the_next_one():
    check(lambda k, packet, answer: answer[:2] + b"\x99" + answer[3:]
          if k in (0, 7, 8, 20) else None, sent=44)


def test_an_error_of_no_frame_is_ignored():
    check(lambda k, packet, answer: wire.encode(
        Packet(Kind.ERROR, b"\1", (packet.sequence + 12) % 16)) + answer
        if k in (3, 4) else None, sent=40)


def test_silence_at_the_end_is_noticed_in_time():
    check(lambda k, packet, answer: b"" if k in (38, 39) else None, sent=42)


def test_an_answer_to_a_frame_given_up_is_dropped():
    """An ERROR that names the wrong frame makes it be sent twice; the first answer is dropped."""
    check(lambda k, packet, answer: wire.encode(
        Packet(Kind.ERROR, b"\1", (packet.sequence + 1) % 16)) if k == 3 else None, sent=42)


def test_overruns_are_met_with_one_frame_at_a_time():
    net, x, unanswered = network(), images(), []

    def mishap(k, packet, answer):
        if packet.kind is Kind.FRAME:
            unanswered.append(bool(select.select([port.master], [], [], 0.01)[0]))
            if k < 8:
                return wire.encode(Packet(Kind.ERROR, bytes([Fault.OVERRUN]), packet.sequence))

    port = PortOfBoard(net, mishap)
    with port as name, Board(name) as board:
        np.testing.assert_array_equal(board.classify(x), net.run(x)[:, 0])
    assert len(port.packets) == 48
    assert any(unanswered[:8]) and not any(unanswered[8:])


@pytest.mark.parametrize("answer, reason", [
    (b"", "no answer"),
    (wire.encode(Packet(Kind.ERROR, bytes([Fault.CRC]), 0)), "it arrived damaged"),
    (wire.encode(Packet(Kind.ERROR, bytes([77]), 0)), "fault 77"),
])
def test_a_frame_that_fails_again_and_again_ends_it(answer, reason):
    net = network()

    def mishap(k, packet, right):
        if packet.kind is not Kind.FRAME or packet.payload != x[2].tobytes():
            return None
        return wire.encode(Packet(Kind.ERROR, wire.decode(answer[:-1]).payload,
                                  packet.sequence)) if answer else b""

    x = images(3)
    port = PortOfBoard(net, mishap)
    with port as name, Board(name, timeout=0.1) as board:
        with pytest.raises(BoardError) as error:
            board.classify(x)
    assert str(error.value) == f"{name}: frame 2 failed 4 times: {reason}"
    assert len(port.packets) == 2 + 4


def test_a_wrong_design_is_refused():
    net, other = network(seed=0), network(seed=1)
    with PortOfBoard(other) as name, Board(name) as board:
        with pytest.raises(BoardError) as error:
            board.expect(net)
    assert str(error.value) == (
        f"{name}: the board holds the network {other.digest[:16]}, not net0, which is "
        f"{net.digest[:16]}; flash the design of the one, or name the file of the other with "
        f"--network")


def test_another_protocol_version_is_refused():
    def mishap(k, packet, answer):
        return wire.encode(Packet(Kind.IDENTITY, b"\2"))

    with PortOfBoard(network(), mishap) as name, Board(name) as board:
        with pytest.raises(BoardError) as error:
            board.identify()
    assert str(error.value) == (f"{name}: the board speaks protocol version 2, but this driver "
                                f"version 1")


def test_what_a_program_before_left_unfinished_does_no_harm(monkeypatch):
    monkeypatch.setattr(host, "ATTEMPTS", 1)
    net = network()
    with PortOfBoard(net) as name:
        with open(name, "wb") as line:
            line.write(b"\x07unfinished")
        with Board(name) as board:
            board.expect(net)


def test_a_silent_port_is_said():
    with PortOfBoard(network(), lambda *_: b"") as name, Board(name, timeout=0.06) as board:
        with pytest.raises(BoardError) as error:
            board.identify()
    assert str(error.value) == (f"{name}: no answer at 3000000 baud; is the design flashed, and "
                                f"is this its port and bit rate?")


def test_a_port_that_closes_is_said():
    master, slave = os.openpty()
    with Board(os.ttyname(slave)) as board:
        os.close(slave)
        os.close(master)
        with pytest.raises(BoardError, match=r"^/dev/pts/\d+: the line broke: "):
            board.identify()


def test_a_missing_port_is_said(tmp_path, monkeypatch):
    class Found:
        device = "/dev/ttyUSB7"

    monkeypatch.setattr(host.list_ports, "comports", lambda: [])
    with pytest.raises(BoardError, match=r"^/dev/none: there is no such port; there is none$"):
        Board("/dev/none")
    monkeypatch.setattr(host.list_ports, "comports", lambda: [Found])
    with pytest.raises(BoardError, match=r"^/dev/none: there is no such port; there are "
                                         r"/dev/ttyUSB7$"):
        Board("/dev/none")
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(BoardError, match=f"^{file}: it cannot be opened: "):
        Board(str(file))


def test_elements_become_bytes():
    x = np.array([[-1, 1, 1, -1]])
    assert host.encode(network(Bipolar(), channels=4), x).tolist() == [[0, 1, 1, 0]]
    assert host.encode(network(Int(5), channels=4), -3 * x).tolist() == [[3, 29, 29, 3]]
    assert host.encode(network(channels=4), 200 + x).tolist() == [[199, 201, 201, 199]]
    with pytest.raises(BoardError, match=r"^network net0 reads uint9, but the link carries "
                                         r"bytes$"):
        host.encode(network(UInt(9), channels=4), x)


def command(*arguments):
    return host.main([str(argument) for argument in arguments])


def test_command(tmp_path, capsys):
    net = network()
    net.save(tmp_path / "net.npz")
    with PortOfBoard(net) as name:
        assert command("--port", name, "--network", tmp_path / "net.npz", "--dataset", "digits",
                       "--frames", 50) == 0
    first, last = capsys.readouterr().out.strip().splitlines()[-2:]
    assert first == f"{name}: net0, {net.digest[:16]}, at 24.000 MHz"
    assert last.startswith("digits sample: ")
    assert last.endswith("frames/s, 50 of 50 equal to the golden model")


def test_command_lists_mismatches(tmp_path, capsys):
    net = network()
    net.save(tmp_path / "net.npz")
    with PortOfBoard(net, lambda k, packet, answer: wire.encode(
            Packet(Kind.RESULT, b"\x63", packet.sequence)) if k == 4 else None) as name:
        assert command("--port", name, "--network", tmp_path / "net.npz", "--dataset", "digits",
                       "--frames", 10_000) == 1
    output = capsys.readouterr().out
    assert "frame 4: expected " in output and ", got 99\n" in output
    assert "296 of 297 equal to the golden model" in output


@pytest.mark.parametrize("arguments, message", [
    (["--port", "/dev/none", "--dataset", "digits"], "error: /dev/none: there is no such port"),
    (["--port", "/dev/none", "--network", "none.npz"], "error: none.npz: there is no such file"),
    (["--port", "/dev/none", "--dataset", "cats"], "error: data sets are digits, mnist"),
    (["--port", "/dev/none", "--dataset", "mnist"], "error: network net0 reads frames of uint8"),
])
def test_command_says_what_is_wrong(tmp_path, capsys, arguments, message):
    network().save(tmp_path / "net.npz")
    if "--network" not in arguments:
        arguments = [*arguments, "--network", tmp_path / "net.npz"]
    assert command(*arguments) == 1
    assert capsys.readouterr().err.startswith(message)


@pytest.mark.parametrize("arguments, message", [
    ([], "error: the following arguments are required: --port; see --help"),
    (["--port", "p", "--frames", "0"],
     "error: argument --frames: it must be 1 or more, not 0; see --help"),
    (["--port", "p", "--timeout", "0"],
     "error: argument --timeout: it must be more than 0, not 0; see --help"),
    (["--port", "p", "--baud", "fast"],
     "error: argument --baud: invalid int value: 'fast'; see --help"),
])
def test_command_line_wrong(capsys, arguments, message):
    with pytest.raises(SystemExit) as exit:
        command(*arguments)
    assert exit.value.code == 1
    assert capsys.readouterr().err.strip() == message
