// The clock of a bench, and the reset that it begins with.
//
// A clock made here costs a third of one made by cocotb; and a model without inputs is not asked
// twice a cycle what hangs on them.
`timescale 1ns/1ps

module clock (
    output reg clk,
    output reg rst
);
    initial begin
        clk = 0;
        rst = 1;
        #42 rst = 0;
    end

    always #5 clk = ~clk;
endmodule
