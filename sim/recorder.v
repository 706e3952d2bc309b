// Records the transfers of a stream to a file: one hexadecimal number a line, one line a transfer.
//
//   +<NAME>=FILE        the file; without it transfers are counted only
//   +<NAME>_count=N     raise done after N transfers
//   +<NAME>_stall=N     be not ready with a probability of N / 256 in each cycle
`timescale 1ns/1ps

module recorder #(
    parameter NAME  = "output",
    parameter WIDTH = 8
) (
    input             clk,
    input             rst,
    input             valid,
    output reg        ready,
    input [WIDTH-1:0] payload,
    output reg        done,
    output reg [31:0] count,
    output reg [31:0] cycles,
    output reg [31:0] first,
    output reg [31:0] last
);
    localparam BYTES = (WIDTH + 7) / 8;

    reg [8*4096-1:0]   path;
    wire [8*BYTES-1:0] whole = payload;
    integer            file, stall, target;

    initial begin
        file = 0;
        if ($value$plusargs({NAME, "=%s"}, path)) begin
            file = $fopen(path, "w");
            if (file == 0) $fatal(1, "recorder %s: it cannot write its file", NAME);
        end
        if (!$value$plusargs({NAME, "_count=%d"}, target)) target = 0;
        if (!$value$plusargs({NAME, "_stall=%d"}, stall)) stall = 0;
        ready = 0;
    end

    // Cycle 0 is the first one after reset.
    always @(posedge clk) begin
        ready <= stall == 0 || $urandom % 256 >= stall;
        if (rst) begin
            {done, count, cycles, first, last} <= 0;
        end else begin
            cycles <= cycles + 1;
            if (valid && ready) begin
                if (file != 0) $fwrite(file, "%h\n", whole);
                if (count == 0) first <= cycles;
                last  <= cycles;
                count <= count + 1;
                done  <= done || count + 1 == target;
            end
        end
    end
endmodule
