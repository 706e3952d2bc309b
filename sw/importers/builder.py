"""The network under construction, and what is known of each tensor of the file."""
import math
import re
from dataclasses import replace

import numpy as np

from sw.importers import folding, inputs
from sw.importers.expression import affine, evaluate, leaf, steps
from sw.importers.onnx_file import Graph, ModelError, Node
from sw.importers.operators import Operators
from sw.importers.signal import Decision, Integers, Signal, Tap
from sw.network import Flatten, Layer, Tensor

# Words that exporters put into every name.
NOISE = ("export_handler", "act_quant", "activation_impl", "weight_quant", "tensor_quant", "node")
ROUNDED = 2 ** 24           # of a scale: a larger bias leaves nothing of it in a float32


class Builder:
    """Layers made so far, and the file's tensors: constants, or signals over these layers.

    ``became`` says of each node what became of it. Every module of this package that handles
    operators does so by functions of a builder and a node.
    """
    def __init__(self, graph: Graph, dataset: str | None):
        self.graph = graph
        self.dataset = dataset
        self.operators = Operators(graph.opset)
        self.constants = dict(graph.constants)
        self.parts = {}         # constants that are sums: name → summands
        self.most = {}          # quantized constants: name → largest value of the quantizer
        self.used = _used(graph)
        self.spent = 0          # elements of constants that operators made
        self.signals: dict[str, Signal | Decision] = {}
        self.layers: list[Layer] = []
        self.tensors: dict[str, Tensor] = {}
        self.taps: list[Tap] = []
        self.became: dict[Node, str] = {}
        self.notes: list[str] = []
        self.folded = {}        # (source, id of the expression) → Integers, and their signal

    def channels(self, signal):
        """How many channels the source of a signal has; the real input's before it is read."""
        return self.tensors[signal.source].channels if signal.source in self.tensors else (
            self.shape[-1])

    def dtype(self, signal):
        """The type of a signal's values in the file."""
        none = np.zeros((1, self.channels(signal)), np.int64)
        return evaluate(signal.value, none, self.operators).dtype

    def constant(self, node, k, what):
        """Input ``k`` of a node, which must be constant; None if it is left out."""
        if k >= len(node.inputs) or not node.inputs[k]:
            return None
        if node.inputs[k] not in self.constants:
            raise ModelError(f"{node}: its {what} {node.inputs[k]!r} is computed from the input; "
                             f"hardware needs it constant")
        return self.constants[node.inputs[k]]

    def give(self, node, signal, became=None):
        """Make ``signal`` the output of a node, and note what became of the node."""
        self.signals[node.outputs[0]] = replace(signal, name=node.outputs[0])
        if became:
            self.became[node] = became

    def name(self, node, suffix=""):
        """A layer name for a node: its own, made an identifier, and not twice; for a layer beside
        the node's own with a suffix."""
        words = [word for word in re.split(r"\W+", node.name, flags=re.ASCII)
                 if word and word not in (*NOISE, node.op)]
        if not words or not words[0][0].isalpha():
            words.insert(0, node.op)
        plain = re.sub(r"^[^A-Za-z]+", "", "_".join(words))[:80] or "layer"
        return self.free(f"{plain}_{suffix}" if suffix else plain)

    def free(self, plain):
        """The name, with a number behind it if a layer has it already."""
        name, count = plain, 2
        while name in self.tensors or name == "input":
            name, count = f"{plain}_{count}", count + 1
        return name

    def add(self, layer):
        """Append a layer; returns its name."""
        try:
            tensor = layer.infer(*(self.tensors[name] for name in layer.inputs))
        except ValueError as error:
            raise ModelError(f"as layer {layer.name} ({type(layer).__name__}): {error}") from None
        self.layers.append(layer)
        self.tensors[layer.name] = tensor
        return layer.name

    def tap(self, layer, signal, scale, offset, value=None):
        """Remember where the file shows the integers of a layer: :class:`Tap`."""
        if not (np.abs(offset) <= np.abs(scale) * ROUNDED).all():
            raise ModelError(f"tensor {signal.name!r} is a sum of multiples of "
                             f"{np.min(np.abs(scale)):.3g} and a bias of "
                             f"{np.max(np.abs(offset)):.3g}, in which they are lost by rounding")
        self.taps.append(Tap(layer, signal.name, signal.where, np.asarray(scale),
                             np.asarray(offset), value))

    def integers(self, signal, node):
        """The signal as integers, for ``node``: folded into a layer unless it is affine."""
        if signal.source not in self.tensors:
            raise inputs.unquantized(self, signal)
        key = signal.source, id(signal.value)
        if key not in self.folded:
            plain = affine(signal.value)
            if plain is not None and np.all(plain[0] != 0):
                found = Integers(signal.source, signal.where, *plain)
                for step in steps(signal.value):
                    self.became.setdefault(step.node, f"taken into account by {node.op} "
                                                      f"{node.name}")
            else:
                found = folding.fold(self, signal, node)
            self.folded[key] = found, signal        # the signal keeps the id from being reused
        found = self.folded[key][0]
        return replace(found, where=signal.where)

    def result(self, node, name, where, scale, offset, dtype, *, count=1):
        """Give the result of a node by layer ``name``, which the file divides by ``count``."""
        if np.dtype(dtype).kind == "f":
            tensor, limits = self.tensors[name], np.finfo(dtype)
            most = count * (np.maximum(np.abs(tensor.lo), np.abs(tensor.hi)) * np.abs(scale)
                            + np.abs(offset)).max()
            if not most < limits.max or np.min(np.abs(scale)) < limits.tiny:
                raise ModelError(f"{node}: its sums are multiples of {np.min(np.abs(scale)):.3g} "
                                 f"up to {most:.3g}, which {np.dtype(dtype)} does not hold; "
                                 f"scale its weights")
        signal = Signal(node.outputs[0], name, where, leaf(scale, offset, dtype))
        self.signals[node.outputs[0]] = signal
        self.became[node] = f"{type(self.layers[-1]).__name__} {name}"
        self.tap(name, signal, scale, offset)

    def less(self, x, zero):
        """The integers with a zero point of the file taken off."""
        if zero is None:
            return x
        if zero.size != 1:
            raise ModelError("its input has several zero points; use one")
        return replace(x, offset=x.offset - float(zero.reshape(())))

    def flat(self, node, x):
        """A (height, width, channels) tensor as one of a single axis."""
        tensor = self.tensors[x.source]
        name = next((layer.name for layer in self.layers
                     if isinstance(layer, Flatten) and layer.inputs == (x.source,)), None)
        if name is None:
            name = self.add(Flatten(self.free(f"{x.source}_flat"), (x.source,)))
        copies = math.prod(tensor.shape[:-1])
        return Integers(name, x.where, *(np.tile(each, copies) if each.ndim else each
                                         for each in (x.scale, x.offset)))


def _used(graph):
    """The tensors that the outputs of a graph depend on."""
    names = set(graph.outputs)
    for node in reversed(graph.nodes):
        if names & set(node.outputs):
            names |= set(filter(None, node.inputs))
    return names
