"""Damaged and hostile files: each is refused in a sentence that names it, or imported."""
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sw.importers.onnx_file import ModelError
from sw.importers.qonnx import load
from tests.sw.importers.corpus import LARGE, SEEDS, Draft, pixels, quants, signs
from tests.sw.importers.mutations import mutant

MUTANTS = 300
DEEP = 5000         # operators one behind the other


def saved(folder, model):
    path = folder / "net.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return path


@pytest.mark.parametrize("seed", SEEDS)
def test_seeds_import(seed, tmp_path):
    assert load(saved(tmp_path, SEEDS[seed]())).network.layers


def test_mutants_import_or_are_refused_by_name(tmp_path):
    imported = 0
    for index in range(MUTANTS):
        path = saved(tmp_path, mutant(5, index))
        try:
            load(path)
            imported += 1
        except ModelError as error:
            assert str(path) in str(error)
    assert MUTANTS / 20 < imported < MUTANTS / 2


def test_mutants_are_the_same_each_time():
    assert mutant(5, 17) == mutant(5, 17) != mutant(6, 17)


def tensor(name, *, dims, data_type=TensorProto.FLOAT, raw=b""):
    return TensorProto(name=name, dims=dims, data_type=data_type, raw_data=raw)


def changed(model, **tensors):
    """A model with other values of constants."""
    for name, values in tensors.items():
        found = next(each for each in model.graph.initializer if each.name == name)
        found.CopyFrom(values if isinstance(values, TensorProto) else
                       numpy_helper.from_array(np.asarray(values, np.float32), name))
    return model


def attribute(model, op, **attributes):
    """A model with other attributes of its first node of an operator."""
    node = next(node for node in model.graph.node if node.op_type == op)
    for name, value in attributes.items():
        kept = [each for each in node.attribute if each.name != name]
        del node.attribute[:]
        node.attribute.extend(kept)
        if value is not None:
            node.attribute.append(helper.make_attribute(name, value))
    return model


def edited(model, change):
    change(model.graph)
    return model


def weighted(op, *constants, shape=(1, 4), **attributes):
    """A model whose weights an operator computes from constants."""
    d = Draft(*shape)
    return d.model(d("MatMul", d.quant("x"), d(op, *constants, **attributes)))


def on_input(op, *constants, shape=(1, 4), **attributes):
    """A model with an operator on its quantized input."""
    d = Draft(*shape)
    return d.model(d("ArgMax", d(op, d.quant("x"), *constants, **attributes), axis=1))


def growing():
    """A constant that is doubled forty times."""
    d = Draft(1, 4)
    w = d.constant(np.ones((4, 1)))
    for _ in range(40):
        w = d("Concat", w, w, axis=1)
    return d.model(d("MatMul", d.quant("x"), w))


def deep(op="Relu"):
    d = Draft(1, 4)
    h = d.quant("x")
    for _ in range(DEEP):
        h = d(op, h)
    return d.model(d.quant(h))


def doubled(quantized):
    """An expression that is added to itself again and again: 2^60 paths through it."""
    d = Draft(1, 4)
    h = d.quant("x")
    for _ in range(60):
        h = d("Add", h, h)
    return d.model(d.quant(h) if quantized else h)


def missing_operand():
    """Max with an operand left out, which crashes onnxruntime."""
    d = Draft(1, 4)
    return d.model(d.quant(d("Max", d.quant("x"), 0.0, "")))


def cycle(graph):
    graph.node[1].input[0] = graph.node[-1].output[0]


def itself(graph):
    graph.node[0].input[0] = graph.node[0].output[0]


def external(place, **entries):
    model = quants()
    found = model.graph.initializer[0]
    found.data_location = TensorProto.EXTERNAL
    for key, value in ({"location": place} | entries).items():
        found.external_data.append(onnx.StringStringEntryProto(key=key, value=value))
    return model


def input_shape(*sizes):
    def change(graph):
        graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes))

    return edited(quants(), change)


def opsets(version):
    model = quants()
    model.opset_import[0].version = version
    return model


HOSTILE = {
    "empty file": (lambda: b"", "empty"),
    "no ONNX": (lambda: b"\x89PNG" * 100, "no ONNX file"),
    "truncated": (lambda: pixels().SerializeToString()[:700], "damaged"),
    "text of no UTF-8": (lambda: quants().SerializeToString().replace(b"t1", b"\xff\xfe"),
                         "no UTF-8"),
    "cycle": (lambda: edited(quants(), cycle), "cycle"),
    "node that reads itself": (lambda: edited(quants(), itself), "cycle"),
    "duplicate name": (lambda: edited(quants(), lambda graph: graph.node.append(graph.node[0])),
                       "made twice"),
    "duplicate constant": (lambda: edited(quants(), lambda graph: graph.initializer.append(
        graph.initializer[0])), "twice"),
    "no output of a node": (lambda: edited(quants(), lambda graph: graph.node[0].ClearField(
        "output")), "has no output"),
    "empty names": (lambda: edited(quants(), lambda graph: graph.node[0].input.__setitem__(0, "")),
                    "its input 0 is left out"),
    "no inputs": (lambda: edited(quants(), lambda graph: graph.ClearField("input")), "0 inputs"),
    "no outputs": (lambda: edited(quants(), lambda graph: graph.ClearField("output")),
                   "no output"),
    "too many inputs": (lambda: edited(quants(), lambda graph: graph.node[0].input.extend(
        ["x"] * 99)), "has 103 inputs, but a Quant has 4"),
    "too few inputs": (lambda: edited(pixels(), lambda graph: graph.node[1].input.pop()),
                       "has 1 inputs, but a Conv has 2 to 3"),
    "too many outputs": (lambda: edited(pixels(), lambda graph: graph.node[1].output.extend(
        ["a", "b"])), "has 3 outputs, but a Conv has 1"),
    "data outside of the folder": (lambda: external("../../etc/passwd"), "not in the folder"),
    "data of the system": (lambda: external("/etc/passwd"), "not in the folder"),
    "data in a device": (lambda: external("/dev/zero"), "not in the folder"),
    "data in no file": (lambda: external(""), "not in the folder"),
    "data behind the end": (lambda: external("net.onnx", offset="9999999"), "beyond the end"),
    "data at a text": (lambda: external("net.onnx", offset="ten"), "is no number"),
    "tensor of the wrong size": (lambda: changed(quants(), c0=tensor("c0", dims=[3], raw=b"1234")),
                                 "do not have the shape"),
    "huge tensor": (lambda: changed(quants(), c0=tensor("c0", dims=[LARGE, LARGE])), "too large"),
    "huge and empty tensor": (lambda: changed(quants(), c0=tensor("c0", dims=[LARGE, 0])),
                              "Quant_0"),
    "negative size": (lambda: changed(quants(), c0=tensor("c0", dims=[-4])), "impossible shape"),
    "strings as numbers": (lambda: changed(quants(), c0=tensor("c0", dims=[1], data_type=8)),
                           "holds no real numbers"),
    "unknown type": (lambda: changed(quants(), c0=tensor("c0", dims=[1], data_type=99)),
                     "unknown type"),
    "huge input": (lambda: input_shape(1, LARGE), "more than"),
    "input of no size": (lambda: input_shape(1, 0), "no fixed size"),
    "negative input": (lambda: input_shape(1, -6), "no fixed size"),
    "unknown input": (lambda: input_shape(1, "n"), "no fixed size"),
    "old opset": (lambda: opsets(3), "of opset 3"),
    "opset of the far future": (lambda: opsets(2 ** 62), "after"),
    "huge ConstantOfShape": (lambda: weighted("ConstantOfShape", np.array([4, LARGE])),
                             "together may make"),
    "negative ConstantOfShape": (lambda: weighted("ConstantOfShape", np.array([-4, -4])),
                                 "cannot run"),
    "huge Expand": (lambda: weighted("Expand", np.ones((4, 1)), np.array([4, LARGE])),
                    "together may make"),
    "huge Tile": (lambda: weighted("Tile", np.ones((4, 1)), np.array([1, LARGE])),
                  "together may make"),
    "huge Reshape": (lambda: weighted("Reshape", np.ones((4, 1)), np.array([LARGE, LARGE])),
                     "cannot run"),
    "huge Gather": (lambda: weighted("Gather", np.ones((2 ** 10, 2 ** 10)),
                                     np.zeros(2 ** 10, np.int64)), "together may make"),
    "huge sum of constants": (lambda: weighted("Add", np.ones((2 ** 16, 1)), np.ones((1, 2 ** 16))),
                              "together may make"),
    "enormous product of constants": (lambda: weighted(
        "MatMul", np.ones((2 ** 10, 2 ** 9)), np.ones((2 ** 9, 2 ** 10))),
                                      "together may make"),
    "growing constants": (growing, "together may make"),
    "Reshape of the data": (lambda: on_input("Reshape", np.array([LARGE, LARGE])), "reshape"),
    "Expand of the data": (lambda: on_input("Expand", np.array([LARGE, 4])), "repeats values"),
    "Pad of the data": (lambda: attribute(pixels(), "Conv", pads=[LARGE] * 4), "padding"),
    "huge stride": (lambda: attribute(pixels(), "MaxPool", strides=[LARGE] * 2), "stride"),
    "huge window": (lambda: attribute(pixels(), "MaxPool", kernel_shape=[LARGE] * 2), "kernel"),
    "window of 0": (lambda: attribute(pixels(), "MaxPool", kernel_shape=[0, 0]), "positive"),
    "negative pads": (lambda: attribute(pixels(), "Conv", pads=[-1] * 4), "negative"),
    "huge group": (lambda: attribute(pixels(), "Conv", group=LARGE), "groups"),
    "no groups": (lambda: attribute(pixels(), "Conv", group=0), "groups"),
    "Unsqueeze of 2^16 axes": (lambda: on_input("Unsqueeze", np.arange(2 ** 16)), "Unsqueeze"),
    "Gather of many": (lambda: on_input("Gather", np.zeros(2 ** 23, np.int64), axis=1),
                       "more than"),
    "Split into many": (lambda: on_input("Split", np.full(2 ** 10, LARGE), axis=1), "splits"),
    "2^30 levels": (lambda: changed(quants(), c2=30.0), "input"),
    "huge bit width": (lambda: changed(quants(), c2=1e30), "bits"),
    "NaN bits": (lambda: changed(quants(), c2=np.nan), "NaN"),
    "no bits": (lambda: changed(quants(), c2=0.0), "bits"),
    "negative bits": (lambda: changed(quants(), c2=-3.0), "bits"),
    "zero point of 1e27": (lambda: changed(quants(), c1=1e27), "more than"),
    "scale NaN": (lambda: changed(quants(), c0=np.nan), "NaN"),
    "scale infinite": (lambda: changed(quants(), c0=np.inf), "infinity"),
    "scale 0": (lambda: changed(quants(), c0=0.0), "scale is 0"),
    "denormal weights": (lambda: changed(pixels(), c5=np.full((3, 1, 2, 2), 1e-45)),
                         "does not hold"),
    "weights NaN": (lambda: changed(pixels(), c1=np.full((3, 2, 3, 3), np.nan)), "NaN"),
    "weights infinite": (lambda: changed(pixels(), c1=np.full((3, 2, 3, 3), np.inf)), "infinity"),
    "bias NaN": (lambda: changed(pixels(), c10=np.full(3, np.nan)), "biases hold NaN"),
    "weights of a wrong type": (lambda: changed(pixels(), c1=numpy_helper.from_array(
        np.ones((3, 2, 3, 3), bool), "c1")), "truth values"),
    "text for a number": (lambda: attribute(pixels(), "Flatten", axis="one"),
                          "is of the type STRING, not INT"),
    "number for a text": (lambda: attribute(quants(), "Quant", rounding_mode=3),
                          "is of the type INT, not STRING"),
    "fraction for an integer": (lambda: attribute(quants(), "Quant", signed=0.5),
                                "is of the type FLOAT, not INT"),
    "missing attribute": (lambda: attribute(quants(), "Quant", signed=None), "is missing"),
    "missing attribute of ONNX": (lambda: attribute(pixels(), "MaxPool", kernel_shape=None),
                                  "is missing"),
    "unknown rounding": (lambda: attribute(quants(), "Quant", rounding_mode="no"), "rounding mode"),
    "graph in a node": (lambda: attribute(quants(), "Relu", body=helper.make_graph(
        [], "g", [], [])), "control flow"),
    "unknown operator": (lambda: on_input("NoSuch"), "no hardware"),
    "bad permutation": (lambda: attribute(signs(), "Transpose", perm=[5, LARGE]), "Transpose"),
    "deep Relu": (deep, "too many operators in a row"),
    "60 sums of themselves": (lambda: doubled(False), None),
    "60 quantized sums of themselves": (lambda: doubled(True), None),
    "operand left out": (missing_operand, "its input 2 is left out"),
    "vector of 2^21": (lambda: input_shape(1, 2 ** 21), "channels, more than"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_refused_in_a_sentence_and_in_time(case, tmp_path):
    make, message = HOSTILE[case]
    path = saved(tmp_path, make())
    start = time.monotonic()
    if message is None:
        assert load(path).network.layers
    else:
        with pytest.raises(ModelError) as error:
            load(path)
        text = str(error.value)
        assert text.startswith(f"{path}: ") and message in text.removeprefix(f"{path}: ")
        assert len(text) < 600 and "\n" not in text and "MemoryError" not in text
    assert time.monotonic() - start < 10
