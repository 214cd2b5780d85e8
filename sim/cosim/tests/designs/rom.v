// Answers each byte with the table's entry at that address, one cycle later.
module rom (
    input  wire       clock,
    input  wire       reset,
    input  wire       rx_valid,
    output wire       rx_ready,
    input  wire [7:0] rx_data,
    output reg        tx_valid,
    input  wire       tx_ready,
    output reg  [7:0] tx_data
);
  reg [7:0] memory[0:255];
  initial $readmemh("tables/table.hex", memory);

  assign rx_ready = !tx_valid || tx_ready;

  always @(posedge clock) begin
    if (rx_ready) tx_data <= memory[rx_data];
    if (reset) tx_valid <= 1'b0;
    else if (rx_ready) tx_valid <= rx_valid;
  end
endmodule
