// Ports of all kinds: every C++ type that Verilator uses, an offset range, odd names.
module ports (
    input  wire         clock,
    input  wire         one,
    input  wire [  6:0] seven,
    input  wire [ 12:0] thirteen,
    input  wire [ 30:0] thirty_one,
    input  wire [ 59:0] sixty,
    input  wire [ 95:0] wide,
    input  wire [  8:1] offset,
    input  wire         a__b,
    input  wire         \odd[3] ,
    output wire [207:0] narrow_out,
    output reg  [128:0] wide_out,
    output wire [ 59:0] sixty_out,
    output wire [  7:0] offset_out,
    output wire [  1:0] odd_out
);
  assign narrow_out = {wide, sixty, thirty_one, thirteen, seven, one};
  assign sixty_out  = ~sixty;
  assign offset_out = offset;
  assign odd_out    = {a__b, \odd[3] };
  initial wide_out = 129'd0;
  always @(posedge clock) wide_out <= {thirteen[0], thirty_one, one, wide};
endmodule
