//! What a hostile file can do to the readers: nothing but an error, quickly and in little memory.
//!
//! One test a reader, each with a corpus in `tests/corpus`; `spikeloom_tests::fuzz` says how they
//! run, for how long, and what becomes of an input that they cannot take.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod bitstream;
mod data;
mod link;
mod network;
mod nir;

use std::fmt::Display;
use std::path::PathBuf;

use miette::Diagnostic;
use spikeloom_frontend::arrays::ArchiveFormat;
use spikeloom_frontend::{ProjectFile, native};
use spikeloom_ir::{Network, mapped};
use spikeloom_passes::{MapConfig, QuantizeConfig, map, normalise, quantize};

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// What an error is, without its values: its code, the codes of those in it, and what the first says.
fn codes(error: &dyn Diagnostic) -> String {
    let code = |error: &dyn Diagnostic| {
        let code = error
            .code()
            .map_or_else(String::new, |code| code.to_string());
        code.rsplit(':').next().unwrap_or_default().to_owned()
    };
    let mut inner = error.related().into_iter().flatten().peekable();
    let first = inner.peek().map_or_else(|| gist(error), gist);
    let mut codes: Vec<String> = inner.map(code).collect();
    codes.sort();
    codes.dedup();
    // That it can be shown belongs to it.
    spikeloom_tests::render(error);
    format!("{} {} {first}", code(error), codes.join(" "))
}

/// What a message begins with, up to the first name or number that it quotes from the input.
fn gist(message: &(impl Display + ?Sized)) -> String {
    let message = message.to_string();
    // Many begin with the name of a key.
    let unquoted = match message.strip_prefix('`') {
        Some(rest) => rest.split_once('`').map_or("", |(_, rest)| rest),
        None => &message,
    };
    let plain = |word: &&str| {
        word.chars()
            .all(|c| c.is_ascii_alphabetic() || ":,;.".contains(c))
    };
    let is_path = |word: &&str| word.contains('/');
    let words = unquoted.split_whitespace().skip_while(is_path);
    words.take_while(plain).collect::<Vec<_>>().join(" ")
}

/// What becomes of a network that a reader has accepted.
fn accepted(network: &Network) -> String {
    let written = native::write(network, ArchiveFormat::Npz, "w.npz");
    let mut outcome = match written {
        Ok(written) => {
            let project = ProjectFile::default();
            let mut read = |_: &str| written.arrays.clone().ok_or_else(String::new);
            let back = native::load(&written.text, "again.yaml", &project, "", &mut read);
            let (back, _) = back.unwrap_or_else(|error| {
                panic!("{}\n{}", spikeloom_tests::render(&error), written.text)
            });
            assert_eq!(bits(&back), bits(network), "{}", written.text);
            "written".to_owned()
        }
        Err(error) => codes(&error),
    };
    if network
        .projections
        .iter()
        .map(|p| p.weights.len())
        .sum::<usize>()
        > 1 << 16
    {
        return outcome;
    }
    outcome += match spikeloom_frontend::nir::write(network) {
        Ok(_) => " nir",
        Err(_) => " not nir",
    };
    let network = normalise(network);
    let quantized = match quantize(&network, &QuantizeConfig::default()) {
        Ok((quantized, _)) => quantized,
        Err(error) => return format!("{outcome} {}", codes(&error)),
    };
    let target = spikeloom_bitstreams::target("up5k").unwrap();
    let limits: mapped::Limits = spikeloom::limits(&target);
    match map(&quantized, &limits, &MapConfig::default()) {
        Ok(_) => outcome + " mapped",
        Err(error) => format!("{outcome} {}", codes(&error)),
    }
}

/// All of a network but its origins, bit for bit.
fn bits(network: &Network) -> String {
    let mut network = network.clone();
    network.input.origin = Default::default();
    for population in &mut network.populations {
        population.origin = Default::default();
    }
    for projection in &mut network.projections {
        projection.origin = Default::default();
    }
    format!("{network:?}")
}
