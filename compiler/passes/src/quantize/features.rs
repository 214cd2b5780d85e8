//! What the Network level has and no program does yet.

use spikeloom_ir::network::{self, Reset, ResetAt, SentAt, Source};

use crate::Error;
use crate::arrivals::Incoming;

/// Fails where a population has some of it; `held` says which projections bring a constant input.
pub(super) fn check_features(
    population: &network::Population,
    incoming: &[Incoming<'_>],
    held: impl Fn(&network::Projection) -> bool,
) -> Result<(), Error> {
    let name = &population.name;
    let refuse = |feature: String, advice| Err(Error::NoCircuit { feature, advice });
    let neuron = &population.neuron;
    if neuron.activation.is_some()
        && (neuron.synapse.is_some() || neuron.v_min.is_some() || neuron.firing.is_some())
    {
        return refuse(
            format!(
                "population {name}, which has an activation beside a synapse, limit or threshold,"
            ),
            "leave only the activation",
        );
    }
    let delayed = |p: &network::Projection| p.delay > 0 || p.channel_delays.is_some();
    if incoming.iter().any(|(_, p)| held(p) && delayed(p)) {
        return refuse(
            format!("the delay in front of population {name}, whose input is constant,"),
            "use `--encoding events`, or remove the delay: a constant input only begins later",
        );
    }
    let within_tick = |p: &network::Projection| match p.source {
        Source::Population(id) => id >= p.target && p.delay == 0,
        Source::Input => false,
    };
    if let Some((_, p)) = incoming.iter().find(|(_, p)| within_tick(p)) {
        return refuse(
            format!("projection {}, feedback within a tick,", p.name),
            "let another population be the output, and compile the weights `--frozen` if any learn",
        );
    }
    let Some(firing) = &population.neuron.firing else {
        return Ok(());
    };
    let divides = firing.reset == Reset::Subtract
        && firing.reset_at == ResetAt::SameTick
        && firing.sent_at == SentAt::SameTick
        && firing.compare == network::Compare::GreaterOrEqual
        && firing.refractory_ticks == 0;
    if firing.multi_spike && !divides {
        return refuse(
            format!(
                "population {name}, which fires several times in a tick without `v >= v_threshold` and a subtraction in the same tick,"
            ),
            "give `--spikes single` if the network was trained so",
        );
    }
    if firing.multi_spike && firing.adaptation.is_some() {
        return refuse(
            format!(
                "population {name}, which fires several times in a tick over an adaptive threshold,"
            ),
            "give it one of the two",
        );
    }
    Ok(())
}

/// Whether units with an activation can shift sums of that unit to theirs.
fn is_power_of_two(unit: f64) -> bool {
    unit > 0.0 && unit.log2().fract() == 0.0
}

/// What a weight of 1 stands for, in the unit of the first source, `unit`, where a projection
/// learns: its step, which all of the population's neurons then have.
pub(super) fn common_step(
    population: &network::Population,
    incoming: &[Incoming<'_>],
    factors: &[f64],
    unit: f64,
    hold: bool,
) -> Result<Option<f64>, Error> {
    let steps = incoming.iter().zip(factors).filter_map(|((_, p), factor)| {
        let learning = p.learning.as_ref()?;
        Some(f64::from(learning.step) * factor)
    });
    let steps: Vec<f64> = steps.collect();
    let Some(&first) = steps.first() else {
        return Ok(None);
    };
    let name = &population.name;
    if steps.iter().any(|step| *step != first) {
        return Err(Error::Steps {
            population: name.clone(),
        });
    }
    if hold {
        return Err(Error::NoCircuit {
            feature: format!(
                "a plastic projection into population {name}, which has a constant input,"
            ),
            advice: "let it learn into a population without one",
        });
    }
    if population.neuron.activation.is_some() && !is_power_of_two(first * unit) {
        return Err(Error::NoCircuit {
            feature: format!(
                "a plastic projection into population {name}, which has an activation, with that `step`,"
            ),
            advice: "give a `step` that is a power of two, such as 0.0009765625, and likewise the input's `scale`",
        });
    }
    for (_, p) in incoming.iter().filter(|(_, p)| p.learning.is_some()) {
        let dense = p.connectivity == spikeloom_ir::geometry::Connectivity::Dense;
        if !dense || !p.pooling.is_empty() || p.channel_delays.is_some() {
            return Err(Error::NoCircuit {
                feature: format!("projection {}, which learns and is not dense,", p.name),
                advice: "let a dense projection learn, without `pool`, `convolve` and `channel_delays`",
            });
        }
    }
    Ok(Some(first))
}
