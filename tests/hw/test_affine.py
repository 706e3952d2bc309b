# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib import data
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from hw import affine
from hw.affine import Affine, payload
from sw import golden
from tests.hw.components import offers_before_ready_and_holds, play
from tests.hw.frames import all_values, fill, play_frames, rhythm, some_values


def play_terms(dut, x, *, rng, longest=0):
    """What ``dut`` makes of (frames, channels, terms) values."""
    beats = np.stack([fill(term, dut.lanes, rng) for term in np.moveaxis(x, -1, 0)], axis=-1)
    terms = beats[..., 0] if x.shape[2] == 1 else np.array([
        [{f"term_{k}": value for k, value in enumerate(element)} for element in beat]
        for beat in beats.tolist()], object)
    y = play(dut, terms, len(terms), rng=rng, longest=longest)
    return y.reshape(len(x), -1)[:, :x.shape[1]]


@pytest.mark.parametrize("shape", [unsigned(6), signed(6), unsigned(1), signed(1)], ids=repr)
@pytest.mark.parametrize("coefficients", [
    [0, 1, -1, 2, 3, -2, 11, -86], [1], [-1], [0], [7, 7, 7], [-93], [2, 2, 4, 4],
    [4, 4, 4]], ids=str)
@pytest.mark.parametrize("shift", [0, -3])
def test_all_values(shape, coefficients, shift):
    coefficients = np.array(coefficients)
    offset = shift * np.arange(len(coefficients))
    x = all_values(shape, len(coefficients))
    dut = Affine(shapes=[shape], coefficients=coefficients[:, None], offset=offset, lanes=2)
    y, _ = play_frames(dut, x, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(y, golden.affine(x, coefficients, offset))


@settings(max_examples=25, deadline=None, derandomize=True, phases=[Phase.generate])
@given(seed=st.integers(0, 2 ** 32), bits=st.lists(st.integers(1, 12), min_size=1, max_size=4),
       channels=st.integers(1, 9), lanes=st.integers(1, 4), size=st.integers(0, 10),
       shared=st.lists(st.booleans(), min_size=4, max_size=4), offset=st.sampled_from([0, 1, 500]),
       longest=st.sampled_from([0, 2]))
def test_any_terms(seed, bits, channels, lanes, size, shared, offset, longest):
    rng = np.random.default_rng(seed)
    shapes = [Shape(width, bool(rng.integers(2))) for width in bits]
    coefficients = rng.integers(-2 ** size, 2 ** size, (channels, len(bits)), endpoint=True)
    for k in range(len(bits)):
        coefficients[:, k] = coefficients[0, k] if shared[k] else coefficients[:, k]
    offset = rng.integers(-offset, offset, channels, endpoint=True)
    x = np.stack([some_values(rng, shape, (6, channels)) for shape in shapes], axis=-1)
    dut = Affine(shapes=shapes, coefficients=coefficients, offset=offset, lanes=lanes)
    y = play_terms(dut, x, rng=rng, longest=longest)
    np.testing.assert_array_equal(y, (coefficients * x).sum(axis=-1) + offset)


def test_wide_terms_and_deep_memories():
    rng = np.random.default_rng(0)
    shapes = [signed(30), unsigned(3)]
    coefficients = rng.integers(-2 ** 20, 2 ** 20, (70, 2))
    offset = rng.integers(-2 ** 55, 2 ** 55, 70)
    x = np.stack([some_values(rng, shape, (3, 70)) for shape in shapes], axis=-1)
    for block in (False, True):
        dut = Affine(shapes=shapes, coefficients=coefficients, offset=offset, block=block)
        np.testing.assert_array_equal(play_terms(dut, x, rng=rng),
                                      (coefficients * x).sum(axis=-1) + offset)


def test_a_narrower_output_is_enough_for_smaller_results():
    # x + y − z of three times the same value.
    shapes = [signed(5)] * 3
    x = np.repeat(np.arange(-16, 16), 3).reshape(-1, 1, 3)
    dut = Affine(shapes=shapes, coefficients=[[1, 1, -1]], offset=[1], output=signed(6))
    y = play_terms(dut, x, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(y[:, 0], x[:, 0, 0] + 1)


def test_results_have_exactly_the_width_of_their_range():
    def output(shape, coefficients, offset):
        return Affine(shapes=[shape], coefficients=coefficients, offset=offset).output
    assert output(unsigned(3), [[1]], [0]) == unsigned(3)
    assert output(unsigned(3), [[1]], [-1]) == signed(4)
    assert output(unsigned(3), [[1], [2]], [0, 1]) == unsigned(4)
    assert output(unsigned(3), [[1], [2]], [0, 2]) == unsigned(5)
    assert output(signed(3), [[-1]], [0]) == signed(4)
    assert output(signed(3), [[-1]], [-1]) == signed(3)


def test_payload():
    assert payload([signed(4)]) == signed(4)
    assert payload([signed(4), 3]) == data.StructLayout({
        "term_0": signed(4), "term_1": unsigned(3)})


@pytest.mark.parametrize("coefficients, offset, latency", [
    ([[1], [1]], [0, 0], 1), ([[1], [1]], [0, 1], 2), ([[5], [5]], [0, 1], 3),
    ([[1], [2]], [0, 0], 2), ([[1], [2]], [3, 3], 3), ([[1], [-2]], [0, 0], 4)])
def test_latency(coefficients, offset, latency):
    dut = Affine(shapes=[signed(4)], coefficients=coefficients, offset=offset)
    taken, offered = rhythm(dut, [0], cycles=20)
    assert dut.latency == latency == offered[0] - taken[0]
    assert (np.diff(taken) == 1).all() and (np.diff(offered) == 1).all()


def test_offers_before_ready_and_holds():
    dut = Affine(shapes=[signed(4)], coefficients=[[1], [3]], offset=[1, 1])
    assert offers_before_ready_and_holds(dut, [[k] for k in range(1, 7)])


def test_parameters_wrong():
    with pytest.raises(TypeError, match=r"^Lanes must be a positive integer, not 0$"):
        Affine(shapes=[signed(4)], coefficients=[[1]], offset=[0], lanes=0)
    with pytest.raises(ValueError, match=r"^Coefficients must have a row for each of 2 offsets and "
                                         r"a column for each of 1 terms, not shape \(1, 2\)$"):
        Affine(shapes=[signed(4)], coefficients=[[1, 2]], offset=[0, 0])


# Placed and routed for iCE40, with coefficients and offsets drawn in this order.
def test_cells():
    rng = np.random.default_rng(0)
    for terms, channels, lanes, width, size, measured in [
            (1, 16, 1, 8, 8, 148), (1, 1, 1, 8, 8, 47), (2, 16, 1, 10, 8, 289),
            (2, 1, 1, 10, 8, 122), (3, 10, 1, 12, 6, 405), (1, 64, 4, 12, 8, 644),
            (4, 16, 1, 10, 12, 758)]:
        coefficients = rng.integers(1, 2 ** (size - 1), (channels, terms))
        offset = rng.integers(-1000, 1000, channels)
        cells = affine.cells(shapes=[signed(width)] * terms, coefficients=coefficients,
                             offset=offset, lanes=lanes)
        assert abs(cells - measured) < 0.15 * measured

