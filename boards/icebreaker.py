"""iCEBreaker: iCE40UP5K in an SG48 package, a 12 MHz clock, and an FT2232H as serial line."""
from dataclasses import dataclass

from amaranth import *
from amaranth.lib.cdc import FFSynchronizer
from amaranth.utils import ceil_log2
from amaranth_boards.icebreaker import ICEBreakerPlatform

from boards import ice40
from hw.stages import Budget

CLOCK_HZ = 12_000_000
# Upper limits (MHz, exclusive) of the phase detector's frequency for each FILTER_RANGE from 1 on.
FILTER_RANGES = (17, 26, 44, 66, 101, 134)


@dataclass(frozen=True)
class Pll:
    """Settings of an SB_PLL40 with simple feedback, and the frequency that they give."""
    divr: int
    divf: int
    divq: int
    filter_range: int
    hertz: float


def pll(limit_hz: float, *, source_hz: float = CLOCK_HZ) -> Pll | None:
    """Settings for the highest frequency up to ``limit_hz``, or None where there are none.

    Lattice's limits (FPGA-TN-02052): phase detector 10 to 133 MHz, oscillator 533 to 1066 MHz,
    output 16 to 275 MHz.
    """
    best = None
    for divr in range(16):
        detector = source_hz / (divr + 1)
        if not 10e6 <= detector <= 133e6:
            continue
        for divf in range(128):
            oscillator = detector * (divf + 1)
            if not 533e6 <= oscillator <= 1066e6:
                continue
            for divq in range(1, 7):
                hertz = source_hz * (divf + 1) / ((divr + 1) * 2 ** divq)
                if 16e6 <= hertz <= min(limit_hz, 275e6) and (best is None or hertz > best.hertz):
                    filter_range = 1 + sum(detector >= upper * 1e6 for upper in FILTER_RANGES)
                    best = Pll(divr, divf, divq, filter_range, hertz)
    return best


class Icebreaker(ICEBreakerPlatform):
    """The board with its break-off LEDs, whose ``sync`` clock comes from the PLL.

    Parameters
    ----------
    limit_hz : float
        Highest clock frequency allowed: what the design reaches. ``clock_hz`` is what it became:
        a frequency of the PLL, or the oscillator's 12 MHz below those.
    """
    TOOLS = ice40
    LINK = "FT2232H"
    RESOURCES = {"LUT4": 5280, "EBR": 30, "SPRAM": 4, "DSP": 8}
    LINK_CELLS = 360        # what the host link takes of them
    # What is left for a network, with room to place it.
    BUDGET = Budget("icebreaker", 4400, 30)
    NEXTPNR = ["--up5k", "--package", "sg48"]
    FIRST_HZ = 40_500_000   # tried first: what designs that fill the chip reach

    def __init__(self, *, limit_hz: float = CLOCK_HZ):
        if limit_hz < CLOCK_HZ:
            raise ValueError(f"The slowest clock of an iCEBreaker is 12 MHz, but the design "
                             f"reaches {limit_hz / 1e6:.2f} MHz only")
        super().__init__()
        self.add_resources(self.break_off_pmod)
        self.pll = pll(limit_hz)
        self.clock_hz = self.pll.hertz if self.pll else CLOCK_HZ

    def create_missing_domain(self, name):
        if name != "sync" or self.pll is None:
            return super().create_missing_domain(name)
        m = Module()

        m.domains += ClockDomain("sync")
        m.domains += ClockDomain("por", reset_less=True, local=True)
        lock   = Signal()
        locked = Signal()
        m.d.comb += ClockSignal("por").eq(ClockSignal("sync"))
        m.submodules.pll = Instance(
            "SB_PLL40_PAD",
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=C(self.pll.divr, 4), p_DIVF=C(self.pll.divf, 7), p_DIVQ=C(self.pll.divq, 3),
            p_FILTER_RANGE=C(self.pll.filter_range, 3),
            i_PACKAGEPIN=self.request("clk12", dir="-").io,
            i_RESETB=C(1, 1), i_BYPASS=C(0, 1),
            o_PLLOUTGLOBAL=ClockSignal("sync"), o_LOCK=lock,
        )
        # Block RAM reads zeros for some 3 us after configuration (icestorm issue 76): the reset
        # lasts 15 us or more from the PLL's lock on.
        m.submodules.synchronizer = FFSynchronizer(lock, locked, o_domain="por")
        timer = Signal(ceil_log2(int(15e-6 * self.clock_hz)) + 1)
        with m.If(~locked):
            m.d.por += timer.eq(0)
        with m.Elif(~timer[-1]):
            m.d.por += timer.eq(timer + 1)
        m.d.comb += ResetSignal("sync").eq(~timer[-1])

        return m
