// What every design here is built around: many pseudo-random bits in, one bit out.
//
// The designs have the three ports of a board. `noise` spreads the bits that arrive on `uart_rx`
// over 64 wires, and `signature` folds any number of wires into the bit that leaves on `uart_tx`.
// Both are linear and lose nothing: once a wire differs, the signature stays different.

module noise (
    input  wire        clock,
    input  wire        seed,
    output wire [63:0] word
);
  // An xorshift generator; the bit that arrives is added to its state.
  reg  [63:0] state = 64'h9e37_79b9_7f4a_7c15;
  wire [63:0] a = state ^ (state << 13);
  wire [63:0] b = a ^ (a >> 7);
  wire [63:0] c = b ^ (b << 17);
  always @(posedge clock) state <= c ^ {63'd0, seed};
  assign word = state;
endmodule

module signature #(
    parameter WIDTH = 1
) (
    input  wire             clock,
    input  wire [WIDTH-1:0] data,
    output reg              bit_out
);
  // Longer than the data, so that no two of its bits are folded into one.
  localparam LENGTH = WIDTH + 1;
  reg [LENGTH-1:0] state = 0;
  initial bit_out = 1'b0;
  // Turned by one place a cycle; two places feed back, or a bit would only go round.
  always @(posedge clock) begin
    state   <= {state[LENGTH-2:0], state[LENGTH-1] ^ state[LENGTH/2]} ^ {data, 1'b0};
    bit_out <= state[LENGTH-1] ^ state[LENGTH/3];
  end
endmodule
