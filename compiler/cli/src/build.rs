//! The build folder: everything that one compilation made, and how it is read back.
//!
//! | file | content |
//! | --- | --- |
//! | `model.nir`, or `model.yaml` and `model.npz` | what was compiled |
//! | `project.yaml` | how it was compiled |
//! | `network.yaml`, `network.npz` | the integer network and its weights |
//! | `layout.yaml` | cores and memories |
//! | `device.v`, `top.v`, `*.hex` | the design behind a byte stream and on its pins, memory images |
//! | `core*_weights.bin` | weights that the host loads, where they do not come from the board's flash |
//! | `netlist.json`, `netlist.v`; iCE40: `pins.pcf`, `placed.asc`, `bitstream.bin`; ECP5: `pins.lpf`, `placed.config`, `bitstream.bit`; Gowin: `pins.cst`, `placed.json`, `bitstream.fs` | tools' output |
//! | `flash.bin` | where weights come from the board's flash: all that it is to hold |
//! | `contents.json`; iCE40: `placement.json` | where memory images and cells are in them |
//! | `logs/` | what the tools printed, times among it |
//! | `report.json`, `timings.json` | figures; the first is the same on every run |

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use spikeloom_bitstreams::{Target, target};
use spikeloom_boards::Layout;
use spikeloom_frontend::ProjectFile;
use spikeloom_frontend::arrays::{self, Archive, ArchiveFormat, Budget, NumberArray};
use spikeloom_ir::geometry::Connectivity;
use spikeloom_ir::{Mapped, Network, Quantized};
use spikeloom_ladder::Case;

use crate::error::Error;
use crate::model::Model;
use crate::report::Report;

/// Names of the files in a build folder.
pub mod file {
    /// The model, a NIR file as it was given.
    pub const MODEL: &str = "model.nir";
    /// The model, a network in the native format.
    pub const MODEL_TEXT: &str = "model.yaml";
    /// The arrays of a network in the native format.
    pub const MODEL_ARRAYS: &str = "model.npz";
    /// How it was compiled.
    pub const PROJECT: &str = "project.yaml";
    /// The integer network.
    pub const NETWORK: &str = "network.yaml";
    /// Its weights: one array `[post, pre]` a projection.
    pub const WEIGHTS: &str = "network.npz";
    /// Cores and memories.
    pub const LAYOUT: &str = "layout.yaml";
    /// The design behind a byte stream.
    pub const DEVICE: &str = "device.v";
    /// The design on its pins.
    pub const TOP: &str = "top.v";
    /// What makes its clock, around it.
    pub const CLOCKED: &str = "clocked.v";
    /// All that the board's flash is to hold, where weights are in it.
    pub const FLASH: &str = "flash.bin";
    /// Figures.
    pub const REPORT: &str = "report.json";
    /// Seconds of each step.
    pub const TIMINGS: &str = "timings.json";
}

/// A build folder, read back.
#[derive(Debug, Clone)]
pub struct Build {
    /// Where it is.
    pub folder: PathBuf,
    /// The real-valued network, normalised.
    pub network: Network,
    /// The integer network.
    pub quantized: Quantized,
    /// Where it was placed.
    pub mapped: Mapped,
    /// Figures.
    pub report: Report,
}

impl Build {
    /// What its executors need, with how the host sees it.
    pub fn case<'a>(&'a self, layout: &'a Layout) -> Case<'a> {
        Case {
            network: &self.quantized,
            mapped: &self.mapped,
            layout,
        }
    }

    /// Reads a build folder.
    ///
    /// # Errors
    /// Where a file is missing, or does not belong to the others.
    pub fn read(folder: &Path) -> miette::Result<Self> {
        let wrong = |what: String| Error::BuildFolder {
            path: folder.to_owned(),
            what,
        };
        let bytes = |name: &str| {
            std::fs::read(folder.join(name)).map_err(|e| wrong(format!("{name}: {e}")))
        };
        let text = |name: &str| {
            String::from_utf8(bytes(name)?).map_err(|_| wrong(format!("{name} is not text")))
        };
        let report: Report = serde_json::from_str(&text(file::REPORT)?)
            .map_err(|e| wrong(format!("{}: {e}", file::REPORT)))?;
        let network_yaml = text(file::NETWORK)?;
        let layout_yaml = text(file::LAYOUT)?;
        let mut quantized: Quantized = serde_yaml::from_str(&network_yaml)
            .map_err(|e| wrong(format!("{}: {e}", file::NETWORK)))?;
        let mapped: Mapped = serde_yaml::from_str(&layout_yaml)
            .map_err(|e| wrong(format!("{}: {e}", file::LAYOUT)))?;
        read_weights(&mut quantized, bytes(file::WEIGHTS)?).map_err(wrong)?;
        quantized.check()?;
        let found = design_id(&network_yaml, &quantized, &layout_yaml);
        if report.design_id != format!("{found:016x}") {
            let what = format!(
                "{}, {} and {} make design {found:016x}, but {} says {}: one of them was changed",
                file::NETWORK,
                file::WEIGHTS,
                file::LAYOUT,
                file::REPORT,
                report.design_id
            );
            return Err(wrong(what).into());
        }
        let project_yaml = text(file::PROJECT)?;
        let names = if folder.join(file::MODEL_TEXT).exists() {
            &[file::MODEL_TEXT, file::MODEL_ARRAYS][..]
        } else {
            &[file::MODEL]
        };
        let mut files = Vec::new();
        for name in names {
            // A small network has all its values in the text.
            if *name != file::MODEL_ARRAYS || folder.join(name).exists() {
                files.push(bytes(name)?);
            }
        }
        if report.source_digest != source_digest(&files, &project_yaml) {
            let what = format!(
                "{} or {} was changed after {} was written",
                names.join(", "),
                file::PROJECT,
                file::REPORT
            );
            return Err(wrong(what).into());
        }
        let project = ProjectFile::parse(&project_yaml, file::PROJECT)?;
        let model = Self::model_of(folder)?;
        let (network, _) = model.load(&project)?;
        let network = spikeloom_passes::normalise(&network);
        Ok(Self {
            folder: folder.to_owned(),
            network,
            quantized,
            mapped,
            report,
        })
    }

    fn model_of(folder: &Path) -> Result<Model, Error> {
        let text = folder.join(file::MODEL_TEXT);
        match text.exists() {
            true => Model::read(&text),
            false => Model::read(&folder.join(file::MODEL)),
        }
    }

    /// What was compiled.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn model(&self) -> Result<Model, Error> {
        Self::model_of(&self.folder)
    }

    /// How it was compiled.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn project(&self) -> miette::Result<ProjectFile> {
        Ok(ProjectFile::parse(
            &self.text(file::PROJECT)?,
            file::PROJECT,
        )?)
    }

    /// The design's identity.
    pub fn design_id(&self) -> u64 {
        u64::from_str_radix(&self.report.design_id, 16)
            .expect("reading the folder compared it with a number")
    }

    /// The board, with the clock that was made for the design, and ports for its flash if it has them.
    ///
    /// # Errors
    /// If there is no such board.
    pub fn target(&self) -> Result<Target, spikeloom_bitstreams::Error> {
        let mut board = target(&self.report.target)?;
        if let Some(setting) = self.report.pll {
            board = board.with_setting(setting);
        }
        if self.report.flash.is_some() {
            board = board.with_flash_ports();
        }
        Ok(board)
    }

    /// Bits a second on the serial line of its board.
    pub fn baud(&self) -> u32 {
        let cycles = u64::from(self.report.cycles_per_bit.max(1));
        u32::try_from(self.report.clock_hz / cycles).unwrap_or(u32::MAX)
    }

    /// A text file of the folder.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn text(&self, name: &str) -> Result<String, Error> {
        let path = self.folder.join(name);
        std::fs::read_to_string(&path).map_err(|source| Error::Unreadable { path, source })
    }

    /// The memory images that the Verilog reads.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn images(&self) -> Result<Vec<(String, Vec<u8>)>, Error> {
        self.report
            .images
            .iter()
            .map(|name| Ok((name.clone(), self.text(name)?.into_bytes())))
            .collect()
    }
}

/// The identity of a design: the first 8 bytes of the SHA-256 of everything that fixes it.
pub fn design_id(network_yaml: &str, quantized: &Quantized, layout_yaml: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update(network_yaml);
    hash.update(layout_yaml);
    for p in &quantized.projections {
        for w in &p.weights {
            hash.update(w.to_le_bytes());
        }
    }
    let digest = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first)
}

/// A digest of what was compiled, from the files of the model and the settings: other networks than
/// the one that the design was made from are not to stand beside it.
pub fn source_digest(model: &[Vec<u8>], project_yaml: &str) -> String {
    let mut hash = Sha256::new();
    for file in model {
        hash.update(file);
    }
    hash.update(project_yaml);
    hexadecimal(&hash.finalize())
}

/// Bytes as pairs of hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The array of a projection in the weights file.
fn array_name(projection: usize) -> String {
    format!("projection_{projection}")
}

/// All weights as an NPZ archive of `i16` arrays: `[post, pre]`, or `[out, in / groups, row, column]`
/// of a convolution.
pub fn write_weights(quantized: &Quantized) -> Result<Vec<u8>, String> {
    let mut arrays = Vec::new();
    for (n, p) in quantized.projections.iter().enumerate() {
        let values = p.weights.iter().map(|&w| i16::try_from(w));
        let values: Vec<i16> = values
            .collect::<Result<_, _>>()
            .map_err(|e| e.to_string())?;
        let shape = match &p.connectivity {
            Connectivity::Dense => {
                let n_in = p.n_in();
                vec![values.len() / n_in.max(1), n_in]
            }
            Connectivity::Convolution(c) => {
                let [height, width] = c.window.kernel;
                let n_in = c.input.channels / c.groups;
                vec![c.output.channels, n_in, height, width]
            }
        };
        let array = NumberArray::of_i16(shape, &values);
        let array = array.ok_or_else(|| format!("projection {n} has no shape"))?;
        arrays.push((array_name(n), array));
    }
    arrays::write(ArchiveFormat::Npz, &arrays).map_err(|e| e.to_string())
}

fn read_weights(quantized: &mut Quantized, bytes: Vec<u8>) -> Result<(), String> {
    let damaged = |e: &dyn std::fmt::Display| format!("{}: {e}", file::WEIGHTS);
    let mut archive =
        Archive::open(ArchiveFormat::Npz, bytes, Budget::MODEL).map_err(|e| damaged(&e))?;
    for (n, p) in quantized.projections.iter_mut().enumerate() {
        let array = archive.get(&array_name(n)).map_err(|e| damaged(&e))?;
        let values = array.to_i64().unwrap_or_default();
        p.weights = values
            .into_iter()
            .map(|w| i32::try_from(w).map_err(|e| damaged(&e)))
            .collect::<Result<_, _>>()?;
    }
    Ok(())
}
