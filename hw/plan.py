"""Folding: how many lanes, which processing elements and which memories each layer gets.

A dense layer of MH rows and MW columns on ``pe`` lanes of ``simd`` inputs takes
⌈MH / pe⌉ · ⌈MW / simd⌉ cycles a frame (FINN's folding, Umuroglu et al. 2017), and no less than
the transfers that bring its input in or take its output on. Layers work on different frames at
once, so the slowest one sets the cycles per frame. The planner looks for the fewest cycles per
frame whose plan fits, or for the cheapest plan of a frame rate asked for; of the datapaths that
can compute a layer it takes the one of least cost.
"""
from dataclasses import replace
from functools import cache

import numpy as np
from amaranth import Shape, unsigned

from hw import (
    affine,
    area,
    argmax,
    lookup,
    requantize,
    residual_binarize,
    threshold,
    unrolled,
    xnor_net,
)
from hw.datapath import Term, datapaths, read, shape, term
from hw.errors import UserError
from hw.stages import Budget, DenseStage, Plan, Stage, ThresholdStage, UnrolledStage
from hw.stream import transfers
from sw.element import Bipolar
from sw.network import (
    Add,
    Affine,
    ArgMax,
    Concat,
    Conv2d,
    Dense,
    Flatten,
    Lookup,
    MaxPool,
    Network,
    Requantize,
    ResidualBinarize,
    Select,
    SumPool,
    Tensor,
    Threshold,
    XnorNetDense,
)

SIMD = (1, 2, 4, 8, 16, 32, 64)
LANES = (1, 2, 4, 8, 16)
SCALES = 4                                            # of XNOR-Net that may wait
UNROLLED_CELLS = 0.25                                 # that a weight takes as logic at least
PRICES = (0, 3.75, 7.5, 15, 30)                       # cells that a bit a cycle may be worth


def plan(network: Network, budget: Budget, *, cycles: int | None = None) -> Plan:
    """The fastest plan that fits ``budget``, or the smallest of at most ``cycles`` per frame.

    Without ``cycles`` it is one that place and route ends soon for (:class:`hw.fabric.Fabric`), or
    the smallest where none is.

    Raises :exc:`UserError` that names the layer or the resource, and by how much it does not fit.
    """
    _check(network)
    planner = Planner(network, budget)
    planner.check_capacity()
    if cycles is not None:
        # More cycles need not mean fewer cells: memories fill block RAMs well at some depths only.
        candidates = planner.candidates()
        plans = [planner.smallest(k) for k in {min(k, cycles) for k in candidates}]
        if not any(plans):
            least = next(k for k in candidates if planner.smallest(k))
            raise UserError(f"network {network.name}: the fastest folding takes {least} cycles per "
                            f"frame; ask for no fewer")
        found = min(filter(None, plans), key=_cost)
        _fits(found)
        return found
    fitting = []
    for candidate in planner.candidates():
        found = planner.smallest(candidate)
        if found and found.cells <= budget.cells and found.blocks <= budget.blocks:
            if found.cells <= budget.fabric.patience:
                return found
            fitting.append(found)
    if not fitting:
        _fits(found)
    return min(fitting, key=lambda found: found.cells)


def unroll(network: Network, budget: Budget, *, megahertz: float) -> Plan:
    """The plan of a network whose weights are logic: every layer takes a frame a cycle.

    Adders are pipelined for a clock of ``megahertz``. Raises :exc:`UserError` like :func:`plan`.
    """
    _check(network)
    for layer in network.layers:
        if isinstance(layer, Requantize | XnorNetDense):
            raise UserError(f"layer {layer.name}: a {type(layer).__name__} takes several cycles a "
                            f"frame; use --style folded")
    weights = sum(int(np.count_nonzero(layer.weights)) for layer in network.layers
                  if isinstance(layer, Dense))
    room = round(budget.cells / UNROLLED_CELLS)
    if weights > room:
        raise UserError(f"network {network.name} has {weights:,} weights that are not 0, and at "
                        f"most about {room:,} fit {budget.name} as logic; use --style folded")
    stages = []
    for k, layer in enumerate(network.layers):
        x, y = network.tensors[layer.inputs[0]], network.tensors[layer.name]
        following = network.layers[k + 1] if k + 1 < len(network.layers) else None
        if isinstance(layer, Dense):
            numbers, table = read(x)
            depth = budget.fabric.adders_per_stage(megahertz)
            raw = budget.fabric.raw_operands
            cells = unrolled.cells(layer.weights, shape=numbers.shape, adders_per_stage=depth,
                                   raw_operands=raw)
            total = term(layer.weights, np.ones(y.channels, np.int64), numbers.full())
            stages.append(UnrolledStage(
                layer.name, y.channels, 1, cells, term=total, table=table, adders_per_stage=depth,
                raw_operands=raw, affine=needs_affine((total,), following)))
        elif isinstance(layer, Select):
            stages.append(Stage(layer.name, y.channels, 1, 0))
        elif isinstance(layer, ArgMax):
            cells = argmax.parallel_cells(bits=x.element.bits, channels=x.channels)
            stages.append(Stage(layer.name, 1, 1, cells))
        else:
            stages.append(Planner(network, budget).other(layer, x, x.channels))
    found = Plan(network, budget, network.input.channels, _scaled(stages, budget.fabric))
    _fits(found)
    return found


def _fits(found: Plan):
    name = found.network.name
    if found.blocks > found.budget.blocks:
        raise UserError(f"network {name} needs {found.blocks} block RAMs, "
                        f"{found.blocks - found.budget.blocks} more than {found.budget.name} has")
    if found.cells > found.budget.cells:
        raise UserError(f"network {name} needs about {found.cells} logic cells, "
                        f"{found.cells - found.budget.cells} more than the {found.budget.cells} "
                        f"that {found.budget.name} has for it; make its layers narrower")


def _check(network):
    """Refuse what there is no hardware for, by name."""
    for layer in network.layers:
        if isinstance(layer, Conv2d | MaxPool | SumPool | Add | Concat | Flatten):
            raise UserError(f"layer {layer.name}: a {type(layer).__name__} has no hardware yet; "
                            f"the golden model runs it")
    if len(network.input.shape) != 1:
        raise UserError(f"network {network.name}: images, {network.input}, have no hardware yet; "
                        f"the golden model runs it")
    previous = "input"
    for layer in network.layers:
        if layer.inputs != (previous,):
            raise UserError(f"layer {layer.name}: hardware is a chain of layers, but it reads "
                            f"{layer.inputs[0]} and follows {previous}")
        previous = layer.name
        if isinstance(layer, Select) and (np.diff(layer.indices) <= 0).any():
            raise UserError(f"layer {layer.name}: hardware selects channels in ascending order; "
                            f"sort its indices")


def _cost(plan):
    """What makes a plan better: block RAMs that suffice, then fewer cells."""
    return max(0, plan.blocks - plan.budget.blocks), plan.cells, plan.cycles, plan.input_lanes


class Planner:
    """The search for a plan of one network."""
    def __init__(self, network, budget):
        self.network = network
        self.budget = budget
        self.fabric = budget.fabric
        self.dense = [layer for layer in network.layers if isinstance(layer, Dense)]
        self.ways = {layer.name: datapaths(layer, _read(layer, network.tensors[layer.inputs[0]]),
                                           raw_operands=self.fabric.raw_operands)
                     for layer in self.dense}
        # All costs are counted alike, and scaled at the end.
        self.cells = cache(lambda way, pe, simd: way.cells(
            pe, simd, lambda name: self.fabric.element(name) / self.fabric.scale))

    def check_capacity(self):
        """Refuse at once what has more weights than there are memories for."""
        weights = sum(min(way.storage for way in self.ways[layer.name]) for layer in self.dense)
        room = (self.budget.blocks * self.fabric.block_bits
                + int(16 / area.TABLE_CELLS * self.budget.cells))
        if weights > room:
            raise UserError(
                f"network {self.network.name} has {weights:,} bits of weights, "
                f"{weights - room:,} more than the {room:,} bits that {self.budget.name} can hold "
                f"in {self.budget.blocks} block RAMs and LUT ROM; make its layers narrower")

    def candidates(self):
        """Cycles per frame worth trying, ascending."""
        sizes = {transfers(tensor.channels, lanes) for tensor in self.network.tensors.values()
                 for lanes in LANES}
        for layer in self.dense:
            rows, columns = layer.weights.shape
            steps = {transfers(columns, simd) for simd in SIMD}
            groups = {transfers(rows, pe) for pe in range(1, rows + 1)}
            sizes |= {s * g for s in steps for g in groups}
            if isinstance(layer, XnorNetDense):
                scale = xnor_net_scale(layer, self.network.tensors[layer.inputs[0]]).width + 1
                sizes |= {group * scale for group in groups}
        for layer in self.network.layers:
            if isinstance(layer, Requantize):
                steps = requantize.cycles(multiplier=layer.multiplier, exponent=layer.exponent)
                sizes |= {transfers(len(layer.multiplier), lanes) * steps for lanes in LANES}
        # No fewer cycles fit than let the adders alone fill the device.
        least = sum(layer.weights.size for layer in self.dense) // self.budget.cells
        return sorted(size for size in sizes if size >= least) or [max(sizes)]

    def smallest(self, cycles):
        """The plan of fewest cells found that takes at most ``cycles``, or None if none does.

        Which fold of a layer is cheapest depends on what block RAMs are worth to the others. So
        each layer is folded for several prices of a block RAM; from the best common price on,
        layers change their fold one by one as long as that saves cells.
        """
        prices = [self.fabric.block_width * price for price in PRICES]
        options = [[self._fold(layer, cycles, price) for price in prices] for layer in self.dense]
        if None in (fold for folds in options for fold in folds):
            return None

        best = None
        for lanes in LANES:
            trials = list(zip(*options, strict=True)) if options else [()]
            while trials:
                plans = [(self.build(lanes, folds), folds) for folds in trials]
                plans = [(found, folds) for found, folds in plans
                         if found and found.cycles <= cycles]
                found, folds = min(plans, default=(None, None), key=lambda trial: _cost(trial[0]))
                trials = []
                if found and (best is None or _cost(found) < _cost(best)):
                    best = found
                    trials = [(*folds[:k], fold, *folds[k + 1:])
                              for k, choices in enumerate(options) for fold in set(choices)]
        return best

    def _fold(self, layer, cycles, price):
        """(way, simd, pe) of the least cost in at most ``cycles``, or None."""
        rows, columns = layer.weights.shape
        best = None
        for way in self.ways[layer.name]:
            for simd in (1,) if way.front else SIMD:
                steps = way.front.tables if way.front else transfers(columns, simd)
                if steps > cycles or (simd > 1 and simd >= 2 * columns):
                    continue
                # All rows at once need no replay.
                for pe in {transfers(rows, cycles // steps), rows}:
                    depth = steps * transfers(rows, pe)
                    bits = pe * simd * way.bits
                    memory = min(transfers(bits, self.fabric.slice_bits(depth)) * price,
                                 bits * area.rom(depth))
                    wide = simd * way.shape.width
                    replay = min(transfers(wide, self.fabric.block_width) * price,
                                 2 * wide * steps) if pe < rows else 0
                    cost = (self.cells(way, pe, simd) + memory + replay
                            + area.narrow(pe, _row_bits(way)))
                    if best is None or (cost, simd, pe) < best[0]:
                        best = (cost, simd, pe), (way, simd, pe)
        return best and best[1]

    def build(self, input_lanes, folds):
        """A plan with the given input lanes and (way, simd, pe) of each dense layer, or None."""
        lanes = input_lanes
        stages = []
        for k, layer in enumerate(self.network.layers):
            x = self.network.tensors[layer.inputs[0]]
            if isinstance(layer, Dense):
                stage = self._dense(k, layer, x, lanes, folds)
            else:
                stage = self.other(layer, x, lanes)
            if stage is None:
                return None
            stages.append(stage)
            lanes = stage.lanes
        return Plan(self.network, self.budget, input_lanes, _scaled(
            _place(stages, self.budget), self.fabric))

    def other(self, layer, x, lanes):
        """The stage of a layer that is not dense, or None where ``lanes`` do not suit it."""
        beats = transfers(x.channels, lanes)
        if isinstance(layer, ArgMax):
            if lanes != 1:
                return None
            return Stage(layer.name, 1, x.channels, argmax.cells(bits=x.element.bits,
                                                                 channels=x.channels))
        if isinstance(layer, Select):
            if not _whole_transfers(layer.indices, x.channels, lanes):
                return None
            return Stage(layer.name, lanes, beats, area.select(beats))
        if x.channels % lanes:
            return None
        shapes, output = [shape(x.element)], shape(self.network.tensors[layer.name].element)
        match layer:
            case Threshold():
                size = {"channels": x.channels, "steps": layer.thresholds.shape[1],
                        "bits": x.element.bits, "lanes": lanes,
                        "distinct": bool((layer.thresholds != layer.thresholds[0]).any()
                                         or (layer.flip != layer.flip[0]).any())}
                choices = [ThresholdStage(layer.name, lanes, beats, cells(**size), search=search)
                           for search, cells in ((False, threshold.cells),
                                                 (True, threshold.search_cells))]
                blocks = sum(self.budget.fabric.blocks(*memory)
                             for memory in threshold.search_tables(**size))
                return replace(min(choices, key=lambda stage: stage.cells), in_blocks=(
                    threshold.search_cells(**size, block=True), blocks))
            case Requantize():
                steps = requantize.cycles(multiplier=layer.multiplier, exponent=layer.exponent)
                return Stage(layer.name, lanes, beats * steps, requantize.cells(
                    shape=shapes[0], multiplier=layer.multiplier, exponent=layer.exponent,
                    zero=layer.zero, lo=layer.element.lo, hi=layer.element.hi,
                    single_rounding=layer.single_rounding, lanes=lanes))
            case Affine():
                return Stage(layer.name, lanes, beats, affine.cells(
                    shapes=shapes, coefficients=layer.coefficients[:, None], offset=layer.offset,
                    lanes=lanes, output=output))
            case Lookup():
                return Stage(layer.name, lanes, beats, lookup.cells(
                    shape=shapes[0], table=layer.table, output=output, lanes=lanes))
            case ResidualBinarize():
                return Stage(layer.name, lanes, beats, residual_binarize.cells(
                    shape=shapes[0], coefficients=layer.coefficients, centre=layer.centre,
                    flip=layer.flip, lanes=lanes))

    def _dense(self, k, layer, x, lanes, folds):
        """The stage of dense layer ``k`` that reads ``lanes`` lanes, or None."""
        way, simd, pe = folds[self.dense.index(layer)]
        wide = way.front.length if way.front else simd
        if wide % lanes or way.table is not None and x.channels % lanes:
            return None
        following = self.network.layers[k + 1:]
        rows, columns = layer.weights.shape
        steps = way.front.tables if way.front else transfers(columns, simd)
        groups = transfers(rows, pe)
        fold = next((simd for after, (_, simd, _) in zip(self.dense, folds, strict=True)
                     if after in following), 1)
        scaled = isinstance(layer, XnorNetDense)
        # What is beyond the last row must not reach a layer that adds it up.
        strict = bool(following) and not isinstance(following[0], Threshold)
        divisors = [n for n in range(1, pe + 1)
                    if pe % n == 0 and fold % n == 0 and not (strict and rows % n)]
        out = next((n for n in divisors if pe // n + 1 <= steps), divisors[-1])
        combine = needs_affine(way.terms, None if scaled or not following else following[0])

        parts = pe // out + 1 if pe > out or steps > 1 else 1
        depth = steps * groups
        word = simd * way.shape.width
        cells = self.cells(way, pe, simd) + word + 40
        cells += area.narrow(pe, _row_bits(way)) + 10
        cells += word + 12 if wide > lanes else 0
        cells += 2 * word * steps + 20 if groups > 1 else 0
        cells += pe * simd * way.bits * area.rom(depth)
        if way.front:
            front = way.front
            cells += self.cells(front.way, front.lanes, front.length) + word
            cells += front.way.storage / front.tables * area.rom(front.tables)
        if combine:
            cells += affine.cells(shapes=[term.shape for term in way.terms], lanes=out,
                                  coefficients=way.factors, offset=way.offset)
        if way.table is not None:
            cells += lookup.cells(shape=shape(x.element), table=way.table[None],
                                  output=read(x)[0].shape, lanes=lanes)
        cycles = max(groups * max(steps, parts), transfers(columns, lanes))
        if scaled:
            scale = xnor_net_scale(layer, x)
            cells += xnor_net.sign_and_scale_cells(
                shape=read(x)[0].shape, lanes=lanes, channels=columns, depth=SCALES,
                k_shape=scale)
            cells += xnor_net.scale_cells(
                shape=shape(layer.sums(x).element), k_shape=scale, lanes=out, channels=rows,
                output=shape(self.network.tensors[layer.name].element))
            cycles = max(cycles, transfers(rows, out) * (scale.width + 1))
        return DenseStage(layer.name, out, cycles, cells, way=way, x=x, affine=combine, pe=pe,
                          simd=simd, steps=steps, groups=groups,
                          slice_bits=self.fabric.slice_bits(depth))


def _read(layer, x):
    """The tensor that the processing elements of a dense layer on ``x`` read."""
    if not isinstance(layer, XnorNetDense):
        return x
    least, most = layer.scale(x)
    if least == most:
        raise UserError(f"layer {layer.name}: the magnitude of all its inputs is {most}, so it "
                        f"scales by a constant; make it a Dense with that coefficient")
    return Tensor.full(Bipolar(), x.shape)


def xnor_net_scale(layer: XnorNetDense, x: Tensor) -> Shape:
    """Shape of XNOR-Net's scale of a frame."""
    return unsigned(layer.scale(x)[1].bit_length())


def needs_affine(terms: tuple[Term, ...], following) -> bool:
    """Whether the sums ``terms`` are not yet what the layer ``following`` can read.

    Thresholds and a decision do without factors and offsets that they can take into account.
    """
    if len(terms) > 1:
        return True
    factor, offset = terms[0].factor, terms[0].offset
    match following:
        case Threshold():
            return not (factor > 0).all()
        case ArgMax():
            return not (factor[0] > 0 and (factor == factor[0]).all()
                        and (offset == offset[0]).all())
    return not ((factor == 1).all() and (offset == 0).all())


def _row_bits(way):
    """Bits of a row's sums."""
    return sum(term.shape.width for term in way.terms)


def _scaled(stages, fabric):
    """The stages with the logic cells that they take on ``fabric``."""
    return tuple(replace(stage, cells=fabric.scale * stage.cells) for stage in stages)


def _place(stages, budget):
    """Give the block RAMs to the memories that save the most cells each."""
    offers, blocks = [], budget.blocks
    (words, width), (deepest, _) = budget.fabric.block_shapes[0], budget.fabric.block_shapes[-1]
    for k, stage in enumerate(stages):
        if isinstance(stage, DenseStage):
            depth = stage.steps * stage.groups
            deep = transfers(depth, deepest)
            for bits, _ in stage.slices:
                offers.append((bits * area.rom(depth) / deep, deep, k, "slice"))
            bits = stage.simd * stage.way.shape.width
            wide = transfers(bits, width) * transfers(2 * stage.steps, words)
            if stage.groups > 1:
                offers.append(((2 * bits * stage.steps - 20) / wide, wide, k, "replay"))
        if isinstance(stage, ThresholdStage) and stage.in_blocks[1]:
            cells, needed = stage.in_blocks
            offers.append(((stage.cells - cells) / needed, needed, k, "tables"))
    stages = list(stages)
    for saved, needed, k, what in sorted(offers, key=lambda offer: (-offer[0], offer[2], offer[3])):
        if needed <= blocks and saved > 0:
            blocks -= needed
            stage = replace(stages[k], cells=stages[k].cells - saved * needed,
                            blocks=stages[k].blocks + needed)
            match what:
                case "slice":
                    stage = replace(stage, block_slices=stage.block_slices + 1)
                case "replay":
                    stage = replace(stage, block_replay=True)
                case "tables":
                    stage = replace(stage, search=True, block=True)
            stages[k] = stage
    return tuple(stages)


def _whole_transfers(indices, channels, lanes):
    """Whether a selection keeps or drops whole transfers of ``lanes`` channels."""
    if channels % lanes or len(indices) % lanes:
        return lanes == 1
    groups = indices.reshape(-1, lanes)
    return bool((groups % lanes == np.arange(lanes)).all()
                and (groups // lanes == groups[:, :1] // lanes).all())
