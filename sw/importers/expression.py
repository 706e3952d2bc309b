"""Real numbers as functions of an integer: what a model file computes between integer tensors.

An expression is a tree of the file's own operators over one tensor of integers, channel by
channel: each value depends on the integer of its own place and on constants of its channel.
Evaluating it on every integer that a channel can take says all about it.
"""
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sw.importers.onnx_file import CUSTOM, Node
from sw.importers.operators import Operators

Constant = np.ndarray       # scalar (), or (channels,), or (channels, steps) of thresholds


@dataclass(frozen=True, eq=False)
class Leaf:
    """``float32(scale · k + offset)`` of the integer k: ``scale`` and ``offset`` are float64,
    () or (channels,). A type other than float32 is that of the file's tensor."""
    scale: np.ndarray
    offset: np.ndarray
    dtype: np.dtype = np.dtype(np.float32)


@dataclass(frozen=True, eq=False)
class Step:
    """One operator of the file on an expression and constants (None: an operand left out)."""
    node: Node
    operands: tuple["Expression | Constant | None", ...]
    attributes: dict

    @property
    def arguments(self) -> tuple["Expression", ...]:
        """The operands that are expressions."""
        return tuple(x for x in self.operands if isinstance(x, Leaf | Step))


Expression = Leaf | Step


def leaf(scale=1.0, offset=0.0, dtype=np.float32) -> Leaf:
    """A :class:`Leaf`; scale and offset are numbers or arrays (channels,)."""
    return Leaf(np.asarray(scale, np.float64), np.asarray(offset, np.float64), np.dtype(dtype))


def evaluate(expression: Expression, k: np.ndarray, operators: Operators,
             channels: slice = slice(None)) -> np.ndarray:
    """The values for integers ``k`` (values, channels), those of ``channels`` of the expression."""
    done = {}

    def value(x):
        if x is None:
            return None
        if isinstance(x, np.ndarray):
            return x[channels] if x.ndim else x
        if id(x) not in done:
            if isinstance(x, Leaf):
                exact = value(x.scale) * k + value(x.offset)
                with np.errstate(over="ignore"):    # what becomes infinite is noticed by its user
                    done[id(x)] = exact.astype(x.dtype)
            else:
                done[id(x)] = operators.run(x.node, [value(each) for each in x.operands],
                                            attributes=x.attributes)[0]
        return done[id(x)]

    return np.broadcast_to(value(expression), k.shape)


def steps(expression: Expression) -> list[Step]:
    """Every step of an expression once, those nearest to the integer first."""
    found = {}

    def visit(x):
        if isinstance(x, Step) and id(x) not in found:
            for each in x.arguments:
                visit(each)
            found[id(x)] = x

    visit(expression)
    return list(found.values())


def changed(expression: Expression, constant: Callable[[np.ndarray], np.ndarray],
            leaf: Callable[[Leaf], Leaf]) -> Expression:
    """The expression with every constant of a channel and every leaf replaced."""
    done = {}

    def visit(x):
        if isinstance(x, np.ndarray):
            return constant(x) if x.ndim else x
        if isinstance(x, Leaf):
            return leaf(x)
        if isinstance(x, Step):
            if id(x) not in done:
                done[id(x)] = replace(x, operands=tuple(visit(each) for each in x.operands))
            return done[id(x)]

    return visit(expression)


def over(expression: Expression, channels: Callable[[np.ndarray], np.ndarray]) -> Expression:
    """The expression with each array (channels, …) replaced by ``channels`` of it."""
    return changed(expression, channels, lambda x: Leaf(
        channels(x.scale) if x.scale.ndim else x.scale,
        channels(x.offset) if x.offset.ndim else x.offset, x.dtype))


def affine(expression: Expression) -> tuple[np.ndarray, np.ndarray] | None:
    """``(scale, offset)`` if the expression is ``scale · k + offset``, else None: float64, () or
    (channels,)."""
    done = {}

    def of(x):
        if id(x) not in done:
            done[id(x)] = _affine(x, of)
        return done[id(x)]

    return of(expression)


def _affine(expression, of):
    """:func:`affine` by ``of``, that of its operands."""
    match expression:
        case Leaf(scale, offset):
            return scale, offset
        case Step(node=Node(op="Identity" | "Dropout"), operands=(x, *_)):
            return of(x)
        case Step(node=Node(op="Cast"), operands=(x,), attributes=attributes):
            return of(x) if attributes.get("to") in (1, 11) else None
        case Step(node=Node(op="Round"), operands=(x,)):
            return _whole(of(x))
        case Step(node=Node(op="Neg"), operands=(x,)):
            return _apply(of(x), lambda s, b: (-s, -b))
        case Step(node=Node(op="BatchNormalization"), operands=(x, gamma, beta, mean, var)):
            if not isinstance(x, Leaf | Step):
                return None
            epsilon = expression.attributes.get("epsilon", 1e-5)
            factor = gamma.astype(float) / np.sqrt(var.astype(float) + epsilon)
            return _apply(of(x), lambda s, b: (s * factor, (b - mean) * factor + beta))
        case Step(node=Node(op="DequantizeLinear"), operands=(x, scale, *zero)):
            zero = float(zero[0]) if zero and zero[0] is not None and zero[0].ndim == 0 else (
                zero[0].astype(float) if zero and zero[0] is not None else 0.0)
            wide = scale.astype(float)
            return _apply(of(x), lambda s, b: (s * wide, (b - zero) * wide))
        case Step(node=Node(op="Add" | "Sub" | "Mul" | "Div" as op), operands=(x, y)):
            return _arithmetic(op, x, y, of)
    return None


def _arithmetic(op, x, y, of):
    if any(isinstance(each, np.ndarray) and (
            each.dtype.kind != "f" and (op == "Div" or each.itemsize < 4)) for each in (x, y)):
        return None             # whole-number division, and sums that may wrap
    constant = [each.astype(float) if isinstance(each, np.ndarray) else None for each in (x, y)]
    left, right = (None if isinstance(each, np.ndarray) else of(each) for each in (x, y))
    match op:
        case "Add" if constant[1] is not None:
            return _apply(left, lambda s, b: (s, b + constant[1]))
        case "Add" if constant[0] is not None:
            return _apply(right, lambda s, b: (s, b + constant[0]))
        case "Sub" if constant[1] is not None:
            return _apply(left, lambda s, b: (s, b - constant[1]))
        case "Sub" if constant[0] is not None:
            return _apply(right, lambda s, b: (-s, constant[0] - b))
        case "Mul" if constant[1] is not None:
            return _apply(left, lambda s, b: (s * constant[1], b * constant[1]))
        case "Mul" if constant[0] is not None:
            return _apply(right, lambda s, b: (s * constant[0], b * constant[0]))
        case "Div" if constant[1] is not None:
            return _apply(left, lambda s, b: (s / constant[1], b / constant[1]))
        case "Add" if left and right:
            return left[0] + right[0], left[1] + right[1]
        case "Sub" if left and right:
            return left[0] - right[0], left[1] - right[1]
    return None


def _whole(pair):
    """``pair`` if it gives integers of integers, which rounding only frees of what the file's own
    arithmetic lost."""
    if pair is None or any((np.abs(each - np.rint(each)) > 1e-9).any() for each in pair):
        return None
    return np.rint(pair[0]), np.rint(pair[1])


def _apply(pair, function):
    if pair is None:
        return None
    with np.errstate(all="ignore"):
        scale, offset = (np.asarray(each, np.float64) for each in function(*pair))
    return (scale, offset) if np.isfinite(scale).all() and np.isfinite(offset).all() else None


def grid(expression: Expression) -> np.ndarray | None:
    """The step of the quantizer that an expression ends in, () or (channels,) positive, or None.

    Its values are whole multiples of the step; what the caller should check on the values.
    """
    match expression:
        case Step(node=Node(domain=domain, op="Quant" | "IntQuant" | "BipolarQuant"),
                  operands=(_, scale, *_)) if domain in CUSTOM:
            found = scale
        case Step(node=Node(domain=domain, op="Trunc"), operands=operands) if domain in CUSTOM:
            found = operands[1] if len(operands) == 5 else operands[4]
        case Step(node=Node(op="MultiThreshold"), attributes=attributes):
            step, bias = attributes.get("out_scale", 1.0), attributes.get("out_bias", 0.0)
            halves = step and 2 * bias / step
            found = np.asarray(step if halves == 2 * round(halves / 2) else step / 2)
        case Step(node=Node(op="QuantizeLinear")):
            found = np.asarray(1.0)
        case Step(node=Node(op="DequantizeLinear"), operands=(x, scale, *_)):
            found = scale if grid(x) is not None else None
        case Step(node=Node(op="Sign" | "Floor" | "Ceil" | "Round")):
            found = np.asarray(1.0)
        case Step(node=Node(op="Mul" | "Div" as op), operands=(x, y)):
            found = _scaled(op, x, y)
        case Step(node=Node(op="Neg" | "Identity" | "Cast" | "Relu" | "Clip" | "Abs" | "Dropout"),
                  operands=(x, *_)):
            found = grid(x) if isinstance(x, Leaf | Step) else None
        case _:
            found = None
    if found is None:
        return None
    found = np.abs(np.asarray(found, np.float64))
    return found if np.isfinite(found).all() and (found > 0).all() else None


def _scaled(op, x, y):
    if isinstance(y, np.ndarray) and isinstance(x, Step):
        inner = grid(x)
        if inner is None or not (y != 0).all():
            return None
        return inner * y if op == "Mul" else inner / y
    if op == "Mul" and isinstance(x, np.ndarray) and isinstance(y, Step):
        inner = grid(y)
        return None if inner is None else inner * x
    return None
