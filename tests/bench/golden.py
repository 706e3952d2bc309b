"""The golden model beside the executors of its file: ``python -m tests.bench.golden FILE``.

Runs packaged MNIST frames through the imported network, through qonnx's executor (frame by frame,
as a file with a fixed batch of one is run, and all at once), and through onnxruntime with the
network as float32: quantizers as comparisons, weights as constants, its optimizations on.
"""
import argparse
import copy
import time
import warnings
from pathlib import Path
from statistics import median

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from sw import data
from sw.importers import check
from sw.importers.onnx_file import CUSTOM
from sw.importers.operators import Operators
from sw.importers.qonnx import load
from tests.bench import record

FRAMES = 1000
SLOW = 200          # of these frames go through qonnx one by one


def seconds(function, runs):
    """Median seconds of several runs, after one that is not timed."""
    function()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return median(times)


def as_float(imported, frames):
    """The model with constants folded and binary quantizers as comparisons, float32."""
    graph, operators = imported.graph, Operators(imported.graph.opset)
    constants, nodes = dict(graph.constants), []
    for node in graph.nodes:
        if node.op == "Shape":
            shape = (frames, *graph.input.shape[1:])
            constants[node.outputs[0]] = np.array(shape, np.int64)
        elif all(name in constants for name in node.inputs if name):
            values = [constants[name] if name else None for name in node.inputs]
            constants.update(zip(node.outputs, operators.run(node, values), strict=True))
        elif node.domain in CUSTOM:
            if node.op != "BipolarQuant":
                raise SystemExit(f"{node}: only binary quantizers are known here")
            x, scale = node.inputs
            out, bit = node.outputs[0], f"{node.outputs[0]}_bit"
            constants |= {f"{out}_zero": np.float32(0), f"{out}_low": -constants[scale]}
            nodes += [helper.make_node("GreaterOrEqual", [x, f"{out}_zero"], [bit]),
                      helper.make_node("Where", [bit, scale, f"{out}_low"], [out])]
        else:
            nodes.append(copy.deepcopy(node.proto))
    used = {name for node in nodes for name in node.input}
    made = helper.make_graph(
        nodes, "float32",
        [helper.make_tensor_value_info(graph.input.name, onnx.TensorProto.FLOAT,
                                       [frames, *graph.input.shape[1:]])],
        [onnx.ValueInfoProto(name=graph.outputs[0])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()
         if name in used])
    model = helper.make_model(made, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
    converted = onnx.version_converter.convert_version(
        helper.make_model(made, ir_version=8,
                          opset_imports=[helper.make_opsetid("", max(graph.opset, 12))]), 13) \
        if graph.opset > 13 else model
    return converted.SerializeToString()


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.bench.golden")
    parser.add_argument("model", metavar="FILE", type=Path)
    path = parser.parse_args().model
    imported = load(path, dataset="mnist")
    network = imported.network
    images = data.load("mnist").images[:FRAMES].reshape(FRAMES, -1)
    real = check.real(imported, images)
    expected = network.run(images)[:, 0]

    floating = onnxruntime.InferenceSession(as_float(imported, FRAMES),
                                            providers=["CPUExecutionProvider"])
    name = imported.graph.input.name
    agree = int((np.argmax(floating.run(None, {name: real})[0].reshape(FRAMES, -1), axis=1)
                 == expected).sum())
    executor = check.Executor(imported)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        times = {
            "golden": seconds(lambda: network.run(images), 21),
            "onnxruntime float32": seconds(lambda: floating.run(None, {name: real}), 21),
            "qonnx, all at once": seconds(lambda: executor.run(real), 5),
            "qonnx, frame by frame": seconds(
                lambda: [executor.run(frame[None]) for frame in real[:SLOW]], 1) * FRAMES / SLOW,
        }
    result = {"model": path.name, "frames": FRAMES, "float32 decides alike": agree,
              "seconds": {what: round(value, 6) for what, value in times.items()},
              "times golden": {what: round(value / times["golden"], 2)
                               for what, value in times.items()}}
    for what, value in times.items():
        print(f"{what:24} {value * 1e3:10.3f} ms for {FRAMES} frames, "
              f"{value / times['golden']:8.1f} times the golden model")
    print(f"onnxruntime's float32 network decides {agree} of {FRAMES} frames alike")
    record.write("golden", result)


if __name__ == "__main__":
    main()
