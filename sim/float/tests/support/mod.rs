//! The models of the tests, and what their frameworks made of them.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::fs::File;
use std::path::PathBuf;

use ndarray::{Array, Array3, ArrayD, Axis, Dimension, Ix3};
use ndarray_npy::{NpzReader, ReadableElement};
use spikeloom_float::{Record, Sample, run};
use spikeloom_frontend::{Options, ProjectFile, load, native};
use spikeloom_ir::Network;

/// A file of the test models.
pub fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/models")
        .join(name)
}

/// A NIR file, or a network in the native format.
pub fn network(name: &str, options: &Options) -> Network {
    let path = file(name);
    let bytes = std::fs::read(&path).unwrap();
    let loaded = match path.extension().and_then(|e| e.to_str()) {
        Some("yaml") => {
            let text = String::from_utf8(bytes).unwrap();
            let folder = path.parent().unwrap();
            let mut read = |file: &str| std::fs::read(folder.join(file)).map_err(|e| e.to_string());
            native::load(&text, name, &ProjectFile::default(), name, &mut read)
        }
        _ => load(&bytes, options),
    };
    loaded.unwrap_or_else(|e| panic!("{name}: {e:?}")).0
}

/// Options as a project file has them.
pub fn options(yaml: &str) -> Options {
    ProjectFile::parse(yaml, "options").unwrap().options("case")
}

/// Arrays that a framework left.
pub struct Reference(NpzReader<File>);

impl Reference {
    pub fn open(name: &str) -> Self {
        Self(NpzReader::new(File::open(file(name)).unwrap()).unwrap())
    }

    pub fn array<T: ReadableElement, D: Dimension>(&mut self, name: &str) -> Array<T, D> {
        self.0
            .by_name(name)
            .unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn bytes(&mut self, name: &str) -> ArrayD<u8> {
        self.array(name)
    }

    pub fn floats(&mut self, name: &str) -> Array3<f32> {
        self.array(name)
    }
}

/// `[sample, tick, channel]` spikes as one list of events a tick.
pub fn events(spikes: &ArrayD<u8>, sample: usize) -> Vec<Vec<u32>> {
    let ticks = spikes.index_axis(Axis(0), sample);
    ticks
        .outer_iter()
        .map(|tick| {
            let channels = (0_u32..).zip(tick.iter());
            channels.filter(|(_, s)| **s != 0).map(|(c, _)| c).collect()
        })
        .collect()
}

/// How many numbers of spikes differ from the framework's, and how many were compared.
pub fn differing(records: &[Record], population: usize, reference: ArrayD<u8>) -> (usize, usize) {
    let reference: Array3<u8> = reference.into_dimensionality::<Ix3>().unwrap();
    let mut differing = 0;
    for (record, sample) in records.iter().zip(reference.outer_iter()) {
        let ours = &record.populations[population].spikes;
        for (ours, tick) in ours.iter().zip(sample.outer_iter()) {
            differing += ours
                .iter()
                .zip(tick)
                .filter(|(a, b)| **a != u32::from(**b))
                .count();
        }
    }
    assert_eq!(records.len(), reference.len_of(Axis(0)));
    (differing, reference.len())
}

/// Largest distance from the framework's membranes, over the samples that have them.
pub fn largest_error(records: &[Record], population: usize, reference: &Array3<f32>) -> f32 {
    let mut largest: f32 = 0.0;
    for (record, sample) in records.iter().zip(reference.outer_iter()) {
        let ours = &record.populations[population].v_mem;
        for (ours, tick) in ours.iter().zip(sample.outer_iter()) {
            for (a, b) in ours.iter().zip(tick) {
                largest = largest.max((a - b).abs());
            }
        }
    }
    largest
}

pub fn run_values(network: &Network, input: &ArrayD<u8>) -> Vec<Record> {
    input
        .outer_iter()
        .map(|sample| {
            let values: Vec<u8> = sample.iter().copied().collect();
            run(network, Sample::Values(&values)).unwrap()
        })
        .collect()
}

pub fn run_events(network: &Network, input: &ArrayD<u8>) -> Vec<Record> {
    (0..input.len_of(Axis(0)))
        .map(|sample| run(network, Sample::Events(&events(input, sample))).unwrap())
        .collect()
}
