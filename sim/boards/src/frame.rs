//! Frames: how commands and answers look on the wire.
//!
//! The protocol is specified in `docs/link.md`. This module encodes and decodes both directions and
//! moves no bytes; [`Client`](crate::Client) is the host's end, [`SoftwareDevice`] a device's.
//!
//! [`SoftwareDevice`]: crate::SoftwareDevice

use crc::{CRC_16_IBM_3740, Crc};

use crate::error::Error;
use crate::map::Space;

/// First byte of a frame to the device.
pub const COMMAND_SYNC: u8 = 0xa5;

/// First byte of a frame from the device.
pub const ANSWER_SYNC: u8 = 0x5a;

/// Most bytes a frame carries.
pub const MAX_PAYLOAD: usize = 255;

/// Bytes of a command without payload: sync, length, sequence, command, space, address, checksum.
pub const COMMAND_OVERHEAD: usize = 10;

/// Bytes of an answer without payload: sync, length, sequence, status, checksum.
pub const ANSWER_OVERHEAD: usize = 6;

/// Bytes that a device stores of a command without payload: neither sync nor checksum.
pub const STORED_OVERHEAD: usize = 7;

/// Bytes of waiting commands that every device has room for.
pub const DEVICE_BUFFER: usize = 504;

/// Bytes of a space; addresses have 24 bits.
pub const SPACE_SIZE: u32 = 1 << 24;

const CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_3740);

/// Codes of commands.
pub mod command {
    /// Read as many bytes as the one byte of payload says.
    pub const READ: u8 = 1;
    /// Write the payload.
    pub const WRITE: u8 = 2;
}

/// Codes of an answer's status.
pub mod status {
    /// Done.
    pub const OK: u8 = 0;
    /// There is no such command; nothing was done.
    pub const UNKNOWN_COMMAND: u8 = 1;
    /// A bad length, space or address. What was read is not sent; of what was to be written, the
    /// bytes that have a place may have been.
    pub const BAD_ACCESS: u8 = 2;
}

/// A frame to the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandFrame {
    sequence: u8,
    command: u8,
    space: Space,
    address: u32,
    payload: Vec<u8>,
}

impl CommandFrame {
    /// A frame with any command.
    ///
    /// # Errors
    /// If the address has more than 24 bits or the payload more than 255 bytes.
    pub fn new(
        sequence: u8,
        command: u8,
        space: Space,
        address: u32,
        payload: Vec<u8>,
    ) -> Result<Self, Error> {
        if address >= SPACE_SIZE {
            return Err(Error::Address {
                address,
                n_bytes: 1,
                limit: SPACE_SIZE,
            });
        }
        if payload.len() > MAX_PAYLOAD {
            return Err(Error::Payload {
                n_bytes: payload.len(),
                limit: MAX_PAYLOAD,
            });
        }
        Ok(Self {
            sequence,
            command,
            space,
            address,
            payload,
        })
    }

    /// Names the command in its answer.
    pub fn sequence(&self) -> u8 {
        self.sequence
    }

    /// What to do, see [`command`].
    pub fn command(&self) -> u8 {
        self.command
    }

    /// Where.
    pub fn space(&self) -> Space {
        self.space
    }

    /// From which byte.
    pub fn address(&self) -> u32 {
        self.address
    }

    /// What, or how much.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Bytes of the device's buffer that the frame takes until it is executed.
    pub fn stored_bytes(&self) -> usize {
        STORED_OVERHEAD + self.payload.len()
    }

    /// The bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let [a0, a1, a2, _] = self.address.to_le_bytes();
        let header = [self.sequence, self.command, self.space.0, a0, a1, a2];
        encode(COMMAND_SYNC, &header, &self.payload)
    }
}

/// A frame from the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerFrame {
    sequence: u8,
    status: u8,
    payload: Vec<u8>,
}

impl AnswerFrame {
    /// An answer.
    ///
    /// # Errors
    /// If the payload has more than 255 bytes.
    pub fn new(sequence: u8, status: u8, payload: Vec<u8>) -> Result<Self, Error> {
        if payload.len() > MAX_PAYLOAD {
            return Err(Error::Payload {
                n_bytes: payload.len(),
                limit: MAX_PAYLOAD,
            });
        }
        Ok(Self {
            sequence,
            status,
            payload,
        })
    }

    /// The command that is answered.
    pub fn sequence(&self) -> u8 {
        self.sequence
    }

    /// How it went, see [`status`].
    pub fn status(&self) -> u8 {
        self.status
    }

    /// What was read.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        encode(ANSWER_SYNC, &[self.sequence, self.status], &self.payload)
    }
}

fn encode(sync: u8, header: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(header.len() + payload.len() + 4);
    // The constructors have checked that the length fits.
    bytes.extend([sync, payload.len().to_le_bytes()[0]]);
    bytes.extend(header);
    bytes.extend(payload);
    bytes.extend(CRC.checksum(&bytes[1..]).to_le_bytes());
    bytes
}

/// Finds answers in a stream of bytes.
///
/// Unlike the device, it looks for the next answer inside a frame that turned out wrong, so damage
/// to one answer never costs another.
#[derive(Debug, Clone, Default)]
pub struct AnswerDecoder {
    waiting: Vec<u8>,
    n_bad_frames: u64,
}

impl AnswerDecoder {
    /// Adds bytes that have arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend(bytes);
    }

    /// The next answer that is complete and has the right checksum.
    pub fn next_answer(&mut self) -> Option<AnswerFrame> {
        loop {
            let start = self.waiting.iter().position(|&byte| byte == ANSWER_SYNC);
            self.waiting.drain(..start.unwrap_or(self.waiting.len()));
            let length = usize::from(*self.waiting.get(1)?);
            let frame = self.waiting.get(..ANSWER_OVERHEAD + length)?;
            let (body, checksum) = frame[1..].split_at(3 + length);
            if CRC.checksum(body).to_le_bytes() == checksum {
                let answer = AnswerFrame {
                    sequence: body[1],
                    status: body[2],
                    payload: body[3..].to_vec(),
                };
                self.waiting.drain(..ANSWER_OVERHEAD + length);
                return Some(answer);
            }
            self.n_bad_frames += 1;
            self.waiting.remove(0);
        }
    }

    /// Bytes still missing before the next answer can be complete.
    pub fn bytes_missing(&self) -> usize {
        let length = self.waiting.get(1).copied().unwrap_or(0);
        (ANSWER_OVERHEAD + usize::from(length))
            .saturating_sub(self.waiting.len())
            .max(1)
    }

    /// Gives up the answer in progress, since nothing more of it comes; later ones may be behind.
    ///
    /// Returns whether there was one.
    pub fn give_up(&mut self) -> bool {
        if self.waiting.is_empty() {
            return false;
        }
        self.n_bad_frames += 1;
        self.waiting.remove(0);
        true
    }

    /// Frames with a wrong checksum, or given up.
    pub fn n_bad_frames(&self) -> u64 {
        self.n_bad_frames
    }
}

/// What a command frame's next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommandPart {
    /// Before a frame.
    Hunt,
    /// Part of a frame that is stored by the device.
    Stored,
    /// The checksum.
    Checksum,
}

/// Finds commands in a stream of bytes, exactly as the device does: whatever a wrong frame has
/// taken is lost.
#[derive(Debug, Clone, Default)]
pub struct CommandDecoder {
    frame: Vec<u8>,
    n_bad_frames: u64,
}

impl CommandDecoder {
    /// Takes one byte and gives the command that it completes.
    pub fn push(&mut self, byte: u8) -> Option<CommandFrame> {
        if self.frame.is_empty() && byte != COMMAND_SYNC {
            return None;
        }
        self.frame.push(byte);
        let length = usize::from(*self.frame.get(1)?);
        if self.frame.len() < COMMAND_OVERHEAD + length {
            return None;
        }
        let frame = std::mem::take(&mut self.frame);
        let (body, checksum) = frame[1..].split_at(STORED_OVERHEAD + length);
        if CRC.checksum(body).to_le_bytes() != checksum {
            self.n_bad_frames += 1;
            return None;
        }
        Some(CommandFrame {
            sequence: body[1],
            command: body[2],
            space: Space(body[3]),
            address: u32::from_le_bytes([body[4], body[5], body[6], 0]),
            payload: body[STORED_OVERHEAD..].to_vec(),
        })
    }

    /// Forgets the frame in progress, because the line was silent for too long.
    pub fn give_up(&mut self) {
        self.n_bad_frames += u64::from(!self.frame.is_empty());
        self.frame.clear();
    }

    /// What the next byte is.
    pub(crate) fn next_part(&self) -> CommandPart {
        let length = self.frame.get(1).copied().map_or(0, usize::from);
        match self.frame.len() {
            0 => CommandPart::Hunt,
            received if received > STORED_OVERHEAD + length => CommandPart::Checksum,
            _ => CommandPart::Stored,
        }
    }

    /// Bytes of the frame in progress that the device has stored.
    pub(crate) fn stored_bytes(&self) -> usize {
        let length = self.frame.get(1).copied().map_or(0, usize::from);
        self.frame
            .len()
            .saturating_sub(1)
            .min(STORED_OVERHEAD + length)
    }

    /// Frames with a wrong checksum, or given up.
    pub fn n_bad_frames(&self) -> u64 {
        self.n_bad_frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bytes_of_a_write_are_as_specified() {
        let frame =
            CommandFrame::new(7, command::WRITE, Space(2), 0x01_0203, vec![0xaa, 0xbb]).unwrap();
        let bytes = frame.encode();
        assert_eq!(
            bytes[..10],
            [0xa5, 2, 7, 2, 2, 0x03, 0x02, 0x01, 0xaa, 0xbb]
        );
        // Computed with Python's `binascii.crc_hqx(bytes, 0xffff)`.
        assert_eq!(bytes[10..], [0x21, 0x22]);
        assert_eq!(CRC.checksum(b"123456789"), 0x29b1);
    }

    #[test]
    fn frames_that_cannot_be_sent_are_refused() {
        let address = CommandFrame::new(0, 1, Space(0), 1 << 24, vec![]);
        assert!(matches!(address, Err(Error::Address { .. })));
        let payload = CommandFrame::new(0, 2, Space(0), 0, vec![0; 256]);
        assert!(matches!(payload, Err(Error::Payload { n_bytes: 256, .. })));
        assert!(matches!(
            AnswerFrame::new(0, 0, vec![0; 256]),
            Err(Error::Payload { .. })
        ));
    }

    #[test]
    fn an_answer_behind_a_broken_one_is_found() {
        let good = AnswerFrame::new(2, status::OK, vec![0x5a; 9]).unwrap();
        let mut bytes = AnswerFrame::new(1, status::OK, vec![0x5a; 20])
            .unwrap()
            .encode();
        bytes.truncate(12);
        bytes.extend(good.encode());
        let mut decoder = AnswerDecoder::default();
        decoder.push(&bytes);
        let mut found = decoder.next_answer();
        while found.is_none() && decoder.give_up() {
            found = decoder.next_answer();
        }
        assert_eq!(found, Some(good));
        assert!(decoder.n_bad_frames() > 0);
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            sequence: u8, code: u8, space: u8, address in 0u32..1 << 24,
            payload in prop::collection::vec(any::<u8>(), 0..=255),
            noise in prop::collection::vec(any::<u8>().prop_filter("sync", |&b| b != 0xa5 && b != 0x5a), 0..9),
        ) {
            let frame = CommandFrame::new(sequence, code, Space(space), address, payload.clone()).unwrap();
            prop_assert_eq!(frame.encode().len(), COMMAND_OVERHEAD + payload.len());
            let mut decoder = CommandDecoder::default();
            let bytes = [&noise[..], &frame.encode()].concat();
            let found: Vec<_> = bytes.iter().filter_map(|&byte| decoder.push(byte)).collect();
            prop_assert_eq!(found, vec![frame]);

            let answer = AnswerFrame::new(sequence, code, payload.clone()).unwrap();
            prop_assert_eq!(answer.encode().len(), ANSWER_OVERHEAD + payload.len());
            let mut decoder = AnswerDecoder::default();
            decoder.push(&[&noise[..], &answer.encode()].concat());
            prop_assert_eq!(decoder.next_answer(), Some(answer));
            prop_assert_eq!(decoder.next_answer(), None);
        }
    }
}
