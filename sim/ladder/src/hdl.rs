//! The circuit in rust-hdl's own simulator: slow, so only a few samples and ticks.

use std::time::Duration;

use spikeloom_boards::{
    ClientConfig, CycleRun, CycleTransport, Session, TransportError, unpack_states,
};
use spikeloom_golden::Sample;
use spikeloom_hdl::{DeviceConfig, DeviceSimulation, TraceRecord};

use crate::compare::{Case, NeuronRecord, compare_outcome, compare_records};
use crate::error::Error;
use crate::rung::{Report, Rung, Verdict};

/// Compares every state and spike of every tick of a few samples.
///
/// # Errors
/// Where the circuit cannot be built or does not answer.
pub fn check_hdl(case: Case<'_>, cfg: &DeviceConfig, samples: &[Vec<u8>]) -> Result<Report, Error> {
    let mut simulation = DeviceSimulation::new(cfg)?;
    let traces = std::cell::RefCell::new(Vec::<TraceRecord>::new());
    let clock_hz = u32::try_from(case.mapped.limits.clock_hz.0).unwrap_or(u32::MAX);
    let transport = CycleTransport::new(clock_hz, |input: &[u8], want, max_cycles| {
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
    });
    let timeout = Duration::from_secs(2);
    let mut session = Session::open(
        transport,
        ClientConfig::default(),
        case.layout.clone(),
        timeout,
    )?;
    session.load_weights()?;
    let mut golden = case.golden()?;
    let (mut values, mut compared) = (0, 0);
    for (number, sample) in (0u64..).zip(samples) {
        traces.borrow_mut().clear();
        let outcome = session.run(sample)?;
        let mut found: Vec<Vec<NeuronRecord>> = vec![Vec::new(); case.mapped.cores.len()];
        for r in traces.borrow().iter() {
            let states = unpack_states(r.states, &case.layout.cores[r.stage].state_bits);
            found[r.stage].push(NeuronRecord {
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
                    values,
                    verdict,
                });
            }
        }
    }
    Ok(Report {
        rung: Rung::Hdl,
        samples: compared,
        values,
        verdict: Verdict::Equal,
    })
}
