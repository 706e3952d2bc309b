import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from hw import build
from tests.hw.networks import random_network


@pytest.fixture
def model(tmp_path):
    """A small network's file."""
    network = random_network(np.random.default_rng(1), pixels=20, kept=16, hidden=[12], classes=4,
                             name="small")
    network.save(tmp_path / "small.npz")
    return tmp_path / "small.npz"


def refused(capsys, *arguments):
    """The one line that the command says on its way to exit code 1."""
    try:
        code = build.main([*map(str, arguments)])
    except SystemExit as end:
        code = end.code
    assert code == 1
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    return line


@pytest.mark.parametrize("arguments, message", [
    (["--board", "nexys"], ("error: --board nexys: boards are icebreaker, ulx3s-12f, ulx3s-25f, "
                            "ulx3s-45f, ulx3s-85f")),
    (["--style", "rolled"], "error: --style rolled: styles are folded, unrolled"),
    (["--arch", "float"], "error: --arch float: number systems are xnor, ternary, shift"),
    (["--verify", "netlist"], "error: --verify netlist: it is none or rtl"),
    (["--frames", "0"], ("error: argument --frames: must be a whole number of 1 or more, not 0; "
                         "see --help")),
    (["--frames", "x"], ("error: argument --frames: must be a whole number of 1 or more, not x; "
                         "see --help")),
    (["--frames", "9000"], "error: --frames 9000: the sample of mnist has 5000"),
    (["--fps", "-3"], "error: argument --fps: must be a positive number, not -3; see --help"),
    (["--fps", "x"], "error: argument --fps: must be a positive number, not x; see --help"),
    (["--fps", "1e9"], ("error: --fps 1,000,000,000: board icebreaker has a clock of about 40.5 "
                        "MHz; ask for fewer frames a second")),
    (["--fps", "2e7"], ("error: --fps 20,000,000, 2 cycles a frame at 40.5 MHz: network mnist-bnn: "
                        "the fastest folding takes 196 cycles per frame; ask for no fewer")),
    (["--arch", "xnor", "--model", "net.npz"], ("error: --arch names a shipped network and --model "
                                                "another one; give one of them")),
    (["--frame", "3", "--nonsense"], "error: unrecognized arguments: --nonsense; see --help"),
    (["--model", "absent.npz"], "error: absent.npz: there is no such file"),
])
def test_wrong_options_are_one_sentence(capsys, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused(capsys, *arguments) == message
    assert not list(tmp_path.rglob("*.bin"))


def test_boards_are_listed_with_what_they_have(capsys):
    assert build.main(["--list-boards"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["board", "device", "LUT4", "block", "RAMs", "clock", "link"]
    assert [line.split()[0] for line in lines] == list(build.BOARDS)
    assert re.search(r"icebreaker +iCE40UP5K +4,400 of 5,280 +30 × 4 kbit +≤ 40\.5 MHz +FT2232H, "
                     r"3 Mbaud", lines[0])


def test_a_file_that_is_no_network_is_refused(capsys, tmp_path):
    path = tmp_path / "text.npz"
    path.write_text("no network")
    assert refused(capsys, "--model", path).startswith(
        f"error: {path}: it is no archive, or truncated")


def test_a_network_too_large_is_refused_with_numbers(capsys, tmp_path):
    rng = np.random.default_rng(0)
    network = random_network(rng, pixels=64, hidden=[4000], classes=64, name="large")
    network.save(tmp_path / "large.npz")
    line = refused(capsys, "--model", tmp_path / "large.npz", "-o", tmp_path / "out")
    assert line == ("error: network large has 512,000 bits of weights, 352,068 more than the "
                    "159,932 bits that icebreaker can hold in 30 block RAMs and LUT ROM; make its "
                    "layers narrower")


def test_an_output_folder_that_cannot_be_written_is_refused(capsys, model, tmp_path):
    (tmp_path / "file").touch()
    line = refused(capsys, "--model", model, "-o", tmp_path / "file" / "out")
    assert line == (f"error: --output {tmp_path}/file/out: the folder cannot be written "
                    f"(Not a directory); name another one")


def test_a_small_network_from_file_to_bitstream_and_again(capsys, model, tmp_path):
    out = tmp_path / "out"
    arguments = ["--model", str(model), "-o", str(out), "--frames", "50"]
    assert build.main(arguments) == 0
    said = capsys.readouterr().out
    assert "50 of 50 frames equal" in said and "python -m boards.flash" in said
    report = json.loads((out / "report.json").read_text())
    assert report["simulation"]["frames"] == 50
    assert report["result"]["cycles_per_frame_simulated"] == report["plan"]["cycles_per_frame"]
    assert report["implementation"]["fmax"] >= report["implementation"]["clock_mhz"]
    names = {"network.npz", "plan.json", "accelerator.v", "top.v", "top.pcf", "small.bin",
             "report.json", "report.txt", "rom"}
    assert names <= {path.name for path in out.iterdir()}
    assert report["digest"] in (out / "accelerator.v").read_text()
    words = (out / "rom" / "dense1.mem").read_text().split()
    assert len(words) == next(stage["steps"] * stage["groups"]
                              for stage in report["plan"]["stages"] if stage["layer"] == "dense1")

    bitstream = (out / "small.bin").read_bytes()
    times = {path: path.stat().st_mtime_ns for path in out.glob("small.bin")}
    assert build.main(arguments) == 0      # nothing has changed: nothing runs
    assert {path: path.stat().st_mtime_ns for path in out.glob("small.bin")} == times
    assert json.loads((out / "report.json").read_text()) == report
    assert "unchanged" in capsys.readouterr().err

    (out / "small.bin").write_bytes(b"damaged")
    assert build.main([*arguments, "--verify", "none"]) == 0
    assert (out / "small.bin").read_bytes() == bitstream   # the same input, the same bytes


def test_no_bitstream_appears_of_hardware_that_differs(capsys, model, tmp_path, monkeypatch):
    good = build.convert
    monkeypatch.setattr(build, "convert", lambda *arguments, **options: good(
        *arguments, **options).replace("i__payload > best", "i__payload < best"))
    out = tmp_path / "out"
    assert build.main(["--model", str(model), "-o", str(out), "--frames", "400"]) == 2
    assert re.search(r" of 400 frames equal; frame \d+, layer decision, channel 0: expected ",
                     capsys.readouterr().err)
    assert not {"small.bin", "top.v", "report.json"} & {path.name for path in out.iterdir()}


def test_an_interrupt_leaves_nothing_half_written(model, tmp_path):
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "hw.build", "--model", str(model), "-o", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while not (out / "work" / "icebreaker" / "accelerator.v").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted; nothing was left half written" in said
    assert not {"small.bin", "top.v", "report.json"} & {path.name for path in out.iterdir()}
    assert not list(out.glob(".*.part"))
