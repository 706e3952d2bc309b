"""What a plan is: how each layer of a network is built, and what that costs."""
from dataclasses import dataclass, field, fields
from functools import cached_property

import numpy as np

from hw.datapath import Datapath, Term
from hw.fabric import ICE40, Fabric
from hw.stream import transfers
from sw.network import Network, Tensor


@dataclass(frozen=True)
class Budget:
    """What a board has left for a network: logic cells (LUT4 + FF) and block RAMs, and what they
    are like."""
    name: str
    cells: int
    blocks: int
    fabric: Fabric = field(default=ICE40, repr=False)

    def report(self) -> dict:
        """The budget as plain data."""
        return {"name": self.name, "cells": self.cells, "blocks": self.blocks}


@dataclass(frozen=True)
class Stage:
    """How one layer is built: transfers of ``lanes`` elements leave it; costs are estimates."""
    layer: str
    lanes: int
    cycles: int         # per frame
    cells: float
    blocks: int = 0

    def report(self) -> dict:
        """The stage as plain data."""
        table = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        return table | {"cells": round(self.cells, 1)}


@dataclass(frozen=True)
class ThresholdStage(Stage):
    """A threshold layer: all comparisons at once, or a binary ``search``.

    ``in_blocks`` are the cells and block RAMs of a search whose deep tables are ``block`` RAMs.
    """
    search: bool = False
    block: bool = False
    in_blocks: tuple[float, int] = field(default=(0, 0), repr=False)

    def report(self):
        table = super().report()
        del table["in_blocks"]
        return table


@dataclass(frozen=True, kw_only=True)
class DenseStage(Stage):
    """A dense layer folded on ``pe`` lanes of ``simd`` inputs."""
    way: Datapath = field(repr=False)
    x: Tensor = field(repr=False)   # what it reads
    affine: bool                # whether the sums of a row are still to be combined
    pe: int
    simd: int
    steps: int                  # words a vector
    groups: int                 # groups of pe rows
    slice_bits: int             # width of each memory that the weights are cut into
    block_slices: int = 0       # how many of those are block RAMs; the others are LUT ROM
    block_replay: bool = False  # whether the vector waits in a block RAM; else in registers

    @property
    def slices(self) -> list[tuple[int, bool]]:
        """Width of each weight memory and whether it is a block RAM, low bits first."""
        bits = self.pe * self.simd * self.way.bits
        widths = [min(self.slice_bits, bits - k) for k in range(0, bits, self.slice_bits)]
        return [(width, k < self.block_slices) for k, width in enumerate(widths)]

    def memories(self) -> dict[str, np.ndarray]:
        """Contents of the weight memories by name, (lanes, words, bits)."""
        found = {}
        if self.way.front:
            front = self.way.front
            found[f"{self.layer}_tables"] = front.way.words(front.lanes, front.length,
                                                            front.tables)
        if self.way.bits:
            found[self.layer] = self.way.words(self.pe, self.simd, self.steps * self.groups)
        return found

    def report(self):
        table = super().report() | {"way": self.way.name}
        del table["x"]
        return table


@dataclass(frozen=True, kw_only=True)
class UnrolledStage(Stage):
    """A dense layer as constant logic, a frame a cycle, with registers after so many adders."""
    term: Term = field(repr=False)              # what its sums stand for
    table: np.ndarray | None = field(repr=False)   # the integers of the input's codes
    adders_per_stage: int
    raw_operands: bool                          # of the carry cells: see hw.fabric.Fabric
    affine: bool                                # whether the sums are still to be scaled

    def report(self):
        table = super().report()
        del table["term"], table["table"]
        return table


@dataclass(frozen=True)
class Plan:
    """A network and how each of its layers is built."""
    network: Network
    budget: Budget
    input_lanes: int
    stages: tuple[Stage, ...]

    @cached_property
    def cycles(self) -> int:
        """Clock cycles per frame, exactly, when frames follow each other."""
        return max(self.input_beats, *(stage.cycles for stage in self.stages))

    @property
    def input_beats(self) -> int:
        """Transfers that bring a frame in."""
        return transfers(self.network.input.channels, self.input_lanes)

    @property
    def bottleneck(self) -> str:
        """The layer that sets the cycles per frame."""
        if self.input_beats == self.cycles:
            return "input"
        return next(stage.layer for stage in self.stages if stage.cycles == self.cycles)

    @property
    def cells(self) -> int:
        return round(sum(stage.cells for stage in self.stages))

    @property
    def blocks(self) -> int:
        return sum(stage.blocks for stage in self.stages)

    @property
    def weight_bits(self) -> int:
        """Weight bits that a frame needs."""
        return sum(stage.way.storage for stage in self.stages if isinstance(stage, DenseStage))

    @property
    def roofline(self) -> tuple[int, int]:
        """Weight bits a cycle that the device's memories give: block RAMs, and LUT ROM in use."""
        rom = sum(width for stage in self.stages if isinstance(stage, DenseStage)
                  for width, block in stage.slices if not block)
        return self.budget.blocks * self.budget.fabric.block_width, rom

    @property
    def roofline_fraction(self) -> float:
        """Weight bits used a cycle over the roofline."""
        return self.weight_bits / self.cycles / max(1, sum(self.roofline))

    def report(self) -> dict:
        """The plan as plain data."""
        return {
            "network": self.network.name, "digest": self.network.digest,
            "budget": self.budget.report(), "input_lanes": self.input_lanes,
            "cycles_per_frame": self.cycles, "bottleneck": self.bottleneck,
            "cells": self.cells, "blocks": self.blocks, "weight_bits": self.weight_bits,
            "roofline_bits_per_cycle": {"block_ram": self.roofline[0],
                                        "lut_rom": self.roofline[1]},
            "roofline_fraction": round(self.roofline_fraction, 4),
            "stages": [stage.report() for stage in self.stages],
        }
