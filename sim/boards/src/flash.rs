//! What a board's flash holds of a design: frames as a host would send them, which a loader in the
//! circuit gives to the link after power-up.

use std::time::Duration;

use crc::{Algorithm, Crc};

use crate::error::Error;
use crate::frame::{CommandFrame, MAX_PAYLOAD, command};
use crate::map::Space;
use crate::session::{Layout, address};

/// The polynomial of CRC-32, from 0, neither reflected nor inverted.
const CHECKSUM: Crc<u32> = Crc::<u32>::new(&Algorithm {
    width: 32,
    poly: 0x04c1_1db7,
    init: 0,
    refin: false,
    refout: false,
    xorout: 0,
    check: 0x89a1_897f,
    residue: 0,
});

/// A design that loads its weights from the board's flash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FromFlash {
    /// The checksum of the right bytes.
    pub checksum: u32,
    /// The time from power-up until they are read, in which the board does not answer.
    pub load_time: Duration,
}

impl Layout {
    /// The bytes for the flash: frames that write all weights which the host else loads.
    ///
    /// # Errors
    /// If a core has more weights than a space.
    pub fn flash_frames(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let mut sequence = 0u8;
        for layout in &self.cores {
            let weights = layout.weights.iter().flat_map(|w| w.chunks(MAX_PAYLOAD));
            for (k, part) in weights.enumerate() {
                let (space, at) = (Space::weights(layout.core)?, address(k * MAX_PAYLOAD));
                let frame = CommandFrame::new(sequence, command::WRITE, space, at, part.to_vec())?;
                bytes.extend(frame.encode());
                sequence = sequence.wrapping_add(1);
            }
        }
        Ok(bytes)
    }

    /// The layout of the same design where it loads its weights from the board's flash.
    ///
    /// # Errors
    /// As [`Layout::flash_frames`].
    pub fn loaded_from_flash(self, load_time: Duration) -> Result<Self, Error> {
        let checksum = flash_checksum(&self.flash_frames()?);
        Ok(Self {
            flash: Some(FromFlash {
                checksum,
                load_time,
            }),
            ..self
        })
    }
}

/// The checksum that a loader makes of the bytes that it reads.
pub fn flash_checksum(bytes: &[u8]) -> u32 {
    CHECKSUM.checksum(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_cksum_without_its_complement() {
        // The check value of CRC-32/CKSUM is 0x765E7680.
        assert_eq!(flash_checksum(b"123456789"), !0x765e_7680);
        assert_eq!(flash_checksum(b"123456789"), CHECKSUM.algorithm.check);
    }
}
