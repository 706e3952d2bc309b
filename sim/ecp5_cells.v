// ECP5 cells that a board's top instantiates, as far as a simulation of its function needs them.
// Ports and parameters as in Lattice's FPGA Libraries Reference Guide.
`timescale 1ns/1ps

module IB (
    input  I,
    output O
);
    assign O = I;
endmodule

module OBZ (
    input  I,
    input  T,
    output O
);
    assign O = T ? 1'bz : I;
endmodule

// The bench's clock is that of the design: the PLL passes it on, and is locked.
module EHXPLLL #(
    parameter CLKI_DIV     = 1,
    parameter CLKFB_DIV    = 1,
    parameter FEEDBK_PATH  = "CLKOP",
    parameter CLKOP_ENABLE = "ENABLED",
    parameter CLKOP_DIV    = 8,
    parameter CLKOP_CPHASE = 0,
    parameter CLKOP_FPHASE = 0,
    parameter CLKOS_ENABLE = "DISABLED",
    parameter CLKOS_DIV    = 8,
    parameter CLKOS_CPHASE = 0,
    parameter CLKOS_FPHASE = 0
) (
    input  CLKI,
    input  CLKFB,
    input  PHASESEL1,
    input  PHASESEL0,
    input  PHASEDIR,
    input  PHASESTEP,
    input  PHASELOADREG,
    input  STDBY,
    input  PLLWAKESYNC,
    input  RST,
    input  ENCLKOP,
    input  ENCLKOS,
    output CLKOP,
    output CLKOS,
    output LOCK
);
    assign CLKOP = CLKI;
    assign CLKOS = CLKI;
    assign LOCK  = ~RST;
endmodule
