// Single-port RAMs of the UP5K: they power up with anything, so what has not been written is
// not looked at. Two of them side by side and two one above the other.

module single_port #(
    parameter ADDRESS = 14,
    parameter WIDTH   = 16
) (
    input  wire               clock,
    input  wire               enable,
    input  wire               write,
    input  wire [ADDRESS-1:0] address,
    input  wire [  WIDTH-1:0] write_data,
    output reg  [  WIDTH-1:0] read_data
);
  (* ram_style = "huge" *) reg [WIDTH-1:0] memory[0:(1<<ADDRESS)-1];
  always @(posedge clock)
    if (enable) begin
      if (write) memory[address] <= write_data;
      else read_data <= memory[address];
    end
endmodule

// Remembers which of sixteen words have been written.
module written (
    input  wire       clock,
    input  wire       enable,
    input  wire       write,
    input  wire [3:0] word,
    // The last access was a read of a word that had been written.
    output reg        valid
);
  reg [15:0] flags = 16'd0;
  initial valid = 1'b0;
  always @(posedge clock) begin
    valid <= enable & ~write & flags[word];
    if (enable & write) flags[word] <= 1'b1;
  end
endmodule

module top (
    input  wire clock,
    input  wire uart_rx,
    output wire uart_tx
);
  wire [63:0] word;
  noise noise (.clock(clock), .seed(uart_rx), .word(word));

  // Sixteen words far apart: every address bit is used, two of them at once for most.
  function [13:0] wide_address(input [3:0] word);
    wide_address = {word[3], ~word[3], word[2:0], word[1], {2{word[2]}}, word[0], ~word[0],
                    word[3:0]};
  endfunction

  wire [31:0] wide;
  wire wide_valid;
  single_port #(.ADDRESS(14), .WIDTH(32)) side_by_side (
      .clock(clock), .enable(word[4]), .write(word[5]), .address(wide_address(word[3:0])),
      .write_data(word[37:6]), .read_data(wide));
  written wide_written (
      .clock(clock), .enable(word[4]), .write(word[5]), .word(word[3:0]), .valid(wide_valid));

  wire [15:0] deep;
  wire deep_valid;
  wire [3:0] chosen = word[41:38];
  single_port #(.ADDRESS(15), .WIDTH(16)) one_above_the_other (
      .clock(clock), .enable(1'b1), .write(word[42]),
      .address({chosen[0], wide_address(chosen)}),
      .write_data(word[58:43]), .read_data(deep));
  written deep_written (
      .clock(clock), .enable(1'b1), .write(word[42]), .word(chosen), .valid(deep_valid));

  signature #(.WIDTH(50)) signature (
      .clock(clock),
      .data({wide_valid, wide_valid ? wide : 32'd0, deep_valid, deep_valid ? deep : 16'd0}),
      .bit_out(uart_tx));
endmodule
