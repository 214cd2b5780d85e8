//! Several populations that share one core: who sits where, and the program that they have in
//! common.

use crate::mapped::{Core, Fold, Mapped};
use crate::program::{Op, Parameter, Program, StateVariable, Step};
use crate::{PopulationId, Quantized};

/// Where a population is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// The number of the circuit among [`Mapped::circuits`].
    pub circuit: usize,
    /// The population's turn in it, from 0.
    pub turn: usize,
    /// Populations that have a turn in it.
    pub n_turns: usize,
    /// The row of its first neuron.
    pub first_neuron: usize,
}

impl Mapped {
    /// The circuits of the design in order, each with the cores that it is, in the order of their
    /// turns: one core, or those that share it.
    pub fn circuits(&self) -> Vec<Vec<&Core>> {
        let shared = |id: PopulationId| -> Option<&Fold> {
            let mut folds = self.folds.iter();
            folds.find(|fold| fold.populations.contains(&id))
        };
        let mut circuits = Vec::with_capacity(self.cores.len());
        for core in &self.cores {
            match shared(core.population) {
                None => circuits.push(vec![core]),
                Some(fold) if fold.populations[0] == core.population => {
                    let members = fold.populations.iter();
                    circuits.push(members.map(|id| &self.cores[id.0]).collect());
                }
                Some(_) => {}
            }
        }
        circuits
    }

    /// Where each population is computed, in order.
    pub fn seats(&self, network: &Quantized) -> Vec<Seat> {
        let mut seats = Vec::with_capacity(self.cores.len());
        for (circuit, cores) in self.circuits().iter().enumerate() {
            let mut first_neuron = 0;
            for (turn, core) in cores.iter().enumerate() {
                let seat = Seat {
                    circuit,
                    turn,
                    n_turns: cores.len(),
                    first_neuron,
                };
                seats.push((core.population, seat));
                first_neuron += network.populations[core.population.0].n_neurons;
            }
        }
        seats.sort_by_key(|(id, _)| *id);
        seats.into_iter().map(|(_, seat)| seat).collect()
    }

    /// The program of each population as its circuit runs it, in order of the circuits: its own, or
    /// that of all who share the core, with the parameters of all.
    ///
    /// # Panics
    /// If populations share a core whose programs differ, which no pass makes.
    pub fn programs(&self, network: &Quantized) -> Vec<Program> {
        let program = |core: &&Core| &network.populations[core.population.0].program;
        let of_circuit = |cores: &Vec<&Core>| {
            let programs: Vec<&Program> = cores.iter().map(program).collect();
            fold(&programs).expect("populations that share a core have one program")
        };
        self.circuits().iter().map(of_circuit).collect()
    }
}

/// The weights of a circuit in the order of its memory, and their width.
pub fn circuit_weights(network: &Quantized, circuit: &[&Core]) -> (Vec<i32>, usize) {
    let rows = circuit.iter().flat_map(|core| core.weight_rows(network));
    let bits = circuit.iter().map(|core| core.weight_bits(network)).max();
    (rows.collect(), bits.unwrap_or(1))
}

/// The one program of several populations: each width is the largest of theirs, and the parameters
/// of all neurons stand one population behind the other. `None` where they compute different things.
///
/// An operation whose exact result fits a width fits a larger one with the same value; only where a
/// step saturates its width is part of what it computes, and must be the same.
pub fn fold(programs: &[&Program]) -> Option<Program> {
    let (first, others) = programs.split_first()?;
    let mut all = (*first).clone();
    for other in others {
        let states = fold_all(&all.states, &other.states, |a, b| {
            (a.init == b.init).then(|| StateVariable {
                bits: a.bits.max(b.bits),
                ..a.clone()
            })
        })?;
        let parameters = fold_all(&all.parameters, &other.parameters, |a, b| {
            Some(Parameter {
                name: a.name.clone(),
                bits: a.bits.max(b.bits),
                values: a.values.iter().chain(&b.values).copied().collect(),
            })
        })?;
        let steps = fold_all(&all.steps, &other.steps, |a, b| {
            let depends_on_width = matches!(a.op, Op::Saturate(_));
            let is_same = a.op == b.op && (!depends_on_width || a.bits == b.bits);
            is_same.then_some(Step {
                op: a.op,
                bits: a.bits.max(b.bits),
            })
        })?;
        let rest = |p: &Program| (p.next_states.clone(), p.spike, p.payload, p.tables.clone());
        if rest(&all) != rest(other) {
            return None;
        }
        all = Program {
            states,
            parameters,
            steps,
            ..all
        };
    }
    Some(all)
}

/// Pairs of two lists of one length made into one each.
fn fold_all<T>(a: &[T], b: &[T], one: impl Fn(&T, &T) -> Option<T>) -> Option<Vec<T>> {
    if a.len() != b.len() {
        return None;
    }
    a.iter().zip(b).map(|(a, b)| one(a, b)).collect()
}

#[cfg(test)]
mod tests {
    use spikeloom_fixed::{BitWidth, Rounding};

    use super::*;
    use crate::network::Compare;
    use crate::program::{Init, ValueId};

    fn width(bits: u32) -> BitWidth {
        BitWidth::new(bits).unwrap()
    }

    /// A leaky membrane of `bits` bits that is limited to `limit` bits, with one threshold a neuron.
    fn program(bits: u32, limit: u32, thresholds: &[i64]) -> Program {
        let step = |op, bits| Step {
            op,
            bits: width(bits),
        };
        Program {
            states: vec![StateVariable {
                name: "v_mem".into(),
                bits: width(limit),
                init: Init::Value(0),
            }],
            parameters: vec![Parameter {
                name: "v_threshold".into(),
                bits: width(bits),
                values: thresholds.to_vec(),
            }],
            steps: vec![
                step(Op::State(0), limit),
                step(Op::Input(0), bits),
                step(Op::Add(ValueId(0), ValueId(1)), bits + 1),
                step(Op::ShiftRight(ValueId(2), 1, Rounding::Floor), bits),
                step(Op::Saturate(ValueId(3)), limit),
                step(Op::Parameter(0), bits),
                step(Op::Compare(ValueId(4), Compare::Greater, ValueId(5)), 1),
            ],
            next_states: vec![ValueId(4)],
            spike: Some(ValueId(6)),
            payload: None,
            tables: vec![],
        }
    }

    #[test]
    fn widths_become_the_largest_and_parameters_stand_behind_one_another() {
        let (a, b) = (program(8, 6, &[3, 4]), program(10, 6, &[5]));
        let all = fold(&[&a, &b]).unwrap();
        assert_eq!(all.parameters[0].values, [3, 4, 5]);
        assert_eq!(all.parameters[0].bits, width(10));
        assert_eq!(all.steps[2].bits, width(11));
        assert_eq!(all.check(3, 1), Ok(()));
        assert_eq!(fold(&[&a]), Some(a));
    }

    #[test]
    fn what_computes_something_else_is_not_folded() {
        let a = program(8, 6, &[3]);
        assert_eq!(fold(&[&a, &program(8, 7, &[3])]), None, "another limit");
        let mut other = a.clone();
        other.steps[3].op = Op::ShiftRight(ValueId(2), 2, Rounding::Floor);
        assert_eq!(fold(&[&a, &other]), None, "another factor");
        let mut other = a.clone();
        other.states[0].init = Init::Value(1);
        assert_eq!(fold(&[&a, &other]), None, "another start");
        let mut other = a.clone();
        other.spike = None;
        assert_eq!(fold(&[&a, &other]), None, "no spikes");
    }
}
