//! Small networks of all neurons of a framework against the framework itself.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

mod support;

use spikeloom_frontend::ProjectFile;
use support::{Reference, differing, largest_error, network, run_events};

/// A network that its framework ran over four samples of 48 ticks.
struct Case {
    folder: &'static str,
    model: &'static str,
    reference: &'static str,
    options: &'static str,
    /// Populations with the name of their arrays: `spikes_…` and `mem_…`.
    populations: &'static [(&'static str, &'static str)],
    /// Largest difference of a membrane; `None` where the framework records it before the reset.
    tolerance: Option<f32>,
}

const CASES: &[Case] = &[
    Case {
        folder: "neurons-lava",
        model: "model.nir",
        reference: "reference.npz",
        options: "semantics: lava",
        populations: &[("1", "1"), ("3", "3")],
        tolerance: None,
    },
    Case {
        folder: "neurons-rockpool",
        model: "model.nir",
        reference: "reference.npz",
        options: "semantics: rockpool",
        populations: &[
            ("1_LIFNeuronTorch", "1_LIFNeuronTorch"),
            ("3_LIFTorch", "3_LIFTorch"),
            ("5_ExpSynTorch", "5_ExpSynTorch"),
        ],
        tolerance: Some(1e-4),
    },
    Case {
        folder: "neurons-sinabs",
        model: "model.nir",
        reference: "multi.npz",
        options: "semantics: sinabs\nreset: subtract\nnorm_input: false\nv_min: none",
        populations: &[("1", "1"), ("3", "3"), ("5", "5")],
        tolerance: Some(1e-4),
    },
    Case {
        folder: "neurons-sinabs",
        model: "model.nir",
        reference: "single_norm.npz",
        options: "semantics: sinabs\nreset: subtract\nspikes: single\nnorm_input: true\nv_min: none",
        populations: &[("1", "1"), ("3", "3"), ("5", "5")],
        tolerance: Some(1e-4),
    },
    Case {
        folder: "neurons-sinabs",
        model: "model.nir",
        reference: "clamped.npz",
        options: "semantics: sinabs\nreset: subtract\nnorm_input_of: {1: false}\nv_min: -0.5",
        populations: &[("1", "1"), ("3", "3"), ("5", "5")],
        tolerance: Some(1e-4),
    },
    Case {
        folder: "neurons-sinabs",
        model: "synapse.nir",
        reference: "synapse.npz",
        options: "semantics: sinabs\nreset: subtract\nnorm_input: false",
        populations: &[("1", "1")],
        tolerance: Some(1e-4),
    },
    Case {
        folder: "neurons-norse-lsnn",
        model: "model.yaml",
        reference: "reference.npz",
        options: "",
        populations: &[("lsnn", "lsnn"), ("out", "out")],
        tolerance: Some(1e-4),
    },
    Case {
        folder: "neurons-spyx",
        model: "model.nir",
        reference: "reference.npz",
        options: "semantics: spyx",
        populations: &[
            ("layer_1", "layer_1"),
            ("layer_3", "layer_3"),
            ("layer_5", "layer_5"),
        ],
        tolerance: Some(1e-4),
    },
    Case {
        folder: "neurons-spyx",
        model: "recurrent.nir",
        reference: "recurrent.npz",
        options: "semantics: spyx",
        populations: &[
            ("layer_1/layer_1.lif", "layer_1/layer_1.lif"),
            ("layer_3/layer_3.lif", "layer_3/layer_3.lif"),
            ("layer_5_threshold", "layer_5_threshold"),
        ],
        tolerance: Some(1e-4),
    },
    Case {
        folder: "neurons-nengo",
        model: "model.nir",
        reference: "reference.npz",
        options: "semantics: nengo",
        populations: &[("lif", "lif"), ("cuba", "cuba"), ("if", "if"), ("li", "li")],
        tolerance: Some(1e-4),
    },
];

/// For each population the numbers of spikes that differ, and how many there are; and the largest
/// difference of a membrane.
fn compare(case: &Case, more: &str) -> Vec<((usize, usize), f32)> {
    let parsed = |yaml: &str| ProjectFile::parse(yaml, "options").unwrap();
    let file = parsed(&format!("encoding: events\nticks: 48\n{}", case.options));
    let options = file.overridden_by(parsed(more)).options("case");
    let network = network(&format!("{}/{}", case.folder, case.model), &options);
    let mut reference = Reference::open(&format!("{}/{}", case.folder, case.reference));
    let records = run_events(&network, &reference.bytes("input"));
    let compared = case.populations.iter().map(|(name, array)| {
        let mut names = network.populations.iter().map(|p| p.name.as_str());
        let at = names.position(|found| found == *name).unwrap();
        let spikes = match network.populations[at].neuron.firing {
            Some(_) => differing(&records, at, reference.bytes(&format!("spikes_{array}"))),
            None => (0, 0),
        };
        let error = largest_error(&records, at, &reference.floats(&format!("mem_{array}")));
        (spikes, error)
    });
    compared.collect()
}

#[test]
fn all_neurons_of_a_framework_give_its_spikes() {
    for case in CASES {
        for ((name, _), ((differing, all), error)) in case.populations.iter().zip(compare(case, ""))
        {
            let name = format!("{}, {}, {name}", case.folder, case.reference);
            println!("{name}: {differing} of {all} differ, membrane by at most {error:.1e}");
            assert_eq!(differing, 0, "{name}");
            if let Some(tolerance) = case.tolerance {
                assert!(error < tolerance, "{name}: the membrane differs by {error}");
            }
        }
    }
}

/// Each knob that a file does not hold matters for these networks.
#[test]
fn another_setting_does_not_give_the_frameworks_spikes() {
    let case = |folder: &str, reference: &str| {
        let mut cases = CASES.iter();
        cases
            .find(|case| case.folder == folder && case.reference == reference)
            .unwrap()
    };
    for (folder, reference, other) in [
        ("neurons-lava", "reference.npz", "delay_shift: true"),
        (
            "neurons-lava",
            "reference.npz",
            "semantics: snntorch\nreset: zero",
        ),
        ("neurons-rockpool", "reference.npz", "spikes: single"),
        ("neurons-rockpool", "reference.npz", "dt: 0.0011"),
        ("neurons-sinabs", "multi.npz", "v_min: threshold"),
        ("neurons-sinabs", "multi.npz", "spikes: single"),
        ("neurons-sinabs", "multi.npz", "norm_input: true"),
        ("neurons-sinabs", "single_norm.npz", "norm_input: false"),
        ("neurons-sinabs", "clamped.npz", "v_min: none"),
        ("neurons-sinabs", "clamped.npz", "v_min_of: {3: none}"),
        (
            "neurons-spyx",
            "reference.npz",
            "semantics: lava\ndt: 0.001",
        ),
        ("neurons-nengo", "reference.npz", "v_min: none"),
    ] {
        let compared = compare(case(folder, reference), other);
        let differing: usize = compared.iter().map(|((differing, _), _)| differing).sum();
        assert!(
            differing > 10,
            "{folder}, {reference}, {other}: {differing}"
        );
    }
}

/// What each exporter leaves in a file is enough to tell it by, unless it leaves nothing.
#[test]
fn the_framework_is_guessed_from_its_own_export() {
    for (folder, model, guess) in [
        ("neurons-rockpool", "model.nir", Some("Rockpool")),
        ("neurons-spyx", "model.nir", Some("Spyx")),
        ("neurons-spyx", "recurrent.nir", Some("Spyx")),
        ("neurons-lava", "model.nir", Some("snnTorch")),
        ("neurons-nengo", "model.nir", None),
        ("neurons-sinabs", "model.nir", None),
    ] {
        let bytes = std::fs::read(support::file(&format!("{folder}/{model}"))).unwrap();
        let found = spikeloom_frontend::inspect(&bytes).unwrap().framework;
        let name = found.as_deref().map(|f| f.split(',').next().unwrap());
        assert_eq!(name, guess, "{folder}/{model}");
    }
}
