"""Whole accelerators against the golden model: every logit of every frame.

The accelerator stands between a player, which reads the frames from a file, and recorders, which
write down what leaves it and what its monitor ports show. All of that is Verilog, so that it runs
at the simulator's own speed.
"""
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.accelerator import Accelerator
from hw.errors import ToolFailed
from hw.verilog import convert
from sim import verilator
from sim.payload import pack, unpack
from sw.network import Network

STATIC = [Path(__file__).with_name(name) for name in ("clock.v", "player.v", "recorder.v")]
MODULE = "accelerator"
COUNTERS = ("count", "first", "last")
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

    ``tensors`` are the golden model's integers by layer, (whole frames, channels), ``results``
    what left the accelerator. Of ``count`` results, the first transfer left in cycle ``first``
    after reset, the last one in ``last``; it ended in ``cycles``.
    """
    tensors: dict[str, np.ndarray]
    results: np.ndarray
    count: int
    cycles: int
    first: int
    last: int


class Group(wiring.Component):
    """Several accelerators side by side, to be simulated together: one model to compile.

    Parameters
    ----------
    accelerators : dict of str to Accelerator

    Members
    -------
    <name> : Out(accelerator.signature)
        The ports of each.
    """
    def __init__(self, accelerators: Mapping[str, Accelerator]):
        self.accelerators = dict(accelerators)
        super().__init__({name: Out(accelerator.signature)
                          for name, accelerator in self.accelerators.items()})

    def elaborate(self, platform):
        m = Module()

        for name, accelerator in self.accelerators.items():
            m.submodules[name] = accelerator
            ports = getattr(self, name)
            connect(m, flipped(ports.i), accelerator.i)
            connect(m, accelerator.o, flipped(ports.o))
            connect(m, accelerator.trace, flipped(ports.trace))

        return m


class Harness(wiring.Component):
    """The module ``accelerator``, each accelerator of which is between a player and recorders,
    with its clock.

    Parameters
    ----------
    design : Accelerator | Group
        What the ports of the module are; the module itself comes from a file.

    Members
    -------
    done : Out(1)
        High after as many results of each as the plusargs ``<name>_output_count`` say.
    cycles : Out(32)
        Cycles since reset.
    <name>_count, <name>_first, <name>_last : Out(32)
        Results, and the cycles of the first and of the latest one.
    """
    def __init__(self, design):
        self.design = design
        self.accelerators = _accelerators(design)
        super().__init__({"done": Out(1), "cycles": Out(32)} | {
            f"{name}_{counter}": Out(32) for name in self.accelerators for counter in COUNTERS})

    def elaborate(self, platform):
        m = Module()

        m.domains.sync = sync = ClockDomain()
        m.submodules.clock = Instance("clock", o_clk=sync.clk, o_rst=sync.rst)
        clocked = {"i_clk": sync.clk, "i_rst": sync.rst}
        signals, ports = {}, {}
        for path, member, value in self.design.signature.flatten(self.design):
            name = "__".join(map(str, path))
            signals[name] = Signal(len(Value.cast(value)), name=name)
            ports[f"{'i' if member.flow is In else 'o'}_{name}"] = signals[name]
        m.submodules.accelerator = Instance(MODULE, **clocked, **ports)

        done = Signal(len(self.accelerators))
        m.d.comb += self.done.eq(done.all())
        for k, (name, accelerator) in enumerate(self.accelerators.items()):
            prefix = f"{name}__" if isinstance(self.design, Group) else ""

            payload = signals[f"{prefix}i__payload"]
            m.submodules[f"{name}_player"] = Instance(
                "player", **clocked, p_NAME=f"{name}_input", p_WIDTH=len(payload),
                o_valid=signals[f"{prefix}i__valid"], i_ready=signals[f"{prefix}i__ready"],
                o_payload=payload)
            payload = signals[f"{prefix}o__payload"]
            counters = {f"o_{counter}": getattr(self, f"{name}_{counter}") for counter in COUNTERS}
            if not k:
                counters["o_cycles"] = self.cycles
            m.submodules[f"{name}_recorder"] = Instance(
                "recorder", **clocked, p_NAME=f"{name}_output", p_WIDTH=len(payload),
                i_valid=signals[f"{prefix}o__valid"], o_ready=signals[f"{prefix}o__ready"],
                i_payload=payload, o_done=done[k], **counters)
            for tap in accelerator.taps:
                trace = f"{prefix}trace__{tap.layer}"
                payload = signals[f"{trace}__payload"]
                m.submodules[f"{name}_trace_{tap.layer}"] = Instance(
                    "recorder", **clocked, p_NAME=f"{name}_trace_{tap.layer}",
                    p_WIDTH=len(payload), i_valid=signals[f"{trace}__valid"], i_payload=payload)

        return m


class Bench:
    """The compiled model of accelerators, module ``accelerator`` of the file ``verilog``.

    Files go to ``folder``; a model that was compiled there earlier is used again. ``optimize`` is
    that of :func:`sim.verilator.build`.
    """
    def __init__(self, design: Accelerator | Group, verilog: Path | str, folder: Path | str, *,
                 optimize: bool = True):
        self.accelerators = _accelerators(design)
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        harness = self.folder / "harness.v"
        harness.write_text(convert(Harness(design), "harness"))
        self.model = verilator.build([harness, *STATIC, verilog], "harness", self.folder,
                                     arguments=["--timing"], optimize=optimize)

    def run(self, frames: Mapping[str, np.ndarray], layers: Sequence[str] = (), *,
            stalls: float = 0, seed: int = 1, limit: int | None = None,
            progress: Callable[[int], None] = lambda frames: None) -> dict[str, Run]:
        """Simulate the ``frames`` of each accelerator by name and record the output of ``layers``.

        With ``stalls``, both ends make the accelerators wait with that probability in each cycle.
        After ``limit`` cycles it ends; the default is several times what the plans say.
        ``progress`` is told now and then how many frames are done.
        """
        if not all(map(len, frames.values())):
            raise ValueError("There are no frames to simulate")
        if not 0 <= stalls < 1:
            raise ValueError(f"Stalls must be a probability below 1, not {stalls!r}")
        if limit is None:
            limit = max(_ample(accelerator, len(frames[name]))
                        for name, accelerator in self.accelerators.items()) / (1 - stalls) ** 2
        plusargs = [f"+limit={int(limit)}", f"+verilator+seed+{seed}",
                    f"+names={','.join(self.accelerators)}"]
        files = ["input", "output", *(f"trace_{layer}" for layer in layers)]
        for name, accelerator in self.accelerators.items():
            (self.folder / f"{name}_input.hex").write_text(
                _beats(accelerator.input, np.asarray(frames[name])))
            plusargs += [f"+{name}_{file}={self.folder / f'{name}_{file}.hex'}" for file in files]
            plusargs += [f"+{name}_{end}_stall={int(256 * stalls)}" for end in ("input", "output")]
            count = len(frames[name]) * accelerator.taps[-1].transfers
            plusargs.append(f"+{name}_output_count={count}")
        told = self.folder / "progress"
        told.unlink(missing_ok=True)

        def watch():
            if told.exists():
                done = json.loads(told.read_text())
                progress(min(done[name] // accelerator.taps[-1].transfers
                             for name, accelerator in self.accelerators.items()))

        verilator.run(self.model, "sim.accelerator_bench", folder=self.folder,
                      seconds=60 + limit / SLOWEST, watch=watch, plusargs=plusargs)
        counters = json.loads((self.folder / "counters.json").read_text())
        runs = {}
        for name, accelerator in self.accelerators.items():
            counts = counters["accelerators"][name]
            counts["count"] //= accelerator.taps[-1].transfers
            progress(counts["count"])
            runs[name] = Run(
                tensors={tap.layer: self._tensor(f"{name}_trace_{tap.layer}.hex", tap)
                         for tap in accelerator.taps if tap.layer in layers},
                results=self._tensor(f"{name}_output.hex", accelerator.taps[-1]),
                cycles=counters["cycles"], **counts)
        return runs

    def _tensor(self, file, tap):
        """Recorded transfers as the golden model's integers, (whole frames, channels)."""
        raw = unpack((self.folder / file).read_text(), lanes=tap.lanes, bits=tap.shape.width,
                     signed=False)
        whole = len(raw) // tap.transfers
        frames = raw[:whole * tap.transfers].reshape(whole, tap.transfers * tap.lanes)
        return tap.values(frames[:, :tap.channels])


def _accelerators(design):
    return design.accelerators if isinstance(design, Group) else {MODULE: design}


def _ample(accelerator, frames):
    """More cycles than ``frames`` frames take: the plan's, and each layer's latency."""
    return 4 * accelerator.plan.cycles * (frames + len(accelerator.taps)) + 1000


def _beats(tap, frames):
    """The lines that the player reads: each frame padded with zeros to whole transfers."""
    raw = tap.element.encode(frames.reshape(len(frames), -1))
    raw = np.pad(raw, ((0, 0), (0, -raw.shape[1] % tap.lanes)))
    return pack(raw.reshape(-1, tap.lanes), tap.shape.width)


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
    decision = network.layers[-1].name
    # A decision alone would show too little.
    logits = network.layers[-1].inputs[0] if len(network.layers) > 1 else decision
    bench = Bench(accelerator, verilog, folder)
    start = time.monotonic()
    run = bench.run({MODULE: frames}, [logits], stalls=stalls, seed=seed, limit=limit,
                    progress=progress)[MODULE]
    seconds = time.monotonic() - start

    def again(count, limit=None):
        """The tensors of all layers for the first ``count`` frames."""
        layers = [layer.name for layer in network.layers]
        return bench.run({MODULE: frames[:count]}, layers, stalls=stalls, seed=seed,
                         limit=limit)[MODULE].tensors

    if not run.count == len(run.tensors[logits]) == len(frames):
        given = ", ".join(f"{layer} {len(tensor)}" for layer, tensor in
                          again(run.count + CONTEXT, run.cycles).items())
        raise ToolFailed(f"{run.count} results of {len(frames)} frames left the accelerator in "
                         f"{run.cycles} cycles; in a run of the first {run.count + CONTEXT}, the "
                         f"layers gave: {given}")
    seen = {logits: run.tensors[logits], decision: run.results}
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
    return bench.run({MODULE: frames},
                     [tap.layer for tap in accelerator.taps])[MODULE].tensors
