"""What operators take: how many inputs and outputs, and which attributes of which types."""
from onnx import AttributeProto, defs

from sw.importers.onnx_file import CUSTOM, ModelError, Node

# Of QONNX: the least and the most inputs. What it has of attributes is checked where it is used.
INPUTS = {"Quant": (4, 4), "IntQuant": (4, 4), "BipolarQuant": (2, 2), "Trunc": (5, 6),
          "MultiThreshold": (2, 2)}
INT, FLOAT, STRING = AttributeProto.INT, AttributeProto.FLOAT, AttributeProto.STRING
TYPES = {"signed": (INT,), "narrow": (INT,), "out_scale": (FLOAT, INT), "out_bias": (FLOAT, INT),
         "rounding_mode": (STRING,), "data_layout": (STRING,)}
NAMES = {number: name for name, number in AttributeProto.AttributeType.items()}


def check(node: Node, opset: int) -> None:
    """Raises ModelError for a node that is not as its operator says; unknown ones are let by."""
    if node.domain in CUSTOM:
        if node.op in INPUTS:
            _check_count(node, "inputs", len(node.inputs), *INPUTS[node.op])
            _check_count(node, "outputs", len(node.outputs), 1, 1)
            _check_given(node, range(INPUTS[node.op][0]))
            _check_types(node, TYPES)
        return
    if node.domain or not defs.has(node.op):
        return
    try:
        schema = defs.get_schema(node.op, opset)
    except defs.SchemaError:
        raise ModelError(f"{node}: there is no such operator in opset {opset}") from None
    _check_count(node, "inputs", len(node.inputs), schema.min_input, schema.max_input)
    _check_count(node, "outputs", len(node.outputs), schema.min_output, schema.max_output)
    optional = defs.OpSchema.FormalParameterOption.Optional
    formal = schema.inputs      # the last may stand for any number
    _check_given(node, [k for k in range(len(node.inputs))
                        if formal[min(k, len(formal) - 1)].option != optional])
    _check_types(node, {name: (each.type.value,) for name, each in schema.attributes.items()})
    for name, each in schema.attributes.items():
        if each.required and name not in node.attributes:
            raise ModelError(f"{node}: its attribute {name!r} is missing")


def _check_count(node, what, count, least, most):
    if not least <= count <= most:
        allowed = f"{least}" if least == most else f"{least} to {most}"
        raise ModelError(f"{node} has {count} {what}, but a {node.op} has {allowed}")


def _check_given(node, places):
    for k in places:
        if not node.inputs[k]:
            raise ModelError(f"{node}: its input {k} is left out, which a {node.op} needs")


def _check_types(node, types):
    for attribute in node.proto.attribute:
        allowed = types.get(attribute.name)
        if allowed and attribute.type not in allowed:
            raise ModelError(f"{node}: its attribute {attribute.name!r} is of the type "
                             f"{NAMES.get(attribute.type, attribute.type)}, not "
                             f"{' or '.join(NAMES[each] for each in allowed)}")
