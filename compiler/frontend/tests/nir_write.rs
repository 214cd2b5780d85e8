//! Networks as NIR files: what comes back is the same network, and what NIR cannot hold is said.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

mod support;

use proptest::prelude::*;
use spikeloom_frontend::{Error, ProjectFile, load, native, nir};
use spikeloom_ir::Network;
use spikeloom_ir::network::Semantics;
use spikeloom_tests::{model_files, render};
use support::{expressible, network, without_origins};

/// A network read from a file that says all about itself.
fn back(bytes: &[u8]) -> Network {
    let (network, _) = load(bytes, &ProjectFile::default().options("file")).unwrap();
    without_origins(network)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// What some framework could have written comes back bit for bit.
    #[test]
    fn an_expressible_network_comes_back_bit_for_bit(network in expressible()) {
        let (bytes, remarks) = nir::write(&network).unwrap_or_else(|error| panic!("{}", render(&error)));
        let codes: Vec<&str> = remarks.iter().map(|remark| remark.code).collect();
        prop_assert!(codes.is_empty(), "{codes:?} {remarks:?}");
        prop_assert_eq!(format!("{:?}", back(&bytes)), format!("{network:?}"));
    }

    /// Any other is written so that it computes the same, or refused.
    #[test]
    fn any_network_is_written_well_or_not_at_all(network in network()) {
        match nir::write(&network) {
            Ok((bytes, _)) => {
                let back = back(&bytes);
                prop_assert_eq!(back.ticks, network.ticks);
                prop_assert_eq!(back.input, network.input);
                prop_assert_eq!(back.populations.len(), network.populations.len());
            }
            Err(Error::Unwritable { reason, .. }) => prop_assert!(reason.starts_with("as ")),
            Err(other) => panic!("{other}"),
        }
    }
}

/// The same with whatever reads the rest of its options from `options`.
fn read(bytes: &[u8], options: &str) -> Result<Network, Error> {
    let options = ProjectFile::parse(options, "options").unwrap();
    load(bytes, &options.options("file")).map(|(network, _)| network)
}

#[test]
fn the_models_of_frameworks_survive_both_formats() {
    let options = [
        "{semantics: snntorch, reset: subtract, encoding: direct, ticks: 25}",
        "{semantics: snntorch, reset: zero, encoding: events, ticks: 25}",
        "{semantics: norse, reset: value, encoding: rate, ticks: 32}",
        "{semantics: nir, dt: 1e-4, encoding: events, ticks: 5}",
        "{semantics: sinabs, reset: subtract, norm_input: true, encoding: events, ticks: 5}",
        "{semantics: sinabs, reset: subtract, norm_input: true, spikes: single, v_min: -1.5, encoding: events, ticks: 5}",
        "{semantics: lava, encoding: events, ticks: 5, delay_shift: true}",
        "{semantics: rockpool, encoding: events, ticks: 5}",
        "{semantics: spyx, encoding: events, ticks: 5}",
        "{semantics: nengo, encoding: events, ticks: 5}",
    ];
    let (mut n_written, mut n_planes) = (0, 0);
    for (name, bytes) in model_files() {
        for options in options {
            let Ok(network) = read(&bytes, options) else {
                continue;
            };
            let network = without_origins(network);
            let Ok((nir, remarks)) = nir::write(&network) else {
                panic!(
                    "{name} {options}: {}",
                    render(&nir::write(&network).unwrap_err())
                );
            };
            let texts: Vec<String> = remarks.iter().map(ToString::to_string).collect();
            let kept = texts.iter().all(|text| text.contains("is the node"));
            assert!(kept, "{name} {options}: {texts:?}");
            let mut back = back(&nir);
            assert_eq!(back.name, network.name);
            // A graph's node is called `graph/node`, which HDF5 would take for a path.
            for (there, here) in back.populations.iter_mut().zip(&network.populations) {
                there.name.clone_from(&here.name);
            }
            for (there, here) in back.projections.iter_mut().zip(&network.projections) {
                there.name.clone_from(&here.name);
            }
            assert_eq!(
                format!("{back:?}"),
                format!("{network:?}"),
                "{name} {options}"
            );
            let format = spikeloom_frontend::arrays::ArchiveFormat::Safetensors;
            let written = native::write(&network, format, "w.safetensors").unwrap();
            let project = ProjectFile::default();
            let mut read = |_: &str| Ok(written.arrays.clone().unwrap());
            let (again, _) =
                native::load(&written.text, "net.yaml", &project, "", &mut read).unwrap();
            assert_eq!(
                format!("{:?}", without_origins(again)),
                format!("{network:?}")
            );
            n_written += 1;
            let mut projections = network.projections.iter();
            n_planes += usize::from(projections.any(|p| !p.pooling.is_empty()));
        }
    }
    assert!(n_written >= 80, "only {n_written} models could be read");
    assert!(n_planes >= 2, "only {n_planes} of them have poolings");
}

/// A network of one population, with `fields` in it.
fn small(fields: &str) -> Network {
    let text = format!(
        "format: spikeloom-network/1\nticks: 4\ninput: {{shape: 2, encoding: events}}\npopulations:\n  \
         lif: {{shape: 2, {fields}}}\nprojections:\n  - {{name: fc, from: input, to: lif, weights: 1}}\noutput: lif\n"
    );
    let project = ProjectFile::default();
    native::load(&text, "net.yaml", &project, "net", &mut |_| unreachable!())
        .unwrap()
        .0
}

/// A comparison without a membrane, and one of an integrator's membrane, in all semantics alike.
#[test]
fn what_fires_without_reset_is_a_threshold() {
    for fields in [
        "decay_mem: 0, v_threshold: 0.5, reset: none",
        "decay_mem: 0.5, v_threshold: -0.5, reset: none",
    ] {
        for semantics in [Semantics::Nir, Semantics::Sinabs, Semantics::Lava] {
            let network = Network {
                semantics,
                ..small(fields)
            };
            let (bytes, remarks) = nir::write(&network).unwrap();
            assert!(remarks.is_empty(), "{remarks:?}");
            let back = back(&bytes);
            assert_eq!(
                format!("{back:?}"),
                format!("{:?}", without_origins(network))
            );
        }
    }
}

#[test]
fn other_semantics_are_found_for_what_the_own_cannot_hold() {
    let network = small("decay_mem: 0.5, v_threshold: 1, reset: subtract, reset_at: next-tick");
    assert_eq!(network.semantics, Semantics::Nir);
    let (bytes, remarks) = nir::write(&network).unwrap();
    insta::assert_snapshot!("other_semantics", remarks[0]);
    let mut back = back(&bytes);
    assert_eq!(back.semantics, Semantics::SnnTorch);
    back.semantics = network.semantics;
    assert_eq!(
        format!("{back:?}"),
        format!("{:?}", without_origins(network))
    );
}

#[test]
fn what_nir_cannot_hold_is_refused_with_the_reason_for_each_semantics() {
    let spiking = "v_threshold: 1, reset: subtract";
    let cases = [
        "decay_mem: 0.9, v_threshold: 1, reset: subtract, refractory_ticks: 2".to_owned(),
        format!("decay_mem: 0.9, v_init: 0.5, {spiking}"),
        format!("decay_mem: [0.9, 1], {spiking}"),
        format!("decay_mem: 0.9, multi_spike: true, {spiking}"),
        format!("decay_syn: 1, decay_mem: 0.9, {spiking}"),
    ];
    let errors = cases.map(|case| {
        let error = nir::write(&small(&case)).unwrap_err();
        format!("{case}\n{}", render(&error))
    });
    insta::assert_snapshot!("refused", errors.join("\n\n"));
}

#[test]
fn shapes_and_names_that_nir_has_not_are_changed_with_a_remark() {
    let mut network = small("decay_mem: 0.5, v_threshold: 1, reset: subtract");
    network.input.shape = vec![1, 2];
    network.populations[0].shape = vec![2, 1];
    network.populations[0].name = "a/b".to_owned();
    network.projections[0].name = "a.b".to_owned();
    let (bytes, remarks) = nir::write(&network).unwrap();
    let remarks: Vec<String> = remarks.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("changed", remarks.join("\n"));
    let back = back(&bytes);
    assert_eq!(back.input.shape, [1, 2]);
    assert_eq!(back.populations[0].name, "a.b");
    assert_eq!(back.projections[0].name, "a.b_2");
}

#[test]
fn convolutions_and_poolings_come_back() {
    let network = |input: &str, lif: &str, projection: &str| {
        let text = format!(
            "format: spikeloom-network/1\nticks: 4\ninput: {{shape: {input}, encoding: events}}\npopulations:\n  \
             lif: {{shape: {lif}, decay_mem: 0.5, v_threshold: 1, reset: zero}}\nprojections:\n  - {{name: w, \
             from: input, to: lif, {projection}}}\noutput: lif\n"
        );
        let project = ProjectFile::default();
        let read = native::load(&text, "net.yaml", &project, "net", &mut |_| unreachable!());
        without_origins(read.unwrap_or_else(|error| panic!("{}", render(&error))).0)
    };
    let cases = [
        // Two axes, with everything that a window has.
        (
            "[2, 9, 8]",
            "[4, 3, 4]",
            "convolve: {kernel: [3, 2], stride: [3, 2], dilation: [2, 1], padding: [1, 0], groups: 2}, weights: 1, bias: [1, 2, 3, 4]",
        ),
        // An even kernel with the zeros that keep the size.
        (
            "[2, 4, 4]",
            "[3, 4, 4]",
            "convolve: {kernel: 2, padding: same}, weights: 0.5, bias: 1",
        ),
        // One axis.
        (
            "[2, 9]",
            "[3, 4]",
            "convolve: {kernel: [1, 3], stride: [1, 2]}, weights: 0.5, bias: [1, 2, 3]",
        ),
        // Poolings in front of a convolution, of a weight matrix, of nothing.
        (
            "[2, 8, 8]",
            "[3, 2, 2]",
            "pool: [{kernel: 2}, {kernel: 2, stride: 1, padding: 1}], convolve: {kernel: 4}, weights: 1, bias: 1",
        ),
        (
            "[2, 8, 8]",
            "5",
            "pool: {kernel: 3, stride: 2}, weights: 0.25",
        ),
        (
            "[2, 8, 8]",
            "[2, 4, 4]",
            "pool: {kernel: 2}, convolve: {kernel: 1, groups: 2}, weights: 1",
        ),
        (
            "[2, 8, 8]",
            "[2, 4, 4]",
            "pool: {kernel: 2}, convolve: {kernel: 1, groups: 2}, weights: 0.25",
        ),
    ];
    let mut said = Vec::new();
    for (input, lif, projection) in cases {
        let network = network(input, lif, projection);
        let (bytes, remarks) =
            nir::write(&network).unwrap_or_else(|error| panic!("{projection}: {}", render(&error)));
        let remarks: Vec<String> = remarks.iter().map(ToString::to_string).collect();
        said.push(format!("{projection}\n{}\n", remarks.join("\n")));
        let (here, there) = (&network.projections[0], &back(&bytes).projections[0]);
        assert_eq!(
            (&here.pooling, &here.connectivity),
            (&there.pooling, &there.connectivity)
        );
        assert_eq!((&here.weights, here.n_pre), (&there.weights, there.n_pre));
    }
    insta::assert_snapshot!("convolutions", said.join("\n"));
    let refused = [
        (
            "[2, 9]",
            "[3, 4]",
            "convolve: {kernel: [2, 3], stride: [1, 2], padding: [1, 0], output: [3, 1, 4]}, weights: 1",
        ),
        (
            "[2, 4, 4]",
            "[2, 2, 2]",
            "convolve: {kernel: 3}, weights: 1, bias: [1, 2, 3, 4, 5, 6, 7, 8]",
        ),
        (
            "[2, 4, 4]",
            "5",
            "pool: {kernel: 2, dilation: 2}, weights: 1",
        ),
        (
            "[2, 4, 4]",
            "[2, 2, 2]",
            "convolve: {kernel: 3, output: [2, 2, 2], input: [4, 4, 2]}, weights: 1",
        ),
    ];
    for (input, lif, projection) in refused {
        let error = nir::write(&network(input, lif, projection)).unwrap_err();
        assert!(
            error.to_string().contains("projection `w`"),
            "{projection}: {error}"
        );
    }
}

#[test]
fn delays_come_back() {
    let text = "format: spikeloom-network/1\nticks: 40\ninput: {shape: 3, encoding: events}\npopulations:\n  \
                a: {shape: 2, decay_mem: 0.5, v_threshold: 1, reset: zero}\n  \
                b: {shape: 2, decay_mem: 0.5, v_threshold: 1, reset: zero}\nprojections:\n  \
                - {name: in, from: input, to: a, weights: 1, channel_delays: [0, 7, 2]}\n  \
                - {name: on, from: a, to: b, weights: 1, delay: 3}\n  \
                - {name: back, from: b, to: a, weights: 1, delay: 1}\n  \
                - {name: itself, from: b, to: b, weights: 1, delay: 5}\noutput: b\n";
    let project = ProjectFile::default();
    let read = native::load(text, "net.yaml", &project, "net", &mut |_| unreachable!());
    let network = without_origins(read.unwrap().0);
    for semantics in [Semantics::Nir, Semantics::Norse, Semantics::Lava] {
        let network = Network {
            semantics,
            ..network.clone()
        };
        let (bytes, remarks) = nir::write(&network).unwrap();
        assert!(remarks.is_empty(), "{remarks:?}");
        assert_eq!(format!("{:?}", back(&bytes)), format!("{network:?}"));
    }
}

#[test]
fn what_the_user_says_counts_more_than_what_the_file_says() {
    let network = small("decay_mem: 0.5, v_threshold: 1, reset: subtract, reset_at: next-tick");
    let (bytes, _) = nir::write(&network).unwrap();
    let other = read(
        &bytes,
        "{ticks: 9, encoding: direct, reset_delay: false, name: mine}",
    )
    .unwrap();
    insta::assert_snapshot!("overridden_file", other);
    // Under other semantics its reset delay means nothing.
    let norse = read(&bytes, "{semantics: norse, reset: zero}").unwrap();
    assert_eq!((norse.semantics, norse.ticks), (Semantics::Norse, 4));
    assert_eq!(norse.name, "net");
}
