//! What fixes a design.

use spikeloom_ir::fold::circuit_weights;
use spikeloom_ir::mapped::{self, Mapped, MemoryKind};
use spikeloom_ir::quantized::{Decoder, Source};
use spikeloom_ir::{Init, PopulationId, Program, Quantized};

use crate::control::identity_image;
use crate::core::{CoreConfig, Turn};
use crate::delay_line::delay_image;
use crate::encoder::EncoderConfig;
use crate::error::Error;
use crate::image::MemoryImage;
use crate::learn::{LearningConfig, OtherConfig};
use crate::link::FlashConfig;
use crate::port::PortConfig;
use crate::way::WayPlan;
use crate::width::SignalType;

/// Everything that fixes a design.
#[derive(Debug, Clone)]
pub struct DeviceConfig {
    /// One core a population, or for several.
    pub cores: Vec<CoreConfig>,
    /// For each population where it is computed.
    pub seats: Vec<Seat>,
    /// For each population the queues in front of it, in the order of its sources, with the ticks
    /// that their events are late.
    pub ports: Vec<Vec<(PortConfig, u32)>>,
    /// The population that is read out.
    pub output: usize,
    /// How samples become events.
    pub encoder: EncoderConfig,
    /// How the output becomes a class.
    pub decoder: Decoder,
    /// Width of a score, sign included.
    pub score_bits: usize,
    /// Where the scores are.
    pub score_memory: MemoryKind,
    /// Where the link keeps frames and answers.
    pub link_memory: MemoryKind,
    /// Ticks of a sample, unless the host says otherwise.
    pub n_ticks: u16,
    /// How often a sample is shown to a network that learns.
    pub phases: u32,
    /// Tells the host which design this is.
    pub identity: MemoryImage,
    /// What the design on its pins reads from the board's flash, where it does.
    pub flash: Option<FlashConfig>,
}

/// Where a population is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// On which core.
    pub core: usize,
    /// In which turn, where several populations share the core.
    pub turn: Option<usize>,
    /// Number of its neurons.
    pub n_neurons: usize,
}

impl DeviceConfig {
    /// The design of a mapped network.
    ///
    /// # Errors
    /// If a memory's contents do not fit it, which the levels above rule out.
    pub fn new(network: &Quantized, mapped: &Mapped, design_id: u64) -> Result<Self, Error> {
        let circuits = mapped.circuits();
        let programs = mapped.programs(network);
        let is_learning_design = mapped.learns();
        let cores = circuits
            .iter()
            .zip(&programs)
            .enumerate()
            .map(|(position, (circuit, program))| {
                Ok(CoreConfig {
                    is_learning_design,
                    ..core_config(network, mapped, position, circuit, program)?
                })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let n_followed = cores
            .iter()
            .map(|core: &CoreConfig| core.uses().len())
            .max();
        let n_followed = n_followed.unwrap_or(0);
        let cores = cores
            .into_iter()
            .map(|core| CoreConfig { n_followed, ..core });
        let seats: Vec<Seat> = (mapped.seats(network).iter())
            .zip(&network.populations)
            .map(|(seat, population)| Seat {
                core: seat.circuit,
                turn: (seat.n_turns > 1).then_some(seat.turn),
                n_neurons: population.n_neurons,
            })
            .collect();
        let spike_bits: Vec<usize> = (seats.iter())
            .map(|seat| programs[seat.core].spike_bits().max(1))
            .collect();
        Ok(Self {
            cores: cores.collect(),
            ports: mapped
                .cores
                .iter()
                .map(|core| ports(network, core, &spike_bits))
                .collect::<Result<_, Error>>()?,
            seats,
            output: network.output.0,
            encoder: EncoderConfig::new(
                network.input.n_channels,
                network.sample_bytes(),
                network.input.encoder.clone(),
            )?,
            decoder: network.decoder,
            score_bits: mapped.score_bits,
            score_memory: mapped.score_memory,
            link_memory: mapped.link_memory,
            n_ticks: network.ticks.try_into().unwrap_or(u16::MAX),
            phases: network.phases,
            identity: identity_image(design_id)?,
            flash: None,
        })
    }

    /// The files that the design's Verilog reads.
    pub fn images(&self) -> Vec<&MemoryImage> {
        let of_cores = self.cores.iter().flat_map(|c| {
            let tables = c.ways.iter().flat_map(WayPlan::images);
            c.weight_images().chain([&c.parameters]).chain(tables)
        });
        let ports = self.ports.iter().flatten();
        of_cores
            .chain(ports.flat_map(|(port, _)| &port.delays))
            .chain(self.encoder.images())
            .chain([&self.identity])
            .collect()
    }

    /// Those of them whose rows may be replaced in a finished bitstream, for no other logic depends
    /// on them: weights, parameters, lists of rows and the identity.
    pub fn replaceable_images(&self) -> Vec<&MemoryImage> {
        let of_cores = self.cores.iter().flat_map(|c| {
            let lists = c.ways.iter().flat_map(WayPlan::replaceable_images);
            c.weight_images().chain([&c.parameters]).chain(lists)
        });
        of_cores.chain([&self.identity]).collect()
    }
}

/// What learns in a core.
fn learning(network: &Quantized, core: &mapped::Core) -> Vec<LearningConfig> {
    let engines = core.learning.iter().enumerate();
    let engines = engines.filter_map(|(number, learning)| engine(network, core, number, learning));
    let mut engines: Vec<LearningConfig> = engines.collect();
    // Those that read fewer populations get as many places.
    let most = engines.iter().map(|engine| engine.others.len()).max();
    let any = engines
        .iter()
        .flat_map(|engine| &engine.others)
        .next()
        .cloned();
    for engine in &mut engines {
        let n_spare = most.unwrap_or(0) - engine.others.len();
        engine.spare = any.iter().cycle().take(n_spare).cloned().collect();
    }
    engines
}

/// What one of its projections learns by.
fn engine(
    network: &Quantized,
    core: &mapped::Core,
    number: usize,
    learning: &mapped::Learning,
) -> Option<LearningConfig> {
    let p = &network.projections[learning.projection.0];
    let population = &network.populations[core.population.0];
    let before = (core.projections.iter()).take_while(|id| **id != learning.projection);
    let first_pre = before.map(|id| network.projections[id.0].n_pre).sum();
    let state_bits = |id: PopulationId| -> Vec<usize> {
        let states = network.populations[id.0].program.states.iter();
        states.map(|s| s.bits.index()).collect()
    };
    let others = network
        .followed(p)
        .into_iter()
        .zip(&learning.other_memories);
    let others = others.map(|(other, &memory)| OtherConfig {
        population: other.population.0,
        n_neurons: network.populations[other.population.0].n_neurons,
        state_bits: state_bits(other.population),
        spike_bits: network.sent_bits(Source::Population(other.population)),
        reads: other.reads,
        memory,
    });
    Some(LearningConfig {
        plasticity: p.plasticity.clone()?,
        n_core: core.n_pre(network),
        first_pre,
        n_pre: p.n_pre,
        n_post: population.n_neurons,
        lanes: core.lanes,
        first_row: core.first_weight_row(network, learning.projection),
        row_stride: core.row_stride,
        n_core_rows: core.weight_rows(network).len() / core.lanes,
        weight_bits: core.weight_bits(network),
        pre_spike_bits: network.spike_bits(p.source),
        post_spike_bits: network.spike_bits(Source::Population(core.population)),
        state_bits: state_bits(core.population),
        column_memory: learning.column_memory,
        post_memory: learning.post_memory,
        gain_memory: learning.gain_memory.unwrap_or(MemoryKind::Block),
        number,
        others: others.collect(),
        spare: vec![],
    })
}

/// The core of one population, or of those that share it, with the program that it runs.
fn core_config(
    network: &Quantized,
    mapped: &Mapped,
    position: usize,
    circuit: &[&mapped::Core],
    program: &Program,
) -> Result<CoreConfig, Error> {
    let core = circuit[0];
    let n_neurons = |core: &mapped::Core| network.populations[core.population.0].n_neurons;
    let (rows, bits) = circuit_weights(network, circuit);
    let lane = SignalType::signed(bits);
    let mut words: Vec<u64> = rows.iter().map(|&w| lane.value(w as u64).raw()).collect();
    let n_last = core.n_logic_weight_rows * core.lanes;
    let last_words = words.split_off(words.len().saturating_sub(n_last));
    let image = |what: &str, words: Vec<u64>| {
        let name = format!("core{position}_{what}.hex");
        MemoryImage::new(name, vec![lane; core.lanes], words)
    };
    let last_weights = match n_last {
        0 => None,
        _ => Some(image("last_weights", last_words)?),
    };
    let weights = match core.weight_memory {
        MemoryKind::Block | MemoryKind::Logic => Some(image("weights", words)?),
        MemoryKind::SinglePort => None,
    };
    let way = |(at, (p, way))| {
        let name = format!("core{position}_way{at}");
        WayPlan::new(p, way, &core.layout(), &name)
    };
    let ways = match core.is_dense() {
        true => vec![],
        false => core
            .incoming(network)
            .enumerate()
            .map(way)
            .collect::<Result<Vec<_>, Error>>()?,
    };
    let turn = |core: &&mapped::Core| Turn {
        n_pre: core.n_pre(network),
        n_post: n_neurons(core),
        n_sum_rows: core.n_sum_rows,
        row_stride: core.row_stride,
    };
    let all: Vec<Turn> = circuit.iter().map(turn).collect();
    let is_shared = all.len() > 1;
    let n_post = all.iter().map(|turn| turn.n_post).sum();
    let n_parameter_rows = circuit.iter().map(|core| core.n_parameter_rows).sum();
    let accumulators = &network.populations[core.population.0].accumulators;
    Ok(CoreConfig {
        n_pre: all.iter().map(|turn| turn.n_pre).max().unwrap_or(1),
        n_post,
        lanes: core.lanes,
        n_sum_rows: all.iter().map(|turn| turn.n_sum_rows).sum(),
        ways,
        n_channels: if is_shared { n_post } else { core.n_channels },
        weight_memory: core.weight_memory,
        sum_memory: core.sum_memory,
        state_memory: core.state_memory,
        row_stride: core.row_stride,
        weight_bits: bits,
        lane_bits: core.lane_bits,
        held_bits: core.held_bits,
        adds_spikes: core.planes.is_none() && accumulators.iter().any(|a| !a.hold),
        is_graded: core.planes.is_some(),
        weights,
        last_weights,
        parameters: parameter_image(position, program, n_parameter_rows)?,
        parameters_in_logic: core.parameters_in_logic,
        program: program.clone(),
        adders_per_stage: mapped.limits.adders_per_stage,
        turns: if is_shared { all } else { vec![] },
        learning: learning(network, core),
        is_learning_design: false,
        n_followed: 0,
    })
}

/// The queues of a population; each source's spikes are counted in so many bits.
fn ports(
    network: &Quantized,
    core: &mapped::Core,
    spike_bits: &[usize],
) -> Result<Vec<(PortConfig, u32)>, Error> {
    let position = core.population.0;
    let port = |(at, port): (usize, &mapped::Port)| {
        let (source, spike_bits) = match port.source {
            Source::Input => (0, 1),
            Source::Population(id) => (1 + id.0, spike_bits[id.0]),
        };
        let image = || delay_image(&port.delays, format!("core{position}_port{at}_delays.hex"));
        let delays = match port.delays.is_empty() {
            true => None,
            false => Some(image()?),
        };
        let config = PortConfig {
            source,
            n_pre: port.n_pre,
            spike_bits,
            delays,
            value_bits: network.payload_bits(port.source),
            planes: core.planes,
            spike_shift: port.spike_shift as usize,
            fifo_address_bits: port.fifo_address_bits,
            fifo_in_logic: port.fifo_in_logic,
            is_pace: port.is_pace,
            is_loop: match port.source {
                Source::Population(id) if id >= core.population => {
                    network.quickest_way(core.population, id).is_some()
                }
                _ => false,
            },
        };
        Ok((config, port.delay))
    };
    core.ports.iter().enumerate().map(port).collect()
}

/// The first `n_rows` rows of parameters, one a neuron or channel; a single 0 bit where the program
/// has none.
fn parameter_image(
    position: usize,
    program: &Program,
    n_rows: usize,
) -> Result<MemoryImage, Error> {
    let parameters = &program.parameters;
    debug_assert!(program.states.iter().all(|s| match s.init {
        Init::Value(_) => true,
        Init::Parameter(p) => p < parameters.len(),
    }));
    let name = format!("core{position}_parameters.hex");
    if parameters.is_empty() {
        return MemoryImage::new(name, vec![SignalType::unsigned(1)], vec![0; n_rows]);
    }
    let lanes: Vec<_> = parameters
        .iter()
        .map(|p| SignalType::signed(p.bits.index()))
        .collect();
    let words = (0..n_rows)
        .flat_map(|neuron| {
            parameters
                .iter()
                .zip(&lanes)
                .map(move |(p, lane)| lane.value(p.values[neuron] as u64).raw())
        })
        .collect();
    MemoryImage::new(name, lanes, words)
}
