"""Whole accelerators against the golden model: every logit of every frame.

The accelerator stands between a player, which reads the frames from a file, and recorders, which
write down what leaves it and what its monitor ports show. All of that is Verilog, so that it runs
at the simulator's own speed.
"""
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.errors import ToolFailed
from hw.stream import transfers
from hw.verilog import convert
from sim import verilator
from sim.payload import pack, unpack
from sw.network import Network

STATIC = [Path(__file__).with_name(name) for name in ("clock.v", "player.v", "recorder.v")]
CONTEXT = 8   # frames that follow the one looked at when a run is repeated
SLOWEST = 10_000   # cycles a second below which a simulation is given up


class Mismatch(ToolFailed):
    """Hardware and golden model differ: where first, both values, and how many frames are equal."""
    def __init__(self, frame: int, layer: str, channel: int, expected: int, got: int, *,
                 equal: int, frames: int):
        self.frame, self.layer, self.channel = frame, layer, channel
        self.expected, self.got = expected, got
        self.equal, self.frames = equal, frames
        super().__init__(f"{equal} of {frames} frames equal; frame {frame}, layer {layer}, "
                         f"channel {channel}: expected {expected}, got {got}")


@dataclass(frozen=True)
class Verification:
    """All ``frames`` frames came out as the golden model of the network ``digest`` says.

    ``logits`` logits were compared, and each frame's decision. In clock cycles since reset, the
    first result left in cycle ``first`` and the last one in ``last``. The simulation took
    ``seconds``, compilation apart.
    """
    digest: str
    frames: int
    logits: int
    first: int
    last: int
    seconds: float

    @property
    def cycles_per_frame(self) -> float:
        """Cycles from one result to the next, on average; of a single frame, until its result."""
        if self.frames == 1:
            return self.last + 1
        return (self.last - self.first) / (self.frames - 1)


@dataclass(frozen=True)
class Run:
    """What a simulation recorded.

    ``tensors`` are the golden model's integers by layer, (whole frames, channels), ``classes`` the
    results (frames, 1). Of ``count`` results, the first one left in cycle ``first`` after reset,
    the last one in ``last``; it ended in ``cycles``.
    """
    tensors: dict[str, np.ndarray]
    classes: np.ndarray
    count: int
    cycles: int
    first: int
    last: int


class Harness(wiring.Component):
    """An accelerator between a player and recorders, with its clock.

    Parameters
    ----------
    accelerator : Accelerator
        What its ports are; the module itself comes from a file.

    Members
    -------
    done : Out(1)
        High after as many results as the plusarg ``output_count`` says.
    count, cycles, first, last : Out(32)
        Results; cycles since reset; the cycles of the first and of the latest result.
    """
    done: Out(1)
    count: Out(32)
    cycles: Out(32)
    first: Out(32)
    last: Out(32)

    def __init__(self, accelerator):
        self.accelerator = accelerator
        super().__init__()

    def elaborate(self, platform):
        m = Module()

        m.domains.sync = sync = ClockDomain()
        m.submodules.clock = Instance("clock", o_clk=sync.clk, o_rst=sync.rst)
        clocked = {"i_clk": sync.clk, "i_rst": sync.rst}

        signals, ports = {}, {}
        for path, member, value in self.accelerator.signature.flatten(self.accelerator):
            name = "__".join(map(str, path))
            signals[name] = Signal(len(Value.cast(value)), name=name)
            ports[f"{'i' if member.flow is In else 'o'}_{name}"] = signals[name]
        m.submodules.accelerator = Instance("accelerator", **clocked, **ports)
        m.submodules.player = Instance(
            "player", **clocked, p_NAME="input", p_WIDTH=len(signals["i__payload"]),
            o_valid=signals["i__valid"], i_ready=signals["i__ready"],
            o_payload=signals["i__payload"])
        m.submodules.recorder = Instance(
            "recorder", **clocked, p_NAME="output", p_WIDTH=len(signals["o__payload"]),
            i_valid=signals["o__valid"], o_ready=signals["o__ready"],
            i_payload=signals["o__payload"], o_done=self.done, o_count=self.count,
            o_cycles=self.cycles, o_first=self.first, o_last=self.last)
        for tap in self.accelerator.taps:
            payload = signals[f"trace__{tap.layer}__payload"]
            m.submodules[f"trace_{tap.layer}"] = Instance(
                "recorder", **clocked, p_NAME=f"trace_{tap.layer}", p_WIDTH=len(payload),
                i_valid=signals[f"trace__{tap.layer}__valid"], i_payload=payload)

        return m


class Bench:
    """The compiled model of an accelerator, module ``accelerator`` of the file ``verilog``.

    Files go to ``folder``; a model that was compiled there earlier is used again.
    """
    def __init__(self, accelerator, verilog: Path | str, folder: Path | str):
        self.accelerator = accelerator
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        harness = self.folder / "harness.v"
        harness.write_text(convert(Harness(accelerator), "harness"))
        self.model = verilator.build([harness, *STATIC, verilog], "harness", self.folder,
                                     arguments=["--timing"])

    def run(self, frames, layers: Sequence[str] = (), *, stalls: float = 0, seed: int = 1,
            limit: int | None = None, progress: Callable[[int], None] = lambda frames: None) -> Run:
        """Simulate ``frames`` and record the output of ``layers``.

        With ``stalls``, both ends make the accelerator wait with that probability in each cycle.
        After ``limit`` cycles it ends; the default is several times what the plan says.
        ``progress`` is told now and then how many frames are done.
        """
        if not len(frames):
            raise ValueError("There are no frames to simulate")
        if not 0 <= stalls < 1:
            raise ValueError(f"Stalls must be a probability below 1, not {stalls!r}")
        if limit is None:
            limit = self._ample(len(frames)) / (1 - stalls) ** 2
        files = {"input": "input.hex", "output": "output.hex"}
        files |= {f"trace_{layer}": f"trace_{layer}.hex" for layer in layers}
        (self.folder / files["input"]).write_text(self._beats(np.asarray(frames)))
        told = self.folder / "progress"
        told.unlink(missing_ok=True)

        verilator.run(
            self.model, "sim.accelerator_bench", folder=self.folder,
            seconds=60 + limit / SLOWEST,
            watch=lambda: progress(int(told.read_text())) if told.exists() else None,
            plusargs=[*(f"+{name}={self.folder / file}" for name, file in files.items()),
                      *(f"+{end}_stall={int(256 * stalls)}" for end in ("input", "output")),
                      f"+output_count={len(frames)}", f"+limit={int(limit)}",
                      f"+verilator+seed+{seed}"])
        counters = json.loads((self.folder / "counters.json").read_text())
        progress(counters["count"])
        taps = {tap.layer: tap for tap in self.accelerator.taps}
        return Run(tensors={layer: self._tensor(files[f"trace_{layer}"], taps[layer])
                            for layer in layers},
                   classes=self._tensor(files["output"], self.accelerator.taps[-1]), **counters)

    def _ample(self, frames):
        """More cycles than ``frames`` frames take: the plan's, and each layer's latency."""
        return 4 * self.accelerator.plan.cycles * (frames + len(self.accelerator.taps)) + 1000

    def _beats(self, frames):
        """The lines that the player reads: each frame padded with zeros to whole transfers."""
        tap = self.accelerator.input
        frames = frames.reshape(len(frames), -1)
        raw = (frames.astype(np.int64) - tap.offset) // tap.scale
        raw = np.pad(raw, ((0, 0), (0, -raw.shape[1] % tap.lanes)))
        return pack(raw.reshape(-1, tap.lanes), tap.bits)

    def _tensor(self, file, tap):
        """Recorded transfers as the golden model's integers, (whole frames, channels)."""
        raw = unpack((self.folder / file).read_text(), lanes=tap.lanes, bits=tap.bits,
                     signed=tap.signed)
        beats = transfers(tap.channels, tap.lanes)
        whole = len(raw) // beats
        frames = raw[:whole * beats].reshape(whole, beats * tap.lanes)
        return frames[:, :tap.channels] * tap.scale + tap.offset


def verify(network: Network, accelerator, verilog: Path | str, frames, folder: Path | str, *,
           stalls: float = 0, seed: int = 1, limit: int | None = None,
           progress: Callable[[int], None] = lambda frames: None) -> Verification:
    """Compare every logit and every decision of the hardware with the golden model's.

    ``verilog`` holds ``accelerator`` as module ``accelerator``; the other parameters are
    :class:`Bench`'s and :meth:`Bench.run`'s.

    Raises :exc:`Mismatch`, or :exc:`ToolFailed` when as many results do not leave as frames came.
    """
    frames = np.asarray(frames)
    golden = network.run(frames, trace=True)
    logits, decision = network.layers[-1].inputs[0], network.layers[-1].name
    bench = Bench(accelerator, verilog, folder)
    start = time.monotonic()
    run = bench.run(frames, [logits], stalls=stalls, seed=seed, limit=limit, progress=progress)
    seconds = time.monotonic() - start

    def again(count, limit=None):
        """The tensors of all layers for the first ``count`` frames."""
        layers = [layer.name for layer in network.layers]
        return bench.run(frames[:count], layers, stalls=stalls, seed=seed, limit=limit).tensors

    if not run.count == len(run.tensors[logits]) == len(frames):
        given = ", ".join(f"{layer} {len(tensor)}" for layer, tensor in
                          again(run.count + CONTEXT, run.cycles).items())
        raise ToolFailed(f"{run.count} results of {len(frames)} frames left the accelerator in "
                         f"{run.cycles} cycles; in a run of the first {run.count + CONTEXT}, the "
                         f"layers gave: {given}")
    seen = {logits: run.tensors[logits], decision: run.classes}
    differs = np.any([(seen[layer] != golden[layer]).any(axis=1) for layer in seen], axis=0)
    if differs.any():
        frame = int(np.argmax(differs))
        for layer, tensor in (again(frame + CONTEXT) | seen).items():
            wrong = np.flatnonzero(tensor[frame] != golden[layer][frame])
            if wrong.size:
                channel = int(wrong[0])
                raise Mismatch(frame, layer, channel, int(golden[layer][frame, channel]),
                               int(tensor[frame, channel]), frames=len(frames),
                               equal=len(frames) - int(differs.sum()))
    return Verification(network.digest, len(frames), golden[logits].size, run.first, run.last,
                        seconds)


def trace(accelerator, verilog: Path | str, frames, folder: Path | str) -> dict[str, np.ndarray]:
    """Every tensor of the hardware by layer, as ``Network.run(frames, trace=True)`` has them."""
    bench = Bench(accelerator, verilog, folder)
    return bench.run(frames, [tap.layer for tap in accelerator.taps]).tensors
