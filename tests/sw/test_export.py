"""Networks as QONNX files: what qonnx computes from them, and what comes back."""
import re
import warnings
from dataclasses import replace

import numpy as np
import onnx
import pytest

from sw import alphabet, convert, data, export
from sw.alphabet import Codebook, Integer, Ones, Vectors
from sw.element import Bipolar, Int, Levels, Planes, Pow2, Ternary, UInt
from sw.importers import check, qonnx
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
    NetworkError,
    Requantize,
    ResidualBinarize,
    Select,
    SumPool,
    Tensor,
    Threshold,
    XnorNetDense,
)
from sw.planes import Plane
from sw.zoo import __file__ as zoo

SHIPPED = ["mnist-bnn", "mnist-twn", "mnist-shiftcnn"]


def shipped(name):
    return Network.load(zoo.replace("__init__.py", f"{name}.npz"))


def wrapped(path, *, clean=False):
    """A file as qonnx reads it; ``clean`` as its cleanup leaves it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.util.cleanup import cleanup_model

        model = ModelWrapper(str(path))
        return cleanup_model(model) if clean else model


def in_file(values):
    """Frames of the network as the file's tensors: channels first."""
    return np.moveaxis(values, -1, 1).astype(np.float32)


def run_qonnx(model, x):
    """The file's tensors for frames of the network's input, by name."""
    from qonnx.core.onnx_exec import execute_onnx

    name = model.graph.input[0].name
    runs = [execute_onnx(model, {name: in_file(frame[None])}, return_full_exec_context=True)
            for frame in x]
    return {name: np.concatenate([run[name] for run in runs])
            for name in runs[0] if name and runs[0][name].ndim}


def check_file(net, path, frames=6, seed=0):
    """Export a network, and assert that qonnx computes every integer of it; returns the frames."""
    export.save(net, path)
    onnx.checker.check_model(str(path))
    rng = np.random.default_rng(seed)
    codes = net.input.element.codes()
    x = net.input.element.decode(rng.choice(codes, (frames, *net.input.shape)))
    x[0], x[1] = net.input.element.decode(codes[[0, -1]])
    wanted = net.run(x, trace=True)
    seen = run_qonnx(wrapped(path), x)
    for name, values in wanted.items():
        np.testing.assert_array_equal(seen[name], in_file(values), err_msg=name)
    cleaned = wrapped(path, clean=True)
    np.testing.assert_array_equal(run_qonnx(cleaned, x)[cleaned.graph.output[0].name],
                                  in_file(wanted[net.layers[-1].name]))
    return x


def round_trip(net, path, frames=6, seed=0):
    """What comes back of a network, which must compute the same."""
    x = check_file(net, path, frames, seed)
    ends = "decision" if isinstance(net.layers[-1], ArgMax) else "values"
    imported = qonnx.load(path, output=ends)
    np.testing.assert_array_equal(
        imported.network.run(x.reshape(len(x), *imported.network.input.shape)).reshape(len(x), -1),
        net.run(x).reshape(len(x), -1))
    assert check.check(imported, check.real(imported, x), x, "frames").equal
    return imported.network


def network(*layers, element=None, shape=(3,), **options):
    return Network("net", Tensor.full(element or UInt(4), shape), layers, **options)


def integer(weights):
    """A plane whose alphabet is the range of the weights, as values ask for."""
    weights = np.array(weights)
    return Plane(Integer(int(weights.min()), int(weights.max())), weights,
                 np.ones(len(weights), int))


def ternary(weights):
    return Plane(alphabet.Ternary(), np.array(weights), np.ones(len(weights), int))


W = [[5, -3, 2], [0, 7, 1], [-6, 4, -2]]
DENSE = Dense("dense", ("input",), (ternary([[1, -1, 1], [0, 1, 1], [-1, 1, -1]]),))


def threshold(rows, element, source="dense", name="levels", flip=(False, False, False)):
    return Threshold(name, (source,), np.array(rows), np.array(flip), element)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_network_comes_back(name, tmp_path):
    net, path = shipped(name), tmp_path / "any.onnx"
    export.save(net, path)
    imported = qonnx.load(path)
    assert imported.network.digest == net.digest
    assert (imported.network.name, imported.network.labels) == (net.name, net.labels)
    assert imported.network.provenance["dataset"] == "mnist"
    assert not imported.notes
    assert check.check(imported, *check.frames(imported, 100), "random frames").equal
    images = data.load("mnist").images[::50].reshape(100, -1)
    assert check.check(imported, check.real(imported, images), images, "images").equal


@pytest.mark.parametrize("name", SHIPPED)
def test_qonnx_computes_every_integer_of_a_shipped_network(name, tmp_path):
    check_file(shipped(name), tmp_path / "net.onnx", frames=4)


def test_the_file_says_what_it_is(tmp_path):
    net = network(
        DENSE, threshold([[-3, 0, 31], [0, 1, 2], [1, 1, 9]], UInt(2)),
        Dense("dense2", ("levels",), (
            Plane(Ones(), np.ones((2, 3), int), np.array([3, 3])),
            Plane(alphabet.Bipolar(), np.array([[1, -1, 1], [1, 1, -1]]), np.array([1, 1])),
            Plane(alphabet.Ternary(), np.array([[1, 0, 1], [0, 1, -1]]), np.array([1, 4])),
            Plane(Codebook(np.array([-9, 2])), np.array([[1, 0, 1], [0, 1, 0]]),
                  np.array([1, 1])))),
        ArgMax("class", ("dense2",)), labels=("no", "yes"), provenance={"dataset": "digits"})
    export.save(net, tmp_path / "net.onnx")
    model = wrapped(tmp_path / "net.onnx")
    assert (model.model.producer_name, model.model.ir_version) == ("bitwright", 8)
    assert model.model.producer_version
    assert {p.key: p.value for p in model.model.metadata_props} == {
        "name": "net", "labels": "no\nyes", "dataset": "digits"}
    assert str(model.get_tensor_datatype("input")) == "UINT4"
    assert model.check_all_tensor_shapes_specified()
    assert [(v.name, v.type.tensor_type.elem_type) for v in model.graph.output] == [
        ("class", onnx.TensorProto.INT64)]
    quantizers = {node.name: ({a.name: a.i for a in node.attribute if a.name != "rounding_mode"},
                              model.get_initializer(node.input[3]).item())
                  for node in model.get_nodes_by_op_type("Quant")}
    assert quantizers == {
        "dense/plane0": ({"signed": 1, "narrow": 1}, 2),
        "dense2/plane0": ({"signed": 0, "narrow": 0}, 1),
        "dense2/plane2": ({"signed": 1, "narrow": 1}, 2),
        "dense2/plane3": ({"signed": 1, "narrow": 1}, 5)}
    assert [node.name for node in model.get_nodes_by_op_type("BipolarQuant")] == ["dense2/plane1"]
    assert [node.name for node in model.get_nodes_by_op_type("Mul")] == [
        "dense2/plane0/scaled", "dense2/plane2/scaled"]
    levels, = model.get_nodes_by_op_type("MultiThreshold")
    assert {a.name: onnx.helper.get_attribute_value(a) for a in levels.attribute} == {
        "out_dtype": b"UINT2", "out_scale": 1.0, "out_bias": 0.0, "data_layout": b"NC"}


def test_the_same_network_gives_the_same_bytes(tmp_path):
    for k in range(2):
        export.save(shipped("mnist-twn"), tmp_path / f"{k}.onnx")
    assert (tmp_path / "0.onnx").read_bytes() == (tmp_path / "1.onnx").read_bytes()


LEVELS = {      # thresholds of three channels of DENSE, and the element that they give
    "bipolar": ([[0], [5], [-7]], Bipolar(), "BIPOLAR"),
    "ternary": ([[-3, 4], [5, 9], [-7, -7]], Ternary(), "TERNARY"),
    "uint1": ([[0], [5], [-7]], UInt(1), "BINARY"),
    "uint2": ([[0, 3, 4], [5, 5, 9], [-7, -6, 1]], UInt(2), "UINT2"),
    "uint2, two steps": ([[0, 3], [5, 5], [-7, -6]], UInt(2), "UINT2"),
    "int2": ([[0, 3, 4], [5, 5, 9], [-7, -6, 1]], Int(2), "INT2"),
    "int3": ([[-9, -3, 0, 3, 4, 20, 30], [5, 5, 9, 11, 12, 13, 14], [-7, -6, 1, 2, 2, 2, 3]],
             Int(3), "INT3"),
    "pow2(2)": ([[0, 3, 4, 9], [5, 5, 9, 11], [-7, -6, 1, 1]], Pow2(2), "INT3"),
    "pow2": ([[0, 3, 4, 9, 9, 9], [5, 5, 9, 11, 17, 31], [-7, -6, 1, 1, 2, 3]], Pow2(3), "INT4"),
    "levels": ([[0, 3, 4], [5, 5, 9], [-7, -6, 1]], Levels((-7, 2, 5, 6)), "INT4"),
    "unordered levels": ([[0, 3, 4], [5, 5, 9], [-7, -6, 1]], Levels((3, -7, 11, 5)), None),
    "equal levels": ([[0, 3], [5, 5], [-7, -6]], Levels((4, 4, 6)), "UINT3"),
    "planes": ([[0, 3, 4], [5, 5, 9], [-7, -6, 1]], Planes((3, 5)), "INT5"),
    "counted planes": ([[0, 3], [5, 5], [-7, -6]], Planes((-1, 2)), None),
}
SAME = ("bipolar", "ternary", "uint1", "uint2", "uint2, two steps", "int2", "int3")


@pytest.mark.parametrize("flip", [(False, False, False), (False, True, True)], ids=["up", "flip"])
@pytest.mark.parametrize("what", LEVELS)
def test_thresholds(what, flip, tmp_path):
    rows, kind, datatype = LEVELS[what]
    net = network(DENSE, threshold(rows, kind, flip=flip),
                  Dense("dense2", ("levels",), (ternary([[1, 0, -1], [-1, 1, 1]]),)),
                  ArgMax("winner", ("dense2",)))
    back = round_trip(net, tmp_path / "net.onnx", frames=12)
    if what in SAME and (what != "uint2, two steps" or not any(flip)):
        assert back.digest == net.digest
    counts = wrapped(tmp_path / "net.onnx").get_nodes_by_op_type("MultiThreshold")
    stairs = any(flip) and what in ("pow2", "levels", "equal levels", "planes")
    if datatype and not stairs:
        found, = ({a.name: a for a in node.attribute} for node in counts)
        assert found["out_dtype"].s.decode() == datatype
    else:
        assert [node.name for node in counts] == ["levels/up", "levels"]


@pytest.mark.parametrize("kind", [Bipolar(), Ternary(), UInt(1), UInt(8), Int(1), Int(5), Pow2(3),
                                  Levels((9, -4, 0)), Planes((1, 2))], ids=str)
def test_inputs(kind, tmp_path):
    net = network(DENSE, ArgMax("class", ("dense",)), element=kind)
    back = round_trip(net, tmp_path / "net.onnx")
    assert (back.digest == net.digest) == isinstance(kind, Bipolar | Ternary | UInt | Int)


ALPHABETS = {
    "ones": (Ones(), np.ones((2, 3), int)),
    "bipolar": (alphabet.Bipolar(), [[1, -1, 1], [-1, -1, 1]]),
    "signs": (alphabet.Signs(), [[1, -1, 1], [-1, -1, 1]]),
    "ternary": (alphabet.Ternary(), [[1, -1, 0], [-1, 0, 1]]),
    "pow2": (alphabet.Pow2(4), [[1, -4, 0], [3, 2, -2]]),
    "pow2, no zero": (alphabet.Pow2(3, False), [[1, -3, 3], [3, 2, -2]]),
    "integer": (Integer(-4, 3), [[-4, 3, 0], [-1, 2, 1]]),
    "unsigned": (Integer(0, 6), [[6, 3, 0], [5, 2, 1]]),
    "one": (Integer(0, 1), [[1, 1, 0], [0, 0, 1]]),
    "float": (alphabet.Float(2, 2), [[1, -8, 3], [16, 0, -2]]),
    "codebook": (Codebook(np.array([-300, 7, 1000])), [[1, 2, 0], [0, 2, 1]]),
    "vectors": (Vectors(np.array([[[1, -5], [3, 3]], [[7, 0], [-8, 2]]]), 3), [[1, 0], [0, 1]]),
}


@pytest.mark.parametrize("what", ALPHABETS)
def test_weights(what, tmp_path):
    kind, codes = ALPHABETS[what]
    plane = Plane(kind, np.array(codes), np.ones(2, int))
    net = network(Dense("a", ("input",), (plane,)), ArgMax("class", ("a",)))
    back = round_trip(net, tmp_path / "net.onnx")
    if what in ("bipolar", "ternary", "pow2, no zero"):
        assert back.digest == net.digest
    node, = (node for node in wrapped(tmp_path / "net.onnx").graph.node
             if node.op_type in ("Quant", "BipolarQuant"))
    assert node.op_type == ("BipolarQuant" if what in ("bipolar", "signs") else "Quant")


def test_coefficients_of_rows(tmp_path):
    plane = Plane(alphabet.Ternary(), np.array([[1, -1, 0], [-1, 0, 1]]), np.array([3, -70]))
    round_trip(network(Dense("a", ("input",), (plane,)), ArgMax("class", ("a",))),
               tmp_path / "net.onnx")


@pytest.mark.parametrize("layer", ["Dense", "Conv2d"])
def test_planes_stay_apart_with_the_powers_that_their_quantizers_have(layer, tmp_path):
    codes = np.array([[1, -2, 0, 3], [-1, 0, 1, 2], [0, 1, 1, -2]])
    planes = (Plane(alphabet.Pow2(3), codes, np.full(3, 4)),
              Plane(alphabet.Pow2(5), np.clip(codes, -2, 2), np.full(3, 1)))
    if layer == "Dense":
        net = network(Dense("a", ("input",), planes), ArgMax("class", ("a",)), shape=(4,))
    else:
        net = network(Conv2d("a", ("input",), planes, (2, 2)), Flatten("a_flat", ("a",)),
                      ArgMax("class", ("a_flat",)), shape=(3, 2, 1))
    assert round_trip(net, tmp_path / "net.onnx").digest == net.digest


@pytest.mark.parametrize("layer", [
    Affine("a", ("dense",), np.array([2, -1, 300]), np.array([0, 7, -9])),
    Select("a", ("dense",), np.array([2, 0])),
    Requantize("a", ("dense",), np.array([2 ** 30, 2 ** 30 + 5, 2 ** 29]), np.array([-1, 0, -3]),
               3, UInt(4)),
    Requantize("a", ("dense",), np.array([2 ** 30, 2 ** 30 + 5, 2 ** 29]), np.array([-1, 0, -3]),
               -2, Int(5), True),
    ResidualBinarize("a", ("dense",), np.array([[9, 4], [1, 1], [30, 2]]), np.array([0, 5, -9]),
                     np.array([False, True, False]), Planes((2, 5))),
], ids=lambda layer: type(layer).__name__)
def test_layers_of_vectors(layer, tmp_path):
    round_trip(network(DENSE, layer, ArgMax("class", ("a",))), tmp_path / "net.onnx", frames=12)


@pytest.mark.parametrize("kind", [Bipolar(), Ternary(), UInt(3), Int(3), Pow2(2),
                                  Levels((5, -1, 5, 8)), Planes((1, 3))], ids=str)
@pytest.mark.parametrize("rows", [1, 3])
def test_tables(kind, rows, tmp_path):
    rng = np.random.default_rng(rows)
    table = rng.integers(-20, 20, (rows, 2 ** kind.bits))
    if isinstance(kind, Levels):
        table[:, 2] = table[:, 0]       # both stand for 5
    net = network(Lookup("table", ("input",), table), Dense("a", ("table",), (integer(W),)),
                  ArgMax("class", ("a",)), element=kind)
    round_trip(net, tmp_path / "net.onnx", frames=12)


def test_a_table_that_changes_nothing(tmp_path):
    net = network(Lookup("table", ("input",), np.full((1, 16), -7)),
                  Dense("a", ("table",), (integer(W),)))
    check_file(net, tmp_path / "net.onnx")


def test_many_values_are_looked_at_in_blocks(tmp_path, monkeypatch):
    net = network(DENSE, Requantize("a", ("dense",), np.full(3, 2 ** 30), np.full(3, -1), 3,
                                    UInt(4)), ArgMax("class", ("a",)))
    export.save(net, tmp_path / "a.onnx")
    monkeypatch.setattr(export, "BLOCK", 3)
    export.save(net, tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_rows_of_zeros_come_back_as_zeros(tmp_path):
    """Those of a matrix whose rows are scaled apart, and of one of nothing but zeros."""
    for k, weights in enumerate(([[9, -9, 9], [0, 0, 0], [-5, 5, 5]], [[7, 7, 7], [0, 0, 0]],
                                 [[-30, 40, 50], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]])):
        plane = Plane(Integer(-64, 63), np.array(weights), np.ones(len(weights), int))
        round_trip(network(Dense("a", ("input",), (plane,)), ArgMax("class", ("a",))),
                   tmp_path / f"{k}.onnx")


def test_xnor_net(tmp_path):
    plane = Plane(alphabet.Bipolar(), np.array([[1, -1, 1], [-1, -1, 1]]), np.array([1, 2]))
    net = network(XnorNetDense("a", ("input",), (plane,)), ArgMax("class", ("a",)),
                  element=Int(4))
    check_file(net, tmp_path / "net.onnx", frames=20)
    with pytest.raises(ValueError, match="ReduceSum"):
        qonnx.load(tmp_path / "net.onnx")


def test_a_decision_within_the_network(tmp_path):
    net = network(DENSE, ArgMax("decide", ("dense",)),
                  Lookup("table", ("decide",), np.array([[7, 3, 9, 0]])))
    check_file(net, tmp_path / "net.onnx")


def kernels(rng, rows, columns):
    weights = rng.integers(-4, 4, (rows, columns))
    weights[0, :2] = -4, 3
    return integer(weights)


def test_an_image_network_comes_back(tmp_path):
    rng = np.random.default_rng(1)
    net = network(
        Conv2d("conv1", ("input",), (kernels(rng, 4, 18),), (3, 3), (1, 2), (1, 0, 2, 1)),
        threshold(np.sort(rng.integers(-60, 60, (4, 3))), UInt(2), "conv1", "act1",
                  (False, True, False, True)),
        MaxPool("pool", ("act1",), (2, 2), (1, 1), (1, 1, 0, 0)),
        Conv2d("depthwise", ("pool",), (ternary([[-1, 1, 0, 1]] * 4),), (2, 2), groups=4),
        threshold(np.sort(rng.integers(-5, 6, (4, 3))), UInt(2), "depthwise", "act2",
                  (False,) * 4),
        Conv2d("padded", ("act2",), (kernels(rng, 4, 36),), (3, 3), (1, 1), (1, 0, 1, 2), 2),
        threshold(np.sort(rng.integers(-40, 40, (4, 3))), UInt(2), "padded", "act3",
                  (False,) * 4),
        Add("sum", ("act2", "act3")),
        Concat("both", ("sum", "act2")),
        SumPool("average", ("both",), (3, 2), (2, 1), (1, 0, 1, 1)),
        Flatten("average_flat", ("average",)),
        Dense("dense", ("average_flat",), (kernels(rng, 3, 96),)),
        ArgMax("class", ("dense",)), shape=(7, 8, 2), element=UInt(3))
    assert net.tensors["average"].shape == (4, 3, 8)
    assert round_trip(net, tmp_path / "net.onnx").digest == net.digest


def test_bipolar_images_padded_with_zero(tmp_path):
    plane = Plane(alphabet.Bipolar(), np.where(np.arange(36).reshape(2, 18) % 3, 1, -1),
                  np.ones(2, int))
    net = network(Conv2d("conv", ("input",), (plane,), (3, 3), (1, 1), (1, 1, 1, 1)),
                  Flatten("conv_flat", ("conv",)), ArgMax("class", ("conv_flat",)),
                  shape=(4, 3, 2), element=Bipolar())
    assert round_trip(net, tmp_path / "net.onnx").digest == net.digest


@pytest.mark.parametrize("kernel, top", [((2, 2), UInt(8)), ((3, 3), UInt(8)), ((7, 7), UInt(14)),
                                         ((5, 1), UInt(17)), ((4, 2), UInt(21))], ids=str)
def test_sums_are_found_from_averages(kernel, top, tmp_path):
    net = network(SumPool("pool", ("input",), kernel, (1, 1)), Flatten("pool_flat", ("pool",)),
                  element=top, shape=(7, 7, 2))
    assert round_trip(net, tmp_path / "net.onnx", frames=30).digest == net.digest


def test_sums_of_three(tmp_path):
    net = network(DENSE, threshold([[0, 3, 4], [5, 5, 9], [-7, -6, 1]], UInt(4)),
                  Add("three", ("levels", "input", "levels")), ArgMax("class", ("three",)))
    round_trip(net, tmp_path / "net.onnx")


def test_values_and_yes_or_no_come_back(tmp_path):
    values = network(DENSE)
    assert round_trip(values, tmp_path / "values.onnx").digest == values.digest
    decides = network(Dense("dense", ("input",), (ternary([[1, -1, 0]]),)),
                      Threshold("class", ("dense",), np.array([[4]]), np.array([False]), UInt(1)))
    export.save(decides, tmp_path / "decides.onnx")
    assert qonnx.load(tmp_path / "decides.onnx").network.digest == decides.digest


@pytest.mark.parametrize("seed", range(24))
def test_random_networks(seed, tmp_path):
    rng = np.random.default_rng(seed)
    layers, width = [], int(rng.integers(1, 9))
    start = Tensor.full([Bipolar(), Ternary(), UInt(1), UInt(8), Int(4)][seed % 5], (width,))
    tensor, source = start, "input"

    def add(layer):
        nonlocal tensor, source
        layers.append(layer)
        tensor, source = layer.infer(tensor), layer.name

    for k in range(int(rng.integers(1, 4))):
        if rng.random() < 0.3:
            kept = np.sort(rng.choice(width, int(rng.integers(1, width + 1)), replace=False))
            add(Select(f"select{k}", (source,), kept))
        rows = int(rng.integers(2, 9))
        planes = []
        for _ in range(int(rng.integers(1, 4))):
            kind = [alphabet.Bipolar(), alphabet.Ternary(), alphabet.Pow2(3), Integer(-5, 6)][
                rng.integers(4)]
            codes = rng.choice(kind.decode_bits(np.arange(2 ** kind.bits)),
                               (rows, tensor.channels))
            planes.append(Plane(kind, np.where(kind.holds(codes), codes, 1),
                                rng.choice([1, 2, -3], rows)))
        add(Dense(f"dense{k}", (source,), tuple(planes)))
        if rng.random() < 0.3:
            factors = rng.integers(1, 5, rows) * rng.choice([1, -1], rows)
            add(Affine(f"affine{k}", (source,), factors, rng.integers(-20, 20, rows)))
        kind, steps = [(Bipolar(), 1), (Ternary(), 2), (UInt(3), 7), (Int(2), 3), (Pow2(2), 4),
                       (Planes((1, 2)), 3)][rng.integers(6)]
        thresholds = np.sort(rng.integers(tensor.lo[:, None], tensor.hi[:, None] + 2,
                                          (rows, steps)))
        add(Threshold(f"act{k}", (source,), thresholds, rng.random(rows) < 0.3, kind))
        width = rows
    add(Dense("logits", (source,), (Plane(Integer(-5, 6), rng.integers(-5, 7, (4, width)),
                                          np.ones(4, int)),)))
    add(ArgMax("class", (source,)))
    round_trip(Network("net", start, tuple(layers)), tmp_path / "net.onnx", seed=seed)


FLAT = ternary(np.ones((2, 3), int))
REFUSED = {
    "input": (network(Select("a", ("input",), np.array([1])), element=UInt(25)),
              ("network net: its input: it computes with integers up to 33554431, but QONNX with "
               "float32, which is exact up to 2^24; narrow its weights or its input")),
    "dense": (network(Dense("a", ("input",), (FLAT,)), element=UInt(23)),
              "layer a: it computes with integers up to 25165821, but"),
    "sums that cancel": (network(Dense("a", ("input",), (integer([[2 ** 14, -2 ** 14, 1]]),)),
                                 Select("b", ("a",), np.array([0])), element=UInt(10)),
                         "layer a: it computes with integers up to 33522687, but"),
    "weights": (network(Dense("a", ("input",), (
        Plane(Integer(0, 2 ** 24), np.array([[2 ** 24, 0, 0]]), np.ones(1, int)),
        Plane(Integer(-2 ** 24, 0), np.array([[-2 ** 24, 0, 0]]), np.ones(1, int)))),
        element=UInt(1)), "layer a: its weights may reach 33554432, but QONNX holds them as"),
    "conv": (network(Conv2d("a", ("input",), (FLAT,), (1, 1)), element=UInt(23), shape=(2, 2, 3)),
             "layer a: it computes with integers up to 25165821, but"),
    "padding": (network(Conv2d("a", ("input",), (ternary([[1, -1, 1, -1]]),), (2, 2),
                               padding=(1, 1, 0, 0), pad_value=2 ** 23), shape=(2, 2, 1)),
                "layer a: it computes with integers up to 33554432, but"),
    "affine": (network(Affine("a", ("input",), np.full(3, 2 ** 22), np.full(3, -2 ** 25))),
               "layer a: it computes with integers up to 33554432, but"),
    "affine, before the sum": (network(Affine("a", ("input",), np.full(3, -2 ** 25),
                                              np.full(3, 2 ** 24)), element=UInt(1)),
                               "layer a: it computes with integers up to 33554432, but"),
    "offset": (network(Affine("a", ("input",), np.full(3, 2 ** 20), np.full(3, -2 ** 24 - 5)),
                       element=Levels((8, 16))),
               "layer a: it computes with integers up to 16777221, but"),
    "add": (network(Add("a", ("input", "input")), element=Int(25)),
            "layer a: it computes with integers up to 33554432, but"),
    "sum pool": (network(SumPool("a", ("input",), (2, 2), (1, 1)), element=UInt(23),
                         shape=(2, 2, 1)),
                 "layer a: it computes with integers up to 33554428, but"),
    "averages": (network(SumPool("a", ("input",), (3, 1), (1, 1)), element=UInt(20),
                         shape=(3, 3, 1)),
                 ("layer a: its sums of 3 values may reach 3145725, but are found from their "
                  "averages up to 2^20 only; pool windows of 2^n values")),
    "xnor-net": (network(XnorNetDense("a", ("input",), (FLAT,)), element=UInt(21)),
                 "layer a: it computes with integers up to 18874359, but"),
    "magnitude": (network(XnorNetDense("a", ("input",), (ternary([[1, -1, 0]]),)),
                          element=UInt(23)),
                  "layer a: it computes with integers up to 25165821, but"),
    "levels": (network(DENSE, threshold([[0, 3], [5, 5], [-7, -6]], Levels((0, 1, 5000)))),
               ("layer levels: its values change by 5000 steps of 1, more than the 4096 thresholds "
                "a channel that stand for it in QONNX; give it fewer levels")),
    "table": (network(Lookup("a", ("input",), np.arange(2 ** 14)[None] % 2 * 3),
                      element=UInt(14)),
              "layer a: its values change by 8192 steps of 3"),
    "requantize": (network(Requantize("a", ("input",), np.full(3, 2 ** 30), np.full(3, -9), 0,
                                      UInt(8)), element=UInt(17)),
                   ("layer a: its input takes more than 65536 values, 0 … 131071; narrow it by a "
                    "Threshold before it")),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_exact_is_refused_by_name(what, tmp_path):
    net, message = REFUSED[what]
    path = tmp_path / "net.onnx"
    with pytest.raises(NetworkError, match="^" + re.escape(f"{path}: {message}")):
        export.save(net, path)
    assert not list(tmp_path.iterdir())


def test_up_to_the_last_exact_integer(tmp_path):
    net = network(Dense("a", ("input",), (ternary([[1, -1]]),)), element=Int(24), shape=(2,))
    check_file(net, tmp_path / "net.onnx", frames=50)
    pool = network(SumPool("a", ("input",), (1, 4), (1, 1)), element=UInt(22), shape=(1, 4, 1))
    check_file(pool, tmp_path / "pool.onnx", frames=50)


def test_an_unknown_layer_is_refused(tmp_path):
    class Odd(Select):
        pass

    made = network(Select("a", ("input",), np.array([0])))
    net = replace(made, layers=(Odd("a", ("input",), np.array([0])),))
    export.save(net, tmp_path / "net.onnx")      # what is a Select is one

    class Other(type(made.layers[0]).__mro__[1]):
        def infer(self, x):
            return x

    with pytest.raises(NetworkError, match="layer a: Other has no form in QONNX$"):
        export.save(replace(made, layers=(Other("a", ("input",)),)), tmp_path / "net.onnx")


def run_command(*arguments):
    return convert.main([str(argument) for argument in arguments])


def test_the_command_converts_both_ways(tmp_path, capsys):
    net = shipped("mnist-twn")
    net.save(tmp_path / "a.npz")
    assert run_command(tmp_path / "a.npz", "-o", tmp_path / "b.onnx") == 0
    written = f"network digest {net.digest[:16]}"
    assert written in " ".join(capsys.readouterr().out.split())
    assert run_command(tmp_path / "b.onnx", "-o", tmp_path / "c.npz", "--frames", 20) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "20 of 20 decisions" in out and written in out
    back = Network.load(tmp_path / "c.npz")
    assert (back.digest, back.name, back.labels) == (net.digest, net.name, net.labels)


def test_the_command_names_the_layer_and_writes_nothing(tmp_path, capsys):
    net, message = REFUSED["averages"]
    net.save(tmp_path / "a.npz")
    with pytest.raises(SystemExit) as refused:
        run_command(tmp_path / "a.npz", "-o", tmp_path / "b.onnx")
    assert refused.value.code == 1
    assert capsys.readouterr().err == f"error: {tmp_path / 'b.onnx'}: {message}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"old")

    def full(part, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        export.save(network(DENSE), path)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("net.onnx", b"old")]
