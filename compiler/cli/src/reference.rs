//! The framework's own spike trains, exported beside a model as `reference.npz`.
//!
//! | array | content |
//! | --- | --- |
//! | `input` | bytes `[n, channels]`, or 0/1 spikes `[n, ticks, channels]` |
//! | `spikes_NODE` | 0/1 spikes `[n, ticks, neurons]` of the node called NODE |
//! | `labels`, `pred` | classes `[n]`, true and the framework's; optional |

use std::path::Path;

use ndarray::{ArrayD, Axis};
use ndarray_npy::NpzReader;
use spikeloom_ir::Network;

use crate::data::{self, DataError, Samples};

/// What the framework itself did on some samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Its inputs.
    pub samples: Samples,
    /// Its spikes: `[sample][population][tick][neuron]`; empty where a population has none.
    pub spikes: Vec<Vec<Vec<Vec<bool>>>>,
}

impl Reference {
    /// Reads a file for a network.
    ///
    /// # Errors
    /// If the file is damaged, holds no spikes of the network's populations, or has other shapes.
    pub fn read(path: &Path, network: &Network) -> Result<Self, DataError> {
        let bytes = std::fs::read(path).map_err(|source| DataError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, bytes, network)
    }

    /// As [`Reference::read`], from memory; `path` is for messages.
    ///
    /// # Errors
    /// As there.
    pub fn parse(path: &Path, bytes: Vec<u8>, network: &Network) -> Result<Self, DataError> {
        let array_error = |what: String| DataError::Array {
            path: path.to_owned(),
            what,
        };
        let ticks = network.ticks;
        let (samples, _) = data::read_npz(path, bytes.clone(), ticks)?;
        let mut npz =
            NpzReader::new(std::io::Cursor::new(bytes)).map_err(|e| DataError::Damaged {
                path: path.to_owned(),
                what: e.to_string(),
            })?;
        if let Samples::Values(values) = &samples {
            let wanted: usize = network.input.shape.iter().product();
            let found = values.iter().map(Vec::len).find(|&len| len != wanted);
            if let Some(found) = found {
                return Err(array_error(format!(
                    "a sample of `input` has {found} values, and the network takes {wanted}"
                )));
            }
        }
        let n = samples.len();
        let mut spikes = vec![vec![Vec::new(); network.populations.len()]; n];
        let mut known = 0;
        for (p, population) in network.populations.iter().enumerate() {
            let name = format!("spikes_{}", population.name);
            let Ok(array): Result<ArrayD<u8>, _> = npz.by_name(&name) else {
                continue;
            };
            let n_neurons: usize = population.shape.iter().product();
            let wanted = [n, ticks as usize, n_neurons];
            if array.shape() != wanted {
                return Err(array_error(format!(
                    "array `{name}` has shape {:?}, and the network makes {wanted:?}",
                    array.shape()
                )));
            }
            known += 1;
            for (sample, spikes) in array.axis_iter(Axis(0)).zip(&mut spikes) {
                spikes[p] = sample
                    .axis_iter(Axis(0))
                    .map(|tick| tick.iter().map(|&s| s != 0).collect())
                    .collect();
            }
        }
        if known == 0 {
            let names: Vec<String> = network
                .populations
                .iter()
                .map(|p| format!("`spikes_{}`", p.name))
                .collect();
            return Err(array_error(format!(
                "none of {} is in it",
                names.join(", ")
            )));
        }
        Ok(Self { samples, spikes })
    }
}
