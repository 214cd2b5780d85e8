//! Chips that are not quite their design: `spikeloom board virtual --chip`.

use spikeloom::Build;
use spikeloom::chip::{ChipFile, draw};
use spikeloom_boards::frame::{CommandFrame, command};
use spikeloom_boards::{Layout, Space};
use spikeloom_ir::ProjectionId;
use spikeloom_tests::Workshop;

/// More weights than the block RAMs of an UP5K hold, so that the host loads those of the first
/// layer.
pub const LARGE: &str = "\
format: spikeloom-network/1
name: large
ticks: 4
input: {shape: 300, encoding: direct}
populations:
  hidden: {shape: 60, v_threshold: 1, reset: subtract}
  readout: {shape: 5, v_threshold: 1, reset: subtract}
projections:
  - {from: input, to: hidden, weights: {random: 1, scale: 0.3}}
  - {from: hidden, to: readout, weights: {random: 2, scale: 0.5}}
output: readout
decoder: spike-count
";

fn large(bits: u32) -> (Workshop, Build) {
    let workshop = crate::workshop();
    workshop.write("large.yaml", LARGE);
    workshop.succeeds(&format!(
        "compile large.yaml --bits {bits} --stop-at verilog -o build"
    ));
    let build = Build::read(&workshop.path("build")).unwrap();
    (workshop, build)
}

fn write(space: Space, address: usize, payload: &[u8]) -> CommandFrame {
    let address = u32::try_from(address).unwrap();
    CommandFrame::new(7, command::WRITE, space, address, payload.to_vec()).unwrap()
}

/// What the host writes arrives as the packed weights of the network that was drawn, and what it
/// does not write comes with the Verilog.
#[test]
fn loaded_weights_arrive_as_the_chip_keeps_them() {
    for bits in [8, 5] {
        let (_workshop, build) = large(bits);
        let file = ChipFile::parse("{stuck_weights: 0.1, weight_offsets: 2, seed: 3}").unwrap();
        let mut chip = draw(&file, &build.quantized, &build.mapped).unwrap();
        let n_weights: usize = build
            .quantized
            .projections
            .iter()
            .map(|p| p.weights.len())
            .sum();
        let share = chip.die.n_stuck as f64 / n_weights as f64;
        assert!((0.05..0.11).contains(&share), "{share}");
        assert!(chip.die.n_off > chip.die.n_stuck);
        let layout = |network| Layout::new(network, &build.mapped, 1).unwrap();
        let given = layout(&build.quantized).cores[0].weights.clone().unwrap();
        let kept = layout(&chip.die.network).cores[0].weights.clone().unwrap();
        assert_ne!(given, kept);
        let space = Space::weights(0).unwrap();
        // Frames as a client cuts them, twice, as after an answer that was lost.
        for _ in 0..2 {
            for (k, part) in given.chunks(245).enumerate() {
                let taken = chip.take(write(space, k * 245, part));
                assert_eq!(taken.payload(), &kept[k * 245..][..part.len()]);
                assert_eq!((taken.sequence(), taken.address()), (7, (k * 245) as u32));
            }
        }
        // Other weights than the design's, as a host that trains writes them: stuck ones stay.
        let zeros = vec![0; 240];
        let taken = chip.take(write(space, 0, &zeros));
        assert_ne!(taken.payload(), zeros);
        let same = ChipFile { seed: 3, ..file };
        let again = draw(&same, &build.quantized, &build.mapped).unwrap();
        assert_eq!(again.die.network, chip.die.network);
        let other = ChipFile { seed: 4, ..file };
        let other = draw(&other, &build.quantized, &build.mapped).unwrap();
        assert_ne!(other.die.network, chip.die.network);
    }
}

/// No neuron of the chip has a larger sum than the largest of its population, for which the widths
/// are proved.
#[test]
fn sums_stay_within_what_was_proved() {
    let (_workshop, build) = large(8);
    let file = ChipFile::parse("{stuck_weights: 0.3, weight_offsets: 20}").unwrap();
    let chip = draw(&file, &build.quantized, &build.mapped).unwrap();
    for id in [ProjectionId(0), ProjectionId(1)] {
        let largest = |network: &spikeloom_ir::Quantized, sign: i64| {
            let p = &network.projections[id.0];
            let sum =
                |row: &[i32]| -> i64 { row.iter().map(|&w| (i64::from(w) * sign).max(0)).sum() };
            p.weights.chunks(p.n_pre).map(sum).max().unwrap()
        };
        for sign in [1, -1] {
            assert!(largest(&chip.die.network, sign) <= largest(&build.quantized, sign));
        }
    }
}

#[test]
fn samples_lose_values_and_become_noisy() {
    let (_workshop, build) = large(8);
    let drawn = |text: &str| {
        draw(
            &ChipFile::parse(text).unwrap(),
            &build.quantized,
            &build.mapped,
        )
        .unwrap()
    };
    let sample = vec![100; 240];
    let mut lossy = drawn("lost_events: 0.25");
    let seen = lossy.take(write(Space::INPUT, 0, &sample));
    let lost = seen.payload().iter().filter(|&&v| v == 0).count();
    assert!((30..90).contains(&lost), "{lost}");
    assert!(seen.payload().iter().all(|&v| v == 0 || v == 100));
    let mut noisy = drawn("input_noise: 5");
    let seen = [(); 2].map(|()| noisy.take(write(Space::INPUT, 0, &sample)));
    assert_ne!(seen[0], seen[1]);
    let mean: f64 = seen[0].payload().iter().map(|&v| f64::from(v)).sum::<f64>() / 240.0;
    assert!((mean - 100.0).abs() < 2.0, "{mean}");
    // What is read, and what goes elsewhere, is left alone.
    let ticks = write(Space::CONTROL, 0x10, &[4, 0]);
    assert_eq!(noisy.take(ticks.clone()), ticks);
}

#[test]
fn what_is_no_chip_is_refused() {
    for wrong in [
        "stuck_weight: 0.1",
        "stuck_weights: 2",
        "weight_offsets: -1",
        "input_noise: .nan",
        "[1]",
        "lost_events: often",
    ] {
        assert!(ChipFile::parse(wrong).is_err(), "{wrong}");
    }
}
