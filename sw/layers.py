"""The layers of an integer network, and the tensors between them."""
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sw import alphabet, element, golden
from sw.alphabet import Codebook, Vectors
from sw.element import Bipolar, Element
from sw.planes import Plane

EXPANDED = 2 ** 26  # weights that a plane may have whose codes stand for vectors of them


@dataclass(frozen=True, eq=False)
class Tensor:
    """What a layer gives, one frame of it: element type, shape and exact range per channel.

    ``shape`` is (channels,), or (height, width, channels) of an image. ``lo`` and ``hi`` are
    (channels,). A layer for which they are only bounds says so.
    """
    element: Element
    shape: tuple[int, ...]
    lo: np.ndarray
    hi: np.ndarray

    @classmethod
    def full(cls, element: Element, shape: tuple[int, ...]) -> "Tensor":
        """A tensor that may hold every value of its element type."""
        ones = np.ones(shape[-1], np.int64)
        return cls(element, shape, ones * element.lo, ones * element.hi)

    def __str__(self):
        return f"{self.element}[{', '.join(map(str, self.shape))}]"

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    def size(self) -> int:
        """Elements of a frame."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer: its ``name`` and the names of the layers it reads (``input`` is the network's)."""
    name: str
    inputs: tuple[str, ...]

    reads_codes = False     # whether ``run`` takes the raw codes of values, not these themselves
    joins = False           # whether it reads two or more layers, not one

    def infer(self, *xs: Tensor) -> Tensor:
        """The tensor that the layer makes of those it reads; raises ValueError when it cannot."""
        raise TypeError(f"{type(self).__name__} is not a layer")

    def run(self, *xs: np.ndarray) -> np.ndarray:
        """The layer's golden function on a batch of frames of each tensor that it reads."""
        raise TypeError(f"{type(self).__name__} is not a layer")


@dataclass(frozen=True, eq=False)
class Select(Layer):
    """Keep some channels (a crop): :func:`sw.golden.select`. ``indices`` is (kept channels,)."""
    indices: np.ndarray

    def infer(self, x):
        integers("indices", self.indices, 1)
        if self.indices.min() < 0 or self.indices.max() >= x.channels:
            raise ValueError(f"indices reach from {self.indices.min()} to {self.indices.max()}, "
                             f"but its input has channels 0 to {x.channels - 1}")
        return Tensor(x.element, (*x.shape[:-1], len(self.indices)), x.lo[self.indices],
                      x.hi[self.indices])

    def run(self, x):
        return golden.select(x, self.indices)


@dataclass(frozen=True, eq=False)
class Weighted(Layer):
    """A layer with a matrix of weights, ``Σ_k coefficients_k · codes_k``."""
    planes: tuple[Plane, ...]

    @cached_property
    def weights(self) -> np.ndarray:
        """The weights as integers, (rows, columns)."""
        return sum(plane.values().astype(np.int64) for plane in self.planes)

    def checked_shape(self) -> tuple[int, int]:
        """Rows and columns of the weights; raises ValueError unless the planes make integers."""
        for plane in self.planes:
            _check_plane(plane)
        shapes = {plane.shape for plane in self.planes}
        if len(shapes) != 1:
            raise ValueError(f"its planes must have one shape, not {sorted(shapes)}")
        largest = int(sum(_reach(plane) for plane in self.planes).max())
        if largest >= golden.EXACT:
            raise ValueError(f"its weights may reach {largest}, beyond the exact 2**53")
        return shapes.pop()

    def check_sums(self, values: np.ndarray) -> None:
        """Raises ValueError unless the weights' sums of such values are exact."""
        reach = golden.reach(values, self.weights)
        if reach >= golden.EXACT:
            raise ValueError(f"its sums may reach {reach}, beyond the exact 2**53")


@dataclass(frozen=True, eq=False)
class Dense(Weighted):
    """Matrix-vector product with the weights: :func:`sw.golden.dense`."""

    def infer(self, x):
        one_axis(x)
        rows, columns = self.checked_shape()
        if columns != x.channels:
            raise ValueError(f"its weights have {columns} columns, but its input has "
                             f"{x.channels} channels")
        self.check_sums(np.stack([x.lo, x.hi]))
        at_lo, at_hi = self.weights * x.lo, self.weights * x.hi
        lo = np.minimum(at_lo, at_hi).sum(axis=1)
        hi = np.maximum(at_lo, at_hi).sum(axis=1)
        return Tensor(element.smallest(int(lo.min()), int(hi.max())), (rows,), lo, hi)

    @cached_property
    def matrix(self) -> golden.Matrix:
        """The weights made ready for products."""
        return golden.Matrix(self.weights)

    def run(self, x):
        return golden.dense(x, self.matrix)


@dataclass(frozen=True, eq=False)
class XnorNetDense(Dense):
    """XNOR-Net's product: signs, and the magnitude of the frame: :func:`sw.golden.xnor_net`.

    Its range is exact if the values of each channel reach as far below 0 as above, or if none
    takes both signs; otherwise it may be too wide, because signs and magnitude are bounded apart.
    """
    def sums(self, x: Tensor) -> Tensor:
        """The sums before they are scaled: weights times signs."""
        one_axis(x)
        return super().infer(Tensor(Bipolar(), x.shape, np.where(x.lo < 0, -1, 1),
                                    np.where(x.hi < 0, -1, 1)))

    def scale(self, x: Tensor) -> tuple[int, int]:
        """The least and the greatest K, the sum of the magnitudes of a frame of ``x``."""
        least = np.maximum(np.maximum(x.lo, -x.hi), int(isinstance(x.element, Bipolar)))
        most = np.maximum(-x.lo, x.hi)
        return tuple(int(each.astype(np.float64).sum()) for each in (least, most))

    def infer(self, x):
        sums = self.sums(x)
        least, most = self.scale(x)
        largest = most * max(1, golden.reach(np.ones(1, np.int64), self.weights))
        if largest >= golden.EXACT:
            raise ValueError(f"its values may reach {largest}, beyond the exact 2**53")
        ends = np.stack([least * sums.lo, most * sums.lo, least * sums.hi, most * sums.hi])
        lo, hi = ends.min(axis=0), ends.max(axis=0)
        return Tensor(element.smallest(int(lo.min()), int(hi.max())), sums.shape, lo, hi)

    def run(self, x):
        return golden.xnor_net(x, self.weights)


@dataclass(frozen=True, eq=False)
class Affine(Layer):
    """A product and a sum per channel: :func:`sw.golden.affine`.

    ``coefficients`` and ``offset`` are (channels,).
    """
    coefficients: np.ndarray
    offset: np.ndarray

    def infer(self, x):
        per_channel(x, coefficients=self.coefficients, offset=self.offset)
        reach = magnitude(x.lo, x.hi) * magnitude(self.coefficients) + magnitude(self.offset)
        if reach >= 2 ** 61:
            raise ValueError(f"its values may reach {reach}, beyond the 62 bits of an element")
        ends = golden.affine(np.stack([x.lo, x.hi]), self.coefficients, self.offset)
        lo, hi = ends.min(axis=0), ends.max(axis=0)
        return Tensor(element.smallest(int(lo.min()), int(hi.max())), x.shape, lo, hi)

    def run(self, x):
        return golden.affine(x, self.coefficients, self.offset)


@dataclass(frozen=True, eq=False)
class ArgMax(Layer):
    """The decision: :func:`sw.golden.argmax`, one class index a frame."""

    def infer(self, x):
        one_axis(x)
        return Tensor(element.smallest(0, x.channels - 1), (1,), np.zeros(1, np.int64),
                      np.full(1, x.channels - 1))

    def run(self, x):
        return golden.argmax(x)[:, None]


def _check_plane(plane: Plane) -> None:
    """Raises ValueError when the numbers of a plane are not what a layer computes with."""
    if not isinstance(plane, Plane):
        raise ValueError("it holds a product of planes; make it two layers")
    match plane.alphabet:
        case Codebook(table) | Vectors(table):
            if table.dtype.kind not in "iu":
                raise ValueError(f"a plane's table must hold integers, not {table.dtype}; use "
                                 f"Quantized.network_weights")
            rows, columns = plane.shape
            if isinstance(plane.alphabet, Vectors) and rows * columns > EXPANDED:
                raise ValueError(f"a plane of vectors stands for {rows} × {columns} weights, more "
                                 f"than {EXPANDED}")
        case alphabet.Pow2(powers) if powers > 53:
            raise ValueError(f"a plane's powers reach 2^{powers - 1}, beyond the exact 2^53")
    coefficients = plane.coefficients
    if coefficients.ndim != 1 or coefficients.dtype.kind not in "iu":
        raise ValueError(f"a plane's coefficients are one integer a row, not {coefficients.dtype} "
                         f"of shape {coefficients.shape}; use Quantized.network_weights")
    large = (coefficients < -2 ** 31) | (coefficients >= 2 ** 31)
    if large.any():
        raise ValueError(f"a plane's coefficients have 32 bits, but that of row "
                         f"{int(np.argmax(large))} is {coefficients[np.argmax(large)]}")
    if not coefficients.any():
        raise ValueError("a plane's coefficients are all zero; leave the plane out")


def _reach(plane: Plane) -> np.ndarray:
    """The largest magnitude of each row of a plane, as float64: exact below 2^53."""
    values = plane.alphabet.decode(plane.codes).astype(np.float64)
    return np.abs(values).max(axis=1) * np.abs(plane.coefficients.astype(np.float64))


def integers(what: str, array: np.ndarray, rank: int) -> None:
    """Raises ValueError unless ``array`` is one of integers, of ``rank`` axes and not empty."""
    if array.dtype.kind not in "iu":
        nan = ", and hold NaN" if array.dtype.kind == "f" and np.isnan(array).any() else ""
        raise ValueError(f"{what} must be integers; they are {array.dtype}{nan}")
    if array.ndim != rank or not array.size:
        raise ValueError(f"{what} must have {rank} axes and not be empty; "
                         f"their shape is {array.shape}")


def one_axis(x: Tensor) -> None:
    """Raises ValueError unless a frame of ``x`` is a vector."""
    if len(x.shape) != 1:
        raise ValueError(f"it reads one axis, but its input is {x}; flatten it first")


def per_channel(x: Tensor, **arrays: np.ndarray) -> None:
    """Raises ValueError unless each array holds one integer for each channel of ``x``."""
    for what, array in arrays.items():
        integers(what, array, 1)
        if len(array) != x.channels:
            raise ValueError(f"{what} must be one a channel of its input, {x.channels}, "
                             f"not {len(array)}")


def magnitude(*arrays: np.ndarray) -> int:
    """The largest magnitude in arrays of integers."""
    return max(max(-int(array.min()), int(array.max())) for array in arrays)
