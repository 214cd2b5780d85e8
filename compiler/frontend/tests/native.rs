//! The native format: what is written is read back, places are right, faults are explained.
//!
//! A new bad case is a new file in `cases/native`: the text as it is, behind a comment for each
//! array that stands beside it: `# FILE.npz NAME shape value value …`; fewer values than the shape
//! needs are repeated.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use spikeloom_frontend::arrays::{self, ArchiveFormat, NumberArray};
use spikeloom_frontend::native::{self, is_network};
use spikeloom_frontend::{Error, ProjectFile, Remark};
use spikeloom_ir::{Network, Origin};
use spikeloom_tests::render;
use support::{network, without_origins};

type Files = BTreeMap<String, Vec<u8>>;

fn load(text: &str, files: &Files, project: &str) -> Result<(Network, Vec<Remark>), Error> {
    let project = ProjectFile::parse(project, "options").unwrap();
    native::load(text, "net.yaml", &project, "net", &mut |name| {
        let file = files.get(name).cloned();
        file.ok_or_else(|| "there is no such file".to_owned())
    })
}

/// A network as text with its files.
fn written(network: &Network, format: ArchiveFormat) -> (String, Files) {
    let name = format!("weights.{}", format.extension());
    let written = native::write(network, format, &name).unwrap();
    let files = written
        .arrays
        .into_iter()
        .map(|bytes| (name.clone(), bytes));
    (written.text, files.collect())
}

/// Every bit: floats that are equal may differ, as 0 and -0 do.
fn assert_same(network: &Network, other: &Network) {
    let bits = |network: &Network| format!("{network:?}");
    assert_eq!(bits(network), bits(other));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_written_is_read_back_bit_for_bit(
        network in network(),
        format in prop::sample::select(&ArchiveFormat::ALL[..]),
    ) {
        let (text, files) = written(&network, format);
        prop_assert!(is_network(&text));
        let (read, _) = load(&text, &files, "").unwrap_or_else(|error| panic!("{}\n{text}", render(&error)));
        assert_same(&without_origins(read), &network);
    }
}

const EXAMPLE: &str = "\
format: spikeloom-network/1
ticks: 8
input: {shape: 2, encoding: rate}
populations:
  readout: {shape: 1, decay_mem: 0.9}
  hidden:
    shape: 3
    v_threshold: [1, 0.5, 1e-1]
    reset: subtract
projections:
  - {from: hidden, to: readout, weights: [[1, 2, 3]]}
  - from: input
    to: hidden
    weights: w.npz:fc
    bias: 0.25
  - {name: back, from: readout, to: hidden, weights: -1, delay: 1}
output: readout
";

fn example_files() -> Files {
    let weights = NumberArray::of_f32(vec![3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    let bytes = arrays::write(ArchiveFormat::Npz, &[("fc".to_owned(), weights)]).unwrap();
    Files::from([("w.npz".to_owned(), bytes)])
}

#[test]
fn scalars_lists_and_arrays_become_parameters_and_sources_come_first() {
    let (network, remarks) = load(EXAMPLE, &example_files(), "").unwrap();
    insta::assert_snapshot!("example", network);
    assert!(remarks.is_empty());
    let names: Vec<&str> = network
        .populations
        .iter()
        .map(|p| p.name.as_str())
        .collect();
    assert_eq!(names, ["hidden", "readout"]);
    assert_eq!(network.output.0, 1);
    let hidden = &network.populations[0];
    assert_eq!(
        hidden.neuron.firing.as_ref().unwrap().v_threshold,
        [1.0, 0.5, 0.1]
    );
    let names: Vec<&str> = network
        .projections
        .iter()
        .map(|p| p.name.as_str())
        .collect();
    assert_eq!(names, ["input -> hidden", "back", "hidden -> readout"]);
    assert_eq!(
        network.projections[0].weights,
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    );
    assert_eq!(network.projections[0].bias, Some(vec![0.25; 3]));
    assert_eq!(network.projections[1].weights, [-1.0; 3]);
}

#[test]
fn origins_are_lines_and_columns() {
    let (network, _) = load(EXAMPLE, &example_files(), "").unwrap();
    let place = |line, column| Origin::Text { line, column };
    assert_eq!(network.input.origin, place(3, 1));
    assert_eq!(network.populations[0].origin, place(6, 3));
    assert_eq!(network.projections[0].origin, place(12, 5));
    assert_eq!(
        network.populations[1].origin.to_string(),
        "line 5, column 3"
    );
}

#[test]
fn options_replace_what_they_may_and_contradict_the_rest() {
    let files = example_files();
    let options = "{name: other, ticks: 3, encoding: direct, input_scale: 0.5, semantics: nir}";
    let (network, _) = load(EXAMPLE, &files, options).unwrap();
    insta::assert_snapshot!(
        "overridden",
        network
            .to_string()
            .lines()
            .take(2)
            .collect::<Vec<_>>()
            .join("\n")
    );
    let options = "{semantics: norse, reset: zero, resets: {a: zero}, reset_delay: true, spikes: single, dt: 0.1, \
                   input_scale: 2, decoder: spike-count}";
    let error = load(EXAMPLE, &files, options).unwrap_err();
    insta::assert_snapshot!("contradicted", render(&error));
}

#[test]
fn the_examples_of_the_documentation_are_networks() {
    let page = include_str!("../../../docs/native-format.md");
    let examples = page.split("```yaml\n").skip(1);
    let examples: Vec<&str> = examples
        .map(|rest| rest.split_once("```").unwrap().0)
        .collect();
    let archive = |format, arrays: &[(&str, &[usize])]| {
        let arrays = arrays.iter().map(|(name, shape)| {
            let values = vec![0.5; shape.iter().product()];
            let array = NumberArray::of_f32(shape.to_vec(), &values).unwrap();
            ((*name).to_owned(), array)
        });
        arrays::write(format, &arrays.collect::<Vec<_>>()).unwrap()
    };
    let digits: [(&str, &[usize]); 4] = [
        ("hidden.v_threshold", &[128]),
        ("fc1.weight", &[128, 784]),
        ("fc1.bias", &[128]),
        ("fc2.weight", &[10, 128]),
    ];
    let more: [(&str, &[usize]); 1] = [("recurrent.weight", &[128, 128])];
    let conv: [(&str, &[usize]); 3] = [
        ("conv1.weight", &[8, 2, 5, 5]),
        ("conv1.bias", &[8]),
        ("conv2.weight", &[16, 2, 3, 3]),
    ];
    let esn: [(&str, &[usize]); 5] = [
        ("input.weight", &[128, 12]),
        ("recurrent.weight", &[128, 128]),
        ("recurrent.bias", &[128]),
        ("readout.weight", &[9, 128]),
        ("readout.bias", &[9]),
    ];
    let npz = ArchiveFormat::Npz;
    let files = Files::from([
        ("esn.npz".to_owned(), archive(npz, &esn)),
        ("digits.npz".to_owned(), archive(npz, &digits)),
        ("conv.npz".to_owned(), archive(npz, &conv)),
        (
            "more.safetensors".to_owned(),
            archive(ArchiveFormat::Safetensors, &more),
        ),
    ]);
    let sizes = examples.iter().map(|text| {
        let (network, remarks) =
            load(text, &files, "").unwrap_or_else(|error| panic!("{}", render(&error)));
        assert!(remarks.is_empty());
        (network.populations.len(), network.projections.len())
    });
    assert_eq!(
        sizes.collect::<Vec<_>>(),
        [(2, 3), (2, 3), (3, 3), (2, 3), (3, 4), (2, 3)]
    );
    // Every key of the format is in one of them, and described.
    let keys = [
        native::KEYS,
        native::POPULATION_KEYS,
        native::PROJECTION_KEYS,
        native::POOL_KEYS,
        native::CONVOLVE_KEYS,
        native::LEARNING_KEYS,
        native::TAG_KEYS,
        native::TRACE_KEYS,
        native::LIMIT_KEYS,
        native::GAIN_KEYS,
        native::RANDOM_WEIGHTS_KEYS,
        native::RANDOM_BIAS_KEYS,
    ];
    for key in keys.concat() {
        let written = format!("{key}:");
        assert!(examples.iter().any(|text| text.contains(&written)), "{key}");
        assert!(
            page.contains(&format!("| `{key}`")) || page.contains(&format!(", `{key}`")),
            "{key} is not described"
        );
    }
}

#[test]
fn learning_is_written_as_it_is_read() {
    let page = include_str!("../../../docs/native-format.md");
    let text = page.split("## Learning").nth(1).unwrap();
    let text = text.split("```yaml\n").nth(1).unwrap();
    let text = text.split_once("```").unwrap().0;
    let (network, _) = load(text, &Files::new(), "").unwrap();
    let plastic = network.projections.iter().filter(|p| p.learning.is_some());
    assert_eq!(plastic.count(), 2);
    // All channels are there, and the teacher's part of the weights is apart.
    let sums = network
        .projections
        .iter()
        .map(|p| (p.n_pre, p.weights.iter().sum::<f32>()));
    assert_eq!(
        sums.collect::<Vec<_>>(),
        [(74, 640.0), (74, 100.0), (74, 100.0), (40, 0.0)]
    );
    for format in ArchiveFormat::ALL {
        let (text, files) = written(&network, format);
        let (read, _) = load(&text, &files, "").unwrap_or_else(|e| panic!("{}", render(&e)));
        assert_same(&without_origins(read), &without_origins(network.clone()));
    }
}

#[test]
fn names_that_the_format_cannot_hold_are_refused() {
    let (network, _) = load(EXAMPLE, &example_files(), "").unwrap();
    let mut same = network.clone();
    same.populations[1].name = "hidden".to_owned();
    let mut input = network;
    input.populations[0].name = "input".to_owned();
    for network in [same, input] {
        let error = native::write(&network, ArchiveFormat::Npz, "w.npz").unwrap_err();
        assert!(matches!(error, Error::Unwritable { .. }));
    }
}

#[test]
fn bad_networks_are_explained() {
    insta::glob!("cases/native/*.yaml", |path| {
        insta::assert_snapshot!(report(path));
    });
}

fn report(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let mut archives: BTreeMap<&str, Vec<(String, NumberArray)>> = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# ")) {
        let words: Vec<&str> = line.split(' ').collect();
        let [file, name, shape, values @ ..] = &words[..] else {
            continue;
        };
        if ArchiveFormat::of(file).is_none() {
            continue;
        }
        let shape: Vec<usize> = shape.split('x').map(|n| n.parse().unwrap()).collect();
        let values = values.iter().map(|x| x.parse::<f32>().unwrap()).cycle();
        let values: Vec<f32> = values.take(shape.iter().product()).collect();
        let array = NumberArray::of_f32(shape, &values).unwrap();
        archives
            .entry(file)
            .or_default()
            .push(((*name).to_owned(), array));
    }
    let files = archives.into_iter().map(|(file, arrays)| {
        let bytes = arrays::write(ArchiveFormat::of(file).unwrap(), &arrays).unwrap();
        (file.to_owned(), bytes)
    });
    match load(&text, &files.collect(), "") {
        Ok((network, remarks)) => {
            let remarks: Vec<String> = remarks.iter().map(|r| format!("{}: {r}", r.code)).collect();
            format!("accepted\n{}\n{network}", remarks.join("\n"))
        }
        Err(error) => render(&error),
    }
}
