"""An imported network against its file: every integer of every layer, and the decision.

The file runs in its own executor: qonnx's where it has QONNX operators, else onnxruntime's with
optimizations off. What it shows of a layer are real numbers; divided by the layer's scale they
must be the integers of the network.
"""
import copy
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass
from importlib import metadata

import numpy as np
import onnx

from sw.importers.expression import Leaf, changed, evaluate
from sw.importers.onnx_file import CUSTOM, ModelError
from sw.importers.operators import session
from sw.importers.qonnx import Import
from sw.network import ArgMax

SHOWN = 5           # differences of a layer that are told one by one
BLOCK = 250         # frames that the file runs at a time
NUMBERS = 2 ** 25   # of a tensor in these frames, and in all frames 2^27
WHOLE = 2 ** 22     # from which on float32 sums may be rounded, by one in so many
LAST = 2 ** 20      # part of the largest sum that the rounding of all its terms may come to


@dataclass(frozen=True)
class Layer:
    """How a layer compares: of ``total`` integers ``equal`` are, ``first`` tells of some others.

    Of the others, ``rounded`` are those where the sum is next to a step of a quantizer, or too
    large for the type that the file adds up in: an executor adds floating-point numbers, the last
    bit of whose sum depends on the order of the additions.
    """
    name: str
    tensor: str
    equal: int
    rounded: int
    total: int
    first: tuple[str, ...]

    def __str__(self):
        return f"{self.name}: {self.equal:,} of {self.total:,} integers equal"


@dataclass(frozen=True)
class Check:
    """What a comparison of ``frames`` frames found.

    ``decisions`` of them are decided alike. Of the others, ``ties`` are between classes whose
    integers are equal: there the rounding of the file's own sums decides, and hardware takes the
    first class.
    """
    what: str
    executor: str
    frames: int
    decisions: int
    ties: int
    layers: tuple[Layer, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return self.decisions == self.frames and all(x.equal == x.total for x in self.layers)

    @property
    def wrong(self) -> Layer | None:
        """The first layer that differs by more than the rounding of the file's own sums, if any.
        """
        return next((x for x in self.layers if x.equal + x.rounded < x.total), None)


def frames(imported: Import, count: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random frames: what the file reads, (count, …), and the integers that the network reads."""
    rng = np.random.default_rng(seed)
    network, reading = imported.network, imported.reading
    size = int(np.prod(network.input.shape))
    count = max(1, min(count, 4 * NUMBERS // size))
    if reading.mode == "raw":
        element = network.input.element
        values = rng.integers(element.lo, element.hi, (count, size), endpoint=True)
        if not element.holds(0):
            values = np.where(values < 0, -1, 1)
        values[:1], values[1:2] = element.lo, element.hi
        return real(imported, values), values
    margin = (reading.hi - reading.lo) / 8
    flat = rng.uniform(reading.lo - margin, reading.hi + margin, (count, size))
    flat = flat.astype(imported.graph.input.dtype)
    return in_file(imported, flat), codes_of(imported, flat)


def codes_of(imported: Import, flat: np.ndarray) -> np.ndarray:
    """The network's input of real frames (frames, elements), in the network's order."""
    reading = imported.reading
    channels = imported.network.input.channels
    values = evaluate(reading.expression, flat.reshape(-1, channels), imported.operators)
    return np.rint(values / reading.step).astype(np.int64).reshape(flat.shape)


def real(imported: Import, integers: np.ndarray) -> np.ndarray:
    """What the file reads for raw frames (frames, …) of the network."""
    reading, dtype = imported.reading, imported.graph.input.dtype
    flat = integers.reshape(len(integers), -1)
    return in_file(imported, (reading.scale * flat + reading.offset).astype(dtype))


def in_file(imported, flat):
    """Frames in the network's order as the file's tensor."""
    shape = imported.graph.input.shape
    return flat[:, imported.where.reshape(-1)].reshape(len(flat), *shape[1:])


def check(imported: Import, inputs: np.ndarray, integers: np.ndarray, what: str,
          *, progress=lambda done: None) -> Check:
    """Compare the file on ``inputs`` with the network on ``integers``.

    Each layer is run on the integers that the file shows of the layers before it, so that a
    difference is told where it arises and nowhere else. The decisions are those of the network
    alone.
    """
    executor, network = Executor(imported), imported.network
    taps = {tap.layer: tap for tap in imported.taps}
    equal, rounded, total, first = Counter(), Counter(), Counter(), defaultdict(list)
    decisions = ties = 0
    largest = max(tensor.size for tensor in network.tensors.values())
    block = max(1, min(BLOCK, NUMBERS // largest))
    for start in range(0, len(inputs), block):
        x = integers[start:start + block].reshape(-1, *network.input.shape)
        seen = executor.run(inputs[start:start + block])
        tensors = {}
        for name, layer in zip(network.tensors, (None, *network.layers), strict=True):
            mine = network.step(layer, tensors) if layer else x
            tensors[name] = mine
            if name not in taps:
                continue
            theirs = _integers(network, taps[name], seen, mine)
            same = mine == theirs
            equal[name] += int(same.sum())
            total[name] += same.size
            if layer and not same.all():
                rounded[name] += int(_rounded(
                    imported, layer, taps[name], tensors, mine, theirs)[~same].sum())
            for place in np.argwhere(~same)[:SHOWN]:
                place = tuple(map(int, place))
                first[name].append(f"frame {start + place[0]}, element {place[1:]}: "
                                   f"{mine[place]} here, {theirs[place]:g} in the file")
            if not same.all() and np.isfinite(theirs).all() and (
                    network.tensors[name].element.holds(theirs)):
                tensors[name] = theirs.astype(np.int64)
        mine, theirs = network.run(x)[:, 0], _decided(imported, seen)
        if theirs is not None:
            decisions += int((mine == theirs).sum())
            ties += _ties(network, x, mine, theirs)
        else:
            decisions += len(x)
        progress(min(start + block, len(inputs)))
    return Check(what, executor.name, len(inputs), decisions, ties, tuple(
        Layer(name, taps[name].name, equal[name], rounded[name], total[name],
              tuple(first[name][:SHOWN])) for name in network.tensors if name in taps))


def _rounded(imported, layer, tap, tensors, mine, theirs):
    """Where the rounding of the file's own sums explains what it shows of a layer: it is what the
    file's operators make of a sum that is off by that, or a sum of its last digits."""
    explained = np.abs(mine - theirs) * WHOLE <= np.abs(mine)
    if tap.value is None:
        return explained
    source, = layer.inputs
    x = imported.network.tensors[source]
    noise = np.maximum(np.abs(x.lo), np.abs(x.hi)) / LAST
    k = tensors[source].reshape(-1, x.channels)

    def folded(off):
        """The layer's integers where the sums are off by so much."""
        value = changed(tap.value, lambda constant: constant, lambda each: Leaf(
            each.scale, each.offset + off * each.scale, each.dtype))
        with np.errstate(all="ignore"):
            n = np.rint((evaluate(value, k, imported.operators) - tap.offset) / tap.scale)
        return n.reshape(theirs.shape)

    return explained | (mine == folded(0)) & (
        (theirs == folded(noise)) | (theirs == folded(-noise)))


def _integers(network, tap, seen, mine):
    """The integers of a layer that the file shows, real numbers of the shape of ``mine``."""
    where = tap.where.reshape(-1)
    channel = where % network.tensors[tap.layer].channels
    scale, offset = (np.asarray(each)[channel] if np.ndim(each) else each
                     for each in (tap.scale, tap.offset))
    values = seen[tap.name].astype(np.float64).reshape(len(mine), -1)
    theirs = mine.reshape(len(mine), -1).astype(np.float64)     # what the file leaves out is equal
    with np.errstate(all="ignore"):
        theirs[:, where] = np.rint((values - offset) / scale)
    return theirs.reshape(mine.shape)


def _decided(imported, seen):
    """The class of each frame as the file decides; None where its output is values."""
    if imported.decision is None:
        return None
    name, level = imported.decision
    values = seen[name].reshape(len(seen[name]), -1)
    return np.argmax(values, axis=1) if level is None else values[:, 0] > level


def _ties(network, x, mine, theirs):
    """How many frames are decided otherwise between classes of equal integers."""
    last, other = network.layers[-1], mine != theirs
    if not isinstance(last, ArgMax) or not other.any():
        return 0
    logits = network.run(x[other], trace=True)[last.inputs[0]]
    frames = np.arange(len(logits))
    return int((logits[frames, mine[other]] == logits[frames, theirs[other]]).sum())


class Executor:
    """The file's own executor: ``run`` gives the tensors that its layers can be seen in."""
    def __init__(self, imported: Import):
        graph = imported.graph
        self.graph = graph
        self.names = sorted({tap.name for tap in imported.taps}
                            | ({imported.decision[0]} if imported.decision else set()))
        custom = any(node.domain in CUSTOM for node in graph.nodes)
        self.name = f"qonnx {metadata.version('qonnx')}" if custom else (
            f"onnxruntime {metadata.version('onnxruntime')}")
        self._run = self._qonnx if custom else self._onnxruntime
        self._prepared = {}             # models for qonnx, by number of frames
        self._together = True           # whether the file takes several frames at a time

    def run(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        """The tensors by name, (frames, …)."""
        if self._together:
            try:
                return self._run(inputs)
            except Exception as error:      # whatever an executor raises: one frame may do
                if len(inputs) == 1:
                    raise self._failed(error) from None
                self._together = False
        try:
            parts = [self._run(frame[None]) for frame in inputs]
        except Exception as error:
            raise self._failed(error) from None
        return {name: np.stack([part[name] for part in parts]) for name in self.names}

    def _failed(self, error):
        return ModelError(f"{self.name} cannot run the file: "
                          f"{(str(error).splitlines() or [type(error).__name__])[0][:200]}")

    def _model(self, frames):
        """A copy of the model for so many frames."""
        model = copy.deepcopy(self.graph.model)
        for value in (*model.graph.input, *model.graph.output):
            dims = value.type.tensor_type.shape.dim
            if value.name == self.graph.input.name and len(dims):
                dims[0].dim_value = frames
            elif value in model.graph.output and len(dims):
                value.type.tensor_type.ClearField("shape")
        del model.graph.value_info[:]
        return model

    def _onnxruntime(self, inputs):
        model = self._model(len(inputs))
        known = {value.name for value in model.graph.output}
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in self.names
                                  if name not in known)
        return self._checked(inputs, dict(zip(self.names, session(model).run(
            self.names, {self.graph.input.name: inputs}), strict=True)))

    def _qonnx(self, inputs):
        # Imported here: it takes seconds, and only files of this kind need it.
        from qonnx.core.onnx_exec import execute_onnx

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if len(inputs) not in self._prepared:
                self._prepared[len(inputs)] = self._prepare(len(inputs))
            context = execute_onnx(self._prepared[len(inputs)],
                                   {self.graph.input.name: inputs}, return_full_exec_context=True)
        return self._checked(inputs, {name: context[name] for name in self.names})

    def _prepare(self, frames):
        """The model as qonnx takes it."""
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.transformation.infer_shapes import InferShapes

        model = self._model(frames)
        for node in model.graph.node:
            if node.domain in CUSTOM:
                node.domain = CUSTOM[0]
            for attribute in node.attribute:
                if attribute.name == "rounding_mode" and attribute.s.upper() == b"ROUND_TO_ZERO":
                    attribute.s = b"DOWN"           # the same, under the name that qonnx knows
        if not any(entry.domain == CUSTOM[0] for entry in model.opset_import):
            version = max(entry.version for entry in model.opset_import
                          if entry.domain in CUSTOM) if any(
                entry.domain in CUSTOM for entry in model.opset_import) else 1
            model.opset_import.append(onnx.helper.make_opsetid(CUSTOM[0], version))
        return ModelWrapper(model).transform(InferShapes())

    def _checked(self, inputs, tensors):
        """The tensors, if they have a frame each for the inputs."""
        for name, value in tensors.items():
            if value.size % len(inputs) or (len(inputs) > 1 and len(value) != len(inputs)):
                raise ValueError(f"tensor {name!r} is not one a frame")
        return tensors
