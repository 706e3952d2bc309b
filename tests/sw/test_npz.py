"""Files that nobody should be asked to load: each is refused with a NetworkError, and cheaply."""
import copy
import io
import json
import re
import struct
import tracemalloc
import zipfile
from functools import reduce
from operator import getitem
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw import alphabet, npz
from sw.element import Bipolar, UInt
from sw.network import ArgMax, Dense, Network, NetworkError, Select, Tensor, Threshold
from sw.planes import Plane

NETWORK = Network("net", Tensor.full(UInt(8), (6,)), (
    Select("crop", ("input",), np.array([4, 0, 2, 5])),
    Threshold("binarize", ("crop",), np.array([[100], [0], [256], [7]]),
              np.array([False, True, False, False]), Bipolar()),
    Dense("hidden", ("binarize",), (
        Plane(alphabet.Bipolar(), np.array([[1, -1, 1, 1], [-1, -1, 1, -1], [1, 1, 1, -1]]),
              np.array([1, -3, 2])),
        Plane(alphabet.Bipolar(), np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, -1, -1, -1]]),
              np.array([1, 1, 300])))),
    ArgMax("class", ("hidden",)),
), ("a", "b", "ö"), {"by": "hand", "accuracy": {"sample": 0.5}, "notes": [1, None, True]})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("npz")


@pytest.fixture(scope="module")
def content(folder):
    NETWORK.save(folder / "good.npz")
    return (folder / "good.npz").read_bytes()


@pytest.fixture(scope="module")
def members(content):
    """The archive's members: file names and their uncompressed bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def load(folder):
    """Load a file of some bytes."""
    def load(content: bytes) -> Network:
        path = folder / "file.npz"
        path.unlink(missing_ok=True)        # overwriting waits for the disk on some systems
        path.write_bytes(content)
        return Network.load(path)
    return load


@pytest.fixture(scope="module")
def refuse(load, folder):
    """Check that a file of some bytes is refused with a message that matches a pattern."""
    def refuse(content: bytes, pattern: str):
        with pytest.raises(NetworkError,
                           match=f"^{re.escape(str(folder / 'file.npz'))}: {pattern}$"):
            load(content)
    return refuse


def archive(members, compression=zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of ``members``, a dict or a list of pairs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, data in members.items() if isinstance(members, dict) else members:
            file.writestr(name, data)
    return buffer.getvalue()


def npy(description: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """The bytes of an array whose header is ``description``."""
    size = len(description).to_bytes(2 if version == b"\x01\x00" else 4, "little")
    return b"\x93NUMPY" + version + size + description.encode() + data


def described(descr="'|i1'", order="False", shape="(4,)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


def of_numpy(array, **options) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **options)
    return buffer.getvalue()


def header_of(members) -> dict:
    return json.loads(np.load(io.BytesIO(members["header.npy"])).tobytes())


def with_header(members, header) -> dict:
    """``members`` with another header: JSON data, or its text as bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return members | {"header.npy": of_numpy(np.frombuffer(text, np.uint8))}


def same(network: Network) -> bool:
    return (network.digest == NETWORK.digest and network.name == NETWORK.name
            and network.labels == NETWORK.labels and network.provenance == NETWORK.provenance)


def equal_or_refused(load, content: bytes) -> bool:
    """Whether a file loads, and then as an equal network; only NetworkError may refuse it."""
    try:
        network = load(content)
    except NetworkError:
        return False
    assert same(network)
    return True


# What is no damage.

def test_content_loads(load, content, members):
    assert same(load(content))
    assert same(load(archive(members)))
    assert same(load(archive(members, zipfile.ZIP_STORED)))
    assert same(load(archive(list(reversed(members.items())))))
    assert same(load(archive(with_header(members, header_of(members)))))


def test_numpy_reads_what_is_written(folder, content):
    with np.load(folder / "good.npz", allow_pickle=False) as file:
        assert file["crop.indices"].tolist() == [4, 0, 2, 5]
        assert file["binarize.thresholds"].dtype == np.int16
        assert file["hidden.planes.1.coefficients"].tolist() == [1, 1, 300]


def test_arrays_that_numpy_saved_in_other_types_load(load, members):
    wide = {name: of_numpy(np.load(io.BytesIO(data)).astype(">i8"))
            if name.split(".")[-2] not in ("header", "flip") else data
            for name, data in members.items()}
    assert same(load(archive(wide)))


# What is no archive, or a damaged one.

@pytest.mark.parametrize("content", [b"", b"PK", b"{}", b"PK\x03\x04" + bytes(100),
                                     bytes(1000), b"\x89PNG\r\n\x1a\n" * 9])
def test_no_archive(refuse, content):
    refuse(content, "it is no archive, or truncated: File is not a zip file")


def test_empty_archive(refuse):
    refuse(archive({}), "it is no archive of this project: it has no header")


def test_no_file(tmp_path):
    path = tmp_path / "none.npz"
    with pytest.raises(NetworkError, match=f"^{re.escape(str(path))}: there is no such file$"):
        Network.load(path)


def test_folder(tmp_path):
    with pytest.raises(NetworkError, match=f"^{re.escape(str(tmp_path))}: it cannot be read: "):
        Network.load(tmp_path)


def test_truncated(load, content):
    assert [size for size in range(len(content)) if equal_or_refused(load, content[:size])] == []


def test_start_missing(load, content):
    assert not any(equal_or_refused(load, content[size:]) for size in range(1, len(content), 7))


def test_one_byte_changed(load, content):
    rng = np.random.default_rng(0)
    loaded = 0
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= int(rng.integers(1, 256))
        loaded += equal_or_refused(load, bytes(damaged))
    assert loaded < len(content) / 3        # dates and attributes carry nothing


@settings(max_examples=200)
@given(st.data())
def test_some_bytes_changed(load, content, data):
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    equal_or_refused(load, bytes(damaged))


@settings(max_examples=200)
@given(st.data())
def test_bytes_changed_under_a_right_checksum(load, members, data):
    """Another network may come of it, but no other exception, and no network out of order."""
    name = data.draw(st.sampled_from(list(members)))
    damaged = bytearray(members[name])
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(
            st.sampled_from(b"\x00\x01\x7f\xff0123456789-,()[]{}'\" ") | st.integers(0, 255))
    try:
        network = load(archive(members | {name: bytes(damaged)}, zipfile.ZIP_STORED))
    except NetworkError:
        return
    network.run(np.zeros((2, *network.input.shape), int))


def central(content: bytes, name: str) -> int:
    """Where the archive's directory has its entry of ``name``."""
    return content.rindex(name.encode()) - 46


def patched(content: bytes, place: int, data: bytes) -> bytes:
    return content[:place] + data + content[place + len(data):]


def test_encrypted(refuse, members):
    stored = archive(members)
    flags = patched(stored, central(stored, "crop.indices.npy") + 8, b"\x01")
    refuse(flags, "it is no archive, or truncated: .*encrypted.*")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_deflate(refuse, members, compression):
    refuse(archive(members, compression), "array 'header': it is neither stored nor deflated")


def test_offset_beyond_all_files(refuse, members):
    """The 64-bit field of a member's place, which overflows a file position."""
    stored = archive(members)
    place = central(stored, "crop.indices.npy")
    field = struct.pack("<HHQ", 1, 8, 2 ** 63)
    name = 46 + len("crop.indices.npy")
    large = patched(stored, place + 30, struct.pack("<H", len(field)))
    large = patched(large, place + 42, b"\xff" * 4)
    large = large[:place + name] + field + large[place + name:]
    end = large.rindex(b"PK\x05\x06")
    size = int.from_bytes(large[end + 12:end + 16], "little") + len(field)
    refuse(patched(large, end + 12, size.to_bytes(4, "little")),
           ".*offset.*")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["crop.indices.npy", "crop.indices"])
def test_duplicate_members(refuse, members, second):
    refuse(archive([*members.items(), (second, members["crop.indices.npy"])]),
           "it holds two arrays of one name")


# What would take memory.

@pytest.fixture
def refuse_cheaply(refuse):
    """Check that a file is refused while less than a MiB of memory is taken."""
    def refuse_cheaply(content, pattern):
        tracemalloc.start()
        try:
            refuse(content, pattern)
            assert tracemalloc.get_traced_memory()[1] < 2 ** 20
        finally:
            tracemalloc.stop()
    return refuse_cheaply


def test_many_members(refuse_cheaply, monkeypatch, members):
    monkeypatch.setattr(npz, "MEMBERS", 100)
    refuse_cheaply(archive(members | {f"{k}.npy": b"" for k in range(100)}),
                   rf"it holds {len(members) + 100} arrays of \d+ bytes, more than the 100 arrays "
                   rf"or {2 ** 28} bytes that a network may have")


def test_bomb(refuse_cheaply, monkeypatch, members):
    monkeypatch.setattr(npz, "LARGEST", 2 ** 22)
    bomb = npy(described(shape=f"({2 ** 22},)"), bytes(2 ** 22))
    size = sum(map(len, members.values())) + len(bomb)
    refuse_cheaply(archive(members | {"bomb.npy": bomb}),
                   rf"it holds {len(members) + 1} arrays of {size} bytes, more than the 10000 "
                   rf"arrays or {2 ** 22} bytes that a network may have")


def test_bomb_in_the_header(refuse_cheaply, members):
    text = b"[" * (npz.LARGEST_HEADER + 1)
    content = archive(with_header(members, text))
    refuse_cheaply(content, rf"its header has \d+ bytes, more than {npz.LARGEST_HEADER}")


def test_huge_size_declared(refuse_cheaply, members):
    stored = archive(members)
    place = central(stored, "crop.indices.npy") + 24
    refuse_cheaply(patched(stored, place, (2 ** 32 - 2).to_bytes(4, "little")),
                   rf"it holds {len(members)} arrays of \d+ bytes, .*")
    refuse_cheaply(patched(stored, place, (2 ** 27).to_bytes(4, "little")),
                   "array 'crop.indices': its 134217728 bytes do not hold int8 values of shape "
                   r"\(4,\)")


def test_more_behind_the_size_declared(refuse_cheaply, members):
    bomb = npy(described(), bytes(2 ** 23))
    stored = archive(members | {"crop.indices.npy": bomb})
    size = len(bomb) - 2 ** 23 + 4
    refuse_cheaply(patched(stored, central(stored, "crop.indices.npy") + 24,
                           size.to_bytes(4, "little")), ".*Bad CRC-32 for file 'crop.indices.npy'")


def test_less_than_the_size_declared(refuse_cheaply, members):
    array = npy(described(shape=f"({2 ** 27},)"), bytes(4))
    stored = archive(members | {"crop.indices.npy": array})
    size = len(array) - 4 + 2 ** 27
    refuse_cheaply(patched(stored, central(stored, "crop.indices.npy") + 24,
                           size.to_bytes(4, "little")), "array 'crop.indices': it is truncated")


def test_an_array_serves_once(refuse, members):
    """Else a small file could make a large network of one array."""
    header = replaced(header_of(members), ["layers", 2, "planes", 1, "codes"],
                      {"array": "hidden.planes.0.codes"})
    refuse(archive(with_header(members, header)), "layer hidden: plane 1: the file has no array "
           "'hidden.planes.0.codes' that is not used yet")


def test_huge_input(refuse_cheaply, members):
    for size in (2 ** 20 + 1, 2 ** 70):
        header = replaced(header_of(members), ["input", "shape"], [size])
        refuse_cheaply(archive(with_header(members, header)), "header: the input's shape must be "
                       rf"one size of 1 to 2\^20, or three, not \[{size}\]")


# Arrays.

class Touch:
    """What creates a file when it is unpickled."""
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("member", ["header.npy", "crop.indices.npy", "extra.npy"])
def test_pickles_are_not_executed(refuse, members, tmp_path, member):
    pickled = of_numpy(np.array([Touch(tmp_path / "executed")]), allow_pickle=True)
    key = member.removesuffix(".npy")
    refuse(archive(members | {member: pickled}),
           f"array {key!r}: it is no array of plain numbers in C order")
    assert list(tmp_path.iterdir()) == []
    np.load(io.BytesIO(pickled), allow_pickle=True)
    assert list(tmp_path.iterdir()) == [tmp_path / "executed"]


NOT_PLAIN = "array 'crop.indices': it is no array of plain numbers in C order"


@pytest.mark.parametrize("description, data", [
    (described("'|O'"), bytes(4)), (described("'<u8'"), bytes(32)), (described("'<c8'"), bytes(32)),
    (described("'|S1'"), bytes(4)), (described("'<U1'"), bytes(16)), (described("'|V1'"), bytes(4)),
    (described("'<M8[s]'"), bytes(32)), (described("'<f16'"), bytes(64)),
    (described("'|i0'"), b""), (described("'<i3'"), bytes(12)), (described("'int8'"), bytes(4)),
    (described("[('a', '|i1')]"), bytes(4)), (described("('|i1', (4,))", shape="()"), bytes(4)),
    (described(order="True", shape="(2, 2)"), bytes(4)),
    (described(order="0"), bytes(4)),
    (described(shape="(-4,)"), bytes(4)), (described(shape="(-2, -2)"), bytes(4)),
    (described(shape="[4]"), bytes(4)), (described(shape="4"), bytes(4)),
    (described(shape="(4L,)"), bytes(4)), (described(shape="(True,)"), bytes(1)),
    (described(shape="(4.0,)"), bytes(4)), (described(shape="(0x4,)"), bytes(4)),
    (described(shape="(2 + 2,)"), bytes(4)), (described(shape="(len('abcd'),)"), bytes(4)),
    (described(shape="(" * 9000 + ")" * 9000), bytes(4)),
    ("-" * 60000 + "1\n", bytes(4)), ("{[]: 1}\n", b""), ("{}\n", b""), ("", b""),
    ("{'descr': '|i1', 'fortran_order': False}\n", bytes(4)),
    ("{'shape': (4,), 'descr': '|i1', 'fortran_order': False, }\n", bytes(4)),
    ("__import__('os').abort()\n", b""), ("'" * 3 + "\\N{x}\n", b""), ("\x00\n", b""), ("(\n", b""),
    (described()[:-1], bytes(4)),
])
def test_odd_array_headers(refuse, members, description, data):
    refuse(archive(members | {"crop.indices.npy": npy(description, data)}), NOT_PLAIN)


@pytest.mark.parametrize("data", [
    b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\xff", b"\x93NUMPY\x01\x00\xff\xff", b"GIF89a",
    npy(described(), bytes(4), version=b"\x02\x00"), npy(described(), bytes(4), b"\x03\x00"),
    b"\x93NUMPZ" + npy(described(), bytes(4))[6:],
])
def test_no_array(refuse, members, data):
    refuse(archive(members | {"crop.indices.npy": data}), NOT_PLAIN)


@pytest.mark.parametrize("descr, shape, size, found", [
    ("'|i1'", "(5,)", 4, "int8 values of shape (5,)"),
    ("'|i1'", "(3,)", 4, "int8 values of shape (3,)"),
    ("'<i2'", "(4,)", 4, "int16 values of shape (4,)"),
    ("'|i1'", "(0,)", 0, "int8 values of shape (0,)"),
    ("'|i1'", "(0, 999999999, 999999999, 999999999)", 0,
     "int8 values of shape (0, 999999999, 999999999, 999999999)"),
    ("'<i8'", f"({2 ** 29}, {2 ** 29}, 4)", 0,             # 2**63 bytes, which wrap to 0 or less
     f"int64 values of shape ({2 ** 29}, {2 ** 29}, 4)"),
    ("'|i1'", "(1, 2, 3)", 4, "int8 values of shape (1, 2, 3)"),
])
def test_shapes_that_are_not_there(refuse_cheaply, members, descr, shape, size, found):
    array = npy(described(descr, shape=shape), bytes(size))
    refuse_cheaply(archive(members | {"crop.indices.npy": array}), re.escape(
        f"array 'crop.indices': its {len(array)} bytes do not hold {found}"))


@pytest.mark.parametrize("shape", [
    f"({'1, ' * 100})", "(4 4,)", "(4,,)", f"({2 ** 63},)", f"({'9' * 5000},)",
    f"(0, {2 ** 70})"])
def test_shapes_that_are_none(refuse, members, shape):
    refuse(archive(members | {"crop.indices.npy": npy(described(shape=shape), bytes(1))}),
           NOT_PLAIN)


NAN = np.full(4, np.nan)
CLAMP = ", its input's range and one above; clamp them"


@pytest.mark.parametrize("member, array, message", [
    ("crop.indices", NAN, "layer crop: indices must be integers; they are float64, and hold NaN"),
    ("crop.indices", np.array([4, 0, 2, 6]),
     "layer crop: indices reach from 0 to 6, but its input has channels 0 to 5"),
    ("crop.indices", np.array(4),
     "layer crop: indices must have 1 axes and not be empty; their shape is ()"),
    ("binarize.thresholds", NAN[:, None].astype(np.float32),
     "layer binarize: thresholds must be integers; they are float32, and hold NaN"),
    ("binarize.thresholds", np.array([[1], [2], [257], [3]]),
     "layer binarize: the thresholds of channel 2, [257], are not within 0 … 256" + CLAMP),
    ("binarize.flip", NAN, "layer binarize: flip must be bool, not float64"),
    ("binarize.flip", np.zeros(4, np.int8), "layer binarize: flip must be bool, not int64"),
    ("hidden.planes.0.codes", np.full((3, 4), np.nan),
     "layer hidden: a plane's codes are integers, not float64"),
    ("hidden.planes.0.codes", np.zeros((3, 4), np.int8),
     "layer hidden: weight [0, 0] is 0, outside the bipolar alphabet"),
    ("hidden.planes.0.codes", np.ones((3, 5), np.int8),
     "layer hidden: its planes must have one shape, not [(3, 4), (3, 5)]"),
    ("hidden.planes.0.coefficients", NAN[:3].astype(np.float16),
     "layer hidden: a plane's coefficients are finite, but one is NaN or infinite"),
    ("hidden.planes.0.coefficients", np.array([1, 2 ** 31, 1]),
     "layer hidden: a plane's coefficients have 32 bits, but that of row 1 is 2147483648"),
])
def test_arrays_that_are_no_layer(refuse, members, member, array, message):
    refuse(archive(members | {f"{member}.npy": of_numpy(array)}), re.escape(message))


@pytest.mark.parametrize("member, where", [
    ("crop.indices", "layer crop"), ("binarize.thresholds", "layer binarize"),
    ("binarize.flip", "layer binarize"), ("hidden.planes.0.codes", "layer hidden: plane 0"),
    ("hidden.planes.1.coefficients", "layer hidden: plane 1")])
def test_missing_array(refuse, members, member, where):
    rest = {name: data for name, data in members.items() if name != f"{member}.npy"}
    refuse(archive(rest), f"{where}: the file has no array '{member}' that is not used yet")


# The header.

def test_other_npz_files(refuse, members):
    rest = {name: data for name, data in members.items() if name != "header.npy"}
    refuse(archive(rest), "it is no archive of this project: it has no header")
    refuse(archive(rest | {"header.npy": of_numpy(np.zeros((2, 2)))}),
           "its header is no JSON text: .*")


@pytest.mark.parametrize("text, message", [
    (b"{", "its header is no JSON text: .*"),
    (b"\xff\xfe\xfd", "its header is no JSON text: .*"),
    (b"[" * 100_000, "its header is no JSON text: .*recursion.*"),
    (b'{"a":' * 100_000, "its header is no JSON text: .*recursion.*"),
    (b"9" * 5000, "its header is no JSON text: .*"),
    (b"[]", "its header is no JSON object"),
    (b"null", "its header is no JSON object"),
    (b'"header"', "its header is no JSON object"),
    (b"{}", "it is no Bitwright network"),
    (b'{"format": ["bitwright network"]}', "it is no Bitwright network"),
    (b'{"format": "bitwright network"}', "its schema is no number from 1 on"),
    (b'{"format": "bitwright network", "schema": 1}',
     "header: 'input' must be given as a dict"),
])
def test_texts_that_are_no_header(refuse, members, text, message):
    refuse(archive(with_header(members, text)), message)


def test_deep_nesting_behind_a_right_header(refuse, members):
    text = json.dumps(header_of(members))
    deep = text.replace('"by": "hand"', '"by": ' + "[" * 100_000 + "]" * 100_000)
    refuse(archive(with_header(members, deep.encode())),
           "its header is no JSON text: .*recursion.*")


@pytest.mark.parametrize("schema", [2, 3, 10 ** 30])
def test_newer_schema(refuse, members, schema):
    refuse(archive(with_header(members, header_of(members) | {"schema": schema})),
           f"it has schema {schema}, but this version reads schema 1; install a newer version")


@pytest.mark.parametrize("schema", [None, 0, -1, True, 1.0, "1", [1], {}, float("nan")])
def test_schema_that_is_none(refuse, members, schema):
    refuse(archive(with_header(members, header_of(members) | {"schema": schema})),
           "its schema is no number from 1 on")


def replaced(data, place, value):
    """A copy of JSON data that has ``value`` at ``place``, a list of keys."""
    if not place:
        return value
    data = copy.copy(data)
    data[place[0]] = replaced(data[place[0]], place[1:], value)
    return data


@pytest.mark.parametrize("place, value, message", [
    (["name"], 1, "header: 'name' must be given as a str"),
    (["name"], "a/b", "network 'a/b': a name is letters, digits, '_', '-', '.'"),
    (["labels"], "abc", "header: 'labels' must be given as a list"),
    (["labels"], ["a", "b", 3], "header: 'labels' must be a list of strings"),
    (["labels"], ["a", "b", "\x1b[2J"], r"network net: label '\x1b[2J' is not printable"),
    (["labels"], ["a", "b", "\ud800"], r"network net: label '\ud800' is not printable"),
    (["labels"], ["a", "b"], "network net: it has 2 labels for 3 classes"),
    (["provenance"], [], "header: 'provenance' must be given as a dict"),
    (["layers"], {}, "header: 'layers' must be given as a list"),
    (["layers"], [], "network net: it has no layers"),
    (["layers", 0], "crop", "layer 0: 'name' must be given as a str"),
    (["layers", 1], None, "layer 1: 'name' must be given as a str"),
    (["layers", 1, "name"], 7, "layer 1: 'name' must be given as a str"),
    (["layers", 1, "name"], "\x1b[2J", r"layer '\x1b[2J': a name is letters, digits and '_'"),
    (["layers", 1, "name"], "crop", "layer crop: another layer has the same name"),
    (["layers", 1, "name"], "../x", "layer '../x': a name is letters, digits and '_'"),
    (["layers", 1, "type"], None, "layer binarize: 'type' must be given as a str"),
    (["layers", 1, "type"], "Network",
     "layer binarize: 'Network' is no layer type of this version"),
    (["layers", 1, "inputs"], "crop", "layer binarize: 'inputs' must be given as a list"),
    (["layers", 1, "inputs"], [["crop"]], "layer binarize: 'inputs' must be a list of strings"),
    (["layers", 1, "inputs"], [], "layer binarize: a Threshold reads one layer, not 0"),
    (["layers", 1, "inputs"], ["hidden"],
     "layer binarize: it reads 'hidden', which is no earlier layer"),
    (["layers", 1, "element"], 1, "layer binarize: 'element' must be given as a str"),
    (["layers", 1, "element"], "uint99",
     "layer binarize: An element has 1 to 62 bits, not 99"),
    (["layers", 1, "element"], "float",
     ("layer binarize: An element type is bipolar, ternary, uintN, intN, pow2(N), "
      "levels(A, B, …) or planes(A, B, …), not 'float'")),
    (["layers", 1, "thresholds"], [[1]], "layer binarize: 'thresholds' must be given as a dict"),
    (["layers", 1, "flip"], {"array": 3}, "layer binarize: 'flip': 'array' must be given as a str"),
    (["layers", 1, "flip"], {"array": "x"},
     "layer binarize: the file has no array 'x' that is not used yet"),
    (["layers", 1, "flip"], {"array": "header"},
     "layer binarize: the file has no array 'header' that is not used yet"),
    (["layers", 2, "planes"], {}, "layer hidden: 'planes' must be given as a list"),
    (["layers", 2, "planes"], [], "layer hidden: its planes must have one shape, not []"),
    (["layers", 2, "planes", 1], 1, "layer hidden: plane 1: 'alphabet' must be given as a str"),
    (["layers", 2, "planes", 1, "alphabet"], "quinary",
     ("layer hidden: An alphabet is ones, bipolar, ternary, pow2(N), int(LO..HI), float(E, M), "
      "or with its table codebook(N) or vectors(N of M), not 'quinary'")),
    (["input"], [], "header: 'input' must be given as a dict"),
    (["input", "element"], 8, "header: input: 'element' must be given as a str"),
    (["input", "element"], "uint33", "network net: its input has 33 bits an element, more than 32"),
    (["input", "shape"], 6, "header: input: 'shape' must be given as a list"),
    *((["input", "shape"], shape,
       f"header: the input's shape must be one size of 1 to 2^20, or three, not {shape}")
      for shape in ([], [6, 1], [0], [-6], [6.0], [True], ["6"], [None], [[6]])),
])
def test_what_is_wrong_with_the_header_is_said(refuse, members, place, value, message):
    header = replaced(header_of(members), place, value)
    refuse(archive(with_header(members, header)), re.escape(message))


def test_names_that_would_move_the_cursor_are_not_printed(refuse, members):
    header = replaced(header_of(members), ["layers", 1, "name"], "\x1b[2J")
    del header["layers"][1]["type"]
    refuse(archive(with_header(members, header)), "layer 1: 'type' must be given as a str")
    refuse(archive(members | {"\x1b[2J.npy": b""}),
           re.escape(r"array '\x1b[2J': it is no array of plain numbers in C order"))


def places(data, place=()):
    """Every place in JSON data, as a list of keys."""
    children = data.items() if isinstance(data, dict) else (
        enumerate(data) if isinstance(data, list) else ())
    for key, child in children:
        yield [*place, key]
        yield from places(child, [*place, key])


@pytest.mark.parametrize("value", [
    None, True, 0, -1, 1.5, float("nan"), 10 ** 40, "", "x", "\x00\ud800", [], {}, [[]], ["input"],
    {"array": "header"}, {"array": []}])
def test_every_place_of_the_header_may_hold_anything(load, members, value):
    for place in places(header_of(members)):
        header = replaced(header_of(members), place, value)
        try:
            network = load(archive(with_header(members, header), zipfile.ZIP_STORED))
        except NetworkError:
            continue
        network.run(np.zeros((1, *network.input.shape), int))
        assert place[0] in ("name", "labels", "provenance") or value in ("x", ["input"])


def test_every_key_of_the_header_must_be_there(refuse, members):
    header = header_of(members)
    for *place, key in places(header):
        table = reduce(getitem, place, header)
        if isinstance(table, dict) and "provenance" not in place:
            rest = {name: value for name, value in table.items() if name != key}
            refuse(archive(with_header(members, replaced(header, place, rest))), ".*")
