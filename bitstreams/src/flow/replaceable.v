// Tables whose contents may be replaced in the finished bitstream: a look-up table for every bit of 16
// rows, which no optimisation looks into. Selected by the attribute `replaceable`. The family is a
// macro: ICE40, ECP5 or GOWIN.
(* techmap_celltype = "$mem_v2" *)
module replaceable_table (RD_CLK, RD_EN, RD_ARST, RD_SRST, RD_ADDR, RD_DATA, WR_CLK, WR_EN, WR_ADDR, WR_DATA);

parameter MEMID = "";
parameter SIZE = 1;
parameter OFFSET = 0;
parameter ABITS = 1;
parameter WIDTH = 1;
parameter INIT = 0;
parameter RD_PORTS = 1;
parameter RD_CLK_ENABLE = 0;
parameter RD_CLK_POLARITY = 0;
parameter RD_TRANSPARENCY_MASK = 0;
parameter RD_COLLISION_X_MASK = 0;
parameter RD_WIDE_CONTINUATION = 0;
parameter RD_CE_OVER_SRST = 0;
parameter RD_ARST_VALUE = 0;
parameter RD_SRST_VALUE = 0;
parameter RD_INIT_VALUE = 0;
parameter WR_PORTS = 0;
parameter WR_CLK_ENABLE = 0;
parameter WR_CLK_POLARITY = 0;
parameter WR_PRIORITY_MASK = 0;
parameter WR_WIDE_CONTINUATION = 0;

input RD_CLK;
input RD_EN;
input RD_ARST;
input RD_SRST;
input [ABITS-1:0] RD_ADDR;
output [WIDTH-1:0] RD_DATA;
input WR_CLK;
input WR_EN;
input [ABITS-1:0] WR_ADDR;
input [WIDTH-1:0] WR_DATA;

wire _TECHMAP_FAIL_ = RD_PORTS != 1 || WR_PORTS != 0 || OFFSET != 0;

// What is in rows that the memory has not: with it the inputs of a table of few rows can be told apart
// after routing, which swaps them.
localparam [15:0] FILL = 16'hb2e4;
localparam BLOCKS = (SIZE + 15) / 16;
localparam [SIZE*WIDTH-1:0] CONTENTS = INIT;
// Inputs of a table that an address within the memory can change.
localparam INPUTS = SIZE > 8 ? 4 : SIZE > 4 ? 3 : SIZE > 2 ? 2 : 1;

wire [ABITS+3:0] address = RD_ADDR;
wire [WIDTH-1:0] data;

genvar b, k;
generate
    for (b = 0; b < WIDTH; b = b + 1) begin : bits
        wire [BLOCKS-1:0] rows;
        for (k = 0; k < BLOCKS; k = k + 1) begin : block
            // Not by a function: Yosys would copy all contents at each of its calls.
            localparam [15:0] TABLE = {
                16*k+15 < SIZE ? CONTENTS[(16*k+15)*WIDTH+b] === 1'b1 : FILL[15],
                16*k+14 < SIZE ? CONTENTS[(16*k+14)*WIDTH+b] === 1'b1 : FILL[14],
                16*k+13 < SIZE ? CONTENTS[(16*k+13)*WIDTH+b] === 1'b1 : FILL[13],
                16*k+12 < SIZE ? CONTENTS[(16*k+12)*WIDTH+b] === 1'b1 : FILL[12],
                16*k+11 < SIZE ? CONTENTS[(16*k+11)*WIDTH+b] === 1'b1 : FILL[11],
                16*k+10 < SIZE ? CONTENTS[(16*k+10)*WIDTH+b] === 1'b1 : FILL[10],
                16*k+9 < SIZE ? CONTENTS[(16*k+9)*WIDTH+b] === 1'b1 : FILL[9],
                16*k+8 < SIZE ? CONTENTS[(16*k+8)*WIDTH+b] === 1'b1 : FILL[8],
                16*k+7 < SIZE ? CONTENTS[(16*k+7)*WIDTH+b] === 1'b1 : FILL[7],
                16*k+6 < SIZE ? CONTENTS[(16*k+6)*WIDTH+b] === 1'b1 : FILL[6],
                16*k+5 < SIZE ? CONTENTS[(16*k+5)*WIDTH+b] === 1'b1 : FILL[5],
                16*k+4 < SIZE ? CONTENTS[(16*k+4)*WIDTH+b] === 1'b1 : FILL[4],
                16*k+3 < SIZE ? CONTENTS[(16*k+3)*WIDTH+b] === 1'b1 : FILL[3],
                16*k+2 < SIZE ? CONTENTS[(16*k+2)*WIDTH+b] === 1'b1 : FILL[2],
                16*k+1 < SIZE ? CONTENTS[(16*k+1)*WIDTH+b] === 1'b1 : FILL[1],
                16*k+0 < SIZE ? CONTENTS[(16*k+0)*WIDTH+b] === 1'b1 : FILL[0]
            };
`ifdef ICE40
            SB_LUT4 #(.LUT_INIT(TABLE)) lut (
                .I0(address[0]), .I1(address[1]), .I2(address[2]), .I3(address[3]), .O(rows[k])
            );
`endif
`ifdef ECP5
            LUT4 #(.INIT(TABLE)) lut (
                .A(address[0]),
                .B(INPUTS > 1 ? address[1] : 1'b0),
                .C(INPUTS > 2 ? address[2] : 1'b0),
                .D(INPUTS > 3 ? address[3] : 1'b0),
                .Z(rows[k])
            );
`endif
`ifdef GOWIN
            // With as many inputs as there are, for Yosys would take away those that are constant.
            case (INPUTS)
                1: begin : sized
                    LUT1 #(.INIT(TABLE[1:0])) lut (.I0(address[0]), .F(rows[k]));
                end
                2: begin : sized
                    LUT2 #(.INIT(TABLE[3:0])) lut (.I0(address[0]), .I1(address[1]), .F(rows[k]));
                end
                3: begin : sized
                    LUT3 #(.INIT(TABLE[7:0])) lut (
                        .I0(address[0]), .I1(address[1]), .I2(address[2]), .F(rows[k])
                    );
                end
                default: begin : sized
                    LUT4 #(.INIT(TABLE)) lut (
                        .I0(address[0]), .I1(address[1]), .I2(address[2]), .I3(address[3]),
                        .F(rows[k])
                    );
                end
            endcase
`endif
        end
        if (BLOCKS == 1)
            assign data[b] = rows[0];
        else
            assign data[b] = rows[address[ABITS+3:4]];
    end
    if (RD_CLK_ENABLE)
        \$dffe #(.WIDTH(WIDTH), .CLK_POLARITY(RD_CLK_POLARITY), .EN_POLARITY(1'b1))
            register (.CLK(RD_CLK), .EN(RD_EN), .D(data), .Q(RD_DATA));
    else
        assign RD_DATA = data;
endgenerate

endmodule
