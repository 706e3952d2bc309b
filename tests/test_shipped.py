"""The networks that ship, as users get them."""
from importlib import resources

import numpy as np
import pytest

from boards import toolchain
from boards.icebreaker import Icebreaker
from boards.top import Top
from hw import build
from hw.accelerator import Accelerator
from hw.plan import plan
from hw.verilog import External, convert
from sim import verilator
from sim.accelerator import verify
from sim.board import SimulatedBoard
from sw import data, host
from sw.network import Network

# Of each: the least accuracy on the packaged sample, and frames a second at the first clock.
BARS = {"mnist-bnn": (0.97, 100_000), "mnist-twn": (0.975, 40_000),
        "mnist-shiftcnn": (0.975, 36_000)}


class Shipped:
    """A network, planned for the default board, as Verilog."""
    def __init__(self, name, folder):
        self.folder = folder
        self.least, self.rate = BARS[name]
        with resources.as_file(resources.files("sw.zoo").joinpath(f"{name}.npz")) as path:
            self.network = Network.load(path)
        self.sample = data.load("mnist", "sample")
        self.plan = plan(self.network, Icebreaker.BUDGET)
        self.accelerator = Accelerator(self.plan)
        (folder / "accelerator.v").write_text(convert(self.accelerator, "accelerator"))


@pytest.fixture(scope="module", params=BARS)
def shipped(request, tmp_path_factory):
    return Shipped(request.param, tmp_path_factory.mktemp(request.param))


def test_each_is_the_default_of_a_number_system():
    assert set(build.ZOO.values()) == set(BARS)


def test_the_recorded_accuracy_is_the_golden_models(shipped):
    decisions = shipped.network.run(shipped.sample.images)[:, 0]
    accuracy = float(np.mean(decisions == shipped.sample.labels))
    assert accuracy == shipped.network.provenance["accuracy"]["sample"] >= shipped.least


def test_it_fits_at_its_frames_a_second(shipped):
    assert shipped.plan.blocks <= 30 and shipped.plan.cells <= Icebreaker.BUDGET.cells
    assert Icebreaker.FIRST_HZ / shipped.plan.cycles >= shipped.rate


def test_fewer_frames_a_second_take_less_of_the_chip(shipped):
    cells = [plan(shipped.network, Icebreaker.BUDGET, cycles=cycles).cells
             for cycles in (shipped.plan.cycles, 3 * shipped.plan.cycles, 4050)]
    assert cells[0] > cells[1] >= cells[2]


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
        path = shipped.folder / "network.npz"
        shipped.network.save(path)
        assert host.main(["--port", str(port), "--network", str(path), "--dataset", "mnist",
                          "--frames", "100", "--timeout", "60"]) == 0
    assert "100 of 100" in capsys.readouterr().out
