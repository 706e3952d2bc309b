"""Convolutional and branched networks as files, for the tests of importers."""
import warnings

import numpy as np
import onnx

from sw.importers import check
from sw.importers.qonnx import load
from tests.sw.importers import models

FRAMES = 120
HIDDEN = "Affine", "Flatten", "ArgMax"      # layers that prepare others, not to be seen in a file


class Net(models.Model):
    """A graph under construction, of images (1, channels, height, width) unless told otherwise."""
    def __init__(self, *shape, seed=0, opset=13, **options):
        super().__init__(*shape, opset=opset, custom=1, **options)
        self.rng = np.random.default_rng(seed)

    def weights(self, *shape, levels=4):
        """Random eighths, of more levels than one plane of signs has."""
        values = self.rng.integers(1 - levels, levels, shape)
        values.flat[:2] = levels - 1, 2 - levels
        return values.astype(np.float32) / 8

    def bias(self, count):
        return self.rng.integers(-9, 9, count).astype(np.float32) / 32

    def conv(self, x, inputs, outputs, kernel=(3, 3), *, bias=False, group=1, **attributes):
        w = self.weights(outputs, inputs // group, *kernel)
        more = [self.bias(outputs)] if bias else []
        return self("Conv", x, w, *more, group=group, **attributes)

    def relu(self, x, scale=0.25, bits=3):
        return self.quant(self("Relu", x), scale, bits, signed=0)

    def unlike(self, x, outputs=4):
        """Plus numbers that let no two sums be equal, which floating point would order anyhow."""
        return self("Add", x, self.rng.uniform(-1, 1, outputs).astype(np.float32))

    def stored(self, x, scale=0.25):
        """Rounded to integers that onnxruntime knows as well."""
        q = self("QuantizeLinear", x, np.float32(scale), np.int8(0))
        return self("DequantizeLinear", q, np.float32(scale), np.int8(0))

    def dense(self, x, inputs, outputs=4):
        return self("MatMul", x, self.weights(inputs, outputs))

    def head(self, x, inputs, outputs=4):
        """Flatten and a dense layer: a network's end."""
        return self.dense(self("Flatten", x), inputs, outputs)

    def norm(self, x, channels, falling=True):
        """BatchNormalization, of every other channel with a negative gamma."""
        gamma = self.rng.integers(1, 5, channels) / np.float32(4)
        gamma[1::2] *= -1 if falling else 1
        return self("BatchNormalization", x, gamma.astype(np.float32), self.bias(channels),
                    self.bias(channels), np.full(channels, 0.25, np.float32), epsilon=1e-9)

    def load(self, folder, output, **options):
        """The import of the graph that ends in ``output``."""
        return load(self.save(folder, output), **options)

    def same(self, folder, output, types=None, *, hidden=(), **options):
        """The import, equal to the file in every integer, made of layers of these ``types``."""
        return same(self.load(folder, output, **options), types, hidden)


def exported(module, shape, folder, **how):
    """The QONNX file of a Brevitas module that reads tensors of ``shape``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from brevitas.export import export_qonnx

        export_qonnx(module.eval(), torch.zeros(shape), str(folder / "net.onnx"), **how)
    return folder / "net.onnx"


def same(imported, types=None, hidden=()):
    """The import, equal to its file on random and edge frames; each layer is seen in the file, but
    those of the types ``hidden``."""
    models.compared(imported, FRAMES)
    if types is not None:
        assert models.types(imported) == types, models.types(imported)
    seen = {tap.layer for tap in imported.taps}
    for layer in imported.network.layers:
        assert layer.name in seen or type(layer).__name__ in {*HIDDEN, *hidden} or (
            layer.name.endswith(("_order", "_ordered"))), f"{layer.name} is not compared"
    varied(imported)
    return imported


def varied(imported):
    """Assert that the layers give other integers for other frames, or all would be equal."""
    _, integers = check.frames(imported, FRAMES)
    tensors = imported.network.run(integers.reshape(len(integers), -1), trace=True)
    for name, values in tensors.items():
        if name not in ("class", imported.network.layers[-1].name):
            assert len(np.unique(values.reshape(len(values), -1), axis=0)) > 1, name


def saved(model, folder):
    """The path that a model is written to."""
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx"
