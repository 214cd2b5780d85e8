//! Networks and project files in YAML.

use fastrand::Rng;
use spikeloom_frontend::{KEYS, ProjectFile, native};
use spikeloom_tests::archive::{npy, npy_header, zip};
use spikeloom_tests::fuzz::{Target, campaign, mutate};

use crate::{accepted, codes, corpus};

/// All texts of a folder.
fn texts(folder: &str) -> Vec<Vec<u8>> {
    let folder = spikeloom_tests::folder().join("..").join(folder);
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

fn run_project(bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return "no text".to_owned();
    };
    match ProjectFile::parse(text, "spikeloom.yaml") {
        Ok(project) => {
            // But for what is about files, it can be written and read again.
            let again = ProjectFile::parse(&project.to_yaml(), "again.yaml").unwrap();
            let kept = ProjectFile {
                calibration: None,
                output: None,
                ..project
            };
            assert_eq!(again, kept);
            format!("{} lines", again.to_yaml().lines().count())
        }
        Err(error) => codes(&error),
    }
}

#[test]
fn project_files() {
    let words: Vec<&str> = KEYS
        .iter()
        .copied()
        .chain([
            "data",
            "samples",
            "snntorch",
            "zero",
            "direct",
            "multi",
            "true",
            "threshold",
        ])
        .collect();
    let make = |rng: &mut Rng, pool: &[Vec<u8>]| mutate::text(rng, pool, &words);
    let mut seeds = texts("compiler/frontend/tests/cases/project");
    seeds.extend(texts("examples"));
    campaign(
        "network::project_files",
        &Target {
            name: "project",
            corpus: corpus(),
            seeds,
            make: &make,
            run: &run_project,
        },
    );
}

fn run_network(bytes: &[u8], arrays: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return "no text".to_owned();
    };
    let is_network = native::is_network(text);
    let project = ProjectFile::default();
    let mut read = |name: &str| match name.len() % 4 {
        0 => Err("it is not there".to_owned()),
        _ => Ok(arrays.to_vec()),
    };
    let outcome = match native::load(text, "net.yaml", &project, "net", &mut read) {
        Ok((network, remarks)) => {
            let _ = native::inspect(&network, remarks).to_string();
            accepted(&network)
        }
        Err(error) => codes(&error),
    };
    format!("{is_network} {outcome}")
}

#[test]
fn networks() {
    let array = |shape: &[usize]| {
        let n = shape.iter().product::<usize>();
        let values: Vec<u8> = (0..n)
            .flat_map(|k| (k as f32 / 4.0).to_le_bytes())
            .collect();
        npy(&npy_header("<f4", shape), &values)
    };
    let files = [
        ("fc.npy", array(&[2, 3])),
        ("fc1.weight.npy", array(&[3, 2])),
        ("tau.npy", array(&[3])),
        ("one.npy", array(&[1])),
        ("conv1.weight.npy", array(&[2, 1, 3, 3])),
    ];
    let files: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (*n, b.as_slice())).collect();
    let arrays = zip(&files, true);
    let keys = [
        native::KEYS,
        native::POPULATION_KEYS,
        native::PROJECTION_KEYS,
        native::POOL_KEYS,
        native::CONVOLVE_KEYS,
        native::RANDOM_WEIGHTS_KEYS,
        native::RANDOM_BIAS_KEYS,
        native::LEARNING_KEYS,
        native::TRACE_KEYS,
        native::TAG_KEYS,
        native::LIMIT_KEYS,
        native::GAIN_KEYS,
    ];
    let mut words = keys.concat();
    words.extend([
        native::FORMAT,
        "input",
        "hidden",
        "a",
        "direct",
        "rate",
        "events",
        "subtract",
        "next-tick",
        "same",
        "teacher",
        "lms",
        "emstdp",
        "hidden.v_mem",
        "h1 * x0",
        "2^-4 * x1 * y0",
        "-e0 * end",
        "w.npz:fc",
        "fc1.weight",
        "tau",
        "one",
        "true",
    ]);
    let make = |rng: &mut Rng, pool: &[Vec<u8>]| mutate::text(rng, pool, &words);
    let mut seeds = texts("compiler/frontend/tests/cases/native");
    seeds.extend(texts("examples"));
    let page = include_str!("../../../../docs/native-format.md");
    let examples = page.split("```yaml\n").skip(1);
    seeds.extend(examples.map(|rest| rest.split("```").next().unwrap().as_bytes().to_vec()));
    campaign(
        "network::networks",
        &Target {
            name: "network",
            corpus: corpus(),
            seeds,
            make: &make,
            run: &|bytes| run_network(bytes, &arrays),
        },
    );
}
