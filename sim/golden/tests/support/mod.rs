//! The snnTorch networks of `tests/models` and the images of `tests/data`.

use std::io::Read;
use std::path::{Path, PathBuf};

use spikeloom_frontend::{Encoding, Options, ResetChoice, load};
use spikeloom_ir::network::Semantics;
use spikeloom_ir::{Network, Quantized};
use spikeloom_passes::{QuantizeConfig, normalise, quantize};

fn tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests")
        .join(path)
}

/// `snntorch-leaky-mnist-direct` or `-rate`, normalised.
pub fn network(encoding: Encoding) -> Network {
    let name = match encoding {
        Encoding::Direct => "direct",
        _ => "rate",
    };
    let path = tests(&format!("models/snntorch-leaky-mnist-{name}/model.nir"));
    let options = Options {
        name: name.into(),
        semantics: Some(Semantics::SnnTorch),
        reset: Some(ResetChoice::Subtract),
        encoding: Some(encoding),
        ticks: Some(25),
        ..Options::default()
    };
    normalise(&load(&std::fs::read(path).unwrap(), &options).unwrap().0)
}

/// With the default choices of the compiler.
pub fn quantized(network: &Network, weight_bits: u32) -> Quantized {
    let cfg = QuantizeConfig {
        weight_bits,
        ..QuantizeConfig::default()
    };
    quantize(network, &cfg).unwrap().0
}

fn idx(name: &str, header: usize) -> Vec<u8> {
    let file = std::fs::File::open(tests("data/mnist").join(name)).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file)
        .read_to_end(&mut bytes)
        .unwrap();
    bytes.split_off(header)
}

/// The 10,000 test images.
pub fn images() -> Vec<Vec<u8>> {
    let pixels = idx("t10k-images-idx3-ubyte.gz", 16);
    pixels.chunks_exact(784).map(<[u8]>::to_vec).collect()
}

/// Their classes.
pub fn labels() -> Vec<u8> {
    idx("t10k-labels-idx1-ubyte.gz", 8)
}
