"""What the parts of the host link have in common."""
from amaranth import *
from amaranth.lib import data

# A byte of a frame.
BYTE = data.ArrayLayout(8, 1)

# A byte of a packet, or the packet's end: then ``intact`` tells that it did not come too early.
EVENT = data.StructLayout({"data": 8, "end": 1, "intact": 1})

# What to answer to a packet: an ERROR where ``fault`` is not 0; else the RESULT of what was ``fed``
# to the accelerator; else the IDENTITY.
VERDICT = data.StructLayout({"sequence": 4, "fault": 3, "fed": 1})


def next_crc(crc, byte):
    """:func:`sw.wire.crc`, one byte on: a shift by eight bits that x^16 = x^12 + x^5 + 1 wraps."""
    high = crc[8:] ^ byte
    wrapped = high ^ high[4:]
    return ((crc << 8) ^ wrapped ^ (wrapped << 5) ^ (wrapped << 12))[:16]
