//! The latency code against tables that `snntorch.spikegen.latency` 1.0.0 gave for all 256 bytes,
//! `torch.arange(256) / 255`, in PyTorch.

use spikeloom_ir::coding::{Latency, LatencyForm};

/// Form, `tau`, threshold, `clip`; then the lowest byte that has spiked by each tick.
type Case = (LatencyForm, Option<f64>, f64, bool, &'static [u16]);

#[rustfmt::skip]
const CASES: &[Case] = &[
    (LatencyForm::Log, None, 0.01, false, &[12, 5, 4, 4, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0]),
    (LatencyForm::Log, None, 0.01, true, &[12, 5, 4, 4, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]),
    (LatencyForm::Log, Some(5.0), 0.01, false, &[27, 10, 7, 6, 5, 4, 4, 4, 4, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]),
    (LatencyForm::Log, Some(5.0), 0.01, true, &[27, 10, 7, 6, 5, 4, 4, 4, 4, 3, 3, 3, 3, 3, 3, 3]),
    (LatencyForm::Log, None, 0.2, true, &[93, 57, 52, 52, 52, 52, 52, 52, 52, 51]),
    (LatencyForm::Log, Some(1.0), 0.01, false, &[7, 4, 3, 3, 3, 3, 3, 3]),
    (LatencyForm::Log, Some(3.7), 0.05, true, &[101, 39, 26, 21, 19, 17, 16, 15, 15, 14, 14, 14, 14, 14, 14, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13]),
    (LatencyForm::Log, None, 0.01, true, &[30, 11, 7, 6, 5, 5, 4, 4, 4, 4, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]),
    (LatencyForm::Linear, None, 0.01, false, &[250, 240, 229, 218, 208, 197, 186, 176, 165, 155, 144, 133, 123, 112, 101, 91, 80, 70, 59, 48, 38, 27, 16, 6, 0]),
    (LatencyForm::Linear, None, 0.01, true, &[250, 240, 229, 218, 208, 197, 186, 176, 165, 155, 144, 133, 123, 112, 101, 91, 80, 70, 59, 48, 38, 27, 16, 6, 3]),
    (LatencyForm::Linear, Some(5.0), 0.01, false, &[230, 179, 128, 77, 26, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    (LatencyForm::Linear, Some(5.0), 0.01, true, &[230, 179, 128, 77, 26, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]),
    (LatencyForm::Linear, None, 0.2, true, &[241, 213, 185, 156, 128, 100, 71, 51, 51, 51]),
    (LatencyForm::Linear, Some(1.0), 0.01, false, &[128, 0, 0, 0, 0, 0, 0, 0]),
    (LatencyForm::Linear, Some(3.7), 0.05, true, &[221, 152, 83, 14, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13]),
    (LatencyForm::Linear, None, 0.01, true, &[253, 249, 245, 241, 237, 233, 229, 225, 221, 217, 213, 209, 205, 201, 197, 193, 189, 185, 181, 177, 173, 168, 164, 160, 156, 152, 148, 144, 140, 136, 132, 128, 124, 120, 116, 112, 108, 104, 100, 96, 92, 88, 83, 79, 75, 71, 67, 63, 59, 55, 51, 47, 43, 39, 35, 31, 27, 23, 19, 15, 11, 7, 3, 3]),
];

#[test]
fn spikes_are_where_snntorch_has_them() {
    for &(form, tau, threshold, clip, expected) in CASES {
        let latency = Latency {
            form,
            tau,
            threshold,
            clip,
        };
        let ticks = u32::try_from(expected.len()).unwrap();
        assert_eq!(latency.least(ticks), expected, "{latency}");
    }
}
