"""Unrolled matrix-vector unit: the weights are wired into logic, one vector a cycle."""
from functools import cache

import numpy as np
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.pipeline import Pipeline, check_positive, span
from hw.unroll.circuit import Circuit, circuit
from hw.unroll.sharing import shared
from hw.unroll.signs import oriented

SEEDS = 4   # choices of signs that are tried


class Unrolled(wiring.Component):
    """The product of a constant matrix and a vector: :func:`sw.golden.dense`.

    An adder graph in which the rows share what they have in common (:mod:`hw.unroll`). One vector
    a cycle; latency one cycle for the registers at the input and one for each stage of adders.
    The search for the graph takes seconds for a 16 × 16 matrix, a minute or more for 64 × 64.

    Parameters
    ----------
    matrix : array of int, (rows, columns)
        The weights.
    shape : Shape
        Shape of an element of the vector.
    adders_per_stage : int or None
        Adders one behind the other between registers; None for registers only at the input and at
        the output.
    raw_operands : bool
        Whether carry cells take their operands as they are (iCE40): then subtractions are arranged
        to need few inverters. False where they invert them at no cost (ECP5).

    Members
    -------
    i : In(stream.Signature(ArrayLayout(shape, columns)))
        Vectors.
    o : Out(stream.Signature(ArrayLayout(Shape, rows)))
        Products, elements of the smallest shape for all of them.
    """
    def __init__(self, *, matrix, shape, adders_per_stage=None, raw_operands=True):
        if adders_per_stage is not None:
            check_positive("Adders per stage", adders_per_stage)
        self.matrix = _checked(matrix)
        self.shape = Shape.cast(shape)
        self.adders_per_stage = adders_per_stage
        self.raw_operands = raw_operands
        self.circuit = _circuit(tuple(map(tuple, self.matrix.tolist())), *span(self.shape),
                                raw_operands)
        self._stage = _stages(self.circuit, adders_per_stage)
        self.latency = 2 + max(self._stage.values())
        rows, columns = self.matrix.shape
        bounds = [self.circuit.row_bounds(term) for term in self.circuit.graph.rows]
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(self.shape, columns))),
            "o": Out(stream.Signature(data.ArrayLayout(
                _shape(min(lo for lo, _ in bounds), max(hi for _, hi in bounds)), rows))),
        })

    def elaborate(self, platform):
        m = Module()

        plan = self.circuit
        rows = len(plan.graph.rows)
        pipe = Pipeline(m, self.i, self.o, latency=self.latency, channels=rows, lanes=rows)
        sums, registers = {}, {}

        def node(n, stage):
            """A node as it stands in a stage. Its registers hold the complement if only that is
            used."""
            if n in sums and stage == self._stage[n]:
                return sums[n]
            if (n, stage) not in registers:
                value = node(n, stage - 1) if stage else self.i.payload[n]
                value = pipe.register(~value if n in plan.complements else value,
                                      _shape(*plan.bounds[n]), f"node_{n}")
                registers[n, stage] = ~value if n in plan.complements else value
            return registers[n, stage]

        def bits(value, width, name):
            signal = Signal(width, name=name)
            m.d.comb += signal.eq(value)
            return signal

        for adder in plan.adders:
            n, stage, passed = adder.node, self._stage[adder.node], adder.y.shift
            x = bits(node(adder.x.node, stage) << adder.x.shift, plan.width(n), f"x_{n}")
            y = bits(node(adder.y.node, stage), plan.width(n) - passed, f"y_{n}")
            carry = None if adder.carry is None else node(adder.carry, stage)
            total = _sum(x[passed:], y, carry, adder.y.sign, n in plan.inverted)
            # Complemented twice, so that synthesis does not make carry-save adders of several sums,
            # at two look-up tables a bit.
            total = bits(~total, len(y), f"not_{n}")
            sums[n] = Signal(_shape(*plan.bounds[n]), name=f"sum_{n}")
            m.d.comb += sums[n].eq(Cat(x[:passed], ~total))

        for term, o in zip(plan.graph.rows, self.o.payload, strict=True):
            if term is not None:
                value, shape = node(term.node, self.latency - 2), _shape(*plan.row_bounds(term))
                if term.sign < 0:
                    value = ~(bits(value, shape.width - term.shift, "negated") - 1)
                m.d.comb += o.eq(pipe.register(value << term.shift, shape, "row"))

        return m


def _sum(x, y, carry, sign, inverted):
    """``x ± (y + carry)``, as the complement of a sum of complements if ``inverted``."""
    if inverted:
        return ~_sum(~x, y, carry, -sign, False)
    if carry is None:
        return x + y if sign > 0 else x - y
    # The carry stands below the lowest bit, and generates the carry into that.
    return (Cat(carry, x) + Cat(carry, y) if sign > 0 else Cat(C(0, 1), x) - Cat(carry, y))[1:]


def _shape(lo, hi):
    return Shape.cast(range(lo, hi + 1))


def _stages(plan, adders_per_stage):
    """The stage of each node."""
    levels = plan.levels()
    length = adders_per_stage or max(1, *levels.values())
    return {n: max(0, level - 1) // length for n, level in levels.items()}


def _checked(matrix):
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or not matrix.size:
        raise ValueError(f"Matrix must have two dimensions and an element, not shape "
                         f"{matrix.shape}")
    if not np.issubdtype(matrix.dtype, np.integer):
        raise TypeError(f"Matrix must hold integers, not {matrix.dtype}")
    return matrix


@cache
def _circuit(matrix, lo, hi, raw_operands):
    graph = shared(matrix, lo=lo, hi=hi)
    found = [circuit(oriented(graph, lo=lo, hi=hi, seed=seed), lo=lo, hi=hi,
                     raw_operands=raw_operands) for seed in range(SEEDS)]
    return min(found, key=Circuit.cost)


def cells(matrix, *, shape, adders_per_stage=None, raw_operands=True):
    """Estimate of the logic cells of :class:`Unrolled`: adders, inverters, and the registers of
    elements and of sums that wait; those of a sum that does not are in its adder's cells."""
    plan = _circuit(tuple(map(tuple, _checked(matrix).tolist())), *span(Shape.cast(shape)),
                    raw_operands)
    stages = _stages(plan, adders_per_stage)
    last = max(stages.values())
    needed = {n: stages[n] for n in stages}
    for adder in plan.adders:
        for n, _ in adder.operands():
            needed[n] = max(needed[n], stages[adder.node])
    for term in plan.graph.rows:
        if term is not None:
            needed[term.node] = last + 1
    waiting = sum(plan.width(n) * (needed[n] - stages[n]) for n in stages)
    inputs = plan.graph.columns * Shape.cast(shape).width
    return sum(adder.bits + 1 for adder in plan.adders) + plan.inverters + inputs + waiting
