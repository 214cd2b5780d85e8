//! The report of a compilation: figures under stable names, the same on every run.

use serde::{Deserialize, Serialize};
use spikeloom_bitstreams::{PllSetting, PnrReport, SynthReport};
use spikeloom_calibrate::{BudgetReport, CalibrationReport, NeuronReport};
use spikeloom_ir::mapped::{Estimate, Memory};
use spikeloom_passes::QuantizeReport;

use crate::flash::FlashReport;
use crate::parts::{PathPiece, Usage};

/// The last step of a compilation.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum StopAt {
    /// After the Verilog is written; needs no external tool.
    Verilog,
    /// After synthesis.
    Netlist,
    /// After the bitstream is packed.
    Bitstream,
}

impl StopAt {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            StopAt::Verilog => "verilog",
            StopAt::Netlist => "netlist",
            StopAt::Bitstream => "bitstream",
        }
    }
}

/// Figures of a compilation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of Spikeloom.
    pub spikeloom: String,
    /// Name of the model.
    pub model: String,
    /// Name of the target.
    pub target: String,
    /// Identity of the design, 16 hexadecimal digits.
    pub design_id: String,
    /// SHA-256 of the model file and of `project.yaml`, in hexadecimal digits.
    pub source_digest: String,
    /// The last step.
    pub stopped_at: StopAt,
    /// Clock of the design in hertz.
    pub clock_hz: u64,
    /// How the board's clock is made into it; `None` where it is the board's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pll: Option<PllSetting>,
    /// Clock cycles of a bit on the serial line.
    pub cycles_per_bit: u32,
    /// Ticks of a sample.
    pub ticks: u32,
    /// Width of the widest weights.
    pub weight_bits: u32,
    /// What the front end assumed or repaired.
    pub remarks: Vec<String>,
    /// What quantising decided.
    pub quantize: QuantizeReport,
    /// What calibrating came to; `None` without data.
    pub calibration: Option<CalibrationReport>,
    /// How the weights were made to fit; `None` without a budget.
    pub budget: Option<BudgetReport>,
    /// Neurons that never fire, and saturations.
    pub neurons: NeuronReport,
    /// Lanes of each population's core.
    pub lanes: Vec<usize>,
    /// Populations that share a core, in the order of their turns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folds: Vec<Vec<String>>,
    /// Figures before synthesis.
    pub estimate: Estimate,
    /// All memories.
    pub memories: Vec<Memory>,
    /// Memory images that the Verilog reads.
    pub images: Vec<String>,
    /// Files of weights that the host loads.
    pub loaded: Vec<String>,
    /// What the board's flash holds besides the bitstream; `None` where it holds nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flash: Option<FlashReport>,
    /// Versions of the external tools.
    pub tools: Vec<(String, String)>,
    /// What synthesis made.
    pub synthesis: Option<SynthReport>,
    /// What place and route made.
    pub place_and_route: Option<PnrReport>,
    /// What each part of the design takes of the device; `None` unless it was placed.
    #[serde(default)]
    pub usage: Option<Vec<Usage>>,
    /// The slowest path, from part to part; `None` unless it was placed.
    #[serde(default)]
    pub slowest_path: Option<Vec<PathPiece>>,
    /// Size of the bitstream in bytes.
    pub bitstream_bytes: Option<u64>,
}
