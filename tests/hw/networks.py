"""Small random networks for tests."""
import numpy as np

from sw import alphabet, element
from sw.element import Bipolar, Int, Levels, Planes, Pow2, UInt
from sw.network import (
    Affine,
    ArgMax,
    Dense,
    Lookup,
    Network,
    Requantize,
    ResidualBinarize,
    Select,
    Tensor,
    Threshold,
    XnorNetDense,
)
from sw.planes import Plane, bipolar


def random_network(rng, *, pixels, kept=None, hidden, classes, name="random"):
    """Pixels of 8 bits (of which the first ``kept`` are read), binary layers, a decision."""
    kept = kept or pixels
    layers = [Select("crop", ("input",), np.arange(kept)),
              Threshold("binarize", ("crop",), rng.integers(1, 256, (kept, 1)),
                        rng.random(kept) < 0.3, Bipolar())]
    columns = kept
    for k, rows in enumerate([*hidden, classes], 1):
        layers.append(Dense(f"dense{k}", (layers[-1].name,),
                            (bipolar(rng.choice([-1, 1], (rows, columns))),)))
        if k <= len(hidden):
            reach = max(2, columns // 4)
            layers.append(Threshold(f"sign{k}", (f"dense{k}",),
                                    rng.integers(-reach, reach, (rows, 1)).clip(-columns, columns),
                                    rng.random(rows) < 0.3, Bipolar()))
        columns = rows
    layers.append(ArgMax("decision", (layers[-1].name,)))
    return Network(name, Tensor.full(UInt(8), (pixels,)), tuple(layers),
                   tuple(map(str, range(classes))))


def _chain(name, element, channels, *layers):
    """A network of layers that read one another, each given without its inputs."""
    made, previous, tensor = [], "input", Tensor.full(element, (channels,))
    for kind, label, *rest in layers:
        if kind is Threshold:
            rest = *rest[0](tensor), rest[1]
        made.append(kind(label, (previous,), *rest))
        previous, tensor = label, made[-1].infer(tensor)
    return Network(name, Tensor.full(element, (channels,)), tuple(made))


def _codes(rng, kind, rows, columns, coefficient=1):
    codes = rng.integers(kind.lo, kind.hi + 1, (rows, columns))
    if kind == alphabet.Bipolar():
        codes = rng.choice([-1, 1], (rows, columns))
    return Plane(kind, codes, np.full(rows, coefficient))


def _thresholds(rng, steps):
    """What makes thresholds and flips for a tensor: most of them near the middle of its range."""
    def make(x):
        middle, spread = (x.lo + x.hi) / 2, (x.hi - x.lo) / 5
        drawn = rng.normal(middle, spread, (steps, x.channels)).round().astype(np.int64)
        return np.sort(drawn.clip(x.lo, x.hi + 1).T, axis=1), rng.random(x.channels) < 0.3
    return make


def mixed_networks(rng):
    """Networks that together have every layer, every element between layers, and mixed datapaths.
    """
    def planes(*args):
        return (_codes(rng, *args),)

    ternary, bipolar_ = alphabet.Ternary(), alphabet.Bipolar()
    yield _chain(
        "requantized", UInt(8), 13,
        (Dense, "first", planes(ternary, 7, 13)),
        (Requantize, "requantize", rng.integers(2 ** 30, 2 ** 31, 7), rng.integers(-9, -6, 7), 3,
         UInt(4), False),
        (Dense, "second", planes(alphabet.Pow2(3), 5, 7) + planes(alphabet.Pow2(3), 5, 7, 2)),
        (Affine, "scale", np.array([3, -2, 0, 1, 5]), rng.integers(-50, 50, 5)),
        (ArgMax, "class"))
    yield _chain(
        "residual", Int(5), 11,
        (Lookup, "table", rng.integers(-8, 8, (1, 32))),
        (Dense, "first", planes(alphabet.Integer(-8, 7), 9, 11)),
        (ResidualBinarize, "residual", np.tile([90, 40], (9, 1)), rng.integers(-20, 20, 9),
         rng.random(9) < 0.5, Planes((1, 2))),
        (Dense, "second", (_codes(rng, bipolar_, 4, 9, 3), _codes(rng, bipolar_, 4, 9, 2))),
        (ArgMax, "class"))
    yield _chain(
        "xnor_net", Int(4), 10,
        (XnorNetDense, "first", planes(bipolar_, 6, 10)),
        (Threshold, "levels", _thresholds(rng, 3), Levels((-4, 0, 1, 7))),
        (Dense, "second", planes(ternary, 3, 6)),
        (ArgMax, "class"))
    yield _chain(
        "powers", UInt(3), 9,
        (Dense, "first", planes(ternary, 8, 9)),
        (Threshold, "powers", _thresholds(rng, 6), Pow2(3)),
        (Dense, "second", planes(alphabet.Pow2(4), 6, 8)),
        (Threshold, "trits", _thresholds(rng, 2), element.Ternary()),
        (Dense, "third", planes(bipolar_, 5, 6)),
        (Threshold, "signs", _thresholds(rng, 1), Bipolar()),
        (Dense, "fourth", planes(ternary, 4, 5)),
        (ArgMax, "class"))
    yield _chain(
        "thermometer", Int(6), 7,
        (Threshold, "planes", _thresholds(rng, 3), Planes((1, 1, 1))),
        (Dense, "first", planes(bipolar_, 12, 7)),
        (Threshold, "integers", _thresholds(rng, 14), Int(4)),
        (Dense, "second", planes(alphabet.Codebook(np.array([-3, 0, 5])), 6, 12)))
