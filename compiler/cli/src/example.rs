//! The embedded example: a network trained in snnTorch, its own spike trains, and MNIST's test set.
//!
//! `tests/models` and `tests/data` say where each comes from and under which licence.

use std::path::Path;

use spikeloom_frontend::{Bits, Encoding, ProjectFile, ResetChoice};
use spikeloom_ir::Network;
use spikeloom_ir::network::Semantics;

use crate::Model;
use crate::data::{DataError, DataSet, read_embedded};
use crate::reference::Reference;

const MODEL: &[u8] = include_bytes!("../../../tests/models/snntorch-leaky-mnist-direct/model.nir");
const REFERENCE: &[u8] =
    include_bytes!("../../../tests/models/snntorch-leaky-mnist-direct/reference.npz");
const TEST_IMAGES: &[u8] = include_bytes!("../../../tests/data/mnist/t10k-images-idx3-ubyte.gz");
const TEST_LABELS: &[u8] = include_bytes!("../../../tests/data/mnist/t10k-labels-idx1-ubyte.gz");
const TRAINING_IMAGES: &[u8] =
    include_bytes!("../../../tests/data/mnist/train512-images-idx3-ubyte.gz");
const TRAINING_LABELS: &[u8] =
    include_bytes!("../../../tests/data/mnist/train512-labels-idx1-ubyte.gz");

/// Accuracy on the test set that snnTorch itself reached when the model was trained.
pub const FRAMEWORK_ACCURACY: f64 = 0.9778;
/// Its name.
pub const NAME: &str = "snntorch-leaky-mnist-direct";

/// The model.
pub fn model() -> Model {
    Model::Nir {
        bytes: MODEL.to_vec(),
        name: NAME.into(),
    }
}

/// How the example is compiled for a target.
pub fn project(target: &str) -> ProjectFile {
    ProjectFile {
        name: Some(NAME.into()),
        semantics: Some(Semantics::SnnTorch),
        reset: Some(ResetChoice::Subtract),
        encoding: Some(Encoding::Direct),
        ticks: Some(25),
        bits: Bits::all(8),
        target: Some(target.into()),
        ..ProjectFile::default()
    }
}

/// MNIST's 10,000 test images.
///
/// # Errors
/// Never, unless the program was built from damaged files.
pub fn test_set() -> Result<DataSet, DataError> {
    read_embedded(TEST_IMAGES, TEST_LABELS)
}

/// 512 of MNIST's training images, on which scales are chosen.
///
/// # Errors
/// As [`test_set`].
pub fn training_subset() -> Result<DataSet, DataError> {
    read_embedded(TRAINING_IMAGES, TRAINING_LABELS)
}

/// snnTorch's own spikes on 64 images.
///
/// # Errors
/// As [`test_set`].
pub fn reference(network: &Network) -> Result<Reference, DataError> {
    Reference::parse(
        Path::new("(embedded reference.npz)"),
        REFERENCE.to_vec(),
        network,
    )
}
