"""What components around the matrices share: stages of registers that advance together."""
from amaranth import *
from amaranth.utils import ceil_log2

from hw.stream import transfers


class Pipeline:
    """The registers between the streams ``i`` and ``o`` of a component: ``latency`` stages.

    A frame of ``channels`` elements passes as ⌈channels / lanes⌉ transfers, one a cycle. All
    stages advance where ``en`` is set: unless a transfer waits at ``o``.

    Parameters
    ----------
    m : Module
        Where the registers go.
    i, o : stream interfaces
        The component's; the payload of ``o`` is left to it.
    latency : int
        Stages, and so cycles from ``i`` to ``o``.
    channels : int
        Elements a frame.
    lanes : int
        Elements a transfer.

    Attributes
    ----------
    en : Signal
        Advances the stages.
    groups : int
        Transfers a frame.
    """
    def __init__(self, m, i, o, *, latency, channels, lanes):
        self._m = m
        self._names = {}
        self._last = channels - (transfers(channels, lanes) - 1) * lanes
        self.groups = transfers(channels, lanes)
        self.en = Signal()
        m.d.comb += [
            self.en.eq(~o.valid | o.ready),
            i.ready.eq(self.en),
        ]
        m.d.comb += o.valid.eq(self.delay(i.valid, latency, "valid"))

        first = Signal(range(self.groups), name="group")
        with m.If(self.en & i.valid):
            m.d.sync += first.eq(Mux(first == self.groups - 1, 0, first + 1))
        self._group = [first]

    def group(self, stage):
        """Which transfer of its frame stands before a stage: 0 is at ``i``, ``latency`` at ``o``.
        """
        while len(self._group) <= stage:
            self._group.append(self.delay(self._group[-1], 1, "group"))
        return self._group[stage]

    def delay(self, value, stages, name):
        """``value`` as it was so many stages before."""
        for _ in range(stages):
            value = self.register(value, Value.cast(value).shape(), name)
        return value

    def register(self, value, shape, name):
        """``value`` a stage later, in a register of that shape."""
        count = self._names[name] = self._names.get(name, -1) + 1
        past = Signal(shape, name=f"{name}_{count}")
        with self._m.If(self.en):
            self._m.d.sync += past.eq(value)
        return past

    def present(self, value, lane, stage):
        """``value`` of the transfer before a stage; 0 where the frame has no such channel."""
        if lane < self._last:
            return value
        return Mux(self.group(stage) == self.groups - 1, 0, value)


def cells(latency, groups=1, stages=0):
    """Estimate of the cells of a pipeline's control, the group counted and given that many stages
    late."""
    return 3 + latency + (1.7 + stages) * ceil_log2(groups)


def check_positive(name, value):
    """Raise TypeError unless the parameter ``value`` is a positive integer."""
    if not isinstance(value, int) or value < 1:
        raise TypeError(f"{name} must be a positive integer, not {value!r}")


def span(shape):
    """The least and the greatest value of a shape."""
    if shape.signed:
        return -1 << shape.width - 1, (1 << shape.width - 1) - 1
    return 0, (1 << shape.width) - 1
