"""Networks that others trained, on the iCEBreaker: ``python -m tests.bench.imported FILE …``.

For each file, made for MNIST: the figures of :mod:`tests.bench.shipped`, and how the network
compares with the file's own executor on the packaged sample, or with ``--data`` on all of t10k:
every integer of every layer, and the decisions.
"""
from pathlib import Path

from sw import data
from sw.importers import check
from sw.importers.qonnx import load
from tests.bench import shipped


def compared(path, options):
    """How a file and its network compare, and how long the import takes."""
    imported = load(path, dataset="mnist")
    split = data.load("mnist", *(("t10k",) if options.data else ()), data=options.data)
    images = split.images.reshape(len(split), -1)
    found = check.check(imported, check.real(imported, images), images, "frames")
    return {"executor": found.executor, "executor_frames": found.frames,
            "executor_decisions_equal": found.decisions,
            "executor_integers": sum(layer.total for layer in found.layers),
            "executor_integers_equal": sum(layer.equal for layer in found.layers)}


def main():
    parser = shipped.options_of("imported")
    parser.add_argument("models", metavar="FILE", nargs="+", type=Path)
    options = parser.parse_args()
    results = {}
    for path in options.models:
        folder = Path("build/bench-imported") / path.stem
        arguments = ["--model", str(path), "--dataset", "mnist"]
        results[path.stem] = compared(path, options) | shipped.measure(folder, arguments, options)
    shipped.show("imported", results)


if __name__ == "__main__":
    main()
