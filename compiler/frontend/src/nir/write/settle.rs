//! What the neurons of a file have no fields for: it is the same for all, or named for single
//! nodes, in the settings that stand beside the graph.

use std::collections::BTreeMap;

use spikeloom_ir::network::{
    Compare, Firing, Network, Population, Projection, Reset, ResetAt, Semantics, SentAt, Source,
};

use super::parameters;
use crate::choice::{Choice, LowerLimit, ResetChoice, SpikesPerTick};
use crate::project::ProjectFile;

/// Settles all of it for one semantics, or says why that cannot be. `names[n]` is the node of
/// population `n`.
pub(super) fn settle(
    semantics: Semantics,
    network: &Network,
    names: &[String],
    settings: &mut ProjectFile,
) -> Result<(), String> {
    for (at, population) in network.populations.iter().enumerate() {
        // All of a `Threshold` is in its node.
        if parameters::is_compared(population) {
            continue;
        }
        lower_limit(semantics, population, &names[at], settings)?;
        let Some(firing) = &population.neuron.firing else {
            continue;
        };
        let name = &population.name;
        if firing.refractory_ticks > 0 {
            return Err(format!(
                "population `{name}` has a refractory period, which NIR has not"
            ));
        }
        if firing.adaptation.is_some() {
            return Err(format!(
                "population `{name}` has an adaptive threshold, which NIR has not"
            ));
        }
        let compare = match semantics {
            Semantics::Sinabs | Semantics::Rockpool => Compare::GreaterOrEqual,
            _ => Compare::Greater,
        };
        if firing.compare != compare {
            return Err(format!(
                "population `{name}` is compared with its threshold by `{}`",
                firing.compare.name()
            ));
        }
        several_spikes(semantics, population, firing, &names[at], settings)?;
        sending(semantics, population, firing, settings)?;
        let feeds_itself =
            |p: &Projection| p.target.0 == at && p.source == Source::Population(p.target);
        let is_recurrent = network.projections.iter().any(feeds_itself);
        if let Some(is_late) = lateness(semantics, population, firing, is_recurrent)? {
            if settings.reset_delay.is_some_and(|known| known != is_late) {
                return Err(format!(
                    "population `{name}` is reset at another tick than the others"
                ));
            }
            settings.reset_delay = Some(is_late);
        }
        let choice = choice_of(firing);
        let is_known = match semantics {
            Semantics::Lava | Semantics::Nengo => choice == ResetChoice::Zero,
            Semantics::Rockpool | Semantics::Spyx => choice == ResetChoice::Subtract,
            Semantics::SnnTorch => choice != ResetChoice::Value,
            Semantics::Norse | Semantics::Sinabs | Semantics::Nir => true,
        };
        if !is_known {
            return Err(format!(
                "population `{name}` has the reset `{}`",
                choice.name()
            ));
        }
        spread(
            &mut settings.reset,
            &mut settings.resets,
            &names[at],
            choice,
        );
    }
    let leaks = |p: &Population| !parameters::is_without_leak(&p.neuron);
    if semantics == Semantics::Sinabs && network.populations.iter().any(leaks) {
        // The factor on the input stands in `r`.
        settings.norm_input = Some(false);
    }
    Ok(())
}

/// Says it for all, or where another was said for all, for one node.
fn spread<T: Copy + PartialEq>(
    all: &mut Option<T>,
    single: &mut BTreeMap<String, T>,
    name: &str,
    value: T,
) {
    match all {
        None => *all = Some(value),
        Some(known) if *known == value => {}
        Some(_) => {
            single.insert(name.to_owned(), value);
        }
    }
}

fn lower_limit(
    semantics: Semantics,
    population: &Population,
    name: &str,
    settings: &mut ProjectFile,
) -> Result<(), String> {
    let neuron = &population.neuron;
    let limit = match (&neuron.v_min, &neuron.firing) {
        (None, _) => LowerLimit::None,
        (Some(v_min), Some(firing))
            if v_min.iter().zip(&firing.v_threshold).all(|(v, t)| *v == -t) =>
        {
            LowerLimit::Threshold
        }
        (Some(v_min), _) => match v_min.split_first() {
            Some((first, rest)) if rest.iter().all(|v| v == first) => LowerLimit::Value(*first),
            _ => {
                return Err(format!(
                    "population `{}` has several lower limits",
                    population.name
                ));
            }
        },
    };
    let is_known = matches!(semantics, Semantics::Sinabs | Semantics::Nengo);
    if !is_known {
        return match limit {
            LowerLimit::None => Ok(()),
            _ => Err(format!(
                "population `{}` has a lower limit",
                population.name
            )),
        };
    }
    // What is said for all does not count for readouts, and not for Nengo's integrators.
    let is_silent = neuron.firing.is_none();
    let stands_alone =
        is_silent || semantics == Semantics::Nengo && parameters::is_without_leak(neuron);
    match limit {
        LowerLimit::None if stands_alone => {}
        limit if stands_alone => {
            settings.v_min_of.insert(name.to_owned(), limit);
        }
        limit => spread(&mut settings.v_min, &mut settings.v_min_of, name, limit),
    }
    Ok(())
}

fn several_spikes(
    semantics: Semantics,
    population: &Population,
    firing: &Firing,
    name: &str,
    settings: &mut ProjectFile,
) -> Result<(), String> {
    let spikes = match (semantics, firing.multi_spike) {
        (Semantics::Sinabs | Semantics::Rockpool, true) => SpikesPerTick::Multi,
        (Semantics::Sinabs | Semantics::Rockpool, false) => SpikesPerTick::Single,
        (_, false) => return Ok(()),
        (_, true) => {
            return Err(format!(
                "population `{}` fires several times a tick",
                population.name
            ));
        }
    };
    spread(&mut settings.spikes, &mut settings.spikes_of, name, spikes);
    Ok(())
}

fn sending(
    semantics: Semantics,
    population: &Population,
    firing: &Firing,
    settings: &mut ProjectFile,
) -> Result<(), String> {
    let is_late = firing.sent_at == SentAt::NextTick;
    let name = &population.name;
    match semantics {
        Semantics::Spyx if is_late => Ok(()),
        Semantics::Spyx => Err(format!(
            "the spikes of population `{name}` leave in the tick of the crossing"
        )),
        Semantics::Lava => {
            if settings.delay_shift.is_some_and(|known| known != is_late) {
                return Err(format!(
                    "the spikes of population `{name}` leave at another tick than the others'"
                ));
            }
            settings.delay_shift = Some(is_late);
            Ok(())
        }
        _ if is_late => Err(format!(
            "the spikes of population `{name}` leave one tick after the crossing"
        )),
        _ => Ok(()),
    }
}

fn choice_of(firing: &Firing) -> ResetChoice {
    match firing.reset {
        Reset::None => ResetChoice::None,
        Reset::Subtract => ResetChoice::Subtract,
        Reset::ToValue if firing.v_reset.iter().all(|&v| v == 0.0) => ResetChoice::Zero,
        Reset::ToValue => ResetChoice::Value,
    }
}

/// Whether the reset comes a tick late, where the semantics leave that open.
fn lateness(
    semantics: Semantics,
    population: &Population,
    firing: &Firing,
    is_recurrent: bool,
) -> Result<Option<bool>, String> {
    let name = &population.name;
    if firing.reset == Reset::None {
        return Ok(None);
    }
    let is_late = firing.reset_at != ResetAt::SameTick;
    let is_decayed = firing.reset_at == ResetAt::NextTickBeforeDecay;
    let has_synapse = population.neuron.synapse.is_some();
    let subtracts = firing.reset == Reset::Subtract;
    match semantics {
        Semantics::Spyx if !is_late => Err(format!(
            "population `{name}` is reset in the tick of the crossing"
        )),
        Semantics::Spyx if subtracts && is_decayed != has_synapse => Err(format!(
            "the subtraction of population `{name}` is {}",
            if is_decayed { "decayed" } else { "not decayed" }
        )),
        Semantics::Spyx => Ok(None),
        Semantics::SnnTorch => {
            if subtracts && is_decayed {
                return Err(format!("the subtraction of population `{name}` is decayed"));
            }
            // Where a membrane is set to a value, it matters whether the tick's input is lost.
            let is_lost = firing.reset_at == ResetAt::NextTickInputLost;
            if !subtracts && is_late && is_lost != (has_synapse || is_recurrent) {
                return Err(format!(
                    "population `{name}` {} the input of the tick in which it is reset",
                    if is_lost { "loses" } else { "keeps" }
                ));
            }
            Ok(Some(is_late))
        }
        _ if is_late => Err(format!(
            "population `{name}` is reset one tick after the spike"
        )),
        _ => Ok(None),
    }
}
