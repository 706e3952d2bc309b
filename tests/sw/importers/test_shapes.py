"""Changes of shape: nothing is left of them but the order of weights."""
import re

import numpy as np
import pytest

from sw.importers.onnx_file import ModelError
from sw.importers.qonnx import load
from sw.network import Conv2d, Dense, Select
from tests.sw.importers.cnn_models import Net, same
from tests.sw.importers.models import types


def refused(net, output, folder, message, **options):
    """Assert that the import of the graph that ends in ``output`` is refused with ``message``."""
    with pytest.raises(ModelError, match=re.escape(message)):
        net.load(folder, output, **options)


def only(imported, kind):
    layer, = (layer for layer in imported.network.layers if isinstance(layer, kind))
    return layer


CHAIN = "Conv2d Threshold Flatten Dense ArgMax"

FLAT = {                # ways to 1 × 24 from the 4 channels of 2 × 3 pixels
    "Flatten": lambda net, x: net("Flatten", x),
    "Flatten of axis −3": lambda net, x: net("Flatten", net("Squeeze", x, np.array([0])), axis=-3),
    "Reshape": lambda net, x: net("Reshape", x, np.array([-1, 24])),
    "Reshape, 0": lambda net, x: net("Reshape", x, np.array([0, -1])),
    "Reshape to a vector": lambda net, x: net("Reshape", x, np.array([-1])),
    "Squeeze": lambda net, x: net("Reshape", net("Squeeze", x, np.array([0])), np.array([1, 24])),
    "Unsqueeze": lambda net, x: net("Flatten", net("Unsqueeze", net("Squeeze", x, np.array([0])),
                                                   np.array([0, -1]))),
    "Transpose": lambda net, x: net("Flatten", net("Transpose", x, perm=[0, 2, 3, 1])),
    "Transpose of pixels": lambda net, x: net("Flatten", net("Transpose", x, perm=[0, 1, 3, 2])),
    "backwards": lambda net, x: net("Reshape", net("Transpose", x), np.array([1, 24])),
    "Gather of the frame": lambda net, x: net("Flatten", net("Gather", x, np.int64(0), axis=0),
                                              axis=0),
    "Shape, Gather, Concat": lambda net, x: net("Reshape", x, net(
        "Concat", net("Unsqueeze", net("Gather", net("Shape", x), np.int64(0)), np.array([0])),
        np.array([-1]), axis=0)),
    "a product of sizes": lambda net, x: net("Reshape", x, net(
        "Concat", np.array([1]), net("ReduceProd", net("Slice", net("Shape", x), np.array([1]),
                                                       np.array([4])), axes=[0]), axis=0)),
    "Size": lambda net, x: net("Reshape", x, net("Concat", np.array([1]), net(
        "Reshape", net("Size", x), np.array([1])), axis=0)),
    "Identity, Dropout": lambda net, x: net("Flatten", net("Dropout", net("Identity", x))),
    "Expand": lambda net, x: net("Flatten", net("Expand", net("Squeeze", x, np.array([0])),
                                                np.array([1, 4, 1, 3]))),
    "pixels backwards": lambda net, x: net("Flatten", net(
        "Slice", x, np.array([-1, 9]), np.array([-99, -9]), np.array([2, 3]),
        np.array([-1, -1]))),
}


@pytest.mark.parametrize("way", FLAT)
def test_ways_from_an_image_to_a_vector(tmp_path, way):
    net = Net(1, 2, 3, 4)
    x = net.stored(net("Relu", net.conv(net.stored("x"), 2, 4, (2, 2))), 1.0)
    w = net.weights(24, 3)
    imported = net.same(tmp_path, net("MatMul", FLAT[way](net, x), w), CHAIN, input="codes")
    order = np.arange(24).reshape(1, 4, 2, 3)
    if way in ("Transpose", "Transpose of pixels"):
        order = order.transpose((0, 2, 3, 1) if way == "Transpose" else (0, 1, 3, 2))
    elif way == "backwards":
        order = order.transpose()
    elif way == "pixels backwards":
        order = order[:, :, ::-1, ::-1]
    expected = np.empty_like(w)                         # rows of the file's channels, pixels
    expected[order.ravel()] = w
    expected = expected.reshape(4, 6, 3).transpose(1, 0, 2).reshape(24, 3)
    dense = only(imported, Dense)
    np.testing.assert_array_equal(np.sign(dense.weights.T), np.sign(expected))
    assert (imported.network.tensors[dense.inputs[0]].shape) == (24,)


@pytest.mark.parametrize("way", ["Flatten", "Transpose", "Transpose of pixels",
                                 "Shape, Gather, Concat", "pixels backwards"])
def test_quantizers_and_constants_of_a_flat_image(tmp_path, way):
    net = Net(1, 2, 3, 4)
    x = FLAT[way](net, net.conv(net.quant("x"), 2, 4, (2, 2)))
    channels = {"Transpose": np.tile(np.arange(4), 6)}.get(way, np.repeat(np.arange(4), 6))
    x = net("Mul", x, net.weights(4)[channels] + 1)
    x = net.relu(net("Add", x, net.bias(4)[channels]))
    net.same(tmp_path, net("MatMul", x, net.weights(24, 3)), CHAIN, input="codes")


def test_constants_of_pixels_are_refused(tmp_path):
    net = Net(1, 2, 3, 4)
    x = net("Flatten", net.conv(net.quant("x"), 2, 4, (2, 2)))
    x = net("Add", x, np.arange(24, dtype=np.float32), name="position")
    refused(net, x, tmp_path, "node position (Add): its constants differ from pixel to pixel")


def test_a_network_that_is_raw_pixels_first_flattened(tmp_path):
    net = Net(1, 3, 2, 2)
    x = net.relu(net("MatMul", net("Reshape", "x", np.array([0, 12])), net.weights(12, 5)))
    imported = net.same(tmp_path, net("MatMul", x, net.weights(5, 3)),
                        "Dense Threshold Dense ArgMax", pixel=(1 / 256, 0.0))
    assert imported.network.input.shape == (12,)


def test_an_image_flattened_and_back(tmp_path):
    net = Net(1, 2, 3, 4)
    x = net("Reshape", net("Flatten", net.stored("x")), np.array([1, 2, 3, 4]))
    x = net("Unsqueeze", net("Squeeze", net.conv(x, 2, 4, (2, 2)), np.array([0])), np.array([0]))
    x = net.conv(net.stored(net("Relu", x), 1.0), 4, 2, (2, 2))
    imported = net.load(tmp_path, net.head(x, 4), input="codes")
    assert types(same(imported)) == "Conv2d Threshold Conv2d Flatten Dense ArgMax"


def test_a_signal_as_an_image_of_one_row(tmp_path):
    net = Net(1, 2, 6)
    x = net("Unsqueeze", net.quant("x"), np.array([2]))
    x = net.conv(x, 2, 3, (1, 2))
    x = net.conv(net("Squeeze", x, np.array([2])), 3, 2, (2,))
    net.same(tmp_path, net.head(x, 8), "Conv2d Conv2d Flatten Dense ArgMax", input="codes")


@pytest.mark.parametrize("shape, weights", [
    ([1, 2, 4, 3], (2, 2, 1, 1)), ([1, 4, 2, 3], (2, 4, 1, 1)), ([1, 2, 12], (2, 2, 1)),
    ([2, 4, 3], (2, 4, 1))])
def test_an_image_of_other_sizes_is_refused(tmp_path, shape, weights):
    net = Net(1, 2, 3, 4)
    x = net("Reshape", net.conv(net.quant("x"), 2, 2, (1, 1)), np.array(shape))
    refused(net, net("Conv", x, net.weights(*weights), name="it"), tmp_path,
            f"node it (Conv) reads a tensor of shape {tuple(shape)}, whose pixels are in another "
            f"order")


def test_rows_and_columns_that_change_places_are_refused(tmp_path):
    net = Net(1, 2, 3, 3)
    x = net("Transpose", net.conv(net.quant("x"), 2, 2, (1, 1)), perm=[0, 1, 3, 2])
    refused(net, net.conv(x, 2, 2, (1, 1)), tmp_path, "whose pixels are in another order")
    x = net("Transpose", net.conv(net.quant("x"), 2, 3, (1, 1)), perm=[0, 2, 3, 1])
    refused(net, net("MaxPool", x, kernel_shape=[2, 2]), tmp_path,
            "whose pixels are in another order")


def test_an_image_made_of_a_vector_is_refused(tmp_path):
    net = Net(1, 6)
    x = net("Reshape", net.dense(net.quant("x"), 6, 8), np.array([1, 2, 2, 2]))
    refused(net, net("Conv", x, net.weights(2, 2, 1, 1)), tmp_path, "there is no hardware for that")


def test_products_of_parts_of_a_frame_are_refused(tmp_path):
    net = Net(1, 6)
    x = net("Reshape", net.dense(net.quant("x"), 6, 8), np.array([2, 4]))
    refused(net, net("MatMul", x, net.weights(4, 2)), tmp_path, "multiplies 2 vectors of a frame")


@pytest.mark.parametrize("indices, kept", [([0, 2, 5], [0, 2, 5]), ([-1, 3], [3, 5])])
def test_a_gather_selects(tmp_path, indices, kept):
    net = Net(1, 4)
    x = net.relu(net.dense(net.quant("x"), 4, 6))
    x = net("Gather", x, np.array(indices), axis=-1)
    w = net.weights(len(kept), 3)
    imported = net.same(tmp_path, net("MatMul", x, w))
    assert only(imported, Select).indices.tolist() == kept
    *_, last = (layer for layer in imported.network.layers if isinstance(layer, Dense))
    np.testing.assert_array_equal(np.sign(last.weights.T), np.sign(w)[np.argsort(
        np.array(indices) % 6)])


def test_values_that_are_there_twice_have_the_sum_of_their_weights(tmp_path):
    net = Net(1, 4)
    x = net("Gather", net.relu(net.dense(net.quant("x"), 4, 3)), np.array([2, 0, 2]), axis=1)
    net.same(tmp_path, net("MatMul", x, net.weights(3, 3)))


def test_outputs_in_another_order(tmp_path):
    net = Net(1, 4)
    x = net("Gather", net.dense(net.quant("x"), 4, 4), np.array([2, 0, 3, 1]), axis=1)
    imported = net.same(tmp_path, x, "Dense Select ArgMax")
    assert only(imported, Select).indices.tolist() == [2, 0, 3, 1]


@pytest.mark.parametrize("output", ["decision", "values"])
def test_an_image_may_be_the_output(tmp_path, output):
    net = Net(1, 2, 3, 3)
    x = net.conv(net.quant("x"), 2, 2, (2, 2))
    imported = same(load(net.save(tmp_path, x), input="codes", output=output))
    assert isinstance(imported.network.layers[0], Conv2d)


@pytest.mark.parametrize("op, more, attributes, message", [
    ("Expand", [np.array([2, 4, 2, 2])], {}, "node it (Expand) repeats values"),
    ("Gather", [np.array([9])], {"axis": 1}, "node it (Gather) cannot be read: IndexError"),
    ("Reshape", [np.array([1, 5])], {}, "node it (Reshape) cannot be read: ValueError"),
    ("Reshape", [], {}, "node it (Reshape)"),
    ("Transpose", [], {"perm": [0, 1]}, "node it (Transpose) cannot be read: ValueError"),
    ("Squeeze", [np.array([1])], {}, "node it (Squeeze) cannot be read: ValueError"),
    ("Unsqueeze", [], {}, "node it (Unsqueeze)"),
    ("Split", [np.array([1, 9])], {"axis": 1, "outputs": 2}, "node it (Split)"),
    ("Slice", [np.array([0, 0]), np.array([1])], {}, "node it (Slice) cannot be read: ValueError"),
    ("Slice", [np.array([3]), np.array([3]), np.array([1])], {}, "node it (Slice)"),
    ("Tile", [np.array([1, 2, 1, 1])], {}, "node it (Tile): this operator has no hardware"),
])
def test_impossible_changes_are_refused(tmp_path, op, more, attributes, message):
    net = Net(1, 2, 3, 3)
    x = net.conv(net.quant("x"), 2, 4, (2, 2))
    x = net(op, x, *more, name="it", **attributes)
    refused(net, net.head(x, 16), tmp_path, message)


def test_tables_and_constants_are_refused(tmp_path):
    net = Net(1, 2, 3, 3, dtype=np.int8)
    x = net("Gather", net.weights(9, 2), "x", name="table")
    refused(net, x, tmp_path, "node table (Gather) looks up a table by the input")
    net = Net(1, 6)
    x = net("Slice", "x", np.array([0]), np.array([3]), np.array([1]), name="part")
    refused(net, net.quant(x), tmp_path, "node part (Slice) selects from an input that is not yet")
