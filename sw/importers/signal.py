"""What the walk over a model file carries along: tensors as functions of integers."""
from dataclasses import dataclass

import numpy as np

from sw.element import Bipolar, Element, Int, Ternary, UInt, smallest
from sw.importers.expression import Expression
from sw.importers.onnx_file import Node

REAL = "real input"         # source of signals that are no function of integers yet
LEVELS = 2 ** 10            # of an activation, at most
SAMPLES = 2 ** 12           # of a range too long to be swept, to find its levels


@dataclass(frozen=True, eq=False)
class Signal:
    """A tensor of the file: ``value`` of the integers of tensor ``source`` of the network.

    ``where`` has the shape of the file's tensor and says for each element which element of the
    flat source it is. ``name`` is that of the file's tensor. ``border`` is zeros or other
    constants put around an image: (top, left, bottom, right, value). ``order`` names a node left
    out since only the order of its results matters (Softmax). A signal whose source is
    :data:`REAL` is an expression over the file's real input.
    """
    name: str
    source: str
    where: np.ndarray
    value: Expression
    border: tuple[int, int, int, int, float] | None = None
    order: Node | None = None


@dataclass(frozen=True, eq=False)
class Decision:
    """The index of the largest value of a signal, which ``node`` gives."""
    signal: Signal
    node: Node


@dataclass(frozen=True, eq=False)
class Integers:
    """A signal in integers: its values are ``scale · n + offset`` of a tensor of the network."""
    source: str
    where: np.ndarray
    scale: np.ndarray
    offset: np.ndarray


@dataclass(frozen=True, eq=False)
class Tap:
    """Where the file's executor shows the integers of a layer: in tensor ``name``, as
    ``scale · n + offset``, each () or (channels,). Of a layer that was folded from an expression
    over the integers of the layer before, ``value`` is that."""
    layer: str
    name: str
    where: np.ndarray
    scale: np.ndarray
    offset: np.ndarray
    value: Expression | None = None


def element_of(lo: int, hi: int, bipolar: bool) -> Element:
    """The element of integers lo … hi: the cheapest datapath that holds them."""
    if bipolar:
        return Bipolar()
    if lo >= 0:
        return smallest(0, max(hi, 1))
    if lo >= -1 and hi <= 1:
        return Ternary()
    return Int(max((-lo - 1).bit_length(), hi.bit_length()) + 1)


def steps_of(kind: Element, lo: int, hi: int) -> int:
    """Thresholds that reach from ``lo`` to ``hi``, as :class:`Threshold` counts levels."""
    match kind:
        case Bipolar():
            return 1
        case Ternary():
            return 2
        case UInt():
            return max(hi, 1)
    return max(2 * hi, -2 * lo - 1)
