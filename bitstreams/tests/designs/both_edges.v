// Every flip-flop that the device has.

module top (
    input  wire clock,
    input  wire uart_rx,
    output wire uart_tx
);
  wire [63:0] word;
  noise noise (.clock(clock), .seed(uart_rx), .word(word));

  // An asynchronous reset must not glitch: it comes from a flip-flop of its own.
  reg clear = 1'b0, set = 1'b0;
  always @(posedge clock) begin
    clear <= word[50] & word[51];
    set   <= word[52] & word[53];
  end

  wire [39:0] out;
  genvar kind;
  generate
    for (kind = 0; kind < 4; kind = kind + 1) begin : kinds
      flip_flops #(.FALLING(kind[0]), .ASYNCHRONOUS(kind[1])) under_test (
          .clock(clock), .enable(word[kind]), .clear(clear), .set(set),
          .data(word[10*kind+4+:10]), .out(out[10*kind+:10]));
    end
  endgenerate

  // What changes at the falling edge is looked at half a cycle later.
  reg [39:0] seen = 40'd0;
  always @(posedge clock) seen <= out;
  signature #(.WIDTH(40)) signature (.clock(clock), .data(seen), .bit_out(uart_tx));
endmodule
