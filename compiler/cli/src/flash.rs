//! Weights in the board's flash: behind the bitstream, as frames of the host link, which a loader in
//! the circuit reads after power-up.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use spikeloom_bitstreams::Target;
use spikeloom_boards::{Layout, flash_checksum};
use spikeloom_frontend::{ProjectFile, WeightSource};
use spikeloom_hdl::link::FlashConfig;

use crate::build::{Build, file};
use crate::error::Error;
use crate::report::StopAt;

/// What is in the flash besides the bitstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlashReport {
    /// Address of the first byte.
    pub weights_at: u32,
    /// Number of bytes: the weights, in frames of the host link.
    pub weights_bytes: u32,
    /// Their checksum, 8 hexadecimal digits; the host asks the board for it.
    pub checksum: String,
    /// Clock cycles from power-up until the weights are there.
    pub load_cycles: u64,
    /// Size of the image with the bitstream; `None` unless there is one.
    pub image_bytes: Option<u64>,
}

impl FlashReport {
    /// What a design is to load from its flash; `None` where the settings do not say so.
    ///
    /// # Errors
    /// If the board has no flash, no room in it, or the design has nothing to load.
    pub fn planned(
        project: &ProjectFile,
        target: &Target,
        layout: &Layout,
        network: &str,
    ) -> miette::Result<Option<Self>> {
        if project.weights_from != Some(WeightSource::Flash) {
            return Ok(None);
        }
        let flash = target.flash()?;
        let frames = layout.flash_frames()?;
        if frames.is_empty() {
            return Err(Error::NothingFromFlash {
                network: network.to_owned(),
            }
            .into());
        }
        // Says so before anything is made, if they have no room.
        target.flash_image(&[], &frames)?;
        let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let mut report = Self {
            weights_at: small(flash.weights_at),
            weights_bytes: small(frames.len() as u64),
            checksum: shown(&frames),
            load_cycles: 0,
            image_bytes: None,
        };
        report.load_cycles = report.config(target.clock_hz).load_cycles();
        Ok(Some(report))
    }

    /// The loader of a circuit with this clock.
    pub fn config(&self, clock_hz: u64) -> FlashConfig {
        FlashConfig::new(self.weights_at, self.weights_bytes, clock_hz)
    }

    /// The same for other weights of the same circuit.
    #[must_use]
    pub fn with_frames(self, frames: &[u8]) -> Self {
        Self {
            checksum: shown(frames),
            ..self
        }
    }
}

fn shown(frames: &[u8]) -> String {
    format!("{:08x}", flash_checksum(frames))
}

impl Build {
    /// What the host has to know of the design.
    ///
    /// # Errors
    /// Where the network breaks a rule of its level.
    pub fn layout(&self) -> miette::Result<Layout> {
        let layout = Layout::new(&self.quantized, &self.mapped, self.design_id())?;
        let Some(flash) = &self.report.flash else {
            return Ok(layout);
        };
        let nanoseconds = u128::from(flash.load_cycles) * 1_000_000_000;
        let nanoseconds = nanoseconds.div_ceil(u128::from(self.report.clock_hz.max(1)));
        let load_time = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        Ok(layout.loaded_from_flash(load_time)?)
    }

    /// What the loader of the design reads, where it has one.
    pub fn flash_config(&self) -> Option<FlashConfig> {
        let flash = self.report.flash.as_ref()?;
        Some(flash.config(self.report.clock_hz))
    }

    /// The image in the board's flash: the build folder's, and before there is a bitstream the weights
    /// alone; `None` where the design reads no flash.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn flash_image(&self) -> miette::Result<Option<Vec<u8>>> {
        if self.report.flash.is_none() {
            return Ok(None);
        }
        if self.report.stopped_at < StopAt::Bitstream {
            let target = self.target()?;
            let frames = self.layout()?.flash_frames()?;
            return Ok(Some(target.flash_image(&[], &frames)?));
        }
        Ok(Some(self.bytes(file::FLASH)?))
    }

    /// What is wrong with the image in the build folder: it has to be the bitstream and the network's
    /// weights, and nothing else.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn wrong_flash_image(&self) -> miette::Result<Option<String>> {
        let Some(found) = self.flash_image()? else {
            return Ok(None);
        };
        let target = self.target()?;
        let bitstream = match self.report.stopped_at {
            StopAt::Bitstream => self.bytes(target.family.bitstream_file())?,
            StopAt::Verilog | StopAt::Netlist => Vec::new(),
        };
        let expected = target.flash_image(&bitstream, &self.layout()?.flash_frames()?)?;
        if found == expected {
            return Ok(None);
        }
        let same = found.iter().zip(&expected).take_while(|(a, b)| a == b);
        Ok(Some(format!(
            "{} is not the bitstream and the weights, from byte {:#x} on",
            file::FLASH,
            same.count()
        )))
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>, Error> {
        let path = self.folder.join(name);
        std::fs::read(&path).map_err(|source| Error::Unreadable { path, source })
    }
}
