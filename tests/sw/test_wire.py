import pytest
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st

from sw import wire
from sw.wire import Identity, Kind, Packet, PacketError

PACKETS = st.sampled_from(Kind).flatmap(lambda kind: st.builds(
    Packet, st.just(kind), st.binary(min_size=wire.LENGTHS.get(kind, 0),
                                     max_size=wire.LENGTHS.get(kind, 600)), st.integers(0, 15)))


def line(body: bytes) -> bytes:
    """A packet's line for a body that need not be a right one, but has a right CRC."""
    return cobs.encode(body + wire.crc(body).to_bytes(2, "big"))


def test_crc_is_the_catalogued_one():
    assert wire.crc(b"123456789") == 0x29B1                # CRC-16/IBM-3740, from its catalogue


def test_layout():
    packet = Packet(Kind.FRAME, b"\x00\x05\x00", sequence=9)
    body = cobs.decode(wire.encode(packet)[:-1])
    assert body[:-2] == b"\x92\x03\x00\x00\x05\x00"
    assert wire.crc(body) == 0


@given(PACKETS)
def test_decode_inverts_encode(packet):
    encoded = wire.encode(packet)
    assert encoded.index(0) == len(encoded) - 1
    assert wire.decode(encoded[:-1]) == packet


@settings(derandomize=True)
@given(PACKETS, st.data())
def test_damage_is_found(packet, data):
    encoded = wire.encode(packet)[:-1]
    place = data.draw(st.integers(0, len(encoded) - 1))
    flipped = encoded[place] ^ data.draw(st.integers(1, 255))
    for damaged in (encoded[:place] + bytes([flipped]) + encoded[place + 1:],
                    encoded[:place], encoded[place + 1:]):
        with pytest.raises(PacketError):
            wire.decode(damaged)


@pytest.mark.parametrize("damaged, message", [
    (b"", "a packet has 5 bytes or more, not 0"),
    (b"\x02\x01\x00", "the packet is not COBS-encoded: zero byte found in input"),
    (b"\x05\x01\x01", "the packet is not COBS-encoded: not enough input bytes for length code"),
    (line(b"\x01\x00"), "a packet has 5 bytes or more, not 4"),
    (cobs.encode(b"\x01\x00\x00\xaa\xaa"), "the packet's CRC is wrong"),
    (line(b"\x01\x02\x00\x07"), "the packet announces 2 bytes, but holds 1"),
    (line(b"\x1f\x00\x00"), "15 is no kind of packet"),
    (line(b"\x04\x00\x00"), "RESULT has a payload of 1 bytes, not 0"),
])
def test_what_is_wrong_is_said(damaged, message):
    with pytest.raises(PacketError) as error:
        wire.decode(damaged)
    assert str(error.value) == message


def test_identity():
    identity = Identity(bytes(range(8)), 784, 24_000)
    assert identity.pack() == b"\x01\x00\x01\x02\x03\x04\x05\x06\x07\x10\x03\xc0\x5d\x00\x00"
    assert Identity.unpack(identity.pack()) == identity


@pytest.mark.parametrize("payload, message", [
    (b"\x02" + bytes(14), "the board speaks protocol version 2, but this driver version 1"),
    (b"", "an identity has 15 bytes, not 0"),
    (b"\x01" + bytes(13), "an identity has 15 bytes, not 14"),
])
def test_identity_wrong(payload, message):
    with pytest.raises(PacketError) as error:
        Identity.unpack(payload)
    assert str(error.value) == message
