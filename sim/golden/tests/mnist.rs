//! Accuracy of real networks after quantising, on images that nothing was chosen from.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

mod support;

use spikeloom_frontend::Encoding;
use spikeloom_golden::{Golden, Sample};
use support::{images, labels, network, quantized};

/// Number of the first `n` test images that come out right, for each width of a weight.
fn correct<const N: usize>(encoding: Encoding, n: usize, weight_bits: [u32; N]) -> [usize; N] {
    let network = network(encoding);
    let (images, labels) = (images(), labels());
    weight_bits.map(|bits| {
        let mut golden = Golden::new(&quantized(&network, bits)).unwrap();
        let samples = images.iter().zip(&labels).take(n);
        samples
            .filter(|(image, label)| {
                let outcome = golden.run(Sample::Values(image)).unwrap();
                outcome.class == usize::from(**label)
            })
            .count()
    })
}

/// snnTorch itself has 9,778 of 10,000: 8 bits may lose 0.3 points, 4 bits 1 point. The counts
/// are exact, so that any change of the arithmetic shows.
#[test]
fn direct_accuracy_is_the_frameworks() {
    let found = correct(Encoding::Direct, 10_000, [8, 4, 2]);
    assert_eq!(found, [9_787, 9_777, 9_472]);
    assert!(found[0] >= 9_778 - 30 && found[1] >= 9_778 - 100);
}

/// The framework's 9,790 of 10,000 are with other random spikes, so that it is a rate that is
/// compared; here on the first 2,000 images, of which the float reference has 1,938 right.
#[test]
fn rate_accuracy_is_the_frameworks() {
    let found = correct(Encoding::Rate, 2_000, [8, 4]);
    assert!(found[0] >= 1_932 && found[1] >= 1_918, "{found:?}");
}
