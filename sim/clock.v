// The clock of a bench, and the reset that it begins with: high for four cycles.
//
// A clock made here costs a third of one made by cocotb. And when reset is a register like any
// other, what depends on it is computed once a cycle; as an input of the model it is three times.
`timescale 1ns/1ps

module clock (
    output reg clk,
    output reg rst
);
    reg [1:0] cycle;

    initial begin
        clk   = 0;
        rst   = 1;
        cycle = 0;
    end

    always #5 clk = ~clk;

    always @(posedge clk) begin
        cycle <= cycle + 1;
        if (cycle == 3) rst <= 0;
    end
endmodule
