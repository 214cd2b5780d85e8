// A FIFO of four bytes.
module fifo (
    input  wire       clock,
    input  wire       reset,
    input  wire       rx_valid,
    output wire       rx_ready,
    input  wire [7:0] rx_data,
    output wire       tx_valid,
    input  wire       tx_ready,
    output wire [7:0] tx_data,
    output wire [2:0] level
);
  reg [7:0] memory[0:3];
  reg [2:0] head;
  reg [2:0] tail;

  assign level    = head - tail;
  assign rx_ready = level != 3'd4;
  assign tx_valid = level != 3'd0;
  assign tx_data  = memory[tail[1:0]];

  wire push = rx_valid && rx_ready;
  wire pop = tx_valid && tx_ready;

  always @(posedge clock) begin
    if (push) memory[head[1:0]] <= rx_data;
    if (reset) begin
      head <= 3'd0;
      tail <= 3'd0;
    end else begin
      if (push) head <= head + 3'd1;
      if (pop) tail <= tail + 3'd1;
    end
  end

  fifo_pushed_while_full :
  assert property (@(posedge clock) reset || !(push && level == 3'd4))
  else $error("fifo_pushed_while_full");
endmodule
