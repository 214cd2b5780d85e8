//! What the nodes of a graph that hold no membrane do to its spikes.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

mod support;

use serde_yaml::Mapping;
use spikeloom_float::{Sample, run};
use spikeloom_frontend::load;
use spikeloom_ir::Network;
use spikeloom_tests::nir_file;
use support::options;

fn network(graph: &str, more: &str) -> Network {
    let graph: Mapping = serde_yaml::from_str(graph).unwrap();
    let options = options(&format!(
        "semantics: nir\ndt: 0.001\nencoding: events\nticks: 10\n{more}"
    ));
    load(&nir_file(&graph), &options)
        .unwrap_or_else(|e| panic!("{e:?}"))
        .0
}

/// The ticks in which each output neuron fires, for inputs by tick.
fn fired(network: &Network, input: &[&[u32]]) -> Vec<Vec<usize>> {
    let mut events: Vec<Vec<u32>> = input.iter().map(|tick| tick.to_vec()).collect();
    events.resize(10, Vec::new());
    let record = run(network, Sample::Events(&events)).unwrap();
    let spikes = &record.populations[network.output.0].spikes;
    let ticks = |neuron: usize| (0..10).filter(|&t| spikes[t][neuron] > 0).collect();
    (0..spikes[0].len()).map(ticks).collect()
}

#[test]
fn a_threshold_compares_what_arrives_in_a_tick_and_remembers_nothing() {
    let network = network(
        "{nodes: {input: {type: Input, shape: [2]}, w: {type: Linear, weight: [[0.5, 0.5], [0.5, -1.0]]}, \
          t: {type: Threshold, threshold: [0.5, 0.25]}, output: {type: Output, shape: [2]}}, \
          edges: [[input, w], [w, t], [t, output]]}",
        "",
    );
    let input: [&[u32]; 5] = [&[0], &[0, 1], &[], &[1], &[0, 1]];
    // 0.5 alone is not above 0.5; twice in a row neither, since nothing is kept.
    assert_eq!(fired(&network, &input), [vec![1, 4], vec![0]]);
}

#[test]
fn a_threshold_behind_an_integrator_fires_without_reset() {
    let network = network(
        "{nodes: {input: {type: Input, shape: [1]}, w: {type: Linear, weight: [[1.0]]}, \
          i: {type: I, r: [1000.0]}, t: {type: Threshold, threshold: [1.5]}, \
          output: {type: Output, shape: [1]}}, \
          edges: [[input, w], [w, i], [i, t], [t, output]]}",
        "",
    );
    assert_eq!(network.populations.len(), 1);
    assert_eq!(network.populations[0].name, "t");
    let input: [&[u32]; 6] = [&[0], &[], &[0], &[], &[], &[0]];
    assert_eq!(fired(&network, &input), [vec![2, 3, 4, 5, 6, 7, 8, 9]]);
}

#[test]
fn a_delay_moves_each_channel_by_its_own_ticks() {
    let network = network(
        "{nodes: {input: {type: Input, shape: [3]}, d: {type: Delay, delay: [0.0, 0.001, 0.004]}, \
          w: {type: Linear, weight: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]}, \
          d2: {type: Delay, delay: [0.002, 0.002, 0.002]}, \
          t: {type: Threshold, threshold: [0.5, 0.5, 0.5]}, output: {type: Output, shape: [3]}}, \
          edges: [[input, d], [d, w], [w, d2], [d2, t], [t, output]]}",
        "",
    );
    let projection = &network.projections[0];
    assert_eq!(projection.delay, 2);
    assert_eq!(projection.channel_delays, Some(vec![0, 1, 4]));
    let input: [&[u32]; 5] = [&[0, 1, 2], &[], &[], &[], &[1, 2]];
    assert_eq!(fired(&network, &input), [vec![2], vec![3, 7], vec![6]]);
}

#[test]
fn a_loop_takes_as_many_ticks_as_its_delay_and_one_at_least() {
    let graph = |delay: &str| {
        format!(
            "{{nodes: {{input: {{type: Input, shape: [1]}}, w: {{type: Linear, weight: [[1.0]]}}, \
             t: {{type: Threshold, threshold: [0.5]}}, d: {{type: Delay, delay: [{delay}]}}, \
             w_rec: {{type: Linear, weight: [[1.0]]}}, output: {{type: Output, shape: [1]}}}}, \
             edges: [[input, w], [w, t], [t, d], [d, w_rec], [w_rec, t], [t, output]]}}"
        )
    };
    let fired = |delay: &str| fired(&network(&graph(delay), ""), &[&[0]]);
    assert_eq!(fired("0.003"), [vec![0, 3, 6, 9]]);
    assert_eq!(fired("0.001"), [(0..10).collect::<Vec<_>>()]);
    // Less than half a tick.
    assert_eq!(fired("0.0001"), [(0..10).collect::<Vec<_>>()]);
}

#[test]
fn several_inputs_are_one_space_of_channels() {
    let case = include_str!("../../../compiler/frontend/tests/cases/error/several_inputs.yaml");
    let joined = network(case, "");
    let [projection] = &joined.projections[..] else {
        panic!("one projection");
    };
    assert_eq!(joined.input.shape, [5]);
    assert_eq!(projection.n_pre, 5);
    assert_eq!(
        projection.weights,
        [0.5, 0.5, 0.25, 0.25, 0.25, 0.5, 0.5, 0.25, 0.25, 0.25]
    );
    assert_eq!(projection.bias, Some(vec![1.0, 0.5]));
}

#[test]
fn an_output_is_chosen_and_what_only_others_need_is_left_out() {
    let case = include_str!("../../../compiler/frontend/tests/cases/error/several_outputs.yaml");
    let names = |output: &str| -> Vec<String> {
        let network = network(case, &format!("output_node: {output}\n"));
        assert_eq!(network.output.0 + 1, network.populations.len());
        network.populations.into_iter().map(|p| p.name).collect()
    };
    assert_eq!(names("digit"), ["n1"]);
    assert_eq!(names("speaker"), ["n1", "n2"]);
}
