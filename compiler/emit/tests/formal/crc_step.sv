always @(*) crc_wrong: assert (crc_next == bit_by_bit(crc, data));
