"""ULX3S: a Lattice ECP5 in a CABGA381 package, a 25 MHz clock, and an FT231X as serial line."""
from dataclasses import dataclass

from amaranth import *
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer
from amaranth_boards.ulx3s import (
    ULX3S_12F_Platform,
    ULX3S_25F_Platform,
    ULX3S_45F_Platform,
    ULX3S_85F_Platform,
)

from boards import ecp5
from hw.fabric import ECP5
from hw.stages import Budget

CLOCK_HZ = 25_000_000
SLOWEST_HZ = 3_125_000      # that the PLL makes


@dataclass(frozen=True)
class Pll:
    """Settings of an EHXPLLL, and the frequency of its CLKOS that they give.

    CLKOP runs at the phase detector's frequency and is fed back.
    """
    clki_div: int
    clkop_div: int
    clkos_div: int
    hertz: float


def pll(limit_hz: float, *, source_hz: float = CLOCK_HZ) -> Pll | None:
    """Settings for the highest frequency up to ``limit_hz``, or None where there are none.

    Lattice's limits (FPGA-DS-02012): input 8 to 400 MHz, phase detector 10 to 400 MHz, oscillator
    400 to 800 MHz, output 3.125 to 400 MHz, dividers 1 to 128.
    """
    best = None
    for clki_div in range(1, 129):
        detector = source_hz / clki_div
        if not 10e6 <= detector <= 400e6:
            continue
        for clkop_div in range(1, 129):
            oscillator = detector * clkop_div
            if not 400e6 <= oscillator <= 800e6:
                continue
            for clkos_div in range(1, 129):
                hertz = oscillator / clkos_div
                if SLOWEST_HZ <= hertz <= min(limit_hz, 400e6) and (
                        best is None or hertz > best.hertz):
                    best = Pll(clki_div, clkop_div, clkos_div, hertz)
    return best


class Ulx3s:
    """A board, whose ``sync`` clock comes from the PLL; mixed into the platform of its size.

    Parameters
    ----------
    limit_hz : float
        Highest clock frequency allowed: what the design reaches. ``clock_hz`` is what it became:
        a frequency of the PLL.
    """
    TOOLS = ecp5
    LINK = "FT231X"
    LINK_CELLS = 290        # what the host link takes of the LUT4
    FIRST_HZ = 80_000_000   # tried first: designs that leave room reach 100 MHz

    def __init__(self, *, limit_hz: float = CLOCK_HZ):
        if limit_hz < SLOWEST_HZ:
            raise ValueError(f"The slowest clock of a ULX3S is {SLOWEST_HZ / 1e6} MHz, but the "
                             f"design reaches {limit_hz / 1e6:.2f} MHz only")
        super().__init__()
        self.pll = pll(limit_hz)
        self.clock_hz = self.pll.hertz

    # Writing the flash is not the platform's business here: boards.flash does that.
    @property
    def required_tools(self):
        return []

    def create_missing_domain(self, name):
        if name != "sync":
            return super().create_missing_domain(name)
        m = Module()

        m.submodules.clk25 = clk25 = io.Buffer("i", self.request("clk25", dir="-"))
        m.domains += ClockDomain("sync")
        detector, lock = Signal(), Signal()
        m.submodules.pll = Instance(
            "EHXPLLL",
            p_CLKI_DIV=self.pll.clki_div, p_CLKFB_DIV=1, p_FEEDBK_PATH="CLKOP",
            p_CLKOP_ENABLE="ENABLED", p_CLKOP_DIV=self.pll.clkop_div,
            p_CLKOP_CPHASE=self.pll.clkop_div - 1, p_CLKOP_FPHASE=0,
            p_CLKOS_ENABLE="ENABLED", p_CLKOS_DIV=self.pll.clkos_div,
            p_CLKOS_CPHASE=self.pll.clkos_div - 1, p_CLKOS_FPHASE=0,
            # The loop filter as Project Trellis's ecppll always sets it.
            a_ICP_CURRENT="12", a_LPF_RESISTOR="8", a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            i_CLKI=clk25.i, i_CLKFB=detector, o_CLKOP=detector, o_CLKOS=ClockSignal("sync"),
            o_LOCK=lock, i_RST=C(0, 1), i_STDBY=C(0, 1), i_ENCLKOP=C(0, 1), i_ENCLKOS=C(0, 1),
            i_PHASESEL0=C(0, 1), i_PHASESEL1=C(0, 1), i_PHASEDIR=C(1, 1), i_PHASESTEP=C(1, 1),
            i_PHASELOADREG=C(1, 1), i_PLLWAKESYNC=C(0, 1),
        )
        # Registers and block RAMs start as the bitstream says. An address that moves with an
        # unsteady clock may damage a block RAM's contents: until the PLL is locked, none moves.
        m.submodules.reset = ResetSynchronizer(~lock, domain="sync")
        # The ESP32 may boot the board anew while this pin is low: all designs for it hold it high.
        esp32 = self.request("esp32", dir="-")
        m.submodules.gpio0 = gpio0 = io.Buffer("o", esp32.gpio0)
        m.d.comb += gpio0.o.eq(1)

        return m


def options(size):
    return [f"--{size}", "--package", "CABGA381", "--speed", "6"]


class Ulx3s12F(Ulx3s, ULX3S_12F_Platform):
    """Lattice gives this device 12,000 LUT4 and 32 block RAMs; the die is that of the 25F."""
    RESOURCES = {"LUT4": 12000, "DP16KD": 32, "DSP": 28}
    BUDGET = Budget("ulx3s-12f", 10000, 32, ECP5)
    NEXTPNR = options("12k")


class Ulx3s25F(Ulx3s, ULX3S_25F_Platform):
    RESOURCES = {"LUT4": 24288, "DP16KD": 56, "DSP": 28}
    BUDGET = Budget("ulx3s-25f", 20000, 56, ECP5)
    NEXTPNR = options("25k")


class Ulx3s45F(Ulx3s, ULX3S_45F_Platform):
    RESOURCES = {"LUT4": 43848, "DP16KD": 108, "DSP": 72}
    BUDGET = Budget("ulx3s-45f", 36000, 108, ECP5)
    NEXTPNR = options("45k")


class Ulx3s85F(Ulx3s, ULX3S_85F_Platform):
    RESOURCES = {"LUT4": 83640, "DP16KD": 208, "DSP": 156}
    BUDGET = Budget("ulx3s-85f", 70000, 208, ECP5)
    NEXTPNR = options("85k")
