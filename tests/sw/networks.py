"""Small networks on every kind of element, and all their frames."""
import itertools

import numpy as np

from sw.element import Bipolar, Int, Levels, Planes, Pow2, Ternary, UInt
from sw.network import Network, Tensor

ELEMENTS = [Bipolar(), Ternary(), UInt(1), UInt(2), Int(1), Int(2), Pow2(1), Pow2(3),
            Levels((7,)), Levels((-9, 40, 3)), Planes((1, 2)), Planes((-5, 3, 3))]


def network(*layers, element, channels=2, **options):
    return Network("net", Tensor.full(element, (channels,)), layers, **options)


def every_frame(element, channels=2):
    values = element.decode(element.codes())
    return np.array(list(itertools.product(values.tolist(), repeat=channels)))


def ranges_are_exact(net):
    """Assert it of every tensor of a network, over all frames."""
    for name, values in net.run(every_frame(net.input.element, net.input.channels),
                                trace=True).items():
        tensor = net.tensors[name]
        assert values.shape[1:] == tensor.shape
        assert tensor.element.holds(values)
        assert (tensor.lo.dtype, tensor.hi.dtype) == (np.int64, np.int64)
        assert tensor.lo.tolist() == values.min(axis=0).tolist()
        assert tensor.hi.tolist() == values.max(axis=0).tolist()
