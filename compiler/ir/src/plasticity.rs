//! Plasticity in whole numbers: traces and rules of [`crate::learning`] as programs.
//!
//! A trace is a program that runs once for every neuron and tick, as a population's does. A rule is
//! a program that runs once for every synapse of a source that is not passed over; its state
//! variables are the weight and the tag. So what executes neurons executes learning too.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use spikeloom_fixed::BitWidth;

use crate::gain::Gain;
use crate::geometry::Connectivity;
use crate::network::Source;
use crate::quantized::{Encoder, Projection};
use crate::{PopulationId, Program, ProgramError, Quantized, QuantizedError};

/// How the weights of a projection change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plasticity {
    /// Traces of the sources, one state variable each.
    pub pre: Traces,
    /// Traces of the targets.
    pub post: Traces,
    /// The population whose spikes the sources' traces follow, where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_of: Option<PopulationId>,
    /// The same of the targets' traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_of: Option<PopulationId>,
    /// The new weight (state variable 0) and tag (1, where there is one) of a synapse. Has no
    /// parameters and sends nothing.
    pub rule: Program,
    /// What the rule's inputs are, in order.
    pub inputs: Vec<RuleInput>,
    /// How the sources' gains follow from what arrives from them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain: Option<Gain>,
    /// Sources that learn, the first ones; those behind them, a teacher's, do not.
    pub n_sources: usize,
    /// When a source is not passed over: at least one of them is open.
    pub gates: Vec<Gate>,
    /// Where the generator of random words starts before the first sample; not 0 where one is drawn.
    pub seed: u32,
}

/// Traces of all neurons on one side of a projection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traces {
    /// Input 0 is the number of a neuron's spikes in this tick, input `1 + n` is 1 in the ticks of
    /// window `n` and else 0.
    pub program: Program,
    /// First tick of each window, and the one behind its last.
    pub windows: Vec<(u32, u32)>,
}

/// What a rule reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleInput {
    /// What arrives from the source in this tick.
    PreSpike,
    /// The target's number of spikes in this tick.
    PostSpike,
    /// State variable `n` of the source's traces, as the tick before left it.
    PreTrace(usize),
    /// State variable `n` of the target's traces, as the tick before left it.
    PostTrace(usize),
    /// State variable `n` of the target, after this tick.
    PostState(usize),
    /// State variable `n` of another population of as many neurons, after this tick.
    OtherState(PopulationId, usize),
    /// The source's gain in this tick.
    Gain,
    /// The reward.
    Reward,
    /// 1 in every `2^n`th tick of a sample.
    Every(u8),
    /// 1 in a sample's last tick.
    End,
    /// A random number of so many bits, without a sign.
    Random(RandomBits),
}

/// What a rule reads of another population than its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// The population.
    pub population: PopulationId,
    /// What.
    pub reads: Reads,
}

/// What a rule reads of a neuron of another population.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reads {
    /// Neuron `n` counts for target `n`.
    Targets {
        /// These state variables, ascending.
        states: Vec<usize>,
        /// The targets' traces follow its spikes.
        traces: bool,
    },
    /// It is the source, and sends values: they are `x0`.
    Values,
    /// The sources' traces follow its spikes; neuron `n` counts for source `n`.
    Spikes,
}

/// Bits of a random word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RandomBits {
    /// How many.
    pub n_bits: u32,
    /// The lowest of them, in the word of target 0.
    pub first: u32,
}

impl RandomBits {
    /// The number that target `post` gets of the word of its eight. The word of each further target
    /// is rotated by 4 bits more.
    pub fn of(self, word: u32, post: usize) -> i64 {
        let more = u32::try_from(post % TARGETS_A_WORD).unwrap_or(0) * 4;
        let rotated = word.rotate_right(self.first + more);
        i64::from(rotated) & ((1 << self.n_bits) - 1)
    }
}

/// Targets that one random word serves. A source that is not passed over draws one for every eight
/// of its targets, the last ones included: the next state of
/// [`xorshift32`](crate::quantized::xorshift32).
pub const TARGETS_A_WORD: usize = 8;

/// One product's reasons to be 0 for all synapses of a source. It is open where none holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Gate {
    /// [`RuleInput::Every`] and [`RuleInput::End`], which must be 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moments: Vec<RuleInput>,
    /// [`RuleInput::PreSpike`], [`RuleInput::Gain`] and [`RuleInput::PreTrace`]s that must not be 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pre: Vec<RuleInput>,
    /// Some target must have spiked in this tick.
    #[serde(default)]
    pub post_spike: bool,
}

/// Plasticity that breaks its own rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum PlasticityError {
    /// A program is wrong.
    #[error("the program of {what} is wrong: {source}")]
    #[diagnostic(code(spikeloom::ir::plasticity::program))]
    Program {
        /// Which.
        what: &'static str,
        /// How.
        source: ProgramError,
    },
    /// Something else is.
    #[error("{what} cannot be learnt by")]
    #[diagnostic(
        code(spikeloom::ir::plasticity::fault),
        help("the network file was edited or damaged; compile the model again")
    )]
    Fault {
        /// What.
        what: &'static str,
    },
}

impl Quantized {
    pub(crate) fn check_plasticity(&self) -> Result<(), QuantizedError> {
        for p in &self.projections {
            if let Some(plasticity) = &p.plasticity {
                self.check_one(p, plasticity)
                    .map_err(|source| QuantizedError::Plasticity {
                        projection: p.name.clone(),
                        source,
                    })?;
            }
        }
        Ok(())
    }

    fn check_one(&self, p: &Projection, plasticity: &Plasticity) -> Result<(), PlasticityError> {
        let fault = |what| Err(PlasticityError::Fault { what });
        let program = |what, program: &Program, n_neurons, n_inputs| {
            let checked = program.check(n_neurons, n_inputs);
            checked.map_err(|source| PlasticityError::Program { what, source })
        };
        let target = &self.populations[p.target.0];
        let Plasticity {
            pre,
            post,
            rule,
            inputs,
            gates,
            ..
        } = plasticity;
        program(
            "the source's traces",
            &pre.program,
            p.n_pre,
            1 + pre.windows.len(),
        )?;
        let n_inputs = 1 + post.windows.len();
        program(
            "the target's traces",
            &post.program,
            target.n_neurons,
            n_inputs,
        )?;
        program("the rule", rule, target.n_neurons, inputs.len())?;
        let is_direct = p.source == Source::Input && self.input.encoder == Encoder::Direct;
        if p.connectivity != Connectivity::Dense
            || !p.pooling.is_empty()
            || p.channel_delays.is_some()
            || is_direct
        {
            return fault("a projection that is not dense, or whose input is constant,");
        }
        for (of, n) in [
            (plasticity.pre_of, p.n_pre),
            (plasticity.post_of, target.n_neurons),
        ] {
            let fits = |id: PopulationId| {
                let followed = self.populations.get(id.0);
                followed.is_some_and(|p| p.n_neurons == n && p.program.payload.is_none())
            };
            if !of.is_none_or(fits) {
                return fault("traces of spikes that are not there");
            }
        }
        if let Some(gain) = &plasticity.gain {
            let sent = match p.source {
                Source::Population(id) if p.delay == 0 => {
                    let source = self.populations.get(id.0);
                    source.and_then(|source| source.program.payload_width())
                }
                _ => None,
            };
            let Some(sent) = sent else {
                return fault("gains of what is no graded value of this tick");
            };
            if let Some(what) = gain.fault(p.n_pre, sent) {
                return fault(what);
            }
        }
        if plasticity.n_sources > p.n_pre {
            return fault("a source that is not there");
        }
        if !(1..=2).contains(&rule.states.len())
            || rule.states[0].bits != p.weight_bits
            || !rule.parameters.is_empty()
            || rule.sent().is_some()
        {
            return fault("a rule that is not one of a weight");
        }
        let is_there = |input: &RuleInput| match *input {
            RuleInput::PreTrace(n) => n < pre.program.states.len(),
            RuleInput::Gain => plasticity.gain.is_some(),
            RuleInput::PostTrace(n) => n < post.program.states.len(),
            RuleInput::PostState(n) => n < target.program.states.len(),
            RuleInput::OtherState(id, n) => self.populations.get(id.0).is_some_and(|other| {
                other.n_neurons == target.n_neurons && n < other.program.states.len()
            }),
            RuleInput::Every(n) => n < 10,
            RuleInput::Random(bits) => plasticity.seed != 0 && bits.n_bits < 32 && bits.first < 32,
            _ => true,
        };
        if !inputs.iter().all(is_there) {
            return fault("a value that is not there");
        }
        let fits = |gate: &Gate| {
            let is_moment =
                |input: &RuleInput| matches!(input, RuleInput::Every(_) | RuleInput::End);
            let is_pre = |input: &RuleInput| {
                let of_source = matches!(
                    input,
                    RuleInput::PreSpike | RuleInput::PreTrace(_) | RuleInput::Gain
                );
                of_source && is_there(input)
            };
            gate.moments.iter().all(is_moment) && gate.pre.iter().all(is_pre)
        };
        if gates.is_empty() || !gates.iter().all(fits) {
            return fault("a gate of something else");
        }
        Ok(())
    }
}

impl Plasticity {
    /// Width of the tag, where synapses have one.
    pub fn tag_bits(&self) -> Option<BitWidth> {
        self.rule.states.get(1).map(|state| state.bits)
    }

    /// Whether the rule, or what opens it, reads `x0`.
    pub fn reads_arriving(&self) -> bool {
        let gates = self.gates.iter().flat_map(|gate| &gate.pre);
        let mut inputs = self.inputs.iter().chain(gates);
        inputs.any(|input| *input == RuleInput::PreSpike)
    }

    /// Whether the rule, what opens it or the gains read what arrives from the sources.
    pub fn reads_sources(&self) -> bool {
        self.gain.is_some() || self.reads_arriving()
    }

    /// The other populations whose state variables the rule reads, each with those, in order.
    pub fn others(&self) -> BTreeMap<PopulationId, BTreeSet<usize>> {
        let mut others: BTreeMap<PopulationId, BTreeSet<usize>> = BTreeMap::new();
        for input in &self.inputs {
            if let RuleInput::OtherState(id, n) = *input {
                others.entry(id).or_default().insert(n);
            }
        }
        others
    }

    /// Whether anything is rounded at random.
    pub fn draws(&self) -> bool {
        let mut inputs = self.inputs.iter();
        inputs.any(|input| matches!(input, RuleInput::Random(_)))
    }
}
