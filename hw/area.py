"""Area estimates in logic cells (a LUT4 and an FF), calibrated on iCE40 after place and route.

What a component takes by itself is estimated beside it; here is what comes with its place.
"""
from hw.stream import transfers

TABLE_CELLS = 1.9   # a LUT4 with 16 words of a LUT ROM, and its share of the multiplexers after it


def rom(depth):
    """A bit of a LUT ROM of random contents: 16 words a LUT4, and the multiplexers after them."""
    tables = transfers(depth, 16)
    return tables if tables == 1 else TABLE_CELLS * tables


def narrow(pe, width):
    """The register that takes the sums of ``pe`` rows away one after the other."""
    return 1.4 * pe * width if pe > 1 else 0


def select(beats):
    """The selection of whole transfers."""
    return 3 * beats.bit_length() + rom(beats)
