import io
import os
import signal

import pytest
from rich.console import Console

from hw.steps import Steps


class Interrupted:
    """Interrupts while it is finalized, where Python drops what is raised."""
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)


def steps(folder):
    return Steps(folder, force=False, console=Console(file=io.StringIO()), quiet=True)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_in_a_finalizer_stops_at_the_end_of_the_step(tmp_path):
    ran = []

    def function(note):
        Interrupted()
        ran.append("to its end")

    with pytest.raises(KeyboardInterrupt), steps(tmp_path) as running:
        running.run("first", "key", [], function)
    assert ran == ["to its end"] and not list(tmp_path.iterdir())


def test_the_handler_of_interrupts_is_restored(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), steps(tmp_path):
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_without_a_terminal_each_step_is_a_line_when_it_has_ended(tmp_path):
    said = io.StringIO()
    with Steps(tmp_path, force=False, console=Console(file=said), quiet=False) as running:
        running.run("first", "key", [], lambda note: note("5 of 5"))
        assert said.getvalue().split() == ["first", "0", "s", "5", "of", "5"]
        running.run("first", "key", [], None)
        assert said.getvalue().splitlines()[1].endswith("unchanged")
    assert len(said.getvalue().splitlines()) == 2
