//! NIR files.

use std::panic::catch_unwind;

use fastrand::Rng;
use serde_yaml::Mapping;
use spikeloom_frontend::{ProjectFile, inspect, load};
use spikeloom_tests::fuzz::{Target, campaign, mutate};
use spikeloom_tests::{hostile_files, model_files, nir_file};

use crate::{accepted, codes, corpus};

/// Every semantics, with all that it may be told.
const OPTIONS: [&str; 9] = [
    "{encoding: direct, ticks: 3}",
    "{semantics: snntorch, reset: zero, encoding: direct, ticks: 3}",
    "{semantics: norse, reset: value, encoding: rate, ticks: 3}",
    "{semantics: sinabs, reset: subtract, norm_input: true, v_min: -1.5, encoding: events, ticks: 3}",
    "{semantics: lava, delay_shift: true, encoding: events, ticks: 3}",
    "{semantics: rockpool, dt: 0.001, encoding: events, ticks: 3}",
    "{semantics: spyx, dt: 0.001, encoding: events, ticks: 3}",
    "{semantics: nengo, encoding: events, ticks: 3}",
    "{semantics: nir, dt: 0.0001, encoding: events, ticks: 65535}",
];

/// Graphs as text, from the cases of the front end.
fn graphs() -> Vec<Mapping> {
    let folder = spikeloom_tests::folder().join("../compiler/frontend/tests/cases/error");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let texts = paths
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap());
    let graphs = texts.map(|text| serde_yaml::from_str::<Mapping>(&text).unwrap());
    // One of them is large by design.
    graphs.filter(|graph| graph.contains_key("nodes")).collect()
}

fn run(bytes: &[u8]) -> String {
    let mut outcome = match inspect(bytes) {
        Ok(inspection) => {
            // That it can be shown belongs to it.
            let _ = inspection.to_string();
            format!("{} problems", inspection.problems.len().min(3))
        }
        Err(error) => codes(&error),
    };
    for options in OPTIONS {
        let options = ProjectFile::parse(options, "options").unwrap();
        let loaded = load(bytes, &options.options("net"));
        outcome += "; ";
        outcome += &match loaded {
            Ok((network, _)) => accepted(&network),
            Err(error) => codes(&error),
        };
    }
    outcome
}

#[test]
fn nir_files() {
    let graphs = graphs();
    let make = |rng: &mut Rng, pool: &[Vec<u8>]| {
        if rng.bool() {
            return mutate::bytes(rng, pool);
        }
        let mut graph = mutate::pick(rng, &graphs).clone();
        mutate::tree(rng, &mut graph);
        // What cannot be written down as a file is no input, and need not be told.
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let file = catch_unwind(|| nir_file(&graph)).unwrap_or_default();
        std::panic::set_hook(hook);
        if rng.u8(..4) == 0 {
            return mutate::bytes(rng, &[file]);
        }
        file
    };
    let models = model_files().into_iter().map(|(_, bytes)| bytes);
    let seeds = models.chain(hostile_files());
    campaign(
        "nir::nir_files",
        &Target {
            name: "nir",
            corpus: corpus(),
            seeds: seeds.filter(|bytes| bytes.len() < 40_000).collect(),
            make: &make,
            run: &run,
        },
    );
}
