// Counts cycles; `third` is high in every third one. `held` and `memory` have no power-up value.
module counter (
    input  wire        clock,
    input  wire        reset,
    input  wire [ 7:0] address,
    output reg  [31:0] count,
    output wire        third,
    output wire [95:0] wide,
    output reg  [63:0] held,
    output wire [31:0] word
);
  reg [1:0] phase;
  reg [31:0] memory[0:255];

  initial count = 32'd0;
  initial phase = 2'd0;

  assign third = phase == 2'd2;
  assign wide  = {count, ~count, 32'h89abcdef};
  assign word  = memory[address];

  always @(posedge clock) begin
    count <= count + 32'd1;
    phase <= third ? 2'd0 : phase + 2'd1;
    if (reset) held <= 64'd0;
    if (reset) memory[address] <= 32'd0;
  end
endmodule
