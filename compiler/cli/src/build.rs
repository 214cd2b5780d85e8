//! The build folder: everything that one compilation made, and how it is read back.
//!
//! | file | content |
//! | --- | --- |
//! | `model.nir`, `project.yaml` | what was compiled, and how |
//! | `network.yaml`, `network.npz` | the integer network and its weights |
//! | `layout.yaml` | cores and memories |
//! | `device.v`, `top.v`, `*.hex` | the design behind a byte stream and on its pins, memory images |
//! | `core*_weights.bin` | weights that the host loads |
//! | `pins.pcf`, `netlist.json`, `netlist.v`, `placed.asc`, `bitstream.bin` | tools' output |
//! | `logs/` | what the tools printed, times among it |
//! | `report.json`, `timings.json` | figures; the first is the same on every run |

use std::io::Cursor;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use ndarray_npy::{NpzReader, NpzWriter};
use sha2::{Digest, Sha256};
use spikeloom_frontend::ProjectFile;
use spikeloom_ir::{Mapped, Network, Quantized};

use crate::error::Error;
use crate::report::Report;

/// Names of the files in a build folder.
pub mod file {
    /// The model as it was given.
    pub const MODEL: &str = "model.nir";
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
        let model = bytes(file::MODEL)?;
        let project_yaml = text(file::PROJECT)?;
        if report.source_digest != source_digest(&model, &project_yaml) {
            let what = format!(
                "{} or {} was changed after {} was written",
                file::MODEL,
                file::PROJECT,
                file::REPORT
            );
            return Err(wrong(what).into());
        }
        let project = ProjectFile::parse(&project_yaml, file::PROJECT)?;
        let (network, _) = spikeloom_frontend::load(&model, &project.options("model"))?;
        let network = spikeloom_passes::normalise(&network);
        Ok(Self {
            folder: folder.to_owned(),
            network,
            quantized,
            mapped,
            report,
        })
    }

    /// The design's identity.
    pub fn design_id(&self) -> u64 {
        u64::from_str_radix(&self.report.design_id, 16)
            .expect("reading the folder compared it with a number")
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

/// A digest of what was compiled: other networks than the one that the design was made from are
/// not to stand beside it.
pub fn source_digest(model: &[u8], project_yaml: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(model);
    hash.update(project_yaml);
    let digest = hash.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The array of a projection in the weights file.
fn array_name(projection: usize) -> String {
    format!("projection_{projection}")
}

/// All weights as an NPZ archive of `i16` arrays `[post, pre]`.
pub fn write_weights(quantized: &Quantized) -> Result<Vec<u8>, String> {
    let mut npz = NpzWriter::new(Cursor::new(Vec::new()));
    for (n, p) in quantized.projections.iter().enumerate() {
        let values = p.weights.iter().map(|&w| i16::try_from(w));
        let values: Vec<i16> = values
            .collect::<Result<_, _>>()
            .map_err(|e| e.to_string())?;
        let n_post = values.len() / p.n_pre.max(1);
        let array = Array2::from_shape_vec((n_post, p.n_pre), values).map_err(|e| e.to_string())?;
        npz.add_array(array_name(n), &array)
            .map_err(|e| e.to_string())?;
    }
    Ok(npz.finish().map_err(|e| e.to_string())?.into_inner())
}

fn read_weights(quantized: &mut Quantized, bytes: Vec<u8>) -> Result<(), String> {
    let damaged = |e: &dyn std::fmt::Display| format!("{}: {e}", file::WEIGHTS);
    let mut npz = NpzReader::new(Cursor::new(bytes)).map_err(|e| damaged(&e))?;
    for (n, p) in quantized.projections.iter_mut().enumerate() {
        let array: Array2<i16> = npz.by_name(&array_name(n)).map_err(|e| damaged(&e))?;
        p.weights = array.iter().map(|&w| w.into()).collect();
    }
    Ok(())
}
