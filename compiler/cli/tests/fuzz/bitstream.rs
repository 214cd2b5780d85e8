//! Bitstreams as the texts that they are unpacked to.
//!
//! The databases of the devices come with the tools, so without those nothing is tried.

use miette::Diagnostic;
use spikeloom_bitstreams::TextDecoder;
use spikeloom_tests::fuzz::{Target, campaign, mutate};
use spikeloom_tests::tools;

use crate::{codes, corpus};

fn decoder(board: &str) -> Option<TextDecoder> {
    let tools = tools::toolchain()?;
    let target = spikeloom_bitstreams::target(board).unwrap();
    Some(TextDecoder::new(&target, &tools).unwrap())
}

/// What becomes of a text: a netlist that can be simulated, or an error with a remedy.
fn run(decoder: &TextDecoder, bytes: &[u8]) -> String {
    // What a tool wrote is read as text before.
    let text = String::from_utf8_lossy(bytes);
    let decoded = match decoder.decode(&text) {
        Ok(decoded) => decoded,
        Err(error) => {
            assert!(error.help().is_some(), "{error}");
            return codes(&error);
        }
    };
    let counts = decoded.gates.counts();
    match spikeloom_bitstreams::fast_sources(&decoded.gates) {
        Ok(_) => format!("{} tables, {} flip-flops", counts.tables, counts.flip_flops),
        Err(error) => codes(&error),
    }
}

#[test]
fn ecp5() {
    const WORDS: [&str; 24] = [
        ".device",
        "LFE5U-25F",
        "LFE5U-85F",
        ".tile",
        "R2C3:PLC2",
        "R20C20:PLC2",
        "MIB_R13C4:MIB_EBR0",
        "R-1C32767:PLC2",
        "arc:",
        "enum:",
        "word:",
        "unknown:",
        ".bram_init",
        ".comment",
        "SLICEA.MODE",
        "CCU2",
        "DPRAM",
        "SLICEA.K0.INIT",
        "1111000011110000",
        "EBR0.MODE",
        "DP16KD",
        "F9B9",
        "S1_V02S0501",
        "1ff",
    ];
    let Some(decoder) = decoder("ulx3s") else {
        return;
    };
    let whole = include_bytes!("../corpus/ecp5/seed-small");
    assert_eq!(run(&decoder, whole), "7 tables, 5 flip-flops");
    campaign(
        "bitstream::ecp5",
        &Target {
            name: "ecp5",
            corpus: corpus(),
            seeds: vec![b".device LFE5U-25F\n.tile R2C3:PLC2\nenum: SLICEA.MODE CCU2\n".to_vec()],
            make: &|rng, pool| mutate::text(rng, pool, &WORDS),
            run: &|bytes| run(&decoder, bytes),
        },
    );
}

#[test]
fn ice40() {
    const WORDS: [&str; 20] = [
        ".device",
        "5k",
        "8k",
        ".io_tile",
        ".logic_tile",
        ".ramb_tile",
        ".ramt_tile",
        ".dsp0_tile",
        ".ipconn_tile",
        ".ram_data",
        ".extra_bit",
        ".sym",
        ".warmboot",
        ".comment",
        "6",
        "255",
        "256",
        "0101010101010101",
        "000000000000000000000000000000000000000000000000000000",
        "111111111111111111111111111111111111111111111111111111111111111111",
    ];
    let Some(decoder) = decoder("icebreaker") else {
        return;
    };
    let whole = include_bytes!("../corpus/ice40/seed-small");
    assert_eq!(run(&decoder, whole), "6 tables, 5 flip-flops");
    campaign(
        "bitstream::ice40",
        &Target {
            name: "ice40",
            corpus: corpus(),
            seeds: vec![b".device 5k\n.io_tile 1 0\n010\n001\n".to_vec()],
            make: &|rng, pool| mutate::text(rng, pool, &WORDS),
            run: &|bytes| run(&decoder, bytes),
        },
    );
}
