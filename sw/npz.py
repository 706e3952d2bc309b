"""Archives of a JSON header and integer arrays: ``.npz`` files that are safe to read and write.

Reading executes nothing and takes memory only after the sizes have been checked, so a hostile
file is refused. Writing is atomic and gives the same bytes for the same content.
"""
import io
import json
import math
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

HEADER = "header"           # the member that holds the JSON text as bytes
LARGEST = 2 ** 28           # bytes of all arrays together
MEMBERS = 10_000
PREAMBLE = 2 ** 14          # bytes at most before an array's data


def write(path, header: dict, arrays: dict[str, np.ndarray]) -> None:
    """Write ``header`` and ``arrays``, each as the smallest integer type that holds it."""
    text = json.dumps(header, sort_keys=True, ensure_ascii=False).encode()
    members = {HEADER: np.frombuffer(text, np.uint8)}
    members |= {key: _smallest(array) for key, array in arrays.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **members)
    write_atomic(path, buffer.getvalue())


def write_atomic(path, content: bytes) -> None:
    """Write a file that appears complete or not at all."""
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def read(path) -> tuple[dict, dict[str, np.ndarray]]:
    """Read what :func:`write` wrote. Raises ValueError saying what is wrong with the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = _members(archive)
    except FileNotFoundError:
        raise ValueError("there is no such file") from None
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror or error}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"it is no network, or truncated: {error}") from None
    if HEADER not in arrays:
        raise ValueError("it is no network: it has no header")
    try:
        header = json.loads(arrays.pop(HEADER).tobytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its header is no JSON text: {error}") from None
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    return header, arrays


def _members(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    infos = archive.infolist()
    size = sum(info.file_size for info in infos)
    if len(infos) > MEMBERS or size > LARGEST:
        raise ValueError(f"it holds {len(infos)} arrays of {size} bytes, more than the "
                         f"{MEMBERS} arrays or {LARGEST} bytes that a network may have")
    return {info.filename.removesuffix(".npy"): _array(archive, info) for info in infos}


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        reader = {(1, 0): np.lib.format.read_array_header_1_0,
                  (2, 0): np.lib.format.read_array_header_2_0}.get(version)
        if reader is None:
            raise ValueError(f"array {info.filename}: format {version} is not known")
        shape, fortran, dtype = reader(file, max_header_size=PREAMBLE)
        if dtype.hasobject or dtype.kind not in "biuf" or dtype == np.uint64 or fortran:
            raise ValueError(f"array {info.filename}: a network holds plain numbers, not {dtype}")
        size = math.prod(shape) * dtype.itemsize
        if not 0 <= info.file_size - size <= PREAMBLE:
            raise ValueError(f"array {info.filename}: {info.file_size} bytes cannot hold "
                             f"{dtype} values of shape {shape}")
        data = file.read(size)
        if len(data) != size or file.read(1):
            raise ValueError(f"array {info.filename}: it does not hold what its shape says")
    return np.frombuffer(data, dtype).reshape(shape)


def _smallest(array: np.ndarray) -> np.ndarray:
    if array.dtype == bool:
        return array
    kinds = (np.int8, np.int16, np.int32, np.int64)
    lo, hi = int(array.min()), int(array.max())
    kind = next(k for k in kinds if np.iinfo(k).min <= lo and hi <= np.iinfo(k).max)
    return np.ascontiguousarray(array, kind)
