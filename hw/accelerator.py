"""A plan becomes a chain of components: the one place that matches on layer types."""
from dataclasses import dataclass

import numpy as np
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.argmax import ArgMax
from hw.matvec import MatVec
from hw.select import Select
from hw.stream import MemoryReplay, Narrow, Register, RegisterReplay, Widen, transfers
from hw.threshold import Threshold
from sw import network as ir
from sw.element import Bipolar, Int
from sw.planes import pack_rom


@dataclass(frozen=True)
class Tap:
    """How a layer's output looks on the accelerator's monitor port ``trace.<layer>``.

    A frame is ⌈channels / lanes⌉ transfers of ``lanes`` elements of ``bits`` bits; the golden
    model's integer is ``scale`` · raw + ``offset``.
    """
    layer: str
    channels: int
    lanes: int
    bits: int
    signed: bool
    scale: int
    offset: int

    @property
    def shape(self):
        return Shape(self.bits, self.signed)


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
        The class of each frame.
    trace : Out(Signature of a port a layer)
        For looking on: ``valid`` where a transfer of the layer's output happens, and its
        ``payload``.
    """
    def __init__(self, plan):
        self.plan = plan
        self.network = plan.network
        self.input_lanes = plan.input_lanes
        element = self.network.input.element
        self.input = Tap("input", self.network.input.channels, plan.input_lanes,
                         element.bits, isinstance(element, Int), *_affine(element))
        self.taps = tuple(_taps(plan, self.input))
        classes = self.network.tensors[self.network.layers[-2].name].channels
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(self.input.shape, plan.input_lanes))),
            "o": Out(stream.Signature(range(classes))),
            "trace": Out(wiring.Signature({
                tap.layer: Out(wiring.Signature({
                    "valid": Out(1),
                    "payload": Out(data.ArrayLayout(tap.shape, tap.lanes)),
                })) for tap in self.taps})),
        })

    def elaborate(self, platform):
        m = Module()

        source, x = flipped(self.i), self.input
        for layer, stage, tap in zip(self.network.layers, self.plan.stages, self.taps,
                                     strict=True):
            for name, component in _components(layer, stage, x, tap):
                m.submodules[name] = component
                connect(m, source, component.i)
                source = component.o
            trace = getattr(self.trace, tap.layer)
            m.d.comb += [
                trace.valid.eq(source.valid & source.ready),
                trace.payload.eq(source.payload),
            ]
            x = tap
        connect(m, source, flipped(self.o))

        return m


def _affine(element):
    """(scale, offset) from the bits that carry an element to its value."""
    return (2, -1) if isinstance(element, Bipolar) else (1, 0)


def _taps(plan, x):
    for layer, stage in zip(plan.network.layers, plan.stages, strict=True):
        match layer:
            case ir.Dense():
                rows, columns = layer.planes[0].codes.shape
                x = Tap(layer.name, rows, stage.lanes, columns.bit_length(), False, 2, -columns)
            case ir.Select():
                x = Tap(layer.name, len(layer.indices), stage.lanes, x.bits, x.signed, x.scale,
                        x.offset)
            case ir.Threshold():
                x = Tap(layer.name, x.channels, stage.lanes,
                        layer.thresholds.shape[1].bit_length(), False, *_affine(layer.element))
            case ir.ArgMax():
                x = Tap(layer.name, 1, 1, max(1, (x.channels - 1).bit_length()), False, 1, 0)
        yield x


def _components(layer, stage, x, y):
    """The named components that compute a layer, from tap ``x`` to tap ``y``."""
    name = layer.name
    match layer:
        case ir.Select():
            keep = np.isin(np.arange(0, x.channels, x.lanes), layer.indices)
            yield name, Select(shape=x.shape, lanes=x.lanes, keep=keep.tolist())
        case ir.Threshold():
            # value = scale · raw + offset reaches t where raw reaches ⌈(t − offset) / scale⌉
            yield name, Threshold(shape=x.shape, flip=layer.flip, lanes=x.lanes,
                                  thresholds=-((x.offset - layer.thresholds) // x.scale))
        case ir.Dense():
            if stage.simd > x.lanes:
                yield f"{name}_widen", Widen(shape=x.shape, lanes=x.lanes,
                                             ratio=stage.simd // x.lanes,
                                             beats=transfers(x.channels, x.lanes))
            if stage.groups > 1:
                replay = MemoryReplay if stage.block_replay else RegisterReplay
                yield f"{name}_replay", replay(width=stage.simd, words=stage.steps,
                                               times=stage.groups)
            yield name, MatVec(
                words=pack_rom(layer.planes[0], lanes=stage.pe, simd=stage.simd),
                steps=stage.steps, columns=x.channels, slices=stage.slices)
            # A cut after the accumulators: Narrow where there is time for its extra cycle.
            if stage.pe > stage.lanes or stage.steps > 1:
                yield f"{name}_narrow", Narrow(shape=y.shape, lanes=stage.lanes,
                                               ratio=stage.pe // stage.lanes,
                                               beats=transfers(y.channels, stage.lanes))
            else:
                yield f"{name}_register", Register(shape=data.ArrayLayout(y.shape, y.lanes))
        case ir.ArgMax():
            yield name, ArgMax(shape=x.shape, channels=x.channels)
