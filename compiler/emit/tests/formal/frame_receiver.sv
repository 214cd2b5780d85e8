// The receiver of frames, `FrameReceiver::new(2)`, beside the protocol as docs/link.md tells it:
// bytes are counted from the sync on, and the checksum is computed bit by bit.
reg began = 0;
reg inside_frame = 0;
reg [8:0] n_bytes = 0;
reg [7:0] n_payload = 0;
reg [15:0] sum = 16'hffff;
reg low_byte_right = 0;
reg [2:0] idle = 0;
// The end of the last right frame.
reg [8:0] end_of_last = 0;

wire take = rx_valid && rx_ready;
wire give_up = inside_frame && idle == 4;
wire [8:0] n_stored = 9'd7 + n_payload;
wire is_stored = inside_frame && n_bytes < n_stored;
wire is_low = inside_frame && n_bytes == n_stored;
wire is_high = inside_frame && n_bytes == n_stored + 9'd1;

always @(posedge clock) begin
    began <= 1;
    if (!inside_frame) begin
        n_bytes <= 0;
        sum <= 16'hffff;
        idle <= 0;
        inside_frame <= take && rx_data == 8'ha5;
    end else if (give_up) begin
        inside_frame <= 0;
    end else if (take) begin
        idle <= 0;
        n_bytes <= n_bytes + 1;
        if (n_bytes == 0) n_payload <= rx_data;
        if (n_bytes == 0 || is_stored) sum <= bit_by_bit(sum, rx_data);
        if (n_bytes != 0 && is_low) low_byte_right <= rx_data == sum[7:0];
        if (n_bytes != 0 && is_high) begin
            inside_frame <= 0;
            if (low_byte_right && rx_data == sum[15:8]) end_of_last <= end_of_last + n_stored;
        end
    end else if (rx_ready) begin
        idle <= idle + 1;
    end
end

wire [8:0] position = n_bytes < n_stored ? n_bytes : n_stored;
wire first = inside_frame && n_bytes == 0;

always @(*) begin
    // What the outside sees.
    frame_end_wrong: assert (last_pointer == end_of_last);
    if (!inside_frame) frame_deaf_while_hunting: assert (rx_ready);
    frame_store_wrong: assert (buffer_write_en == (take && (first || is_stored)));
    if (buffer_write_en) frame_place_wrong: assert (buffer_write_address == end_of_last + n_bytes && buffer_write_data == rx_data);
    if (give_up) frame_takes_after_silence: assert (!rx_ready);

    // Why: each register is what the protocol's state says. The step needs these.
    assert (inside_frame == (\state.q != 0));
    if (inside_frame) begin
        assert (idle <= 4 && \silence.q == idle);
        if (n_bytes == 0) assert (\state.q == 1 && \header_idx.q == 0);
        else if (n_bytes < 7) begin
            assert (\state.q == 2 && \header_idx.q == n_bytes - 1);
            assert (\payload_left.q == n_payload);
        end else if (n_bytes < n_stored) begin
            assert (\state.q == 3);
            assert (\payload_left.q == n_stored - n_bytes - 1);
        end else begin
            assert (n_bytes <= n_stored + 1);
            assert (\state.q == (is_low ? 4 : 5));
        end
        assert (\crc.q == sum);
        assert (\write_pointer.q == end_of_last + (n_bytes == 0 ? 9'd0 : position));
        if (n_bytes > 7 && is_high) assert (\low_right.q == low_byte_right);
    end
end
