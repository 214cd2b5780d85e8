//! Recordings of events in the forms before AEDAT 4.
//!
//! AEDAT 3.1 begins with lines of text up to `#!END-HEADER`. Packets follow, all little endian: a header
//! of 28 bytes (type `u16`, source `u16`, then `u32` each the size of an event, where its time is, the
//! overflows of the time, the capacity, the number of events, how many of them are valid), and the events.
//! A polarity event (type 1) has two `u32`: bit 0 is 1 where it is valid, bit 1 is the polarity, bits 2 to
//! 16 are the row and 17 to 31 the column; and the lower 31 bits of the time in microseconds.
//!
//! N-MNIST has 40 bits an event, big endian: column and row of 8 bits, one bit of polarity, and the time in
//! microseconds of 23 bits.
//!
//! AEDAT 2.0 is refused: what its addresses mean depends on the camera.

use super::{Frame, Spike};

/// How files of AEDAT before 4.0 begin; see [`read`].
pub(super) const MARK: &[u8] = b"#!AER-DAT";

const HEADER_END: &[u8] = b"#!END-HEADER\r\n";
const HEADER_BYTES: usize = 28;
const POLARITY: u16 = 1;

/// Reads AEDAT 3.1.
///
/// # Errors
/// What is wrong with the file, and where.
pub(super) fn read(bytes: &[u8], frame: &Frame) -> Result<Vec<Spike>, String> {
    if !bytes.starts_with(b"#!AER-DAT3.1\r\n") {
        let version = bytes[MARK.len()..].split(|&b| b == b'\r' || b == b'\n');
        let version = version.map(String::from_utf8_lossy).next();
        let version: String = version.unwrap_or_default().chars().take(8).collect();
        return Err(format!(
            "is a recording in AEDAT {version}, and those in 3.1 and 4.0 are read: convert it first"
        ));
    }
    let header_end = bytes
        .windows(HEADER_END.len())
        .position(|at| at == HEADER_END)
        .ok_or_else(|| "has no end of its header".to_owned())?;
    let mut at = header_end + HEADER_END.len();
    let mut spikes = Vec::new();
    while at < bytes.len() {
        let in_packet = |what: &str| format!("the packet at byte {at} {what}");
        let packet = packet(&bytes[at..]).ok_or_else(|| in_packet("is cut off"))?;
        if packet.kind == POLARITY {
            let events = packet.polarities(frame);
            spikes.extend(events.map_err(|what| in_packet(&what))?);
        }
        at += HEADER_BYTES + packet.events.len();
    }
    Ok(spikes)
}

struct Packet<'a> {
    kind: u16,
    size: usize,
    time_overflows: u32,
    events: &'a [u8],
}

fn packet(bytes: &[u8]) -> Option<Packet<'_>> {
    let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let word = |at: usize| header[at..].first_chunk().map(|&b| u32::from_le_bytes(b));
    let size = usize::try_from(word(4)?).ok()?;
    let n = usize::try_from(word(20)?).ok()?;
    Some(Packet {
        kind: u16::from_le_bytes([header[0], header[1]]),
        size,
        time_overflows: word(12)?,
        events: rest.get(..n.checked_mul(size)?)?,
    })
}

impl Packet<'_> {
    fn polarities(&self, frame: &Frame) -> Result<Vec<Spike>, String> {
        if self.size != 8 {
            return Err(format!("has events of {} bytes, not of 8", self.size));
        }
        let events = self.events.as_chunks::<8>().0.iter();
        let events = events.map(|&[a, b, c, d, e, f, g, h]| {
            let [data, time] = [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes);
            let time = i64::from(self.time_overflows) << 31 | i64::from(time & 0x7fff_ffff);
            (data, time)
        });
        let is_valid = |(data, _): &(u32, i64)| data & 1 == 1;
        events
            .enumerate()
            .filter(|(_, event)| is_valid(event))
            .map(|(n, (data, time))| {
                let spike = frame.event(time, data >> 17, data >> 2 & 0x7fff, data & 2 != 0);
                spike.map_err(|what| format!("event {n} {what}"))
            })
            .collect()
    }
}

/// Reads a file of N-MNIST.
///
/// # Errors
/// What is wrong with the file, and where.
pub(super) fn read_nmnist(bytes: &[u8], frame: &Frame) -> Result<Vec<Spike>, String> {
    let (events, rest) = bytes.as_chunks::<5>();
    if !rest.is_empty() {
        return Err(format!(
            "has {} bytes, and an event of N-MNIST takes 5",
            bytes.len()
        ));
    }
    let events = events.iter().enumerate();
    events
        .map(|(n, &[x, y, polarity, middle, low])| {
            let time = u32::from_be_bytes([0, polarity & 0x7f, middle, low]);
            let spike = frame.event(time.into(), x.into(), y.into(), polarity & 0x80 != 0);
            spike.map_err(|what| format!("event {n} {what}"))
        })
        .collect()
}
