"""Which expressions are monotone in their integer, so that a search finds all their steps."""
import numpy as np

from sw.importers.expression import Expression, Step, evaluate, steps
from sw.importers.operators import Operators

# Monotone to the last bit, in one operand at least, whatever the constants are.
EXACT = {"Add", "BatchNormalization", "BipolarQuant", "Cast", "Ceil", "Clip", "DequantizeLinear",
         "Div", "Dropout", "Floor", "Greater", "GreaterOrEqual", "Identity", "IntQuant",
         "LeakyRelu", "Less", "LessOrEqual", "Max", "Min", "Mul", "MultiThreshold", "Neg", "Not",
         "PRelu", "Quant", "QuantizeLinear", "Relu", "Round", "Sign", "Sub", "Trunc"}
# Monotone, but computed by approximations whose last bit may step back.
SMOOTH = {"Celu", "Elu", "Erf", "Exp", "HardSigmoid", "Log", "Selu", "Sigmoid", "Softplus",
          "Softsign", "Sqrt", "Tanh"}
ORDERED = (1, 6, 7, 10, 11)         # types that a Cast keeps the order in: floats, int32, int64


def monotone(expression: Expression, lo: np.ndarray, hi: np.ndarray, operators: Operators,
             known: set[str]) -> bool:
    """Whether the expression is monotone in each channel by its operators, all of ``known``.

    ``lo`` and ``hi`` (channels,) are the ends of the integers.
    """
    ends = np.stack([lo, hi])

    def direction(x):
        values = evaluate(x, ends, operators).astype(np.float64)
        with np.errstate(all="ignore"):
            return np.sign(values[1] - values[0])

    return all(step.node.op in known and _keeps_order(step, direction)
               for step in steps(expression))


def _keeps_order(step: Step, direction) -> bool:
    """Whether a step is monotone where its operands are."""
    op, attributes = step.node.op, step.attributes
    if min(attributes.get("alpha") or 0, attributes.get("gamma") or 0) < 0:
        return False
    match op:
        case "Cast" if attributes.get("to") not in ORDERED:
            return False
        case "PRelu":
            return isinstance(step.operands[1], np.ndarray) and bool((step.operands[1] >= 0).all())
        case "Div":
            return isinstance(step.operands[1], np.ndarray)
    if len(step.arguments) == 1:
        return True
    if op not in ("Add", "Sub", "Max", "Min"):
        return False
    ways = np.stack([direction(x) for x in step.arguments])
    if op == "Sub":
        ways[1] *= -1
    return not ((ways > 0).any(axis=0) & (ways < 0).any(axis=0)).any()
