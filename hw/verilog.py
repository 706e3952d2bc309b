"""Components become Verilog, and Verilog modules components."""
from amaranth import *
from amaranth.back import verilog
from amaranth.lib import wiring
from amaranth.lib.wiring import In


def convert(component, name: str, *, header: str = "", **options) -> str:
    """Verilog of ``component`` as module ``name``, below ``header`` as comment lines.

    Ports are named after the component's members: ``i__payload``, ``i__valid``, ``i__ready``, …
    """
    comment = "".join(f"// {line}\n" for line in header.splitlines())
    text = verilog.convert(component, name=name, emit_src=False, strip_internal_attrs=True,
                           **options)
    return comment + text


class External(wiring.Component):
    """The module ``name`` that :func:`convert` wrote of ``component``, with its ports ``i``
    and ``o``; the Verilog is added to the design as a file."""
    def __init__(self, component, name: str):
        self.name = name
        super().__init__({port: component.signature.members[port] for port in ("i", "o")})

    def elaborate(self, platform):
        m = Module()

        ports = {}
        for path, member, value in self.signature.flatten(self):
            direction = "i" if member.flow is In else "o"
            ports[f"{direction}_{'__'.join(map(str, path))}"] = value
        m.submodules.module = Instance(self.name, i_clk=ClockSignal(), i_rst=ResetSignal(), **ports)

        return m
