// Adds pairs of bytes: two bytes in, then the 16-bit sum out, low byte first.
module adder (
    input  wire       clock,
    input  wire       reset,
    input  wire       rx_valid,
    output wire       rx_ready,
    input  wire [7:0] rx_data,
    output wire       tx_valid,
    input  wire       tx_ready,
    output wire [7:0] tx_data
);
  reg [1:0] state;
  reg [8:0] sum;

  assign rx_ready = !state[1];
  assign tx_valid = state[1];
  assign tx_data  = state[0] ? {7'd0, sum[8]} : sum[7:0];

  always @(posedge clock) begin
    if (reset) begin
      state <= 2'd0;
    end else if ((rx_valid && rx_ready) || (tx_valid && tx_ready)) begin
      state <= state + 2'd1;
      if (state == 2'd0) sum <= {1'b0, rx_data};
      if (state == 2'd1) sum <= sum + {1'b0, rx_data};
    end
  end
endmodule
