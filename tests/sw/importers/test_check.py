"""The comparison of an import with its file: what it finds, and what it makes of rounding."""
from dataclasses import replace

import numpy as np
import pytest

from sw.importers import check
from sw.importers.qonnx import load
from sw.network import Network, Threshold
from tests.sw.importers.models import Model, weights


def model(scale):
    """A layer of 4-bit activations on sums whose steps, for a scale that is no power of two, are
    rounded in the file."""
    m = Model(1, 32)
    x = m.quant(m.input, scale, 8)
    x = m("Gemm", x, weights(24, 32) * np.float32(scale / 2), transB=1)
    x = m.quant(m("Relu", x), 2 * scale, 4, signed=0)
    return m, m("Gemm", x, weights(5, 24) * np.float32(scale / 2), transB=1)


@pytest.fixture
def imported(tmp_path):
    m, output = model(0.125)
    return load(m.save(tmp_path, output))


def compared(imported, count=400):
    return check.check(imported, *check.frames(imported, count), "random frames")


def changed(imported, change):
    """The import with its thresholds changed."""
    network = imported.network
    layers = tuple(replace(layer, thresholds=change(layer.thresholds))
                   if isinstance(layer, Threshold) else layer for layer in network.layers)
    return replace(imported, network=Network("changed", network.input, layers))


def test_equal_where_the_file_rounds_nothing(imported):
    found = compared(imported)
    assert found.equal and found.wrong is None
    assert [layer.rounded for layer in found.layers] == [0] * len(found.layers)


def test_rounding_of_the_files_own_sums_is_told_and_explained(tmp_path):
    m, output = model(0.1)
    found = compared(load(m.save(tmp_path, output)))
    differ = [layer for layer in found.layers if layer.equal < layer.total]
    assert not found.equal and found.wrong is None
    assert [layer.name for layer in differ] == ["quant3"]
    assert differ[0].rounded == differ[0].total - differ[0].equal > 0
    assert "here" in differ[0].first[0] and "in the file" in differ[0].first[0]


def test_thresholds_that_are_wrong_by_more_are_found(imported):
    broken = changed(imported, lambda thresholds: thresholds + 4)
    found = compared(broken)
    assert found.wrong.name == "quant3" and not found.equal


@pytest.mark.parametrize("scale", [0.125, 0.1])
def test_a_threshold_that_is_wrong_by_one_is_found(tmp_path, scale):
    m, output = model(scale)
    found = compared(changed(load(m.save(tmp_path, output)), lambda thresholds: thresholds + 1))
    assert found.wrong.name == "quant3"
