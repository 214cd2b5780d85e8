//! Plasticity: how the weights of a projection change.
//!
//! A rule is a sum of products, in the spelling that users of Lava know:
//!
//! ```text
//! 2^-4 * x1 * y0 - 2^-6 * y1 * x0
//! ```
//!
//! | name | value, a whole number |
//! | --- | --- |
//! | `x0` | what arrives from the source in this tick: its number of spikes, or its graded value |
//! | `y0` | the target's number of spikes in this tick |
//! | `x1`, `x2` | traces of the source |
//! | `y1`, `y2`, `y3` | traces of the target |
//! | `w`, `t` | the weight, and the synapse's tag |
//! | `e0`, `e1`, `e2` | third factors: state variables of the target, or of another population of as many neurons, after this tick |
//! | `h1`, `h2`, `h3` | 1 where the target's membrane after this tick, and traces of the target, lie between given limits; else 0 |
//! | `k` | the source's gain by recursive least squares in this tick, see [`Gain`] |
//! | `r` | the reward: in a sample's last tick 1 where the decoder's class is the label, and -1 where it is not; else 0 |
//! | `u0` … `u9` | 1 in every tick of a sample, every 2nd, every 4th … every 512th |
//! | `end` | 1 in the last tick of a sample |
//!
//! A factor is a name, `sgn(NAME)`, a name with a constant (`(w + 8)`, `(127 - w)`), a whole number
//! or a power of two. Every product says when it counts: by `x0`, `y0`, one of `u0` … `u9`, or
//! `end`.
//!
//! **One tick.** When all populations have run, the plastic projections follow in order. Each
//! changes its synapses with the traces as the tick before left them, and then its traces take in
//! the tick's spikes. All numbers are whole; the sum of the products is added to the weight with
//! all its bits, rounded as [`WeightRounding`] says, and what does not fit the weight's width is
//! cut to the nearest value that does.
//!
//! **Phases.** A network may show each sample several times while it learns. Each phase begins as a
//! sample does, with the same spikes of the encoder; states, delays and the decoder start again,
//! and traces go on. Ticks of windows, `u0` … `u9` and `end` count over all phases. The class is
//! that of the first phase, and the teacher's channels speak in the last one only.
//!
//! **Rows.** Sources follow each other in ascending order, and the targets of each. A source is
//! passed over where every product is 0 for all of its synapses because of the tick, of what
//! belongs to the source, or of `y0` where no target spiked; such a synapse draws no random word.
//!
//! Traces, rules and their order follow M. Davies et al., "Loihi: a neuromorphic manycore
//! processor with on-chip learning", IEEE Micro 38(1), 2018.

use std::fmt;

use serde::{Deserialize, Serialize};
use spikeloom_fixed::BitWidth;

use crate::PopulationId;

/// How the weights of a projection change, as the Network level has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Learning {
    /// What is added to a weight, in multiples of `step`.
    pub rule: Rule,
    /// A further number of each synapse.
    pub tag: Option<Tag>,
    /// The traces `x1` and `x2`.
    pub pre: Vec<SynapticTrace>,
    /// The traces `y1` to `y3`.
    pub post: Vec<SynapticTrace>,
    /// The population whose spikes the traces `x1` and `x2` follow, where it is not the source; it
    /// has as many neurons, and its spikes count in the tick in which they leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_of: Option<PopulationId>,
    /// The same for `y1` to `y3` and the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_of: Option<PopulationId>,
    /// The state variables that are `e0` to `e2`.
    pub third: Vec<ThirdFactor>,
    /// What `k` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain: Option<Gain>,
    /// What `h1` to `h3` are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
    /// What a weight of 1 stands for, above 0: the same for the whole projection.
    pub step: f32,
    /// How sums are rounded to whole steps.
    pub rounding: WeightRounding,
}

/// A state variable that a rule reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThirdFactor {
    /// Whose it is: neuron `n` of that population's counts for target `n`; `None` for the target.
    pub population: Option<PopulationId>,
    /// Its name.
    pub state: String,
}

/// Recursive least squares: how much of the error each source answers for, after all that has been
/// seen of the sources.
///
/// With `P` the inverse of the sum of `x x^T` over all ticks, and of `alpha` times the identity,
/// `k = P x / (1 + x^T P x)` and `P <- P - k (P x)^T`; `x` is what arrives from the sources, as a
/// share of its full scale. A readout that takes its error times `k` from its weights in every tick
/// is at each moment the ridge regression of what it has seen (S. Haykin, "Adaptive filter theory";
/// D. Sussillo and L. F. Abbott, "Generating coherent patterns of activity from chaotic neural
/// networks", Neuron 63(4), 2009, whose `alpha` this is).
/// [`crate::gain::Gain`] is the same in whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gain {
    /// `alpha` is `2^exponent`: the ridge regression's, times the square of the full scale.
    pub alpha_exponent: i32,
    /// Width of a number of `P`, sign included.
    pub bits: BitWidth,
}

/// `-2^EXACT_STEP * e0 * k` is the step of recursive least squares in whole steps of a weight, where
/// `e0` is the target's membrane: the unit of `k` follows from this, whatever the others are.
pub const EXACT_STEP: i32 = -26;

/// 1 where all of some numbers of the target lie between their limits, and else 0: a
/// pseudo-derivative in two steps, or a flag that compares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flag {
    /// At least one.
    pub limits: Vec<Limits>,
}

/// Limits of one number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Which number.
    pub of: Compared,
    /// The lowest that is inside; for a membrane in units of the network.
    pub from: Option<f32>,
    /// What is above all that is inside.
    pub below: Option<f32>,
}

/// What limits are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// The target's membrane potential, after this tick.
    Membrane,
    /// `y1`, `y2`, `y3`, as the tick before left them.
    PostTrace(u8),
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Compared::Membrane => f.write_str("v_mem"),
            Compared::PostTrace(n) => write!(f, "y{n}"),
        }
    }
}

/// A number that each synapse keeps beside its weight; 0 before the first sample, and kept from
/// sample to sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// What is added to it.
    pub rule: Rule,
    /// Its width, sign included.
    pub bits: BitWidth,
}

/// A number that follows the spikes of a neuron, 0 at a sample's first tick.
///
/// In each tick it becomes `floor(decay * trace) + impulse * spikes`, at most [`MAX_TRACE`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SynapticTrace {
    /// What remains of it after a tick, in [0, 1].
    pub decay: f32,
    /// What a spike adds.
    pub impulse: u32,
    /// The ticks whose spikes it takes in, counted from 0; all by default.
    pub window: Option<Window>,
}

/// When a trace takes in spikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// From the first tick to the one before the second.
    Ticks(u32, u32),
    /// In one phase, counted from 1, but for its last tick, which a rule at `end` does not see in
    /// the last phase: so that the same spikes give the same trace in each.
    Phase(u32),
}

impl Window {
    /// Its first tick, and the one behind its last, where a phase has so many.
    pub fn ticks(self, of_a_phase: u32) -> (u32, u32) {
        match self {
            Window::Ticks(first, end) => (first, end),
            Window::Phase(phase) => {
                let first = phase.saturating_sub(1).saturating_mul(of_a_phase);
                (first, first.saturating_add(of_a_phase.saturating_sub(1)))
            }
        }
    }
}

/// The largest value of a trace.
pub const MAX_TRACE: i64 = 255;

/// How the sum of a rule's products becomes whole steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightRounding {
    /// Up or down at random, so that it is right on average.
    Stochastic {
        /// Where the generator starts, not 0.
        seed: u32,
    },
    /// To the nearest step, halves up.
    Nearest,
    /// To the nearest step, and what that leaves out is kept with the synapse and added to the next
    /// sum: its lowest bits, [`CARRIED_BITS`] of them, have the tag's place.
    Carried,
    /// Down.
    Floor,
}

/// Bits behind the point that [`WeightRounding::Carried`] keeps; further ones are rounded.
pub const CARRIED_BITS: u32 = 12;

/// A sum of products.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// At least one.
    pub products: Vec<Product>,
}

/// `mantissa * 2^exponent`, times all factors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Odd, so that each product has one spelling.
    pub mantissa: i32,
    /// Of two.
    pub exponent: i32,
    /// In the order in which they were written.
    pub factors: Vec<Factor>,
}

/// One factor of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    /// The value.
    Value(Name),
    /// -1, 0 or 1.
    Sign(Name),
    /// The value and a constant.
    Sum(Name, i32),
    /// A constant without the value.
    Difference(i32, Name),
}

/// What a rule may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Name {
    /// `x0`
    PreSpike,
    /// `y0`
    PostSpike,
    /// `x1`, `x2`
    PreTrace(u8),
    /// `y1`, `y2`, `y3`
    PostTrace(u8),
    /// `w`
    Weight,
    /// `t`
    Tag,
    /// `e0`, `e1`, `e2`
    Third(u8),
    /// `h1`, `h2`, `h3`
    Flag(u8),
    /// `k`
    Gain,
    /// `r`
    Reward,
    /// `u0` … `u9`
    Every(u8),
    /// `end`
    End,
}

/// Most products of a rule.
pub const MAX_PRODUCTS: usize = 8;
/// Most factors of a product, constants not counted.
pub const MAX_FACTORS: usize = 5;
/// Largest constant.
pub const MAX_CONSTANT: i32 = (1 << 15) - 1;
/// Largest power of two.
pub const MAX_EXPONENT: i32 = 24;
/// Smallest power of two: a random word has 32 bits, and what is rounded at random one more than
/// its share of them.
pub const MIN_EXPONENT: i32 = -31;

impl Name {
    /// All names, in the order of the table above.
    pub fn all() -> impl Iterator<Item = Name> {
        [Name::PreSpike, Name::PostSpike]
            .into_iter()
            .chain((1..=2).map(Name::PreTrace))
            .chain((1..=3).map(Name::PostTrace))
            .chain([Name::Weight, Name::Tag])
            .chain((0..=2).map(Name::Third))
            .chain((1..=3).map(Name::Flag))
            .chain([Name::Gain, Name::Reward])
            .chain((0..=9).map(Name::Every))
            .chain([Name::End])
    }

    /// Whether it says when a product counts.
    pub fn says_when(self) -> bool {
        matches!(
            self,
            Name::PreSpike | Name::PostSpike | Name::Every(_) | Name::End
        )
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::PreSpike => f.write_str("x0"),
            Name::PostSpike => f.write_str("y0"),
            Name::PreTrace(n) => write!(f, "x{n}"),
            Name::PostTrace(n) => write!(f, "y{n}"),
            Name::Weight => f.write_str("w"),
            Name::Tag => f.write_str("t"),
            Name::Third(n) => write!(f, "e{n}"),
            Name::Flag(n) => write!(f, "h{n}"),
            Name::Gain => f.write_str("k"),
            Name::Reward => f.write_str("r"),
            Name::Every(n) => write!(f, "u{n}"),
            Name::End => f.write_str("end"),
        }
    }
}

impl Factor {
    /// What it reads.
    pub fn name(self) -> Name {
        match self {
            Factor::Value(name)
            | Factor::Sign(name)
            | Factor::Sum(name, _)
            | Factor::Difference(_, name) => name,
        }
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Factor::Value(name) => write!(f, "{name}"),
            Factor::Sign(name) => write!(f, "sgn({name})"),
            Factor::Sum(name, constant) if constant < 0 => write!(f, "({name} - {})", -constant),
            Factor::Sum(name, constant) => write!(f, "({name} + {constant})"),
            Factor::Difference(constant, name) => write!(f, "({constant} - {name})"),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, product) in self.products.iter().enumerate() {
            let sign = match (at, product.mantissa < 0) {
                (0, false) => "",
                (0, true) => "-",
                (_, false) => " + ",
                (_, true) => " - ",
            };
            f.write_str(sign)?;
            let mut parts = Vec::new();
            if product.mantissa.abs() != 1 {
                parts.push(product.mantissa.abs().to_string());
            }
            if product.exponent != 0 {
                parts.push(format!("2^{}", product.exponent));
            }
            parts.extend(product.factors.iter().map(Factor::to_string));
            f.write_str(&parts.join(" * "))?;
        }
        Ok(())
    }
}
