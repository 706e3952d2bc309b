"""Area estimates in logic cells (a LUT4 and an FF), calibrated on iCE40 after place and route."""
import numpy as np
from amaranth.utils import ceil_log2

from hw import popcount
from hw.stream import transfers

TABLE_CELLS = 1.9   # a LUT4 with 16 words of a LUT ROM, and its share of the multiplexers after it


def rom(depth):
    """A bit of a LUT ROM of random contents: 16 words a LUT4, and the multiplexers after them."""
    tables = transfers(depth, 16)
    return tables if tables == 1 else TABLE_CELLS * tables


def pe(simd, columns):
    """An XNOR element: its popcount, its accumulator, and the bits that wait for it."""
    return popcount.cells(max(1, simd - 1)) + columns.bit_length() + 1 + 2 * ceil_log2(simd)


def narrow(pe, columns):
    """The register that takes the counts of ``pe`` elements away one after the other."""
    return 1.4 * pe * columns.bit_length() if pe > 1 else 0


def select(beats):
    """The selection of whole transfers."""
    return 3 * beats.bit_length() + rom(beats)


def threshold(layer, x, lanes):
    """A threshold layer on the tensor ``x``: comparisons, and a ROM unless all are the same."""
    steps = layer.thresholds.shape[1]
    bits = max(int(x.hi.max()) - int(x.lo.min()), 1).bit_length()
    groups = transfers(x.channels, lanes)
    memory = 0
    if len(np.unique(layer.thresholds, axis=0)) > 1 or len(set(layer.flip.tolist())) > 1:
        memory = lanes * (bits * steps + 1) * rom(groups)
    return lanes * (bits + steps * (bits + 1)) + memory + 2 * groups.bit_length()


def argmax(x):
    """The decision over the tensor ``x``."""
    return 4 * int(x.hi.max() - x.lo.min()).bit_length() + 20
