// The far end of a board's serial line: bytes to bits and back, without help from outside.
//
// A byte of send goes out when send_new changes; send_done follows when its stop bit is over. A
// byte that arrived is in received when received_new changes; one without a stop bit is counted
// in errors. Bits last CLOCK / BAUD cycles on average.
`timescale 1ns/1ps

module uart_model #(
    parameter CLOCK = 12000000,
    parameter BAUD  = 3000000
) (
    input            clk,
    input      [7:0] send,
    input            send_new,
    output reg       send_done,
    output reg [7:0] received,
    output reg       received_new,
    output reg [7:0] errors,
    output reg       tx,
    input            rx
);
    reg [31:0] tx_phase, rx_phase;
    reg [3:0]  tx_bit, rx_bit;
    reg [8:0]  tx_shift;
    reg [7:0]  rx_shift;

    initial begin
        {send_done, received_new} = 0;
        {received, errors}        = 0;
        {tx_phase, rx_phase}      = 0;
        {tx_bit, rx_bit}          = 0;
        tx_shift                  = 0;
        rx_shift                  = 0;
        tx                        = 1;
    end

    // tx_bit and rx_bit count the bits to come, the present one included.
    always @(posedge clk) begin
        if (tx_bit == 0) begin
            if (send_new != send_done) begin
                tx_bit   <= 10;
                tx_shift <= {1'b1, send};
                tx_phase <= BAUD;
                tx       <= 0;
            end
        end else if (tx_phase + BAUD < CLOCK) begin
            tx_phase <= tx_phase + BAUD;
        end else begin
            tx_phase <= tx_phase + BAUD - CLOCK;
            tx_bit   <= tx_bit - 1;
            tx_shift <= {1'b1, tx_shift[8:1]};
            tx       <= tx_shift[0];
            if (tx_bit == 1) send_done <= send_new;
        end

        if (rx_bit == 0) begin
            rx_phase <= CLOCK / 2;
            if (!rx) rx_bit <= 10;
        end else if (rx_phase + BAUD < CLOCK) begin
            rx_phase <= rx_phase + BAUD;
        end else begin
            rx_phase <= rx_phase + BAUD - CLOCK;
            rx_bit   <= rx_bit - 1;
            rx_shift <= {rx, rx_shift[7:1]};
            if (rx_bit == 10 && rx) rx_bit <= 0;
            if (rx_bit == 1 && rx) begin
                received     <= rx_shift;
                received_new <= !received_new;
            end
            if (rx_bit == 1 && !rx) errors <= errors + 1;
        end
    end
endmodule
