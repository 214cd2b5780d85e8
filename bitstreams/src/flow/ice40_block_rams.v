// Maps Yosys' generic block RAM to iCE40's, as its own `brams_map.v` does and to the same netlist.
//
// That file computes the initial contents bit by bit in a constant function, which takes Yosys 0.70
// half a second for every memory with other contents: two thirds of the time of a synthesis. Here
// the contents are moved in a few operations on all 4096 bits.
module \$__ICE40_RAM4K_ (...);

parameter INIT = 0;
parameter OPTION_HAS_BE = 1;
parameter PORT_R_WIDTH = 16;
parameter PORT_W_WIDTH = 16;
parameter PORT_W_WR_BE_WIDTH = 16;
parameter PORT_R_CLK_POL = 1;
parameter PORT_W_CLK_POL = 1;

input PORT_R_CLK;
input PORT_R_RD_EN;
input [10:0] PORT_R_ADDR;
output [PORT_R_WIDTH-1:0] PORT_R_RD_DATA;

input PORT_W_CLK;
input PORT_W_WR_EN;
input [15:0] PORT_W_WR_BE;
input [10:0] PORT_W_ADDR;
input [PORT_W_WIDTH-1:0] PORT_W_WR_DATA;

// Falling edges are left to Yosys' own file, which runs after this one.
wire _TECHMAP_FAIL_ = !PORT_R_CLK_POL || !PORT_W_CLK_POL;

// The position of a bit in its word of 16 is read backwards: bits 0 and 3 of the position change
// places, then bits 1 and 2. Those that differ move, the others stay.
localparam [4095:0] CONTENTS = INIT;
localparam [4095:0] OUTER = (CONTENTS & {256{16'haa55}})
    | ((CONTENTS & {256{16'h00aa}}) << 7) | ((CONTENTS >> 7) & {256{16'h00aa}});
localparam [4095:0] PLACED = (OUTER & {256{16'hc3c3}})
    | ((OUTER & {256{16'h0c0c}}) << 2) | ((OUTER >> 2) & {256{16'h0c0c}});

localparam [1:0] READ_MODE = PORT_R_WIDTH == 16 ? 0 : PORT_R_WIDTH == 8 ? 1 : PORT_R_WIDTH == 4 ? 2 : 3;
localparam [1:0] WRITE_MODE = PORT_W_WIDTH == 16 ? 0 : PORT_W_WIDTH == 8 ? 1 : PORT_W_WIDTH == 4 ? 2 : 3;

wire [15:0] RDATA;
wire [15:0] WDATA;
wire [15:0] MASK;

genvar i;
generate
    for (i = 0; i < PORT_R_WIDTH; i = i + 1) begin : read
        // Where bit `i` of a word is: its number backwards, and in narrow modes one of the blanks.
        localparam B = PORT_R_WIDTH == 16 ? 8 * i[0] + 4 * i[1] + 2 * i[2] + i[3]
            : PORT_R_WIDTH == 8 ? 8 * i[0] + 4 * i[1] + 2 * i[2]
            : PORT_R_WIDTH == 4 ? 8 * i[0] + 4 * i[1] + 1 : 8 * i[0] + 3;
        assign PORT_R_RD_DATA[i] = RDATA[B];
    end
    for (i = 0; i < PORT_W_WIDTH; i = i + 1) begin : write
        localparam B = PORT_W_WIDTH == 16 ? 8 * i[0] + 4 * i[1] + 2 * i[2] + i[3]
            : PORT_W_WIDTH == 8 ? 8 * i[0] + 4 * i[1] + 2 * i[2]
            : PORT_W_WIDTH == 4 ? 8 * i[0] + 4 * i[1] + 1 : 8 * i[0] + 3;
        assign WDATA[B] = PORT_W_WR_DATA[i];
        if (PORT_W_WIDTH == 16)
            assign MASK[B] = ~PORT_W_WR_BE[i];
    end
endgenerate

SB_RAM40_4K #(
    .INIT_0(PLACED[255:0]),
    .INIT_1(PLACED[511:256]),
    .INIT_2(PLACED[767:512]),
    .INIT_3(PLACED[1023:768]),
    .INIT_4(PLACED[1279:1024]),
    .INIT_5(PLACED[1535:1280]),
    .INIT_6(PLACED[1791:1536]),
    .INIT_7(PLACED[2047:1792]),
    .INIT_8(PLACED[2303:2048]),
    .INIT_9(PLACED[2559:2304]),
    .INIT_A(PLACED[2815:2560]),
    .INIT_B(PLACED[3071:2816]),
    .INIT_C(PLACED[3327:3072]),
    .INIT_D(PLACED[3583:3328]),
    .INIT_E(PLACED[3839:3584]),
    .INIT_F(PLACED[4095:3840]),
    .READ_MODE(READ_MODE),
    .WRITE_MODE(WRITE_MODE)
) _TECHMAP_REPLACE_ (
    .RDATA(RDATA),
    .RCLK(PORT_R_CLK),
    .RCLKE(PORT_R_RD_EN),
    .RE(1'b1),
    .RADDR({PORT_R_ADDR[0], PORT_R_ADDR[1], PORT_R_ADDR[2], PORT_R_ADDR[10:3]}),
    .WDATA(WDATA),
    .WCLK(PORT_W_CLK),
    .WCLKE(PORT_W_WR_EN),
    .WE(1'b1),
    .WADDR({PORT_W_ADDR[0], PORT_W_ADDR[1], PORT_W_ADDR[2], PORT_W_ADDR[10:3]}),
    .MASK(MASK)
);

endmodule
