"""The end of a model: the decision, or the values, that its output gives."""
from dataclasses import replace

import numpy as np

from sw.element import UInt
from sw.importers import folding
from sw.importers.expression import Leaf, Step, affine, evaluate, grid, steps
from sw.importers.monotone import SMOOTH
from sw.importers.onnx_file import ModelError
from sw.importers.signal import SAMPLES, Decision, Integers
from sw.multiples import multiples
from sw.network import Affine, ArgMax, Select

LOGIT_BITS = 16             # of the factors of logits that are scaled apart
RISING = {"Erf", "Exp", "Sigmoid", "Softplus", "Softsign", "Tanh"}     # of all numbers
# Operators that make different numbers equal by rounding alone.
STRICT = SMOOTH - {"HardSigmoid"} | {"Add", "BatchNormalization", "Cast", "Div", "LeakyRelu",
                                     "Mul", "Neg", "Sub"}


def order(b, node):
    signal = b.signals[node.inputs[0]]
    rank = signal.where.ndim
    axis = node.attributes.get("axis", 1 if b.graph.opset < 13 else -1) % rank
    if signal.where.shape[axis] != signal.where.size:
        raise ModelError(f"{node}: a {node.op} within the network has no hardware")
    if signal.where.size == 1:
        raise ModelError(f"{node} of a single value is a constant; remove it, or end in a Sigmoid")
    b.give(node, replace(signal, order=node), "dropped: it keeps the order")
    b.notes.append(f"{node} at the end is dropped: it keeps the order of the classes")


def arg_max(b, node):
    signal = b.signals[node.inputs[0]]
    axis = node.attributes.get("axis", 0) % max(signal.where.ndim, 1)
    if signal.where.shape[axis] != signal.where.size:
        raise ModelError(f"{node}: a decision within the network has no hardware")
    _check_several(node, signal)
    if node.attributes.get("select_last_index"):
        raise ModelError(f"{node} takes the last of equal values; hardware takes the first")
    b.signals[node.outputs[0]] = Decision(signal, node)
    b.became[node] = "the decision"


def top_k(b, node):
    k = b.constant(node, 1, "k")
    count = int(k.ravel()[0]) if k is not None else node.attributes.get("k", 1)
    signal = b.signals[node.inputs[0]]
    axis = node.attributes.get("axis", -1) % max(signal.where.ndim, 1)
    if count != 1 or not node.attributes.get("largest", 1) or (
            signal.where.shape[axis] != signal.where.size):
        raise ModelError(f"{node}: of a TopK hardware has the index of the largest (k = 1)")
    _check_several(node, signal)
    for name in filter(None, node.outputs):
        b.signals[name] = Decision(signal, node)
    b.became[node] = "the decision"


def _check_several(node, signal):
    if signal.where.size == 1:
        raise ModelError(f"{node} decides between one value; remove it: a single output is "
                         f"class 1 where it is positive")


def finish(b, output):
    """Append the decision, or the output's values in order.

    Returns the file's tensor that is decided on, and the level that a single output is compared
    with (None of several); None where the output is values.
    """
    names = b.graph.outputs
    found = [b.signals.get(name) for name in names]
    if None in found:
        raise ModelError(f"output {names[found.index(None)]!r} does not depend on the input")
    signals = [each.signal if isinstance(each, Decision) else each for each in found]
    if len({each.name for each in signals}) > 1:
        raise ModelError(f"it has {len(names)} outputs ({', '.join(names)}); hardware gives "
                         f"one: remove the others")
    signal = signals[0]
    maker = next(node for node in b.graph.nodes if signal.name in node.outputs) if any(
        signal.name in node.outputs for node in b.graph.nodes) else None
    if maker is None:
        raise ModelError("its output is its input: it computes nothing")
    decided = any(isinstance(each, Decision) for each in found)
    if signal.border:
        raise ModelError(f"its output {names[0]!r} is that of a Pad, which only pads; remove it")
    decision = signal.name, None
    if output == "values":
        decision = None
        if decided:
            raise ModelError("it ends in a decision; its values are not to be had")
        if signal.order:
            raise ModelError(f"it ends in {signal.order}, of which only the order is kept; remove "
                             f"it to have the values")
        x = b.integers(signal, maker)
        ordered(b, maker, x)
        b.notes.append(
            f"output: real values are {_numbers(x.scale)} · n + {_numbers(x.offset)}")
    elif signal.where.size == 1:
        decision = signal.name, positive(b, signal, maker)
    else:
        largest(b, signal, maker, next((each.node for each in found
                                        if isinstance(each, Decision)), None))
    if not b.layers:
        raise ModelError("it computes nothing that needs hardware")
    return decision


def ordered(b, maker, x):
    """The channels in the order in which the file gives them; flat."""
    if len(b.tensors[x.source].shape) == 3:
        x = b.flat(maker, x)
    index = x.where.reshape(-1)
    if not np.array_equal(index, np.arange(b.tensors[x.source].channels)):
        x = Integers(b.add(Select(b.free(f"{x.source}_ordered"), (x.source,), index)),
                     np.arange(len(index)), *(each[index] if each.ndim else each
                                              for each in (x.scale, x.offset)))
    return x


def positive(b, signal, maker):
    """Of one output the decision is whether it is positive: class 1 or 0."""
    value = signal.value
    inner = value
    while isinstance(inner, Step) and inner.node.op in ("Identity", "Cast"):
        inner = inner.operands[0]
    half = isinstance(inner, Step) and inner.node.op in ("Sigmoid", "HardSigmoid")
    level = 0.5 if half else 0.0

    def positive(k, channels):
        return (evaluate(value, k, b.operators, channels) > level).astype(np.int64)

    name = b.free("class")
    try:
        layer = folding.thresholds(b, signal, maker, name, positive, 1, UInt(1))
    except ModelError:
        raise
    except ValueError as error:
        raise ModelError(f"{maker}: the output is no monotone function of the integers of "
                         f"{signal.source} ({error})") from None
    b.add(layer)
    for step in steps(value):
        b.became[step.node] = f"folded into Threshold {name}"
    b.notes.append(f"decision: class 1 where the output is more than {level:g}, else 0")
    return level


def largest(b, signal, maker, node):
    """ArgMax of the logits, scaled to integers where channels are scaled apart.

    It has the name of ``node``, which decides in the file, unless that is one by its operator.
    """
    signal = replace(signal, value=_peeled(b, signal.value))
    plain = affine(signal.value)
    if plain is None and grid(signal.value) is None and alike(b, signal):
        for step in steps(signal.value):
            b.became[step.node] = "dropped: it keeps the order"
        b.notes.append(f"what stands between {signal.source} and the output keeps the "
                          f"order of the classes and is dropped")
        x = Integers(signal.source, signal.where, np.ones(()), np.zeros(()))
    else:
        x = b.integers(signal, maker)
        for step in steps(signal.value) if plain is not None else ():
            b.became.setdefault(step.node, "taken into account by the decision")
    x = ordered(b, maker, x)
    channels = b.tensors[x.source].channels
    scale, offset = (np.broadcast_to(each, channels) for each in (x.scale, x.offset))
    source = x.source
    if not ((scale == scale[0]).all() and scale[0] > 0 and (offset == offset[0]).all()):
        source = logits(b, x.source, scale, offset)
    given = b.name(node) if node else ""
    b.add(ArgMax(given if given and not given.startswith(node.op) else b.free("class"), (source,)))


def _peeled(b, value):
    """The expression without what rises in all channels alike at its end, if logits are left."""
    inner = value
    while isinstance(inner, Step) and inner.node.op in RISING:
        inner = inner.operands[0]
    if inner is value or affine(inner) is None:
        return value
    dropped = [step.node for step in steps(value) if step not in steps(inner)]
    for node in dropped:
        b.became[node] = "dropped: it keeps the order"
        b.notes.append(f"{node} at the end is dropped: it keeps the order of the classes")
    return inner


def alike(b, signal):
    """Whether the expression rises with the integer, in all channels alike."""
    for part in steps(signal.value):
        if any(isinstance(each, np.ndarray) and each.ndim for each in part.operands):
            return False
    x = b.tensors[signal.source]
    leaves = [each for part in steps(signal.value) for each in part.operands
              if isinstance(each, Leaf)] or [signal.value]
    for each in leaves:
        if any(array.ndim and (array != array[0]).any()
               for array in (each.scale, each.offset)):
            return False
    span = int((x.hi - x.lo).max())
    k = x.lo + np.rint(np.linspace(0, 1, min(SAMPLES, span + 1))[:, None]
                       * (x.hi - x.lo)).astype(int)
    change = np.diff(folding.values_of(b, signal, k), axis=0)[(np.diff(k, axis=0) > 0)]
    if all(part.node.op in STRICT for part in steps(signal.value)):
        return bool((change >= 0).all())        # equal where the file's type ends
    return bool((change > 0).all())


def logits(b, source, scale, offset):
    """Logits of different scales as integers: an Affine of rounded factors."""
    x = b.tensors[source]
    single = scale.astype(np.float32)
    found = multiples(single[None]) if single.all() and np.isfinite(single).all() else None
    if found and np.abs(found[0]).max() < 2 ** LOGIT_BITS:
        # Integers of one scale, and an offset each.
        common = found[1][0]
        parts, exact = order_unit(offset / common)
        scale, unit = found[0][0] * common, common / parts
    else:
        exact = False
        unit = np.abs(scale).max() / (2 ** (LOGIT_BITS - 1) - 1)
    if np.abs(offset).max() > unit * 2.0 ** 52:
        raise ModelError(f"the biases of the logits reach {np.abs(offset).max():.3g}, too large "
                         f"beside their scale {np.abs(scale).max():.3g}")
    coefficients = np.rint(scale / unit).astype(np.int64)
    rounded = np.rint(offset / unit).astype(np.int64)
    wrong = np.abs(coefficients * unit - scale) * np.maximum(np.abs(x.lo), np.abs(x.hi)) + (
        np.abs(rounded * unit - offset))
    common = np.gcd.reduce(np.concatenate([coefficients, rounded]))
    name = b.add(Affine(b.free("logits"), (source,), coefficients // common, rounded // common))
    b.notes.append(
        f"logits: scale and bias as integers of {unit * common:.4g}; rounding moves a logit "
        f"by {wrong.max():.3g} at most"
        + (", and no decision" if exact else ""))
    return name


def order_unit(offset):
    """The smallest power of two by which offsets times it, rounded, order all sums alike; and
    whether they do: of powers that are too large the last is given.

    Sums are an integer and an offset each: two of them compare as the whole part of the
    difference of the offsets says, and whether it has a fraction.
    """
    difference = offset[:, None] - offset
    for power in range(LOGIT_BITS):
        rounded = np.rint(offset * 2 ** power)
        steps_ = rounded[:, None] - rounded
        if np.array_equal(np.floor(difference), np.floor(steps_ / 2 ** power)) and (
                np.array_equal(np.ceil(difference), np.ceil(steps_ / 2 ** power))):
            return 2.0 ** power, True
    return 2.0 ** power, False


def _numbers(values):
    values = np.unique(values)
    return f"{values[0]:.6g}" if len(values) == 1 else f"({values[0]:.6g} … {values[-1]:.6g})"


HANDLERS = {"ArgMax": arg_max, "LogSoftmax": order, "Softmax": order, "TopK": top_k}
