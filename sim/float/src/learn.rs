//! Learning in real numbers: the twin of what the golden model learns in whole steps.
//!
//! The rules, their traces, tags, flags, third factors, phases and rewards are those of
//! [`spikeloom_ir::learning`], in its order of a tick. What differs: weights, tags and traces are
//! real numbers of double precision, sums of products are added as they are, whatever `rounding`
//! says, and nothing is random. So a difference from the golden model is the price of whole numbers,
//! and of nothing else: a weight still keeps to the range of its width, a tag to that of its own, and
//! a trace to [`MAX_TRACE`].
//!
//! Rules measure in whole numbers: weights in steps, membranes in units of the integer network. The
//! caller says what those units are ([`Units`]), so that a rule's constants mean the same here.

use spikeloom_ir::geometry::Connectivity;
use spikeloom_ir::learning::{
    Compared, Factor, Flag, Learning, Limits, MAX_TRACE, Name, Product, Rule, SynapticTrace,
};
use spikeloom_ir::network::{Encoder, Network, Projection, Source};
use spikeloom_ir::{PopulationId, ProjectionId};

use crate::Error;
use crate::gains::Gains;
use crate::run::{Activity, Execution, Record, Sample, check};

/// What the whole numbers that rules read stand for.
#[derive(Debug, Clone, PartialEq)]
pub struct Units {
    /// One entry a population: what 1 of each neuron's membrane and synaptic current stands for.
    pub membranes: Vec<Vec<f64>>,
    /// One entry a population: what 1 of what it sends stands for; of spikes 1.
    pub sent: Vec<f64>,
    /// One entry a population: what the full scale of its values stands for; of spikes 1.
    pub full: Vec<f64>,
    /// One entry a projection: the lowest and the highest weight, in steps. Read of those that learn.
    pub weights: Vec<(f64, f64)>,
}

/// What a sample came to, and what was learnt from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Learnt {
    /// What the first phase came to, with the weights as they were in each tick.
    pub record: Record,
    /// Over all plastic projections.
    pub counts: LearningCounts,
}

/// What learning did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LearningCounts {
    /// Rules that ran, one a synapse. A source is passed over where every product is 0 for all of its
    /// synapses because of the tick, of what belongs to the source, or of `y0` where no target
    /// spiked.
    pub updates: u64,
    /// Of them, those that changed the weight.
    pub changes: u64,
    /// Of them, those whose weight or tag was cut to its range.
    pub saturations: u64,
}

/// What the synapses of a plastic projection keep.
#[derive(Debug, Clone, PartialEq)]
pub struct Synapses {
    /// The weights in steps, `[pre][post]`.
    pub weights: Vec<f64>,
    /// The tags, `[pre][post]`; empty where there are none.
    pub tags: Vec<f64>,
    /// Traces of the sources, `[trace][neuron]`.
    pub pre: Vec<Vec<f64>>,
    /// Traces of the targets.
    pub post: Vec<Vec<f64>>,
}

/// A network that learns in real numbers.
#[derive(Debug, Clone)]
pub struct Learner {
    network: Network,
    plastic: Vec<Plastic>,
}

impl Learner {
    /// Makes a network ready to learn.
    ///
    /// # Errors
    /// Where the network's parts or the units do not fit each other, or a projection learns in a way
    /// that has no meaning here.
    pub fn new(network: &Network, units: &Units) -> Result<Self, Error> {
        check(network)?;
        check_units(network, units)?;
        let projections = network.projections.iter().enumerate();
        let learning = projections.filter_map(|(at, p)| Some((at, p, p.learning.as_ref()?)));
        let plastic = learning
            .map(|(at, p, learning)| Plastic::new(network, units, at, p, learning))
            .collect::<Result<_, _>>()?;
        let mut learner = Self {
            network: network.clone(),
            plastic,
        };
        for plastic in &learner.plastic {
            plastic.write(&mut learner.network.projections[plastic.projection]);
        }
        Ok(learner)
    }

    /// Whether anything can be learnt.
    pub fn is_plastic(&self) -> bool {
        !self.plastic.is_empty()
    }

    /// The network with the weights that it has now, in single precision.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What the synapses of a projection keep; `None` where it is not plastic.
    pub fn synapses(&self, projection: ProjectionId) -> Option<&Synapses> {
        let mut plastic = self.plastic.iter();
        let found = plastic.find(|plastic| plastic.projection == projection.0)?;
        Some(&found.synapses)
    }

    /// Runs one sample, as often as the network has phases, and learns from it. The reward is 1
    /// where the class is `label`, and -1 where it is another; without a label it is 0.
    ///
    /// # Errors
    /// Where the sample does not fit the network.
    pub fn learn(&mut self, sample: Sample<'_>, label: Option<usize>) -> Result<Learnt, Error> {
        let Self { network, plastic } = self;
        let n_channels: usize = network.input.shape.iter().product();
        let first_taught = n_channels.saturating_sub(network.input.teacher);
        let mut counts = LearningCounts::default();
        let mut decided: Option<Record> = None;
        plastic.iter_mut().for_each(Plastic::start);
        let n_phases = usize::try_from(network.phases.max(1)).unwrap_or(usize::MAX);
        for phase in 0..n_phases {
            let is_last_phase = phase + 1 == n_phases;
            let mut execution = Execution::new(network, sample)?;
            if !is_last_phase {
                execution.silence(first_taught);
            }
            for tick in 0..execution.ticks {
                execution.tick(network);
                let is_last = is_last_phase && tick + 1 == execution.ticks;
                let reward = match label.filter(|_| is_last) {
                    None => 0.0,
                    Some(label) => {
                        let decided = decided.as_ref().map(|record| record.class);
                        let class = decided.unwrap_or_else(|| execution.class(network));
                        if class == label { 1.0 } else { -1.0 }
                    }
                };
                let now = Moment {
                    tick: phase * execution.ticks + tick,
                    is_last,
                    reward,
                };
                for plastic in plastic.iter_mut() {
                    let projection = &mut network.projections[plastic.projection];
                    plastic.tick(&execution, now, projection, &mut counts);
                }
            }
            let record = execution.finish(network);
            decided.get_or_insert(record);
        }
        let record = decided.expect("a sample has a phase");
        Ok(Learnt { record, counts })
    }
}

/// What a tick is for all synapses.
#[derive(Debug, Clone, Copy)]
struct Moment {
    /// Counted from 0, over all phases.
    tick: usize,
    /// Of the last phase.
    is_last: bool,
    reward: f64,
}

impl Moment {
    /// The value of a name that says nothing of neurons or synapses; `None` of all others.
    fn value(self, name: Name) -> Option<f64> {
        let bit = |is: bool| if is { 1.0 } else { 0.0 };
        match name {
            Name::Every(n) => Some(bit((self.tick + 1).is_multiple_of(1 << n))),
            Name::End => Some(bit(self.is_last)),
            Name::Reward => Some(self.reward),
            _ => None,
        }
    }
}

/// One plastic projection.
#[derive(Debug, Clone)]
struct Plastic {
    projection: usize,
    target: PopulationId,
    learning: Learning,
    /// Sources that learn, the first ones; those behind them are a teacher's.
    n_sources: usize,
    n_post: usize,
    /// Ticks of a phase.
    of_a_phase: u32,
    /// What 1 of `x0` stands for.
    sent: f64,
    third: Vec<Third>,
    weight_range: (f64, f64),
    tag_range: (f64, f64),
    gains: Option<Gains>,
    synapses: Synapses,
}

/// A state variable that a rule reads, and what 1 of it stands for, one a neuron.
#[derive(Debug, Clone)]
struct Third {
    population: PopulationId,
    state: State,
    units: Vec<f64>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Membrane,
    Current,
}

/// What a tick shows a rule of both sides.
struct Seen {
    now: Moment,
    /// One a source.
    x0: Vec<f64>,
    /// One a target.
    y0: Vec<f64>,
    /// `[third factor][target]`.
    third: Vec<Vec<f64>>,
    /// `[flag][target]`, 0 or 1.
    flags: Vec<Vec<f64>>,
}

impl Plastic {
    fn new(
        network: &Network,
        units: &Units,
        at: usize,
        p: &Projection,
        learning: &Learning,
    ) -> Result<Self, Error> {
        let refused = |reason: String| Error::Learning {
            projection: p.name.clone(),
            reason,
        };
        if p.connectivity != Connectivity::Dense
            || !p.pooling.is_empty()
            || p.channel_delays.is_some()
        {
            return Err(refused("it is not dense, or has several delays".to_owned()));
        }
        let sent = match p.source {
            Source::Population(id) => units.sent[id.0],
            Source::Input => match network.input.encoder {
                Encoder::Direct { .. } => {
                    return Err(refused("its source is a constant input".to_owned()));
                }
                Encoder::Series { scale } => scale.into(),
                _ => 1.0,
            },
        };
        let gains = match (&learning.gain, p.source) {
            (None, _) => None,
            (Some(gain), Source::Population(id))
                if network.populations[id.0].neuron.firing.is_none() && p.delay == 0 =>
            {
                let error = units.membranes[p.target.0].first().copied().unwrap_or(1.0);
                let units = [sent, units.full[id.0], error, learning.step.into()];
                Some(Gains::new(gain, p.n_pre, units))
            }
            (Some(_), _) => {
                let reason = "its gains are of what is no graded value of the same tick";
                return Err(refused(reason.to_owned()));
            }
        };
        let third = learning.third.iter().map(|third| {
            let population = third.population.unwrap_or(p.target);
            let owner = network.populations.get(population.0);
            let fits = owner.filter(|owner| owner.n_neurons() == p.n_post);
            let state = match third.state.as_str() {
                "v_mem" => fits.map(|_| State::Membrane),
                "i_syn" => fits
                    .filter(|owner| owner.neuron.synapse.is_some())
                    .map(|_| State::Current),
                _ => None,
            };
            let state = state.ok_or_else(|| {
                let name = owner.map_or("that is not there", |owner| &owner.name);
                refused(format!(
                    "it reads `{}` of population {name}, which is no membrane and no synaptic current of {} neurons",
                    third.state, p.n_post
                ))
            })?;
            Ok(Third {
                population,
                state,
                units: units.membranes[population.0].clone(),
            })
        });
        let own = Self {
            projection: at,
            target: p.target,
            learning: learning.clone(),
            n_sources: match p.source {
                Source::Input => p.n_pre.saturating_sub(network.input.teacher),
                Source::Population(_) => p.n_pre,
            },
            n_post: p.n_post,
            of_a_phase: network.ticks,
            sent,
            third: third.collect::<Result<_, _>>()?,
            weight_range: units.weights[at],
            tag_range: learning.tag.as_ref().map_or((0.0, 0.0), |tag| {
                // At most 16 bits, which double precision holds.
                (tag.bits.lowest() as f64, tag.bits.highest() as f64)
            }),
            gains,
            synapses: Synapses {
                weights: Vec::new(),
                tags: vec![0.0; learning.tag.as_ref().map_or(0, |_| p.n_pre * p.n_post)],
                pre: vec![vec![0.0; p.n_pre]; learning.pre.len()],
                post: vec![vec![0.0; p.n_post]; learning.post.len()],
            },
        };
        for (of, n) in [(learning.pre_of, p.n_pre), (learning.post_of, p.n_post)] {
            let fits = |id: PopulationId| {
                let followed = network.populations.get(id.0);
                followed.is_some_and(|f| f.n_neurons() == n && f.neuron.firing.is_some())
            };
            if !of.is_none_or(fits) {
                return Err(refused(
                    "its traces follow spikes that are not there".to_owned(),
                ));
            }
        }
        for rule in own.rules() {
            let factors = rule.products.iter().flat_map(|product| &product.factors);
            let mut names = factors.map(|factor| factor.name());
            if let Some(name) = names.find(|&name| !own.has(name)) {
                return Err(refused(format!(
                    "its rule reads `{name}`, which is not there"
                )));
            }
        }
        for limits in learning.flags.iter().flat_map(|flag| &flag.limits) {
            if let Compared::PostTrace(n) = limits.of
                && !own.has(Name::PostTrace(n))
            {
                return Err(refused(format!("a flag reads `y{n}`, which is not there")));
            }
        }
        // `[post][pre]` becomes `[pre][post]`.
        let step = f64::from(learning.step);
        let weight = |at: usize| {
            let (pre, post) = (at / p.n_post, at % p.n_post);
            let weight = f64::from(p.weights[post * p.n_pre + pre]) / step;
            weight.clamp(own.weight_range.0, own.weight_range.1)
        };
        let weights = (0..p.n_pre * p.n_post).map(weight).collect();
        Ok(Self {
            synapses: Synapses {
                weights,
                ..own.synapses
            },
            ..own
        })
    }

    /// The rule of the weight, then that of the tag.
    fn rules(&self) -> impl Iterator<Item = &Rule> {
        let tag = self.learning.tag.iter().map(|tag| &tag.rule);
        std::iter::once(&self.learning.rule).chain(tag)
    }

    /// Whether a rule may read it.
    fn has(&self, name: Name) -> bool {
        let learning = &self.learning;
        let counts_from_1 = |n: u8, len: usize| n >= 1 && usize::from(n) <= len;
        match name {
            Name::PreTrace(n) => counts_from_1(n, learning.pre.len()),
            Name::PostTrace(n) => counts_from_1(n, learning.post.len()),
            Name::Flag(n) => counts_from_1(n, learning.flags.len()),
            Name::Third(n) => usize::from(n) < learning.third.len(),
            Name::Tag => learning.tag.is_some(),
            Name::Gain => learning.gain.is_some(),
            _ => true,
        }
    }

    /// Begins a sample: traces start again, weights and tags stay.
    fn start(&mut self) {
        let Synapses { pre, post, .. } = &mut self.synapses;
        for trace in pre.iter_mut().chain(post) {
            trace.fill(0.0);
        }
    }

    /// Puts the weights into the network.
    fn write(&self, projection: &mut Projection) {
        for pre in 0..projection.n_pre {
            self.write_row(pre, projection);
        }
    }

    fn write_row(&self, pre: usize, projection: &mut Projection) {
        let step = f64::from(self.learning.step);
        let row = &self.synapses.weights[pre * self.n_post..][..self.n_post];
        for (post, weight) in row.iter().enumerate() {
            projection.weights[post * projection.n_pre + pre] = (weight * step) as f32;
        }
    }

    /// Learns from the tick that ran last.
    fn tick(
        &mut self,
        execution: &Execution<'_>,
        now: Moment,
        projection: &mut Projection,
        counts: &mut LearningCounts,
    ) {
        let x0 = self.arrived(execution, projection);
        let y0 = spikes(execution, self.target);
        if let Some(gains) = &mut self.gains {
            gains.tick(&x0);
        }
        let products = self.rules().flat_map(|rule| &rule.products);
        let any_post = y0.iter().any(|&n| n != 0.0);
        let open: Vec<Product> = products
            .filter(|product| is_open_now(product, now, any_post))
            .cloned()
            .collect();
        if !open.is_empty() {
            let seen = Seen {
                now,
                third: self.third.iter().map(|t| t.values(execution)).collect(),
                flags: self.flags(execution),
                x0,
                y0,
            };
            for pre in 0..self.n_sources {
                if open.iter().any(|product| self.is_open(product, pre, &seen)) {
                    self.row(pre, &seen, counts);
                    self.write_row(pre, projection);
                }
            }
            self.follow(execution, now.tick, seen.x0, seen.y0);
        } else {
            self.follow(execution, now.tick, x0, y0);
        }
    }

    /// What arrived from each source, in whole numbers or between them.
    fn arrived(&self, execution: &Execution<'_>, projection: &Projection) -> Vec<f64> {
        match &*execution.arrived(projection) {
            Activity::Spikes(spikes) => {
                let mut x0 = vec![0.0; projection.n_pre];
                for &(at, n) in spikes {
                    x0[at] += f64::from(n);
                }
                x0
            }
            Activity::Values(values) => {
                let values = values.iter();
                values.map(|&v| f64::from(v) / self.sent).collect()
            }
        }
    }

    /// Whether each flag is 1, of all targets.
    fn flags(&self, execution: &Execution<'_>) -> Vec<Vec<f64>> {
        let membranes = execution.membranes(self.target);
        let is_inside = |limits: &Limits, post: usize| {
            let value = match limits.of {
                Compared::Membrane => f64::from(membranes[post]),
                Compared::PostTrace(n) => self.synapses.post[usize::from(n) - 1][post],
            };
            limits.from.is_none_or(|from| value >= from.into())
                && limits.below.is_none_or(|below| value < below.into())
        };
        let of_flag = |Flag { limits }: &Flag| {
            let all = |post: usize| limits.iter().all(|limits| is_inside(limits, post));
            let bit = |post: usize| if all(post) { 1.0 } else { 0.0 };
            (0..self.n_post).map(bit).collect()
        };
        self.learning.flags.iter().map(of_flag).collect()
    }

    /// Whether a product that is open in this tick may be other than 0 for synapses of a source.
    fn is_open(&self, product: &Product, pre: usize, seen: &Seen) -> bool {
        let mut factors = product.factors.iter();
        factors.all(|factor| match *factor {
            Factor::Value(Name::PreSpike) | Factor::Sign(Name::PreSpike) => seen.x0[pre] != 0.0,
            Factor::Value(Name::PreTrace(n)) | Factor::Sign(Name::PreTrace(n)) => {
                self.synapses.pre[usize::from(n) - 1][pre] != 0.0
            }
            Factor::Value(Name::Gain) | Factor::Sign(Name::Gain) => self.gain(pre) != 0.0,
            _ => true,
        })
    }

    /// The gain of a source in this tick, in whole numbers or between them.
    fn gain(&self, pre: usize) -> f64 {
        self.gains.as_ref().map_or(0.0, |gains| gains.values[pre])
    }

    /// Changes weights and tags of one source.
    fn row(&mut self, pre: usize, seen: &Seen, counts: &mut LearningCounts) {
        for post in 0..self.n_post {
            let at = pre * self.n_post + post;
            let before = self.synapses.weights[at];
            let sum = before + self.sum(&self.learning.rule, pre, post, seen);
            let weight = sum.clamp(self.weight_range.0, self.weight_range.1);
            let mut is_cut = weight != sum;
            if let Some(tag) = &self.learning.tag {
                let sum = self.synapses.tags[at] + self.sum(&tag.rule, pre, post, seen);
                let tag = sum.clamp(self.tag_range.0, self.tag_range.1);
                is_cut |= tag != sum;
                self.synapses.tags[at] = tag;
            }
            self.synapses.weights[at] = weight;
            counts.updates += 1;
            counts.changes += u64::from(weight != before);
            counts.saturations += u64::from(is_cut);
        }
    }

    /// The sum of a rule's products for one synapse.
    fn sum(&self, rule: &Rule, pre: usize, post: usize, seen: &Seen) -> f64 {
        let products = rule.products.iter().map(|product| {
            let constant = f64::from(product.mantissa) * 2f64.powi(product.exponent);
            let factors = product.factors.iter().map(|&factor| {
                let value = self.value(factor.name(), pre, post, seen);
                match factor {
                    Factor::Value(_) => value,
                    Factor::Sign(_) if value == 0.0 => 0.0,
                    Factor::Sign(_) => value.signum(),
                    Factor::Sum(_, constant) => value + f64::from(constant),
                    Factor::Difference(constant, _) => f64::from(constant) - value,
                }
            });
            constant * factors.product::<f64>()
        });
        products.sum()
    }

    fn value(&self, name: Name, pre: usize, post: usize, seen: &Seen) -> f64 {
        let synapses = &self.synapses;
        let at = pre * self.n_post + post;
        match name {
            Name::PreSpike => seen.x0[pre],
            Name::PostSpike => seen.y0[post],
            Name::PreTrace(n) => synapses.pre[usize::from(n) - 1][pre],
            Name::PostTrace(n) => synapses.post[usize::from(n) - 1][post],
            Name::Weight => synapses.weights[at],
            Name::Tag => synapses.tags[at],
            Name::Third(n) => seen.third[usize::from(n)][post],
            Name::Flag(n) => seen.flags[usize::from(n) - 1][post],
            Name::Gain => self.gain(pre),
            Name::Reward | Name::Every(_) | Name::End => seen.now.value(name).unwrap_or(0.0),
        }
    }

    /// The traces take in the tick's spikes.
    fn follow(&mut self, execution: &Execution<'_>, tick: usize, x0: Vec<f64>, y0: Vec<f64>) {
        let Learning {
            pre,
            post,
            pre_of,
            post_of,
            ..
        } = &self.learning;
        let of = |id: Option<PopulationId>, own| id.map_or(own, |id| spikes(execution, id));
        let (x0, y0) = (of(*pre_of, x0), of(*post_of, y0));
        let synapses = &mut self.synapses;
        take_in(pre, &mut synapses.pre, self.of_a_phase, tick, &x0);
        take_in(post, &mut synapses.post, self.of_a_phase, tick, &y0);
    }
}

impl Third {
    /// In whole numbers or between them, one a target.
    fn values(&self, execution: &Execution<'_>) -> Vec<f64> {
        let values = match self.state {
            State::Membrane => execution.membranes(self.population),
            State::Current => execution.currents(self.population),
        };
        let pairs = values.iter().zip(&self.units);
        pairs
            .map(|(&value, unit)| f64::from(value) / unit)
            .collect()
    }
}

/// Spikes of each neuron in the last tick.
fn spikes(execution: &Execution<'_>, population: PopulationId) -> Vec<f64> {
    let spikes = execution.spikes(population).iter();
    spikes.map(|&n| f64::from(n)).collect()
}

/// Whether a product may be other than 0 in this tick.
fn is_open_now(product: &Product, now: Moment, any_post: bool) -> bool {
    let mut factors = product.factors.iter();
    factors.all(|factor| match *factor {
        Factor::Value(Name::PostSpike) | Factor::Sign(Name::PostSpike) => any_post,
        // Without a label the reward is 0, but the tick counts.
        Factor::Value(Name::Reward) | Factor::Sign(Name::Reward) => now.is_last,
        Factor::Value(name) | Factor::Sign(name) => now.value(name) != Some(0.0),
        Factor::Sum(..) | Factor::Difference(..) => true,
    })
}

/// `trace = min(decay * trace + impulse * spikes, MAX_TRACE)`, of all neurons of one side.
fn take_in(
    traces: &[SynapticTrace],
    values: &mut [Vec<f64>],
    of_a_phase: u32,
    tick: usize,
    spikes: &[f64],
) {
    let highest = MAX_TRACE as f64;
    for (trace, values) in traces.iter().zip(values) {
        let is_open = trace.window.is_none_or(|window| {
            let (first, end) = window.ticks(of_a_phase);
            u32::try_from(tick).is_ok_and(|tick| (first..end).contains(&tick))
        });
        let impulse = if is_open {
            f64::from(trace.impulse)
        } else {
            0.0
        };
        let decay = f64::from(trace.decay);
        for (value, spikes) in values.iter_mut().zip(spikes) {
            *value = (decay * *value + impulse * spikes).min(highest);
        }
    }
}

fn check_units(network: &Network, units: &Units) -> Result<(), Error> {
    let same = |what, found: usize, expected: usize| match found == expected {
        true => Ok(()),
        false => Err(Error::NetworkShape {
            what,
            name: network.name.clone(),
            found,
            expected,
        }),
    };
    let n = network.populations.len();
    same("units of membranes", units.membranes.len(), n)?;
    same("units of what is sent", units.sent.len(), n)?;
    same("full scales of what is sent", units.full.len(), n)?;
    same(
        "ranges of weights",
        units.weights.len(),
        network.projections.len(),
    )?;
    for (own, population) in units.membranes.iter().zip(&network.populations) {
        same("units of membranes", own.len(), population.n_neurons())?;
    }
    Ok(())
}
