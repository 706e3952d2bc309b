"""A board without a board: its real top in Verilator, its serial line a pseudo-terminal.

What drives a board drives this one, unchanged; only time is slower. The line's far end is Verilog
too, so that Python works once a byte and not once a cycle.
"""
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.errors import ToolFailed
from hw.verilog import convert
from sim import verilator
from sw import wire

STATIC = [Path(__file__).with_name(name) for name in (
    "clock.v", "uart_model.v", "ice40_cells.v", "ecp5_cells.v")]
START = 60         # seconds until a compiled model must run
DAY = 24 * 3600    # a limit in cycles ends a simulation, not one in seconds: it may stand still


class Harness(wiring.Component):
    """A board's top, its clock, and the far end of its serial line.

    Parameters
    ----------
    clock_hz : float
        Frequency of the top's ``sync`` domain.
    baud : float
        Bit rate of the line.
    clock, rx, tx : str
        The top's pins.

    Members
    -------
    send : In(8)
        Byte for the board; it leaves when ``send_new`` changes, and has left when ``send_done``
        follows.
    received : Out(8)
        Byte from the board; it is new when ``received_new`` changes.
    errors : Out(8)
        Bytes from the board without a stop bit.
    """
    send: In(8)
    send_new: In(1)
    send_done: Out(1)
    received: Out(8)
    received_new: Out(1)
    errors: Out(8)

    def __init__(self, *, clock_hz, baud, clock, rx, tx):
        self.clock_hz = clock_hz
        self.baud     = baud
        self.clock    = clock
        self.rx       = rx
        self.tx       = tx
        super().__init__()

    def elaborate(self, platform):
        m = Module()

        clk     = Signal()
        to_top  = Signal()
        to_host = Signal()
        m.submodules.clock = Instance("clock", o_clk=clk)
        m.submodules.uart = Instance(
            "uart_model", p_CLOCK=round(self.clock_hz), p_BAUD=round(self.baud),
            i_clk=clk, i_rx=to_host, o_tx=to_top,
            i_send=self.send, i_send_new=self.send_new, o_send_done=self.send_done,
            o_received=self.received, o_received_new=self.received_new, o_errors=self.errors)
        m.submodules.top = Instance("top", **{
            f"i_{self.clock}": clk, f"i_{self.rx}": to_top, f"o_{self.tx}": to_host})

        return m


class SimulatedBoard:
    """The board whose module ``top`` is in the Verilog files ``sources``, on a serial port.

    ``clock``, ``rx`` and ``tx`` are the top's pins: boards differ in that of their oscillator.
    A context manager that gives the port's path. Leaving it ends the simulation, and raises
    :exc:`ToolFailed` if that has failed or has taken ``limit`` cycles. A model compiled earlier
    in ``folder`` is used again. Simulated time stands still while the board owes no answer and
    nothing is sent.
    """
    def __init__(self, sources: Sequence[Path | str], folder: Path | str, *, clock_hz: float,
                 baud: float = wire.BAUD, clock: str = "clk12_0__io", rx: str = "uart_0__rx__io",
                 tx: str = "uart_0__tx__io", limit: int = 100_000_000):
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.clock_hz = clock_hz
        self.limit = limit
        harness = self.folder / "board_harness.v"
        harness.write_text(convert(
            Harness(clock_hz=clock_hz, baud=baud, clock=clock, rx=rx, tx=tx), "board_harness"))
        self.model = verilator.build([harness, *STATIC, *sources], "board_harness", self.folder,
                                     arguments=["--timing"])

    def __enter__(self) -> str:
        # The simulation ends when nobody holds the other end of its leash any more.
        self._port, leash = self.folder / "port", self.folder / "leash"
        for path in (self._port, leash):
            path.unlink(missing_ok=True)
        os.mkfifo(leash)
        self._leash = os.open(leash, os.O_RDWR)
        self._failure = None
        self._thread = threading.Thread(target=self._simulate, daemon=True)
        self._thread.start()
        end = time.monotonic() + START
        while not self._port.is_symlink():
            if not self._thread.is_alive() or time.monotonic() > end:
                self.__exit__()
                raise ToolFailed(f"The simulated board did not start (see {self.folder})")
            time.sleep(0.02)
        return str(self._port.readlink())

    def __exit__(self, *_):
        os.close(self._leash)
        self._thread.join()
        if self._failure:
            raise self._failure

    def _simulate(self):
        # An iCEBreaker's reset lasts 15 us or more, rounded up to a power of two of cycles.
        reset = int(40e-6 * self.clock_hz)
        try:
            verilator.run(self.model, "sim.board_bench", folder=self.folder,
                          seconds=DAY,
                          plusargs=[f"+limit={self.limit}", f"+reset={reset}"])
        except Exception as error:   # handed to the thread that leaves the context
            self._failure = error
