"""The operators of a model file on arrays: those of ONNX by onnxruntime, those of QONNX by NumPy.

One node is run at a time, as qonnx's executor does, so that no optimization changes a rounding.
The formulas of QONNX are those of its executor, version 1.0.0, in the type of the operands; two
rounding modes that Brevitas writes and that executor refuses are added.
"""
import numpy as np
import onnx
import onnxruntime
from onnx import helper

from sw.importers.onnx_file import CUSTOM, ModelError, Node

MOST = 2 ** 27              # elements that a constant may have

onnxruntime.set_default_logger_severity(4)      # what it refuses is told by the error it raises


class Operators:
    """Runs nodes of ``opset``; what it has prepared for a node it keeps."""
    def __init__(self, opset: int):
        self.opset = opset
        self._sessions = {}

    def run(self, node: Node, inputs: list[np.ndarray | None], *, attributes: dict | None = None
            ) -> list[np.ndarray]:
        """The outputs of ``node`` for ``inputs`` (None where one is left out).

        ``attributes`` replace those of the node. Raises ModelError when it cannot be run.
        """
        attributes = node.attributes | (attributes or {})
        if node.domain in CUSTOM:
            if node.op not in QONNX:
                raise ModelError(f"{node}: there is no such operator of {node.domain} here")
            if any(x is not None and x.dtype.kind != "f" for x in inputs):
                raise ModelError(f"{node} reads numbers that are no floats; put a Cast before it")
            with np.errstate(all="ignore"):     # what becomes infinite is noticed by its user
                return [QONNX[node.op](attributes, *inputs)]
        key = (node.proto.SerializeToString(), repr(attributes),
               tuple(x is not None and (x.dtype.str, x.ndim) for x in inputs))
        if key not in self._sessions:
            self._sessions[key] = self._session(node, inputs, attributes)
        try:
            outputs = self._sessions[key].run(
                None, {f"x{k}": x for k, x in enumerate(inputs) if x is not None})
        except Exception as error:      # onnxruntime's errors have no type of their own
            raise ModelError(f"{node}: onnxruntime cannot run it: {_first_line(error)}") from None
        return outputs

    def _session(self, node, inputs, attributes):
        names = [f"x{k}" if x is not None else "" for k, x in enumerate(inputs)]
        outputs = [f"y{k}" if name else "" for k, name in enumerate(node.outputs)]
        proto = helper.make_node(node.op, names, outputs, domain=node.domain)
        for attribute in node.proto.attribute:
            if attribute.name not in attributes or (
                    attributes[attribute.name] is node.attributes[attribute.name]):
                proto.attribute.append(attribute)
        for name, value in attributes.items():
            if value is not node.attributes.get(name):
                proto.attribute.append(helper.make_attribute(name, value))
        graph = helper.make_graph(
            [proto], "node",
            [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype),
                                           [None] * x.ndim)
             for name, x in zip(names, inputs, strict=True) if x is not None],
            [onnx.ValueInfoProto(name=name) for name in outputs if name])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)],
                                  ir_version=8 if self.opset < 19 else 10)
        try:
            return session(model)
        except Exception as error:
            raise ModelError(f"{node}: onnxruntime cannot run it: {_first_line(error)}") from None


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """An onnxruntime session that computes what the nodes say, without optimizations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options,
                                        providers=["CPUExecutionProvider"])


def _first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def rounding(mode: str):
    """The function of a rounding mode of QONNX; capitals do not matter. Raises ModelError."""
    try:
        return ROUNDING[mode.upper()]
    except KeyError:
        raise ModelError(f"rounding mode {mode!r} is none of {', '.join(ROUNDING)}") from None


ROUNDING = {
    "ROUND": np.round,
    "HALF_EVEN": np.round,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "DOWN": np.fix,
    "ROUND_TO_ZERO": np.fix,
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - 0.5),
    # Brevitas' rounding of the Xilinx DPU: to even, but negative halves up.
    "DPU": lambda x: np.where((x < 0) & (x - np.floor(x) == 0.5), np.ceil(x), np.round(x)),
}


def limits(bits: np.ndarray, *, signed: bool, narrow: bool) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and the largest integer of a quantizer (QONNX: unsigned narrow loses the top).
    """
    if signed:
        return -2 ** (bits - 1) + narrow, 2 ** (bits - 1) - 1
    return 0 * bits, 2 ** bits - 1 - narrow


def quant(attributes, x, scale, zero, bits):
    """QONNX ``Quant`` (``IntQuant``): a uniform quantizer; 1 bit, signed, gives the sign."""
    for name in ("signed", "narrow"):
        if name not in attributes:
            raise ModelError(f"its attribute {name!r} is missing")
    _check_bits(bits)
    _check_zero(zero)
    signed, narrow = bool(attributes["signed"]), bool(attributes["narrow"])
    y = x / scale + zero
    if signed and np.all(bits == 1):
        y = np.where(y >= 0, y.dtype.type(1), y.dtype.type(-1))
    else:
        lo, hi = limits(bits, signed=signed, narrow=narrow)
        y = np.where(y > hi, np.asarray(hi, y.dtype), y)
        y = np.where(y < lo, np.asarray(lo, y.dtype), y)
        y = rounding(attributes.get("rounding_mode", "ROUND"))(y)
    return ((y - zero) * scale).astype(x.dtype)


def bipolar_quant(attributes, x, scale):
    """QONNX ``BipolarQuant``: the sign, that of 0 being +, times the scale."""
    return np.where(x >= 0, x.dtype.type(1), x.dtype.type(-1)) * scale


def trunc(attributes, x, scale, zero, bits, *rest):
    """QONNX ``Trunc``: of 5 inputs version 1, which keeps the scale; of 6 version 2."""
    _check_zero(zero)
    step = rounding(attributes.get("rounding_mode", "FLOOR"))
    y = np.round(x / scale + zero)
    if len(rest) == 1:
        _check_bits(bits, rest[0])
        y = step(y / 2.0 ** (bits - rest[0]))
        return ((y - zero) * scale).astype(x.dtype)
    if len(rest) != 2:
        raise ModelError(f"a Trunc has 5 or 6 inputs, not {3 + len(rest)}")
    out_scale, out_bits = rest
    _check_bits(bits, out_bits)
    power = 2 ** np.round(np.log2(out_scale / scale))
    lo, hi = limits(out_bits, signed=bool(attributes.get("signed", 1)),
                    narrow=bool(attributes.get("narrow", 0)))
    y = y / power
    y = np.where(y > hi, np.asarray(hi, y.dtype), y)
    y = np.where(y < lo, np.asarray(lo, y.dtype), y)
    return ((step(y) - zero / power) * out_scale).astype(x.dtype)


def multi_threshold(attributes, x, thresholds):
    """FINN ``MultiThreshold`` on (values, channels): how many thresholds each value reaches.

    ``thresholds`` is (channels, steps) or (1, steps).
    """
    count = np.zeros(x.shape, x.dtype)
    for step in thresholds.T:
        count += x >= step
    scale, bias = attributes.get("out_scale", 1.0), attributes.get("out_bias", 0.0)
    return (x.dtype.type(scale) * count + x.dtype.type(bias)).astype(x.dtype)


def _check_bits(*bits):
    for each in bits:
        if not (np.all(np.isfinite(each)) and np.all(each >= 1) and np.all(each <= 32)):
            raise ModelError(f"it quantizes to {np.asarray(each).ravel()[:4]} bits, "
                             f"not 1 to 32")


def _check_zero(zero):
    if not np.all(np.abs(zero) <= 2 ** 24):
        raise ModelError(f"its zero point is {np.max(np.abs(zero)):.3g}, more than 2^24")


QONNX = {"Quant": quant, "IntQuant": quant, "BipolarQuant": bipolar_quant, "Trunc": trunc,
         "MultiThreshold": multi_threshold}
