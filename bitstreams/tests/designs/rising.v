// Flip-flops as our designs have them: rising edge, synchronous reset.

module top (
    input  wire clock,
    input  wire uart_rx,
    output wire uart_tx
);
  wire [63:0] word;
  noise noise (.clock(clock), .seed(uart_rx), .word(word));
  wire [9:0] out;
  flip_flops rising (
      .clock(clock), .enable(word[0]), .clear(word[1] & word[2]), .set(word[3] & word[4]),
      .data(word[14:5]), .out(out));
  signature #(.WIDTH(10)) signature (.clock(clock), .data(out), .bit_out(uart_tx));
endmodule
