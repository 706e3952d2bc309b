"""What a model file reads, and what the network reads in its place: pixels or codes."""
import math
import re
from dataclasses import dataclass, replace

import numpy as np

from sw.element import Bipolar, Element, Int, Ternary, UInt
from sw.importers.expression import Expression, evaluate, grid, leaf, steps
from sw.importers.onnx_file import CUSTOM, ModelError
from sw.importers.signal import REAL, Signal, element_of
from sw.network import Tensor

NEAR = 1e-2         # of a code: how far its value by the scale may be rounded from it
CHANNELS = 2 ** 16  # of an input, or elements of a vector
SPATIAL = {"Conv", "ConvInteger", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool",
           "ReduceMax", "ReduceMean", "ReduceSum"}
QUANTIZED = {"QuantizeLinear", "DequantizeLinear", "MatMulInteger", "ConvInteger"}
FLAT = {"Flatten", "Reshape"}
SHAPED = SPATIAL | {"BatchNormalization", "Gather", "Pad", "Slice", "Split", "Squeeze", "Unsqueeze"}
COLOURS = (1, 3)            # that the pixels of an image may have
MOVES = ("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Cast",
         "Sub", "Add")      # nodes that may stand before the one that scales pixels


@dataclass(frozen=True, eq=False)
class Reading:
    """How the network's input codes follow from the file's real input.

    With ``mode`` ``raw`` the file reads ``float32(scale · p + offset)`` of an integer p, the
    network p itself; with ``codes`` the network reads the codes of the file's first quantizer,
    the values of ``expression`` by ``step``, which change between ``lo`` and ``hi``.
    """
    mode: str
    scale: float = 1.0
    offset: float = 0.0
    expression: Expression | None = None
    step: np.ndarray | None = None
    lo: float = 0.0
    hi: float = 0.0


def read_input(b, mode: str | None, pixel: tuple[float, float] | None) -> None:
    """Begin a network: its input, and the signal of the file's."""
    found = b.graph.input
    _lay_out(b, found)
    if b.shape[-1] > CHANNELS:
        raise ModelError(f"input {found.name!r} has {b.shape[-1]:,} channels, more than "
                         f"{CHANNELS:,}")
    kind, scaled = _datatype(found), _scales_pixels(b.graph)
    if mode == "codes" and pixel:
        raise ModelError("--pixel says how the file reads 8-bit pixels, not codes; leave out one "
                         "of the two")
    if mode is None and (pixel or b.dataset or scaled or len(found.shape) == 4):
        mode = "raw"
    start, source = leaf(dtype=found.dtype), "input"
    if kind is not None:
        if mode == "codes" or pixel:
            option = "--input codes" if mode == "codes" else "--pixel"
            raise ModelError(f"input {found.name!r} takes {kind} integers, which the network reads "
                             f"as they are; leave out {option}")
        begin(b, kind, Reading("raw"))
    elif mode != "raw":
        source = REAL
    else:
        if found.dtype.kind != "f":
            raise ModelError(f"input {found.name!r} is of {found.dtype}, of which only 8 bits "
                             f"are pixels; give it the type uint8")
        pixel = pixel or (1.0 if scaled else 1 / 255, 0.0)
        begin(b, UInt(8), Reading("raw", *pixel))
        start = leaf(*pixel, dtype=found.dtype)
        b.notes.append(
            f"input: raw 8-bit pixels p, which the file reads as "
            f"{'p' if pixel == (1, 0) else f'{pixel[0]:.6g} · p + {pixel[1]:g}'}"
            f"{', since it scales them itself' if scaled else ''}")
    b.signals[found.name] = Signal(found.name, source, b.where, start)


def _lay_out(b, found):
    """Shape of a frame of the network, pixels before channels, and the place in it of each
    element of the file's input, which has the channels first or last."""
    size, (_, channels, *pixels) = math.prod(found.shape), found.shape
    one = [1] if len(pixels) == 1 else []
    images = any(node.op in SPATIAL for node in b.graph.nodes)
    if not pixels:
        b.shape, b.where = (size,), np.arange(size)[None]
        return
    reader, last = _channels_last(b.graph)
    if last and not (images and reader in FLAT):
        b.shape = (size,) if reader in FLAT else (*one, *found.shape[1:])
        b.where = np.arange(size).reshape(found.shape)
    else:
        b.shape = (*one, *pixels, channels) if images else (size,)
        b.where = np.moveaxis(np.arange(size).reshape(*pixels, channels), -1, 0)[None]


def _channels_last(graph):
    """The first operator that tells the axes of the input apart, and whether it takes the last for
    channels; a change of shape does where the last axis alone can be colours."""
    names, shape = {graph.input.name}, graph.input.shape
    for node in graph.nodes:
        if not names & set(node.inputs[:1]) or node.op == "Shape":
            continue
        match node.op:
            case "Transpose":
                return node.op, node.attributes.get("perm") in ([0, 3, 1, 2], [0, 2, 1])
            case "MatMul" | "MatMulInteger":
                return node.op, True
            case "MultiThreshold" if node.attributes.get("data_layout", "").endswith("C"):
                return node.op, True
            case op if op in FLAT:
                return op, shape[-1] in COLOURS and shape[1] not in COLOURS
            case op if op in SHAPED:
                return op, False
        names |= set(node.outputs)
    return "", False


def begin(b, kind: Element, reading: Reading) -> None:
    """Give the network its input."""
    b.reading = reading
    b.tensors["input"] = Tensor.full(kind, b.shape)


def _scales_pixels(graph):
    """Whether the file brings 0 … 255 to about 1 before anything else."""
    constants = graph.constants | {node.outputs[0]: node.attributes["value"]
                                   for node in graph.nodes
                                   if node.op == "Constant" and "value" in node.attributes}
    names = {graph.input.name}
    for node in graph.nodes:
        if not names & set(node.inputs):
            continue
        if node.op in MOVES:
            names |= set(node.outputs)
        for name in node.inputs if node.op in ("Mul", "Div") else ():
            value = constants.get(name)
            if value is not None and value.size == 1 and value.any():
                number = abs(float(value.ravel()[0]))
                if 127 <= (number if node.op == "Div" else 1 / number) <= 256:
                    return True
    return False


def read_codes(b, signal: Signal) -> Signal:
    """The file's first quantizer, which ``signal`` ends in, as the network's input."""
    found = b.graph.input
    step = grid(signal.value)
    if "input" in b.tensors:
        raise ModelError(f"input {found.name!r} is quantized in two ways; quantize it once, or "
                         f"say that it takes 8-bit pixels (--input raw)")
    if step is None:
        raise unquantized(b, signal)
    # Short of what a small scale makes infinite, where the type has room.
    large = float(np.finfo(found.dtype).max) / (1 if found.dtype.itemsize == 2 else 1e6)

    def by_step(x):
        with np.errstate(all="ignore"):
            values = evaluate(signal.value, np.broadcast_to(
                np.asarray(x, float)[:, None], (len(x), b.shape[-1])), b.operators)
            return values / step

    def codes(x):
        return np.rint(by_step(x))

    exact = by_step([-large, 0, large])
    ends = np.rint(exact)
    if not np.isfinite(ends).all():
        raise unquantized(b, signal)
    if ends.max() - ends.min() >= 2 ** 16:
        raise ModelError(f"input {found.name!r} is quantized to {ends.max() - ends.min() + 1:,.0f} "
                         f"levels, more than {2 ** 16:,}; quantize it more coarsely")
    if (np.abs(exact - ends) > NEAR).any():
        raise ModelError(f"{steps(signal.value)[-1].node} gives no multiples of its scale; "
                         f"quantize the input with a zero point that is a whole number")
    lo, hi = int(ends.min()), int(ends.max())
    low, high = sorted(_edge(codes, outer) for outer in (-large, large))
    tried = max(3, min(1001, 2 ** 22 // b.shape[-1]))
    zero = (codes(np.linspace(low, high, tried)) == 0).any()
    kind = element_of(lo, hi, bipolar=(lo, hi) == (-1, 1) and not zero)
    begin(b, kind, Reading("codes", expression=signal.value, step=step, lo=low, hi=high))
    for each in steps(signal.value):
        b.became[each.node] = "quantizes the input, before the hardware"
    b.notes.append(f"input: {kind} codes of the file's quantizer "
                   f"{steps(signal.value)[-1].node.name}")
    kind = evaluate(signal.value, np.zeros((1, b.shape[-1])), b.operators).dtype
    signal = replace(signal, source="input", value=leaf(step, dtype=kind))
    b.tap("input", signal, step, 0.0)
    return signal


def _edge(codes, outer):
    """Where codes cease to change on the way from 0 to ``outer``, by bisection."""
    inside, last = 0.0, codes([outer])
    for _ in range(200):
        middle = (inside + outer) / 2
        if (codes([middle]) == last).all():
            outer = middle
        else:
            inside = middle
    return outer


def unquantized(b, signal: Signal) -> ModelError:
    """The refusal of a real input that no quantizer reads."""
    reader = next((str(node) for node in b.graph.nodes if signal.name in node.inputs),
                  "the output")
    if not any(node.domain in CUSTOM or node.op in QUANTIZED for node in b.graph.nodes):
        return ModelError(f"input {b.graph.input.name!r} goes into {reader}, and nothing in the "
                          f"model is quantized; train it quantized (for example with Brevitas)")
    return ModelError(
        f"input {b.graph.input.name!r} goes into {reader} without a quantizer; quantize it (in "
        f"Brevitas with a QuantIdentity), or say that it takes 8-bit pixels (--input raw)")


def _datatype(found) -> Element | None:
    """The element of an input that is integers in the file, or None."""
    if found.datatype:
        match re.fullmatch(r"(U?)INT(\d{1,2})|(BIPOLAR)|(TERNARY)|(BINARY)", found.datatype):
            case None:
                return None
            case m if m[3]:
                return Bipolar()
            case m if m[4]:
                return Ternary()
            case m if m[5]:
                return UInt(1)
            case m:
                bits = int(m[2])
                if 1 <= bits <= 24:         # which float32 holds
                    return UInt(bits) if m[1] else Int(bits)
                return None
    match found.dtype.kind, found.dtype.itemsize:
        case "u", 1 | 2:
            return UInt(8 * found.dtype.itemsize)
        case "i", 1 | 2:
            return Int(8 * found.dtype.itemsize)
    return None
