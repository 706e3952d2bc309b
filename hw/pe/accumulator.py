"""What processing elements have in common: their members, and the accumulator at their end."""
from amaranth import *
from amaranth.lib.wiring import In, Out

NO_CARRY = C(0, 0)


def members(*, x, w, o):
    """The members of a processing element that takes words ``x`` and ``w`` and gives sums ``o``.

    ``en`` advances everything. ``valid`` and ``last`` belong to the word that is in the accumulator
    stage: whether it counts, and whether it ends its row.
    """
    return {"en": In(1), "x": In(x), "w": In(w), "valid": In(1), "last": In(1), "o": Out(o)}


def accumulate(m, element, word, carry=NO_CARRY):
    """Add up the words of a row in ``element``: its ``o`` is the sum so far.

    ``word``, and ``carry`` if there is such a bit, sum up the word whose ``valid`` and ``last`` the
    element has now; ``o`` includes them, and after the ``last`` word of a row starts again.
    """
    total = Signal.like(element.o)
    m.d.comb += element.o.eq(add(carry, total, word))
    with m.If(element.en & element.valid):
        m.d.sync += total.eq(Mux(element.last, 0, element.o))


def add(carry, a, b):
    """a + b + carry, on one carry chain, where ``carry`` has one bit or none.

    It stands in both operands below the lowest place, and so generates the carry in.
    """
    def above(value):
        both = Cat(carry, value)
        return both.as_signed() if value.shape().signed else both

    return (above(a) + above(b)) >> len(carry)


def cells(shape):
    """Estimate of its cells: those of the sum, the registers behind them, and the carry in."""
    return 2 * shape.width + 1
