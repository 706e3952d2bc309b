"""The cocotb end of :mod:`sim.board`: carries bytes between the line and a pseudo-terminal."""
import os
import select
import tty
from pathlib import Path

import cocotb
from cocotb.triggers import Timer, ValueChange
from cocotb.utils import get_sim_time

PERIOD = 10            # ns, of clock.v
GLANCE = 100           # cycles between looks for something to send
PATIENCE = 1_000_000   # cycles without a byte after which no answer is to be expected


@cocotb.test()
async def serve(dut):
    limit, reset = int(cocotb.plusargs["limit"]), int(cocotb.plusargs["reset"])
    master, slave = os.openpty()
    tty.setraw(slave)
    leash = os.open("leash", os.O_RDONLY | os.O_NONBLOCK)
    line = Line(dut, master, leash)
    await Timer(reset * PERIOD, "ns")
    Path("port").symlink_to(os.ttyname(slave))
    cocotb.start_soon(line.receive())
    while True:
        if cycle() > line.moved + PATIENCE:
            line.sent = line.answered
        owes = line.sent > line.answered
        ready, _, _ = select.select([master, leash], [], [], 0 if owes else None)
        if leash in ready:
            return
        if master in ready:
            await line.send(os.read(master, 256))
        else:
            await Timer(GLANCE * PERIOD, "ns")
        assert cycle() < limit, f"the limit of {limit} cycles is reached"
        assert dut.errors.value == 0, "the board sent a byte without stop bit"


def cycle():
    """The clock cycle that it is."""
    return get_sim_time("ns") / PERIOD


class Line:
    """The line's far end, between ``dut`` and the file ``master``, as long as ``leash`` holds.

    Counts the packets ``sent`` and ``answered``, and notes the cycle when a byte last ``moved``.
    """
    def __init__(self, dut, master, leash):
        self.dut = dut
        self.master = master
        self.leash = leash
        self.toggle = 0
        self.within = False
        self.sent = self.answered = self.moved = 0
        dut.send_new.value = 0

    async def send(self, data):
        for byte in data:
            self.toggle ^= 1
            self.dut.send.value = byte
            self.dut.send_new.value = self.toggle
            await ValueChange(self.dut.send_done)
            self.sent += self.within and byte == 0
            self.within = byte != 0
            self.moved = cycle()

    async def receive(self):
        while True:
            await ValueChange(self.dut.received_new)
            byte = self.dut.received.value.to_unsigned()
            self.answered += byte == 0
            self.moved = cycle()
            if self.master in select.select([self.leash], [self.master], [])[1]:
                os.write(self.master, bytes([byte]))
