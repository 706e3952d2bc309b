import numpy as np
import pytest
from cobs import cobs

from boards.cobs import CobsDecoder
from sim.pysim import run

RNG = np.random.default_rng(0)
BODIES = [
    b"\0", b"\0\0", b"\1", b"\1\0", b"\0\1", b"\1\0\2\0\0\3", b"\xff" * 5,
    bytes([1] * 253), bytes([1] * 254), bytes([1] * 255), bytes([1] * 254 + [0]),
    bytes([0] + [1] * 254), bytes([7] * 508), bytes([7] * 508 + [0, 0]), bytes([9] * 600),
    RNG.integers(0, 256, 700, np.uint8).tobytes(), RNG.integers(0, 3, 40, np.uint8).tobytes(),
]


def decoded(line, count, *, longest_pause=0):
    """``count`` events that a decoder makes of ``line``: a byte, or whether an end is intact."""
    rng = np.random.default_rng(1)
    events = run(CobsDecoder(), line, count, limit=30_000,
                 pause=lambda: int(rng.integers(longest_pause + 1)))
    return [bool(event.intact) if event.end else event.data for event in events]


@pytest.mark.parametrize("longest_pause", [0, 3])
def test_equals_the_package(longest_pause):
    line = b"".join(cobs.encode(body) + b"\0" for body in BODIES)
    expected = [event for body in BODIES for event in (*body, True)]
    assert decoded(line, len(expected), longest_pause=longest_pause) == expected


def test_empty_packets_are_ignored():
    line = b"\0\0\0\2\7\0\0\0\2\10\0"
    assert decoded(line, 4) == [7, True, 8, True]


@pytest.mark.parametrize("left", [1, 2, 100, 254])
def test_a_packet_that_is_cut_is_not_intact(left):
    line = bytes([left + 1] + [3] * (left - 1) + [0]) + b"\2\7\0"
    assert decoded(line, left + 2) == [3] * (left - 1) + [False, 7, True]
