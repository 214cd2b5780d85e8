//! From the plasticity of a projection to the parts of its engine.

use spikeloom_ir::mapped::MemoryKind;
use spikeloom_ir::plasticity::{Plasticity, RuleInput, Traces};
use spikeloom_ir::{Init, Op, Program, StateVariable, Step, ValueId};

use super::fields::Field;
use super::gates::GatePlan;
use super::moments::Moment;
use super::other_side::OtherConfig;
use super::post_side::PostPlan;
use super::rule_lane::LanePlan;
use super::source_scan::ScanPlan;
use crate::datapath::DataPathSpec;
use crate::error::Error;
use crate::program::lower;

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
    /// The other population that the rule reads, where it reads one.
    pub other: Option<OtherConfig>,
}

/// The parts' plans.
pub(super) struct Plans {
    pub moments: Vec<Moment>,
    pub scan: ScanPlan,
    pub post: PostPlan,
    pub lane: LanePlan,
    /// The rule reads the reward.
    pub takes_reward: bool,
    /// The rule draws random words.
    pub draws: bool,
}

/// Bits of a reward: -1, 0 or 1.
pub(crate) const REWARD_BITS: usize = 2;

impl LearningConfig {
    /// Rows of a source's synapses.
    pub fn n_groups(&self) -> usize {
        self.n_post.div_ceil(self.lanes)
    }

    pub(super) fn plans(&self) -> Result<Plans, Error> {
        let p = &self.plasticity;
        let mut moments = Moments(Vec::new());
        let pre = Side::new(&p.pre, self.pre_spike_bits, &mut moments);
        let post = Side::new(&p.post, self.post_spike_bits, &mut moments);
        for input in &p.inputs {
            moments.of(*input);
        }
        let gates: Vec<GatePlan> = (p.gates.iter())
            .map(|gate| GatePlan {
                moments: gate.moments.iter().filter_map(|m| moments.of(*m)).collect(),
                pre: (gate.pre.iter())
                    .map(|input| match *input {
                        RuleInput::PreTrace(n) => (
                            self.pre_spike_bits + pre.trace_bits[..n].iter().sum::<usize>(),
                            pre.trace_bits[n],
                        ),
                        _ => (0, self.pre_spike_bits),
                    })
                    .collect(),
                post_spike: gate.post_spike,
            })
            .collect();
        let moment_bits = moments.0.len().max(1);
        let mut states: Vec<usize> = (p.inputs.iter())
            .filter_map(|input| match *input {
                RuleInput::PostState(n) => Some(n),
                _ => None,
            })
            .collect();
        states.sort_unstable();
        states.dedup();
        let scan = ScanPlan {
            n_core: self.n_core,
            first_pre: self.first_pre,
            n_pre: self.n_pre,
            n_sources: p.n_sources,
            spike_bits: self.pre_spike_bits,
            trace_bits: pre.trace_bits,
            spec: pre.spec,
            inputs: pre.inputs,
            moment_bits,
            gates,
            first_row: self.first_row,
            row_stride: self.row_stride,
            row_bits: crate::core::index_bits(self.n_core_rows),
        };
        let post = PostPlan {
            n_post: self.n_post,
            lanes: self.lanes,
            spike_bits: self.post_spike_bits,
            state_bits: self.state_bits.clone(),
            states,
            n_traces: p.post.program.states.len(),
            trace_bits: post.trace_bits,
            spec: post.spec,
            inputs: post.inputs,
            moment_bits,
            memory: self.post_memory,
        };
        let lane = self.lane(&moments, &scan, &post)?;
        let reads = |wanted| p.inputs.contains(&wanted);
        Ok(Plans {
            moments: moments.0,
            takes_reward: reads(RuleInput::Reward),
            draws: p.draws(),
            scan,
            post,
            lane,
        })
    }

    fn lane(&self, moments: &Moments, scan: &ScanPlan, post: &PostPlan) -> Result<LanePlan, Error> {
        let rule = &self.plasticity.rule;
        let mut moments = Moments(moments.0.clone());
        let moment_bits = moments.0.len().max(1);
        let widths = input_widths(rule, self.plasticity.inputs.len());
        let sum = |bits: &[usize]| bits.iter().sum::<usize>();
        let inputs = self.plasticity.inputs.iter().zip(&widths);
        let inputs = inputs.map(|(input, &width_out)| {
            let (word, low, width, is_signed) = match *input {
                RuleInput::PreSpike => (0, 0, self.pre_spike_bits, false),
                RuleInput::PreTrace(n) => (
                    0,
                    self.pre_spike_bits + sum(&scan.trace_bits[..n]),
                    scan.trace_bits[n],
                    true,
                ),
                RuleInput::Every(_) | RuleInput::End => {
                    let at = moments.of(*input).unwrap_or(0);
                    (0, scan.pre_bits() + at, 1, false)
                }
                RuleInput::Reward => (0, scan.pre_bits() + moment_bits, REWARD_BITS, true),
                RuleInput::PostSpike => (1, 0, self.post_spike_bits, false),
                RuleInput::PostTrace(n) => (
                    1,
                    self.post_spike_bits + sum(&post.trace_bits[..n]),
                    post.trace_bits[n],
                    true,
                ),
                RuleInput::PostState(n) => {
                    let before = post.states.iter().take_while(|&&other| other != n);
                    let before = before.map(|&other| self.state_bits[other]);
                    let traces = sum(&post.trace_bits[..post.n_traces]);
                    let low = self.post_spike_bits + traces + before.sum::<usize>();
                    (1, low, self.state_bits[n], true)
                }
                RuleInput::Random(bits) => (2, bits.first as usize, bits.n_bits as usize, false),
                RuleInput::OtherState(id, n) => {
                    let other = self.other.as_ref();
                    let other = other.filter(|other| other.population == id.0);
                    let other = other.ok_or(Error::OtherState)?;
                    let low = post.column_bits() + other.low(n);
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
            spec: lower(rule, &widths),
            inputs,
            word_bits: [
                scan.pre_bits() + moment_bits + REWARD_BITS,
                post.column_bits() + self.other.as_ref().map_or(0, OtherConfig::width),
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

/// Traces of one side.
struct Side {
    trace_bits: Vec<usize>,
    spec: DataPathSpec,
    inputs: Vec<Field>,
}

impl Side {
    fn new(traces: &Traces, spike_bits: usize, moments: &mut Moments) -> Self {
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
        Self {
            trace_bits: program.states.iter().map(|s| s.bits.index()).collect(),
            spec: lower(program, &widths),
            inputs,
        }
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

/// Traces of a rule that has none: memories have a row at least.
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
