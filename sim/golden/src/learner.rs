//! Changes the weights of one plastic projection.

use spikeloom_ir::PopulationId;
use spikeloom_ir::plasticity::{Gate, Plasticity, RuleInput, TARGETS_A_WORD, Traces};
use spikeloom_ir::quantized::{Projection, xorshift32};

use crate::gains::Gains;
use crate::lanes::Lanes;
use crate::synapses::Synapses;

/// One side's traces.
#[derive(Debug, Clone)]
struct Side {
    /// Inputs of the program are spikes, then windows.
    lanes: Lanes,
    windows: Vec<(usize, usize)>,
    n: usize,
}

/// What a tick of learning sees.
pub(crate) struct Seen<'a> {
    /// Counted from 0, over all phases.
    pub tick: usize,
    /// In the last tick of the last phase.
    pub is_last: bool,
    /// 1, 0 or -1.
    pub reward: i64,
    /// What arrives from each source.
    pub pre: &'a [i64],
    /// Spikes of each target.
    pub post: &'a [i64],
    /// Spikes that the traces of the sources and of the targets follow.
    pub followed: [&'a [i64]; 2],
    /// A state variable of the target, or of another population.
    pub state: &'a dyn Fn(Option<PopulationId>, usize) -> Vec<i64>,
}

/// What learning did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LearningCounts {
    /// Rules that ran, one a synapse.
    pub updates: u64,
    /// Of them, those that changed the weight.
    pub changes: u64,
    /// Of them, those whose weight or tag did not fit its width; and numbers of the gains' recursion
    /// that did not.
    pub saturations: u64,
}

impl LearningCounts {
    /// Adds another's.
    pub fn add(&mut self, other: Self) {
        self.updates += other.updates;
        self.changes += other.changes;
        self.saturations += other.saturations;
    }
}

/// The plasticity of one projection.
#[derive(Debug, Clone)]
pub(crate) struct Learner {
    /// Number of the projection.
    pub(crate) projection: usize,
    /// Populations whose spikes the traces follow in place of the projection's own neurons.
    pub(crate) of: [Option<PopulationId>; 2],
    n_sources: usize,
    n_post: usize,
    pre: Side,
    post: Side,
    rule: Lanes,
    inputs: Vec<RuleInput>,
    gates: Vec<Gate>,
    gains: Option<Gains>,
    /// The last random word.
    word: u32,
    /// Of the row in work, one for every [`TARGETS_A_WORD`] targets.
    words: Vec<u32>,
    /// `[pre][post]`, where there is a tag.
    tags: Option<Vec<i64>>,
    saturations: Vec<u64>,
}

impl Side {
    fn new(traces: &Traces, n: usize) -> Self {
        let index = crate::model::index;
        let windows = traces.windows.iter();
        let windows: Vec<_> = windows
            .map(|&(first, end)| (index(first), index(end)))
            .collect();
        let n_inputs = 1 + windows.len();
        Self {
            lanes: Lanes::new(&traces.program, n, n_inputs),
            windows,
            n,
        }
    }

    fn start(&mut self) {
        self.lanes.start();
    }

    fn tick(&mut self, tick: usize, spikes: &[i64]) {
        debug_assert_eq!(spikes.len(), self.n);
        self.lanes.set(0, spikes.iter().copied());
        for (input, &(first, end)) in (1..).zip(&self.windows) {
            self.lanes
                .fill(input, i64::from((first..end).contains(&tick)));
        }
        self.lanes.tick();
    }
}

impl Learner {
    pub(crate) fn new(
        projection: usize,
        p: &Projection,
        plasticity: &Plasticity,
        n_post: usize,
    ) -> Self {
        let n_inputs = plasticity.inputs.len();
        Self {
            projection,
            of: [plasticity.pre_of, plasticity.post_of],
            n_sources: plasticity.n_sources,
            n_post,
            pre: Side::new(&plasticity.pre, p.n_pre),
            post: Side::new(&plasticity.post, n_post),
            rule: Lanes::new(&plasticity.rule, n_post, n_inputs),
            inputs: plasticity.inputs.clone(),
            gates: plasticity.gates.clone(),
            gains: (plasticity.gain.as_ref()).map(|gain| Gains::new(gain, p.n_pre)),
            word: plasticity.seed,
            words: Vec::new(),
            tags: plasticity.tag_bits().map(|_| vec![0; p.n_pre * n_post]),
            saturations: vec![0; n_post],
        }
    }

    /// Begins a sample: traces start again, weights and tags stay.
    pub(crate) fn start(&mut self) {
        self.pre.start();
        self.post.start();
    }

    /// Tags, `[pre][post]`; empty where there are none.
    pub(crate) fn tags(&self) -> &[i64] {
        self.tags.as_deref().unwrap_or(&[])
    }

    /// Traces of the sources, with their gains last, then of the targets, `[trace][neuron]`.
    pub(crate) fn traces(&self) -> [Vec<Vec<i64>>; 2] {
        let mut pre = self.pre.lanes.states();
        pre.extend(self.gains.as_ref().map(|gains| gains.values().to_vec()));
        [pre, self.post.lanes.states()]
    }

    /// Learns from one tick.
    pub(crate) fn tick(&mut self, seen: &Seen<'_>, synapses: &mut Synapses) -> LearningCounts {
        let mut counts = LearningCounts::default();
        if let Some(gains) = &mut self.gains {
            counts.saturations = gains.tick(seen.pre);
        }
        let any_post = seen.post.iter().any(|&n| n != 0);
        let open: Vec<usize> = (0..self.gates.len())
            .filter(|&gate| {
                let gate = &self.gates[gate];
                let mut moments = gate.moments.iter();
                moments.all(|&m| moment(m, seen) == 1) && (any_post || !gate.post_spike)
            })
            .collect();
        if !open.is_empty() {
            self.common_columns(seen);
            for pre in 0..self.n_sources {
                if open.iter().any(|&gate| self.is_open(gate, pre, seen)) {
                    self.row(pre, seen, synapses, &mut counts);
                }
            }
        }
        self.pre.tick(seen.tick, seen.followed[0]);
        self.post.tick(seen.tick, seen.followed[1]);
        counts
    }

    fn is_open(&self, gate: usize, pre: usize, seen: &Seen<'_>) -> bool {
        let mut needed = self.gates[gate].pre.iter();
        needed.all(|input| match *input {
            RuleInput::PreSpike => seen.pre[pre] != 0,
            RuleInput::PreTrace(n) => self.pre.lanes.value(n, pre) != 0,
            RuleInput::Gain => self.gain(pre) != 0,
            _ => true,
        })
    }

    /// The gain of a source in this tick.
    fn gain(&self, pre: usize) -> i64 {
        self.gains.as_ref().map_or(0, |gains| gains.values()[pre])
    }

    /// What all rows of a tick read alike.
    fn common_columns(&mut self, seen: &Seen<'_>) {
        for (at, &input) in self.inputs.iter().enumerate() {
            let rule = &mut self.rule;
            match input {
                RuleInput::PostSpike => rule.set(at, seen.post.iter().copied()),
                RuleInput::PostTrace(n) => rule.set(at, self.post.lanes.state(n)),
                RuleInput::PostState(n) => rule.set(at, (seen.state)(None, n).into_iter()),
                RuleInput::OtherState(id, n) => {
                    rule.set(at, (seen.state)(Some(id), n).into_iter());
                }
                RuleInput::Reward | RuleInput::Every(_) | RuleInput::End => {
                    rule.fill(at, moment(input, seen));
                }
                RuleInput::PreSpike
                | RuleInput::PreTrace(_)
                | RuleInput::Gain
                | RuleInput::Random(_) => {}
            }
        }
    }

    fn row(
        &mut self,
        pre: usize,
        seen: &Seen<'_>,
        synapses: &mut Synapses,
        counts: &mut LearningCounts,
    ) {
        let n_words = self.n_post.div_ceil(TARGETS_A_WORD);
        self.words.clear();
        for _ in 0..n_words {
            self.word = xorshift32(self.word);
            self.words.push(self.word);
        }
        for (at, &input) in self.inputs.iter().enumerate() {
            match input {
                RuleInput::PreSpike => self.rule.fill(at, seen.pre[pre]),
                RuleInput::PreTrace(n) => self.rule.fill(at, self.pre.lanes.value(n, pre)),
                RuleInput::Gain => {
                    let gain = self.gain(pre);
                    self.rule.fill(at, gain);
                }
                RuleInput::Random(bits) => {
                    let words = self.words.iter().enumerate();
                    let values = words.flat_map(|(n, &word)| {
                        let first = n * TARGETS_A_WORD;
                        (first..first + TARGETS_A_WORD).map(move |post| bits.of(word, post))
                    });
                    self.rule.set(at, values);
                }
                _ => {}
            }
        }
        let weights = synapses.row(pre).iter().map(|&w| i64::from(w));
        self.rule.set_state(0, weights);
        let own = pre * self.n_post..(pre + 1) * self.n_post;
        if let Some(tags) = &self.tags {
            self.rule.set_state(1, tags[own.clone()].iter().copied());
        }
        self.rule.tick();
        self.saturations.fill(0);
        self.rule.count_saturations(&mut self.saturations);
        let saturated = self.saturations.iter().filter(|&&n| n > 0).count();
        counts.saturations += crate::model::count(saturated);
        counts.updates += crate::model::count(self.n_post);
        let narrow = |new: i64| i16::try_from(new).expect("the rule's widths were checked");
        let pairs = synapses.row(pre).iter().zip(self.rule.state(0).map(narrow));
        counts.changes += crate::model::count(pairs.filter(|(old, new)| *old != new).count());
        synapses.set_row(pre, self.rule.state(0).map(narrow));
        if let Some(tags) = &mut self.tags {
            for (tag, new) in tags[own].iter_mut().zip(self.rule.state(1)) {
                *tag = new;
            }
        }
    }
}

/// What a tick is for all synapses.
fn moment(input: RuleInput, seen: &Seen<'_>) -> i64 {
    match input {
        RuleInput::Every(n) => i64::from((seen.tick + 1).is_multiple_of(1 << n)),
        RuleInput::End => i64::from(seen.is_last),
        RuleInput::Reward if seen.is_last => seen.reward,
        _ => 0,
    }
}
