//! The graphs of the NIR paper, as they are in its repository: each is read, repaired with a remark, or
//! refused with a reason that names the place.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

use std::fmt::Write as _;

use spikeloom_frontend::{Inspection, ProjectFile, inspect, load};
use spikeloom_ir::Network;
use spikeloom_ir::network::Source;
use spikeloom_tests::{models, render};

/// How each file is read: what the paper says of it where the file does not.
const OPTIONS: &[(&str, &str)] = &[
    (
        "braille_noDelay_bias_zero.nir",
        "semantics: snntorch\nreset: zero\nreset_delay: false",
    ),
    (
        "braille_noDelay_bias_zero_subgraph.nir",
        "semantics: snntorch\nreset: zero\nreset_delay: false",
    ),
    (
        "braille_noDelay_noBias_subtract.nir",
        "semantics: snntorch\nreset: subtract\nreset_delay: false",
    ),
    (
        "braille_noDelay_noBias_subtract_subgraph.nir",
        "semantics: snntorch\nreset: subtract\nreset_delay: false",
    ),
    ("cnn_sinabs.nir", "semantics: sinabs\nreset: subtract"),
    ("lif_norse.nir", "semantics: norse\nreset: value\ndt: 1e-4"),
    ("lif_rockpool.nir", "semantics: rockpool"),
    ("two_lif_neurons.nir", "semantics: nir\ndt: 1e-4"),
];

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(models().join("nir-samples").join(name)).unwrap()
}

fn read(name: &str, options: &str) -> Result<(Network, String), String> {
    let yaml = format!("encoding: events\nticks: 100\n{options}");
    let options = ProjectFile::parse(&yaml, "options").unwrap();
    match load(&bytes(name), &options.options(name)) {
        Ok((network, remarks)) => {
            let lines = remarks.iter().map(|r| format!("{}: {r}\n", r.code));
            Ok((network, lines.collect()))
        }
        Err(error) => Err(render(&error)),
    }
}

#[test]
fn every_file_has_its_case() {
    let mut files: Vec<String> = std::fs::read_dir(models().join("nir-samples"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".nir"))
        .collect();
    files.sort();
    let cases: Vec<&str> = OPTIONS.iter().map(|(name, _)| *name).collect();
    assert_eq!(files, cases);
}

#[test]
fn every_file_is_read_repaired_or_refused_with_a_reason() {
    let mut report = String::new();
    for (name, options) in OPTIONS {
        let _ = writeln!(report, "== {name} ({})", options.replace('\n', ", "));
        let _ = match read(name, options) {
            Ok((_, remarks)) => writeln!(report, "accepted\n{remarks}"),
            Err(error) => writeln!(report, "{error}\n"),
        };
    }
    insta::assert_snapshot!(report);
}

/// What was repaired is shown without any option.
#[test]
fn inspection_shows_the_repairs() {
    for (name, _) in OPTIONS {
        let Inspection {
            remarks, problems, ..
        } = inspect(&bytes(name)).unwrap();
        assert!(problems.is_empty(), "{name}: {problems:?}");
        let renamed = remarks.iter().filter(|r| r.code == "renamed_edge").count();
        assert_eq!(renamed, usize::from(name.contains("subgraph")), "{name}");
    }
}

/// The recurrent networks are in the repository twice: flat, and with a graph inside whose edges
/// have to be repaired.
#[test]
fn a_repaired_graph_is_the_same_network_as_the_flat_one() {
    for (flat, options) in OPTIONS.iter().take(4).step_by(2) {
        let nested = flat.replace(".nir", "_subgraph.nir");
        let (flat, _) = read(flat, options).unwrap();
        let (nested, _) = read(&nested, options).unwrap();
        assert_eq!(flat.populations.len(), 2);
        for (a, b) in flat.populations.iter().zip(&nested.populations) {
            assert_eq!(a.neuron, b.neuron);
        }
        assert_eq!(flat.projections.len(), 3);
        for (a, b) in flat.projections.iter().zip(&nested.projections) {
            let of = |p: &spikeloom_ir::network::Projection| {
                (
                    p.source,
                    p.target,
                    p.delay,
                    p.weights.clone(),
                    p.bias.clone(),
                )
            };
            assert_eq!(of(a), of(b));
        }
        let own = |p: &&spikeloom_ir::network::Projection| p.source == Source::Population(p.target);
        assert_eq!(nested.projections.iter().filter(own).count(), 1);
    }
}
