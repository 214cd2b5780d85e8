//! Nodes in a row that come to one weight matrix.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

use serde_yaml::Mapping;
use spikeloom_frontend::{ProjectFile, load};
use spikeloom_tests::nir_file;

#[test]
fn a_scaling_and_two_matrices_are_their_product() {
    let case = include_str!("cases/error/scale_and_two_matrices.yaml");
    let case: Mapping = serde_yaml::from_str(case).unwrap();
    let options = "{semantics: snntorch, reset: subtract, encoding: direct, ticks: 5}";
    let options = ProjectFile::parse(options, "options").unwrap();
    let (network, _) = load(&nir_file(&case), &options.options("case")).unwrap();
    let [projection] = &network.projections[..] else {
        panic!("one projection");
    };
    assert_eq!(projection.weights, [0.5, 2.5, 0.125, 1.25]);
    assert_eq!(projection.bias, Some(vec![0.75, 0.5]));
}
