"""The layers of images, and those that join several tensors."""
import math
from dataclasses import dataclass

import numpy as np

from sw import element, golden
from sw.element import Levels, Planes
from sw.layers import Layer, Tensor, Weighted, magnitude

SIZE = 2 ** 20      # the most that a kernel, a stride or a padding may be, and channels
LARGEST = 2 ** 24   # elements of a frame of one tensor, its padding included


@dataclass(frozen=True, eq=False)
class Conv2d(Weighted):
    """Convolution of an image: :func:`sw.golden.conv2d`.

    ``planes`` are (output channels, kh · kw · input channels / groups): a row is the kernel of one
    output channel, row by row, pixel by pixel and with the channels innermost. ``kernel`` and
    ``stride`` are (rows, columns), ``padding`` is (top, left, bottom, right), each less than the
    kernel. What stands there is ``pad_value``, an integer of 32 bits that need not be a value of
    the input's element: 0 around bipolar data is not bipolar. ``groups`` divide the channels on
    both sides; as many as there are input channels make it depthwise.

    Its range is exact, at the edges as well.
    """
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    pad_value: int = 0
    groups: int = 1

    def infer(self, x):
        rows, columns = self.checked_shape()
        height, width = _windows(x, self.kernel, self.stride, self.padding)
        if type(self.groups) is not int or self.groups < 1:
            raise ValueError(f"groups must be a positive integer, not {self.groups!r}")
        if x.channels % self.groups or rows % self.groups:
            raise ValueError(f"its groups must divide the channels that it reads and gives, but "
                             f"{self.groups} does not divide {x.channels} and {rows}")
        window = *self.kernel, x.channels // self.groups
        if columns != math.prod(window):
            raise ValueError(f"its weights have {columns} columns, but a window has "
                             f"{_sizes(window)} values")
        if type(self.pad_value) is not int or not -2 ** 31 <= self.pad_value < 2 ** 31:
            raise ValueError(f"pad_value must be an integer of 32 bits, not {self.pad_value!r}")
        shape = height.shape[1], width.shape[1], rows
        _check_size("its output", shape)
        pad = self.pad_value if any(self.padding) else 0
        self.check_sums(np.concatenate([x.lo, x.hi, [pad]]))
        lo, hi = self._extremes(x, np.unique(height, axis=1), np.unique(width, axis=1), pad)
        return Tensor(element.smallest(int(lo.min()), int(hi.max())), shape, lo, hi)

    def _extremes(self, x, height, width, pad):
        """The smallest and the largest sums of each row of weights, over all windows."""
        weights = self.weights.reshape(self.groups, -1, *self.kernel, x.channels // self.groups)
        at_lo, at_hi = (weights * end.reshape(self.groups, 1, 1, 1, -1) for end in (x.lo, x.hi))
        outside = pad * weights.sum(axis=-1)
        for ends, best in ((np.minimum(at_lo, at_hi), np.min), (np.maximum(at_lo, at_hi), np.max)):
            inside = _rectangles(ends.sum(axis=-1) - outside, height, width)
            sums = inside + outside.sum(axis=(2, 3), keepdims=True)
            yield best(sums, axis=(2, 3)).ravel()

    def run(self, x):
        return golden.conv2d(x, self.weights, kernel=self.kernel, stride=self.stride,
                             padding=self.padding, pad_value=self.pad_value, groups=self.groups)


@dataclass(frozen=True, eq=False)
class MaxPool(Layer):
    """The largest value in each window of an image, per channel: :func:`sw.golden.max_pool`.

    ``kernel`` and ``stride`` are (rows, columns), ``padding`` is (top, left, bottom, right), each
    less than the kernel. Padding is never the largest.
    """
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    def infer(self, x):
        height, width = _windows(x, self.kernel, self.stride, self.padding)
        return Tensor(x.element, (height.shape[1], width.shape[1], x.channels), x.lo, x.hi)

    def run(self, x):
        return golden.max_pool(x, kernel=self.kernel, stride=self.stride, padding=self.padding)


@dataclass(frozen=True, eq=False)
class SumPool(Layer):
    """The sum of each window of an image, per channel: :func:`sw.golden.sum_pool`.

    ``kernel`` and ``stride`` are (rows, columns), ``padding`` is (top, left, bottom, right), each
    less than the kernel. Padding counts as 0. An average is the same times a constant.
    """
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    def infer(self, x):
        height, width = _windows(x, self.kernel, self.stride, self.padding)
        rows, columns = height[1] - height[0], width[1] - width[0]
        least, most = int(rows.min() * columns.min()), int(rows.max() * columns.max())
        reach = most * magnitude(x.lo, x.hi)
        if reach >= 2 ** 61:
            raise ValueError(f"its sums may reach {reach}, beyond the 62 bits of an element")
        lo, hi = np.minimum(least * x.lo, most * x.lo), np.maximum(least * x.hi, most * x.hi)
        return Tensor(element.smallest(int(lo.min()), int(hi.max())),
                      (len(rows), len(columns), x.channels), lo, hi)

    def run(self, x):
        return golden.sum_pool(x, kernel=self.kernel, stride=self.stride, padding=self.padding)


@dataclass(frozen=True, eq=False)
class Add(Layer):
    """The sum of two or more tensors of one shape: :func:`sw.golden.add`.

    Its range is only a bound where the tensors depend on each other.
    """
    joins = True

    def infer(self, *xs):
        for x in xs:
            if x.shape != xs[0].shape:
                raise ValueError(f"what it adds must have one shape, not {xs[0]} and {x}")
        reach = sum(magnitude(x.lo, x.hi) for x in xs)
        if reach >= 2 ** 61:
            raise ValueError(f"its sums may reach {reach}, beyond the 62 bits of an element")
        lo, hi = sum(x.lo for x in xs), sum(x.hi for x in xs)
        return Tensor(element.smallest(int(lo.min()), int(hi.max())), xs[0].shape, lo, hi)

    def run(self, *xs):
        return golden.add(*xs)


@dataclass(frozen=True, eq=False)
class Concat(Layer):
    """The channels of two or more tensors, one after the other: :func:`sw.golden.concat`.

    Its element is theirs where they all have one, else the smallest integer that holds all values.
    """
    joins = True

    def infer(self, *xs):
        kind = xs[0].element
        for x in xs:
            if x.shape[:-1] != xs[0].shape[:-1]:
                raise ValueError(f"what it joins must be alike but in channels, not {xs[0]} and "
                                 f"{x}")
            if x.element != kind and any(isinstance(other, Levels | Planes)
                                         for other in (kind, x.element)):
                raise ValueError(f"it cannot join {kind} and {x.element}, whose codes differ; "
                                 f"make both one element by a Lookup")
        shape = *xs[0].shape[:-1], sum(x.channels for x in xs)
        _check_size("its output", shape)
        lo, hi = np.concatenate([x.lo for x in xs]), np.concatenate([x.hi for x in xs])
        if any(x.element != kind for x in xs):
            kind = element.smallest(int(lo.min()), int(hi.max()))
        return Tensor(kind, shape, lo, hi)

    def run(self, *xs):
        return golden.concat(*xs)


@dataclass(frozen=True, eq=False)
class Flatten(Layer):
    """An image as a vector of height · width · channels: :func:`sw.golden.flatten`."""

    def infer(self, x):
        _image(x)
        _check_size("its output", (x.size,))
        pixels = x.size // x.channels
        return Tensor(x.element, (x.size,), np.tile(x.lo, pixels), np.tile(x.hi, pixels))

    def run(self, x):
        return golden.flatten(x)


def _windows(x, kernel, stride, padding):
    """The parts of the windows on the image ``x`` that are inside it, along each of its two axes.

    Each is (2, places), of the first row (or column) of the kernel inside and the one after the
    last. Raises ValueError when there can be no such windows.
    """
    _image(x)
    _check_numbers("kernel", kernel, 2, 1)
    _check_numbers("stride", stride, 2, 1)
    _check_numbers("padding", padding, 4, 0)
    padded = [size + padding[axis] + padding[axis + 2] for axis, size in enumerate(x.shape[:2])]
    for axis, what in enumerate(("rows", "columns")):
        if max(padding[axis::2]) >= kernel[axis]:
            raise ValueError(f"its kernel has {kernel[axis]} {what}, but its padding "
                             f"{max(padding[axis::2])}, so that some windows would be nothing "
                             f"but padding; pad by less")
        if kernel[axis] > padded[axis]:
            raise ValueError(f"its kernel has {kernel[axis]} {what}, but its padded input only "
                             f"{padded[axis]}")
    _check_size("its padded input", (*padded, x.channels))
    for axis in range(2):
        start = np.arange(0, padded[axis] - kernel[axis] + 1, stride[axis]) - padding[axis]
        yield np.stack([np.maximum(-start, 0), np.minimum(x.shape[axis] - start, kernel[axis])])


def _rectangles(taps, height, width):
    """Sums of taps (groups, rows, kh, kw) over each rectangle of two lists of ranges, (2, places).

    They are (groups, rows, places along the height, places along the width).
    """
    total = np.pad(taps, ((0, 0), (0, 0), (1, 0), (1, 0))).cumsum(axis=2).cumsum(axis=3)
    strips = total[:, :, height[1]] - total[:, :, height[0]]
    return strips[..., width[1]] - strips[..., width[0]]


def _image(x):
    if len(x.shape) != 3:
        raise ValueError(f"it reads height, width and channels, but its input is {x}")


def _check_numbers(what, numbers, count, least):
    if (not isinstance(numbers, tuple) or len(numbers) != count
            or not all(type(number) is int and least <= number <= SIZE for number in numbers)):
        raise ValueError(f"{what} must be {count} integers of {least} to 2^20, "
                         f"not {str(numbers)[:80]}")


def _check_size(what, shape):
    if shape[-1] > SIZE or math.prod(shape) > LARGEST:
        raise ValueError(f"{what} has {_sizes(shape)} elements; a tensor has no more than 2^24, "
                         f"and 2^20 channels")


def _sizes(shape):
    return " × ".join(map(str, shape))
