// A queue of 4 events of 4 bits, `EventFifo::new(2, 2, 1)`: one event is followed from its arrival to
// its departure. Which one is free, so that what holds for it holds for all.
(* anyconst *) wire [2:0] followed;
reg [3:0] word = 0;
reg waits = 0;
reg began = 0;
wire [2:0] oldest = \read_pointer$q ;
wire [2:0] newest = \write_pointer$q ;
wire [2:0] age = followed - oldest;
wire [3:0] out = {event_out_index, event_out_kind};

always @(posedge clock) begin
    began <= 1;
    if (event_in_valid && event_in_ready && newest == followed) begin
        word <= {event_in_index, event_in_kind};
        waits <= 1;
    end
    if (event_out_valid && event_out_ready && oldest == followed) waits <= 0;
end

always @(*) begin
    fifo_level_beyond_depth: assert (level <= 4);
    fifo_ready_while_full: assert (event_in_ready == (level < 4));
    if (level >= 3) fifo_margin_untold: assert (nearly_full);
    fifo_event_lost: assert (waits == (age < level));
    if (waits) fifo_word_changed: assert (\memory.rows [followed[1:0]] == word);
    if (event_out_valid) fifo_valid_while_empty: assert (level != 0);
    if (event_out_valid) fifo_row_stale: assert (\memory.row == \memory.rows [oldest[1:0]]);
    if (event_out_valid && oldest == followed) fifo_order_broken: assert (waits && out == word);
end

always @(posedge clock) if (began) begin
    if ($past(event_out_valid && !event_out_ready)) fifo_withdrawn: assert (event_out_valid && out == $past(out));
    if ($past(level != 0 && !pop)) fifo_event_not_offered: assert (event_out_valid);
end
