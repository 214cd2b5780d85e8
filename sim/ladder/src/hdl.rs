//! The circuit in rust-hdl's own simulator: slow, so only a few samples and ticks.

use std::cell::RefCell;
use std::time::Duration;

use spikeloom_boards::{
    ClientConfig, CycleRun, CycleTransport, Session, TransportError, unpack_states,
};
use spikeloom_golden::Sample;
use spikeloom_hdl::{DeviceConfig, DeviceSimulation, TraceRecord};

use crate::compare::{Case, NeuronRecord, compare_outcome, compare_records};
use crate::error::Error;
use crate::rung::{Report, Rung, Verdict};

/// A session with a circuit in rust-hdl's simulator.
pub(crate) type HdlSession<'a> = Session<CycleTransport<Clocked<'a>>>;

/// Clocks a circuit: bytes in, bytes wanted, most cycles.
type Clocked<'a> = &'a mut dyn FnMut(&[u8], usize, u64) -> Result<CycleRun, TransportError>;

/// What trace ports said.
type Traces = RefCell<Vec<TraceRecord>>;

/// Opens a session with a circuit, and says what its trace ports said since.
pub(crate) fn with_session<R>(
    case: Case<'_>,
    cfg: &DeviceConfig,
    work: impl FnOnce(&mut HdlSession<'_>, &Traces) -> Result<R, Error>,
) -> Result<R, Error> {
    let mut simulation = DeviceSimulation::new(cfg)?;
    let traces = Traces::default();
    let clock_hz = u32::try_from(case.mapped.limits.clock_hz.0).unwrap_or(u32::MAX);
    let mut clocked = |input: &[u8], want: usize, max_cycles: u64| {
        let before = simulation.cycle();
        let output =
            simulation
                .run(input, want, max_cycles)
                .map_err(|e| TransportError::Simulation {
                    message: e.to_string(),
                })?;
        traces.borrow_mut().extend(simulation.take_trace());
        Ok(CycleRun {
            output,
            cycles: simulation.cycle() - before,
        })
    };
    let clocked: Clocked<'_> = &mut clocked;
    let mut session = Session::open(
        CycleTransport::new(clock_hz, clocked),
        ClientConfig::default(),
        case.layout.clone(),
        Duration::from_secs(2),
    )?;
    session.load_weights()?;
    work(&mut session, &traces)
}

/// Compares every state and spike of every tick of a few samples.
///
/// # Errors
/// Where the circuit cannot be built or does not answer.
pub fn check_hdl(case: Case<'_>, cfg: &DeviceConfig, samples: &[Vec<u8>]) -> Result<Report, Error> {
    with_session(case, cfg, |session, traces| {
        compare_all(session, traces, case, samples)
    })
}

fn compare_all(
    session: &mut HdlSession<'_>,
    traces: &Traces,
    case: Case<'_>,
    samples: &[Vec<u8>],
) -> Result<Report, Error> {
    let mut golden = case.golden()?;
    let (mut values, mut compared) = (0, 0);
    for (number, sample) in (0u64..).zip(samples) {
        traces.borrow_mut().clear();
        let outcome = session.run(sample)?;
        let mut found: Vec<Vec<NeuronRecord>> = vec![Vec::new(); case.mapped.cores.len()];
        for r in traces.borrow().iter() {
            let states = unpack_states(r.states, &case.layout.cores[r.population].state_bits);
            found[r.population].push(NeuronRecord {
                neuron: r.neuron,
                spikes: r.spikes,
                states,
            });
        }
        let (expected, trace) = golden.trace(Sample::Values(sample))?;
        compared += 1;
        let checked = compare_records(case, number, &trace, &found)
            .and_then(|n| Ok(n + compare_outcome(number, &expected, &outcome)?));
        match checked {
            Ok(n) => values += n,
            Err(d) => {
                let verdict = Verdict::Different(d);
                return Ok(Report {
                    rung: Rung::Hdl,
                    samples: compared,
                    learnt: 0,
                    values,
                    verdict,
                });
            }
        }
    }
    Ok(Report {
        rung: Rung::Hdl,
        samples: compared,
        learnt: 0,
        values,
        verdict: Verdict::Equal,
    })
}
