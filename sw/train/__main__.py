"""Train a network of the zoo: `python -m sw.train mnist-bnn`."""
import argparse
import importlib
import sys
from pathlib import Path

from sw.command import Parser
from sw.data import DataError

ZOO = Path(__file__).parent.parent / "zoo"
NETWORKS = ["mnist-bnn", "mnist-twn", "mnist-shiftcnn"]


def _count(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"it must be 1 or more, not {text}")
    return int(text)


def _options(arguments):
    parser = Parser(prog="python -m sw.train", description="Train a network of the zoo.")
    parser.add_argument("network", choices=NETWORKS, help="which network")
    parser.add_argument("--data", metavar="DIR", help="folder of the MNIST IDX files "
                        "(default: $BITWRIGHT_DATA)")
    parser.add_argument("--epochs", metavar="N", type=_count,
                        help="passes over the training images (default: the recipe's)")
    parser.add_argument("--runs", metavar="N", type=_count,
                        help="networks to train, each from its own seed; the best on the "
                             "validation images is kept (default: the recipe's)")
    parser.add_argument("--seed", metavar="N", type=int, default=0,
                        help="the first seed (default: %(default)s)")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto",
                        help="where to train (default: %(default)s)")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path,
                        help="file to write (default: the zoo's)")
    options = parser.parse_args(arguments)
    options.output = options.output or ZOO / f"{options.network}.npz"
    return options


def _progress(options):
    def show(run, epoch, loss):
        last = epoch == options.epochs
        print(f"\rrun {run + 1} of {options.runs}, epoch {epoch} of {options.epochs}, "
              f"loss {loss:.4f}  ", end="\n" if last else "", file=sys.stderr, flush=True)
    return show


def main(arguments=None) -> int:
    """The command; returns its exit code."""
    options = _options(arguments)
    try:
        import torch
    except ModuleNotFoundError:
        print("error: training needs PyTorch; install it with: pip install -e '.[train]'",
              file=sys.stderr)
        return 3
    from sw.train import mnist
    recipe = importlib.import_module(f"sw.train.{options.network.replace('-', '_')}").RECIPE
    options.epochs = options.epochs or recipe.epochs
    options.runs = options.runs or recipe.runs
    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        print("error: --device cuda: PyTorch finds no GPU here; use --device cpu",
              file=sys.stderr)
        return 1
    if not options.output.parent.is_dir():
        print(f"error: --output {options.output}: there is no folder {options.output.parent}",
              file=sys.stderr)
        return 1
    try:
        net = mnist.make(recipe, folder=options.data, epochs=options.epochs, seed=options.seed,
                         runs=options.runs, device=device, progress=_progress(options))
        net.save(options.output)
    except DataError as error:
        print(f"error: --data: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: --output {options.output}: {error.strerror or error}", file=sys.stderr)
        return 1
    for split, accuracy in net.provenance["accuracy"].items():
        print(f"{split:<10}  {accuracy:.2%}")
    print(f"{options.output}: {net.digest[:16]}, {net.provenance['chosen']}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
