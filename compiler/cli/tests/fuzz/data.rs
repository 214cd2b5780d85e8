//! Files of arrays and of samples.

use std::collections::BTreeSet;
use std::os::unix::fs::FileExt;
use std::path::Path;

use fastrand::Rng;
use spikeloom::data;
use spikeloom::data::aer::{self, Clock, Frame, Sensor};
use spikeloom_frontend::arrays::{Archive, ArchiveFormat, ArrayError, Budget};
use spikeloom_tests::archive::{npy, npy_header, safetensors, zip};
use spikeloom_tests::fuzz::{Target, campaign, mutate};

use crate::{codes, corpus, gist};

/// What an error is, without the names of arrays.
fn kind(error: &ArrayError) -> String {
    // That it can be shown belongs to it.
    let _ = error.to_string();
    match error {
        ArrayError::NotArchive { reason, .. } | ArrayError::Damaged { reason, .. } => gist(reason),
        error => {
            let debug = format!("{error:?}");
            debug.split([' ', '{']).next().unwrap().to_owned()
        }
    }
}

fn run_archive(format: ArchiveFormat, bytes: &[u8]) -> String {
    let mut archive = match Archive::open(format, bytes.to_vec(), Budget::MODEL) {
        Ok(archive) => archive,
        Err(error) => return kind(&error),
    };
    let names: Vec<String> = archive.names().into_iter().map(str::to_owned).collect();
    let mut outcome = BTreeSet::new();
    for name in names.iter().take(8) {
        outcome.insert(match archive.get(name) {
            Ok(array) => {
                assert_eq!(array.len(), array.shape().iter().product::<usize>());
                assert_eq!(array.to_f32().len(), array.len());
                format!("{} {}", array.element().name(), array.shape().len())
            }
            Err(error) => kind(&error),
        });
    }
    outcome.into_iter().collect::<Vec<_>>().join(", ")
}

/// Arrays of several types, as the files of an archive.
fn files(rng: &mut Rng) -> Vec<(String, Vec<u8>)> {
    let names = ["x.npy", "input.npy", "labels.npy", "y", "a.npy"];
    let n = rng.usize(1..4);
    (0..n)
        .map(|_| {
            let descr = *mutate::pick(
                rng,
                &[
                    "<f4", "<f8", "<f2", "|u1", "|b1", "<i8", ">i2", ">f4", "<U4", "|O", "<c8",
                ],
            );
            let shape: Vec<usize> = (0..rng.usize(..4)).map(|_| rng.usize(..5)).collect();
            let size: usize = descr[2..].parse().unwrap_or(8);
            let mut values = vec![0; size * shape.iter().product::<usize>()];
            values.iter_mut().for_each(|byte| *byte = rng.u8(..3));
            let mut header = npy_header(descr, &shape);
            if rng.u8(..3) == 0 {
                header = header.replace("False", "True");
            }
            if rng.u8(..3) == 0 {
                let words = [
                    "descr",
                    "shape",
                    "(",
                    ")",
                    "'",
                    "{",
                    "<f4",
                    "True",
                    "[",
                    "99999999999",
                ];
                let changed = mutate::text(rng, &[header.into_bytes()], &words);
                header = String::from_utf8_lossy(&changed).into_owned();
                header.truncate(header.floor_char_boundary(60_000));
            }
            (
                (*mutate::pick(rng, &names)).to_owned(),
                npy(&header, &values),
            )
        })
        .collect()
}

fn make_npz(rng: &mut Rng, pool: &[Vec<u8>]) -> Vec<u8> {
    if rng.bool() {
        return mutate::bytes(rng, pool);
    }
    let mut files = files(rng);
    if rng.u8(..3) == 0 {
        let at = rng.usize(..files.len());
        files[at].1 = mutate::bytes(rng, &[files[at].1.clone()]);
    }
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(n, b)| (n.as_str(), b.as_slice()))
        .collect();
    let archive = zip(&files, rng.bool());
    if rng.u8(..3) == 0 {
        return mutate::bytes(rng, &[archive]);
    }
    archive
}

fn npz_seeds() -> Vec<Vec<u8>> {
    let mut rng = Rng::with_seed(7);
    (0..8)
        .map(|_| make_npz(&mut rng, &[b"PK".to_vec()]))
        .collect()
}

#[test]
fn npz_archives() {
    campaign(
        "data::npz_archives",
        &Target {
            name: "npz",
            corpus: corpus(),
            seeds: npz_seeds(),
            make: &make_npz,
            run: &|bytes| run_archive(ArchiveFormat::Npz, bytes),
        },
    );
}

#[test]
fn safetensors_files() {
    const HEADER: &str = r#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]},"__metadata__":{"x":"y"}}"#;
    let words = [
        "\"dtype\"",
        "\"F64\"",
        "\"I8\"",
        "\"shape\"",
        "\"data_offsets\"",
        "18446744073709551615",
        "[",
        "{",
        "}",
        "]",
        ",",
        "\"a\":",
        "null",
    ];
    let make = |rng: &mut Rng, pool: &[Vec<u8>]| {
        if rng.bool() {
            return mutate::bytes(rng, pool);
        }
        let known = mutate::pick(rng, pool);
        let header = known.get(8..).unwrap_or_default();
        let end = header
            .iter()
            .rposition(|b| *b == b'}')
            .map_or(0, |at| at + 1);
        let text = mutate::text(rng, &[header[..end].to_vec()], &words);
        safetensors(&String::from_utf8_lossy(&text), &header[end..])
    };
    campaign(
        "data::safetensors_files",
        &Target {
            name: "safetensors",
            corpus: corpus(),
            seeds: vec![safetensors(HEADER, &[0; 22]), safetensors("{}", b"")],
            make: &make,
            run: &|bytes| run_archive(ArchiveFormat::Safetensors, bytes),
        },
    );
}

#[test]
fn samples() {
    // Written over in place, and in memory where there is such a place: that is fast.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.unwrap();
    let path = folder.path().join("samples");
    let file = std::fs::File::create(&path).unwrap();
    let idx = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 1, 2, 3, 4];
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &idx).unwrap();
    let mut seeds = npz_seeds();
    seeds.extend([idx.to_vec(), encoder.finish().unwrap()]);
    let make = |rng: &mut Rng, pool: &[Vec<u8>]| match rng.u8(..3) {
        0 => make_npz(rng, pool),
        _ => mutate::bytes(rng, pool),
    };
    let run = |bytes: &[u8]| {
        file.set_len(bytes.len() as u64).unwrap();
        file.write_all_at(bytes, 0).unwrap();
        // By a network that takes bytes, or one that is not known; by one that takes time series; and by
        // one that takes spikes.
        let read = |series, events| {
            let taken = data::Taken {
                ticks: 2,
                series,
                events,
            };
            match data::read(Path::new(&path), None, &taken) {
                Ok(data) => {
                    let kind = match &data.samples {
                        data::Samples::Values(_) => "values",
                        data::Samples::Events(_) => "events",
                        data::Samples::Series(_) => "series",
                    };
                    let (labels, targets) = (data.labels.is_some(), data.targets.is_some());
                    format!("{kind} {labels} {targets}")
                }
                Err(error) => codes(&error),
            }
        };
        let series = Some((2, 1.0 / 4096.0));
        format!(
            "{}, {}, {}",
            read(None, None),
            read(series, None),
            read(None, Some(2))
        )
    };
    campaign(
        "data::samples",
        &Target {
            name: "samples",
            corpus: corpus(),
            seeds,
            make: &make,
            run: &run,
        },
    );
}

#[test]
fn recordings() {
    let folder = spikeloom_tests::folder();
    let mut seeds = vec![
        b"# t x y p\n10 0 1 1\n0.5,2,0,0\n".to_vec(),
        [1, 1, 128, 0, 9].repeat(3),
    ];
    let mut caer = b"#!AER-DAT3.1\r\n#!END-HEADER\r\n\x01\0\0\0".to_vec();
    for word in [8_u32, 4, 0, 2, 2, 2, 1, 10, 7 | 1 << 17, 2000] {
        caer.extend(word.to_le_bytes());
    }
    seeds.push(caer);
    for sub in ["data/events", "hostile"] {
        let entries = std::fs::read_dir(folder.join(sub)).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let is_one = |path: &&std::path::PathBuf| {
            path.extension()
                .is_some_and(|found| found == "h5" || found == "aedat4")
        };
        seeds.extend(
            paths
                .iter()
                .filter(is_one)
                .map(|path| std::fs::read(path).unwrap()),
        );
    }
    let frame = Frame::new(&[2, 2, 3], &Sensor::default()).unwrap();
    let clock = Clock {
        tick_us: None,
        ticks: 8,
    };
    let run = |bytes: &[u8]| {
        let outcome = |name: &str| {
            let found = aer::parse(Path::new(name), bytes.to_vec(), &frame, &clock);
            match found {
                Ok(samples) => {
                    let last = samples.last().map(|(_, label)| label.is_some());
                    format!("{} {last:?}", samples.len().min(3))
                }
                Err(what) => gist(&what),
            }
        };
        // Without a mark the name decides.
        format!("{} {}", outcome("r.txt"), outcome("r.bin"))
    };
    campaign(
        "data::recordings",
        &Target {
            name: "recordings",
            corpus: corpus(),
            seeds,
            make: &mutate::bytes,
            run: &run,
        },
    );
}
