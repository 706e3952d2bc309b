"""The networks that ship, as users get them."""
from importlib import resources

import numpy as np
import pytest

from boards import toolchain
from boards.icebreaker import Icebreaker
from boards.top import Top
from hw.accelerator import Accelerator
from hw.plan import plan
from hw.verilog import External, convert
from sim import verilator
from sim.accelerator import verify
from sim.board import SimulatedBoard
from sw import data, host
from sw.network import Network


class Shipped:
    """``mnist-bnn``, planned for the default board, as Verilog."""
    def __init__(self, folder):
        self.folder = folder
        with resources.as_file(resources.files("sw.zoo").joinpath("mnist-bnn.npz")) as path:
            self.network = Network.load(path)
        self.sample = data.load("mnist", "sample")
        self.plan = plan(self.network, Icebreaker.BUDGET)
        self.accelerator = Accelerator(self.plan)
        (folder / "accelerator.v").write_text(convert(self.accelerator, "accelerator"))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    return Shipped(tmp_path_factory.mktemp("shipped"))


def test_the_recorded_accuracy_is_the_golden_models(shipped):
    decisions = shipped.network.run(shipped.sample.images)[:, 0]
    accuracy = float(np.mean(decisions == shipped.sample.labels))
    assert accuracy == shipped.network.provenance["accuracy"]["sample"] >= 0.97


def test_it_fits_at_100000_frames_a_second_and_60_percent_of_the_roofline(shipped):
    assert shipped.plan.blocks <= 30
    assert Icebreaker.FIRST_HZ / shipped.plan.cycles >= 100_000
    assert shipped.plan.roofline_fraction >= 0.6


def test_fewer_frames_a_second_take_less_of_the_chip(shipped):
    cells = [plan(shipped.network, Icebreaker.BUDGET, cycles=cycles).cells
             for cycles in (250, 810, 4050)]
    assert cells[0] > cells[1] > cells[2]


def test_its_verilog_passes_lint(shipped):
    verilator.lint(shipped.folder / "accelerator.v", top="accelerator")


def test_rtl_equals_golden_on_all_5000_packaged_frames(shipped):
    frames = shipped.sample.images.reshape(5000, -1)
    result = verify(shipped.network, shipped.accelerator, shipped.folder / "accelerator.v", frames,
                    shipped.folder / "rtl")
    assert (result.frames, result.logits) == (5000, 50_000)
    assert result.cycles_per_frame == shipped.plan.cycles


def test_the_host_driver_finds_100_of_100_frames_equal_on_the_simulated_board(shipped, capsys):
    platform = Icebreaker(limit_hz=Icebreaker.FIRST_HZ)
    design = Top(accelerator=External(shipped.accelerator, "accelerator"),
                 digest=shipped.network.digest, elements=shipped.network.input.channels,
                 clock_hz=platform.clock_hz)
    top, _ = toolchain.elaborate(platform, design)
    (shipped.folder / "top.v").write_text(top)
    with SimulatedBoard([shipped.folder / "top.v", shipped.folder / "accelerator.v"],
                        shipped.folder / "board", clock_hz=platform.clock_hz) as port:
        assert host.main(["--port", str(port), "--dataset", "mnist", "--frames", "100",
                          "--timeout", "60"]) == 0
    assert "100 of 100" in capsys.readouterr().out
