"""Driver of a board: ``python -m sw.host --port PORT --dataset mnist --frames 100``.

Several frames are on their way at a time. The board answers in order and repeats sequence
numbers, so the driver knows which answers are missing, and sends those frames again.
"""
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import serial
from rich.console import Console
from rich.progress import Progress
from serial.tools import list_ports

from sw import data, wire
from sw.command import Parser
from sw.network import Network, NetworkError
from sw.wire import Fault, Identity, Kind, Packet, PacketError

WINDOW = 8          # frames on their way: half the sequence numbers, so that none is ambiguous
ATTEMPTS = 4        # how often a frame is sent before the driver gives up
POLL = 0.05         # seconds that a read waits
MNIST_BNN = Path(__file__).parent / "zoo" / "mnist-bnn.npz"

FAULTS = {
    Fault.CRC: "it arrived damaged",
    Fault.LENGTH: "it has not the length that the design reads",
    Fault.KIND: "the design does not know this kind of packet",
    Fault.OVERRUN: "it came faster than the design reads; build it with a lower bit rate",
}


class BoardError(RuntimeError):
    """The board, or the line to it, does not do what it should."""


class Board:
    """The design at the other end of a serial line; a context manager that closes the line.

    ``timeout`` is how many seconds the board may be silent while it owes an answer. Every method
    raises :exc:`BoardError` when the line breaks or the board stays silent.
    """
    def __init__(self, port: str, *, baud: int = wire.BAUD, timeout: float = 1.0):
        self.port = port
        self.baud = baud
        self.timeout = timeout
        self._received = bytearray()
        try:
            self._line = serial.Serial(str(port), baud, timeout=POLL, write_timeout=timeout,
                                       exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            raise BoardError(_unopened(port, error)) from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """Close the line."""
        self._line.close()

    def identify(self) -> Identity:
        """Ask what is on the board; what it still owed when asked is dropped."""
        for _ in range(ATTEMPTS):
            # The zero byte ends what a program before may have left unfinished.
            self._send(wire.END + wire.encode(Packet(Kind.IDENTIFY)))
            end = time.monotonic() + self.timeout
            while (answer := self._receive(end)) is not None:
                if answer.kind is Kind.IDENTITY:
                    try:
                        return Identity.unpack(answer.payload)
                    except PacketError as error:
                        raise BoardError(f"{self.port}: {error}") from None
        raise BoardError(f"{self.port}: no answer at {self.baud} baud; is the design flashed, and "
                         f"is this its port and bit rate?")

    def expect(self, network: Network) -> Identity:
        """:meth:`identify`, and refuse a board that holds another network."""
        identity = self.identify()
        if identity.digest != bytes.fromhex(network.digest)[:8]:
            raise BoardError(f"{self.port}: the board holds the network {identity.digest.hex()}, "
                             f"not {network.name}, which is {network.digest[:16]}; flash the "
                             f"design of the one, or name the file of the other with --network")
        return identity

    def classify(self, frames: np.ndarray, *,
                 progress: Callable[[int], None] = lambda done: None) -> np.ndarray:
        """Class index of each of ``frames`` (frames, elements) of uint8.

        ``progress`` is called with the number of frames done.
        """
        classes = np.zeros(len(frames), np.int64)
        waiting = deque(range(len(frames)))
        flying = {}             # sequence number → index of the frame, in the order sent
        attempts = Counter()
        window, sequence, done = WINDOW, 0, 0
        reason = None
        end = time.monotonic() + self.timeout
        while waiting or flying:
            while waiting and len(flying) < window:
                frame = waiting.popleft()
                attempts[frame] += 1
                if attempts[frame] > ATTEMPTS:
                    raise BoardError(f"{self.port}: frame {frame} failed {ATTEMPTS} times: "
                                     f"{reason}")
                self._send(wire.encode(Packet(Kind.FRAME, frames[frame].tobytes(), sequence)))
                flying[sequence] = frame
                sequence = (sequence + 1) % wire.SEQUENCES
            lost = []
            match self._receive(end):
                case Packet(Kind.RESULT, payload, answered) if answered in flying:
                    older = [*flying].index(answered)
                    lost = [flying.pop(key) for key in [*flying][:older]]
                    classes[flying.pop(answered)] = payload[0]
                    done += 1
                    progress(done)
                case Packet(Kind.ERROR, payload, answered):
                    reason = FAULTS.get(payload[0], f"fault {payload[0]}")
                    if payload[0] == Fault.OVERRUN:
                        window = 1
                        lost = self._give_up(flying)
                    elif answered in flying:
                        lost = [flying.pop(answered)]
                case None:
                    reason = "no answer"
                    lost = self._give_up(flying)
                case _:
                    continue
            waiting.extend(lost)
            end = time.monotonic() + self.timeout
        return classes

    def _give_up(self, flying):
        """Empty ``flying`` of frames that the board may not have got; returns those."""
        self.identify()     # after which it has answered all that has reached it
        lost = [*flying.values()]
        flying.clear()
        return lost

    def _send(self, line: bytes) -> None:
        try:
            self._line.write(line)
        except serial.SerialTimeoutException:
            raise BoardError(f"{self.port}: the line takes no bytes for {self.timeout:g} "
                             f"seconds") from None
        except (serial.SerialException, OSError) as error:
            raise BoardError(f"{self.port}: the line broke: {error}") from None

    def _receive(self, end: float) -> Packet | None:
        """The next whole packet, or None when there is none until the time ``end``."""
        while True:
            line, zero, rest = self._received.partition(wire.END)
            if zero:
                self._received = rest
                try:
                    return wire.decode(bytes(line))
                except PacketError:
                    continue        # damaged on the way: its sequence number will be missed
            if time.monotonic() >= end:
                return None
            try:
                self._received += self._line.read(max(1, self._line.in_waiting))
            except (serial.SerialException, OSError) as error:
                raise BoardError(f"{self.port}: the line broke: {error}") from None


def _unopened(port, error):
    """Why ``port`` cannot be opened, and what would help."""
    if Path(port).exists():
        if getattr(error, "errno", None) == 13:
            return f"{port}: this user may not open it; join its group, often dialout"
        return f"{port}: it cannot be opened: {error}"
    ports = ", ".join(sorted(found.device for found in list_ports.comports()))
    return f"{port}: there is no such port; {f'there are {ports}' if ports else 'there is none'}"


def encode(network: Network, images: np.ndarray) -> np.ndarray:
    """Frames of bytes (frames, elements) that carry ``images``, values of the network's input.

    Raises :exc:`BoardError` for a network whose elements do not fit bytes.
    """
    element = network.input.element
    if element.bits > 8:
        raise BoardError(f"network {network.name} reads {element}, but the link carries bytes")
    return element.encode(images.reshape(len(images), -1)).astype(np.uint8)


def _options(arguments):
    parser = Parser(prog="python -m sw.host",
                    description="Classify frames on a board and compare with the golden model.")
    parser.add_argument("--port", metavar="PORT", required=True, help="serial port of the board")
    parser.add_argument("--network", metavar="FILE", default=MNIST_BNN, type=Path,
                        help="network that the board holds (default: mnist-bnn)")
    parser.add_argument("--dataset", metavar="NAME", default="mnist",
                        help="digits, mnist or fashion-mnist (default: %(default)s)")
    parser.add_argument("--split", metavar="NAME", default="sample",
                        help="split of the data set (default: %(default)s)")
    parser.add_argument("--data", metavar="DIR", help="folder of the IDX files")
    parser.add_argument("--frames", metavar="N", type=int, default=100,
                        help="frames to classify, spread over the split (default: %(default)s)")
    parser.add_argument("--baud", metavar="N", type=int, default=wire.BAUD,
                        help="bit rate of the line (default: %(default)s)")
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=1.0,
                        help="longest silence of the board (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.frames < 1:
        parser.error(f"argument --frames: it must be 1 or more, not {options.frames}")
    if options.timeout <= 0:
        parser.error(f"argument --timeout: it must be more than 0, not {options.timeout:g}")
    return options


def main(arguments=None) -> int:
    """The command; returns its exit code."""
    options = _options(arguments)
    try:
        network = Network.load(options.network)
        split = data.load(options.dataset, options.split, data=options.data)
        frames = min(options.frames, len(split))
        chosen = np.arange(frames) * len(split) // frames
        images, labels = split.images[chosen], split.labels[chosen]
        expected = network.run(images)[:, 0]
        with Board(options.port, baud=options.baud, timeout=options.timeout) as board:
            identity = board.expect(network)
            print(f"{options.port}: {network.name}, {network.digest[:16]}, "
                  f"at {identity.clock_khz / 1000:.3f} MHz")
            with Progress(transient=True, console=Console(stderr=True)) as bar:
                task = bar.add_task("Classifying", total=frames)
                started = time.monotonic()
                classes = board.classify(encode(network, images),
                                         progress=lambda done: bar.update(task, completed=done))
                seconds = time.monotonic() - started
    except (BoardError, NetworkError, data.DataError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    wrong = np.flatnonzero(classes != expected)
    for k in wrong:
        print(f"frame {chosen[k]}: expected {expected[k]}, got {classes[k]}")
    print(f"{split.name}: {100 * np.mean(classes == labels):.2f} % right, "
          f"{frames / seconds:.0f} frames/s, {frames - len(wrong)} of {frames} equal to the "
          f"golden model")
    return 1 if len(wrong) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
