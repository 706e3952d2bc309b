"""Every figure of the README's table: ``python -m tests.bench.shipped [--data DIR]``.

Builds the shipped network of each number system, simulates the whole packaged sample, times the
golden model, runs frames through the simulated board, and places and routes with several seeds:
with cycles and cells beside what the planner said. With the IDX files of MNIST it also measures
t10k.
"""
import argparse
import json
import time
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from boards import ice40, toolchain
from boards.icebreaker import Icebreaker
from hw import build
from hw.errors import ToolFailed
from sim.board import SimulatedBoard
from sw import data
from sw.host import Board
from sw.network import Network
from tests.bench import record

PATIENCE = 300   # seconds for a seed: some placements and routings go round in circles


def golden_seconds(network, images):
    """Seconds that 10,000 frames take: median of five runs."""
    frames = np.tile(images, (-(-10_000 // len(images)), 1, 1))[:10_000]
    times = []
    for _ in range(5):
        start = time.perf_counter()
        network.run(frames)
        times.append(time.perf_counter() - start)
    return round(median(times), 3)


def seeds(folder, count):
    """Fmax of the netlist that the build left, by seed: its own and others, ``count`` together;
    None where place and route do not end."""
    toolchain.LIMIT = PATIENCE
    work = folder / "work" / "icebreaker"
    pins = (folder / "top.pcf").read_text()
    made = json.loads((folder / "report.json").read_text())["implementation"]
    clock = made["clock_mhz"]
    reached = {str(made["seed"]): made["fmax"]}
    for seed in map(str, range(1, count + 1)):
        if seed in reached:
            continue
        try:
            reached[seed] = ice40.place_and_route(
                work, top="top", options=Icebreaker.NEXTPNR, constraints=pins, megahertz=clock,
                seed=int(seed)).fmax
        except ToolFailed:
            reached[seed] = None
    return reached


def over_the_wire(network, folder, frames):
    """How many frames the simulated board answers as the golden model does."""
    clock = json.loads((folder / "report.json").read_text())["implementation"]["clock_mhz"]
    with SimulatedBoard([folder / "top.v", folder / "accelerator.v"], folder / "work" / "board",
                        clock_hz=clock * 1e6) as port, Board(port, timeout=60) as board:
        answers = board.classify(frames.reshape(len(frames), -1))
    return int((np.asarray(answers) == network.run(frames)[:, 0]).sum())


def measure(folder, arguments, options):
    """Build one network into ``folder`` with arguments of hw.build, and measure it."""
    if build.main([*arguments, "-o", str(folder)]):
        raise SystemExit("the build failed")
    report = json.loads((folder / "report.json").read_text())
    network = Network.load(folder / "network.npz")
    sample = data.load("mnist", "sample")
    accuracy = {"sample": float(np.mean(network.run(sample.images)[:, 0] == sample.labels))}
    if options.data:
        t10k = data.load("mnist", "t10k", data=options.data)
        accuracy["t10k"] = float(np.mean(network.run(t10k.images)[:, 0] == t10k.labels))
    routed = seeds(folder, options.seeds)
    cycles = report["simulation"]["cycles_per_frame"]
    used, estimated = report["implementation"]["used"], report["result"]["cells_estimated"]
    return {
        "network": network.name, "digest": network.digest, "accuracy": accuracy,
        "rtl_frames_equal": report["simulation"]["frames"],
        "rtl_logits_equal": report["simulation"]["logits"],
        "rtl_seconds": round(report["simulation"]["seconds"], 1),
        "board_frames_equal": options.board_frames and over_the_wire(
            network, folder, sample.images[:options.board_frames]),
        "board_frames": options.board_frames,
        "used": used,
        "available": report["implementation"]["available"],
        "cells_estimated": estimated,
        "cells_estimated_off": round(estimated / used["LUT4"] - 1, 4),
        "clock_mhz": report["implementation"]["clock_mhz"],
        "fmax_by_seed": routed,
        "cycles_per_frame_planned": report["plan"]["cycles_per_frame"],
        "cycles_per_frame_simulated": cycles,
        "frames_per_second_at_fmax": {seed: fmax and round(fmax * 1e6 / cycles)
                                      for seed, fmax in routed.items()},
        "frames_per_second_at_clock": report["result"]["frames_per_second_at_clock"],
        "frames_per_second_over_link": report["result"]["frames_per_second_over_link"],
        "datapaths": {stage["layer"]: f"{stage['way']}, PE {stage['pe']}, SIMD {stage['simd']}"
                      for stage in report["plan"]["stages"] if "way" in stage},
        "roofline_bits_per_cycle": report["plan"]["roofline_bits_per_cycle"],
        "roofline_fraction": report["plan"]["roofline_fraction"],
        "golden_seconds_for_10000_frames": golden_seconds(network, sample.images),
    }


def options_of(name):
    """A parser of what all such benchmarks take."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.bench.{name}")
    parser.add_argument("--data", metavar="DIR", help="folder of the IDX files of MNIST")
    parser.add_argument("--seeds", metavar="N", type=int, default=3,
                        help="seeds of place and route (default: %(default)s)")
    parser.add_argument("--board-frames", metavar="N", type=int, default=100,
                        help="frames through the simulated board (default: %(default)s)")
    return parser


def main():
    options = options_of("shipped").parse_args()
    show("shipped", {arch: measure(Path("build/bench-shipped") / arch, ["--arch", arch], options)
                     for arch in build.ZOO})


def show(name, results):
    """Print the results, a column each, and write them as ``name.json``."""
    table = Table("figure", *results)
    for figure, value in record.machine().items():
        table.add_row(figure, str(value))
    for figure in next(iter(results.values())):
        table.add_row(figure, *(str(result[figure]) for result in results.values()))
    Console().print(table)
    record.write(name, results)


if __name__ == "__main__":
    main()
