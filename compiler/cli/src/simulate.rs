//! Samples through one executor: accuracy, spikes, cycles.

use std::path::Path;

use serde::Serialize;
use spikeloom_bitstreams::{ToolSource, Toolchain};
use spikeloom_boards::Layout;
use spikeloom_golden::{Golden, Outcome};
use spikeloom_ir::mapped::{Core, Way};
use spikeloom_ir::quantized::{Encoder, Projection, Source};
use spikeloom_ir::rows::Listing;
use spikeloom_ir::{Mapped, Network, ProjectionId, Quantized};
use spikeloom_ladder::{Access, DeviceRun, Rung, Verdict, Workload, check_outcomes, wave};
use spikeloom_passes::QuantizeReport;

use crate::build::Build;
use crate::data::{DataSet, Samples};
use crate::error::Error;
use crate::score::{SeriesScore, series_score};
use crate::simulator::Simulator;
use crate::verify::Progress;

/// What samples came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// `golden` or `verilator`.
    pub engine: &'static str,
    /// Number of samples.
    pub samples: u64,
    /// Share of samples whose class is the label; `None` without labels.
    pub accuracy: Option<f64>,
    /// What ending samples early came to, where it was asked for.
    pub early_exit: Option<EarlyExit>,
    /// Input events of a sample, mean.
    pub input_events: f64,
    /// Spikes of a sample, mean, one entry a population.
    pub spikes: Vec<PopulationSpikes>,
    /// Synaptic operations of a sample, mean: events, each times the neurons that it reaches.
    pub synaptic_operations: f64,
    /// Of them those whose weight is not 0, mean.
    pub operations_not_0: f64,
    /// Of them those whose synapses the circuit of a build folder has: all, but of projections that are
    /// stored as lists those in rows with a weight that is not 0; mean. `None` without a build folder.
    pub operations_stored: Option<f64>,
    /// The same over each projection.
    pub operations: Vec<ProjectionOperations>,
    /// What the circuit's own counters say; `None` for the golden model.
    pub hardware: Option<Hardware>,
    /// How good its outputs are, where samples are time series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<SeriesScore>,
    /// The class of every sample.
    pub classes: Vec<usize>,
}

/// What ending samples early came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EarlyExit {
    /// A sample ends when the best score is so far above all others.
    pub margin: i64,
    /// Ticks of a sample, mean.
    pub ticks: f64,
    /// Ticks of a sample that runs to its end.
    pub all_ticks: u32,
    /// The accuracy with all ticks; `None` without labels.
    pub full_accuracy: Option<f64>,
}

/// A network, real-valued and as integers.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The real-valued network, normalised.
    pub network: &'a Network,
    /// The integer network.
    pub quantized: &'a Quantized,
    /// How one became the other.
    pub report: &'a QuantizeReport,
    /// How a circuit has it, where there is one.
    pub mapped: Option<&'a Mapped>,
}

impl<'a> From<&'a Build> for Subject<'a> {
    fn from(build: &'a Build) -> Self {
        Self {
            network: &build.network,
            quantized: &build.quantized,
            report: &build.report.quantize,
            mapped: Some(&build.mapped),
        }
    }
}

/// Spikes of one population.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PopulationSpikes {
    /// Its name.
    pub population: String,
    /// Spikes of a sample, mean.
    pub spikes: f64,
}

/// Synaptic operations over one projection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProjectionOperations {
    /// Its name.
    pub projection: String,
    /// All of a sample, mean.
    pub all: f64,
    /// Those whose weight is not 0.
    pub not_0: f64,
    /// Those whose synapses the circuit has; `None` without a build folder.
    pub stored: Option<f64>,
}

/// What the circuit's counters say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hardware {
    /// Clock of the target in hertz.
    pub clock_hz: u64,
    /// Clock cycles of a sample, mean.
    pub cycles: f64,
    /// Clock cycles of the slowest sample.
    pub most_cycles: u64,
    /// Mean time of a sample at the target's clock, in microseconds.
    pub latency_us: f64,
    /// One entry a core.
    pub cores: Vec<CoreUse>,
}

/// What one core's counters say, mean over the samples.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CoreUse {
    /// Its population, or those that share it.
    pub population: String,
    /// Events taken.
    pub events: f64,
    /// Cycles in which events waited or were worked on.
    pub active_cycles: f64,
    /// Cycles lost to a full queue behind the core.
    pub stalled_cycles: f64,
    /// Synaptic operations a lane and active cycle.
    pub operations_per_lane_cycle: f64,
}

/// Runs samples through the golden model; with a margin, each ends as soon as its best score is so far
/// above all others.
///
/// # Errors
/// If a sample does not fit the network.
pub fn simulate_golden(
    subject: Subject<'_>,
    data: &DataSet,
    margin: Option<i64>,
) -> miette::Result<Summary> {
    let outcomes = golden_outcomes(subject, &data.samples, margin)?;
    let mut summary = summary(subject, "golden", data, &outcomes)?;
    summary.early_exit = early_exit(subject, data, margin, &outcomes)?;
    Ok(summary)
}

/// Runs samples through the Verilog in Verilator.
///
/// Every result is compared with the golden model's on the way. With a margin, the circuit runs each
/// sample for as many ticks as the golden model needed.
///
/// # Errors
/// If a sample does not fit the network, the design cannot be simulated, or a result differs.
pub fn simulate_verilator(
    build: &Build,
    data: &DataSet,
    margin: Option<i64>,
    tools: ToolSource,
    progress: Progress<'_>,
) -> miette::Result<Summary> {
    let tools = Toolchain::find(tools)?;
    let samples = &data.samples.to_bytes(&build.quantized);
    let outcomes = golden_outcomes(build.into(), &data.samples, margin)?;
    let early_exit = early_exit(build.into(), data, margin, &outcomes)?;
    let model = Simulator::new(&tools)?.device(build, false)?;
    let layout = Layout::new(&build.quantized, &build.mapped, build.design_id())?;
    let case = build.case(&layout);
    let expected = spikeloom_ladder::Expected { outcomes };
    let work = Workload {
        samples,
        expected: &expected,
        with_states: 0,
    };
    let total = samples.len() as u64;
    let done = |n: u64| progress(n, total);
    let (report, run) = check_outcomes(Rung::Verilator, &model, case, Access::Stream, work, &done)?;
    if let Verdict::Different(first) = report.verdict {
        return Err(Error::VerificationFailed(format!(
            "the circuit differs from the golden model at {first}"
        ))
        .into());
    }
    // Its classes and scores are the golden model's: they were just compared.
    Ok(Summary {
        early_exit,
        hardware: hardware(build, &run, &expected.outcomes),
        ..summary(build.into(), "verilator", data, &expected.outcomes)?
    })
}

fn early_exit(
    subject: Subject<'_>,
    data: &DataSet,
    margin: Option<i64>,
    outcomes: &[Outcome],
) -> miette::Result<Option<EarlyExit>> {
    let Some(margin) = margin else {
        return Ok(None);
    };
    let ticks: f64 = outcomes.iter().map(|o| f64::from(o.ticks)).sum();
    let full = golden_outcomes(subject, &data.samples, None)?;
    let classes: Vec<usize> = full.iter().map(|o| o.class).collect();
    Ok(Some(EarlyExit {
        margin,
        ticks: ticks / outcomes.len().max(1) as f64,
        all_ticks: subject.quantized.ticks,
        full_accuracy: accuracy(&classes, data.labels.as_deref()),
    }))
}

/// Writes a wave file of one sample.
///
/// # Errors
/// If the sample does not fit, the design cannot be simulated, or the file cannot be written.
pub fn write_wave(
    build: &Build,
    samples: &Samples,
    number: usize,
    tools: ToolSource,
    path: &Path,
) -> miette::Result<()> {
    let tools = Toolchain::find(tools)?;
    let samples = &samples.to_bytes(&build.quantized);
    let sample = sample(samples, number)?;
    let model = Simulator::new(&tools)?.device(build, true)?;
    let layout = Layout::new(&build.quantized, &build.mapped, build.design_id())?;
    let case = build.case(&layout);
    wave(&model, case, sample, path)?;
    Ok(())
}

/// Every state and spike of one sample as text: tick, population, neuron, its states, spike.
///
/// # Errors
/// If the sample does not fit.
pub fn trace(network: &Quantized, samples: &Samples, number: usize) -> miette::Result<String> {
    use std::fmt::Write as _;
    if number >= samples.len() {
        return Err(Error::NoSuchSample {
            asked: number,
            available: samples.len(),
        }
        .into());
    }
    let (_, trace) = Golden::new(network)?.trace(samples.get(number))?;
    let mut text = String::from("tick\tpopulation\tneuron\tspike\tstates\n");
    for (tick, populations) in trace.ticks.iter().enumerate() {
        for (p, found) in populations.iter().enumerate() {
            let population = &network.populations[p];
            for neuron in 0..population.n_neurons {
                let spikes = found.spikes.iter().filter(|&&s| s as usize == neuron);
                let _ = write!(
                    text,
                    "{tick}\t{}\t{}\t{}",
                    population.name,
                    population.file_index(neuron),
                    spikes.count()
                );
                for (state, values) in population.program.states.iter().zip(&found.states) {
                    let _ = write!(text, "\t{}={}", state.name, values[neuron]);
                }
                text.push('\n');
            }
        }
    }
    Ok(text)
}

fn sample(samples: &[Vec<u8>], number: usize) -> Result<&[u8], Error> {
    samples
        .get(number)
        .map(Vec::as_slice)
        .ok_or(Error::NoSuchSample {
            asked: number,
            available: samples.len(),
        })
}

/// The golden model's results, on all processors.
fn golden_outcomes(
    subject: Subject<'_>,
    samples: &Samples,
    margin: Option<i64>,
) -> miette::Result<Vec<Outcome>> {
    let network = subject.quantized;
    let samples = samples.to_bytes(network);
    let mut golden = Golden::new(network)?;
    for core in subject.mapped.iter().flat_map(|mapped| &mapped.cores) {
        for (id, _) in ways(core).filter(|(_, way)| *way == Way::Listed) {
            golden.store(id, &stored_weights(core, &network.projections[id.0]));
        }
    }
    Ok(spikeloom_ladder::Expected::of(&golden, &samples, margin)?.outcomes)
}

/// The projections into a core, each with the way to its weights.
fn ways(core: &Core) -> impl Iterator<Item = (ProjectionId, Way)> {
    core.projections
        .iter()
        .copied()
        .zip(core.ways.iter().copied())
}

/// Weights in the rows that a list has for each source.
fn stored_weights(core: &Core, projection: &Projection) -> Vec<u64> {
    let layout = core.layout();
    let mut in_row = vec![0; layout.n_rows];
    let n_neurons = projection.weights.len() / projection.n_pre.max(1);
    for neuron in 0..n_neurons {
        in_row[layout.position(neuron).0] += 1;
    }
    let listing = Listing::new(&projection.weights, projection.n_pre, &layout);
    let rows = listing
        .first
        .windows(2)
        .map(|pair| &listing.sum_rows[pair[0]..pair[1]]);
    rows.map(|rows| rows.iter().map(|&row| in_row[row]).sum())
        .collect()
}

/// Share of results that are the labels.
pub fn accuracy(classes: &[usize], labels: Option<&[usize]>) -> Option<f64> {
    let labels = labels?;
    let right = classes.iter().zip(labels).filter(|(a, b)| a == b).count();
    Some(right as f64 / classes.len().max(1) as f64)
}

fn summary(
    subject: Subject<'_>,
    engine: &'static str,
    data: &DataSet,
    outcomes: &[Outcome],
) -> miette::Result<Summary> {
    let n = outcomes.len().max(1) as f64;
    let mean = |value: &dyn Fn(&Outcome) -> u64| outcomes.iter().map(value).sum::<u64>() as f64 / n;
    let classes: Vec<usize> = outcomes.iter().map(|o| o.class).collect();
    let populations = subject.quantized.populations.iter().enumerate();
    let spikes = populations.map(|(p, population)| PopulationSpikes {
        population: population.name.clone(),
        spikes: mean(&|o| o.spikes[p]),
    });
    let projections = subject.quantized.projections.iter().enumerate();
    let operations = projections.map(|(number, p)| {
        let stored = mean(&|o| o.operations[number].stored);
        ProjectionOperations {
            projection: p.name.clone(),
            all: mean(&|o| o.operations[number].all),
            not_0: mean(&|o| o.operations[number].not_0),
            stored: subject.mapped.map(|_| stored),
        }
    });
    let operations: Vec<_> = operations.collect();
    let sum = |of: fn(&ProjectionOperations) -> Option<f64>| operations.iter().map(of).sum();
    let series = match subject.quantized.input.encoder {
        Encoder::Series => Some(series_score(
            subject.network,
            subject.quantized,
            subject.report,
            data,
        )?),
        _ => None,
    };
    Ok(Summary {
        engine,
        samples: outcomes.len() as u64,
        accuracy: accuracy(&classes, data.labels.as_deref()),
        early_exit: None,
        input_events: mean(&|o| o.input_events),
        spikes: spikes.collect(),
        synaptic_operations: mean(&|o| o.synaptic_operations),
        operations_not_0: mean(&|o| o.operations.iter().map(|own| own.not_0).sum()),
        operations_stored: subject.mapped.and_then(|_| sum(|own| own.stored)),
        operations,
        hardware: None,
        series,
        classes,
    })
}

/// Means of the circuit's counters, where none ran over; `outcomes` are the golden model's of the
/// same samples.
pub fn hardware(build: &Build, run: &DeviceRun, outcomes: &[Outcome]) -> Option<Hardware> {
    if run.outcomes.iter().any(|outcome| outcome.ran_over) {
        return None;
    }
    let n = run.outcomes.len().max(1) as f64;
    let cycles = run.outcomes.iter().map(|o| o.cycles).sum::<u64>() as f64 / n;
    let clock_hz = build.report.clock_hz;
    let cores = build
        .mapped
        .circuits()
        .iter()
        .enumerate()
        .map(|(c, circuit)| {
            let core = circuit[0];
            let sum = |value: &dyn Fn(&spikeloom_boards::CoreCounters) -> u64| {
                run.outcomes
                    .iter()
                    .map(|o| value(&o.counters[c]))
                    .sum::<u64>() as f64
            };
            let events = sum(&|k| k.events);
            let active = sum(&|k| k.active_cycles);
            let names: Vec<&str> = circuit
                .iter()
                .map(|core| build.quantized.populations[core.population.0].name.as_str())
                .collect();
            let operations = match circuit.len() {
                1 => events * synapses_of_an_event(build, core, outcomes),
                _ => {
                    let cores = circuit.iter();
                    cores.map(|core| operations_of(core, outcomes)).sum::<u64>() as f64
                }
            };
            CoreUse {
                population: names.join(", "),
                events: events / n,
                active_cycles: active / n,
                stalled_cycles: sum(&|k| k.stalled_cycles) / n,
                operations_per_lane_cycle: operations / (active * core.lanes as f64).max(1.0),
            }
        })
        .collect();
    Some(Hardware {
        clock_hz,
        cycles,
        most_cycles: run.outcomes.iter().map(|o| o.cycles).max().unwrap_or(0),
        latency_us: cycles * 1e6 / clock_hz.max(1) as f64,
        cores,
    })
}

/// Operations of a core that are worth something: none of a weight of 0 that a list leaves out, or has
/// only because others share its row.
fn operations_of(core: &Core, outcomes: &[Outcome]) -> u64 {
    let of_sample = |o: &Outcome| {
        let operations = ways(core).map(|(id, way)| match way {
            Way::Listed => o.operations[id.0].not_0,
            Way::Dense | Way::Plane => o.operations[id.0].all,
        });
        operations.sum::<u64>()
    };
    outcomes.iter().map(of_sample).sum()
}

/// Mean number of synapses that an event visits in a core.
fn synapses_of_an_event(build: &Build, core: &Core, outcomes: &[Outcome]) -> f64 {
    if core.is_dense() {
        return build.quantized.populations[core.population.0].n_neurons as f64;
    }
    let sum = |value: &dyn Fn(&Outcome) -> u64| outcomes.iter().map(value).sum::<u64>() as f64;
    let sent = core.incoming(&build.quantized).map(|(p, _)| {
        sum(&|o| match p.source {
            Source::Input => o.input_events,
            Source::Population(id) => o.spikes[id.0],
        })
    });
    operations_of(core, outcomes) as f64 / sent.sum::<f64>().max(1.0)
}
