//! One neuron on eight platforms, as the NIR paper recorded it: `lif_norse.nir` (1-1, tau 2.5 ms,
//! threshold 0.1) over 1,000 ticks of 0.1 ms with 34 inputs.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

mod support;

use spikeloom_float::{PopulationRecord, Sample, run};
use support::{network, options};

/// What one platform recorded, and how it is read here.
struct Trace {
    platform: &'static str,
    model: &'static str,
    options: &'static str,
    /// The recording begins so many ticks late.
    v_late: usize,
    spikes_late: usize,
    /// What a membrane of 1 is in the recording.
    scale: f64,
    /// Largest difference of a membrane.
    tolerance: f64,
}

const NORSES: &str = "lif_norse.nir";

/// As it is, in Euler's steps with the reset in the same tick.
const PLAIN: Trace = Trace {
    platform: "norse",
    model: NORSES,
    options: "{semantics: nir, dt: 1e-4}",
    v_late: 0,
    spikes_late: 0,
    scale: 1.0,
    tolerance: 2e-6,
};

const TRACES: [Trace; 10] = [
    PLAIN,
    Trace {
        options: "{semantics: norse, reset: value, dt: 1e-4}",
        ..PLAIN
    },
    // Its input has no factor, and its threshold was scaled to match. The reset is not the
    // library's delayed one.
    Trace {
        platform: "snntorch",
        scale: 25.0,
        ..PLAIN
    },
    // The exponential decay, with the input's factor dt / tau as a weight of 0.04. That input is
    // in the recording; the weight makes up for it.
    Trace {
        platform: "sinabs",
        options: "{semantics: sinabs, reset: subtract, norm_input: false, dt: 1e-4}",
        tolerance: 1e-5,
        ..PLAIN
    },
    // Its own export, in which that weight stands, and whose r gives the tick.
    Trace {
        platform: "rockpool",
        model: "lif_rockpool.nir",
        options: "{semantics: rockpool}",
        tolerance: 1e-5,
        ..PLAIN
    },
    Trace {
        platform: "spyx",
        options: "{semantics: spyx, dt: 1e-4}",
        ..PLAIN
    },
    // In Lava, what a process sends arrives a tick later, also at what records it.
    Trace {
        platform: "lava_cpu_float",
        options: "{semantics: lava, dt: 1e-4}",
        v_late: 1,
        spikes_late: 1,
        tolerance: 1e-7,
        ..PLAIN
    },
    // The same with the delay in the network.
    Trace {
        platform: "lava_cpu_float",
        options: "{semantics: lava, dt: 1e-4, delay_shift: true}",
        v_late: 1,
        tolerance: 1e-7,
        ..PLAIN
    },
    // In units of the threshold.
    Trace {
        platform: "nengo",
        options: "{semantics: nengo, dt: 1e-4}",
        scale: 10.0,
        ..PLAIN
    },
    // The exact answer for an input that is held over a tick is Nengo's formula, but for the reset:
    // it comes within the tick, and what is left of the tick's input counts from 0.
    Trace {
        platform: "exact",
        options: "{semantics: nengo, dt: 1e-4}",
        tolerance: 7e-3,
        ..PLAIN
    },
];

/// `input,membrane,spike` for each tick.
fn rows(platform: &str) -> Vec<[f64; 3]> {
    let path = support::file(&format!("nir-samples/lif_{platform}.csv"));
    let text = std::fs::read_to_string(path).unwrap();
    let row = |line: &str| {
        let columns: Vec<f64> = line.split(',').map(|x| x.trim().parse().unwrap()).collect();
        [columns[0], columns[1], columns[2]]
    };
    text.lines().map(row).collect()
}

fn record(trace: &Trace, rows: &[[f64; 3]]) -> PopulationRecord {
    let mut options = options(trace.options);
    options.encoding = Some(spikeloom_frontend::Encoding::Events);
    options.ticks = Some(1000);
    let mut network = network(&format!("nir-samples/{}", trace.model), &options);
    if trace.platform == "sinabs" {
        network.projections[0].weights = vec![0.04];
    }
    let spikes = rows.iter().map(|row| match row[0] != 0.0 {
        true => vec![0],
        false => Vec::new(),
    });
    let input: Vec<Vec<u32>> = spikes.collect();
    assert_eq!(input.iter().flatten().count(), 34);
    let record = run(&network, Sample::Events(&input)).unwrap();
    record.populations.into_iter().next().unwrap()
}

#[test]
fn every_platform_of_the_nir_paper_is_reproduced() {
    for trace in &TRACES {
        let name = format!("{} with {}", trace.platform, trace.options);
        let rows = rows(trace.platform);
        let record = record(trace, &rows);
        let mut largest: f64 = 0.0;
        let mut n_spikes = 0;
        for (tick, row) in rows.iter().enumerate() {
            let spikes = tick.checked_sub(trace.spikes_late);
            let spikes = spikes.map_or(0, |then| record.spikes[then][0]);
            assert_eq!(spikes, u32::from(row[2] != 0.0), "{name}: tick {tick}");
            n_spikes += spikes;
            let v = tick.checked_sub(trace.v_late);
            let v = v.map_or(0.0, |then| f64::from(record.v_mem[then][0]));
            largest = largest.max((v * trace.scale - row[1]).abs());
        }
        assert_eq!(n_spikes, 4, "{name}");
        println!("{name}: the membrane differs by at most {largest:.1e}");
        assert!(
            largest < trace.tolerance,
            "{name}: the membrane differs by {largest}"
        );
    }
}

/// What tells the platforms apart: the ticks of their four spikes.
#[test]
fn another_semantics_does_not_give_a_platforms_spikes() {
    let ticks = |model: &'static str, options: &'static str| -> Vec<usize> {
        let trace = Trace {
            model,
            options,
            ..PLAIN
        };
        let record = record(&trace, &rows("norse"));
        let spikes = record.spikes.iter().enumerate();
        spikes.filter(|(_, s)| s[0] > 0).map(|(t, _)| t).collect()
    };
    for (model, options, expected) in [
        (NORSES, "{semantics: nir, dt: 1e-4}", [460, 510, 710, 760]),
        (NORSES, "{semantics: spyx, dt: 1e-4}", [461, 511, 711, 761]),
        (
            "lif_rockpool.nir",
            "{semantics: rockpool}",
            [450, 500, 710, 760],
        ),
    ] {
        assert_eq!(ticks(model, options), expected, "{options}");
    }
}
