"""The integer network: a DAG of frozen layers, executable, saved as one ``.npz`` file.

This is the waist of the project: training and importers end here, the golden model *is*
:meth:`Network.run`, and hardware is planned from here. All its arithmetic is on integers. The
layers, in :mod:`sw.layers`, :mod:`sw.activation_layers` and :mod:`sw.spatial_layers`, are at hand
here as well.
"""
import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from sw import network_file, npz
from sw.activation_layers import Lookup, Requantize, ResidualBinarize, Threshold
from sw.element import UInt
from sw.layers import Affine, ArgMax, Dense, Layer, Select, Tensor, XnorNetDense
from sw.spatial_layers import Add, Concat, Conv2d, Flatten, MaxPool, SumPool

__all__ = ["Add", "Affine", "ArgMax", "Concat", "Conv2d", "Dense", "Flatten", "Layer", "Lookup",
           "MaxPool", "Network", "NetworkError", "Requantize", "ResidualBinarize", "Select",
           "SumPool", "Tensor", "Threshold", "XnorNetDense"]

BLOCK = 1000        # frames that run at a time: their tensors stay in the processor's cache
VALUES = 2 ** 24    # that the tensors of these frames may hold: of large frames fewer run at a time
LARGEST = 2 ** 26   # elements that the tensors of a network may have, one frame of each


class NetworkError(ValueError):
    """What is wrong with a network, naming the layer."""


@dataclass(frozen=True, eq=False)
class Network:
    """An integer network.

    ``input`` is the tensor that it reads, ``layers`` are in topological order and the last one is
    the output, ``labels`` name its classes, ``provenance`` records where it came from (plain JSON
    data; not part of the digest). Construction checks everything and derives every tensor.

    Raises :exc:`NetworkError` naming the layer and what is wrong.
    """
    name: str
    input: Tensor
    layers: tuple[Layer, ...]
    labels: tuple[str, ...] = ()
    provenance: dict = field(default_factory=dict)

    def __post_init__(self):
        if not re.fullmatch(r"\w[\w.-]*", self.name, re.ASCII):
            raise NetworkError(f"network {self.name!r}: a name is letters, digits, '_', '-', '.'")
        if not self.layers:
            raise NetworkError(f"network {self.name}: it has no layers")
        if self.input.element.bits > 32:
            raise NetworkError(f"network {self.name}: its input has {self.input.element.bits} "
                               f"bits an element, more than 32")
        if len(self.input.shape) not in (1, 3) or min(self.input.shape) < 1:
            raise NetworkError(f"network {self.name}: its input's shape must be one size, or "
                               f"height, width and channels, not {self.input.shape}")
        for label in self.labels:
            if not label.isprintable():
                raise NetworkError(f"network {self.name}: label {label!r} is not printable")
        last = self.layers[-1]
        classes = self.tensors[last.name].hi[0] + 1
        if isinstance(last, ArgMax) and self.labels and len(self.labels) != classes:
            raise NetworkError(f"network {self.name}: it has {len(self.labels)} labels for "
                               f"{classes} classes")

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by the name of the layer that gives it; ``input`` is the network's."""
        tensors, size = {"input": self.input}, self.input.size
        for layer in self.layers:
            if not re.fullmatch(r"[A-Za-z]\w*", layer.name, re.ASCII):
                raise NetworkError(f"layer {layer.name!r}: a name is letters, digits and '_'")
            if layer.name in tensors:
                raise NetworkError(f"layer {layer.name}: another layer has the same name")
            count = len(layer.inputs)
            if count < 2 if layer.joins else count != 1:
                wanted = "two or more layers" if layer.joins else "one layer"
                raise NetworkError(f"layer {layer.name}: a {type(layer).__name__} reads {wanted}, "
                                   f"not {count}")
            for source in layer.inputs:
                if source not in tensors:
                    raise NetworkError(f"layer {layer.name}: it reads {source!r}, which is no "
                                       f"earlier layer")
            try:
                tensors[layer.name] = layer.infer(*(tensors[name] for name in layer.inputs))
            except ValueError as error:
                raise NetworkError(f"layer {layer.name}: {error}") from error
            size += tensors[layer.name].size
            if size > LARGEST:
                raise NetworkError(f"layer {layer.name}: with it the tensors of a frame have "
                                   f"{size} elements, more than {LARGEST}; make images smaller")
        return tensors

    @property
    def decides(self) -> bool:
        """Whether it gives a class index: ends in ArgMax, or in one unsigned integer."""
        last = self.tensors[self.layers[-1].name]
        return last.shape == (1,) and isinstance(last.element, UInt)

    def run(self, x: np.ndarray, *, trace: bool = False):
        """The golden model: what hardware made from this network must compute.

        ``x`` is a batch of frames of integers, (frames, …), each reshaped to the input's shape in
        row-major order; images of three axes must have that shape already.
        Returns the last layer's output (frames, …, channels), or with ``trace`` every tensor by
        name, always the integers that codes stand for: bipolar values are −1 and +1.

        Raises TypeError or ValueError when ``x`` is no batch of this network's input.
        """
        x = np.asarray(x)
        if x.dtype.kind not in "iu":
            raise TypeError(f"network {self.name} reads integers, not {x.dtype}")
        other_order = len(self.input.shape) == 3 and x.ndim == 4 and x.shape[1:] != self.input.shape
        if x.ndim < 2 or x[0:1].size != self.input.size and len(x) or other_order:
            raise ValueError(f"network {self.name} reads frames of {self.input}, "
                             f"not an array of shape {x.shape}")
        x = x.reshape(len(x), *self.input.shape)
        if not self.input.element.holds(x):
            raise ValueError(f"network {self.name} reads {self.input.element} values, "
                             f"not {x.min()} … {x.max()}")
        size = sum(tensor.size for tensor in self.tensors.values())
        count = min(BLOCK, max(1, VALUES // size))
        blocks = [self._run(x[k:k + count], trace) for k in range(0, max(len(x), 1), count)]
        if trace:
            return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
        return np.concatenate(blocks)

    def _run(self, x, trace):
        tensors = {"input": x}
        for layer in self.layers:
            tensors[layer.name] = self.step(layer, tensors)
        return tensors if trace else tensors[self.layers[-1].name]

    def step(self, layer: Layer, tensors: dict[str, np.ndarray]) -> np.ndarray:
        """What one layer makes of the values of those before it, by name."""
        values = [tensors[source] for source in layer.inputs]
        if layer.reads_codes:
            values = [self.tensors[source].element.encode(x)
                      for source, x in zip(layer.inputs, values, strict=True)]
        return layer.run(*values)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of everything that the network computes; provenance and name apart."""
        header, arrays = network_file.encode(self)
        for key in ("provenance", "name", "format", "schema"):
            del header[key]
        digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
        for key in sorted(arrays):
            array = arrays[key].astype("<i8")
            digest.update(f"{key}{array.shape}".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()

    def save(self, path) -> None:
        """Write the network as one ``.npz`` file; it appears complete or not at all."""
        header, arrays = network_file.encode(self)
        npz.write(path, header, arrays)

    @classmethod
    def load(cls, path) -> "Network":
        """Read a network; executes nothing. Raises :exc:`NetworkError` naming file and fault."""
        try:
            header, arrays = npz.read(path)
            return cls(*network_file.decode(header, arrays))
        except ValueError as error:
            raise NetworkError(f"{path}: {error}") from error
