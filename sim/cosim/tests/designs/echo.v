// A UART that sends every byte back, plus one. It buffers a single byte.
module echo #(
    parameter [15:0] CYCLES_PER_BIT = `CYCLES_PER_BIT
) (
    input  wire clock,
    input  wire reset,
    input  wire uart_rx,
    output wire uart_tx
);
  reg [ 3:0] rx_bit;
  reg [15:0] rx_count;
  reg [ 7:0] rx_shift;
  reg        full;
  reg [ 7:0] held;
  reg [ 3:0] tx_bit;
  reg [15:0] tx_count;
  reg [ 9:0] tx_shift;

  // The next start bit may follow the stop bit at once: input comes back to back too.
  wire       tx_free = tx_bit == 4'd0 || (tx_bit == 4'd1 && tx_count == 16'd0);

  assign uart_tx = tx_bit == 4'd0 || tx_shift[0];

  always @(posedge clock) begin
    if (reset) begin
      rx_bit <= 4'd0;
      tx_bit <= 4'd0;
      full   <= 1'b0;
    end else begin
      if (rx_bit == 4'd0) begin
        if (!uart_rx) begin
          rx_bit   <= 4'd1;
          rx_count <= CYCLES_PER_BIT + CYCLES_PER_BIT / 2 - 16'd1;
        end
      end else if (rx_count != 16'd0) begin
        rx_count <= rx_count - 16'd1;
      end else begin
        rx_count <= CYCLES_PER_BIT - 16'd1;
        rx_shift <= {uart_rx, rx_shift[7:1]};
        rx_bit   <= rx_bit + 4'd1;
        if (rx_bit == 4'd9) begin
          rx_bit <= 4'd0;
          held   <= rx_shift + 8'd1;
          full   <= 1'b1;
        end
      end

      if (full && tx_free) begin
        full     <= 1'b0;
        tx_shift <= {1'b1, held, 1'b0};
        tx_bit   <= 4'd10;
        tx_count <= CYCLES_PER_BIT - 16'd1;
      end else if (tx_bit == 4'd0) begin
        tx_count <= 16'd0;
      end else if (tx_count != 16'd0) begin
        tx_count <= tx_count - 16'd1;
      end else begin
        tx_count <= CYCLES_PER_BIT - 16'd1;
        tx_shift <= {1'b1, tx_shift[9:1]};
        tx_bit   <= tx_bit - 4'd1;
      end
    end
  end
endmodule
