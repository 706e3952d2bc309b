"""Datapaths: which processing elements can compute a dense layer, and what their sums stand for.

The alphabet of each plane of weights and the type of the activations decide. Often there are
several ways; each is a :class:`Datapath`, and the planner takes the one of least cost.
"""
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from amaranth import Shape, unsigned

from hw.errors import UserError
from hw.matvec import Unit
from hw.pe import bit_planes, booth, codebook, exponent, shift, ternary, xnor
from sw import element
from sw.alphabet import Bipolar, Codebook, Integer, Ones, Pow2, Signs, Ternary, Vectors
from sw.network import Dense, Tensor
from sw.planes import Plane, pack_rom, signed_digits

BUCKETS = 64    # of a codebook; one with more is run as the integers of its table
SHARED = 16     # powers; beyond, selecting among shifted inputs cannot be cheaper than shifting


@dataclass(frozen=True, eq=False)
class Term:
    """One sum of a processing element: ``factor`` · sum + ``offset`` joins each row's value.

    ``shape`` is that of the sum; factor and offset are integers, (rows,).
    """
    shape: Shape
    factor: np.ndarray
    offset: np.ndarray


@dataclass(frozen=True, eq=False)
class Part:
    """A kind of processing element that every lane has.

    ``make`` and ``cells`` make one and estimate its cells, from its SIMD. Its weight memory holds
    ``planes``; one without any is shared by all lanes. Of each element it ``reads``
    the bits from one to before another, or all.
    """
    name: str
    make: Callable
    cells: Callable
    planes: tuple[Plane, ...]
    terms: tuple[Term, ...]
    reads: tuple[int, int] | None = None

    @property
    def bits(self) -> int:
        """Bits of memory for each weight."""
        return sum(plane.bits for plane in self.planes)

    def unit(self, simd: int) -> Unit:
        """The element as :class:`hw.matvec.MatVec` needs it."""
        return Unit(make=partial(self.make, simd=simd), width=simd * self.bits,
                    terms=tuple(term.shape for term in self.terms), bits=self.reads,
                    shared=not self.bits)


@dataclass(frozen=True, eq=False)
class Datapath:
    """One way to compute a layer: processing elements, behind a table if there is one.

    ``table`` gives the integer of each code of the activations; without it processing elements
    read the codes themselves. ``shape`` is that of what they read. In front of them may be others:
    see :class:`Front`.
    """
    parts: tuple[Part, ...]
    shape: Shape
    table: np.ndarray | None = None
    front: "Front | None" = None

    @cached_property
    def name(self) -> str:
        """The processing elements by name, and whether a table is before them."""
        names = " + ".join(dict.fromkeys(part.name for part in self.parts))
        if self.front:
            names = f"{self.front.way.name}, {names}"
        return names if self.table is None else f"lookup, {names}"

    @property
    def bits(self) -> int:
        """Bits of memory for each weight."""
        return sum(part.bits for part in self.parts)

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """The sums that make a row's value."""
        return tuple(term for part in self.parts for term in part.terms)

    @cached_property
    def factors(self) -> np.ndarray:
        """What the sums of a row are multiplied by, (rows, terms)."""
        return np.stack([term.factor for term in self.terms], axis=1)

    @cached_property
    def offset(self) -> np.ndarray:
        """What is added to the products of a row, (rows,)."""
        return sum(term.offset for term in self.terms)

    def cells(self, pe: int, simd: int, element: Callable = lambda name: 1) -> float:
        """Estimate of the cells of all processing elements of ``pe`` lanes; ``element`` is what
        one of the iCE40 counts in each of them."""
        return sum(part.cells(simd=simd) * element(part.name) * (pe if part.bits else 1)
                   for part in self.parts)

    @property
    def planes(self) -> tuple[Plane, ...]:
        """What the weight memories hold."""
        return tuple(plane for part in self.parts for plane in part.planes)

    @property
    def storage(self) -> int:
        """Bits of all weights together."""
        return sum(plane.storage for plane in self.planes) + (
            self.front.way.storage if self.front else 0)

    def words(self, pe: int, simd: int, depth: int) -> np.ndarray:
        """The weights as :class:`hw.matvec.MatVec` reads them, (pe, ``depth``, bits)."""
        return np.concatenate([np.empty((pe, depth, 0), np.uint8)] + [
            pack_rom(plane, lanes=pe, simd=simd) for plane in self.planes], axis=2)


@dataclass(frozen=True, eq=False)
class Front:
    """Processing elements of :attr:`lanes` lanes that make the tables of product quantization.

    Of every ``length`` columns they make the products with all vectors of a codebook at once; the
    rows then only select and add (Gong et al. 2014; Wu et al. 2016, Q-CNN).
    """
    way: Datapath
    length: int
    lanes: int
    tables: int


@dataclass(frozen=True, eq=False)
class Read:
    """Activations as processing elements read them: their value is ``scale`` · read + ``offset``.

    What is read is within ``lo`` and ``hi``, (columns,).
    """
    shape: Shape
    lo: np.ndarray
    hi: np.ndarray
    scale: int = 1
    offset: int = 0

    def full(self) -> "Read":
        """The same without bounds but those of the shape."""
        lo = -1 << self.shape.width - 1 if self.shape.signed else 0
        return replace(self, lo=lo + 0 * self.lo, hi=lo + (1 << self.shape.width) - 1 + 0 * self.hi)

    @property
    def inverted(self) -> int:
        """What an input of 0 is with all its bits inverted."""
        return -1 if self.shape.signed else 2 ** self.shape.width - 1


def shape(kind: element.Element) -> Shape:
    """The shape of an element's codes: signed where they are two's complement."""
    return Shape(kind.bits, isinstance(kind, element.Int | element.Ternary))


def table(kind: element.Element) -> np.ndarray:
    """The integers that an element's codes stand for, (codes,); 0 for what is no code."""
    if isinstance(kind, element.Levels):
        return np.array(kind.table)
    values = kind.decode(np.arange(2 ** kind.bits))
    return np.where((values >= kind.lo) & (values <= kind.hi), values, 0)


def read(x: Tensor) -> tuple[Read, np.ndarray | None]:
    """How to read the tensor ``x`` as integers, and the table of its codes if it takes one."""
    match x.element:
        case element.Bipolar():
            return Read(unsigned(1), np.zeros(x.channels, np.int64),
                        np.ones(x.channels, np.int64), scale=2, offset=-1), None
        case element.Levels() | element.Pow2() | element.Planes():
            values = table(x.element)
            kind = element.smallest(int(values.min()), int(values.max()))
            return Read(shape(kind), x.lo, x.hi), values
    return Read(shape(x.element), x.lo, x.hi), None


def datapaths(layer: Dense, x: Tensor, *, raw_operands: bool = True) -> tuple[Datapath, ...]:
    """The ways to compute ``layer`` on the tensor ``x``, each of another name, plain ones first.

    ``raw_operands`` says whether carry cells have no logic before their operands.

    Raises :exc:`UserError` naming the layer when its numbers are too large.
    """
    try:
        ways = list(_datapaths(layer.planes, x, raw_operands))
    except OverflowError as error:
        raise UserError(f"layer {layer.name}: {error}") from error
    found = {}
    for way in ways:
        found.setdefault(way.name, way)
    return tuple(found.values())


def _datapaths(planes, x, raw):
    kind = x.element
    match kind:
        case element.Planes(coefficients):
            # Each bit of the activations is a bipolar vector of its own.
            bits, _ = read(Tensor.full(element.Bipolar(), x.shape))
            for way in _ways(planes, bits, raw):
                if way.front:       # tables are made of numbers
                    continue
                yield Datapath(tuple(_scaled(part, c, j) for j, c in enumerate(coefficients)
                                     for part in way.parts), unsigned(kind.bits))
        case element.Pow2() if all(isinstance(plane.alphabet, Pow2) for plane in planes):
            parts = (_exponent(group, factor, kind, x) for group, factor in _groups(planes))
            yield Datapath(tuple(parts), unsigned(kind.bits))
    numbers, values = read(x)
    for way in _ways(planes, numbers, raw, trits=kind == element.Ternary()):
        yield replace(way, table=values)


def _ways(planes, x, raw, trits=False):
    """Datapaths that read ``x`` as it is; ``trits``: it is −1, 0 and +1."""
    for form in ({}, {"shared": True}, {"bits": True}, {"digits": True}, {"expand": True},
                 {"expand": True, "shared": True}):
        yield Datapath(tuple(_parts(planes, x, trits, raw, **form)), x.shape)
    if len({plane.alphabet.table.shape if isinstance(plane.alphabet, Vectors) else ()
            for plane in planes} - {()}) == 1 == len({type(plane.alphabet) for plane in planes}):
        yield _tables(planes, x, raw)


def _parts(planes, x, trits, raw, *, shared=False, bits=False, digits=False, expand=False):
    """Processing elements for ``planes``; ``shared``: shifted inputs made once for all lanes,
    ``bits`` and ``digits``: AND-popcounts and Booth's digits where they can be, ``expand``:
    no buckets of codebooks."""
    bipolar = x.scale == 2
    bits &= not x.shape.signed and not bipolar
    shifted = []
    for plane in planes:
        match plane.alphabet:
            case Ones():
                yield _sum(plane.coefficients, x)
            case Bipolar() if bipolar:
                yield _xnor(plane, raw)
            case Bipolar() | Ternary() if bipolar or trits:
                yield _gated_xnor(plane, trits, raw)
            case Bipolar() if bits:
                yield _bit_planes(plane, 2 * plane.coefficients, plane.codes > 0, x, raw)
                yield _sum(-plane.coefficients, x)
            case Bipolar() | Ternary():
                yield _ternary(plane, x)
            case Integer() if bits:
                yield _bit_planes(plane, plane.coefficients, plane.codes, x, raw)
            case Integer(lo, hi) if digits and lo <= 0 <= hi:    # 0 fills the end of a row
                yield _booth(plane, x)
            case Codebook() if not expand and len(_buckets(plane)) <= BUCKETS:
                yield _codebook(plane, x)
            case Pow2():
                shifted.append(plane)
            case Vectors():
                values = plane.values()
                alphabet = Integer(min(int(values.min()), 0), max(int(values.max()), 1))
                shifted += signed_digits(replace(plane, alphabet=alphabet, codes=values))
            case _:
                shifted += signed_digits(plane)
    for group, factor in _groups(shifted):
        widest = max(plane.alphabet.powers for plane, _ in group)
        yield _shift(group, factor, shared and widest <= SHARED, x)


def _groups(planes):
    """Planes whose coefficients differ by powers of two only, and the coefficients that they
    share: [([(plane, exponent), …], (rows,)), …]."""
    groups = {}
    for plane in planes:
        common = int(np.bitwise_or.reduce(plane.coefficients))
        place = (common & -common).bit_length() - 1
        odd = plane.coefficients >> place
        groups.setdefault(tuple(odd.tolist()), []).append((plane, place))
    for odd, members in groups.items():
        least = min(place for _, place in members)
        yield [(plane, place - least) for plane, place in members], np.array(odd) << least


def term(weights: np.ndarray, factor: np.ndarray, x: Read, rest: np.ndarray | int = 0) -> Term:
    """The term of a sum that is ``weights`` · read + ``rest``, (rows, columns) and (rows,)."""
    weights = weights.astype(np.int64)
    at_lo, at_hi = weights * x.lo, weights * x.hi
    lo = (np.minimum(at_lo, at_hi).sum(axis=1) + rest).min()
    hi = (np.maximum(at_lo, at_hi).sum(axis=1) + rest).max()
    offset = x.offset * weights.sum(axis=1) - x.scale * rest
    return Term(shape(element.smallest(int(lo), int(hi))), factor * x.scale, factor * offset)


def _negative(values, x):
    """What inverted inputs add to each row where ``values`` are negative."""
    return x.inverted * np.maximum(-values.astype(np.int64), 0).sum(axis=1)


def _xnor(plane, raw):
    rows, columns = plane.codes.shape
    options = {"columns": columns, "raw_operands": raw}
    total = Term(Shape.cast(range(columns + 1)), 2 * plane.coefficients,
                 -columns * plane.coefficients)
    return Part("xnor", partial(xnor.XnorPe, **options), partial(xnor.cells, **options),
                (replace(plane, alphabet=Signs()),), (total,))


def _gated_xnor(plane, trits, raw):
    rows, columns = plane.codes.shape
    options = {"columns": columns, "x_ternary": trits, "w_ternary": plane.alphabet == Ternary(),
               "raw_operands": raw}
    # Of activations without zeros only the weights tell how many products are not 0.
    nonzero = np.count_nonzero(plane.codes, axis=1)
    scale, offset = (1, 0 * nonzero) if trits else (2, -nonzero)
    total = Term(Shape.cast(range(-columns if trits else 0, columns + 1)),
                 scale * plane.coefficients, offset * plane.coefficients)
    return Part("gated xnor", partial(xnor.GatedXnorPe, **options),
                partial(xnor.gated_cells, **options), (plane,), (total,))


def _ternary(plane, x):
    total = term(plane.codes, plane.coefficients, x, _negative(plane.codes, x))
    zero = plane.alphabet == Ternary()
    return Part("ternary" if zero else "add-subtract",
                partial(ternary.TernaryPe, x_shape=x.shape, shape=total.shape, zero=zero),
                partial(ternary.cells, x_shape=x.shape, shape=total.shape, zero=zero),
                (plane,), (total,))


def _sum(coefficients, x):
    total = term(np.ones((len(coefficients), len(x.lo)), np.int64), coefficients, x)
    return Part("sum", partial(ternary.SumPe, x_shape=x.shape, shape=total.shape),
                partial(ternary.sum_cells, x_shape=x.shape, shape=total.shape), (), (total,))


def _bit_planes(plane, factor, weights, x, raw):
    total = term(weights, factor, x)
    options = {"x_bits": x.shape.width, "w_bits": plane.bits,
               "w_signed": plane.alphabet.lo < 0 and plane.bits > 1, "raw_operands": raw}
    return Part("bit planes", partial(bit_planes.BitPlanesPe, shape=total.shape, **options),
                partial(bit_planes.cells, shape=total.shape, **options), (plane,), (total,))


def _booth(plane, x):
    weights = Shape(plane.bits, plane.alphabet.lo < 0)
    rest = booth.rest(plane.codes, x.shape, weights)
    total = term(plane.codes, plane.coefficients, x, rest)
    options = {"x_shape": x.shape, "w_shape": weights, "shape": total.shape}
    return Part("booth", partial(booth.BoothPe, **options), partial(booth.cells, **options),
                (plane,), (total,))


def _shift(group, factor, shared, x):
    values = [np.ldexp(plane.alphabet.decode(plane.codes), base).astype(np.int64)
              for plane, base in group]
    total = term(sum(values), factor, x, sum(_negative(value, x) for value in values))
    options = {"x_shape": x.shape, "shape": total.shape, "shared": shared,
               "terms": tuple((plane.alphabet.powers, plane.alphabet.zero, base)
                              for plane, base in group)}
    return Part("shift, shared" if shared else "shift", partial(shift.ShiftPe, **options),
                partial(shift.cells, **options), tuple(plane for plane, _ in group), (total,))


def _exponent(group, factor, kind, x):
    values = [np.ldexp(plane.alphabet.decode(plane.codes), base).astype(np.int64)
              for plane, base in group]
    total = term(sum(values), factor, Read(unsigned(kind.bits), x.lo, x.hi))
    options = {"x_powers": kind.powers, "shape": total.shape,
               "terms": tuple((plane.alphabet.powers, plane.alphabet.zero, base)
                              for plane, base in group)}
    return Part("exponent", partial(exponent.ExponentPe, **options),
                partial(exponent.cells, **options), tuple(plane for plane, _ in group), (total,))


def _buckets(plane):
    """Codes of a codebook that do not stand for 0."""
    return tuple(np.flatnonzero(plane.alphabet.table).tolist())


def _codebook(plane, x):
    buckets = _buckets(plane)
    terms = [term(plane.codes == code, plane.coefficients * int(plane.alphabet.table[code]), x)
             for code in buckets]
    negative = any(term.shape.signed for term in terms)
    total = Shape(max(term.shape.width + (negative and not term.shape.signed) for term in terms),
                  negative)
    options = {"bits": plane.bits, "buckets": buckets, "x_shape": x.shape, "shape": total}
    return Part("codebook", partial(codebook.CodebookPe, **options),
                partial(codebook.cells, **options), (plane,),
                tuple(replace(term, shape=total) for term in terms))


def _tables(planes, x, raw):
    """Product quantization: tables of products, made once for all rows; a row adds some."""
    subspaces, levels, length = planes[0].alphabet.table.shape
    spare = subspaces * length - planes[0].shape[1]
    lo, hi = (np.pad(bound, (0, spare)).reshape(subspaces, length) for bound in (x.lo, x.hi))
    piece = replace(x, lo=lo.min(axis=0), hi=hi.max(axis=0))
    real = np.arange(subspaces * length).reshape(subspaces, 1, length) < planes[0].shape[1]
    front, parts, place = [], [], 0
    for plane in planes:
        codes = (plane.alphabet.table * real).reshape(-1, length)
        alphabet = Integer(min(int(codes.min()), 0), max(int(codes.max()), 1))
        (part,) = _parts([Plane(alphabet, codes, np.ones(len(codes), np.int64))], piece, False,
                         raw)
        (made,) = part.terms
        # A row adds one offset of each table.
        offset = made.offset.reshape(subspaces, levels)[np.arange(subspaces), plane.codes].sum(
            axis=1)
        front.append(part)
        width = made.shape.width
        parts.append(_select(plane, made, offset, x, (place, place + width)))
        place += width
    way = Datapath(tuple(front), x.shape)
    return Datapath(tuple(parts), unsigned(levels * place), front=Front(
        way, length, levels, subspaces))


def _select(plane, made, offset, x, reads):
    """Selection and sum of the entries ``made`` of tables; ``offset`` is then missing, (rows,)."""
    weights = plane.values().astype(np.int64)
    factor = int(made.factor[0])
    at_lo, at_hi = weights * x.lo, weights * x.hi
    rest = x.offset * weights.sum(axis=1) - offset        # factor · sum = scale · W·read + rest
    lo = (x.scale * np.minimum(at_lo, at_hi).sum(axis=1) + rest) // factor
    hi = (x.scale * np.maximum(at_lo, at_hi).sum(axis=1) + rest) // factor
    total = shape(element.smallest(int(lo.min()), int(hi.max())))
    ones = np.ones(len(plane.codes), np.int64)
    options = {"levels": plane.alphabet.levels, "t_shape": made.shape, "shape": total}
    return Part("select", partial(codebook.SelectPe, **options),
                partial(codebook.select_cells, **options), (plane,),
                (Term(total, factor * ones, offset),), reads)


def _scaled(part, factor, bit):
    """The part for one bit of activations of several: its sums count ``factor`` times."""
    return replace(part, reads=(bit, bit + 1), terms=tuple(
        replace(term, factor=factor * term.factor, offset=factor * term.offset)
        for term in part.terms))
