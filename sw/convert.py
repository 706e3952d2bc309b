"""Networks from one format to another: ``python -m sw.convert net.onnx -o net.npz``, and back.

An import is compared with the file's own executor, layer by layer, and the report says so.
"""
import io
import re
import sys
from argparse import ArgumentTypeError
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from sw import data
from sw.command import Parser
from sw.network import Network

FRAMES = 1000       # that an import is compared on, where no other number is asked for
OTHERWISE = 0.01    # of the frames, that may be decided otherwise for reasons not looked into
ONNX = (".onnx", ".qonnx")


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    # A file or another program takes wide lines; a terminal has the width that it has.
    console = Console(highlight=False, markup=False, emoji=False,
                      width=None if sys.stdout.isatty() else 120)
    parser = make_parser()
    options = parser.parse_args(arguments)
    try:
        convert(options, console)
    except (ValueError, OSError) as error:
        parser.exit(1, f"error: {error}\n")
    except KeyboardInterrupt:
        print("interrupted; nothing was left half written", file=sys.stderr)
        return 130
    return 0


def make_parser() -> Parser:
    """The command line."""
    p = Parser(prog="python -m sw.convert",
               description="Read a QONNX or ONNX file as an integer network (.npz), comparing it "
                           "with the file's own executor; or write a network as QONNX.")
    p.add_argument("model", metavar="FILE", type=Path, help="an .onnx file, or a .npz network")
    p.add_argument("-o", "--output", metavar="FILE", type=Path,
                   help="the file to write, .npz or .onnx (default: none; only the report)")
    add_import_options(p)
    p.add_argument("--frames", metavar="N", type=int, default=FRAMES,
                   help="random frames, and frames of the data set, that an import is compared on "
                        "(default: %(default)s)")
    p.add_argument("--nodes", action="store_true",
                   help="also print what became of every node of the file")
    return p


def add_import_options(p) -> None:
    """The options that say how a foreign model is read."""
    p.add_argument("--input", metavar="KIND",
                   help="raw: the network reads 8-bit pixels; codes: those of the file's first "
                        "quantizer (default: raw for images and with --dataset, else codes)")
    p.add_argument("--pixel", metavar="SCALE[,OFFSET]", type=_pixel,
                   help="what the file's real input is of a raw pixel p: SCALE · p + OFFSET "
                        "(default: p where the file divides by about 255 itself, else p / 255)")
    p.add_argument("--result", metavar="KIND", default="decision",
                   help="decision: the class, or whether a single output is positive; values: the "
                        "outputs themselves (default: %(default)s)")
    p.add_argument("--dataset", metavar="NAME",
                   help="data set that the network is for, to compare on and to measure with: "
                        "digits, mnist or fashion-mnist")


def is_onnx(path) -> bool:
    """Whether a file is a foreign model, by its suffix."""
    return Path(path).suffix.lower() in ONNX


def refuse_import_options(options) -> None:
    """Raises ValueError for options of :func:`add_import_options` that have nothing to act on."""
    for name, default in (("input", None), ("pixel", None), ("result", "decision"),
                          ("dataset", None)):
        if getattr(options, name) != default:
            raise ValueError(f"--{name} says how an ONNX file is read; leave it out where none is "
                             f"given")


def _pixel(text):
    if found := re.fullmatch(r"([^,]+)(?:,([^,]+))?", text):
        try:
            scale, offset = _number(found[1]), _number(found[2] or "0")
        except (ValueError, ZeroDivisionError):
            pass
        else:
            if np.isfinite(scale) and np.isfinite(offset) and scale:
                return scale, offset
    raise ArgumentTypeError(f"must be SCALE or SCALE,OFFSET such as 1/255 or 2/255,-1, "
                            f"not {text!r}")


def _number(text):
    over, _, under = text.partition("/")
    return float(over) / float(under or "1")


def convert(options, console: Console) -> None:
    """Convert as the options say. Raises ValueError for what cannot be done."""
    output = options.output
    if output is not None:
        if output.suffix.lower() not in (".npz", *ONNX):
            raise ValueError(f"{output}: a network is written as .npz or .onnx")
        if output.resolve() == options.model.resolve():
            raise ValueError(f"{output}: it is the file to read; choose another")
        if not output.parent.is_dir():
            raise ValueError(f"{output}: there is no folder {output.parent}; make it first")
    if options.frames < 1:
        raise ValueError(f"--frames {options.frames}: it must be 1 or more")
    if is_onnx(options.model):
        imported, checks = read(options.model, options, options.frames)
        show(imported, checks, console, nodes=options.nodes)
        network = imported.network
    else:
        refuse_import_options(options)
        network = Network.load(options.model)
        console.print(layer_table(network))
    if output is None:
        return
    if output.suffix.lower() == ".npz":
        network.save(output)
    else:
        from sw import export  # imported here: it needs onnx, which takes a second

        export.save(network, output)
    console.print(f"written: {output}, network digest {network.digest[:16]}")


def read(path: Path, options, frames: int):
    """Import a file as the options of :func:`add_import_options` say, and compare it.

    Returns the :class:`sw.importers.qonnx.Import` and its comparisons. Raises ValueError when the
    file cannot be imported, or the network is another one than the file's.
    """
    from sw.importers import check  # imported here: onnx and onnxruntime take a second
    from sw.importers.onnx_file import ModelError
    from sw.importers.qonnx import load

    sample = data.load(options.dataset) if options.dataset else None
    imported = load(path, input=options.input, pixel=options.pixel, output=options.result,
                    dataset=options.dataset)
    stimuli = [("random frames", *check.frames(imported, frames))]
    if sample is not None:
        images = sample.images.reshape(len(sample), -1)
        size = int(np.prod(imported.network.input.shape))
        if imported.reading.mode != "raw" or images.shape[1] != size:
            raise ModelError(f"--dataset {options.dataset}: its frames are {images.shape[1]} "
                             f"8-bit pixels, but {path} reads {imported.network.input}"
                             + ("; say --input raw" if imported.reading.mode != "raw" else ""))
        images = images[np.arange(min(frames, len(sample))) * len(sample)
                        // min(frames, len(sample))]
        stimuli.append((f"frames of {options.dataset}", check.real(imported, images), images))
    with Progress(console=Console(stderr=True), transient=True,
                  disable=not sys.stderr.isatty()) as progress:
        checks = []
        for what, inputs, integers in stimuli:
            task = progress.add_task(f"comparing {what}", total=len(inputs))
            checks.append(check.check(
                imported, inputs, integers, what,
                progress=lambda done, task=task: progress.update(task, completed=done)))
    for found in checks:
        if found.wrong:
            raise ModelError(
                f"{path}: layer {found.wrong.name} differs from tensor "
                f"{found.wrong.tensor!r} as {found.executor} computes it, on {found.what}: "
                f"{found.wrong.total - found.wrong.equal:,} of {found.wrong.total:,} integers "
                f"({'; '.join(found.wrong.first)})")
        others = found.frames - found.decisions - found.ties
        if others > max(2, OTHERWISE * found.frames) and not any(
                layer.rounded for layer in found.layers):
            raise ModelError(f"{path}: its decisions are others than {found.executor} takes, on "
                             f"{others:,} of {found.frames:,} {found.what}")
    return imported, checks


def show(imported, checks, console: Console, *, nodes: bool = False) -> None:
    """Print the report of an import."""
    network = imported.network
    if nodes:
        table = Table(box=box.SIMPLE_HEAD, title="what became of the file's nodes",
                      title_justify="left")
        for heading in ("node", "operator", "became"):
            table.add_column(heading, overflow="fold")
        for node, became in imported.nodes:
            table.add_row(node.name, node.op, became)
        console.print(table)
    console.print(layer_table(network))
    for note in imported.notes:
        console.print(note)
    for line in summary(checks):
        console.print(line)


def report(imported, checks) -> str:
    """The whole report of an import, as text."""
    text = io.StringIO()
    show(imported, checks, Console(width=120, file=text, markup=False, emoji=False), nodes=True)
    return text.getvalue()


def summary(checks) -> list[str]:
    """What the comparisons found, in lines."""
    lines = []
    for found in checks:
        layers = [layer for layer in found.layers if layer.equal != layer.total]
        integers = sum(layer.total for layer in found.layers)
        lines.append(f"{found.executor}, {found.frames:,} {found.what}: {found.decisions:,} of "
                     f"{found.frames:,} decisions and "
                     f"{sum(layer.equal for layer in found.layers):,} of {integers:,} integers of "
                     f"{len(found.layers)} layers equal")
        if found.ties:
            lines.append(f"  {found.ties:,} decisions are between classes of equal integers: the "
                         f"file's own rounding decides there, hardware takes the first")
        for layer in layers:
            lines.append(f"  {layer}; the file's own floating-point sum is rounded across a step "
                         f"there: {'; '.join(layer.first)}")
    return lines


def layer_table(network: Network) -> Table:
    """The layers of a network: type, shape, weights, bits, datapath and range."""
    table = Table(box=box.SIMPLE_HEAD, title=f"{network.name}: {network.input} in",
                  title_justify="left")
    for heading in ("layer", "type", "gives", "weights", "bits", "datapath", "range"):
        table.add_column(heading, justify="right" if heading in ("weights", "bits") else "left",
                         overflow="fold")
    for layer in network.layers:
        tensor = network.tensors[layer.name]
        planes = getattr(layer, "planes", ())
        table.add_row(layer.name, type(layer).__name__, str(tensor),
                      f"{layer.weights.size:,}" if planes else "",
                      str(sum(plane.bits for plane in planes)) if planes else "",
                      ", ".join(dict.fromkeys(plane.datapath for plane in planes)),
                      f"{tensor.lo.min()} … {tensor.hi.max()}")
    return table


if __name__ == "__main__":
    sys.exit(main())
