# amaranth: UnusedElaboratable=no
import numpy as np
import pytest
from amaranth import Shape, signed, unsigned

from hw.datapath import datapaths, read, table, term
from hw.errors import UserError
from sw import alphabet
from sw.element import Bipolar, Int, Levels, Planes, Pow2, Ternary, UInt
from sw.network import Dense, Tensor
from sw.planes import Plane

ROWS, COLUMNS = 3, 8


def plane(kind, coefficient=1):
    rng = np.random.default_rng(0)
    codes = rng.integers(kind.lo, kind.hi + 1, (ROWS, COLUMNS))
    codes[~kind.holds(codes)] = kind.hi
    return Plane(kind, codes, np.full(ROWS, coefficient))


def names(element, *planes):
    layer = Dense("dense", ("input",), planes)
    return {way.name for way in datapaths(layer, Tensor.full(element, (COLUMNS,)))}


SHIFTS = {"shift", "shift, shared"}
CODEBOOK = alphabet.Codebook(np.array([-3, 0, 4]))


@pytest.mark.parametrize("element, kinds, expected", [
    (Bipolar(), [alphabet.Bipolar()], {"xnor"}),
    (Bipolar(), [alphabet.Ternary()], {"gated xnor"}),
    (Ternary(), [alphabet.Bipolar()], {"gated xnor"}),
    (Ternary(), [alphabet.Ternary()], {"gated xnor"}),
    (Int(5), [alphabet.Bipolar()], {"add-subtract"}),
    (UInt(2), [alphabet.Bipolar()], {"add-subtract", "bit planes + sum"}),
    (Int(5), [alphabet.Ternary()], {"ternary"}),
    (UInt(4), [alphabet.Pow2(3)], SHIFTS),
    (UInt(4), [alphabet.Pow2(40)], {"shift"}),
    (Int(4), [alphabet.Integer(-8, 7)], SHIFTS | {"booth"}),
    (UInt(4), [alphabet.Integer(-8, 7)], SHIFTS | {"booth", "bit planes"}),
    (UInt(4), [alphabet.Integer(0, 15), alphabet.Ones()],
     {"sum + shift", "sum + shift, shared", "booth + sum", "bit planes + sum"}),
    (Int(4), [alphabet.Float(2, 1)], SHIFTS),
    (Int(4), [CODEBOOK], SHIFTS | {"codebook"}),
    (Int(4), [alphabet.Codebook(np.arange(-40, 40))], SHIFTS),
    (Pow2(3), [alphabet.Pow2(2)], {"exponent", "lookup, shift", "lookup, shift, shared"}),
    (Pow2(3), [alphabet.Bipolar()], {"lookup, add-subtract"}),
    (Levels((-3, 1, 5)), [alphabet.Ternary()], {"lookup, ternary"}),
    (Planes((1, 3)), [alphabet.Bipolar()], {"xnor", "lookup, add-subtract"}),
    (Planes((1, 3)), [alphabet.Ternary()], {"gated xnor", "lookup, ternary"}),
    (Int(4), [alphabet.Bipolar(), alphabet.Ternary()], {"add-subtract + ternary"}),
], ids=lambda each: ", ".join(sorted(each)) if isinstance(each, set) else str(each)[:40])
def test_the_datapaths_of_each_kind_of_weights_and_activations(element, kinds, expected):
    assert names(element, *map(plane, kinds)) == expected


def test_product_quantization_has_tables():
    vectors = alphabet.Vectors(np.arange(24).reshape(2, 3, 4) - 9, COLUMNS)
    codes = np.array([[0, 2], [1, 1], [2, 0]])
    product = Plane(vectors, codes, np.ones(ROWS, int))
    assert names(Int(4), product) == SHIFTS | {"shift, select"}
    assert names(Int(4), product, product) == SHIFTS | {"shift, select"}
    assert names(Int(4), product, plane(alphabet.Ternary())) == {
        "ternary + shift", "ternary + shift, shared"}


def test_planes_whose_coefficients_differ_by_a_power_of_two_share_an_element():
    x = Tensor.full(UInt(4), (COLUMNS,))
    near = Dense("near", ("input",), (plane(alphabet.Pow2(3), 6), plane(alphabet.Pow2(3), 24)))
    far = Dense("far", ("input",), (plane(alphabet.Pow2(3), 6), plane(alphabet.Pow2(3), 5)))
    assert [len(way.terms) for way in datapaths(near, x)] == [1, 1]
    assert [len(way.terms) for way in datapaths(far, x)] == [2, 2]


@pytest.mark.parametrize("element, kind", [
    (Bipolar(), alphabet.Bipolar()), (Bipolar(), alphabet.Ternary()), (UInt(2), alphabet.Bipolar()),
    (Planes((1, 3)), alphabet.Bipolar()), (UInt(4), alphabet.Integer(-8, 7)),
], ids=str)
def test_elements_that_count_are_made_for_the_carry_cells(element, kind):
    layer = Dense("dense", ("input",), (plane(kind),))
    for raw in (True, False):
        ways = datapaths(layer, Tensor.full(element, (COLUMNS,)), raw_operands=raw)
        made = [part.unit(3).make() for way in ways for part in way.parts
                if {"xnor", "gated xnor", "bit planes"} & {part.name}]
        assert made and all(pe.raw_operands == raw for pe in made)


@pytest.mark.parametrize("element", [UInt(3), Int(3), Bipolar()], ids=str)
def test_sums_have_exactly_the_shape_of_their_range(element):
    x, _ = read(Tensor.full(element, (4,)))
    weights = np.array([[3, -2, 0, 1], [-1, -1, -1, -1]])
    rest = np.array([5, -6])
    corners = np.array(np.meshgrid(*[[lo, hi] for lo, hi in zip(x.lo, x.hi, strict=True)]))
    sums = weights @ corners.reshape(4, -1) + rest[:, None]
    found = term(weights, np.array([2, 3]), x, rest)
    lo, hi = int(sums.min()), int(sums.max())
    assert found.shape == Shape.cast(range(lo, hi + 1))
    # factor · sum + offset is the row's value
    values = weights @ (x.scale * corners.reshape(4, -1) + x.offset) * np.array([[2], [3]])
    np.testing.assert_array_equal(found.factor[:, None] * sums + found.offset[:, None], values)


def test_elements_are_read_as_numbers():
    assert read(Tensor.full(Ternary(), (2,)))[0].shape == signed(2)
    x, values = read(Tensor.full(Pow2(3), (2,)))
    assert x.shape == signed(4) and values.tolist() == [0, 1, 2, 4, 0, -1, -2, -4]
    assert table(Levels((7, -2))).tolist() == [7, -2]
    bits, values = read(Tensor.full(Bipolar(), (2,)))
    assert (bits.shape, bits.scale, bits.offset, values) == (unsigned(1), 2, -1, None)


def test_weights_too_large_for_signed_digits_are_refused_by_name():
    large = Plane(alphabet.Integer(-2 ** 60, 2 ** 60), np.full((ROWS, COLUMNS), 2 ** 60),
                  np.full(ROWS, 2 ** 30))
    with pytest.raises(UserError, match=r"^layer dense: a coefficient of signed digits is "
                                        r"18446744073709551616, beyond 64 bits$"):
        names(UInt(1), large)
