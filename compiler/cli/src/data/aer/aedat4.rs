//! AEDAT 4.0, as `dv` and `dv-processing` write it.
//!
//! Behind the mark stands a FlatBuffer with a length of its own, the header (`IOHeader`): field 0 is the
//! compression (none, LZ4, LZ4 high, Zstandard, Zstandard high) and field 1 the place of the index at the
//! end, -1 where there is none. Packets follow: the stream's number and the length in bytes, each an
//! `i32`, then the packet, compressed: again a FlatBuffer with its length. Packets of events have the
//! identifier `EVTS` and in field 0 a vector of events of 16 bytes: time in microseconds `i64`, column and
//! row `i16`, polarity `u8`, padding. Packets of frames, triggers and motion are passed over.
//!
//! All numbers are little endian. The crate `aedat` reads the format too, but brings two C libraries, and
//! reads FlatBuffers unchecked; the two tables that are needed take fewer lines than its interface.

use std::io::Read;

use super::{Frame, Spike};

/// How a file begins.
pub(super) const MARK: &[u8] = b"#!AER-DAT4.0\r\n";
const EVENT_BYTES: usize = 16;

/// Reads all events; packets may unpack to `limit` bytes together.
///
/// # Errors
/// What is wrong with the file, and where.
pub(super) fn read(bytes: &[u8], frame: &Frame, limit: u64) -> Result<Vec<Spike>, String> {
    let ends = || "is cut off in its header".to_owned();
    let (header, _) = sized(bytes, MARK.len()).ok_or_else(ends)?;
    let header = Table::root(header).ok_or_else(|| "has a damaged header".to_owned())?;
    let compression = header.field(0).map_or(0, i32::from_le_bytes);
    let index = header.field(1).map_or(-1, i64::from_le_bytes);
    // A recording that was broken off has no index.
    let end = usize::try_from(index).unwrap_or(bytes.len());
    let (_, mut at) = sized(bytes, MARK.len()).ok_or_else(ends)?;
    let mut left = limit;
    let mut events = Events {
        frame,
        stream: None,
        spikes: Vec::new(),
    };
    let mut number = 0;
    while at < end.min(bytes.len()) {
        let in_packet = |what: &str| format!("packet {number} (byte {at}) {what}");
        let stream = bytes_at(bytes, at).map(i32::from_le_bytes);
        let packet = at.checked_add(4).and_then(|at| sized(bytes, at));
        let (Some(stream), Some((packet, next))) = (stream, packet) else {
            return Err(in_packet("is cut off"));
        };
        let packet = unpack(packet, compression, &mut left).map_err(|what| in_packet(&what))?;
        events
            .packet(stream, &packet)
            .map_err(|what| in_packet(&what))?;
        (at, number) = (next, number + 1);
    }
    Ok(events.spikes)
}

fn unpack(packet: &[u8], compression: i32, left: &mut u64) -> Result<Vec<u8>, String> {
    let damaged = |error: &dyn std::fmt::Display| format!("cannot be unpacked: {error}");
    let mut unpacked = Vec::new();
    let most = left.saturating_add(1);
    let n = match compression {
        0 => packet.take(most).read_to_end(&mut unpacked),
        1 | 2 => lz4_flex::frame::FrameDecoder::new(packet)
            .take(most)
            .read_to_end(&mut unpacked),
        3 | 4 => ruzstd::decoding::StreamingDecoder::new(packet)
            .map_err(|error| damaged(&error))?
            .take(most)
            .read_to_end(&mut unpacked),
        other => return Err(format!("has the unknown compression {other}")),
    };
    let n = u64::try_from(n.map_err(|error| damaged(&error))?).unwrap_or(u64::MAX);
    *left = left
        .checked_sub(n)
        .ok_or("unpacks to more than any recording of this length does")?;
    Ok(unpacked)
}

/// What was read so far.
struct Events<'a> {
    frame: &'a Frame,
    /// The one that has events.
    stream: Option<i32>,
    spikes: Vec<Spike>,
}

impl Events<'_> {
    fn packet(&mut self, stream: i32, packet: &[u8]) -> Result<(), String> {
        let damaged = || "is damaged".to_owned();
        let (packet, _) = sized(packet, 0).ok_or_else(damaged)?;
        if packet.get(4..8) != Some(b"EVTS") {
            return Ok(());
        }
        let first = *self.stream.get_or_insert(stream);
        if first != stream {
            return Err(format!(
                "has events of stream {stream}, and those before are of stream {first}: a recording \
                 is of one camera"
            ));
        }
        let table = Table::root(packet).ok_or_else(damaged)?;
        let events = match table.vector(0, EVENT_BYTES) {
            Some(events) => events.ok_or_else(damaged)?,
            None => return Ok(()),
        };
        for (n, event) in events.as_chunks::<EVENT_BYTES>().0.iter().enumerate() {
            let [t @ .., _, _, _, _, _, _, _, _] = *event;
            let [_, _, _, _, _, _, _, _, x0, x1, y0, y1, on, ..] = *event;
            let [x, y] = [[x0, x1], [y0, y1]].map(|place| u16::from_le_bytes(place).into());
            let spike = self.frame.event(i64::from_le_bytes(t), x, y, on != 0);
            self.spikes
                .push(spike.map_err(|what| format!("event {n} {what}"))?);
        }
        Ok(())
    }
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn length_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(bytes_at(bytes, at)?)).ok()
}

/// What stands behind its length at `at`, and where that ends.
fn sized(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let begin = at.checked_add(4)?;
    let end = begin.checked_add(length_at(bytes, at)?)?;
    Some((bytes.get(begin..end)?, end))
}

/// A table of a FlatBuffer.
struct Table<'a> {
    buffer: &'a [u8],
    at: usize,
}

impl<'a> Table<'a> {
    fn root(buffer: &'a [u8]) -> Option<Self> {
        let at = length_at(buffer, 0)?;
        Some(Self { buffer, at })
    }

    /// Where a field is: the list of places lies before the table and begins with its own length.
    fn place(&self, field: usize) -> Option<usize> {
        let back = i32::from_le_bytes(bytes_at(self.buffer, self.at)?);
        let list = i64::try_from(self.at).ok()?.checked_sub(back.into())?;
        let list = usize::try_from(list).ok()?;
        let length = usize::from(u16::from_le_bytes(bytes_at(self.buffer, list)?));
        let entry = 4 + 2 * field;
        if entry + 2 > length {
            return None;
        }
        let offset = bytes_at(self.buffer, list.checked_add(entry)?)?;
        match usize::from(u16::from_le_bytes(offset)) {
            0 => None,
            offset => self.at.checked_add(offset),
        }
    }

    /// A number; `None` where it has its default value.
    fn field<const N: usize>(&self, field: usize) -> Option<[u8; N]> {
        bytes_at(self.buffer, self.place(field)?)
    }

    /// A vector of elements of so many bytes: `None` if there is none, `Some(None)` if it is cut off.
    fn vector(&self, field: usize, size: usize) -> Option<Option<&'a [u8]>> {
        let place = self.place(field)?;
        let read = || {
            let begin = place.checked_add(length_at(self.buffer, place)?)?;
            let n_bytes = length_at(self.buffer, begin)?.checked_mul(size)?;
            self.buffer.get(begin.checked_add(4)?..)?.get(..n_bytes)
        };
        Some(read())
    }
}
