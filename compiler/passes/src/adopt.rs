//! A network in the circuit of another: the same operations, in widths that are there already.
//!
//! New weights change ranges, and with them the widths that quantising proves. A circuit serves them
//! as long as none is wider than what it has. Then the network takes on the circuit's widths, which
//! changes none of its values: a proof for a width holds for any larger one. Only where a width is
//! part of what is computed, as that of a saturation is, it has to be the same.

use std::collections::BTreeSet;

use spikeloom_fixed::BitWidth;
use spikeloom_ir::program::{Init, Op, Parameter, Program};
use spikeloom_ir::quantized::Population;
use spikeloom_ir::{Mapped, Quantized};

use crate::Error;

/// Gives `network` the widths of `circuit`.
///
/// # Errors
/// If it computes anything else than other weights and parameters, or needs a wider value; all
/// differences are listed.
pub fn adopt(network: &Quantized, circuit: &Quantized) -> Result<Quantized, Error> {
    let mut found = Differences::default();
    let mut adopted = network.clone();
    let outer = [
        ("ticks", network.ticks == circuit.ticks),
        ("phases", network.phases == circuit.phases),
        ("input", network.input == circuit.input),
        ("output", network.output == circuit.output),
        ("decoder", network.decoder == circuit.decoder),
        (
            "number of populations",
            network.populations.len() == circuit.populations.len(),
        ),
        (
            "number of projections",
            network.projections.len() == circuit.projections.len(),
        ),
    ];
    for (what, same) in outer {
        found.unless(same, || format!("the {what} differs"));
    }
    let populations = adopted.populations.iter_mut().zip(&circuit.populations);
    for (own, other) in populations {
        adopt_population(own, other, &mut found);
    }
    for (own, other) in adopted.projections.iter_mut().zip(&circuit.projections) {
        let name = &other.name;
        found.unless(own.name == *name, || {
            format!("projection {name} is called {}", own.name)
        });
        found.unless(own.weights.len() == other.weights.len(), || {
            let (n, room) = (own.weights.len(), other.weights.len());
            format!("projection {name} has {n} weights, not {room}")
        });
        found.unless(own.plasticity == other.plasticity, || {
            format!("projection {name} learns in another way")
        });
        found.unless(own.spike_shift == other.spike_shift, || {
            let (own, other) = (1u64 << own.spike_shift, 1u64 << other.spike_shift);
            format!("a spike over projection {name} counts {own} times, not {other}")
        });
        let as_other = spikeloom_ir::quantized::Projection {
            weights: other.weights.clone(),
            origin: other.origin.clone(),
            name: name.clone(),
            plasticity: other.plasticity.clone(),
            spike_shift: other.spike_shift,
            ..own.clone()
        };
        found.unless(as_other == *other, || {
            format!("projection {name} connects other neurons, or in another width or time")
        });
    }
    found.into_result(adopted)
}

fn adopt_population(own: &mut Population, other: &Population, found: &mut Differences) {
    let name = other.name.clone();
    let same = own.name == name && own.shape == other.shape && own.order == other.order;
    found.unless(same && own.n_neurons == other.n_neurons, || {
        format!(
            "population {name} of {} neurons is {} of {}",
            other.n_neurons, own.name, own.n_neurons
        )
    });
    found.unless(own.accumulators.len() == other.accumulators.len(), || {
        format!("population {name} sums in another way")
    });
    for (own, other) in own.accumulators.iter_mut().zip(&other.accumulators) {
        found.unless(own.hold == other.hold, || {
            format!("population {name} sums in another way")
        });
        let what = || format!("the sum {} of population {name}", other.name);
        found.widen(&mut own.bits, other.bits, what);
    }
    adopt_program(
        &mut own.program,
        &other.program,
        &name,
        own.n_neurons,
        found,
    );
}

/// Makes parameters of constants that are parameters in the circuit: where all neurons have the same
/// threshold, say, quantising makes it a constant.
fn take_parameters(own: &mut Program, other: &Program, n_neurons: usize) {
    if own.steps.len() != other.steps.len() {
        return;
    }
    let mut parameters = other.parameters.clone();
    let mut steps = own.steps.clone();
    for (step, as_other) in steps.iter_mut().zip(&other.steps) {
        let Op::Parameter(n) = as_other.op else {
            continue;
        };
        match step.op {
            Op::Constant(value) => {
                parameters[n].values = vec![value; n_neurons];
                parameters[n].bits = step.bits;
                step.op = Op::Parameter(n);
            }
            Op::Parameter(m) if own.parameters[m].name == parameters[n].name => {
                parameters[n] = own.parameters[m].clone();
                step.op = Op::Parameter(n);
            }
            _ => return,
        }
    }
    // Each of its own has found its place, or it is another program.
    let names = |list: &[Parameter]| list.iter().map(|p| p.name.clone()).collect::<BTreeSet<_>>();
    if names(&own.parameters).is_subset(&names(&parameters)) && !starts_at_parameter(own) {
        own.parameters = parameters;
        own.steps = steps;
    }
}

/// Whether a state starts at a parameter, whose number counts then.
fn starts_at_parameter(program: &Program) -> bool {
    let mut states = program.states.iter();
    states.any(|state| matches!(state.init, Init::Parameter(_)))
}

fn adopt_program(
    own: &mut Program,
    other: &Program,
    name: &str,
    n_neurons: usize,
    found: &mut Differences,
) {
    let ops = |program: &Program| program.steps.iter().map(|s| s.op).collect::<Vec<_>>();
    let parameters = |program: &Program| -> Vec<String> {
        program.parameters.iter().map(|p| p.name.clone()).collect()
    };
    take_parameters(own, other, n_neurons);
    if parameters(own) != parameters(other) {
        let list = |program| parameters(program).join(", ");
        found.push(format!(
            "population {name} has the parameters {}, not {}",
            list(own),
            list(other)
        ));
        return;
    }
    let inits = |program: &Program| program.states.iter().map(|s| s.init).collect::<Vec<_>>();
    let differing = own.steps.iter().zip(&other.steps);
    let differing = differing.enumerate().find(|(_, (a, b))| a.op != b.op);
    if let Some((at, (own, other))) = differing.filter(|_| own.steps.len() == other.steps.len()) {
        found.push(format!(
            "population {name} computes {:?} at %{at}, not {:?}",
            own.op, other.op
        ));
        return;
    }
    let same = ops(own) == ops(other)
        && inits(own) == inits(other)
        && own.next_states == other.next_states
        && own.spike == other.spike
        && own.payload == other.payload
        && own.tables == other.tables;
    if !same {
        found.push(format!(
            "population {name} computes something else: another start, reset or saturation"
        ));
        return;
    }
    for (own, other) in own.states.iter_mut().zip(&other.states) {
        let what = || format!("the state {} of population {name}", other.name);
        found.widen(&mut own.bits, other.bits, what);
    }
    for (own, other) in own.parameters.iter_mut().zip(&other.parameters) {
        let what = || format!("the parameter {} of population {name}", other.name);
        found.widen(&mut own.bits, other.bits, what);
    }
    let sent = own.sent();
    for (at, (own, other)) in own.steps.iter_mut().zip(&other.steps).enumerate() {
        let is_fixed = matches!(own.op, Op::Saturate(_)) || sent.is_some_and(|sent| sent.0 == at);
        let what = || format!("the value %{at} of population {name}");
        if is_fixed {
            found.unless(own.bits == other.bits, || {
                format!("{} has {} bits, not {}", what(), own.bits, other.bits)
            });
        } else {
            found.widen(&mut own.bits, other.bits, what);
        }
    }
}

/// Gives `mapped` the widths of `circuit`.
///
/// # Errors
/// If it has other cores, or needs a wider sum; all differences are listed.
pub fn adopt_mapped(mapped: &Mapped, circuit: &Mapped) -> Result<Mapped, Error> {
    let mut found = Differences::default();
    let same = mapped.cores.len() == circuit.cores.len() && mapped.folds == circuit.folds;
    found.unless(same && mapped.score_bits == circuit.score_bits, || {
        "its populations share other cores, or its scores are wider".to_owned()
    });
    for (own, other) in mapped.cores.iter().zip(&circuit.cores) {
        let name = format!("the core of population {}", other.population);
        found.unless(own.lane_bits <= other.lane_bits, || {
            let (n, room) = (own.lane_bits, other.lane_bits);
            format!("a sum in {name} needs {n} bits, and there are {room}")
        });
        found.unless(own.held_bits <= other.held_bits, || {
            let bits = |bits: Option<usize>| bits.unwrap_or(0);
            let (n, room) = (bits(own.held_bits), bits(other.held_bits));
            format!("a held sum in {name} needs {n} bits, and there are {room}")
        });
        let as_other = spikeloom_ir::mapped::Core {
            lane_bits: other.lane_bits,
            held_bits: other.held_bits,
            ..own.clone()
        };
        found.unless(as_other == *other, || {
            format!("{name} would be built in another way")
        });
    }
    found.into_result(circuit.clone())
}

/// What keeps a network from a circuit.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn push(&mut self, difference: String) {
        if !self.0.contains(&difference) {
            self.0.push(difference);
        }
    }

    fn unless(&mut self, same: bool, difference: impl FnOnce() -> String) {
        if !same {
            self.push(difference());
        }
    }

    fn widen(&mut self, own: &mut BitWidth, other: BitWidth, what: impl Fn() -> String) {
        self.unless(*own <= other, || {
            format!("{} needs {own} bits, and there are {other}", what())
        });
        *own = other;
    }

    fn into_result<T>(self, adopted: T) -> Result<T, Error> {
        match self.0.is_empty() {
            true => Ok(adopted),
            false => Err(Error::OtherCircuit {
                differences: self.0,
            }),
        }
    }
}
