// iCE40 cells that a board's top instantiates, as far as a simulation of its function needs them.
// Ports and parameters as in Lattice's iCE40 Technology Library; registered pins are left out.
`timescale 1ns/1ps

module SB_IO #(
    parameter [5:0] PIN_TYPE           = 6'b000000,
    parameter [0:0] PULLUP             = 1'b0,
    parameter [0:0] NEG_TRIGGER        = 1'b0,
    parameter       IO_STANDARD        = "SB_LVCMOS"
) (
    inout  PACKAGE_PIN,
    input  LATCH_INPUT_VALUE,
    input  CLOCK_ENABLE,
    input  INPUT_CLK,
    input  OUTPUT_CLK,
    input  OUTPUT_ENABLE,
    input  D_OUT_0,
    input  D_OUT_1,
    output D_IN_0,
    output D_IN_1
);
    assign D_IN_0 = PACKAGE_PIN;
    assign D_IN_1 = 1'b0;

    generate
        if (PIN_TYPE[5:2] == 4'b1010) begin : tristate
            assign PACKAGE_PIN = OUTPUT_ENABLE ? D_OUT_0 : 1'bz;
        end else if (PIN_TYPE[5:2] == 4'b0110) begin : always_on
            assign PACKAGE_PIN = D_OUT_0;
        end else if (PIN_TYPE[5:2] != 4'b0000) begin : unknown
            initial $fatal(1, "SB_IO: pin type %b is not modelled", PIN_TYPE);
        end
        if (PIN_TYPE[1:0] != 2'b01) begin : registered
            initial $fatal(1, "SB_IO: pin type %b is not modelled", PIN_TYPE);
        end
    endgenerate
endmodule

module SB_GB_IO #(
    parameter [5:0] PIN_TYPE           = 6'b000000,
    parameter [0:0] PULLUP             = 1'b0,
    parameter [0:0] NEG_TRIGGER        = 1'b0,
    parameter       IO_STANDARD        = "SB_LVCMOS"
) (
    inout  PACKAGE_PIN,
    output GLOBAL_BUFFER_OUTPUT,
    output D_IN_0
);
    assign GLOBAL_BUFFER_OUTPUT = PACKAGE_PIN;
    assign D_IN_0               = PACKAGE_PIN;
endmodule

module SB_GB (
    input  USER_SIGNAL_TO_GLOBAL_BUFFER,
    output GLOBAL_BUFFER_OUTPUT
);
    assign GLOBAL_BUFFER_OUTPUT = USER_SIGNAL_TO_GLOBAL_BUFFER;
endmodule

// The bench's clock is that of the design: the PLL passes it on, and is locked.
module SB_PLL40_PAD #(
    parameter       FEEDBACK_PATH      = "SIMPLE",
    parameter [3:0] DIVR               = 4'b0000,
    parameter [6:0] DIVF               = 7'b0000000,
    parameter [2:0] DIVQ               = 3'b000,
    parameter [2:0] FILTER_RANGE       = 3'b000
) (
    input  PACKAGEPIN,
    input  RESETB,
    input  BYPASS,
    output PLLOUTCORE,
    output PLLOUTGLOBAL,
    output LOCK
);
    assign PLLOUTCORE   = PACKAGEPIN;
    assign PLLOUTGLOBAL = PACKAGEPIN;
    assign LOCK         = RESETB;
endmodule
