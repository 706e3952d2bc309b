"""The file of an integer network: a JSON header, and the arrays that it names.

In the header every array is replaced by the name of a member of the archive.
"""
from dataclasses import fields

import numpy as np

from sw import alphabet, element
from sw.activation_layers import Lookup, Requantize, ResidualBinarize, Threshold
from sw.alphabet import Codebook, Vectors
from sw.element import Element
from sw.layers import Affine, ArgMax, Dense, Select, Tensor, XnorNetDense
from sw.planes import Plane
from sw.spatial_layers import Add, Concat, Conv2d, Flatten, MaxPool, SumPool

FORMAT = "bitwright network"
SCHEMA = 1


def encode(network) -> tuple[dict, dict[str, np.ndarray]]:
    """The header and the arrays of a :class:`sw.network.Network`."""
    arrays = {}

    def encoded(value, key):
        match value:
            case np.ndarray():
                arrays[key] = value
                return {"array": key}
            case Plane():
                entry = {"alphabet": str(value.alphabet)}
                match value.alphabet:
                    case Codebook(table):
                        entry["table"] = encoded(table, f"{key}.table")
                    case Vectors(table, columns):
                        entry |= {"table": encoded(table, f"{key}.table"), "columns": int(columns)}
                return entry | {part: encoded(getattr(value, part), f"{key}.{part}")
                                for part in ("codes", "coefficients")}
            case tuple():
                return [encoded(item, f"{key}.{k}") for k, item in enumerate(value)]
            case _ if isinstance(value, Element):
                return str(value)
        return value

    layers = [{"type": type(layer).__name__} | {
        f.name: encoded(getattr(layer, f.name), f"{layer.name}.{f.name}") for f in fields(layer)}
        for layer in network.layers]
    header = {"format": FORMAT, "schema": SCHEMA, "name": network.name,
              "input": {"element": str(network.input.element), "shape": list(network.input.shape)},
              "layers": layers, "labels": list(network.labels), "provenance": network.provenance}
    return header, arrays


def decode(header: dict, arrays: dict[str, np.ndarray]) -> tuple:
    """The arguments of the :class:`sw.network.Network` that :func:`encode` was given.

    Takes what it uses out of ``arrays``. Raises ValueError saying what is wrong.
    """
    if header.get("format") != FORMAT:
        raise ValueError("it is no Bitwright network")
    schema = header.get("schema")
    if type(schema) is not int or schema < 1:
        raise ValueError("its schema is no number from 1 on")
    if schema > SCHEMA:
        raise ValueError(f"it has schema {schema}, but this version reads schema {SCHEMA}; "
                         f"install a newer version")

    def take(table, key, kind, where):
        if not isinstance(table, dict) or not isinstance(table.get(key), kind):
            raise ValueError(f"{where}: {key!r} must be given as a {kind.__name__}")
        return table[key]

    def strings(table, key, where):
        items = take(table, key, list, where)
        if not all(isinstance(item, str) for item in items):
            raise ValueError(f"{where}: {key!r} must be a list of strings")
        return tuple(items)

    def numbers(table, key, where):
        items = take(table, key, list, where)
        if not all(type(item) is int for item in items):
            raise ValueError(f"{where}: {key!r} must be a list of integers")
        return tuple(items)

    def array(table, key, where):
        member = take(take(table, key, dict, where), "array", str, f"{where}: {key!r}")
        if member not in arrays:
            raise ValueError(f"{where}: the file has no array {member!r} that is not used yet")
        found = arrays.pop(member)   # each is used once: a small file makes no large network
        # Stored in the smallest type; all arithmetic is on 64 bits.
        return found.astype(np.int64) if found.dtype.kind in "iu" else found

    def kind_of(table, where):
        return element.parse(take(table, "element", str, where))

    def decode_plane(entry, where):
        text = take(entry, "alphabet", str, where)
        table = array(entry, "table", where) if "table" in entry else None
        columns = entry.get("columns", 0)
        if type(columns) is not int:
            raise ValueError(f"{where}: 'columns' must be given as an int")
        return Plane(alphabet.parse(text, table, columns), array(entry, "codes", where),
                     array(entry, "coefficients", where))

    def decode_planes(table, where):
        return tuple(decode_plane(plane, f"{where}: plane {k}")
                     for k, plane in enumerate(take(table, "planes", list, where)))

    def decode_layer(table, index):
        name = take(table, "name", str, f"layer {index}")
        where = f"layer {name if name.isprintable() else index}"
        kind = take(table, "type", str, where)
        inputs = strings(table, "inputs", where)
        try:
            match kind:
                case "Select":
                    return Select(name, inputs, array(table, "indices", where))
                case "Dense" | "XnorNetDense":
                    return {"Dense": Dense, "XnorNetDense": XnorNetDense}[kind](
                        name, inputs, decode_planes(table, where))
                case "Conv2d":
                    return Conv2d(name, inputs, decode_planes(table, where),
                                  numbers(table, "kernel", where), numbers(table, "stride", where),
                                  numbers(table, "padding", where),
                                  take(table, "pad_value", int, where),
                                  take(table, "groups", int, where))
                case "MaxPool" | "SumPool":
                    return {"MaxPool": MaxPool, "SumPool": SumPool}[kind](
                        name, inputs, numbers(table, "kernel", where),
                        numbers(table, "stride", where), numbers(table, "padding", where))
                case "Affine":
                    return Affine(name, inputs, array(table, "coefficients", where),
                                  array(table, "offset", where))
                case "Threshold":
                    return Threshold(name, inputs, array(table, "thresholds", where),
                                     array(table, "flip", where), kind_of(table, where))
                case "Lookup":
                    entries = array(table, "table", where)
                    derived = table.get("element", "") is None
                    return Lookup(name, inputs, entries,
                                  None if derived else kind_of(table, where))
                case "Requantize":
                    return Requantize(name, inputs, array(table, "multiplier", where),
                                      array(table, "exponent", where),
                                      take(table, "zero", int, where), kind_of(table, where),
                                      take(table, "single_rounding", bool, where))
                case "ResidualBinarize":
                    return ResidualBinarize(name, inputs, array(table, "coefficients", where),
                                            array(table, "centre", where),
                                            array(table, "flip", where), kind_of(table, where))
                case "ArgMax" | "Add" | "Concat" | "Flatten":
                    return {"ArgMax": ArgMax, "Add": Add, "Concat": Concat,
                            "Flatten": Flatten}[kind](name, inputs)
        except ValueError as error:
            text = str(error)
            raise ValueError(text if text.startswith(where) else f"{where}: {text}") from error
        raise ValueError(f"{where}: {kind!r} is no layer type of this version")

    entry = take(header, "input", dict, "header")
    shape = take(entry, "shape", list, "header: input")
    if len(shape) not in (1, 3) or not all(type(n) is int and 0 < n <= 2 ** 20 for n in shape):
        raise ValueError(f"header: the input's shape must be one size of 1 to 2^20, or three, "
                         f"not {shape!r}")
    return (
        take(header, "name", str, "header"),
        Tensor.full(kind_of(entry, "header: input"), tuple(shape)),
        tuple(decode_layer(table, k)
              for k, table in enumerate(take(header, "layers", list, "header"))),
        strings(header, "labels", "header"), take(header, "provenance", dict, "header"))
