"""What a file reads, and what the network reads in its place."""
import numpy as np
import pytest

from sw.importers import check
from sw.importers.onnx_file import ModelError
from sw.importers.qonnx import load
from tests.sw.importers.models import GENERAL, Model, compared, same

FOLDED = "Dense Threshold Dense ArgMax"


def finished(model, x, folder, columns=8):
    """A model of two layers on ``x``, saved."""
    x = model.quant(model.dense(x, columns, 5), 0.5, 3)
    return model.save(folder, model.dense(x, 5, 3))


@pytest.mark.parametrize("signed, bits, scale, kind", [
    (1, 8, 0.25, "int8"), (0, 8, 2.0 ** -8, "uint8"), (1, 1, 0.5, "bipolar"),
    (0, 1, 1.0, "uint1"), (1, 4, 0.5, "int4"), (0, 2, 1.0, "uint2")])
@pytest.mark.parametrize("shape", [(1, 8), (1, 2, 4), (1, 2, 2, 2)])
def test_a_quantizer_at_the_input_makes_codes(signed, bits, scale, kind, shape, tmp_path):
    model = Model(*shape)
    x = model.quant(model.input, scale, bits, signed=signed)
    x = model("Flatten", x) if len(shape) > 2 else x
    found = load(finished(model, x, tmp_path), input="codes", output="values")
    assert compared(found).reading.mode == "codes"
    assert str(found.network.input.element) == kind


def test_a_ternary_quantizer_at_the_input(tmp_path):
    model = Model(1, 8)
    found = same(finished(model, model.quant(model.input, 1.0, 2, narrow=1), tmp_path), FOLDED)
    assert str(found.network.input.element) == "ternary"


def test_a_quantizer_with_a_zero_point_at_the_input(tmp_path):
    model = Model(1, 8)
    x = model.quant(model.input, 0.25, 4, zero=3.0, signed=0)
    found = same(finished(model, x, tmp_path), FOLDED)
    assert (found.network.input.lo[0], found.network.input.hi[0]) == (-16, 15)
    assert check.codes_of(found, np.full((1, 8), 99.0, np.float32)).tolist() == [[12] * 8]


def test_a_bipolar_quantizer_at_the_input(tmp_path):
    model = Model(1, 8)
    x = model("BipolarQuant", model.input, 0.5, domain=GENERAL)
    found = same(finished(model, x, tmp_path), FOLDED)
    assert str(found.network.input.element) == "bipolar"


def test_a_scale_a_channel_at_the_input(tmp_path):
    model = Model(1, 8)
    x = model.quant(model.input, np.float32([[1, 2, 4, 1, 2, 4, 0.5, 0.25]]), 4)
    same(finished(model, x, tmp_path))


def test_what_stands_before_the_quantizer_belongs_to_it(tmp_path):
    model = Model(1, 8)
    x = model("Div", model("Sub", model.input, np.float32(5)), np.float32(2))
    found = same(finished(model, model.quant(x, 0.25, 4), tmp_path), FOLDED)
    assert {became for node, became in found.nodes if node.op in ("Sub", "Div")} == {
        "quantizes the input, before the hardware"}


def test_images_are_read_raw_and_divided_by_255(tmp_path):
    model = Model(1, 1, 2, 4)
    x = model("Flatten", model.quant(model.input, 2.0 ** -7, 8))
    found = same(finished(model, x, tmp_path))
    assert str(found.network.input) == "uint8[8]"
    assert (found.reading.mode, found.reading.scale) == ("raw", 1 / 255)
    assert found.notes[0] == ("input: raw 8-bit pixels p, which the file reads as 0.00392157 · p "
                              "+ 0")


@pytest.mark.parametrize("op, constant", [("Div", 255), ("Mul", 1 / 255), ("Div", 256),
                                          ("Mul", 2 / 255), ("Div", 127.5)])
def test_pixels_that_the_file_scales_itself(op, constant, tmp_path):
    model = Model(1, 8)
    x = model(op, model.input, np.float32(constant))
    x = model("Sub", x, np.float32(1))
    found = same(finished(model, model.quant(x, 0.125, 4), tmp_path))
    assert (found.reading.mode, found.reading.scale, found.reading.offset) == ("raw", 1.0, 0.0)
    assert found.notes[0] == ("input: raw 8-bit pixels p, which the file reads as p, since it "
                              "scales them itself")


@pytest.mark.parametrize("pixel", [(1 / 255, 0.0), (2 / 255, -1.0), (1.0, 0.0)])
def test_pixels_as_the_user_says(pixel, tmp_path):
    model = Model(1, 8)
    path = finished(model, model.quant(model.input, 0.125, 4), tmp_path)
    found = same(path, pixel=pixel)
    frame = check.real(found, np.arange(8)[None])
    np.testing.assert_array_equal(
        frame, np.float32(pixel[0] * np.arange(8.0) + pixel[1])[None])


def test_raw_pixels_need_no_quantizer(tmp_path):
    found = same(finished(model := Model(1, 8), model.input, tmp_path), FOLDED, input="raw")
    assert str(found.network.input) == "uint8[8]"


def test_the_mean_and_deviation_of_each_channel_may_be_taken_off_the_pixels(tmp_path):
    model = Model(1, 2, 2, 2)
    x = model("Sub", model.input, np.float32([0.5, 0.25]).reshape(1, 2, 1, 1))
    x = model("Div", x, np.float32([0.5, 2]).reshape(2, 1, 1))
    x = model("Flatten", model.quant(x, 0.25, 4))
    same(finished(model, x, tmp_path))


@pytest.mark.parametrize("datatype, kind", [
    ("UINT8", "uint8"), ("INT8", "int8"), ("INT3", "int3"), ("UINT1", "uint1"),
    ("BINARY", "uint1"), ("BIPOLAR", "bipolar"), ("TERNARY", "ternary"), ("UINT16", "uint16"),
    ("INT20", "int20")])
def test_an_annotation_says_what_integers_a_file_reads(datatype, kind, tmp_path):
    model = Model(1, 8, datatype=datatype)
    found = same(finished(model, model.input, tmp_path), FOLDED)
    assert str(found.network.input) == f"{kind}[8]"


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
def test_an_input_of_integers_is_read_as_it_is(dtype, tmp_path):
    model = Model(1, 8, dtype=dtype)
    x = model("Cast", model.input, to=1)
    found = same(finished(model, x, tmp_path), FOLDED)
    assert str(found.network.input) == f"{np.dtype(dtype)}[8]"


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_a_model_of_another_floating_point_type(dtype, tmp_path):
    model = Model(1, 8, dtype=dtype)
    x = model("DequantizeLinear", model("QuantizeLinear", model("Cast", model.input, to=1),
                                        0.25, np.int8(0)), 0.25, np.int8(0))
    x = model("Cast", x, to=model_type(dtype))
    w = np.random.default_rng(0).integers(-1, 2, (8, 5)) / 8
    x = model("Add", model("MatMul", x, w.astype(dtype)), np.ones(5, dtype))
    x = model("Round", model("Clip", x, dtype(-3), dtype(3)))
    found = same(model.save(tmp_path, model("MatMul", x, w[:5, :3].astype(dtype))), FOLDED)
    assert str(found.network.input) == "int8[8]"


def model_type(dtype):
    return {np.float64: 11, np.float16: 10}[dtype]


@pytest.mark.parametrize("option, message", [
    ({"input": "codes"}, "leave out --input codes"), ({"pixel": (1.0, 0.0)}, "leave out --pixel")])
def test_an_option_that_an_input_of_integers_leaves_no_choice_is_refused(option, message, tmp_path):
    model = Model(1, 8, datatype="UINT4")
    path = finished(model, model.input, tmp_path)
    with pytest.raises(ModelError) as error:
        load(path, **option)
    assert str(error.value) == (f"{path}: input 'x' takes uint4 integers, which the network reads "
                                f"as they are; {message}")


def test_pixels_are_no_codes(tmp_path):
    model = Model(1, 8)
    path = finished(model, model.quant(model.input), tmp_path)
    with pytest.raises(ModelError) as error:
        load(path, input="codes", pixel=(1.0, 0.0))
    assert str(error.value) == (f"{path}: --pixel says how the file reads 8-bit pixels, not codes; "
                                f"leave out one of the two")


def test_an_input_of_too_many_levels_is_refused(tmp_path):
    model = Model(1, 8)
    path = finished(model, model.quant(model.input, 0.25, 17), tmp_path)
    with pytest.raises(ModelError) as error:
        load(path)
    assert str(error.value) == (f"{path}: node quant0 (Quant): input 'x' is quantized to 131,072 "
                                f"levels, more than 65,536; quantize it more coarsely")


def test_an_input_that_is_quantized_twice_is_refused(tmp_path):
    model = Model(1, 8)
    a, b = model.quant(model.input, 0.25), model.quant(model.input, 0.5)
    path = model.save(tmp_path, model.dense(model("Add", a, b), 8, 3))
    with pytest.raises(ModelError) as error:
        load(path)
    assert str(error.value) == (
        f"{path}: node quant1 (Quant): input 'x' is quantized in two ways; quantize it once, or "
        f"say that it takes 8-bit pixels (--input raw)")


@pytest.mark.parametrize("name, value, message", [
    ("input", "pixels", "input pixels: it is raw or codes"),
    ("output", "class", "output class: it is decision or values")])
def test_an_unknown_option_is_refused(name, value, message, tmp_path):
    with pytest.raises(ModelError) as error:
        load(tmp_path / "net.onnx", **{name: value})
    assert str(error.value) == message


@pytest.mark.parametrize("shape", [(1, 6, 5, 1), (1, 6, 5, 3), (1, 1, 6, 5), (1, 3, 6, 5)])
def test_images_come_pixel_by_pixel_whatever_the_file_has_first(tmp_path, shape):
    """A network without convolutions reads an image row by row, each pixel with its channels."""
    size = int(np.prod(shape))
    m = Model(*shape)
    x = m("Reshape", m("Mul", m.input, 1 / 256), np.array([1, size]))
    # The weights tell every element of the file's input apart.
    output = m("MatMul", m.quant(x, 1 / 256, 8, signed=0), np.eye(size, dtype=np.float32))
    imported = load(m.save(tmp_path, output), output="values")
    assert imported.network.input.shape == (size,)
    image = np.arange(size)
    expected = image
    if shape[1] in (1, 3):
        expected = image.reshape(*shape[2:], shape[1]).transpose(2, 0, 1).reshape(-1)
    found = imported.network.run(image[None])[0]
    np.testing.assert_array_equal(found, expected)
    assert check.check(imported, *check.frames(imported, 20), "random frames").equal
