"""Files of networks with every layer and element: round trips, digests, and hostile ones."""
import copy
import re
import tracemalloc
from dataclasses import fields, replace
from functools import reduce
from operator import getitem

import numpy as np
import pytest

from sw import alphabet, npz
from sw.element import Bipolar, Int, Levels, Planes, Pow2, Ternary, UInt
from sw.network import (
    Affine,
    ArgMax,
    Dense,
    Lookup,
    Network,
    NetworkError,
    Requantize,
    ResidualBinarize,
    Select,
    Tensor,
    Threshold,
    XnorNetDense,
)
from sw.planes import Plane

FLIP = np.array([True, False])
LEVELS = Levels((-3, 0, 5))
NETWORK = Network("net", Tensor.full(LEVELS, (3,)), (
    Select("crop", ("input",), np.array([2, 0])),
    Affine("affine", ("crop",), np.array([3, -2]), np.array([1, 30])),
    Requantize("scale", ("affine",), np.array([2 ** 30, 2 ** 30]), np.array([-1, -2]), -2, Int(4),
               True),
    Lookup("table", ("scale",), np.arange(-8, 24).reshape(2, 16), None),
    Threshold("powers", ("table",), np.array([[-6, -3, 5, 7], [9, 10, 11, 12]]), FLIP, Pow2(2)),
    Lookup("again", ("powers",), np.array([[-3, 0, 5, 0, 0, 5, 0, -3]]), LEVELS),
    ResidualBinarize("signs", ("again",), np.array([[3, 1], [1, 2]]), np.array([0, -1]), FLIP,
                     Planes((2, 5))),
    Threshold("ternary", ("signs",), np.array([[-3, 4], [0, 7]]), FLIP, Ternary()),
    Dense("dense", ("ternary",), (Plane(alphabet.Bipolar(), np.array([[1, -1], [1, 1]]),
                                        np.array([1, 7])),)),
    ArgMax("class", ("dense",))), ("no", "yes"))
FRAMES = np.array(np.meshgrid(*[LEVELS.table] * 3)).reshape(3, -1).T


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A path, and the header and arrays of the network's file."""
    path = tmp_path_factory.mktemp("file") / "net.npz"
    NETWORK.save(path)
    return path, *npz.read(path)


def test_load_inverts_save(stored):
    found = Network.load(stored[0])
    assert found.digest == NETWORK.digest
    assert str(found.tensors) == str(NETWORK.tensors)
    traced = NETWORK.run(FRAMES, trace=True)
    for name, values in found.run(FRAMES, trace=True).items():
        np.testing.assert_array_equal(values, traced[name])
    for ours, theirs in zip(NETWORK.layers, found.layers, strict=True):
        assert type(ours) is type(theirs)
        for part in fields(ours):
            mine, yours = getattr(ours, part.name), getattr(theirs, part.name)
            assert type(mine) is type(yours)
            if isinstance(mine, np.ndarray):
                assert (mine.tolist(), mine.dtype) == (yours.tolist(), yours.dtype)
            elif part.name != "planes":
                assert mine == yours


@pytest.mark.parametrize("kind", [
    Bipolar(), Ternary(), UInt(3), Int(32), Pow2(5), Pow2(62), Levels((7,)), LEVELS,
    Levels(tuple(range(0, -2 ** 16, -1))), Planes((1, -9, 0)), Planes((2 ** 31 - 1,) * 16)],
    ids=lambda kind: str(kind)[:20])
def test_inputs_of_every_element_survive(tmp_path, kind):
    net = Network("net", Tensor.full(kind, (2,)), (Select("a", ("input",), np.array([1])),))
    net.save(tmp_path / "net.npz")
    found = Network.load(tmp_path / "net.npz")
    assert (found.input.element, found.digest) == (kind, net.digest)
    assert found.run(np.array([[kind.lo, kind.hi]])).tolist() == [[kind.hi]]


def changed(index, **parts):
    """The network up to a layer, this one with other parts."""
    *layers, last = NETWORK.layers[:index + 1]
    return replace(NETWORK, layers=(*layers, replace(last, **parts)))


def test_digest_changes_with_every_part():
    nets = [
        NETWORK, replace(NETWORK, input=Tensor.full(Levels((-3, 5, 0)), (3,))),
        changed(1), changed(1, coefficients=np.array([3, -1])),
        changed(1, offset=np.array([2, 30])),
        changed(2), changed(2, multiplier=np.array([2 ** 30, 2 ** 30 + 1])),
        changed(2, exponent=np.array([-1, -3])), changed(2, zero=-1),
        changed(2, single_rounding=False), changed(2, element=Int(5)),
        changed(2, element=UInt(4)),
        changed(3), changed(3, table=np.arange(-8, 24)[::-1].reshape(2, 16)),
        changed(3, table=np.arange(16)[None]), changed(3, element=Int(6)),
        changed(3, element=Int(7)),
        changed(4), changed(4, element=Levels((5, 4, 3, 2, 1))), changed(4, element=UInt(3)),
        changed(6), changed(6, coefficients=np.array([[3, 1], [1, 3]])),
        changed(6, centre=np.array([1, -1])), changed(6, flip=~FLIP),
        changed(6, element=Planes((2, 6)))]
    assert len({net.digest for net in nets}) == len(nets)


def test_digest_is_independent_of_array_types():
    for index, parts in ((1, {"offset": np.array([1, 30], ">i2")}),
                         (3, {"table": np.arange(-8, 24, dtype=np.int8).reshape(2, 16)}),
                         (6, {"coefficients": np.array([[3, 1], [1, 2]], np.uint64)})):
        assert changed(index, **parts).digest == changed(index).digest


def test_digest_is_stable_over_versions():
    assert NETWORK.digest == (
        "449c6e45ac834f000f481aa4ac3909310951b9388a6c9564a798d326afa0665b")


@pytest.fixture(scope="module")
def scaled(tmp_path_factory):
    """A network with an XNOR-Net layer, and what :func:`stored` gives of it."""
    plane = Plane(alphabet.Bipolar(), np.array([[1, -1], [-1, -1]]), np.array([1, 7]))
    net = Network("net", Tensor.full(Int(3), (2,)), (
        XnorNetDense("xnor", ("input",), (plane, plane)), ArgMax("class", ("xnor",))))
    path = tmp_path_factory.mktemp("file") / "net.npz"
    net.save(path)
    return net, (path, *npz.read(path))


def test_load_inverts_save_of_an_xnor_net_layer(scaled):
    net, (path, *_) = scaled
    found = Network.load(path)
    assert type(found.layers[0]) is XnorNetDense
    assert (found.digest, str(found.tensors)) == (net.digest, str(net.tensors))
    x = np.array(np.meshgrid(*[np.arange(-4, 4)] * 2)).reshape(2, -1).T
    np.testing.assert_array_equal(found.run(x, trace=True)["xnor"], net.run(x, trace=True)["xnor"])


def test_digest_of_an_xnor_net_layer_is_its_own_and_stable(scaled):
    net, _ = scaled
    xnor, last = net.layers
    assert replace(net, layers=(Dense(xnor.name, xnor.inputs, xnor.planes), last)).digest != (
        net.digest)
    assert net.digest == (
        "63ef03ed30f012fd15a59afbcae67d8db21df0e16a63ac778b8b790095b4df43")


def test_what_is_wrong_with_an_xnor_net_layer_is_said(scaled):
    _, stored = scaled
    refused(stored, ("layers", 0, "planes"), 3, "layer xnor: 'planes' must be given as a list")
    refused(stored, ("layers", 0, "planes", 1, "alphabet"), None,
            "layer xnor: plane 1: 'alphabet' must be given as a str")
    refused(stored, ("layers", 0, "type"), "XnorNet",
            "layer xnor: 'XnorNet' is no layer type of this version")


def refused(stored, place, value, message):
    path, header, members = stored
    header = copy.deepcopy(header)
    *keys, last = place
    reduce(getitem, keys, header)[last] = value
    spare = {"spare.bool": FLIP, "spare.int": np.array([1, 2])}
    npz.write(path.with_name("other.npz"), header, members | spare)
    with pytest.raises(NetworkError, match=f"other.npz: {re.escape(message)}$"):
        Network.load(path.with_name("other.npz"))


NO_ELEMENT = ("An element type is bipolar, ternary, uintN, intN, pow2(N), levels(A, B, …) or "
              "planes(A, B, …), not ")


@pytest.mark.parametrize("place, value, message", [
    ((1, "coefficients"), 3, "layer affine: 'coefficients' must be given as a dict"),
    ((1, "offset"), {"array": "affine.coefficients"},
     "layer affine: the file has no array 'affine.coefficients' that is not used yet"),
    ((1, "offset"), {"array": "spare.bool"},
     "layer affine: offset must be integers; they are bool"),
    ((2, "zero"), 1.0, "layer scale: 'zero' must be given as a int"),
    ((2, "zero"), None, "layer scale: 'zero' must be given as a int"),
    ((2, "zero"), True, "layer scale: zero must be an integer of 32 bits, not True"),
    ((2, "zero"), 10 ** 40, f"layer scale: zero must be an integer of 32 bits, not {10 ** 40}"),
    ((2, "single_rounding"), 1, "layer scale: 'single_rounding' must be given as a bool"),
    ((2, "element"), None, "layer scale: 'element' must be given as a str"),
    ((2, "element"), "ternary", "layer scale: it gives uintN or intN, not ternary"),
    ((3, "element"), 7, "layer table: 'element' must be given as a str"),
    ((3, "element"), "int5", "layer table: its entries, -8 … 23, are not all values of int5"),
    ((3, "element"), "none", f"layer table: {NO_ELEMENT}'none'"),
    ((3, "table"), {"array": "crop.indices2"},
     "layer table: the file has no array 'crop.indices2' that is not used yet"),
    ((4, "element"), "pow2(3)", "layer powers: 4 thresholds a channel do not give pow2(3)"),
    ((4, "element"), "pow2(63)", "layer powers: A pow2 element has 1 to 62 powers, not 63"),
    ((5, "element"), f"levels({2 ** 31})",
     f"layer again: Levels are integers of magnitudes below 2^31, not {2 ** 31}"),
    ((6, "element"), "planes(2)", "layer signs: 2 coefficients a channel do not give planes(2)"),
    ((6, "element"), f"planes({'1, ' * 16}1)",
     "layer signs: Coefficients of planes are a tuple of 1 to 16 integers, not a tuple of 17"),
    ((6, "element"), "int2", "layer signs: 2 coefficients a channel do not give int2"),
    ((6, "flip"), {"array": "spare.int"},
     "layer signs: flip must be bool, not int64"),
])
def test_what_is_wrong_with_a_layer_is_said(stored, place, value, message):
    refused(stored, ("layers", *place), value, message)


def test_what_is_wrong_with_the_input_is_said(stored):
    refused(stored, ("input", "element"), "levels()", NO_ELEMENT + "'levels()'")
    refused(stored, ("input", "element"), "uint33",
            "network net: its input has 33 bits an element, more than 32")


def test_every_key_of_a_layer_must_be_there(stored):
    path, header, members = stored
    for index, layer in enumerate(header["layers"]):
        for key in layer:
            changed = copy.deepcopy(header)
            del changed["layers"][index][key]
            npz.write(path.with_name("other.npz"), changed, members)
            with pytest.raises(NetworkError, match=f"other.npz: layer .*: '{key}' must be given"):
                Network.load(path.with_name("other.npz"))


ANYTHING = [None, True, 0, -1, 5, 1.5, 10 ** 40, "", "ternary", "pow2(2)", "levels(-3, 0, 5)",
            "planes(2, 5)", "Lookup", "Requantize", "input", [], {}, ["scale"],
            *({"array": name} for name in ("affine.offset", "scale.exponent", "table.table",
                                           "again.table", "signs.coefficients", "signs.flip"))]


@pytest.mark.parametrize("value", ANYTHING, ids=str)
def test_every_place_of_a_layer_may_hold_anything(stored, monkeypatch, value):
    _, header, members = stored
    for index, layer in enumerate(header["layers"]):
        for key in layer:
            changed = copy.deepcopy(header)
            changed["layers"][index][key] = value
            monkeypatch.setattr(npz, "read", lambda path, read=(changed, dict(members)): read)
            try:
                net = Network.load("net.npz")
            except NetworkError as error:
                assert "\n" not in str(error)
                continue
            for name, values in net.run(FRAMES, trace=True).items():
                tensor = net.tensors[name]
                assert (tensor.lo <= values).all() and (values <= tensor.hi).all()


@pytest.mark.parametrize("layer, arrays", [
    ({"type": "Lookup", "table": {"array": "a"}, "element": None},
     {"a": np.zeros((1, 2 ** 16), int)}),
    ({"type": "ResidualBinarize", "coefficients": {"array": "a"}, "centre": {"array": "b"},
      "flip": {"array": "c"}, "element": f"planes({'1, ' * 15}1)"},
     {"a": np.ones((100, 16), int), "b": np.zeros(100, int), "c": np.zeros(100, bool)})],
    ids=["Lookup", "ResidualBinarize"])
def test_ranges_take_no_memory(tmp_path, layer, arrays):
    """2^16 codes of each of many channels, from files of some hundred bytes."""
    channels = len(arrays.get("b", range(2 ** 16)))
    npz.write(tmp_path / "net.npz", {
        "format": "bitwright network", "schema": 1, "name": "net", "labels": [], "provenance": {},
        "input": {"element": "uint16", "shape": [channels]},
        "layers": [{"name": "a", "inputs": ["input"]} | layer]}, arrays)
    assert (tmp_path / "net.npz").stat().st_size < 2000
    tracemalloc.start()
    try:
        assert Network.load(tmp_path / "net.npz").tensors["a"].shape == (channels,)
        assert tracemalloc.get_traced_memory()[1] < 2 ** 27
    finally:
        tracemalloc.stop()
