"""Packets on the serial link between host and board.

A packet is a head byte (kind in its low half, sequence number in its high half), the length of its
payload (two bytes, low one first), the payload, and a CRC-16 of all that (two bytes, high one
first, which makes the CRC of a whole packet zero). On the line it is COBS-encoded, so that it
holds no zero byte, and a zero byte ends it: a damaged packet never shifts the next one.

The board answers every packet with one packet, in the order received, and repeats its sequence
number, so that a lost packet cannot pass for another one.

========== =============== ==========================================================
IDENTIFY   host to board   nothing
FRAME      host to board   one byte per input element, in channel order
IDENTITY   board to host   an :class:`Identity`
RESULT     board to host   the class index, one byte
ERROR      board to host   a :class:`Fault`, one byte
========== =============== ==========================================================
"""
import binascii
import struct
from dataclasses import dataclass
from enum import IntEnum

from cobs import cobs

PROTOCOL = 1            # version of all that this file describes
BAUD = 3_000_000        # 12 MHz / 4: an FT2232H makes it exactly
SEQUENCES = 16          # sequence numbers are 0 … 15
END = b"\0"


class Kind(IntEnum):
    """What a packet is."""
    IDENTIFY = 1
    FRAME = 2
    IDENTITY = 3
    RESULT = 4
    ERROR = 5


class Fault(IntEnum):
    """Why the board could not use a packet."""
    CRC = 1         # damaged: bad CRC, or cut
    LENGTH = 2      # intact, but not as long as its kind must be
    KIND = 3        # intact, but of a kind that the board does not know
    OVERRUN = 4     # bytes came faster than the accelerator took them


LENGTHS = {Kind.IDENTIFY: 0, Kind.RESULT: 1, Kind.ERROR: 1}    # of payloads, where fixed


class PacketError(ValueError):
    """Bytes that are no packet."""


@dataclass(frozen=True)
class Packet:
    """One packet as it is before encoding."""
    kind: Kind
    payload: bytes = b""
    sequence: int = 0


@dataclass(frozen=True)
class Identity:
    """What is on the board: the first 8 bytes of the network's SHA-256, bytes per frame, clock."""
    digest: bytes
    elements: int
    clock_khz: int

    LAYOUT = struct.Struct("<B8sHI")

    def pack(self) -> bytes:
        """The payload of an IDENTITY packet."""
        return self.LAYOUT.pack(PROTOCOL, self.digest, self.elements, self.clock_khz)

    @classmethod
    def unpack(cls, payload: bytes) -> "Identity":
        """Inverse of :meth:`pack`; raises :exc:`PacketError` for another protocol version."""
        if payload and payload[0] != PROTOCOL:
            raise PacketError(f"the board speaks protocol version {payload[0]}, but this driver "
                              f"version {PROTOCOL}")
        if len(payload) != cls.LAYOUT.size:
            raise PacketError(f"an identity has {cls.LAYOUT.size} bytes, not {len(payload)}")
        return cls(*cls.LAYOUT.unpack(payload)[1:])


def crc(data: bytes) -> int:
    """CRC-16 with polynomial 0x1021 and initial value 0xFFFF, not reflected (CRC-16/IBM-3740)."""
    return binascii.crc_hqx(data, 0xFFFF)


def encode(packet: Packet) -> bytes:
    """The bytes that carry ``packet`` on the line, with the zero byte that ends them."""
    head = packet.kind | packet.sequence << 4
    body = struct.pack("<BH", head, len(packet.payload)) + packet.payload
    return cobs.encode(body + struct.pack(">H", crc(body))) + END


def decode(line: bytes) -> Packet:
    """The packet in ``line``, the bytes between two zero bytes; inverse of :func:`encode`.

    Raises :exc:`PacketError` when they are not a whole and undamaged packet.
    """
    try:
        body = cobs.decode(line)
    except cobs.DecodeError as error:
        raise PacketError(f"the packet is not COBS-encoded: {error}") from None
    if len(body) < 5:
        raise PacketError(f"a packet has 5 bytes or more, not {len(body)}")
    if crc(body):
        raise PacketError("the packet's CRC is wrong")
    head, length = struct.unpack_from("<BH", body)
    if length != len(body) - 5:
        raise PacketError(f"the packet announces {length} bytes, but holds {len(body) - 5}")
    if head & 15 not in list(Kind):
        raise PacketError(f"{head & 15} is no kind of packet")
    kind = Kind(head & 15)
    if length != LENGTHS.get(kind, length):
        raise PacketError(f"{kind.name} has a payload of {LENGTHS[kind]} bytes, not {length}")
    return Packet(kind, body[3:-2], head >> 4)
