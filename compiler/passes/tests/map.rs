//! Placing: what fits, what does not and which change is advised, and how rows are packed.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]
#![allow(dead_code, reason = "the support module serves several tests")]

mod support;

use proptest::prelude::*;
use spikeloom_ir::geometry::{AxisOrder, Connectivity, Convolution, Grid, Window};
use spikeloom_ir::mapped::{
    LOGIC_ROWS, Limits, MAX_SCORE_BITS, Mapped, MemoryKind, Spares, Way, row_stride_bytes,
};
use spikeloom_ir::network::{Encoder, Network, Neuron, Source};
use spikeloom_ir::rows::{Listing, SumLayout, dense_rows};
use spikeloom_ir::{Hertz, PopulationId, Quantized};
use spikeloom_passes::{
    Compress, Error, MAX_LANES, MapConfig, QuantizeConfig, map, normalise, quantize,
};
use support::{Random, any_network};

/// An iCE40 UP5K, but with as many logic cells as anyone could want: how many a design needs is
/// calibrated against synthesis, not here.
fn limits() -> Limits {
    Limits {
        target: "test".into(),
        clock_hz: Hertz(12_000_000),
        logic_cells: 1_000_000,
        block_rams: 30,
        block_ram_shapes: vec![(256, 16), (512, 8), (1024, 4), (2048, 2)],
        single_port_rams: 4,
        single_port_shape: (16_384, 16),
        block_rules: spikeloom_ir::mapped::BlockRules::Bits,
        small_rams: 0,
        multipliers: 0,
        multiplier_bits: 0,
        cells_per_100: 100,
        adders_per_stage: 5,
    }
}

fn with_lanes(lanes: usize) -> MapConfig {
    MapConfig {
        lanes: Some(lanes),
        ..MapConfig::default()
    }
}

fn dense(sizes: [usize; 3], weight_bits: u32, encoder: Encoder) -> Quantized {
    let r = &mut Random::new(9);
    let mut weights = |n: usize| -> Vec<f32> { (0..n).map(|_| r.real(-1.0, 1.0)).collect() };
    let weights = [weights(sizes[0] * sizes[1]), weights(sizes[1] * sizes[2])];
    let neuron = |n: usize| Neuron {
        synapse: None,
        decay_mem: vec![0.9; n],
        gain: vec![1.0; n],
        v_leak: vec![0.0; n],
        v_init: vec![0.0; n],
        v_min: None,
        firing: Some(spikeloom_ir::network::Firing {
            v_threshold: vec![1.0; n],
            reset: spikeloom_ir::network::Reset::Subtract,
            v_reset: vec![0.0; n],
            reset_at: spikeloom_ir::network::ResetAt::NextTick,
            compare: spikeloom_ir::network::Compare::Greater,
            refractory_ticks: 0,
            multi_spike: false,
            sent_at: Default::default(),
            adaptation: None,
        }),
        activation: None,
    };
    let neurons = [neuron(sizes[1]), neuron(sizes[2])];
    let network = support::network("dense", encoder, 25, neurons, weights, [None, None]);
    quantized(&network, weight_bits)
}

fn quantized(network: &Network, weight_bits: u32) -> Quantized {
    let cfg = QuantizeConfig {
        weight_bits,
        ..QuantizeConfig::default()
    };
    quantize(&normalise(network), &cfg).unwrap().0
}

fn mnist(weight_bits: u32) -> Quantized {
    dense(
        [784, 128, 10],
        weight_bits,
        Encoder::Direct { scale: 1.0 / 255.0 },
    )
}

/// What every placed network keeps.
fn check_mapped(network: &Quantized, mapped: &Mapped) {
    let limits = &mapped.limits;
    assert!(mapped.estimate.block_rams <= limits.block_rams);
    assert!(mapped.estimate.single_port_rams <= limits.single_port_rams);
    assert!(mapped.estimate.logic_cells <= limits.logic_cells);
    assert!(mapped.score_bits <= MAX_SCORE_BITS);
    assert_eq!(mapped.cores.len(), network.populations.len());
    for m in &mapped.memories {
        let bits = match m.kind {
            MemoryKind::Block => {
                let (words, bits) = limits.block_ram_shapes[0];
                words * bits
            }
            MemoryKind::SinglePort => limits.single_port_shape.0 * limits.single_port_shape.1,
            MemoryKind::Logic => {
                assert!(m.blocks == 0 && m.rows <= LOGIC_ROWS as u64, "{m:?}");
                continue;
            }
        };
        assert!(m.blocks * bits >= m.rows * m.row_bits, "{m:?}");
    }
    for core in &mapped.cores {
        let projections = core.projections.iter();
        let projections: Vec<_> = projections.map(|id| &network.projections[id.0]).collect();
        let population = &network.populations[core.population.0];
        assert!(projections.iter().all(|p| p.target == core.population));
        let n_incoming = network.incoming(core.population).count();
        assert_eq!(projections.len(), n_incoming);
        assert!(core.lanes.is_power_of_two() && core.lanes <= MAX_LANES);
        assert!(core.lanes * core.n_groups >= population.n_neurons);
        assert!(core.n_groups >= 2);
        assert!([core.n_groups, core.n_groups.next_power_of_two()].contains(&core.row_stride));
        // No set of events, and no order of them, leaves a lane's sum.
        let half = 1i64 << (core.lane_bits - 1);
        for neuron in 0..population.n_neurons {
            let weights = projections
                .iter()
                .flat_map(|p| &p.weights[neuron * p.n_pre..(neuron + 1) * p.n_pre]);
            let sum = |sign: i32| -> i64 {
                let of_sign = weights.clone().filter(|w| w.signum() == sign);
                of_sign.map(|&w| i64::from(w)).sum()
            };
            let (low, high) = (sum(-1), sum(1));
            assert!(-half <= low && high < half, "{low} to {high} in {core:?}");
        }
    }
}

#[test]
fn the_mnist_network_fits_a_up5k() {
    for bits in [8, 4] {
        let network = mnist(bits);
        let mapped = map(&network, &limits(), &MapConfig::default()).unwrap();
        check_mapped(&network, &mapped);
        // At 8 bits 784 x 128 weights need all four; at 4 bits their 16 lanes are as wide as four.
        assert_eq!(mapped.cores[0].weight_memory, MemoryKind::SinglePort);
        assert_eq!(mapped.estimate.single_port_rams, 4);
        assert_eq!(mapped.cores[1].weight_memory, MemoryKind::Block);
    }
}

#[test]
fn the_number_of_lanes_is_the_one_asked_for() {
    let network = mnist(4);
    for lanes in [2, 4, 8, 16] {
        let cfg = with_lanes(lanes);
        let mapped = map(&network, &limits(), &cfg).unwrap();
        check_mapped(&network, &mapped);
        assert_eq!(mapped.cores[0].lanes, lanes);
        assert_eq!(mapped.cores[0].n_groups, 128usize.div_ceil(lanes));
        assert_eq!(
            mapped.estimate.event_cycles[0],
            128u64.div_ceil(lanes as u64)
        );
    }
    for lanes in [0, MAX_LANES + 1] {
        let error = map(&network, &limits(), &with_lanes(lanes)).unwrap_err();
        assert_eq!(
            error,
            Error::Lanes {
                found: lanes,
                limit: MAX_LANES
            }
        );
    }
}

#[test]
fn the_advised_width_fits_and_the_next_one_does_not() {
    let small = Limits {
        single_port_rams: 2,
        ..limits()
    };
    let error = map(&mnist(8), &small, &MapConfig::default()).unwrap_err();
    let Error::DoesNotFit {
        resource,
        need,
        limit,
        over,
        advice,
        consumer,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(*resource, "block RAMs");
    assert_eq!((*limit, *over), (small.block_rams, need - limit));
    assert_eq!(consumer, "memory lif0.weights");
    let bits: u32 = advice
        .strip_prefix("`--bits ")
        .and_then(|rest| rest.strip_suffix("` fits"))
        .and_then(|bits| bits.parse().ok())
        .unwrap();
    assert_eq!(bits, 4);
    assert!(map(&mnist(bits), &small, &MapConfig::default()).is_ok());
    assert!(map(&mnist(bits + 1), &small, &MapConfig::default()).is_err());
}

/// A Tang Nano 20K has 847,872 bits of block RAM, of which weights of 8 bits take 802,816.
#[test]
fn the_last_rows_of_weights_go_to_logic_where_block_ram_is_short() {
    let gowin = Limits {
        logic_cells: 20_736,
        block_rams: 46,
        block_ram_shapes: vec![
            (512, 36),
            (1024, 18),
            (2048, 9),
            (4096, 4),
            (8192, 2),
            (16384, 1),
        ],
        single_port_rams: 0,
        block_rules: spikeloom_ir::mapped::BlockRules::Units,
        small_rams: 648,
        cells_per_100: 110,
        ..limits()
    };
    let mapped = map(&mnist(8), &gowin, &MapConfig::default()).unwrap();
    let core = &mapped.cores[0];
    assert_eq!((core.lanes, core.n_logic_weight_rows), (16, 128));
    let [weights, last, ..] = &mapped.memories[..] else {
        panic!("{mapped}");
    };
    assert_eq!((weights.rows, weights.blocks), (784 * 8 - 128, 43));
    assert_eq!((last.rows, last.kind), (128, MemoryKind::Logic));
    assert!(mapped.estimate.block_rams <= 46);
    // Where there is room for all, they stay together.
    let roomy = Limits {
        block_rams: 60,
        ..gowin
    };
    let mapped = map(&mnist(8), &roomy, &MapConfig::default()).unwrap();
    assert_eq!(mapped.cores[0].n_logic_weight_rows, 0);
}

/// 19,600 rows of 128 bits: 39 banks of 512 rows take fewest blocks, ten banks of 2048 four more.
#[test]
fn spare_blocks_take_the_place_of_selection() {
    let network = dense([784, 400, 10], 8, Encoder::Direct { scale: 1.0 });
    let place = |block_rams| {
        let limits = Limits {
            logic_cells: 80_000,
            block_rams,
            small_rams: 10_000,
            ..gw1nr_9c()
        };
        map(&network, &limits, &MapConfig::default()).unwrap()
    };
    let spare = place(208);
    assert_eq!(spare.cores[0].lanes, 16);
    assert_eq!(
        (spare.spares, spare.memories[0].blocks),
        (Spares::Selection, 143)
    );
    let few = place(spare.estimate.block_rams - 1);
    assert_eq!((few.spares, few.memories[0].blocks), (Spares::Blocks, 139));
    assert_eq!(few.cores, spare.cores);
    // Two thirds of a cell and a tenth for each bit of 29 banks.
    let selection = (29 * 128 * 2 / 3) * 11 / 10;
    let more = few.estimate.logic_cells - spare.estimate.logic_cells;
    assert!(more.abs_diff(selection) < 100, "{more} for {selection}");
    // An iCE40's are what Yosys finds best.
    let mapped = map(&mnist(8), &limits(), &MapConfig::default()).unwrap();
    assert_eq!(mapped.spares, Spares::Blocks);
}

/// A Tang Nano 9K.
fn gw1nr_9c() -> Limits {
    Limits {
        clock_hz: Hertz(27_000_000),
        logic_cells: 8640,
        block_rams: 26,
        block_ram_shapes: vec![
            (512, 36),
            (1024, 18),
            (2048, 9),
            (4096, 4),
            (8192, 2),
            (16384, 1),
        ],
        single_port_rams: 0,
        block_rules: spikeloom_ir::mapped::BlockRules::Units,
        small_rams: 270,
        cells_per_100: 110,
        adders_per_stage: 2,
        ..limits()
    }
}

/// What block RAM has no room for must fit in RAMs of look-up tables, of which there are few: else
/// there are fewer lanes, or memories go back to block RAM and rows of weights to logic instead.
#[test]
fn rams_of_tables_are_no_more_than_there_are() {
    let network = mnist(4);
    let place = |small_rams| {
        let limits = Limits {
            small_rams,
            ..gw1nr_9c()
        };
        map(&network, &limits, &MapConfig::default())
    };
    let counted = |mapped: &Mapped| {
        let written = mapped.memories.iter().filter(|m| m.small_rams > 0);
        let each = written.map(|m| {
            assert_eq!((m.kind, m.blocks), (MemoryKind::Logic, 0), "{m:?}");
            assert_eq!(m.small_rams, m.rows.div_ceil(16) * m.row_bits.div_ceil(4));
            m.small_rams
        });
        assert_eq!(each.sum::<u64>(), mapped.estimate.small_rams);
        mapped.estimate.small_rams
    };
    let plenty = place(1000).unwrap();
    let few = place(270).unwrap();
    let fewer = place(180).unwrap();
    assert_eq!(plenty.cores[0].lanes, 16);
    assert!(counted(&plenty) > 270, "{plenty}");
    assert!(counted(&few) <= 270, "{few}");
    assert!(counted(&fewer) <= 180, "{fewer}");
    // Parameters make room for what goes back.
    assert!(!plenty.cores[0].parameters_in_logic && fewer.cores[0].parameters_in_logic);
    for mapped in [&plenty, &few, &fewer] {
        assert!(mapped.estimate.block_rams <= 26, "{mapped}");
        assert!(mapped.estimate.logic_cells <= 8640, "{mapped}");
    }
    // What is of one kind stays so: the circuit knows one place for both.
    for mapped in [&plenty, &few, &fewer] {
        let kind = |name: &str| {
            let mut memories = mapped.memories.iter();
            memories.find(|m| m.name == name).unwrap().kind
        };
        assert_eq!(kind("frames"), kind("answer"));
        assert_eq!(mapped.link_memory, kind("frames"));
        for core in &mapped.cores {
            let name = &network.populations[core.population.0].name;
            assert_eq!(core.state_memory, kind(&format!("{name}.states")));
            if core.held_bits.is_some() {
                assert_eq!(core.state_memory, kind(&format!("{name}.held")));
            }
            let in_logic = kind(&format!("{name}.queue")) == MemoryKind::Logic;
            assert_eq!(core.ports[0].fifo_in_logic, in_logic);
            let in_logic = kind(&format!("{name}.parameters")) == MemoryKind::Logic;
            let many = core.n_parameter_rows > LOGIC_ROWS;
            assert_eq!(core.parameters_in_logic, in_logic && many);
        }
    }
    // Scores and states of ten neurons are of tables whatever there is.
    let nearly_none = Limits {
        small_rams: 2,
        block_rams: 60,
        ..gw1nr_9c()
    };
    let Error::DoesNotFit {
        resource,
        need,
        limit,
        consumer,
        ..
    } = map(&network, &nearly_none, &MapConfig::default()).unwrap_err()
    else {
        panic!("2 are too few");
    };
    assert_eq!((resource, limit), ("RAMs of look-up tables", 2));
    assert!(need > 2 && consumer.starts_with("memory "), "{consumer}");
}

#[test]
fn the_advised_size_fits() {
    let none = Limits {
        single_port_rams: 0,
        ..limits()
    };
    let error = map(&mnist(2), &none, &MapConfig::default()).unwrap_err();
    let Error::DoesNotFit { advice, .. } = &error else {
        panic!("{error}");
    };
    let sizes = advice
        .strip_prefix("at 2 bits, populations of [")
        .and_then(|rest| rest.strip_suffix("] neurons would fit"))
        .unwrap();
    let sizes: Vec<usize> = sizes.split(", ").map(|n| n.parse().unwrap()).collect();
    assert_eq!(sizes[1], 10);
    assert!(sizes[0] < 128);
    let smaller = dense([784, sizes[0], sizes[1]], 2, Encoder::Direct { scale: 1.0 });
    assert!(map(&smaller, &none, &MapConfig::default()).is_ok());
}

#[test]
fn another_number_of_lanes_is_advised_before_fewer_bits() {
    // Rows of 32 weights are wider than all single-port RAMs together.
    let network = mnist(4);
    let asked = with_lanes(32);
    let error = map(&network, &limits(), &asked).unwrap_err();
    let Error::DoesNotFit { advice, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(advice, "`--lanes 16` fits");
    let advised = with_lanes(16);
    assert!(map(&network, &limits(), &advised).is_ok());
}

#[test]
fn a_device_for_nothing_is_told_so() {
    let nothing = Limits {
        block_rams: 1,
        single_port_rams: 0,
        ..limits()
    };
    let error = map(&mnist(8), &nothing, &MapConfig::default()).unwrap_err();
    let Error::DoesNotFit { advice, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(
        advice,
        "no smaller width or size of this network fits; choose a larger target"
    );
}

/// Source, delay, events that fit at least, and whether a queue only keeps the pace.
fn queues(network: &Quantized, population: usize) -> Vec<(Source, u32, usize, bool)> {
    let mapped = map(network, &limits(), &MapConfig::default()).unwrap();
    let ports = mapped.cores[population].ports.iter();
    ports
        .map(|p| (p.source, p.delay, 1 << p.fifo_address_bits, p.is_pace))
        .collect()
}

#[test]
fn each_source_has_a_queue_that_holds_what_its_delay_spans() {
    let first = Source::Population(PopulationId(0));
    let own = Source::Population(PopulationId(1));
    let chain = dense([20, 8, 4], 8, Encoder::Rate { seed: 1 });
    assert_eq!(queues(&chain, 1), [(first, 0, 256, false)]);

    // A population that feeds itself, two ticks later.
    let mut recurrent = chain.clone();
    let mut again = chain.projections[1].clone();
    again.source = own;
    again.delay = 2;
    again.n_pre = 4;
    again.weights.truncate(16);
    recurrent.projections.push(again);
    let found = queues(&recurrent, 1);
    assert_eq!(found[0], (first, 0, 256, false));
    assert_eq!((found[1].0, found[1].1), (own, 2));
    assert!(found[1].2 >= 2 * (4 + 1), "{found:?}");

    // The same source twice, once late: prompt projections come first.
    let mut skip = chain.clone();
    let mut late = chain.projections[1].clone();
    late.delay = 3;
    skip.projections.insert(1, late);
    let found = queues(&skip, 1);
    assert_eq!(found[0], (first, 0, 256, false));
    assert_eq!((found[1].0, found[1].1), (first, 3));
    assert!(found[1].2 >= 4 * (8 + 1), "{found:?}");

    // Where all are late, the input keeps the pace.
    let mut delayed = chain.clone();
    delayed.projections[1].delay = 1;
    let found = queues(&delayed, 1);
    assert_eq!(found[0], (Source::Input, 0, 256, true));
    assert_eq!((found[1].0, found[1].1, found[1].3), (first, 1, false));
}

#[test]
fn channels_with_delays_of_their_own_have_a_word_for_each_tick() {
    let mut network = dense([400, 8, 4], 8, Encoder::Rate { seed: 1 });
    network.projections[0].channel_delays = Some((0..400).map(|c| c % 6).collect());
    let mapped = map(&network, &limits(), &MapConfig::default()).unwrap();
    assert_eq!(mapped.cores[0].ports[0].slot_bits(), Some(3));
    assert_eq!(mapped.cores[1].ports[0].slot_bits(), None);
    let memory = |name: &str| {
        let memory = mapped.memories.iter().find(|m| m.name == name).unwrap();
        (memory.rows, memory.row_bits, memory.blocks)
    };
    // 13 banks of 256 words, which share one block of 16 bits.
    assert_eq!(memory("lif0.delay line"), (400 * 8, 1, 1));
    assert_eq!(memory("lif0.delays"), (400, 3, 1));
}

/// The network with so many of a hundred weights left.
fn pruned(mut network: Quantized, percent: u64) -> Quantized {
    let r = &mut Random::new(3);
    for p in &mut network.projections {
        let kept = p.weights.iter_mut().filter(|_| r.below(100) >= percent);
        kept.for_each(|w| *w = 0);
    }
    network
}

#[test]
fn sparse_projections_become_lists_where_that_saves_memory() {
    let full = dense([128, 128, 10], 4, Encoder::Rate { seed: 1 });
    let bits = |mapped: &Mapped| -> u64 {
        let memories = mapped
            .memories
            .iter()
            .filter(|m| m.name.starts_with("lif0."));
        memories.map(|m| m.rows * m.row_bits).sum()
    };
    for lanes in [1, 4, 16] {
        let way = |network: &Quantized, compress| {
            let cfg = MapConfig {
                compress,
                ..with_lanes(lanes)
            };
            let mapped = map(network, &wide_limits(), &cfg).unwrap();
            (mapped.cores[0].ways[0], bits(&mapped))
        };
        assert_eq!(way(&full, Compress::Auto).0, Way::Dense);
        let sparse = pruned(full.clone(), 10);
        let (chosen, listed) = way(&sparse, Compress::Auto);
        let (_, stored) = way(&sparse, Compress::Never);
        // Of 16 weights one is nearly always not 0, so that hardly a row is spared.
        assert!(chosen == Way::Listed || lanes == 16);
        assert!(listed <= stored, "{listed} of {stored} bits");
        if lanes == 1 {
            assert!(listed < stored / 2, "{listed} of {stored} bits");
        }
    }
}

/// As many memories as anyone could want.
fn wide_limits() -> Limits {
    Limits {
        block_rams: 1000,
        ..limits()
    }
}

#[test]
fn a_listing_holds_what_is_not_zero_and_nothing_else() {
    let sparse = pruned(dense([60, 50, 10], 8, Encoder::Rate { seed: 1 }), 15);
    let p = &sparse.projections[0];
    for (lanes, n_channels) in [(1usize, 50usize), (4, 50), (4, 10), (8, 25)] {
        let n_rows = 50 / n_channels * n_channels.div_ceil(lanes);
        let layout = SumLayout {
            lanes,
            n_channels,
            n_rows,
        };
        let listing = Listing::new(&p.weights, p.n_pre, &layout);
        let mut again = vec![0; p.weights.len()];
        for pre in 0..p.n_pre {
            for entry in listing.first[pre]..listing.first[pre + 1] {
                let weights = &listing.weights[entry * lanes..][..lanes];
                assert!(weights.iter().any(|&w| w != 0));
                for post in 0..50 {
                    let (row, lane) = layout.position(post);
                    if row == listing.sum_rows[entry] {
                        again[post * p.n_pre + pre] = weights[lane];
                    }
                }
            }
        }
        assert_eq!(again, p.weights);
    }
}

#[test]
fn what_has_no_circuit_is_refused() {
    let refused = |network: &Quantized| match map(network, &limits(), &MapConfig::default()) {
        Err(Error::NoCircuit { feature, .. }) => feature,
        other => panic!("{other:?}"),
    };
    let chain = dense([20, 8, 4], 8, Encoder::Rate { seed: 1 });
    assert!(map(&chain, &limits(), &MapConfig::default()).is_ok());

    let mut idle = chain.clone();
    idle.output = PopulationId(0);
    assert_eq!(refused(&idle), "population lif1, which feeds nothing,");

    let mut silent = chain.clone();
    silent.populations[0].program.spike = None;
    let name = &silent.projections[1].name;
    let expected = format!("projection {name}, whose source never fires,");
    assert_eq!(refused(&silent), expected);

    // Channels first, as where two convolutions around a population disagree on its shape.
    let mut plane = chain.clone();
    let grid = |channels, height, width| Grid {
        channels,
        height,
        width,
        order: AxisOrder::ChannelsFirst,
    };
    plane.projections[0].connectivity = Connectivity::Convolution(Convolution {
        input: grid(1, 4, 5),
        output: grid(2, 2, 2),
        window: Window {
            kernel: [3, 4],
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
        },
        groups: 1,
    });
    assert_eq!(
        refused(&plane),
        "population lif0, which is a plane of two different shapes,"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn whatever_is_placed_keeps_to_the_limits(seed in any::<u64>(), weight_bits in 2u32..=8) {
        let mut network = any_network(seed);
        for p in &mut network.projections {
            p.delay = p.delay.min(1);
        }
        let network = quantized(&network, weight_bits);
        match map(&network, &limits(), &MapConfig::default()) {
            Ok(mapped) => check_mapped(&network, &mapped),
            Err(Error::DoesNotFit { need, limit, over, .. }) => prop_assert_eq!(need, limit + over),
            Err(Error::NoCircuit { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn packed_rows_hold_every_weight_once(
        n_pre in 1usize..20,
        n_post in 1usize..40,
        lane_bits in 0u32..5,
        seed in any::<u64>(),
    ) {
        let r = &mut Random::new(seed);
        let lanes = 1usize << lane_bits;
        let n_groups = n_post.div_ceil(lanes).max(2);
        let weights: Vec<i32> = (0..n_pre * n_post).map(|_| 1 + r.below(100) as i32).collect();
        let layout = SumLayout { lanes, n_channels: n_post, n_rows: n_groups };
        let rows = dense_rows(&weights, n_pre, &layout, n_groups);
        prop_assert_eq!(rows.len(), n_pre * n_groups * lanes);
        for (at, &found) in rows.iter().enumerate() {
            let (pre, group, lane) = (at / lanes / n_groups, at / lanes % n_groups, at % lanes);
            let post = group * lanes + lane;
            let expected = if post < n_post { weights[post * n_pre + pre] } else { 0 };
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_row_fits_its_stride(row_bits in 1usize..1000) {
        let stride = row_stride_bytes(row_bits);
        prop_assert!(stride.is_power_of_two());
        prop_assert!(stride * 8 >= row_bits);
        prop_assert!(stride == 1 || stride / 2 * 8 < row_bits);
    }
}
