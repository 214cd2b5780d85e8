//! Images for a board's flash: the bitstream, and behind it what a loader in the circuit reads.
//!
//! What those bytes mean is the circuit's business and its host's. For simulation there is the board
//! around a circuit: a model of the flash that holds an image.

use std::fmt::Write as _;

use crate::error::Error;
use crate::targets::{Flash, Target, targets};

/// What an erased flash holds.
const ERASED: u8 = 0xff;

/// The longest that the model takes to wake up: that of the slowest flash on a board.
const WAKE_UP_US: u64 = 35;

/// The module around a circuit and its flash, with the pins that are left.
pub const BOARD: &str = "board";

/// The image that the board's Verilog reads.
pub const BOARD_IMAGE: &str = "flash.hex";

const SPI_FLASH: &str = include_str!("flash/spi_flash.v");

impl Target {
    /// The board's flash, for a circuit that reads it.
    ///
    /// # Errors
    /// If the board has none that a circuit reaches.
    pub fn flash(&self) -> Result<&Flash, Error> {
        self.flash.as_ref().ok_or_else(|| {
            let known = targets().into_iter().filter(|board| board.flash.is_some());
            let known: Vec<String> = known.map(|board| board.name).collect();
            Error::NoFlash {
                target: self.name.clone(),
                known: known.join(", "),
            }
        })
    }

    /// The same board for a circuit whose top has ports for the flash.
    #[must_use]
    pub fn with_flash_ports(mut self) -> Self {
        self.has_flash_ports = self.flash.is_some();
        self
    }

    /// What the flash is to hold: the bitstream from the start, `data` from its place on, and what an
    /// erased flash holds in between. Without a bitstream that is all in front of the data.
    ///
    /// # Errors
    /// If the board has no flash, or one of them does not fit its place.
    pub fn flash_image(&self, bitstream: &[u8], data: &[u8]) -> Result<Vec<u8>, Error> {
        let flash = self.flash()?;
        let place = usize::try_from(flash.weights_at).unwrap_or(usize::MAX);
        let fits = |what: &'static str, n_bytes: usize, room: u64| {
            let n_bytes = u64::try_from(n_bytes).unwrap_or(u64::MAX);
            match n_bytes <= room {
                true => Ok(()),
                false => Err(Error::FlashFull {
                    target: self.name.clone(),
                    what,
                    n_bytes,
                    room,
                }),
            }
        };
        fits("the bitstream", bitstream.len(), flash.weights_at)?;
        let room = flash.bytes.saturating_sub(flash.weights_at);
        fits("the weights", data.len(), room)?;
        let mut image = bitstream.to_vec();
        image.resize(place, ERASED);
        image.extend(data);
        Ok(image)
    }
}

/// Verilog of a [`BOARD`] with a circuit called `top` and a flash in deep power-down that holds an
/// image, and the contents of [`BOARD_IMAGE`].
pub fn board_around(top: &str, image: &[u8], clock_hz: u64) -> (String, String) {
    let n_bytes = image.len().max(1);
    let wake_cycles = (clock_hz * WAKE_UP_US).div_ceil(1_000_000);
    let verilog = format!(
        "module {BOARD} (input wire clock, input wire uart_rx, output wire uart_tx);\n\
         \x20 wire flash_ss, flash_sck, flash_mosi, flash_miso;\n\
         \x20 {top} circuit (.clock(clock), .uart_rx(uart_rx), .uart_tx(uart_tx),\n\
         \x20   .flash_ss(flash_ss), .flash_sck(flash_sck), .flash_mosi(flash_mosi),\n\
         \x20   .flash_miso(flash_miso));\n\
         \x20 spi_flash #(.BYTES({n_bytes}), .WAKE_CYCLES({wake_cycles})) flash (.clock(clock),\n\
         \x20   .ss(flash_ss), .sck(flash_sck), .mosi(flash_mosi), .miso(flash_miso));\n\
         endmodule\n\n{SPI_FLASH}"
    );
    let mut rows = String::with_capacity(3 * n_bytes);
    for byte in image {
        let _ = writeln!(rows, "{byte:02x}");
    }
    if image.is_empty() {
        let _ = writeln!(rows, "{ERASED:02x}");
    }
    (verilog, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::target;

    #[test]
    fn images_are_the_bitstream_and_the_data() {
        let board = target("icebreaker").unwrap();
        let at = usize::try_from(board.flash().unwrap().weights_at).unwrap();
        let image = board.flash_image(&[1, 2, 3], &[4, 5]).unwrap();
        assert_eq!(image.len(), at + 2);
        assert_eq!(image[..3], [1, 2, 3]);
        assert!(image[3..at].iter().all(|&byte| byte == 0xff));
        assert_eq!(image[at..], [4, 5]);
        let full = board.flash_image(&vec![0; at + 1], &[]).unwrap_err();
        assert!(
            matches!(full, Error::FlashFull { what: "the bitstream", room, .. } if room == at as u64)
        );
        let mut small = board.clone();
        small.flash.as_mut().unwrap().bytes = at as u64 + 1;
        let full = small.flash_image(&[], &[4, 5]).unwrap_err();
        assert!(matches!(
            full,
            Error::FlashFull {
                what: "the weights",
                n_bytes: 2,
                room: 1,
                ..
            }
        ));
        let none = target("ulx3s").unwrap().flash_image(&[], &[]).unwrap_err();
        assert!(
            matches!(none, Error::NoFlash { target, known } if target == "ulx3s" && known == "icebreaker")
        );
    }

    /// Bitstreams of a device have one size, and what is erased together holds either.
    #[test]
    fn weights_begin_where_a_sector_does() {
        for board in targets().into_iter().filter(|board| board.flash.is_some()) {
            let flash = board.flash().unwrap();
            assert_eq!(flash.weights_at % (1 << 16), 0, "{}", board.name);
            assert!(flash.bytes <= 1 << 24 && flash.weights_at < flash.bytes);
        }
    }
}
