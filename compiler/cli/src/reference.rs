//! The framework's own spike trains, exported beside a model as `reference.npz`.
//!
//! | array | content |
//! | --- | --- |
//! | `input` | bytes `[n, channels]` or, of time series, `[n, ticks, values]`, or 0/1 spikes `[n, ticks, channels]` |
//! | `spikes_NODE` | spikes `[m, ticks, neurons]` of the node called NODE in the first m samples |
//! | `labels`, `pred` | classes `[n]`, true and the framework's; optional |

use std::path::Path;

use spikeloom_ir::Network;

use crate::data::{self, DataError, Samples, Taken};
use crate::simulate::accuracy;

/// What the framework itself did on some samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Its inputs.
    pub samples: Samples,
    /// Its spikes: `[sample][population][tick][neuron]`, as often as a neuron fired, neurons in the
    /// file's order; empty where a population has none.
    pub spikes: Vec<Vec<Vec<Vec<i64>>>>,
    /// Share of its samples that the framework itself classes as they are labelled; `None` without
    /// `labels` or `pred`.
    pub accuracy: Option<f64>,
}

impl Reference {
    /// Reads a file for a network.
    ///
    /// # Errors
    /// If the file is damaged, holds no spikes of the network's populations, or has other shapes.
    pub fn read(path: &Path, network: &Network) -> Result<Self, DataError> {
        let bytes = data::read_bytes(path)?;
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
        let mut archive = data::open_npz(path, bytes)?;
        let data = data::read_npz(path, &mut archive, &Taken::by(network))?;
        let samples = data.samples;
        let predicted = match archive.names().contains(&"pred") {
            true => Some(data::read_labels(&mut archive, "pred").map_err(array_error)?),
            false => None,
        };
        let accuracy = match (data.labels, predicted) {
            (Some(labels), Some(predicted)) if labels.len() == predicted.len() => {
                accuracy(&predicted, Some(&labels))
            }
            _ => None,
        };
        if let Samples::Values(values) = &samples {
            let wanted = network.input.n_values(ticks);
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
            let Ok(array) = archive.get(&name) else {
                continue;
            };
            let n_neurons: usize = population.shape.iter().product();
            let wanted = [n, ticks as usize, n_neurons];
            // Neurons may have axes of their own, and the samples be fewer.
            let fits = match array.shape() {
                [samples, ticks, neurons @ ..] => {
                    *samples <= n
                        && *ticks == wanted[1]
                        && neurons.iter().product::<usize>() == n_neurons
                }
                _ => false,
            };
            if !fits {
                return Err(array_error(format!(
                    "array `{name}` has shape {:?}, and the network makes {wanted:?}",
                    array.shape()
                )));
            }
            known += 1;
            let values = array
                .into_u8()
                .ok_or_else(|| array_error(format!("array `{name}` is not of bytes")))?;
            let mut rows = values.chunks(n_neurons.max(1));
            for spikes in &mut spikes {
                let ticks = rows.by_ref().take(wanted[1]);
                spikes[p] = ticks
                    .map(|tick| tick.iter().map(|&s| s.into()).collect())
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
        Ok(Self {
            samples,
            spikes,
            accuracy,
        })
    }
}
