//! Whatever runs in Verilator and speaks the host link: the device, the top, netlists, bitstreams.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use spikeloom_boards::{
    ClientConfig, Device, DeviceOutcome, Session, Transport, TransportError, unpack_states,
};
use spikeloom_cosim::{
    Initial, Instance, Model, Probe, Setup, StreamPorts, Transport as Ports, UartPorts,
};
use spikeloom_golden::{PopulationTrace, Sample};

use crate::compare::{Case, Divergence, Expected, NeuronRecord, compare_outcome, compare_records};
use crate::error::Error;
use crate::rung::{Report, Rung, Verdict};

/// How bytes get into a design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Through the byte stream of a device without pins; its trace ports are recorded on request.
    Stream,
    /// Through serial lines with so many clock cycles a bit.
    Uart {
        /// Clock cycles a bit.
        cycles_per_bit: u32,
    },
}

/// A design in Verilator as something the host link can talk to.
pub struct Simulated {
    model: Model,
    setup: Setup,
    instance: Instance,
    clock_hz: u64,
    to_send: Vec<u8>,
    /// Before the last reset.
    earlier_cycles: u64,
}

const NANOSECONDS: u128 = 1_000_000_000;

impl Simulated {
    /// A design at power-up, with a clock that would run at `clock_hz`. `seed` sets what memories
    /// and registers without a power-up value hold.
    ///
    /// # Errors
    /// If the design lacks the ports for that access, or a memory image.
    pub fn new(model: &Model, clock_hz: u64, access: Access, seed: u64) -> Result<Self, Error> {
        let transport = match access {
            Access::Stream => Ports::Stream(StreamPorts::default()),
            Access::Uart { cycles_per_bit } => Ports::Uart(UartPorts::new(cycles_per_bit)),
        };
        let setup = Setup {
            reset: None,
            initial: Initial::Random { seed },
            transport: Some(transport),
            ..Setup::default()
        };
        Ok(Self {
            model: model.clone(),
            instance: Instance::new(model, &setup)?,
            setup,
            clock_hz: clock_hz.max(1),
            to_send: Vec::new(),
            earlier_cycles: 0,
        })
    }

    /// Lets the design run, with nothing to say to it; what it says is lost.
    ///
    /// # Errors
    /// If the simulation fails.
    pub fn run_for(&mut self, time: Duration) -> Result<(), TransportError> {
        self.read(&mut Vec::new(), usize::MAX, time).map(drop)
    }

    /// The simulation itself, for probes and waves.
    pub fn instance_mut(&mut self) -> &mut Instance {
        &mut self.instance
    }
}

impl Transport for Simulated {
    fn write(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        self.to_send.extend(bytes);
        Ok(())
    }

    fn read(
        &mut self,
        buffer: &mut Vec<u8>,
        want: usize,
        patience: Duration,
    ) -> Result<usize, TransportError> {
        let cycles = (patience.as_nanos() * u128::from(self.clock_hz)).div_ceil(NANOSECONDS);
        let cycles = u64::try_from(cycles).unwrap_or(u64::MAX);
        let input = std::mem::take(&mut self.to_send);
        let run = self.instance.run_bytes(&input, want, cycles).map_err(|e| {
            TransportError::Simulation {
                message: e.to_string(),
            }
        })?;
        buffer.extend(&run.output);
        Ok(run.output.len())
    }

    fn now(&self) -> Duration {
        let cycles = u128::from(self.earlier_cycles + self.instance.cycle());
        let nanoseconds = cycles * NANOSECONDS / u128::from(self.clock_hz);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

impl Device for Simulated {
    fn backlog(&self) -> usize {
        let waiting = usize::try_from(self.instance.input_waiting()).unwrap_or(usize::MAX);
        waiting.saturating_add(self.to_send.len())
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        let failed = |error: spikeloom_cosim::Error| TransportError::Simulation {
            message: error.to_string(),
        };
        self.earlier_cycles += self.instance.cycle();
        if let Initial::Random { seed } = &mut self.setup.initial {
            *seed = seed.wrapping_add(1);
        }
        self.instance = Instance::new(&self.model, &self.setup).map_err(failed)?;
        self.to_send.clear();
        Ok(())
    }
}

/// Longest time that one sample may take, in the design's own time.
const RUN_TIMEOUT: Duration = Duration::from_secs(2);

/// Starts a design, checks its identity and loads its weights; on its pins, one that loads them from the
/// board's flash has to have them from there.
///
/// `seed` sets what memories and registers without a power-up value hold. `traced` records the
/// device's trace ports.
///
/// # Errors
/// If the design does not answer, or holds another network.
pub fn open(
    model: &Model,
    case: Case<'_>,
    access: Access,
    seed: u64,
    traced: bool,
) -> Result<Session<Simulated>, Error> {
    let clock_hz = case.mapped.limits.clock_hz.0;
    let cfg = match access {
        Access::Stream => ClientConfig::default(),
        Access::Uart { cycles_per_bit } => {
            let baud =
                u32::try_from(clock_hz / u64::from(cycles_per_bit.max(1))).unwrap_or(u32::MAX);
            ClientConfig::for_baud(baud)
        }
    };
    let mut simulated = Simulated::new(model, clock_hz, access, seed)?;
    if traced {
        let probes: Vec<Probe> = (0..case.mapped.cores.len())
            .map(|stage| {
                let port = |name: &str| format!("trace_{name}_{stage}");
                Probe {
                    valid: Some(port("valid")),
                    data: vec![port("index"), port("spikes"), port("word")],
                }
            })
            .collect();
        simulated.instance.set_probes(&probes)?;
    }
    let flash = match access {
        Access::Stream => None,
        Access::Uart { .. } => case.layout.flash,
    };
    if let Some(flash) = flash {
        simulated
            .run_for(flash.load_time)
            .map_err(spikeloom_boards::Error::from)?;
    }
    let mut session = Session::open(simulated, cfg, case.layout.clone(), RUN_TIMEOUT)?;
    match flash {
        Some(_) => session.check_flash()?,
        None => {
            session.load_weights()?;
        }
    }
    Ok(session)
}

/// What a set of samples did on a device.
#[derive(Debug, Clone, Default)]
pub struct DeviceRun {
    /// One outcome a sample.
    pub outcomes: Vec<DeviceOutcome>,
}

/// Samples to be compared.
#[derive(Debug, Clone, Copy)]
pub struct Workload<'a> {
    /// One byte a channel.
    pub samples: &'a [Vec<u8>],
    /// What the golden model says of each.
    pub expected: &'a Expected,
    /// Of so many samples from the first, all final states are read and compared too.
    pub with_states: usize,
}

/// Runs samples on as many copies of a design as there are processors, and compares each outcome.
///
/// `done` is called with the number of finished samples. Where an outcome differs, the sample is
/// run again with fewer ticks and its states are read, until the first different one is found.
///
/// # Errors
/// Where the design cannot be simulated at all.
pub fn check_outcomes(
    rung: Rung,
    model: &Model,
    case: Case<'_>,
    access: Access,
    work: Workload<'_>,
    done: &(dyn Fn(u64) + Sync),
) -> Result<(Report, DeviceRun), Error> {
    let Workload {
        samples, expected, ..
    } = work;
    let threads = std::thread::available_parallelism()
        .map_or(1, |n| n.get())
        .min(samples.len().max(1));
    let share = samples.len().div_ceil(threads).max(1);
    let finished = AtomicU64::new(0);
    let parts: Vec<Result<Part, Error>> = std::thread::scope(|scope| {
        let workers: Vec<_> = samples
            .chunks(share)
            .zip(expected.outcomes.chunks(share))
            .enumerate()
            .map(|(part, (samples, expected))| {
                let finished = &finished;
                // Netlists need more stack than a thread has by default.
                std::thread::Builder::new()
                    .stack_size(64 << 20)
                    .spawn_scoped(scope, move || {
                        let mut session = open(model, case, access, 1 + part as u64, false)?;
                        let mut outcomes = Vec::with_capacity(samples.len());
                        let mut values = 0;
                        for (k, (sample, expected)) in samples.iter().zip(expected).enumerate() {
                            session.set_ticks(u16::try_from(expected.ticks).unwrap_or(u16::MAX))?;
                            let outcome = session.run(sample)?;
                            let number = (part * share + k) as u64;
                            let mut checked = compare_outcome(number, expected, &outcome);
                            if part * share + k < work.with_states && checked.is_ok() {
                                let states = final_states(&mut session, case, number, sample)?;
                                checked = checked.and_then(|n| Ok(n + states?));
                            }
                            match checked {
                                Ok(n) => values += n,
                                Err(seen) => {
                                    let first = locate(&mut session, case, number, sample)?;
                                    return Ok((outcomes, values, Some(first.unwrap_or(seen))));
                                }
                            }
                            outcomes.push(outcome);
                            done(finished.fetch_add(1, Ordering::Relaxed) + 1);
                        }
                        Ok((outcomes, values, None))
                    })
                    .expect("the operating system starts a thread")
            })
            .collect();
        workers
            .into_iter()
            .map(|w| w.join().expect("the simulation does not panic"))
            .collect()
    });
    let mut run = DeviceRun::default();
    let mut values = 0;
    let mut verdict = Verdict::Equal;
    let mut samples_compared = 0;
    for part in parts {
        let (outcomes, n, divergence) = part?;
        samples_compared += outcomes.len() as u64;
        run.outcomes.extend(outcomes);
        values += n;
        if let (Some(d), Verdict::Equal) = (divergence, &verdict) {
            verdict = Verdict::Different(d);
            samples_compared += 1;
        }
    }
    Ok((
        Report {
            rung,
            samples: samples_compared,
            learnt: 0,
            values,
            verdict,
        },
        run,
    ))
}

/// A share of the samples: outcomes, values compared, and the first that differs.
type Part = (Vec<DeviceOutcome>, u64, Option<Divergence>);

/// Compares all states after a sample's last tick.
pub(crate) fn final_states<T: Transport>(
    session: &mut Session<T>,
    case: Case<'_>,
    number: u64,
    sample: &[u8],
) -> Result<Result<u64, Divergence>, Error> {
    let (_, trace) = case.golden()?.trace(Sample::Values(sample))?;
    let Some((tick, populations)) = (0u32..).zip(&trace.ticks).last() else {
        return Ok(Ok(0));
    };
    compare_states(session, case, number, tick, populations)
}

/// Compares all states that a device holds with those of a tick.
fn compare_states<T: Transport>(
    session: &mut Session<T>,
    case: Case<'_>,
    sample: u64,
    tick: u32,
    expected: &[PopulationTrace],
) -> Result<Result<u64, Divergence>, Error> {
    let mut values = 0;
    for (core, expected) in expected.iter().enumerate() {
        let population = &case.network.populations[core];
        for (k, states) in session.states(core)?.iter().enumerate() {
            for (neuron, (&e, &f)) in expected.states[k].iter().zip(states).enumerate() {
                if e != f {
                    return Ok(Err(Divergence {
                        sample,
                        tick: Some(tick),
                        population: population.name.clone(),
                        neuron: population.file_index(neuron) as u64,
                        variable: population.program.states[k].name.clone(),
                        expected: e,
                        found: f,
                    }));
                }
                values += 1;
            }
        }
    }
    Ok(Ok(values))
}

/// Finds the first state that differs by running the sample tick by tick.
pub(crate) fn locate<T: Transport>(
    session: &mut Session<T>,
    case: Case<'_>,
    number: u64,
    sample: &[u8],
) -> Result<Option<Divergence>, Error> {
    let (_, trace) = case.golden()?.trace(Sample::Values(sample))?;
    let mut found = None;
    for (tick, populations) in (0u32..).zip(&trace.ticks) {
        match session.layout().tick_bytes {
            Some(bytes) => session.run(&sample[..bytes * (tick as usize + 1)])?,
            None => {
                session.set_ticks(u16::try_from(tick + 1).unwrap_or(u16::MAX))?;
                session.run(sample)?
            }
        };
        if let Err(first) = compare_states(session, case, number, tick, populations)? {
            found = Some(first);
            break;
        }
    }
    session.set_ticks(session.layout().n_ticks)?;
    Ok(found)
}

/// Compares every state and spike of every tick, for a device with trace ports.
///
/// The device is given `sent`, the golden model `samples`: the same, unless an event is to be lost.
///
/// # Errors
/// Where the design cannot be simulated at all.
pub fn check_traces(
    rung: Rung,
    model: &Model,
    case: Case<'_>,
    samples: &[Vec<u8>],
    sent: &[Vec<u8>],
) -> Result<Report, Error> {
    let mut session = open(model, case, Access::Stream, 7, true)?;
    let mut golden = case.golden()?;
    let mut values = 0;
    let mut compared = 0;
    for (number, (sample, sent)) in (0u64..).zip(samples.iter().zip(sent)) {
        session.transport_mut().instance_mut().take_records();
        let outcome = session.run(sent)?;
        let records = session.transport_mut().instance_mut().take_records();
        let mut found: Vec<Vec<NeuronRecord>> = vec![Vec::new(); case.mapped.cores.len()];
        for r in records.iter() {
            if let &[neuron, spike, word] = r.data {
                let states = unpack_states(word, &case.layout.cores[r.probe].state_bits);
                found[r.probe].push(NeuronRecord {
                    neuron,
                    spikes: spike,
                    states,
                });
            }
        }
        let (expected, trace) = golden.trace(Sample::Values(sample))?;
        let checked = compare_records(case, number, &trace, &found)
            .and_then(|n| Ok(n + compare_outcome(number, &expected, &outcome)?));
        compared += 1;
        match checked {
            Ok(n) => values += n,
            Err(d) => {
                let verdict = Verdict::Different(d);
                return Ok(Report {
                    rung,
                    samples: compared,
                    learnt: 0,
                    values,
                    verdict,
                });
            }
        }
    }
    Ok(Report {
        rung,
        samples: compared,
        learnt: 0,
        values,
        verdict: Verdict::Equal,
    })
}

/// Runs one sample with a wave file open.
///
/// # Errors
/// Where the design cannot be simulated, or the file cannot be written.
pub fn wave(
    model: &Model,
    case: Case<'_>,
    sample: &[u8],
    path: &Path,
) -> Result<DeviceOutcome, Error> {
    let mut session = open(model, case, Access::Stream, 1, false)?;
    session.transport_mut().instance_mut().open_wave(path)?;
    let outcome = session.run(sample)?;
    session.transport_mut().instance_mut().close_wave()?;
    Ok(outcome)
}
