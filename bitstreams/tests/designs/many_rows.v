// A memory that is only read, and whose rows are so many that fewest block RAMs of 36 bits leave many
// banks to select from: 11 of them, or 12 of other shapes with three banks.

module top (
    input  wire clock,
    input  wire uart_rx,
    output wire uart_tx
);
  wire [63:0] word;
  noise noise (.clock(clock), .seed(uart_rx), .word(word));

  // The memory's output holds nothing known before the first read.
  reg [1:0] age = 2'd0;
  always @(posedge clock) if (age != 2'd3) age <= age + 2'd1;

  (* ram_style = "block" *) reg [33:0] rows[0:5599];
  initial $readmemh("rows.hex", rows);
  wire [12:0] address = word[12:0] > 13'd5599 ? {1'b0, word[11:0]} : word[12:0];
  reg [33:0] data;
  always @(posedge clock) if (age == 2'd0 || word[13]) data <= rows[address];

  signature #(.WIDTH(34)) signature (
      .clock(clock),
      .data(data & {34{age == 2'd2 || age == 2'd3}}),
      .bit_out(uart_tx));
endmodule
