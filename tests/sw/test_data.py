import gzip
import re
import struct

import numpy as np
import pytest

from sw import data
from sw.data import DataError


def idx(array, kind=8) -> bytes:
    """An array in the IDX format."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, kind, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def save(folder, part, images, labels, packed=False):
    """Write images and labels, arrays or the files' bytes, as a pair of IDX files."""
    folder.mkdir(exist_ok=True)
    for stem, content in ((f"{part}-images-idx3-ubyte", images),
                          (f"{part}-labels-idx1-ubyte", labels)):
        content = content if isinstance(content, bytes) else idx(content)
        if packed:
            (folder / f"{stem}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / stem).write_bytes(content)


def pictures(frames, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (frames, 3, 2)), rng.integers(0, 10, frames)


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch, tmp_path):
    """No data sets but the packaged ones and those of a test."""
    monkeypatch.delenv("BITWRIGHT_DATA", raising=False)
    monkeypatch.setattr(data, "folders", lambda given=None, folders=data.folders: [
        folder for folder in folders(given) if folder.is_relative_to(tmp_path)])


# The packaged ones.

@pytest.fixture(scope="module")
def sample():
    return data.load("mnist", "sample")


def test_sample_has_500_images_a_class(sample):
    assert (sample.name, len(sample)) == ("mnist sample", 5000)
    assert (sample.images.shape, sample.images.dtype) == ((5000, 28, 28), np.uint8)
    assert (sample.labels.shape, sample.labels.dtype) == ((5000,), np.uint8)
    assert np.bincount(sample.labels).tolist() == [500] * 10


def test_sample_is_upright_digits(sample):
    """The mean of the ones is a stroke down the middle."""
    assert (sample.images.min(), sample.images.max()) == (0, 255)
    one = sample.images[sample.labels == 1].mean(axis=0)
    assert one[5:23].max(axis=1).min() > 50 > one[:, [0, 1, 2, 25, 26, 27]].max()


def test_sample_is_the_same_for_all(sample):
    assert sample.digest == "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d"


def test_slices_keep_images_and_labels_together(sample):
    part = sample[700:703]
    assert (part.name, len(part)) == ("mnist sample", 3)
    np.testing.assert_array_equal(part.images, sample.images[700:703])
    np.testing.assert_array_equal(part.labels, sample.labels[700:703])
    assert part.digest != sample[701:704].digest


@pytest.mark.parametrize("split, first, last", [
    ("train", 0, 1200), ("validation", 1200, 1500), ("sample", 1500, 1797)])
def test_digits(split, first, last):
    from sklearn.datasets import load_digits
    images, labels = load_digits(return_X_y=True)
    found = data.load("digits", split)
    assert found.name == f"digits {split}"
    assert (found.images.shape, found.images.dtype) == ((last - first, 8, 8), np.uint8)
    np.testing.assert_array_equal(found.images.reshape(-1, 64), images[first:last])
    assert found.labels.tolist() == labels[first:last].tolist()
    assert found.images.max() == 16


def test_sample_is_the_default_split():
    assert data.load("digits").digest == data.load("digits", "sample").digest


# IDX files.

@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
@pytest.mark.parametrize("inner", [False, True])
def test_idx_files_are_read_exactly(tmp_path, packed, name, inner):
    images, labels = pictures(7)
    save(tmp_path / name if inner else tmp_path, "t10k", images, labels, packed)
    split = data.load(name, "t10k", data=tmp_path)
    assert (split.name, len(split)) == (f"{name} t10k", 7)
    np.testing.assert_array_equal(split.images, images)
    np.testing.assert_array_equal(split.labels, labels)
    assert (split.images.dtype, split.labels.dtype) == (np.uint8, np.uint8)


def test_folder_of_the_name_comes_first(tmp_path):
    images, labels = pictures(4)
    save(tmp_path, "t10k", *pictures(4, seed=1))
    save(tmp_path / "mnist", "t10k", images, labels)
    np.testing.assert_array_equal(data.load("mnist", "t10k", data=tmp_path).images, images)


def test_one_file_of_a_pair_is_none(tmp_path):
    images, labels = pictures(4)
    save(tmp_path / "mnist", "t10k", *pictures(4, seed=1))
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte").unlink()
    save(tmp_path, "t10k", images, labels)
    np.testing.assert_array_equal(data.load("mnist", "t10k", data=tmp_path).images, images)


@pytest.mark.parametrize("split, first, last", [
    ("train", data.HELD_OUT, data.VALIDATION), ("validation", data.VALIDATION, 60_000)])
def test_training_leaves_out_the_sample_and_validation(tmp_path, split, first, last):
    numbers = np.arange(60_000)
    images = (numbers[:, None] >> [8, 0] & 255)[:, None]      # an image spells its number
    save(tmp_path, "train", images, numbers % 10)
    found = data.load("mnist", split, data=tmp_path)
    spelled = found.images[:, 0] @ np.array([256, 1])
    assert spelled.tolist() == list(range(first, last))
    assert found.labels.tolist() == [number % 10 for number in range(first, last)]


def test_training_starts_behind_the_sample():
    assert (data.HELD_OUT, data.VALIDATION) == (5848, 55_000)


def test_environment_names_the_folder(tmp_path, monkeypatch):
    images, labels = pictures(5)
    save(tmp_path / "elsewhere", "t10k", images, labels)
    monkeypatch.setenv("BITWRIGHT_DATA", str(tmp_path / "elsewhere"))
    np.testing.assert_array_equal(data.load("mnist", "t10k").images, images)


def test_folder_given_comes_before_the_environment(tmp_path, monkeypatch):
    images, labels = pictures(5)
    save(tmp_path / "elsewhere", "t10k", *pictures(5, seed=1))
    save(tmp_path / "given", "t10k", images, labels)
    monkeypatch.setenv("BITWRIGHT_DATA", str(tmp_path / "elsewhere"))
    np.testing.assert_array_equal(
        data.load("mnist", "t10k", data=tmp_path / "given").images, images)


def test_folders(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("BITWRIGHT_DATA", "/b")
    assert [str(folder) for folder in data.folders("/a")] == ["/a", "/b", "/usr/share/datasets"]
    monkeypatch.setenv("BITWRIGHT_DATA", "")
    assert [str(folder) for folder in data.folders()] == ["/usr/share/datasets"]


# What is wrong is said.

@pytest.mark.parametrize("name, split, part, get", [
    ("mnist", "train", "train", "download the four files of yann.lecun.com/exdb/mnist"),
    ("mnist", "validation", "train", "download the four files of yann.lecun.com/exdb/mnist"),
    ("fashion-mnist", "t10k", "t10k", "apt install dataset-fashion-mnist"),
])
def test_missing_data_says_where_to_get_it(tmp_path, name, split, part, get):
    message = (f"no IDX files of {name} ({part}-images-idx3-ubyte[.gz]) in {tmp_path / name}, "
               f"{tmp_path}; {get} and name their folder with --data or BITWRIGHT_DATA")
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        data.load(name, split, data=tmp_path)


@pytest.mark.parametrize("name, split, message", [
    ("mnist", "test", "data set mnist has no split 'test'"),
    ("digits", "t10k", "data set digits has no split 't10k'"),
    ("fashion-mnist", "sample", "data set fashion-mnist has no split 'sample'"),
    ("cifar", "sample", "data sets are digits, mnist and fashion-mnist, not 'cifar'"),
])
def test_unknown_names(name, split, message):
    with pytest.raises(DataError, match=f"^{message}$"):
        data.load(name, split)


GOOD = idx(pictures(4)[0])


@pytest.mark.parametrize("images", [
    b"", b"\0\0\x08", b"\0\0\x08\x03", GOOD[:15], GOOD[:16], GOOD[:-1], GOOD + b"\0",
    b"\x01" + GOOD[1:], b"\0\x01" + GOOD[2:], idx(pictures(4)[0], kind=9), idx(pictures(4)[1]),
    b"<html>not found</html>",
    b"\0\0\x08\x03" + struct.pack(">3I", 2 ** 31, 2 ** 31, 4),         # whose product wraps to 0
    b"\0\0\x08\x03" + b"\xff" * 12,
])
@pytest.mark.parametrize("packed", [False, True])
def test_garbage_is_no_idx_file(tmp_path, images, packed):
    save(tmp_path, "t10k", images, pictures(4)[1], packed)
    path = tmp_path / f"t10k-images-idx3-ubyte{'.gz' * packed}"
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: it is no IDX file of rank 3, "
                                        r"or truncated$"):
        data.load("mnist", "t10k", data=tmp_path)


PACKED = gzip.compress(GOOD, mtime=0)


@pytest.mark.parametrize("content", [
    b"not gzip", PACKED[:5], PACKED[:20], PACKED[:-1],
    PACKED[:10] + b"\xff" + PACKED[11:], PACKED[:-5] + b"\0" + PACKED[-4:],
])
def test_garbage_is_no_gzip_file(tmp_path, content):
    save(tmp_path, "t10k", *pictures(4), packed=True)
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: it is no gzip file, or "
                                        r"truncated: .*$"):
        data.load("mnist", "t10k", data=tmp_path)


def test_as_many_labels_as_images(tmp_path):
    save(tmp_path, "t10k", pictures(4)[0], pictures(5)[1])
    images, labels = (tmp_path / f"t10k-{stem}" for stem in ("images-idx3-ubyte",
                                                             "labels-idx1-ubyte"))
    with pytest.raises(DataError, match=f"^{re.escape(f'{images} holds 4 images, but {labels} 5')} "
                                        r"labels$"):
        data.load("mnist", "t10k", data=tmp_path)
