// A board's SPI flash behind the circuit, for simulation: mode 0, 0xAB and 0x03 and nothing else.
//
// It is as the configuration of an iCE40 leaves it, in deep power-down, where it listens to nothing
// but 0xAB, 8 bits long, and is then awake `WAKE_CYCLES` later. `clock` is there to count them.
// What is not in the image is erased.
module spi_flash #(
  parameter BYTES = 1,
  parameter WAKE_CYCLES = 1
) (
  input wire clock,
  input wire ss,
  input wire sck,
  input wire mosi,
  output reg miso
);
  localparam ROW_BITS = BYTES > 1 ? $clog2(BYTES) : 1;
  reg [7:0] rows [0:BYTES-1];
  initial $readmemh("flash.hex", rows);

  reg [31:0] command;
  reg [5:0] n_bits;
  initial n_bits = 6'd0;
  always @(posedge sck or posedge ss)
    if (ss) n_bits <= 6'd0;
    else begin
      command <= {command[30:0], mosi};
      if (n_bits != 6'd32) n_bits <= n_bits + 6'd1;
    end

  // Deep power-down.
  reg woken, awake;
  reg [31:0] n_waited;
  initial begin
    woken = 1'b0;
    awake = 1'b0;
    n_waited = 32'd0;
  end
  always @(posedge ss) if (n_bits == 6'd8 && command[7:0] == 8'hab) woken <= 1'b1;
  always @(posedge clock)
    if (woken && !awake) begin
      n_waited <= n_waited + 32'd1;
      awake <= n_waited == WAKE_CYCLES;
    end

  // A flash that sleeps when it is selected ignores the command.
  reg listens;
  initial listens = 1'b0;
  always @(negedge ss) listens <= awake;

  reg sends;
  reg [23:0] address;
  reg [2:0] place;
  initial begin
    sends = 1'b0;
    miso = 1'b1;
  end
  wire [23:0] from = sends ? address : command[23:0];
  wire [7:0] row = {8'd0, from} < BYTES ? rows[from[ROW_BITS-1:0]] : 8'hff;
  always @(negedge sck or posedge ss)
    if (ss) begin
      sends <= 1'b0;
      miso <= 1'b1;
    end else if (sends) begin
      miso <= row[place];
      place <= place - 3'd1;
      if (place == 3'd0) address <= address + 24'd1;
    end else if (listens && n_bits == 6'd32 && command[31:24] == 8'h03) begin
      sends <= 1'b1;
      miso <= row[7];
      place <= 3'd6;
      address <= command[23:0];
    end
endmodule
