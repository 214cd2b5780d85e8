//! Which populations share a core, and what is told of it.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

use spikeloom_ir::mapped::{Fold, Limits, Mapped, MemoryKind};
use spikeloom_ir::network::{Decoder, Encoder, Network};
use spikeloom_ir::{Hertz, Quantized};
use spikeloom_passes::{
    Compress, Error, Folding, MapConfig, QuantizeConfig, fold_obstacles, map, normalise, quantize,
};
use spikeloom_tests::networks::chain;

/// As many block RAMs of an iCE40 as said.
fn limits(block_rams: u64) -> Limits {
    Limits {
        target: "test".into(),
        clock_hz: Hertz(12_000_000),
        logic_cells: 1_000_000,
        block_rams,
        block_ram_shapes: vec![(256, 16), (512, 8), (1024, 4), (2048, 2)],
        single_port_rams: 0,
        single_port_shape: (16_384, 16),
        block_rules: spikeloom_ir::mapped::BlockRules::Bits,
        small_rams: 0,
        multipliers: 0,
        multiplier_bits: 0,
        cells_per_100: 100,
        adders_per_stage: 5,
    }
}

fn with(fold: Folding) -> MapConfig {
    MapConfig {
        fold,
        ..MapConfig::default()
    }
}

fn quantized(network: &Network) -> Quantized {
    let cfg = QuantizeConfig {
        weight_bits: 4,
        ..QuantizeConfig::default()
    };
    quantize(&normalise(network), &cfg).unwrap().0
}

fn shared(mapped: &Mapped) -> Vec<Vec<usize>> {
    let ids = |fold: &Fold| fold.populations.iter().map(|id| id.0).collect();
    mapped.folds.iter().map(ids).collect()
}

const DEEP: [usize; 6] = [64, 32, 32, 32, 32, 10];

#[test]
fn populations_share_a_core_only_where_one_each_does_not_fit() {
    let network = quantized(&chain(&DEEP, Encoder::Events));
    let place = |block_rams, fold| map(&network, &limits(block_rams), &with(fold));
    let each = place(1000, Folding::Auto).unwrap();
    assert!(each.folds.is_empty());
    let all = place(1000, Folding::Always).unwrap();
    assert_eq!(shared(&all), [[0, 1, 2, 3, 4]]);
    let (most, least) = (each.estimate.block_rams, all.estimate.block_rams);
    assert!(least < most, "{least} of {most}");
    // With every choice but sharing free, as few as possible.
    let fewest = (1..most)
        .find(|&n| place(n, Folding::Never).is_ok())
        .unwrap_or(most);
    assert!(place(fewest, Folding::Auto).unwrap().folds.is_empty());
    let folded = place(fewest - 1, Folding::Auto).unwrap();
    assert_eq!(shared(&folded), [[0, 1, 2, 3, 4]]);
    assert!(folded.estimate.block_rams < fewest);
    let error = place(fewest - 1, Folding::Never).unwrap_err();
    let Error::DoesNotFit { advice, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(advice, "`--fold auto` fits, populations sharing cores");
}

#[test]
fn rows_of_a_shared_core_stand_one_population_behind_the_other() {
    let network = quantized(&chain(&DEEP, Encoder::Events));
    let mapped = map(&network, &limits(1000), &with(Folding::Always)).unwrap();
    let memory = |what: &str| {
        let mut found = mapped.memories.iter().filter(|m| m.name.ends_with(what));
        let memory = found.next().unwrap();
        assert!(found.next().is_none(), "one for all");
        (memory.rows as usize, memory.row_bits as usize)
    };
    let lanes = mapped.cores[0].lanes;
    assert!(mapped.cores.iter().all(|core| core.lanes == lanes));
    let rows = |of: &dyn Fn(usize) -> usize| (0..5).map(of).sum::<usize>();
    let weight_rows = rows(&|p| DEEP[p] * mapped.cores[p].row_stride);
    assert_eq!(memory(".weights"), (weight_rows, 4 * lanes));
    let sum_rows = rows(&|p| mapped.cores[p].n_sum_rows);
    assert_eq!(
        memory(".sums"),
        (sum_rows, mapped.cores[0].lane_bits * lanes)
    );
    let program = &mapped.programs(&network)[0];
    assert_eq!(program.check(138, 1), Ok(()));
    assert_eq!(memory(".states").0, 138);
    assert_eq!(memory(".parameters").0, 138);
    let seats = mapped.seats(&network);
    assert!(
        seats
            .iter()
            .all(|seat| seat.circuit == 0 && seat.n_turns == 5)
    );
    let first: Vec<usize> = seats.iter().map(|seat| seat.first_neuron).collect();
    assert_eq!(first, [0, 32, 64, 96, 128]);
    // A queue holds what comes before its population's turn.
    for (core, n_pre) in mapped.cores.iter().zip(DEEP) {
        assert!(1 << core.ports[0].fifo_address_bits > n_pre + 64);
    }
    assert!(
        mapped
            .to_string()
            .contains("populations 0, 1, 2, 3, 4 share a core")
    );
    assert!(
        mapped
            .cores
            .iter()
            .all(|core| core.weight_memory == MemoryKind::Block)
    );
}

#[test]
fn a_wide_source_gets_a_queue_for_all_its_spikes() {
    let network = quantized(&chain(&[8, 700, 700, 4], Encoder::Events));
    let mapped = map(&network, &limits(10_000), &with(Folding::Always)).unwrap();
    assert_eq!(shared(&mapped), [[1, 2]]);
    let bits = mapped
        .cores
        .iter()
        .map(|core| core.ports[0].fifo_address_bits);
    assert_eq!(bits.collect::<Vec<_>>(), [8, 10, 10]);
}

#[test]
fn what_cannot_share_a_core_has_one_of_its_own_and_a_reason() {
    let check = |network: &Network, cfg: &MapConfig, folds: &[Vec<usize>], reasons: &[&str]| {
        let network = quantized(network);
        let mapped = map(&network, &limits(1000), cfg).unwrap();
        assert_eq!(shared(&mapped), folds);
        let cores: usize = mapped.circuits().iter().map(Vec::len).sum();
        assert_eq!(cores, network.populations.len());
        assert_eq!(fold_obstacles(&network, cfg), reasons);
    };
    let always = with(Folding::Always);
    let sizes = [16, 12, 12, 6];
    check(
        &chain(&sizes, Encoder::Events),
        &always,
        &[vec![0, 1, 2]],
        &[],
    );
    check(
        &chain(&sizes, Encoder::Direct { scale: 1.0 / 255.0 }),
        &always,
        &[vec![1, 2]],
        &["population lif1 has a constant input"],
    );
    let mut readout = chain(&sizes, Encoder::Events);
    readout.populations[2].neuron.firing = None;
    readout.decoder = Decoder::MembraneSum;
    check(
        &readout,
        &always,
        &[vec![0, 1]],
        &["population lif3 does not spike"],
    );
    let mut slower = chain(&sizes, Encoder::Events);
    slower.populations[1].neuron.decay_mem = vec![0.5; 12];
    check(
        &slower,
        &always,
        &[vec![0, 2]],
        &[
            "populations lif1 and lif2: their neuron programs differ in more than parameters and widths",
            "populations lif2 and lif3: their neuron programs differ in more than parameters and widths",
        ],
    );
    let mut sparse = chain(&sizes, Encoder::Events);
    for (k, w) in sparse.projections[1].weights.iter_mut().enumerate() {
        *w *= f32::from(u8::from(k % 7 == 0));
    }
    let lists = MapConfig {
        compress: Compress::Always,
        ..always
    };
    check(
        &sparse,
        &lists,
        &[],
        &[
            "population lif1 has compressed rows of weights",
            "population lif2 has compressed rows of weights",
            "population lif3 has compressed rows of weights",
        ],
    );
}

#[test]
fn lanes_are_those_of_the_largest_population() {
    let network = quantized(&chain(&[16, 6, 64, 6], Encoder::Events));
    let mapped = map(&network, &limits(1000), &with(Folding::Always)).unwrap();
    let lanes: Vec<usize> = mapped.cores.iter().map(|core| core.lanes).collect();
    assert_eq!(lanes, [16, 16, 16]);
    // An event has two rows at least, so that a row is written before it is read again.
    let rows: Vec<usize> = mapped.cores.iter().map(|core| core.n_sum_rows).collect();
    assert_eq!(rows, [2, 4, 2]);
}
