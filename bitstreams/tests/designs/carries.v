// Carry chains: long ones, with a carry in and out, with constants, and comparisons.

module top (
    input  wire clock,
    input  wire uart_rx,
    output wire uart_tx
);
  wire [63:0] word;
  noise noise (.clock(clock), .seed(uart_rx), .word(word));

  // 48 bits take seven tiles.
  reg [47:0] accumulator = 48'd0;
  always @(posedge clock) accumulator <= accumulator + word[47:0];

  wire [8:0] with_carry = word[7:0] + word[15:8] + word[16];
  wire [16:0] difference = {1'b0, word[15:0]} - {1'b0, word[31:16]};
  wire [12:0] plus_constant = word[44:32] + 13'h0aa7;
  wire [10:0] minus_one = word[60:50] - 11'd1;
  wire less = word[19:0] < word[39:20];
  wire signed_less = $signed(word[63:48]) < $signed(word[47:32]);
  wire at_least = word[9:0] >= 10'd613;

  // Counts up or down, with an enable and a synchronous reset.
  reg [9:0] counter = 10'd0;
  always @(posedge clock)
    if (word[3:0] == 4'd0) counter <= 10'd0;
    else if (word[4]) counter <= word[5] ? counter - 10'd1 : counter + 10'd1;

  reg [111:0] seen = 112'd0;
  always @(posedge clock)
    seen <= {accumulator, with_carry, difference, plus_constant, minus_one, less, signed_less,
             at_least, counter, 1'b0};
  signature #(.WIDTH(112)) signature (.clock(clock), .data(seen), .bit_out(uart_tx));
endmodule
