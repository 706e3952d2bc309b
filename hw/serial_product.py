"""Product of a value with a factor that comes in parts, and how it rounds."""
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class SerialProduct(wiring.Component):
    """A value times a factor, of which each step takes ``bits`` bits, low ones first.

    After each bit the sum moves right by a place, so that it stays as wide as the value. ``up``
    keeps how the bits that fall off round. Where only the last place is rounded, its bit decides:
    ties go to +∞. Where a lower place is rounded first, ties there go to +∞, but ties of what is
    rounded in the last place away from zero. So a positive product has half of both places added:
    that of the lower one carries through ones to the last. From a negative one half of the lower
    place is taken away (half of it added, then all of it taken for the ties): that borrows through
    zeros.

    Parameters
    ----------
    shape : Shape
        Shape of the value.
    raised : int
        Places by which the value is shifted left.
    bits : int
        Bits of the factor a step.

    Members
    -------
    load : In(1)
        Takes the value, with a sum of 0.
    x : In(shape)
    step : In(1)
        Takes bits of the factor.
    factor : In(bits)
    first : In(bits)
        Which of them is the first that is rounded.
    last : In(1)
        Whether the highest of them is the last.
    o : Out(Shape)
        ⌊x · 2^raised · factor / 2^places⌋ after that many bits.
    up : Out(1)
        Whether rounding adds 1 to it.
    """
    def __init__(self, *, shape, raised, bits):
        self.shape = Shape.cast(shape)
        self.raised = raised
        self.bits = bits
        super().__init__({
            "load": In(1),
            "x": In(self.shape),
            "step": In(1),
            "factor": In(bits),
            "first": In(bits),
            "last": In(1),
            "o": Out(Shape(self.shape.width + raised, self.shape.signed)),
            "up": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        # Without the reset of the domain, which would take the flip-flops' own.
        x = Signal(self.shape, reset_less=True)
        total = Signal.like(self.o, reset_less=True)
        up = Signal(reset_less=True)
        m.d.comb += [self.o.eq(total), self.up.eq(up)]
        negative = x[-1] if self.shape.signed else C(0)
        sum_, rounds = total, up
        for slot in range(self.bits):
            following = Signal(Shape(len(total) + 1, self.shape.signed), name=f"sum_{slot}")
            rounds_on = Signal(name=f"up_{slot}")
            any_one = negative ^ self.last if slot == self.bits - 1 else negative
            fallen = following[0]
            m.d.comb += [
                following.eq(Mux(self.factor[slot], sum_ + (x << self.raised), sum_)),
                rounds_on.eq(Mux(self.first[slot], fallen,
                                 Mux(any_one, rounds | fallen, rounds & fallen))),
            ]
            sum_ = following[1:].as_signed() if self.shape.signed else following[1:]
            rounds = rounds_on
        with m.If(self.step):
            m.d.sync += [total.eq(sum_), up.eq(rounds)]
        with m.If(self.load):
            m.d.sync += [x.eq(self.x), total.eq(0), up.eq(0)]

        return m
