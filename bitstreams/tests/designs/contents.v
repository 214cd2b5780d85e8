// Memories that are only read, and whose contents may be replaced in a finished design: one with more
// rows than a block RAM of its width, whose parts are banks of rows, and tables of few rows.

module rows_in_blocks (
    input  wire        clock,
    input  wire        read,
    input  wire [10:0] address,
    output reg  [29:0] data
);
  (* ram_style = "block" *) reg [29:0] rows[0:1299];
  initial $readmemh("banks.hex", rows);
  always @(posedge clock) if (read) data <= rows[address];
endmodule

module rows_in_tables #(
    parameter ADDRESS = 2,
    parameter DEPTH   = 3,
    parameter WIDTH   = 5,
    parameter IMAGE   = "none"
) (
    input  wire               clock,
    input  wire               read,
    input  wire [ADDRESS-1:0] address,
    output reg  [  WIDTH-1:0] data
);
  (* replaceable, ram_style = "logic" *) reg [WIDTH-1:0] rows[0:DEPTH-1];
  initial $readmemh(IMAGE, rows);
  always @(posedge clock) if (read) data <= rows[address];
endmodule

module top (
    input  wire clock,
    input  wire uart_rx,
    output wire uart_tx
);
  wire [63:0] word;
  noise noise (.clock(clock), .seed(uart_rx), .word(word));

  // The memories' outputs hold nothing known before the first read.
  reg [1:0] age = 2'd0;
  always @(posedge clock) if (age != 2'd3) age <= age + 2'd1;
  wire first = age == 2'd0;
  wire known = age == 2'd2 || age == 2'd3;

  // Addresses within the memories: from 0 to 1299, 1, 2, 4, 15 and 99.
  wire [10:0] bank_address = word[10:0] > 11'd1299 ? {1'b0, word[9:0]} : word[10:0];
  wire [29:0] banks;
  rows_in_blocks rows_in_blocks (
      .clock(clock), .read(first | word[11]), .address(bank_address), .data(banks));
  wire [3:0] two;
  rows_in_tables #(.ADDRESS(1), .DEPTH(2), .WIDTH(4), .IMAGE("two.hex")) rows_2 (
      .clock(clock), .read(first | word[12]), .address(word[13]), .data(two));
  wire [4:0] three;
  rows_in_tables #(.ADDRESS(2), .DEPTH(3), .WIDTH(5), .IMAGE("three.hex")) rows_3 (
      .clock(clock), .read(1'b1), .address(word[15:14] & {1'b1, ~word[15]}), .data(three));
  wire [2:0] five;
  rows_in_tables #(.ADDRESS(3), .DEPTH(5), .WIDTH(3), .IMAGE("five.hex")) rows_5 (
      .clock(clock), .read(1'b1), .address(word[18:16] & {1'b1, ~word[18], ~word[18]}), .data(five));
  wire [2:0] sixteen;
  rows_in_tables #(.ADDRESS(4), .DEPTH(16), .WIDTH(3), .IMAGE("sixteen.hex")) rows_16 (
      .clock(clock), .read(first | word[19]), .address(word[23:20]), .data(sixteen));
  wire [3:0] hundred;
  rows_in_tables #(.ADDRESS(7), .DEPTH(100), .WIDTH(4), .IMAGE("hundred.hex")) rows_100 (
      .clock(clock), .read(1'b1),
      .address(word[30:29] == 2'd3 ? {5'b11000, word[25:24]} : {word[30:29], word[28:24]}),
      .data(hundred));

  signature #(.WIDTH(49)) signature (
      .clock(clock),
      .data({banks, two, three, five, sixteen, hundred} & {49{known}}),
      .bit_out(uart_tx));
endmodule
