//! From the plasticity of a projection to the parts of its engine.

use spikeloom_ir::mapped::MemoryKind;
use spikeloom_ir::plasticity::{Plasticity, Reads, RuleInput, Traces};
use spikeloom_ir::{Init, Op, Program, StateVariable, Step, ValueId};

use super::fields::Field;
use super::gain_unit::GainPlan;
use super::gates::GatePlan;
use super::moments::Moment;
use super::post_side::PostPlan;
use super::rule_lane::LanePlan;
use super::source_scan::ScanPlan;
use super::trace_path::TracePlan;
use crate::error::Error;
use crate::program::{LEARNING_ADDERS, lower};

/// Everything that fixes a learning engine.
#[derive(Debug, Clone)]
pub struct LearningConfig {
    /// What it executes.
    pub plasticity: Plasticity,
    /// Sources of the core, of all its projections.
    pub n_core: usize,
    /// The first of them that is this projection's.
    pub first_pre: usize,
    /// Sources of the projection.
    pub n_pre: usize,
    /// Targets.
    pub n_post: usize,
    /// Synapses of a row.
    pub lanes: usize,
    /// First row of weights of the first source.
    pub first_row: usize,
    /// Rows of weights from one source to the next.
    pub row_stride: usize,
    /// All rows of weights of the core.
    pub n_core_rows: usize,
    /// Width of a weight in memory.
    pub weight_bits: usize,
    /// Width of a source's number of spikes in a tick.
    pub pre_spike_bits: usize,
    /// Width of a target's.
    pub post_spike_bits: usize,
    /// Widths of the target's state variables.
    pub state_bits: Vec<usize>,
    /// Where the columns of targets are.
    pub column_memory: MemoryKind,
    /// Where the targets' traces are.
    pub post_memory: MemoryKind,
    /// Where the gains of the sources are, and what they are computed from; of one without gains it
    /// means nothing.
    pub gain_memory: MemoryKind,
    /// Its number among those of its core.
    pub number: usize,
    /// What it reads of other populations, first of those with as many neurons as the target.
    pub others: Vec<OtherConfig>,
    /// What is wired to it beside, and not looked at: all projections of a core have as many places.
    pub spare: Vec<OtherConfig>,
}

/// What a rule reads of another population.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherConfig {
    /// Its number.
    pub population: usize,
    /// Its neurons.
    pub n_neurons: usize,
    /// What.
    pub reads: Reads,
    /// Widths of all its state variables.
    pub state_bits: Vec<usize>,
    /// Width of a neuron's number of spikes, or of its value.
    pub spike_bits: usize,
    /// Where it is kept.
    pub memory: MemoryKind,
}

impl OtherConfig {
    /// Of its state variables those that are read, ascending.
    pub fn states(&self) -> &[usize] {
        match &self.reads {
            Reads::Targets { states, .. } => states,
            Reads::Values | Reads::Spikes => &[],
        }
    }

    /// Width of them, side by side.
    pub fn width(&self) -> usize {
        self.states().iter().map(|&n| self.state_bits[n]).sum()
    }

    /// Where they stand in the word of all state variables: lowest bit and width of each.
    pub fn parts(&self) -> Vec<(usize, usize)> {
        parts(self.states(), &self.state_bits)
    }
}

/// Lowest bit and width of some state variables in the word of all.
pub(super) fn parts(states: &[usize], state_bits: &[usize]) -> Vec<(usize, usize)> {
    let part = |&n: &usize| (state_bits[..n].iter().sum(), state_bits[n]);
    states.iter().map(part).collect()
}

/// Where one of some state variables stands when they are side by side.
fn low(states: &[usize], state_bits: &[usize], state: usize) -> usize {
    let before = states.iter().take_while(|&&n| n != state);
    before.map(|&n| state_bits[n]).sum()
}

/// The parts' plans.
pub(super) struct Plans {
    pub moments: Vec<Moment>,
    pub scan: ScanPlan,
    /// Of the gains, and which population tells what they are computed from.
    pub gain: Option<(GainPlan, usize)>,
    /// The first other population whose neurons the scan follows; those behind it, it follows too.
    pub first_scanned: usize,
    /// Of the target, then of other populations of as many neurons.
    pub sides: Vec<PostPlan>,
    /// The target's state variables that the rule reads, ascending.
    pub states: Vec<usize>,
    pub lane: LanePlan,
    /// The rule reads the reward.
    pub takes_reward: bool,
    /// The rule draws random words.
    pub draws: bool,
}

/// Bits of a reward: -1, 0 or 1.
pub(crate) const REWARD_BITS: usize = 2;

impl LearningConfig {
    /// Everything that is wired to it of other populations.
    pub fn places(&self) -> impl Iterator<Item = &OtherConfig> {
        self.others.iter().chain(&self.spare)
    }

    /// Rows of a source's synapses.
    pub fn n_groups(&self) -> usize {
        self.n_post.div_ceil(self.lanes)
    }

    pub(super) fn plans(&self) -> Result<Plans, Error> {
        let p = &self.plasticity;
        let mut moments = Moments(Vec::new());
        let told = self.others.iter().position(|o| o.reads == Reads::Values);
        // Only gains may be read of the sources: then only their unit is told values.
        let first_scanned = match told {
            Some(told) if !p.reads_arriving() => told + 1,
            _ => self.n_other_sides(),
        };
        let others = |reads: Reads| {
            let mut others = self.others[first_scanned..].iter();
            others.position(|other| other.reads == reads)
        };
        let (values, followed) = (others(Reads::Values), others(Reads::Spikes));
        let side = |other: usize| &self.others[first_scanned + other];
        let gain = p.gain.zip(told).map(|(gain, told)| {
            let plan = GainPlan {
                gain,
                n: self.n_pre,
                arriving_bits: self.others[told].spike_bits,
                vector_memory: self.gain_memory,
            };
            (plan, told)
        });
        let pre_spikes = followed.map_or(self.pre_spike_bits, |other| side(other).spike_bits);
        let pre = trace_plan(&p.pre, pre_spikes, &mut moments);
        let mut sides = vec![self.own_side(&mut moments)];
        for other in &self.others[..self.n_other_sides()] {
            sides.push(self.other_side(other, &mut moments));
        }
        for input in &p.inputs {
            moments.of(*input);
        }
        for gate in &p.gates {
            for input in &gate.moments {
                moments.of(*input);
            }
        }
        let moment_bits = moments.0.len().max(1);
        let traces = sides.iter_mut().filter_map(|side| side.traces.as_mut());
        traces.for_each(|traces| traces.moment_bits = moment_bits);
        let mut scan = ScanPlan {
            n_core: self.n_core,
            first_pre: self.first_pre,
            n_pre: self.n_pre,
            n_sources: p.n_sources,
            spike_bits: self.pre_spike_bits,
            traces: TracePlan { moment_bits, ..pre },
            values,
            followed,
            gain: gain.as_ref().map(|_| self.others.len() - first_scanned),
            others: (self.others[first_scanned..].iter())
                .map(|other| (other.spike_bits, other.memory))
                .chain(
                    gain.iter()
                        .map(|(plan, _)| (plan.gain.value.index(), self.gain_memory)),
                )
                .collect(),
            gates: vec![],
            first_row: self.first_row,
            row_stride: self.row_stride,
            row_bits: crate::core::index_bits(self.n_core_rows),
        };
        scan.gates = (p.gates.iter())
            .map(|gate| GatePlan {
                moments: gate.moments.iter().filter_map(|m| moments.of(*m)).collect(),
                pre: (gate.pre.iter())
                    .map(|input| match *input {
                        RuleInput::PreTrace(n) => (scan.trace_low(n), scan.traces.trace_bits[n]),
                        RuleInput::Gain => (scan.gain_low(), scan.gain_bits()),
                        _ => (0, scan.arriving_bits()),
                    })
                    .collect(),
                post_spike: gate.post_spike,
            })
            .collect();
        let lane = self.lane(&mut moments, &scan, &sides)?;
        let reads = |wanted| p.inputs.contains(&wanted);
        Ok(Plans {
            moments: moments.0,
            takes_reward: reads(RuleInput::Reward),
            draws: p.draws(),
            gain,
            first_scanned,
            scan,
            sides,
            states: self.states(),
            lane,
        })
    }

    /// Other populations of as many neurons as the target, which come first.
    fn n_other_sides(&self) -> usize {
        let others = self.others.iter();
        let sides = others.take_while(|other| matches!(other.reads, Reads::Targets { .. }));
        sides.count()
    }

    /// The target's state variables that the rule reads, ascending.
    fn states(&self) -> Vec<usize> {
        let inputs = self.plasticity.inputs.iter();
        let mut states: Vec<usize> = inputs
            .filter_map(|input| match *input {
                RuleInput::PostState(n) => Some(n),
                _ => None,
            })
            .collect();
        states.sort_unstable();
        states.dedup();
        states
    }

    /// The target.
    fn own_side(&self, moments: &mut Moments) -> PostPlan {
        let p = &self.plasticity;
        let has_traces = p.post_of.is_none() && !p.post.program.states.is_empty();
        let states = self.states();
        PostPlan {
            n: self.n_post,
            lanes: self.lanes,
            spike_bits: self.post_spike_bits,
            // A column has something at least.
            reads_spikes: true,
            state_bits: states.iter().map(|&n| self.state_bits[n]).sum(),
            traces: has_traces.then(|| trace_plan(&p.post, self.post_spike_bits, moments)),
            column_memory: self.column_memory,
            trace_memory: self.post_memory,
        }
    }

    /// Another population of as many neurons.
    fn other_side(&self, other: &OtherConfig, moments: &mut Moments) -> PostPlan {
        let has_traces = matches!(other.reads, Reads::Targets { traces: true, .. });
        let traces = || trace_plan(&self.plasticity.post, other.spike_bits, moments);
        PostPlan {
            n: self.n_post,
            lanes: self.lanes,
            spike_bits: other.spike_bits,
            reads_spikes: false,
            state_bits: other.width(),
            traces: has_traces.then(traces),
            column_memory: other.memory,
            trace_memory: self.post_memory,
        }
    }

    /// The side of a population of as many neurons as the target, and where what the rule reads of
    /// it begins in the columns of all sides.
    fn side(&self, of: Option<usize>, sides: &[PostPlan]) -> Result<(usize, usize), Error> {
        let mut others = self.others[..self.n_other_sides()].iter();
        let at = match of {
            None => Some(0),
            Some(id) => others
                .position(|other| other.population == id)
                .map(|n| n + 1),
        };
        let at = at.ok_or(Error::OtherState)?;
        Ok((at, sides[..at].iter().map(PostPlan::column_bits).sum()))
    }

    fn lane(
        &self,
        moments: &mut Moments,
        scan: &ScanPlan,
        sides: &[PostPlan],
    ) -> Result<LanePlan, Error> {
        let p = &self.plasticity;
        let rule = &p.rule;
        let moment_bits = moments.0.len().max(1);
        let widths = input_widths(rule, p.inputs.len());
        let inputs = p.inputs.iter().zip(&widths);
        let inputs = inputs.map(|(input, &width_out)| {
            let (word, low, width, is_signed) = match *input {
                RuleInput::PreSpike => (0, 0, scan.arriving_bits(), scan.values.is_some()),
                RuleInput::PreTrace(n) => (0, scan.trace_low(n), scan.traces.trace_bits[n], true),
                RuleInput::Gain => (0, scan.gain_low(), scan.gain_bits(), true),
                RuleInput::Every(_) | RuleInput::End => {
                    let at = moments.of(*input).unwrap_or(0);
                    (0, scan.pre_bits() + at, 1, false)
                }
                RuleInput::Reward => (0, scan.pre_bits() + moment_bits, REWARD_BITS, true),
                RuleInput::PostSpike => (1, 0, self.post_spike_bits, false),
                RuleInput::PostTrace(n) => {
                    let (at, first) = self.side(p.post_of.map(|id| id.0), sides)?;
                    let traces = sides[at].traces.as_ref().ok_or(Error::OtherState)?;
                    let low = first + sides[at].trace_low(n);
                    (1, low, traces.trace_bits[n], true)
                }
                RuleInput::PostState(n) => {
                    let low = sides[0].states_low() + low(&self.states(), &self.state_bits, n);
                    (1, low, self.state_bits[n], true)
                }
                RuleInput::Random(bits) => (2, bits.first as usize, bits.n_bits as usize, false),
                RuleInput::OtherState(id, n) => {
                    let (at, first) = self.side(Some(id.0), sides)?;
                    let other = &self.others[at - 1];
                    let low = low(other.states(), &other.state_bits, n);
                    let low = first + sides[at].states_low() + low;
                    (1, low, other.state_bits[n], true)
                }
            };
            Ok(Field {
                word,
                low,
                width,
                is_signed,
                width_out,
            })
        });
        let inputs = inputs.collect::<Result<Vec<Field>, Error>>()?;
        Ok(LanePlan {
            spec: lower(rule, &widths, LEARNING_ADDERS),
            inputs,
            word_bits: [
                scan.pre_bits() + moment_bits + REWARD_BITS,
                sides.iter().map(PostPlan::column_bits).sum(),
            ],
            weight_bits: self.weight_bits,
            state_bits: rule.states.iter().map(|s| s.bits.index()).collect(),
        })
    }
}

/// Properties of a tick that somebody asks for, each once.
struct Moments(Vec<Moment>);

impl Moments {
    fn place(&mut self, moment: Moment) -> usize {
        let found = self.0.iter().position(|other| *other == moment);
        found.unwrap_or_else(|| {
            self.0.push(moment);
            self.0.len() - 1
        })
    }

    fn of(&mut self, input: RuleInput) -> Option<usize> {
        match input {
            RuleInput::Every(n) => Some(self.place(Moment::Every(n))),
            RuleInput::End => Some(self.place(Moment::End)),
            _ => None,
        }
    }
}

/// The traces of one side; the width of the tick's word is not known yet.
fn trace_plan(traces: &Traces, spike_bits: usize, moments: &mut Moments) -> TracePlan {
    let program = match traces.program.states.is_empty() {
        true => &one_trace(),
        false => &traces.program,
    };
    let widths = input_widths(program, 1 + traces.windows.len());
    let spikes = Field {
        word: 0,
        low: 0,
        width: spike_bits,
        is_signed: false,
        width_out: widths[0],
    };
    let windows = traces.windows.iter().zip(&widths[1..]);
    let windows = windows.map(|(&(first, end), &width_out)| Field {
        word: 1,
        low: moments.place(Moment::Window(first, end)),
        width: 1,
        is_signed: false,
        width_out,
    });
    let inputs: Vec<Field> = std::iter::once(spikes).chain(windows).collect();
    TracePlan {
        trace_bits: program.states.iter().map(|s| s.bits.index()).collect(),
        spike_bits,
        spec: lower(program, &widths, LEARNING_ADDERS),
        inputs,
        moment_bits: 1,
    }
}

/// Widths of a program's inputs; one that is not read has 2 bits.
fn input_widths(program: &Program, n_inputs: usize) -> Vec<usize> {
    let width = |n| {
        let mut steps = program.steps.iter();
        let step = steps.find(|step| step.op == Op::Input(n));
        step.map_or(2, |step| step.bits.index())
    };
    (0..n_inputs).map(width).collect()
}

/// Traces of sources for a rule that reads none of theirs: memories have a row at least.
fn one_trace() -> Program {
    let bits = spikeloom_fixed::BitWidth::new(2).expect("2 bits are a width");
    Program {
        states: vec![StateVariable {
            name: "none".into(),
            bits,
            init: Init::Value(0),
        }],
        parameters: vec![],
        steps: vec![Step {
            op: Op::State(0),
            bits,
        }],
        next_states: vec![ValueId(0)],
        spike: None,
        payload: None,
        tables: vec![],
    }
}
