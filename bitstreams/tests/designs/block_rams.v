// Block RAMs in all four shapes, with contents, with a mask, and one that is only read.

module dual_port #(
    parameter ADDRESS = 8,
    parameter WIDTH   = 16,
    parameter IMAGE   = "none"
) (
    input  wire               clock,
    input  wire               read,
    input  wire [ADDRESS-1:0] read_address,
    output reg  [  WIDTH-1:0] read_data,
    input  wire               write,
    input  wire [ADDRESS-1:0] write_address,
    input  wire [  WIDTH-1:0] write_data
);
  (* ram_style = "block" *) reg [WIDTH-1:0] memory[0:(1<<ADDRESS)-1];
  initial $readmemh(IMAGE, memory);
  always @(posedge clock) begin
    if (read) read_data <= memory[read_address];
    if (write) memory[write_address] <= write_data;
  end
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

  wire [15:0] by_16, masked, constant;
  wire [7:0] by_8;
  wire [3:0] by_4;
  wire [1:0] by_2;

  dual_port #(.ADDRESS(8), .WIDTH(16), .IMAGE("by_16.hex")) ram_16 (
      .clock(clock),
      .read(first | word[0]), .read_address(word[8:1]), .read_data(by_16),
      .write(word[9]), .write_address(word[17:10]), .write_data(word[33:18]));
  dual_port #(.ADDRESS(9), .WIDTH(8), .IMAGE("by_8.hex")) ram_8 (
      .clock(clock),
      .read(first | word[10]), .read_address(word[19:11]), .read_data(by_8),
      .write(word[20]), .write_address(word[29:21]), .write_data(word[37:30]));
  dual_port #(.ADDRESS(10), .WIDTH(4), .IMAGE("by_4.hex")) ram_4 (
      .clock(clock),
      .read(1'b1), .read_address(word[29:20]), .read_data(by_4),
      .write(word[30]), .write_address(word[40:31]), .write_data(word[44:41]));
  dual_port #(.ADDRESS(11), .WIDTH(2), .IMAGE("by_2.hex")) ram_2 (
      .clock(clock),
      .read(first | word[30]), .read_address(word[41:31]), .read_data(by_2),
      .write(word[42]), .write_address(word[53:43]), .write_data(word[55:54]));

  // Written a nibble at a time; the address comes straight from another memory's output.
  (* ram_style = "block" *) reg [15:0] nibbles[0:255];
  initial $readmemh("nibbles.hex", nibbles);
  reg [15:0] nibbles_out;
  wire [7:0] address = known ? by_16[7:0] : 8'd0;
  integer i;
  always @(posedge clock) begin
    nibbles_out <= nibbles[address];
    for (i = 0; i < 4; i = i + 1)
      if (word[40+i]) nibbles[word[51:44]][4*i+:4] <= word[4*i+:4];
  end
  assign masked = nibbles_out;

  (* rom_style = "block" *) reg [15:0] table_of[0:255];
  initial $readmemh("constant.hex", table_of);
  reg [15:0] constant_out;
  always @(posedge clock) constant_out <= table_of[word[63:56]];
  assign constant = constant_out;

  wire [61:0] seen = {by_16, by_8, by_4, by_2, masked, constant};
  signature #(.WIDTH(62)) signature (
      .clock(clock), .data(known ? seen : 62'd0), .bit_out(uart_tx));
endmodule
