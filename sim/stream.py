"""Runs a stream component's Verilog in Verilator, under random stalls, and checks the rules."""
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth import Shape
from amaranth.lib import data

from hw.verilog import convert
from sim import verilator
from sim.payload import pack, unpack


@dataclass(frozen=True)
class Recording:
    """What left a component: ``outputs`` (transfers, lanes), and in which cycle after reset."""
    outputs: np.ndarray
    cycles: np.ndarray


class Bench:
    """A component with streams ``i`` and ``o``, compiled in ``folder``.

    Payloads are arrays of elements; any other payload counts as a single element.
    """
    def __init__(self, component, folder: Path | str):
        self.folder = Path(folder).resolve()
        self.i, self.o = (_lanes(port.signature.members["payload"].shape)
                          for port in (component.i, component.o))
        self.folder.mkdir(parents=True, exist_ok=True)
        source = self.folder / "component.v"
        source.write_text(convert(component, "component"))
        self.model = verilator.build([source], "component", self.folder)

    def run(self, inputs, count: int, *, stalls: float = 0, seed: int = 1,
            limit: int = 10_000) -> Recording:
        """Play ``inputs`` (transfers, lanes) and record the ``count`` transfers that leave.

        Either side stalls with the probability ``stalls`` in each cycle.

        Raises :exc:`ToolFailed` when fewer transfers leave in ``limit`` cycles, when more do, and
        when the component breaks a rule of streams: an offer holds until it is taken, and does
        not wait for ready.
        """
        if not 0 <= stalls < 1:
            raise ValueError(f"Stalls must be a probability below 1, not {stalls!r}")
        (lanes, shape), (output_lanes, output_shape) = self.i, self.o
        job = self.folder / "job.json"
        job.write_text(json.dumps({
            "words": pack(np.reshape(inputs, (-1, lanes)), shape.width).split(),
            "input_bits": lanes * shape.width, "output_bits": output_lanes * output_shape.width,
            "count": count, "stalls": stalls, "seed": seed, "limit": limit}))
        verilator.run(self.model, "sim.stream_bench", folder=self.folder, plusargs=[f"+job={job}"])
        recording = json.loads((self.folder / "recording.json").read_text())
        return Recording(unpack("".join(recording["words"]), lanes=output_lanes,
                                bits=output_shape.width, signed=output_shape.signed),
                         np.array(recording["cycles"]))


def simulate(component, inputs, count: int, *, folder: Path | str, stalls: float = 0,
             seed: int = 1, limit: int = 10_000) -> Recording:
    """Run ``component`` once: :class:`Bench` has the details."""
    return Bench(component, folder).run(inputs, count, stalls=stalls, seed=seed, limit=limit)


def _lanes(shape):
    """Lanes of a payload, and the shape of an element."""
    if isinstance(shape, data.ArrayLayout):
        return shape.length, Shape.cast(shape.elem_shape)
    return 1, Shape.cast(shape)
