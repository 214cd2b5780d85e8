// Products of every shape, marked for multipliers: one block, several, of signed and unsigned
// factors, with bits that are not looked at.

module top (
    input  wire clock,
    input  wire uart_rx,
    output wire uart_tx
);
  wire [63:0] word;
  noise noise (.clock(clock), .seed(uart_rx), .word(word));

  wire signed [17:0] a = word[17:0];
  wire signed [17:0] b = word[45:28];
  wire signed [35:0] full = a * (* product = 324 *) b;
  wire signed [13:0] narrow = $signed(word[8:0]) * (* product = 45 *) $signed(word[63:59]);
  // One more bit than a block has.
  wire signed [36:0] wider = $signed(word[40:22]) * (* product = 342 *) $signed(word[63:46]);
  // Four blocks.
  wire signed [63:0] wide = $signed(word[31:0]) * (* product = 1024 *) $signed(word[63:32]);
  // Unsigned, and a product of which the low half is wanted.
  wire [15:0] low = word[15:0] * (* product = 256 *) word[47:32];
  // Too narrow, and not marked.
  wire [5:0] tiny = word[2:0] * (* product = 9 *) word[14:12];
  wire [9:0] unmarked = word[7:3] * word[19:15];
  // Sums of products and a product of a product.
  wire signed [20:0] sum = $signed({{7{narrow[13]}}, narrow}) + $signed({word[50], word[50:31]});
  wire signed [22:0] again = sum[10:0] * (* product = 132 *) full[35:24];

  reg [183:0] seen = 184'd0;
  always @(posedge clock) seen <= {full, narrow, wider, wide, low, tiny, unmarked} ^ {161'd0, again};
  signature #(.WIDTH(184)) signature (.clock(clock), .data(seen), .bit_out(uart_tx));
endmodule
