//! Rungs of the ladder and what climbing one came to.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::compare::Divergence;

/// An executor of the network, from the framework's own arithmetic down to the bitstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// The Network level in single precision, against the framework and the golden model.
    Float,
    /// The golden model: no value leaves its width.
    Golden,
    /// The circuit in rust-hdl's simulator.
    Hdl,
    /// The emitted Verilog in Verilator.
    Verilator,
    /// The netlist after synthesis in Verilator.
    Netlist,
    /// The netlist decoded from the bitstream in Verilator.
    Bitstream,
}

impl Rung {
    /// All rungs, from the top of the ladder.
    pub const ALL: [Self; 6] = [
        Self::Float,
        Self::Golden,
        Self::Hdl,
        Self::Verilator,
        Self::Netlist,
        Self::Bitstream,
    ];

    /// Its name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Golden => "golden",
            Self::Hdl => "hdl",
            Self::Verilator => "verilator",
            Self::Netlist => "netlist",
            Self::Bitstream => "bitstream",
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What climbing a rung came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every value is the golden model's.
    Equal,
    /// The share of values that agree, where identity is not to be expected.
    Agreement {
        /// Spikes equal to the golden model's, of all, in [0, 1]; `None` where no neuron fires.
        spikes: Option<f64>,
        /// Classes equal to the golden model's, of all, in [0, 1].
        classes: f64,
        /// Spike bits that differ from the framework's own, where those are known.
        framework_differences: Option<u64>,
    },
    /// Some value is not the golden model's; this is the first.
    Different(Divergence),
    /// The executor failed.
    Failed {
        /// How.
        message: String,
    },
}

impl Verdict {
    /// Whether the ladder holds on this rung.
    pub fn holds(&self) -> bool {
        matches!(self, Verdict::Equal | Verdict::Agreement { .. })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// One line of the ladder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Which executor.
    pub rung: Rung,
    /// Samples compared.
    pub samples: u64,
    /// Samples learnt from, on the way behind them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub learnt: u64,
    /// Values compared: classes, scores, states and spikes.
    pub values: u64,
    /// What it came to.
    pub verdict: Verdict,
}
