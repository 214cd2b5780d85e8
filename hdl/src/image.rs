//! Contents of memories: held by the simulated memory, and written beside the Verilog.

use std::sync::Arc;

use crate::error::Error;
use crate::width::{MAX_WIDTH, SignalType};

/// Contents of a memory, and the name of the file its Verilog reads them from.
///
/// Contents printed into Verilog as assignments cost Yosys minutes at 16 K rows; `$readmemh` takes
/// a fraction of a second. The tools look the name up in their working directory.
/// Cloning is cheap: the words are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryImage {
    name: String,
    lanes: Vec<SignalType>,
    words: Arc<Vec<u64>>,
}

impl MemoryImage {
    /// An image called `name` from `words: [row][lane]`, row-major; lane 0 is least significant.
    ///
    /// # Errors
    /// If the name is not a plain file name, a lane is not 1 to 64 bits wide, there is no row, the
    /// last row is incomplete, or a word has bits above its lane's width.
    pub fn new(
        name: impl Into<String>,
        lanes: Vec<SignalType>,
        words: Vec<u64>,
    ) -> Result<Self, Error> {
        let name = name.into();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(plain) {
            return Err(Error::ImageName { name });
        }
        for (lane, lane_type) in lanes.iter().enumerate() {
            lane_type.check(|| format!("lane {lane} of memory image {name}"))?;
        }
        if lanes.is_empty() || words.is_empty() {
            return Err(Error::EmptyMemory {
                n_lanes: lanes.len(),
                depth: words.len(),
            });
        }
        if !words.len().is_multiple_of(lanes.len()) {
            return Err(Error::ImageSize {
                name,
                n_words: words.len(),
                n_lanes: lanes.len(),
            });
        }
        for (position, &word) in words.iter().enumerate() {
            let (row, lane) = (position / lanes.len(), position % lanes.len());
            let width = lanes[lane].width;
            if width < MAX_WIDTH && word >> width != 0 {
                return Err(Error::ImageWord {
                    name,
                    row,
                    lane,
                    word,
                    width,
                });
            }
        }
        Ok(Self {
            name,
            lanes,
            words: Arc::new(words),
        })
    }

    /// The file name the Verilog uses.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Width and sign of each lane, lane 0 first.
    pub fn lanes(&self) -> &[SignalType] {
        &self.lanes
    }

    /// Bits of a row.
    pub fn row_bits(&self) -> usize {
        self.lanes.iter().map(|lane| lane.width).sum()
    }

    /// The number of rows.
    pub fn depth(&self) -> usize {
        self.words.len() / self.lanes.len()
    }

    /// `[row][lane]`, row-major.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The text of the file that `$readmemh` reads: one row a line, lane 0 least significant.
    pub fn to_hex(&self) -> String {
        let row_width: usize = self.lanes.iter().map(|lane| lane.width).sum();
        let n_digits = row_width.div_ceil(4);
        let mut text = String::with_capacity((n_digits + 1) * self.depth());
        let mut digits = vec![0u8; n_digits];
        for row in self.words.chunks(self.lanes.len()) {
            digits.fill(0);
            let mut offset = 0;
            for (word, lane) in row.iter().zip(&self.lanes) {
                let mut position = 0;
                while position < lane.width {
                    // Up to the next digit's border, at most four bits.
                    let place = offset + position;
                    let n_bits = (4 - place % 4).min(lane.width - position);
                    let bits = (word >> position) & ((1 << n_bits) - 1);
                    digits[place / 4] |= (bits << (place % 4)) as u8;
                    position += n_bits;
                }
                offset += lane.width;
            }
            text.extend(
                digits
                    .iter()
                    .rev()
                    .map(|&d| char::from(b"0123456789abcdef"[d as usize])),
            );
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_with_lane_0_least_significant() {
        let lanes = vec![SignalType::unsigned(3), SignalType::signed(6)];
        let image = MemoryImage::new("w.hex", lanes, vec![0b101, 0b100001, 0, 0b111111]).unwrap();
        assert_eq!(image.to_hex(), "10d\n1f8\n");
        assert_eq!(image.depth(), 2);
    }

    #[test]
    fn a_lane_of_64_bits_keeps_its_top_bit() {
        let lanes = vec![SignalType::unsigned(1), SignalType::unsigned(64)];
        let image = MemoryImage::new("w.hex", lanes, vec![1, 1 << 63]).unwrap();
        assert_eq!(image.to_hex(), "10000000000000001\n");
    }

    #[test]
    fn bad_images_are_refused() {
        let lanes = || vec![SignalType::unsigned(4); 2];
        let refused = |name: &str, words| MemoryImage::new(name, lanes(), words).unwrap_err();
        assert!(matches!(
            refused("../w", vec![0, 0]),
            Error::ImageName { .. }
        ));
        assert!(matches!(refused("", vec![0, 0]), Error::ImageName { .. }));
        assert!(matches!(
            refused("a\"b", vec![0, 0]),
            Error::ImageName { .. }
        ));
        assert!(matches!(
            refused("w", vec![0, 0, 0]),
            Error::ImageSize { .. }
        ));
        assert!(matches!(refused("w", vec![]), Error::EmptyMemory { .. }));
        assert!(matches!(
            refused("w", vec![0, 0, 0, 16]),
            Error::ImageWord {
                row: 1,
                lane: 1,
                word: 16,
                width: 4,
                ..
            }
        ));
        assert!(matches!(
            MemoryImage::new("w", vec![SignalType::unsigned(65)], vec![0]).unwrap_err(),
            Error::Width { width: 65, .. }
        ));
    }
}
