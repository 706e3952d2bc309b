"""What cannot be read is refused in one sentence: the node, its operator, and what would do."""
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sw.importers import check
from sw.importers.onnx_file import ModelError
from sw.importers.qonnx import load
from tests.sw.importers.models import GENERAL, Model, weights

SIZE = 8


def refused(path, message, **options):
    """Assert that a file is refused with its name and the message."""
    with pytest.raises(ModelError) as error:
        load(path, **options)
    assert str(error.value) == f"{path}: {message}"


def start(**options):
    """A model and its quantized input."""
    model = Model(1, SIZE, **options)
    return model, model.quant(model.input, 0.25, 4)


def test_a_file_that_is_not_there(tmp_path):
    refused(tmp_path / "no.onnx", "there is no such file")


def test_a_folder(tmp_path):
    refused(tmp_path, "it is no file")


def test_an_empty_file(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"")
    refused(path, "it is no ONNX model, or an empty one")


@pytest.mark.parametrize("content", [b"a text", b"\x89PNG\r\n\x1a\n" + bytes(99), bytes(99)])
def test_a_file_of_something_else(content, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    refused(path, "it is no ONNX file, or damaged")


def test_a_file_cut_short_anywhere_is_refused_or_read(tmp_path):
    model, x = start()
    path = model.save(tmp_path, model.dense(x, SIZE, 3))
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(ModelError):
            load(path)


def test_a_file_with_a_wrong_byte_anywhere_is_refused_or_read(tmp_path):
    model, x = start()
    x = model.quant(model.dense(x, SIZE, 3), 0.5, 2)
    path = model.save(tmp_path, model("Flatten", model.dense(x, 3, 3)))
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 60):
        damaged = bytearray(whole)
        damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            load(path)
        except ModelError as error:
            assert str(error).startswith(f"{path}: ")


def changed(folder, change):
    """A model of one product, changed by a function of its ModelProto, saved."""
    model, x = start()
    proto = model.proto(model.dense(x, SIZE, 3))
    change(proto)
    path = folder / "net.onnx"
    onnx.save(proto, path)
    return path


@pytest.mark.parametrize("what, change, message", [
    ("no opset", lambda m: m.opset_import.pop(0),
     "it does not say which opset its operators are of"),
    ("an old opset", lambda m: setattr(m.opset_import[0], "version", 8),
     "its operators are of opset 8, before 9; convert it with onnx.version_converter"),
    ("a tensor twice", lambda m: m.graph.initializer.append(m.graph.initializer[0]),
     "tensor 'constant_0' is there twice"),
    ("two inputs", lambda m: m.graph.input.append(
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])),
     "it has 2 inputs (x, y), but hardware reads one"),
    ("no input", lambda m: m.graph.ClearField("input"),
     "it has 0 inputs (none), but hardware reads one"),
    ("no output", lambda m: m.graph.ClearField("output"), "it has no output"),
    ("an output of no node", lambda m: setattr(m.graph.output[0], "name", "z"),
     "its output 'z' is made by no node"),
    ("an output that is constant", lambda m: setattr(m.graph.output[0], "name", "constant_0"),
     "output 'constant_0' does not depend on the input"),
    ("its input as output", lambda m: setattr(m.graph.output[0], "name", "x"),
     "its output is its input: it computes nothing"),
    ("a name that nothing makes", lambda m: m.graph.node[1].input.__setitem__(0, "z"),
     "node matmul1 (MatMul) reads 'z', which nothing makes"),
    ("a tensor made twice", lambda m: m.graph.node[1].output.__setitem__(0, "quant0_out"),
     "tensor 'quant0_out' is made twice, the second time by node matmul1 (MatMul)"),
    ("a cycle", lambda m: m.graph.node[0].input.__setitem__(0, "matmul1_out"),
     "node quant0 (Quant) waits for its own result: the graph has a cycle"),
    ("a node without outputs", lambda m: m.graph.node[1].ClearField("output"),
     "node matmul1 (MatMul) has no output"),
    ("sparse tensors", lambda m: m.graph.sparse_initializer.add(),
     "it holds sparse tensors; store them dense"),
    ("strings", lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type",
                                  TensorProto.STRING), "its input 'x' is no tensor of numbers"),
    ("a dynamic shape", lambda m: m.graph.input[0].type.tensor_type.shape.dim[1].__setattr__(
        "dim_param", "features"),
     ("axis 1 of its input 'x' has no fixed size (features); export it with fixed shapes, the "
      "batch apart")),
    ("no shape", lambda m: m.graph.input[0].type.tensor_type.shape.ClearField("dim"),
     "its input 'x' has 0 axes; a batch of vectors, signals or images has 2 to 4"),
    ("a huge input", lambda m: setattr(
        m.graph.input[0].type.tensor_type.shape.dim[1], "dim_value", 2 ** 40),
     "its input 'x' has 1,099,511,627,776 elements, more than 4,194,304"),
    ("too few values", lambda m: m.graph.initializer[3].dims.__setitem__(0, 9),
     ("tensor 'constant_3': its values do not have the shape [9, 3] of float32: cannot reshape "
      "array of size 24 into shape (9,3)")),
    ("a negative size", lambda m: m.graph.initializer[3].dims.__setitem__(0, -8),
     "tensor 'constant_3' has the impossible shape [-8, 3]"),
    ("a huge tensor", lambda m: m.graph.initializer[3].dims.__setitem__(0, 2 ** 40),
     "tensor 'constant_3' has the shape [1099511627776, 3], too large to be read"),
    ("a tensor of an unknown type", lambda m: setattr(m.graph.initializer[3], "data_type", 99),
     "tensor 'constant_3' is of an unknown type, 99"),
    ("a tensor of strings", lambda m: setattr(m.graph.initializer[3], "data_type", 8),
     "tensor 'constant_3' holds no real numbers"),
], ids=lambda x: x if isinstance(x, str) and " " in x and len(x) < 30 else "")
def test_a_graph_with(what, change, message, tmp_path):
    refused(changed(tmp_path, change), message)


def outside(location, **entries):
    """A change of a model that puts its weights into another file."""
    def change(model):
        tensor = model.graph.initializer[3]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, **entries}.items():
            tensor.external_data.add(key=key, value=str(value))
    return change


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "none.bin", ""])
def test_weights_outside_the_folder_of_the_model(location, tmp_path):
    (tmp_path / "weights.bin").write_bytes(bytes(96))
    (tmp_path / "model").mkdir()
    refused(changed(tmp_path / "model", outside(location)),
            f"tensor 'constant_3' is in the file {location!r}, which is not in the folder of the "
            f"model; put it there, or store the weights inside")


def test_a_link_out_of_the_folder_of_the_model(tmp_path):
    (tmp_path / "weights.bin").write_bytes(bytes(96))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.bin").symlink_to(tmp_path / "weights.bin")
    with pytest.raises(ModelError, match="which is not in the folder of the model"):
        load(changed(tmp_path / "model", outside("weights.bin")))


def test_a_name_of_a_file_with_a_nul(tmp_path):
    refused(changed(tmp_path, outside("a\0b")),
            "tensor 'constant_3' is in a file whose name holds a NUL")


@pytest.mark.parametrize("entries, message", [
    ({"offset": 90}, " reaches beyond the end of weights.bin"),
    ({"offset": -1}, " reaches beyond the end of weights.bin"),
    ({"length": 999}, " reaches beyond the end of weights.bin"),
    ({"length": "many"}, ": its place in weights.bin is no number")])
def test_weights_beyond_their_file(entries, message, tmp_path):
    (tmp_path / "weights.bin").write_bytes(bytes(80))
    path = changed(tmp_path, outside("weights.bin", **({"length": 96} | entries)))
    refused(path, f"tensor 'constant_3'{message}")


def test_weights_in_a_file_beside_the_model_are_read(tmp_path):
    w = weights(SIZE, 3) / 8
    (tmp_path / "weights.bin").write_bytes(b"head" + w.tobytes())
    found = load(changed(tmp_path, outside("weights.bin", offset=4)))
    np.testing.assert_array_equal(found.network.layers[0].weights, (8 * w).T)


def test_nodes_in_the_wrong_order_are_put_in_order(tmp_path):
    def reverse(model):
        nodes = list(model.graph.node)[::-1]
        del model.graph.node[:]
        model.graph.node.extend(nodes)

    assert [node.op for node, _ in load(changed(tmp_path, reverse)).nodes] == ["Quant", "MatMul"]


def test_many_nodes_in_the_wrong_order_are_put_in_order_soon(tmp_path):
    model, x = start()
    x = model.dense(x, SIZE, 3)
    for _ in range(5_000):
        x = model("Identity", x)
    model.nodes.reverse()
    assert len(load(model.save(tmp_path, x)).nodes) == 5_002


def test_too_many_operators_in_a_row(tmp_path):
    model, x = start()
    x = model.dense(x, SIZE, 3)
    for _ in range(2000):
        x = model("Tanh", x)
    path = model.save(tmp_path, model.dense(model.quant(x), 3, 3))
    with pytest.raises(ModelError, match="too many operators in a row"):
        load(path)


def test_weights_in_floating_point(tmp_path):
    model, x = start()
    w = np.random.default_rng(0).normal(size=(SIZE, 300)).astype(np.float32)
    refused(model.save(tmp_path, model("MatMul", x, w)),
            "node matmul1 (MatMul): its weights: 2,400 distinct values, that is, not quantized; "
            "train it quantized (for example with Brevitas), or quantize the tensor with python -m "
            "sw.quantize --scheme linear")


def test_a_few_weights_on_no_grid(tmp_path):
    model, x = start()
    w = np.random.default_rng(0).normal(size=(SIZE, 4)).astype(np.float32)
    path = model.save(tmp_path, model("MatMul", x, w))
    with pytest.raises(ModelError, match=(
            r"node matmul1 \(MatMul\): its weights: .*; quantize them uniformly "
            r"\(python -m sw.quantize --list names the schemes\)$")):
        load(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(value, tmp_path):
    model, x = start()
    w = weights(SIZE, 3)
    w[0, 0] = value
    refused(model.save(tmp_path, model("MatMul", x, w)),
            "node matmul1 (MatMul): its weights hold NaN or infinity")


@pytest.mark.parametrize("option", [{}, {"input": "codes"}])
def test_an_input_that_is_not_quantized(option, tmp_path):
    model = Model(1, SIZE)
    x = model.quant(model.dense(model.input, SIZE, 3))
    refused(model.save(tmp_path, model.dense(x, 3, 3)),
            "input 'x' goes into node matmul0 (MatMul) without a quantizer; quantize it (in "
            "Brevitas with a QuantIdentity), or say that it takes 8-bit pixels (--input raw)",
            **option)


def test_a_model_that_is_not_quantized(tmp_path):
    model = Model(1, SIZE)
    refused(model.save(tmp_path, model.dense(model.input, SIZE, 3)),
            "input 'x' goes into node matmul0 (MatMul), and nothing in the model is quantized; "
            "train it quantized (for example with Brevitas)")


def test_activations_that_are_not_quantized(tmp_path):
    model, x = start()
    x = model("Mul", model.dense(x, SIZE, 300), np.linspace(0.5, 1, 300, dtype=np.float32))
    x = model("Tanh", x)
    path = model.save(tmp_path, model.dense(x, 300, 3))
    with pytest.raises(ModelError, match=(
            r"net.onnx: node matmul4 \(MatMul\) reads 'tanh3_out', which takes [\d,]+ values or "
            r"more, more than 1,024: quantize it \(in Brevitas with a QuantIdentity or QuantReLU "
            r"before this node\)$")):
        load(path)


def test_activations_on_no_grid(tmp_path):
    model, x = start()
    x = model("Exp", model.quant(model.dense(x, SIZE, 4), 0.25, 4))
    refused(model.save(tmp_path, model.dense(x, 4, 3)),
            "node matmul4 (MatMul) reads 'exp3_out', whose 16 levels are no multiples of one "
            "number; quantize it uniformly")


def test_activations_that_may_be_infinite(tmp_path):
    model, x = start()
    x = model.quant(model("Log", model.dense(x, SIZE, 4)), 0.25, 4)
    refused(model.save(tmp_path, model.dense(x, 4, 3)),
            "node matmul4 (MatMul): tensor 'quant3_out' may be NaN or infinite")


@pytest.mark.parametrize("op, advice", [
    ("FancyOp", "replace it, or remove it before the export"),
    ("NonZero", "replace it, or remove it before the export")])
def test_an_operator_without_hardware(op, advice, tmp_path):
    model, x = start()
    refused(model.save(tmp_path, model(op, x)),
            f"node {op.lower()}1 ({op}): this operator has no hardware; {advice}")


@pytest.mark.parametrize("domain, op, advice", [
    ("com.microsoft", "Gelu", "replace it, or remove it before the export"),
    (GENERAL, "FloatQuant", "quantize to integers instead"),
    (GENERAL, "Add", "replace it, or remove it before the export")])
def test_an_operator_of_another_domain(domain, op, advice, tmp_path):
    model, x = start()
    refused(model.save(tmp_path, model(op, x, domain=domain)),
            f"node {op.lower()}1 ({op}): this operator of {domain} has no hardware; {advice}")


def test_an_operator_of_another_domain_on_constants(tmp_path):
    model, x = start()
    w = model("QGemm", weights(SIZE, 3), domain="com.microsoft")
    refused(model.save(tmp_path, model("MatMul", x, w)),
            "node qgemm1 (QGemm): this operator of com.microsoft cannot be folded into constants; "
            "simplify the model, for example with onnxsim")


@pytest.mark.parametrize("op", ["Loop", "If"])
def test_control_flow(op, tmp_path):
    model, x = start()
    body = helper.make_graph([], "body", [], [])
    refused(model.save(tmp_path, model(op, x, body=body)),
            f"node {op.lower()}1 ({op}) holds a graph of its own: loops and branches have no "
            f"hardware; export the model without control flow")


def test_two_outputs(tmp_path):
    model, x = start()
    outputs = model.dense(x, SIZE, 3), model.dense(x, SIZE, 2)
    refused(model.save(tmp_path, *outputs),
            "it has 2 outputs (matmul1_out, matmul2_out); hardware gives one: remove the others")


def test_a_product_of_two_signals(tmp_path):
    model, x = start()
    refused(model.save(tmp_path, model("MatMul", x, model("Transpose", x))),
            "node matmul2 (MatMul): its second factor 'transpose1_out' is computed from the input; "
            "hardware needs it constant")


def test_weights_on_the_left(tmp_path):
    model, x = start()
    x = model("MatMul", weights(3, SIZE), model("Transpose", x))
    refused(model.save(tmp_path, x),
            "node matmul2 (MatMul): its second factor 'transpose1_out' is computed from the input; "
            "hardware needs it constant")


def test_weights_that_do_not_fit(tmp_path):
    model, x = start()
    refused(model.save(tmp_path, model.dense(x, SIZE + 1, 3)),
            "node matmul1 (MatMul): weights (9, 3) do not fit an input of shape (1, 8)")


def test_weights_of_three_axes(tmp_path):
    model, x = start()
    refused(model.save(tmp_path, model("MatMul", x, weights(SIZE, 3)[None])),
            "node matmul1 (MatMul): its weights 'constant_3' have 3 axes, not 2")


@pytest.mark.parametrize("attributes, message", [
    ({"transA": 1}, "its input is transposed (transA); transpose the weights"),
    ({"alpha": 0.0}, "its alpha is 0, which leaves nothing of the input")])
def test_a_gemm(attributes, message, tmp_path):
    model, x = start()
    refused(model.save(tmp_path, model("Gemm", x, weights(SIZE, 3), **attributes)),
            f"node gemm1 (Gemm): {message}")


def test_biases_of_another_number(tmp_path):
    model, x = start()
    refused(model.save(tmp_path, model("Gemm", x, weights(SIZE, 3), np.ones(2, np.float32))),
            "node gemm1 (Gemm): 2 biases for 3 outputs")


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
def test_a_softmax_within(op, tmp_path):
    model, x = start()
    x = model.quant(model(op, model.dense(x, SIZE, 4), axis=1))
    refused(model.save(tmp_path, model.dense(x, 4, 3)),
            f"node quant3 (Quant) uses the result of node {op.lower()}2 ({op}), of which only the "
            f"order is kept; end the model there")


def test_a_softmax_of_something_else(tmp_path):
    model, x = start()
    x = model("Reshape", model.dense(x, SIZE, 4), np.int64([2, 2]))
    refused(model.save(tmp_path, model("Softmax", x, axis=1)),
            "node softmax3 (Softmax): a Softmax within the network has no hardware")


def test_a_decision_within(tmp_path):
    model, x = start()
    x = model("ArgMax", model.dense(x, SIZE, 4), axis=1)
    refused(model.save(tmp_path, model("Cast", x, to=1)),
            "node cast3 (Cast) uses the decision; hardware ends with it")


def test_the_last_of_equal_values(tmp_path):
    model, x = start()
    x = model("ArgMax", model.dense(x, SIZE, 4), axis=1, select_last_index=1)
    refused(model.save(tmp_path, x),
            "node argmax2 (ArgMax) takes the last of equal values; hardware takes the first")


@pytest.mark.parametrize("k, attributes", [(2, {}), (1, {"largest": 0})])
def test_a_top_k_of_others(k, attributes, tmp_path):
    model, x = start()
    x = model("TopK", model.dense(x, SIZE, 4), np.int64([k]), outputs=2, **attributes)
    refused(model.save(tmp_path, x),
            "node topk2 (TopK): of a TopK hardware has the index of the largest (k = 1)")


def test_a_product_of_branches(tmp_path):
    model, x = start()
    x = model("Mul", model.dense(x, SIZE, 4), model.dense(x, SIZE, 4, seed=1))
    path = model.save(tmp_path, x)
    with pytest.raises(ModelError, match=r"node mul3 \(Mul\) joins two branches of the network"):
        load(path)


def test_a_scale_that_is_computed(tmp_path):
    model, x = start()
    x = model("Quant", x, model("Abs", x), 0.0, 4.0, domain=GENERAL, signed=1, narrow=0)
    refused(model.save(tmp_path, model.dense(x, SIZE, 3)),
            "node quant2 (Quant): 'abs1_out' is computed from the input; hardware needs it "
            "constant")


@pytest.mark.parametrize("scale, message", [
    (0.0, "its scale is 0"), (np.nan, "its constants hold NaN or infinity")])
def test_a_scale_that_is_none(scale, message, tmp_path):
    model, x = start()
    x = model.quant(x, scale)
    refused(model.save(tmp_path, model.dense(x, SIZE, 3)), f"node quant1 (Quant): {message}")


def test_a_rounding_mode_that_nobody_knows(tmp_path):
    model, x = start()
    x = model.quant(model.dense(x, SIZE, 4), mode="STOCHASTIC")
    path = model.save(tmp_path, model.dense(x, 4, 3))
    with pytest.raises(ModelError, match="rounding mode 'STOCHASTIC' is none of ROUND, "):
        load(path)


def test_constants_that_differ_from_place_to_place_do_not_fit_the_tensor(tmp_path):
    model, x = start()
    x = model("Add", model.dense(x, SIZE, 4), np.ones((3, 4), np.float32))
    refused(model.save(tmp_path, x),
            "node add2 (Add): constants of shape (3, 4) do not belong to a tensor of shape (1, 4)")


def test_batch_norm_in_training(tmp_path):
    model, x = start()
    ones = np.ones(4, np.float32)
    x = model("BatchNormalization", model.dense(x, SIZE, 4), ones, ones, ones, ones,
              training_mode=1)
    refused(model.save(tmp_path, x), "node batchnormalization2 (BatchNormalization) is in training "
                                     "mode; export the model in evaluation mode")


def test_dropout_in_training(tmp_path):
    model, x = start()
    x = model("Dropout", model.dense(x, SIZE, 4), np.float32(0.5), np.bool_(True))
    refused(model.save(tmp_path, x),
            "node dropout2 (Dropout) is in training mode; export the model in evaluation mode")


def test_a_table_that_the_input_looks_up(tmp_path):
    model = Model(1, SIZE, dtype=np.uint8)
    x = model("Gather", weights(256, 3), model.input)
    refused(model.save(tmp_path, x),
            "node gather0 (Gather) looks up a table by the input; export it as a layer")


def test_an_opset_that_is_not_yet_known(tmp_path):
    model, x = start(opset=99)
    path = model.save(tmp_path, model.dense(x, SIZE, 4))
    with pytest.raises(ModelError, match=(
            r"its operators are of opset 99, after \d+; export it with that or an older one$")):
        load(path)


def test_constants_beyond_all_bounds(tmp_path):
    model, x = start()
    w = model("Expand", np.ones((1, 1), np.float32), np.int64([2 ** 30, 2 ** 30]))
    refused(model.save(tmp_path, model("MatMul", x, w)),
            "node expand1 (Expand) makes 1,152,921,504,606,846,976 constants; all nodes "
            "together may make 134,217,728")


def test_a_file_that_its_executor_cannot_run(tmp_path):
    model = Model(1, SIZE)
    x = model.quant(model.input, 0.25, 4, mode="DPU")
    found = load(model.save(tmp_path, model.dense(x, SIZE, 3)))
    with pytest.raises(ModelError, match=(
            r"^qonnx [\d.]+ cannot run the file: Could not resolve rounding mode called: DPU$")):
        check.check(found, *check.frames(found, 9), "random frames")


def test_constants_may_be_nodes(tmp_path):
    model, x = start()
    w = weights(SIZE, 3)
    model.nodes.append(helper.make_node("Constant", [], ["w"], name="w",
                                        value=numpy_helper.from_array(w)))
    found = load(model.save(tmp_path, model("MatMul", x, "w")))
    np.testing.assert_array_equal(found.network.layers[0].weights, w.T)
