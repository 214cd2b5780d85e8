//! One population by itself, with everything that it is sent given.

use spikeloom_ir::PopulationId;

use super::{Golden, PopulationTrace, Sample, SampleError, states};

impl Golden {
    /// Runs one population on one sample from the reset state; no other runs. `sent` holds, as
    /// `[tick][population]`, the neurons that send an event in a tick, in place of those that would
    /// fire: of the populations before it, and of the population itself where it is recurrent. So
    /// its neurons do not depend on each other.
    ///
    /// Ticks and populations that `sent` lacks are silent, and so are graded ones: only spikes can
    /// be given. The result is `[tick]`, without payloads.
    ///
    /// # Errors
    /// As [`Golden::run`].
    pub fn run_alone(
        &mut self,
        population: PopulationId,
        sample: Sample<'_>,
        sent: &[Vec<Vec<u32>>],
    ) -> Result<Vec<PopulationTrace>, SampleError> {
        let p = population.0;
        let (ticks, mut outcome) = self.start(sample)?;
        let depth = self.history.len();
        let mut trace = Vec::with_capacity(ticks);
        let mut fired = Vec::new();
        for tick in 0..ticks {
            let now = tick % depth;
            self.encode(sample, tick, now, &mut outcome);
            for (at, events) in self.history[now].iter_mut().enumerate() {
                events.clear();
                // What it sends to itself is given too, but arrives later.
                if let Some(given) = sent.get(tick).and_then(|s| s.get(at)) {
                    events.extend(given);
                }
            }
            self.accumulate_events(p, tick, &mut outcome);
            fired.clear();
            self.tick(p, &mut fired);
            trace.push(PopulationTrace {
                states: states(&self.engines[p]),
                spikes: fired.clone(),
                payloads: Vec::new(),
            });
        }
        Ok(trace)
    }
}
