"""Small random networks for tests."""
import numpy as np

from sw.element import Bipolar, UInt
from sw.network import ArgMax, Dense, Network, Select, Tensor, Threshold
from sw.planes import bipolar


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
