"""Damaged model files by the thousand: ``python -m tests.bench.fuzz --count 10000 --seed 1``.

Every mutant of :mod:`tests.sw.importers.mutations` is imported, and compared with its own executor
where it imports, in a worker process of limited memory: a file is refused by a ModelError that
names it, or imported. What else happens (a traceback, a warning, a crash, more than ten seconds,
more memory) is a failure, and is kept in build/fuzz/ for another look.
"""
import argparse
import multiprocessing
import os
import re
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

from tests.bench import record
from tests.sw.importers.mutations import mutant

LIMIT = 10              # seconds for a mutant
MEMORY = 4 * 2 ** 30    # bytes of address space of a worker
FRAMES = 6              # that an import is compared on
KEPT = Path("build/fuzz")
FAILURES = ("traceback", "crash", "hang", "memory", "unnamed", "wrong")
OTHERS = ("imported, others decided",)        # to be looked at as well


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, nargs="*", metavar="INDEX",
                        help="these mutants alone, with what they say; nothing is written")
    options = parser.parse_args()
    start, outcomes = time.monotonic(), []
    for index, data, outcome in run(options.seed, options.only or range(options.count)):
        outcomes.append((index, *outcome))
        kind, says, _ = outcome
        if kind in (*FAILURES, *OTHERS):
            KEPT.mkdir(parents=True, exist_ok=True)
            (KEPT / f"{options.seed}-{index}-{kind.replace(' ', '-')}.onnx").write_bytes(data)
        if kind in (*FAILURES, *OTHERS) or options.only:
            print(f"{index} {kind}: {says}", flush=True)
    counts = Counter(kind for _, kind, _, _ in outcomes)
    index, _, _, slowest = max(outcomes, key=lambda outcome: outcome[3])
    result = {
        "seed": options.seed, "mutants": len(outcomes),
        "seconds": round(time.monotonic() - start), "outcomes": dict(counts.most_common()),
        "failures": sum(counts[kind] for kind in FAILURES),
        "exceptions": dict(Counter(exception(says) for _, kind, says, _ in outcomes
                                   if kind == "refused").most_common()),
        "slowest": {"index": index, "seconds": round(slowest, 2)},
    }
    print(result)
    if not options.only:
        record.write("fuzz", result)
    return int(result["failures"] > 0)


def exception(says):
    """The type of error that a refusal tells of; ModelError is one that was foreseen."""
    found = re.search(r"cannot be read: (\w+):", says)
    return found[1] if found else "ModelError"


def run(seed, indices):
    """Each index with its mutant and what became of it: a kind, what was said and the seconds."""
    worker = None
    for index in indices:
        worker = worker or Worker()
        data = mutant(seed, index)
        outcome = worker(data)
        if outcome[0] in ("crash", "hang"):
            worker = None
        yield index, data, outcome
    if worker:
        worker.stop()


class Worker:
    """A process that imports mutants, one at a time."""
    def __init__(self):
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=work, args=(other,), daemon=True)
        self.process.start()
        other.close()
        self.pipe.recv()        # it is ready: what it imports takes seconds

    def __call__(self, data):
        start = time.monotonic()
        self.pipe.send(data)
        try:
            if self.pipe.poll(LIMIT):
                return *self.pipe.recv(), time.monotonic() - start
        except EOFError:
            self.process.join()
            return "crash", f"exit code {self.process.exitcode}", time.monotonic() - start
        self.stop()
        return "hang", f"more than {LIMIT} s", time.monotonic() - start

    def stop(self):
        self.process.kill()
        self.process.join()


def work(pipe):
    """The worker: answers a mutant with the kind of outcome and what was said."""
    import qonnx.core.modelwrapper  # noqa: F401  all of it, before memory is limited
    import qonnx.core.onnx_exec  # noqa: F401

    os.environ["PYTHONWARNINGS"] = "error"
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.onnx"
        pipe.send(None)
        while True:
            path.write_bytes(pipe.recv())
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                pipe.send(outcome(path))


def outcome(path: Path) -> tuple[str, str]:
    """What becomes of a file: a kind, and what was said."""
    from sw.importers import check
    from sw.importers.onnx_file import ModelError
    from sw.importers.qonnx import load

    try:
        imported = load(path)
    except ModelError as error:
        says = str(error)
        kind = "memory" if "MemoryError" in says else "refused" if str(path) in says else "unnamed"
        return kind, says
    except BaseException as error:
        return "traceback", described(error)
    try:
        found = check.check(imported, *check.frames(imported, FRAMES), "random frames")
    except ModelError as error:
        return "imported, refused by its executor", str(error)
    except BaseException as error:
        return "traceback", "check: " + described(error)
    if found.wrong:
        return "wrong", f"{found.wrong}: {found.wrong.first[:2]}"
    if found.decisions < found.frames:
        return "imported, others decided", str(found)
    return "imported equal" if found.equal else "imported, differences listed", ""


def described(error):
    """An error with the last places of its traceback."""
    places, trace = [], error.__traceback__
    while trace:
        places.append(f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__name__}: {str(error)[:200]} ({' '.join(places[-5:])})"


if __name__ == "__main__":
    sys.exit(main())
