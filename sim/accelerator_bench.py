"""The cocotb end of :mod:`sim.accelerator`: watches the hardware until it has finished."""
import json
from pathlib import Path

import cocotb
from cocotb.triggers import First, RisingEdge, Timer

PERIOD = 10        # ns, of clock.v
GLANCE = 20_000    # cycles between looks at how far it is
AFTER = 1_000      # cycles in which nothing more may come


@cocotb.test()
async def play(dut):
    limit = int(cocotb.plusargs["limit"])
    names = cocotb.plusargs["names"].split(",")

    def counters(name):
        return {counter: getattr(dut, f"{name}_{counter}").value.to_unsigned()
                for counter in ("count", "first", "last")}

    while not dut.done.value and (left := limit - dut.cycles.value.to_unsigned()) > 0:
        await First(RisingEdge(dut.done), Timer(min(GLANCE, left) * PERIOD, "ns"))
        Path("progress.part").write_text(
            json.dumps({name: counters(name)["count"] for name in names}))
        Path("progress.part").replace("progress")
    await Timer(AFTER * PERIOD, "ns")
    Path("counters.json").write_text(json.dumps({
        "cycles": dut.cycles.value.to_unsigned(),
        "accelerators": {name: counters(name) for name in names}}))
