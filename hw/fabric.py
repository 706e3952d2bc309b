"""What plans need to know of an FPGA family: its block RAMs, its adders, its logic cells."""
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fabric:
    """An FPGA family.

    ``block_shapes`` are the shapes that a block RAM can have, (words, bits), fewest words first.
    ``raw_operands`` says that carry cells have no logic before their operands. ``adders`` are how
    many adders one behind the other between registers reach how many MHz, most adders first
    (``tests.bench.unrolled``'s 16 × 16 ternary matrix, the slower of two seeds). ``patience`` are
    the cells that a design may have for place and route to take minutes rather than hours.

    Estimates are in logic cells of the iCE40. ``elements`` are how many LUT4 take the place of one
    in processing elements, by their name or ``""`` for all others, and ``scale`` in all else.
    """
    block_shapes: tuple[tuple[int, int], ...]
    raw_operands: bool
    adders: tuple[tuple[int, int], ...]
    elements: dict[str, float] = field(default_factory=lambda: {"": 1})
    scale: float = 1
    patience: int = 8000

    @property
    def block_bits(self) -> int:
        """Bits of one block RAM."""
        return max(words * bits for words, bits in self.block_shapes)

    @property
    def block_width(self) -> int:
        """Bits that one block RAM reads a cycle."""
        return self.block_shapes[0][1]

    def slice_bits(self, depth: int) -> int:
        """Bits of ``depth`` words that one block RAM holds, or a column of the deepest ones."""
        return next((bits for words, bits in self.block_shapes if depth <= words),
                    self.block_shapes[-1][1])

    def blocks(self, depth: int, bits: int) -> int:
        """Block RAMs of a memory of ``depth`` words of ``bits`` bits."""
        return min(-(-depth // words) * -(-bits // width) for words, width in self.block_shapes)

    def element(self, name: str) -> float:
        """LUT4 for a cell of the processing element of that name."""
        return self.elements.get(name, self.elements[""])

    def adders_per_stage(self, megahertz: float) -> int:
        """Adders one behind the other that a clock leaves time for, at least one."""
        return next((adders for adders, reached in self.adders if megahertz <= reached), 1)


# The UP5K, and its SB_RAM40 (Lattice FPGA-TN-02002, Memory Usage Guide for iCE40 Devices).
ICE40 = Fabric(((256, 16), (512, 8), (1024, 4), (2048, 2)), raw_operands=True,
               adders=((3, 44), (2, 57), (1, 61)))
# Speed grade 6, and DP16KD (Lattice FPGA-TN-02204, ECP5 and ECP5-5G Memory Usage Guide): the ninth
# bit of each byte is there from 9 bits on. A register without a look-up table before it is a logic
# cell of the iCE40 and no LUT4 here; an adder there takes more of what is before it into its cells.
# ``elements`` are those of tests.bench.datapaths (of others none is measured), ``scale`` is by the
# shipped networks: their estimates are within 7 %, those of networks below 2,000 LUT4, which have
# more registers, up to a quarter too high.
ECP5 = Fabric(((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
              raw_operands=False, adders=((4, 112), (2, 152), (1, 229)),
              elements={"xnor": 1.14, "gated xnor": 1.12, "bit planes": 1.2, "add-subtract": 1.32,
                        "ternary": 1.07, "shift": 1.05, "shift, shared": 1.05, "booth": 1.14,
                        "": 1.1}, scale=0.85)
