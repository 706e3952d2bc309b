// Plays a file of payloads into a stream: one hexadecimal number a line, one line a transfer.
//
//   +<NAME>=FILE        the file
//   +<NAME>_stall=N     offer nothing with a probability of N / 256 in each cycle
`timescale 1ns/1ps

module player #(
    parameter NAME  = "input",
    parameter WIDTH = 8
) (
    input                  clk,
    input                  rst,
    output reg             valid,
    input                  ready,
    output reg [WIDTH-1:0] payload
);
    reg [8*4096-1:0] path;
    reg [WIDTH-1:0]  next;
    reg              more;
    integer          file, stall;

    initial begin
        file = 0;
        if ($value$plusargs({NAME, "=%s"}, path)) file = $fopen(path, "r");
        if (file == 0) $fatal(1, "player %s: it has no file that it can read", NAME);
        if (!$value$plusargs({NAME, "_stall=%d"}, stall)) stall = 0;
        more  = $fscanf(file, "%h\n", next) == 1;
        valid = 0;
    end

    // What is not on offer is noise: nobody may look at it.
    always @(posedge clk) begin
        if (rst) begin
            valid <= 0;
        end else if (!valid || ready) begin
            if (more && (stall == 0 || $urandom % 256 >= stall)) begin
                valid   <= 1;
                payload <= next;
                more    <= $fscanf(file, "%h\n", next) == 1;
            end else begin
                valid   <= 0;
                payload <= {(WIDTH + 31) / 32{$urandom}};
            end
        end
    end
endmodule
