"""What a build says of itself: figures, and tables for people."""
import numpy as np
from rich.table import Table

from hw.stages import DenseStage
from sw import wire


def boards(known):
    """What each of the ``known`` boards, by name, has, as a table."""
    table = Table("board", "device", "LUT4", "block RAMs", "clock", "link", box=None,
                  padding=(0, 1, 0, 0), pad_edge=False)
    for name, board in known.items():
        budget = board.BUDGET
        table.add_row(
            name, board.device, f"{budget.cells:,} of {board.RESOURCES['LUT4']:,}",
            f"{budget.blocks} × {budget.fabric.block_bits // 1024} kbit",
            f"≤ {board.FIRST_HZ / 1e6:g} MHz", f"{board.LINK}, {wire.BAUD / 1e6:g} Mbaud")
    return table


def bitstream(folder, name, board):
    """Where the bitstream of the network of that name is."""
    return folder / f"{name}.{board.TOOLS.BITSTREAM}"


def figures(report, network, plan, board, sample):
    """The figures that the table shows."""
    reached = report["implementation"]
    simulated = report["simulation"]
    cycles = simulated["cycles_per_frame"] if simulated else plan.cycles
    packet = wire.encode(wire.Packet(wire.Kind.FRAME, bytes(network.input.channels)))
    result = {
        "cycles_per_frame_planned": plan.cycles,
        "cycles_per_frame_simulated": simulated and simulated["cycles_per_frame"],
        "frames_per_second_at_fmax": round(reached["fmax"] * 1e6 / cycles),
        "frames_per_second_at_clock": round(reached["clock_mhz"] * 1e6 / cycles),
        "frames_per_second_over_link": round(wire.BAUD / 10 / len(packet)),
        "roofline_fraction": report["plan"]["roofline_fraction"],
        "cells_estimated": plan.cells + board.LINK_CELLS,
    }
    if sample:
        decisions = network.run(sample.images)[:, 0]
        result["accuracy"] = round(float(np.mean(decisions == sample.labels)), 4)
        result["accuracy_frames"] = len(sample)
    return result


def table_of(report, folder, board, options):
    """The report for people."""
    result, reached = report["result"], report["implementation"]
    table = Table(title=f"{report['network']} on {report['board']}", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    if "accuracy" in result:
        table.add_row("accuracy", f"{result['accuracy']:.2%} of {result['accuracy_frames']} "
                                  f"packaged frames")
    recorded = report["provenance"].get("accuracy")   # what a file says need not be sensible
    for split in ("validation", "t10k") if isinstance(recorded, dict) else ():
        if isinstance(recorded.get(split), float):
            table.add_row("", f"{recorded[split]:.2%} of {split}, measured after training")
    if report["simulation"]:
        simulation_ = report["simulation"]
        table.add_row("RTL = golden", f"{simulation_['frames']} of {simulation_['frames']} frames "
                                      f"equal ({simulation_['logits']} logits)")
    else:
        table.add_row("RTL = golden", "not checked (--verify none)")
    for name, used in reached["used"].items():
        estimate = f" ({result['cells_estimated']} estimated)" if name == "LUT4" else ""
        table.add_row(name, f"{used} of {reached['available'][name]}{estimate}")
    table.add_row("Fmax", f"{reached['fmax']:.2f} MHz (nextpnr, seed {reached['seed']})")
    table.add_row("clock", f"{reached['clock_mhz']:.2f} MHz (PLL)")
    simulated = result["cycles_per_frame_simulated"]
    table.add_row("cycles per frame", f"{result['cycles_per_frame_planned']} planned" + (
        f", {simulated:g} simulated" if simulated else ""))
    table.add_row("frames/s", f"{result['frames_per_second_at_fmax']:,} at Fmax, "
                              f"{result['frames_per_second_at_clock']:,} at the clock, "
                              f"{result['frames_per_second_over_link']:,} over the UART")
    if options.fps and result["frames_per_second_at_clock"] < options.fps:
        table.add_row("", f"fewer than the {options.fps:,g} asked for: place and route reached "
                          f"a slower clock than planned; ask for more")
    for stage in report["plan"]["stages"]:
        if "way" in stage:
            table.add_row("datapath", f"{stage['layer']}: {stage['way']}, PE {stage['pe']}, "
                                      f"SIMD {stage['simd']}")
    bits = report["plan"]["roofline_bits_per_cycle"]
    if report["plan"]["weight_bits"]:
        table.add_row("roofline", f"{result['roofline_fraction']:.0%} of {bits['block_ram']} "
                                  f"weight bits a cycle from block RAM and {bits['lut_rom']} from "
                                  f"LUT ROM; bottleneck {report['plan']['bottleneck']}")
    table.add_row("files", str(folder))
    table.add_row("to flash", f"python -m boards.flash "
                              f"{bitstream(folder, report['network'], board)} "
                              f"--board {options.board}")
    return table


def stages(plan):
    """The plan, layer by layer."""
    table = Table(title="plan")
    columns = ("layer", "datapath", "PE", "SIMD", "cycles", "lanes out", "block RAMs",
               "cells (estimate)")
    for column in columns:
        table.add_column(column, justify="left" if column in columns[:2] else "right")
    for stage in plan.stages:
        folding = ("", "", "")
        if isinstance(stage, DenseStage):
            folding = (stage.way.name, str(stage.pe), str(stage.simd))
        table.add_row(stage.layer, *folding, str(stage.cycles), str(stage.lanes),
                      str(stage.blocks), str(round(stage.cells)))
    return table
