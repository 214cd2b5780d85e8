//! What fixes a core.

use spikeloom_ir::Program;
use spikeloom_ir::mapped::MemoryKind;

use crate::image::MemoryImage;
use crate::learn::{LearningConfig, OtherConfig};
use crate::way::WayPlan;

/// Everything that fixes a core.
#[derive(Debug, Clone)]
pub struct CoreConfig {
    /// Number of source neurons or channels, of all its projections.
    pub n_pre: usize,
    /// Number of neurons.
    pub n_post: usize,
    /// Weights read and added a cycle.
    pub lanes: usize,
    /// Rows of sums. Without ways they are the weight rows of one event, at least 2, since a row
    /// that was just added to is written one cycle later.
    pub n_sum_rows: usize,
    /// Weight rows from one event's first to the next's; not used with ways.
    pub row_stride: usize,
    /// How the events of each projection find their rows; empty where each has all of them.
    pub ways: Vec<WayPlan>,
    /// Neurons that stand in rows of their own: the channels of a place, or all.
    pub n_channels: usize,
    /// Where the weights are, if they come with the bitstream.
    pub weight_memory: MemoryKind,
    /// Where the sums are.
    pub sum_memory: MemoryKind,
    /// Where the states are, and with them, in logic, the folded sums; in single-port memory a
    /// neuron takes two cycles.
    pub state_memory: MemoryKind,
    /// Width of a weight.
    pub weight_bits: usize,
    /// Width of a lane's accumulator: enough for all weights of a neuron with payload 1.
    pub lane_bits: usize,
    /// Where bit planes are folded, the width of their sum.
    pub held_bits: Option<usize>,
    /// What arrives in each tick is an input of the program: alone, or behind a held one.
    pub adds_spikes: bool,
    /// The planes are of graded values, which have a sign and come in every tick.
    pub is_graded: bool,
    /// Rows of weights, `[pre][row_stride]` with `lanes` weights each; `None` where the host loads them.
    pub weights: Option<MemoryImage>,
    /// The rows behind those, where block RAM is short: in logic.
    pub last_weights: Option<MemoryImage>,
    /// One row of parameters a neuron, or a channel, in the program's order.
    pub parameters: MemoryImage,
    /// They are in logic, however many they are.
    pub parameters_in_logic: bool,
    /// What each neuron computes.
    pub program: Program,
    /// Additions in series that a stage of its pipeline may hold.
    pub adders_per_stage: u32,
    /// The populations that share the core, in the order of their turns; empty where it has one.
    /// Numbers of neurons and of rows are then sums, of sources the largest.
    pub turns: Vec<Turn>,
    /// How its plastic projections learn; its weights then come with the bitstream.
    pub learning: Vec<LearningConfig>,
    /// Some core of the design learns: all have the ports for it.
    pub is_learning_design: bool,
    /// Places for populations that rules read, which all cores of the design have.
    pub n_followed: usize,
}

/// One of several populations that share a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Number of its source neurons or channels, of all its projections.
    pub n_pre: usize,
    /// Number of its neurons.
    pub n_post: usize,
    /// Its rows of sums, at least 2, which are the weight rows of an event.
    pub n_sum_rows: usize,
    /// Weight rows from one event's first to the next's.
    pub row_stride: usize,
}

impl CoreConfig {
    /// All weight rows.
    pub fn n_rows(&self) -> usize {
        let listed: usize = self.ways.iter().map(|way| way.n_weight_rows).sum();
        if !self.turns.is_empty() {
            self.turns.iter().map(|t| t.n_pre * t.row_stride).sum()
        } else if self.ways.is_empty() {
            self.n_pre * self.row_stride
        } else {
            listed.max(1)
        }
    }

    /// The files of its weights, where they come with the bitstream.
    pub fn weight_images(&self) -> impl Iterator<Item = &MemoryImage> {
        self.weights.iter().chain(&self.last_weights)
    }

    /// Places that each plastic projection has for populations that its rule reads.
    pub fn n_uses(&self) -> usize {
        self.learning
            .first()
            .map_or(0, |learning| learning.places().count())
    }

    /// The populations that its rules read, with as many places for each plastic projection.
    pub fn uses(&self) -> Vec<&OtherConfig> {
        let all = self.learning.iter().flat_map(LearningConfig::places);
        all.collect()
    }

    /// The most neurons that one of its populations has.
    pub fn most_neurons(&self) -> usize {
        let most = self.turns.iter().map(|turn| turn.n_post).max();
        most.unwrap_or(self.n_post)
    }

    /// Bits of what a neuron sends in a tick: a graded value, the number of its spikes, or 1 where
    /// it fires or not.
    pub fn spike_bits(&self) -> usize {
        let payload = self.program.payload_bits();
        payload.unwrap_or(self.program.spike_bits().max(1))
    }
}
