// The clock of a bench. A clock that Verilog makes costs a third of one that cocotb makes.
`timescale 1ns/1ps

module clock (
    output reg clk
);
    initial clk = 0;

    always #5 clk = ~clk;
endmodule
