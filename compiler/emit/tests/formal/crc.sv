// CRC-16/IBM-3740 bit by bit, as its definition has it.
function [15:0] bit_by_bit;
    input [15:0] sum;
    input [7:0] value;
    integer i;
    begin
        bit_by_bit = sum ^ {value, 8'h00};
        for (i = 0; i < 8; i = i + 1)
            bit_by_bit = bit_by_bit[15] ? (bit_by_bit << 1) ^ 16'h1021 : bit_by_bit << 1;
    end
endfunction

