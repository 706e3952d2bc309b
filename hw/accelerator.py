"""A plan becomes a chain of components: the one place that matches on layer types."""
from dataclasses import dataclass, replace

import numpy as np
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.affine import Affine
from hw.argmax import ArgMax, ParallelArgMax
from hw.datapath import shape, table
from hw.lookup import Lookup
from hw.matvec import MatVec
from hw.plan import SCALES, xnor_net_scale
from hw.requantize import Requantize
from hw.residual_binarize import ResidualBinarize
from hw.select import Pick, Select
from hw.stages import UnrolledStage
from hw.stream import MemoryReplay, Narrow, Register, RegisterReplay, Widen, transfers
from hw.threshold import SearchThreshold, Threshold
from hw.unrolled import Unrolled
from hw.xnor_net import Scale, SignAndScale
from sw import element
from sw import network as ir
from sw.element import Element


@dataclass(frozen=True, eq=False)
class Tap:
    """How a layer's output looks on the accelerator's monitor port ``trace.<layer>``.

    A frame is ⌈channels / lanes⌉ transfers of ``lanes`` elements of ``shape``. They are codes of
    ``element``; without one, the golden model's integer is ``scale`` · raw + ``offset`` with one
    of each a channel.
    """
    layer: str
    channels: int
    lanes: int
    shape: Shape
    element: Element | None = None
    scale: int | np.ndarray = 1
    offset: int | np.ndarray = 0

    @classmethod
    def of(cls, layer, tensor, lanes):
        """The tap of a tensor whose elements travel as their codes."""
        kind = tensor.element
        bipolar = {"scale": 2, "offset": -1} if isinstance(kind, element.Bipolar) else {}
        return cls(layer, tensor.channels, lanes, shape(kind), kind, **bipolar)

    @property
    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """Scale and offset of each channel, (channels,)."""
        return tuple(np.broadcast_to(part, self.channels) for part in (self.scale, self.offset))

    @property
    def table(self) -> np.ndarray | None:
        """The integer of each code, for elements whose codes are no integers themselves."""
        if isinstance(self.element, element.Levels | element.Pow2 | element.Planes):
            return table(self.element)
        return None

    @property
    def transfers(self) -> int:
        """Transfers a frame."""
        return transfers(self.channels, self.lanes)

    def values(self, raw: np.ndarray) -> np.ndarray:
        """The golden model's integers of raw bits, (frames, channels) of unsigned integers."""
        if self.element is not None:
            return self.element.decode(raw)
        sign = 1 << self.shape.width - 1 if self.shape.signed else 0
        return ((raw ^ sign) - sign) * self.scale + self.offset


class Accelerator(wiring.Component):
    """A network in hardware: computes :meth:`sw.network.Network.run`, frame after frame.

    Parameters
    ----------
    plan : Plan
        The network and its folding.

    Members
    -------
    i : In(stream.Signature(ArrayLayout(element, input lanes)))
        Elements of a frame, channels in order.
    o : Out(stream.Signature(range(classes)))
        The class of each frame; of a network that does not decide, the last layer's elements, an
        ArrayLayout.
    trace : Out(Signature of a port a layer)
        For looking on: ``valid`` where a transfer of the layer's output happens, and its
        ``payload``.
    """
    def __init__(self, plan):
        self.plan = plan
        self.network = plan.network
        self.input_lanes = plan.input_lanes
        self.input = Tap.of("input", self.network.input, plan.input_lanes)
        self.taps = tuple(_taps(plan, self.input))
        last = self.taps[-1]
        result = last.shape if self.network.decides else data.ArrayLayout(last.shape, last.lanes)
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(self.input.shape, plan.input_lanes))),
            "o": Out(stream.Signature(result)),
            "trace": Out(wiring.Signature({
                tap.layer: Out(wiring.Signature({
                    "valid": Out(1),
                    "payload": Out(data.ArrayLayout(tap.shape, tap.lanes)),
                })) for tap in self.taps})),
        })

    def elaborate(self, platform):
        m = Module()

        source, x = flipped(self.i), self.input
        magnitudes = None
        for layer, stage, tap in zip(self.network.layers, self.plan.stages, self.taps,
                                     strict=True):
            for name, component in _components(layer, stage, x, tap):
                m.submodules[name] = component
                connect(m, source, component.i)
                source = component.o
                if isinstance(component, SignAndScale):
                    magnitudes = component.k
                if isinstance(component, Scale):
                    connect(m, magnitudes, component.k)
            trace = getattr(self.trace, tap.layer)
            m.d.comb += [
                trace.valid.eq(source.valid & source.ready),
                trace.payload.eq(source.payload),
            ]
            x = tap
        connect(m, source, flipped(self.o))

        return m


def _taps(plan, x):
    """The tap after each layer."""
    for layer, stage in zip(plan.network.layers, plan.stages, strict=True):
        tensor = plan.network.tensors[layer.name]
        if isinstance(layer, ir.Select):
            scale, offset = (part[layer.indices] for part in x.affine)
            x = replace(x, layer=layer.name, channels=tensor.channels, lanes=stage.lanes,
                        scale=scale, offset=offset)
        elif isinstance(layer, ir.Dense) and not stage.affine:
            term = stage.term if isinstance(stage, UnrolledStage) else stage.way.terms[0]
            x = Tap(layer.name, tensor.channels, stage.lanes, term.shape, scale=term.factor,
                    offset=term.offset)
        else:
            x = Tap.of(layer.name, tensor, stage.lanes)
        yield x


def _components(layer, stage, x, y):
    """The named components that compute a layer, from tap ``x`` to tap ``y``."""
    name = layer.name
    match layer:
        case ir.Dense() if isinstance(stage, UnrolledStage):
            yield from _unrolled(name, layer, stage, x, y)
            return
        case ir.Dense():
            yield from _dense(name, layer, stage, x, y)
            return
        case ir.Select() if x.lanes == x.channels:
            yield name, Pick(shape=x.shape, lanes=x.lanes, indices=layer.indices.tolist())
            return
        case ir.Select():
            keep = np.isin(np.arange(0, x.channels, x.lanes), layer.indices)
            yield name, Select(shape=x.shape, lanes=x.lanes, keep=keep.tolist())
            return
        case ir.Lookup():
            codes = y.element.encode(layer.table)
            yield name, Lookup(shape=x.shape, table=codes, output=y.shape, lanes=x.lanes)
            return
    # All others read integers, some no scaled ones.
    unscaled = isinstance(layer, ir.Requantize | ir.ResidualBinarize)
    if x.table is not None or unscaled and x.element == element.Bipolar():
        component, x = _decode(table(x.element), x)
        yield f"{name}_decode", component
    match layer:
        case ir.Threshold():
            # value = scale · raw + offset reaches t where raw reaches ⌈(t − offset) / scale⌉
            scale, offset = x.affine
            kind = SearchThreshold if stage.search else Threshold
            yield name, kind(
                shape=x.shape, flip=layer.flip, lanes=x.lanes, output=y.shape,
                thresholds=-((offset[:, None] - layer.thresholds) // scale[:, None]),
                codes=layer.codes.tolist(), block=stage.block)
        case ir.Affine():
            scale, offset = x.affine
            yield name, Affine(
                shapes=[x.shape], coefficients=(layer.coefficients * scale)[:, None],
                offset=layer.offset + layer.coefficients * offset, lanes=x.lanes, output=y.shape)
        case ir.Requantize():
            yield name, Requantize(
                shape=x.shape, multiplier=layer.multiplier, exponent=layer.exponent,
                zero=layer.zero, lo=layer.element.lo, hi=layer.element.hi,
                single_rounding=layer.single_rounding, lanes=x.lanes)
        case ir.ResidualBinarize():
            yield name, ResidualBinarize(
                shape=x.shape, coefficients=layer.coefficients, centre=layer.centre,
                flip=layer.flip, lanes=x.lanes)
        case ir.ArgMax() if x.lanes == x.channels:
            yield name, ParallelArgMax(shape=x.shape, channels=x.channels)
        case ir.ArgMax():
            yield name, ArgMax(shape=x.shape, channels=x.channels)


def _decode(values, x):
    """A table that makes integers of codes, and the tap after it."""
    kind = element.smallest(int(values.min()), int(values.max()))
    return (Lookup(shape=x.shape, table=values[None], output=shape(kind), lanes=x.lanes),
            Tap(x.layer, x.channels, x.lanes, shape(kind), kind))


def _dense(name, layer, stage, x, y):
    way, front = stage.way, stage.way.front
    values = x.table if isinstance(layer, ir.XnorNetDense) else way.table
    if values is not None:
        component, x = _decode(values, x)
        yield f"{name}_decode", component
    sums = y.shape
    if isinstance(layer, ir.XnorNetDense):
        sums = shape(layer.sums(stage.x).element)
        k_shape = xnor_net_scale(layer, stage.x)
        yield f"{name}_signs", SignAndScale(shape=x.shape, lanes=x.lanes, channels=x.channels,
                                            depth=SCALES, k_shape=k_shape)
        x = replace(x, shape=Shape(1))
    simd = front.length if front else stage.simd
    if simd > x.lanes:
        yield f"{name}_widen", Widen(shape=x.shape, lanes=x.lanes, ratio=simd // x.lanes,
                                     beats=transfers(x.channels, x.lanes))
    if front:
        tables = MatVec(shape=x.shape, simd=simd, units=_units(front.way, simd), steps=1,
                        words=front.way.words(front.lanes, simd, front.tables),
                        slices=[(front.lanes * simd * front.way.bits, False)])
        yield f"{name}_tables", tables
        x = replace(x, shape=Shape(way.shape.width // front.lanes))
        simd = front.lanes
        yield f"{name}_register", Register(shape=data.ArrayLayout(x.shape, simd))
    if stage.groups > 1:
        replay = MemoryReplay if stage.block_replay else RegisterReplay
        yield f"{name}_replay", replay(width=simd * x.shape.width, words=stage.steps,
                                       times=stage.groups)
    matvec = MatVec(shape=x.shape, simd=simd, units=_units(way, stage.simd), steps=stage.steps,
                    words=way.words(stage.pe, stage.simd, stage.steps * stage.groups),
                    slices=stage.slices)
    yield name, matvec
    row = matvec.o.payload.shape().elem_shape
    # A cut after the accumulators: Narrow where there is time for its extra cycle.
    if stage.pe > stage.lanes or stage.steps > 1:
        yield f"{name}_narrow", Narrow(shape=row, lanes=stage.lanes,
                                       ratio=stage.pe // stage.lanes,
                                       beats=transfers(y.channels, stage.lanes))
    else:
        yield f"{name}_cut", Register(shape=data.ArrayLayout(row, stage.lanes))
    if stage.affine:
        yield f"{name}_affine", Affine(
            shapes=[term.shape for term in way.terms], coefficients=way.factors,
            offset=way.offset, lanes=stage.lanes, output=sums)
    if isinstance(layer, ir.XnorNetDense):
        yield f"{name}_scale", Scale(shape=sums, k_shape=k_shape, lanes=stage.lanes,
                                     channels=y.channels, output=y.shape)


def _unrolled(name, layer, stage, x, y):
    if stage.table is not None:
        component, x = _decode(stage.table, x)
        yield f"{name}_decode", component
    sums = Unrolled(matrix=layer.weights, shape=x.shape, adders_per_stage=stage.adders_per_stage,
                    raw_operands=stage.raw_operands)
    yield name, sums
    if stage.affine:
        yield f"{name}_affine", Affine(
            shapes=[stage.term.shape], coefficients=stage.term.factor[:, None],
            offset=stage.term.offset, lanes=stage.lanes, output=y.shape)


def _units(way, simd):
    return [part.unit(simd) for part in way.parts]
