// A lane of 9 bits with weights of 4: exact where the sum fits, which range analysis promises.
wire signed [11:0] exact = $signed(accumulator) + $signed(weight);
wire fits = exact >= -256 && exact < 256;

always @(*) begin
    if (!clear && fits) lane_sum_wrong: assert ($signed(sum) == exact);
    if (clear) lane_not_cleared: assert (sum == 0);
end
