"""Carry chains: netlists of yosys, changed so that adders take fewer cells.

On the iCE40, a carry leaves its chain by a look-up table behind it. Without one nextpnr takes a
cell for that, and a register of the carry takes another one.

On the ECP5, a CCU2C holds two places of a chain. The look-up table of a place has four inputs; an
adder of two operands uses two of them, and synthesis leaves the XOR, AND or complement before it
in cells of its own. Here each place takes in what fits, and chains that cannot feed each other are
strung together: the place that hands out the carry of one takes the carry into the next.
"""
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from itertools import chain, permutations, product

# The cell that :data:`PLACES` makes of each place of an adder, comparison or counter of three bits
# or more.
LIBRARY = """
(* blackbox *) module CARRY_PLACE (input A, B, CI, output S, CO);
endmodule
"""
PLACES = """
(* techmap_celltype = "$alu" *)
module places (A, B, CI, BI, X, Y, CO);
    parameter A_SIGNED = 0;
    parameter B_SIGNED = 0;
    parameter A_WIDTH = 1;
    parameter B_WIDTH = 1;
    parameter Y_WIDTH = 1;
    (* force_downto *) input [A_WIDTH-1:0] A;
    (* force_downto *) input [B_WIDTH-1:0] B;
    input CI, BI;
    (* force_downto *) output [Y_WIDTH-1:0] X, Y, CO;

    wire _TECHMAP_FAIL_ = Y_WIDTH <= 2;

    (* force_downto *) wire [Y_WIDTH-1:0] a, b, c;
    \\$pos #(.A_SIGNED(A_SIGNED), .A_WIDTH(A_WIDTH), .Y_WIDTH(Y_WIDTH)) pos_a (.A(A), .Y(a));
    \\$pos #(.A_SIGNED(B_SIGNED), .A_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)) pos_b (.A(B), .Y(b));
    assign c = b ^ {Y_WIDTH{BI}};
    assign X = a ^ c;
    genvar i;
    generate for (i = 0; i < Y_WIDTH; i = i + 1) begin:each
        CARRY_PLACE place (.A(a[i]), .B(c[i]), .CI(i == 0 ? CI : CO[i-1]), .S(Y[i]), .CO(CO[i]));
    end endgenerate
endmodule
"""

LENGTH = 16         # places of chains strung together at most: timing takes them for one path
REGISTERS = {"TRELLIS_FF", "DP16KD"}
PINS = "ABCD"


@dataclass(frozen=True)
class Function:
    """A function of bits: ``table`` has the value for each assignment, the first bit varying
    fastest."""
    bits: tuple
    table: tuple[int, ...]

    def __call__(self, values: dict) -> int:
        return self.table[sum(values[bit] << k for k, bit in enumerate(self.bits))]


@dataclass(frozen=True)
class Place:
    """A place of a chain: S = P ^ carry; the next carry is this one where P, else G.

    ``pins`` hold bits or constants, ``init`` is the table of P and, in its low four bits, of G.
    """
    pins: tuple = ("0", "0", "1", "1")
    init: int = 0
    s: int | None = None


def hand_out(netlist: dict, top: str) -> None:
    """Put a look-up table behind each carry of an iCE40 that ends its chain and goes on to cells,
    in place."""
    module = _Module(netlist["modules"][top])
    for name, cell in list(module.cells.items()):
        if cell["type"] == "SB_CARRY":
            carry = module.pin(name, "CO")
            readers = module.readers.get(carry, set())
            kinds = [(module.cells[reader]["type"] if reader else None, port)
                     for reader, port in readers]
            # nextpnr puts the one look-up table that reads it by I3 behind it.
            if readers and kinds != [("SB_LUT4", "I3")] and not (
                    {("SB_CARRY", "CI"), (None, None)} & set(kinds)):
                module.add_lut("SB_LUT4", "LUT_INIT", 0xFF00, out=("O", module.replaced(carry)),
                               I0="0", I1="0", I2="0", I3=carry)


def pack(netlist: dict, top: str) -> None:
    """Make CCU2C of all cells CARRY_PLACE of the module ``top`` of a yosys netlist, in place."""
    _Packer(netlist["modules"][top]).run()


class _Module:
    """A module of a netlist: which cell drives each bit, and who reads it at which port."""
    def __init__(self, module):
        self.cells = module["cells"]
        self.driver, self.readers = {}, {}
        for name, cell in self.cells.items():
            for port, bits in cell["connections"].items():
                for bit in bits:
                    if cell["port_directions"][port] == "output":
                        self.driver[bit] = name
                    else:
                        self.readers.setdefault(bit, set()).add((name, port))
        for port in module["ports"].values():
            if port["direction"] != "input":
                for bit in port["bits"]:
                    self.readers.setdefault(bit, set()).add((None, None))
        self.bits = 1 + max((bit for bit in chain(self.driver, self.readers)
                             if isinstance(bit, int)), default=1)

    def pin(self, name, port):
        return self.cells[name]["connections"][port][0]

    def new_bit(self):
        self.bits += 1
        return self.bits - 1

    def replaced(self, bit):
        """A new bit, which cells now read instead of ``bit``."""
        new = self.new_bit()
        for name, port in self.readers[bit]:
            bits = self.cells[name]["connections"][port]
            bits[:] = [new if old == bit else old for old in bits]
        return new

    def add(self, name, kind, parameters, inputs, outputs):
        self.cells[name] = {
            "hide_name": 1, "type": kind, "parameters": parameters, "attributes": {},
            "port_directions": dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output"),
            "connections": {port: [bit] for port, bit in (inputs | outputs).items()}}

    def add_lut(self, kind, parameter, init, *, out, **pins):
        port, bit = out
        self.add(f"carry_out_{bit}", kind, {parameter: f"{init:016b}"}, pins, {port: bit})


class _Packer(_Module):
    def run(self):
        chains = self.chains()
        levels = self.levels(chains)
        strings = {}
        for names in chains:
            waiting = strings.setdefault(levels[names[0]], [[]])
            places = self.places(names)
            if len(longer := _strung(waiting[-1], places)) > LENGTH:
                waiting.append(places)
            else:
                waiting[-1] = longer
        for name in chain.from_iterable(chains):
            del self.cells[name]
        for k, places in enumerate(chain.from_iterable(strings.values())):
            if places:
                self.emit(f"carry_chain_{k}", places)

    def chains(self):
        """Names of the places of each chain."""
        places = [name for name, cell in self.cells.items() if cell["type"] == "CARRY_PLACE"]
        after = {self.pin(name, "CI"): name for name in places}
        found = []
        for name in places:
            before = self.driver.get(self.pin(name, "CI"))
            if before is None or self.cells[before]["type"] != "CARRY_PLACE":
                found.append([name])
                while name := after.get(self.pin(name, "CO")):
                    found[-1].append(name)
        return found

    def levels(self, chains):
        """How many chains lie one behind the other before each, by the name of its first place."""
        node = {name: names[0] for names in chains for name in names}
        feeds = {}
        for name, cell in self.cells.items():
            before = feeds.setdefault(node.get(name, name), set())
            if cell["type"] not in REGISTERS:
                drivers = (self.driver.get(bit) for port, bits in cell["connections"].items()
                           if cell["port_directions"][port] == "input" for bit in bits)
                # (The clock that a PLL feeds back to itself is no way between chains.)
                before |= {node.get(driver, driver) for driver in drivers} - {
                    None, node.get(name, name)}
        levels = {}
        for name in TopologicalSorter(feeds).static_order():
            levels[name] = max((levels[before] + (before in node) for before in feeds[name]),
                               default=0)
        return levels

    def places(self, names):
        """The places of a chain, with those that its carry needs to get in and out."""
        first, last = names[0], names[-1]
        carry, way = self.pin(first, "CI"), {(first, "CI")}
        if (carry == "0" and self.pin(first, "A") == self.pin(first, "B") and names != [last]
                and self.pin(first, "S") not in self.readers):
            carry, way, names = self.pin(first, "A"), {(first, "A"), (first, "B")}, names[1:]
        found = [self.place(carry, carry, way, None)]
        for name in names:
            s, carry = self.pin(name, "S"), self.pin(name, "CO")
            found.append(self.place(self.pin(name, "A"), self.pin(name, "B"),
                                    {(name, "A"), (name, "B")}, s if s in self.readers else None))
            if name == last and carry in self.readers:
                found.append(Place(s=carry))
            elif self.readers.get(carry, set()) - {(after, "CI") for after in names}:
                found.append(Place(init=0xFFFF, s=self.complement(carry)))
        return found

    def place(self, a, b, way, s):
        """The place that adds two bits, with what is before them where that fits; ``way`` is how
        they come to it."""
        plain = [_identity(bit) for bit in (a, b)]
        before = [self.before(bit, way) or same for bit, same in zip((a, b), plain, strict=True)]
        for left, right in product(*zip(before, plain, strict=True)):
            if made := _fitted(left, right):
                for bit, function, same in zip((a, b), (left, right), plain, strict=True):
                    if function != same:
                        self.cells.pop(self.driver[bit], None)
                return Place(*made, s)

    def before(self, bit, way):
        """What the look-up table computes that only has ``bit`` to make, or None."""
        cell = self.cells.get(self.driver.get(bit))
        if cell is None or cell["type"] != "LUT4" or self.readers[bit] - way:
            return None
        pins = [cell["connections"][pin][0] for pin in PINS]
        bits = tuple(dict.fromkeys(pin for pin in pins if isinstance(pin, int)))
        init = int(cell["parameters"]["INIT"], 2)
        return Function(bits, tuple(init >> _address(pins, values) & 1
                                    for values in _assignments(bits)))

    def complement(self, bit):
        """A new bit, whose complement ``bit`` now is."""
        new = self.new_bit()
        self.add_lut("LUT4", "INIT", 0x5555, out=("Z", bit), A=new, B="0", C="0", D="0")
        return new

    def emit(self, name, places):
        """The cells of a chain."""
        places = places + [Place()] * (len(places) % 2)
        # The first place passes no carry on, and the last one's is not read: where there are nets
        # for those, nextpnr spends cells on them.
        carry = "x"
        for k in range(0, len(places), 2):
            pair = places[k:k + 2]
            inputs = {f"{pin}{half}": bit for half, place in enumerate(pair)
                      for pin, bit in zip(PINS, place.pins, strict=True)} | {"CIN": carry}
            carry = self.new_bit() if k + 2 < len(places) else "x"
            outputs = {f"S{half}": place.s or self.new_bit() for half, place in enumerate(pair)}
            self.add(f"{name}_{k // 2}", "CCU2C", {"INJECT1_0": "NO", "INJECT1_1": "NO"} | {
                f"INIT{half}": f"{place.init:016b}" for half, place in enumerate(pair)},
                inputs, outputs | {"COUT": carry})


def _identity(bit):
    return Function((bit,), (0, 1)) if isinstance(bit, int) else Function((), (int(bit == "1"),))


def _assignments(bits):
    for values in range(1 << len(bits)):
        yield {bit: values >> k & 1 for k, bit in enumerate(bits)}


def _address(pins, values):
    return sum(values.get(pin, int(pin == "1")) << k for k, pin in enumerate(pins))


def _fitted(a, b):
    """Pins and table of the place that adds ``a`` and ``b``, or None.

    Where a place does not pass its carry on, its operands are equal, and it gives them on: from
    pins A and B, by the low four bits of its table.
    """
    bits = tuple(dict.fromkeys(a.bits + b.bits))
    for order in permutations(range(len(PINS)), len(bits)):
        # Where pins C and D are free they are 1, and so are the low four bits of the table.
        pins = ["0", "0", "1", "1"]
        for bit, k in zip(bits, order, strict=True):
            pins[k] = bit
        passes = {_address(pins, values): a(values) ^ b(values) for values in _assignments(bits)}
        gives = {(_address(pins, values) & 3, a(values)) for values in _assignments(bits)
                 if not passes[_address(pins, values)]}
        table = dict(gives) | passes
        if all(table[at] == value for at, value in gives):
            return tuple(pins), sum(value << at for at, value in table.items())
    return None


def _strung(places, more):
    """The places of two chains as one: a last place that only hands out the carry also takes the
    next one in."""
    if places and places[-1].init == 0:
        return [*places[:-1], replace(more[0], s=places[-1].s), *more[1:]]
    return places + more
