"""The steps of a build: shown at work, and skipped when their inputs have not changed."""
import hashlib
import json
import signal
import threading
import time
from contextlib import contextmanager

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from sw import npz


class Steps:
    """The steps of a build: shows them at work, and skips those whose inputs have not changed.

    Where there is no terminal, a step is a line when it has ended. A keyboard interrupt is
    remembered: where it falls into a finalizer Python drops it, and the next beginning or end of
    a step raises it again.
    """
    def __init__(self, folder, *, force, console, quiet):
        self.folder = folder
        self.force = force
        self.interrupted = False
        self.console = console
        self.lines = not console.is_terminal and not quiet
        self.progress = Progress(SpinnerColumn(), TextColumn("{task.description:<12}"),
                                 TimeElapsedColumn(), TextColumn("{task.fields[note]}"),
                                 console=console, disable=quiet or self.lines)

    def __enter__(self):
        self.handler = signal.signal(signal.SIGINT, self._interrupt)
        self.progress.start()
        return self

    def __exit__(self, *_):
        self.progress.stop()
        signal.signal(signal.SIGINT, self.handler)

    def _interrupt(self, *_):
        self.interrupted = True
        raise KeyboardInterrupt

    def check(self):
        """Raise KeyboardInterrupt if there has been one."""
        if self.interrupted:
            raise KeyboardInterrupt

    @contextmanager
    def show(self, name, note=""):
        """Shows step ``name`` while it runs; what is called with a text replaces the note."""
        self.check()
        started = time.monotonic()
        task = self.progress.add_task(name, total=None, note=note)
        yield lambda text: self.progress.update(task, note=text)
        self.check()
        self.progress.update(task, total=1, completed=1)
        if self.lines:
            said = self.progress.tasks[task].fields["note"]
            self.console.print(f"{name:<12} {time.monotonic() - started:5.0f} s  {said}".rstrip(),
                               highlight=False, markup=False)

    def run(self, name, key, files, function):
        """The result of ``function`` (plain data), which makes ``files``; that of an earlier run
        if ``key`` and all files are still the same."""
        record = self.folder / f".{name}.json"
        key = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        if not self.force:
            try:
                earlier = json.loads(record.read_text())
                if earlier["key"] == key and all(
                        _digest(self.folder / file) == digest
                        for file, digest in earlier["files"].items()):
                    with self.show(name, "unchanged"):
                        return earlier["result"]
            except (OSError, ValueError, KeyError):
                pass   # no earlier run, or its record is damaged: run
        with self.show(name) as note:
            result = function(note)
        digests = {file: _digest(self.folder / file) for file in files}
        content = json.dumps({"key": key, "files": digests, "result": result})
        npz.write_atomic(record, content.encode())
        return result


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Worker:
    """Runs a function beside the main thread, which alone a keyboard interrupt stops."""
    def __init__(self, function):
        self.value = self.error = None

        def work():
            try:
                self.value = function()
            except BaseException as error:   # handed to the main thread by result()
                self.error = error
        self.thread = threading.Thread(target=work, daemon=True)
        self.thread.start()

    def result(self):
        while self.thread.is_alive():
            self.thread.join(0.2)
        if self.error:
            raise self.error
        return self.value
