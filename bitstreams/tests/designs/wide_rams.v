// Block RAMs in the shapes of an ECP5 and a Gowin device, two of which nobody may ask what a read
// during a write gives, and small RAMs that are made of tables.

module wide_port #(
    parameter ADDRESS = 9,
    parameter WIDTH   = 36,
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
  (* no_rw_check, ram_style = "block" *) reg [WIDTH-1:0] memory[0:(1<<ADDRESS)-1];
  initial $readmemh(IMAGE, memory);
  always @(posedge clock) begin
    if (read) read_data <= memory[read_address];
    if (write) memory[write_address] <= write_data;
  end
endmodule

module table_ram (
    input  wire       clock,
    input  wire [4:0] read_address,
    output wire [5:0] now,
    output reg  [5:0] later,
    input  wire       write,
    input  wire [4:0] write_address,
    input  wire [5:0] write_data
);
  reg [5:0] rows[0:31];
  integer i;
  initial for (i = 0; i < 32; i = i + 1) rows[i] = 7 * i;
  assign now = rows[read_address];
  always @(posedge clock) begin
    later <= rows[read_address];
    if (write) rows[write_address] <= write_data;
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

  wire [35:0] by_36;
  wire [17:0] by_18;
  wire [8:0] by_9;
  wire [3:0] by_4;
  wire [1:0] by_2;
  wire by_1;
  wire [5:0] now, later;

  // One half is read while the other is written, so that the two never meet.
  wide_port #(.ADDRESS(9), .WIDTH(36), .IMAGE("by_36.hex")) ram_36 (
      .clock(clock),
      .read(first | word[0]), .read_address({word[60], word[8:1]}), .read_data(by_36),
      .write(word[9]), .write_address({~word[60], word[17:10]}), .write_data(word[53:18]));
  wide_port #(.ADDRESS(10), .WIDTH(18), .IMAGE("by_18.hex")) ram_18 (
      .clock(clock),
      .read(first | word[10]), .read_address({word[61], word[19:11]}), .read_data(by_18),
      .write(word[20]), .write_address({~word[61], word[29:21]}), .write_data(word[47:30]));
  wide_port #(.ADDRESS(11), .WIDTH(9), .IMAGE("by_9.hex")) ram_9 (
      .clock(clock),
      .read(1'b1), .read_address({word[62], word[29:20]}), .read_data(by_9),
      .write(word[30]), .write_address({~word[62], word[40:31]}), .write_data(word[49:41]));
  wide_port #(.ADDRESS(12), .WIDTH(4), .IMAGE("by_4.hex")) ram_4 (
      .clock(clock),
      .read(first | word[30]), .read_address({word[63], word[41:31]}), .read_data(by_4),
      .write(word[42]), .write_address({~word[63], word[53:43]}), .write_data(word[57:54]));
  wide_port #(.ADDRESS(13), .WIDTH(2), .IMAGE("by_2.hex")) ram_2 (
      .clock(clock),
      .read(1'b1), .read_address({word[0], word[41:30]}), .read_data(by_2),
      .write(word[42]), .write_address({~word[0], word[12:1]}), .write_data(word[55:54]));
  // The address comes straight from another memory's output.
  wide_port #(.ADDRESS(14), .WIDTH(1), .IMAGE("by_1.hex")) ram_1 (
      .clock(clock),
      .read(known), .read_address({word[5], by_9, by_18[3:0]}), .read_data(by_1),
      .write(word[7]), .write_address({~word[5], word[20:8]}), .write_data(word[21]));
  table_ram table_ram (
      .clock(clock),
      .read_address(word[4:0]), .now(now), .later(later),
      .write(word[5]), .write_address(word[10:6]), .write_data(word[16:11]));

  reg [15:0] seen = 16'd0;
  always @(posedge clock)
    if (known)
      seen <= {seen[14:0], seen[15]} ^ {now, later, by_4} ^ {by_2, 13'd0, by_1 & (&age)}
          ^ by_36[15:0] ^ {by_36[35:20]} ^ by_18[15:0] ^ {by_18[17:16], by_9, 5'd0};
  assign uart_tx = ^seen;
endmodule
