//! Neurons in the parameters of NIR, for each semantics: the inverse of the formulas in `lower/`.
//!
//! Factors per tick become time constants in double precision, in which each formula gives the
//! factor back but for the rounding that its framework does.

use spikeloom_ir::network::{
    Compare, Neuron, Population, Reset, ResetAt, Semantics, SentAt, Synapse, SynapseSeen,
};

use super::tensor;
use crate::nir::{CubaLi, CubaLif, If, Li, Lif, Primitive};
use crate::tensor::{Tensor, Values};

/// The tick that the file is written with, in seconds. Sinabs counts in ticks.
pub(super) fn dt(semantics: Semantics) -> f64 {
    match semantics {
        Semantics::SnnTorch | Semantics::Lava | Semantics::Nir => 1e-4,
        Semantics::Norse | Semantics::Rockpool | Semantics::Spyx | Semantics::Nengo => 1e-3,
        Semantics::Sinabs => 1.0,
    }
}

/// The same, where it is not what the reader assumes.
pub(super) fn dt_to_tell(semantics: Semantics) -> Option<f64> {
    let is_assumed = matches!(
        semantics,
        Semantics::SnnTorch | Semantics::Lava | Semantics::Sinabs
    );
    (!is_assumed).then(|| dt(semantics))
}

/// One value a neuron.
fn vector(shape: &[usize], values: Values) -> Tensor {
    tensor(shape.to_vec(), values)
}

/// Whether no neuron leaks.
pub(super) fn is_without_leak(neuron: &Neuron) -> bool {
    neuron.decay_mem.iter().all(|&decay| decay == 1.0)
}

/// Whether a population is a `Threshold`, alone or behind an integrator: it fires above its
/// threshold in the tick of the crossing, and nothing else happens.
pub(super) fn is_compared(population: &Population) -> bool {
    let neuron = &population.neuron;
    neuron.v_min.is_none()
        && neuron.firing.as_ref().is_some_and(|firing| {
            firing.reset == Reset::None
                && firing.reset_at == ResetAt::SameTick
                && firing.compare == Compare::Greater
                && firing.refractory_ticks == 0
                && !firing.multi_spike
                && firing.sent_at == SentAt::SameTick
                && firing.adaptation.is_none()
        })
}

/// The nodes of a population: what fires, and the integrator in front of a `Threshold`.
pub(super) fn nodes(
    semantics: Semantics,
    population: &Population,
    shape: &[usize],
) -> Result<(Primitive, Option<Primitive>), String> {
    let neuron = &population.neuron;
    let Some(firing) = neuron.firing.as_ref().filter(|_| is_compared(population)) else {
        return Ok((primitive(semantics, population, shape)?, None));
    };
    let threshold = vector(shape, Values::F32(firing.v_threshold.clone()));
    let threshold = Primitive::Threshold { threshold };
    let all = |values: &[f32], value: f32| values.iter().all(|v| v.to_bits() == value.to_bits());
    let remembers_nothing = neuron.synapse.is_none()
        && all(&neuron.decay_mem, 0.0)
        && all(&neuron.gain, 1.0)
        && all(&neuron.v_leak, 0.0)
        && all(&neuron.v_init, 0.0);
    if remembers_nothing {
        return Ok((threshold, None));
    }
    let integrator = Population {
        neuron: Neuron {
            firing: None,
            ..neuron.clone()
        },
        ..population.clone()
    };
    Ok((threshold, Some(primitive(semantics, &integrator, shape)?)))
}

/// The node of a population, which has that shape in the file.
fn primitive(
    semantics: Semantics,
    population: &Population,
    shape: &[usize],
) -> Result<Primitive, String> {
    let neuron = &population.neuron;
    let name = &population.name;
    start(semantics, population)?;
    let firing = neuron.firing.as_ref().map(|firing| {
        let v_reset = match firing.reset {
            Reset::ToValue => firing.v_reset.clone(),
            Reset::None | Reset::Subtract => vec![0.0; population.n_neurons()],
        };
        (
            vector(shape, Values::F32(firing.v_threshold.clone())),
            vector(shape, Values::F32(v_reset)),
        )
    });
    let has_no_integrator = matches!(semantics, Semantics::SnnTorch | Semantics::Rockpool);
    if is_without_leak(neuron) && !has_no_integrator {
        if neuron.synapse.is_some() {
            return Err(format!(
                "population `{name}` has a synaptic current and no leak, for which NIR has no node"
            ));
        }
        let unit = match semantics {
            Semantics::Nir => dt(semantics),
            _ => 1.0,
        };
        let r = neuron.gain.iter().map(|&gain| f64::from(gain) / unit);
        let r = vector(shape, Values::F64(r.collect()));
        return Ok(match firing {
            Some((v_threshold, v_reset)) => Primitive::If(If {
                r,
                v_threshold,
                v_reset,
            }),
            None => Primitive::I { r },
        });
    }
    if neuron.decay_mem.contains(&1.0) {
        return Err(format!("population `{name}` has neurons without a leak"));
    }
    // Nengo's readout is a filter that passes on what came in a tick before.
    let is_filter = semantics == Semantics::Nengo && firing.is_none();
    if is_filter && !neuron.synapse.as_ref().is_some_and(passes_on) {
        return Err(format!(
            "population `{name}` reads its input out in the same tick"
        ));
    }
    let (tau, r) = membrane(semantics, population, shape);
    let v_leak = vector(shape, Values::F32(neuron.v_leak.clone()));
    let synapse = match &neuron.synapse {
        Some(synapse) if !is_filter => Some(current(semantics, population, synapse, shape)?),
        _ => None,
    };
    Ok(match (synapse, firing) {
        (None, None) => Primitive::Li(Li { tau, r, v_leak }),
        (None, Some((v_threshold, v_reset))) => Primitive::Lif(Lif {
            tau,
            r,
            v_leak,
            v_threshold,
            v_reset,
        }),
        (Some((tau_syn, w_in)), None) => Primitive::CubaLi(CubaLi {
            tau_syn,
            tau_mem: tau,
            r,
            v_leak,
            w_in,
        }),
        (Some((tau_syn, w_in)), Some((v_threshold, v_reset))) => Primitive::CubaLif(CubaLif {
            tau_syn,
            tau_mem: tau,
            r,
            v_leak,
            w_in,
            v_threshold,
            v_reset,
        }),
    })
}

/// Whether a current is only its input of the tick before.
fn passes_on(synapse: &Synapse) -> bool {
    synapse.seen == SynapseSeen::TickBefore
        && synapse.decay_syn.iter().all(|&decay| decay == 0.0)
        && synapse.gain_syn.iter().all(|&gain| gain == 1.0)
}

/// NIR does not say where a membrane starts; each semantics does.
fn start(semantics: Semantics, population: &Population) -> Result<(), String> {
    let neuron = &population.neuron;
    let starts_at_rest = matches!(semantics, Semantics::Norse | Semantics::Nir);
    let pairs = neuron.v_init.iter().zip(&neuron.v_leak);
    for ((&v_init, &v_leak), &decay) in pairs.zip(&neuron.decay_mem) {
        let start = if starts_at_rest && decay < 1.0 {
            v_leak
        } else {
            0.0
        };
        if v_init != start {
            return Err(format!(
                "population `{}` starts at {v_init} rather than {start}",
                population.name
            ));
        }
    }
    Ok(())
}

/// `tau` and `r` of a leaky membrane.
fn membrane(semantics: Semantics, population: &Population, shape: &[usize]) -> (Tensor, Tensor) {
    let neuron = &population.neuron;
    let dt = dt(semantics);
    let pairs: Vec<(f32, f32)> = neuron
        .decay_mem
        .iter()
        .copied()
        .zip(neuron.gain.iter().copied())
        .collect();
    let tau = |decay: f32| tau_of(semantics, dt, decay);
    let taus = || pairs.iter().map(|(decay, _)| tau(*decay)).collect();
    let double = |of: &dyn Fn(f32, f32) -> f64| {
        Values::F64(
            pairs
                .iter()
                .map(|(decay, gain)| of(*decay, *gain))
                .collect(),
        )
    };
    let single = |of: &dyn Fn(f32, f32) -> f32| {
        Values::F32(
            pairs
                .iter()
                .map(|(decay, gain)| of(*decay, *gain))
                .collect(),
        )
    };
    let is_readout = neuron.firing.is_none();
    let (tau, r) = match semantics {
        Semantics::SnnTorch | Semantics::Lava | Semantics::Nir => (
            taus(),
            double(&|decay, gain| f64::from(gain) * tau(decay) / dt),
        ),
        Semantics::Norse => {
            let pairs = pairs.iter().map(|(decay, gain)| {
                let (leak, r) = leak_and_factor(*decay, *gain);
                (dt / f64::from(leak), r)
            });
            let (tau, r): (Vec<f64>, Vec<f32>) = pairs.unzip();
            (tau, Values::F32(r))
        }
        Semantics::Sinabs => (taus(), single(&|_, gain| gain)),
        // A readout is a current, whose new input decays too.
        Semantics::Rockpool => (
            taus(),
            double(&|decay, gain| {
                let ratio = if is_readout {
                    quotient(gain, decay)
                } else {
                    gain
                };
                f64::from(ratio) * tau(decay) * (-dt / tau(decay)).exp() / dt
            }),
        ),
        Semantics::Spyx if is_readout => (taus(), single(&|_, gain| gain)),
        // The exporter writes the decay itself into `r`, and no factor on the input.
        Semantics::Spyx if neuron.gain.iter().all(|&gain| gain == 1.0) => {
            (taus(), single(&|decay, _| decay))
        }
        Semantics::Spyx => (taus(), single(&|decay, gain| quotient(gain, 1.0 - decay))),
        Semantics::Nengo => (
            taus(),
            double(&|decay, gain| f64::from(gain) / -(-dt / tau(decay)).exp_m1()),
        ),
    };
    (vector(shape, Values::F64(tau)), vector(shape, r))
}

/// `tau_syn` and `w_in` of a synaptic current.
fn current(
    semantics: Semantics,
    population: &Population,
    synapse: &Synapse,
    shape: &[usize],
) -> Result<(Tensor, Tensor), String> {
    let seen = match semantics {
        Semantics::Nir | Semantics::Nengo => SynapseSeen::TickBefore,
        _ => SynapseSeen::SameTick,
    };
    if synapse.seen != seen {
        return Err(format!(
            "the membrane of population `{}` sees its current {}",
            population.name,
            match synapse.seen {
                SynapseSeen::SameTick => "in the same tick",
                SynapseSeen::TickBefore => "one tick late",
            }
        ));
    }
    if synapse.decay_syn.contains(&1.0) {
        return Err(format!(
            "population `{}` has a synaptic current without decay",
            population.name
        ));
    }
    let dt = dt(semantics);
    // Nengo's currents decay as by forward Euler, unlike its membranes.
    let family = match semantics {
        Semantics::Nengo => Semantics::Nir,
        other => other,
    };
    let tau = |decay: f32| tau_of(family, dt, decay);
    let pairs = || synapse.decay_syn.iter().zip(&synapse.gain_syn);
    let taus = pairs().map(|(&decay, _)| tau(decay)).collect();
    let single = |of: &dyn Fn(f32, f32) -> f32| {
        Values::F32(pairs().map(|(decay, gain)| of(*decay, *gain)).collect())
    };
    let w_in = match semantics {
        Semantics::SnnTorch | Semantics::Lava | Semantics::Nir | Semantics::Nengo => {
            let w_in = pairs().map(|(&decay, &gain)| f64::from(gain) * tau(decay) / dt);
            Values::F64(w_in.collect())
        }
        Semantics::Norse => single(&|_, gain| gain),
        Semantics::Sinabs | Semantics::Rockpool => single(&|decay, gain| quotient(gain, decay)),
        Semantics::Spyx if synapse.gain_syn.iter().all(|&gain| gain == 1.0) => {
            single(&|_, gain| gain)
        }
        Semantics::Spyx => single(&|decay, gain| quotient(gain, 1.0 - decay)),
    };
    Ok((vector(shape, Values::F64(taus)), vector(shape, w_in)))
}

/// The time constant whose factor per tick is `decay`.
fn tau_of(semantics: Semantics, dt: f64, decay: f32) -> f64 {
    match semantics {
        // `1 - dt / tau` in double precision.
        Semantics::SnnTorch | Semantics::Lava | Semantics::Spyx => dt / (1.0 - f64::from(decay)),
        // `dt / tau` is rounded to single precision before it is taken from 1.
        Semantics::Norse | Semantics::Nir => dt / f64::from(leak_of(decay)),
        // `exp(-dt / tau)`.
        Semantics::Sinabs | Semantics::Rockpool | Semantics::Nengo => -dt / f64::from(decay).ln(),
    }
}

/// The single precision number that, taken from 1, gives `decay` or what is nearest to it.
fn leak_of(decay: f32) -> f32 {
    nearest(1.0 - decay, |leak| (1.0 - leak - decay).abs())
}

/// The single precision number that, times `factor`, gives `product` or what is nearest to it.
fn quotient(product: f32, factor: f32) -> f32 {
    nearest(product / factor, |x| (x * factor - product).abs())
}

/// A leak that gives `decay`, with a factor that, times the leak, gives `product`.
///
/// Near 1, many leaks give the same decay; not each of them has such a factor.
fn leak_and_factor(decay: f32, product: f32) -> (f32, f32) {
    /// As many leaks as there are below a decay of 0.9995.
    const MOST: usize = 1024;
    let start = leak_of(decay);
    let gives = |leak: &f32| *leak > 0.0 && 1.0 - *leak == decay;
    let below = std::iter::successors(Some(start), |leak| Some(leak.next_down()));
    let above = std::iter::successors(Some(start), |leak| Some(leak.next_up()));
    let below = below.take_while(gives).take(MOST);
    let above = above.take_while(gives).take(MOST);
    below
        .chain(above)
        .map(|leak| (leak, quotient(product, leak)))
        .find(|(leak, factor)| leak * factor == product)
        .unwrap_or_else(|| (start, quotient(product, start)))
}

/// Of a number and its neighbours, the one with the least error.
fn nearest(start: f32, error: impl Fn(f32) -> f32) -> f32 {
    let mut best = start;
    for candidate in [start.next_down(), start.next_up()] {
        if error(candidate) < error(best) {
            best = candidate;
        }
    }
    best
}
