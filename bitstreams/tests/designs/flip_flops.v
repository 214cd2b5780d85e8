// Flip-flops with and without enable, with each kind of reset, at one edge of the clock.

module flip_flops #(
    parameter FALLING      = 0,
    parameter ASYNCHRONOUS = 0
) (
    input  wire       clock,
    input  wire       enable,
    input  wire       clear,
    input  wire       set,
    input  wire [9:0] data,
    output wire [9:0] out
);
  // Inverting a wire is no cell of its own: the flip-flops get the falling edge.
  wire edge_of = FALLING ? ~clock : clock;

  // Plain, with enable, and powered up at 1.
  reg plain = 1'b0, enabled = 1'b0, starts_high = 1'b1;
  always @(posedge edge_of) begin
    plain <= data[0];
    if (enable) enabled <= data[1];
    if (enable) starts_high <= data[2];
  end
  assign out[2:0] = {starts_high, enabled, plain};

  reg cleared = 1'b0, is_set = 1'b0, cleared_enabled = 1'b0, set_enabled = 1'b0;
  assign out[6:3] = {set_enabled, cleared_enabled, is_set, cleared};

  // The enable also holds back the reset.
  reg held_clear = 1'b0, held_set = 1'b0;
  // Powered up at 1 and cleared: the cell holds the inverse.
  reg odd = 1'b1;
  assign out[9:7] = {odd, held_set, held_clear};

  generate
    if (ASYNCHRONOUS) begin : with_asynchronous
      always @(posedge edge_of, posedge clear)
        if (clear) cleared <= 1'b0; else cleared <= data[3];
      always @(posedge edge_of, posedge set)
        if (set) is_set <= 1'b1; else is_set <= data[4];
      always @(posedge edge_of, posedge clear)
        if (clear) cleared_enabled <= 1'b0; else if (enable) cleared_enabled <= data[5];
      always @(posedge edge_of, posedge set)
        if (set) set_enabled <= 1'b1; else if (enable) set_enabled <= data[6];
    end else begin : with_synchronous
      always @(posedge edge_of) begin
        if (clear) cleared <= 1'b0; else cleared <= data[3];
        if (set) is_set <= 1'b1; else is_set <= data[4];
        if (clear) cleared_enabled <= 1'b0; else if (enable) cleared_enabled <= data[5];
        if (set) set_enabled <= 1'b1; else if (enable) set_enabled <= data[6];
        if (enable) begin
          if (clear) held_clear <= 1'b0; else held_clear <= data[7];
          if (set) held_set <= 1'b1; else held_set <= data[8];
        end
        if (clear) odd <= 1'b0; else odd <= data[9];
      end
    end
  endgenerate
endmodule
