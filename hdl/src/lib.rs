//! The circuits, in rust-hdl, with widths fixed at run time.
//!
//! Blocks here are ordinary rust-hdl structs: one description is both the simulation and, through
//! `spikeloom-emit`, the Verilog. Shapes come from the user's model, so widths, lane counts and
//! depths are run-time values: see [`DSignal`] for the signals, and the leaf blocks ([`Register`],
//! [`RowMemory`], [`SpramMemory`], [`Asr`], …) for what a kernel cannot express.
//!
//! This crate does not print Verilog, read models or touch files.

// Kernels are the subset of Rust that `#[hdl_gen]` translates: no match guards, no `let` chains.
#![allow(clippy::collapsible_if, clippy::collapsible_match)]

/// Clocks registers and lets each keep its value unless the kernel assigns its `d` afterwards.
///
/// `#[hdl_gen]` knows the macro by its name; this is what it means in simulation. rust-hdl defines
/// it in its widget crate, which nothing else here needs.
macro_rules! dff_setup {
    ($self:ident, $clock:ident, $($register:ident),+ $(,)?) => {
        $($self.$register.clock.next = $self.$clock.val();
        $self.$register.d.next = $self.$register.q.val();)+
    };
}

mod control;
mod core;
mod datapath;
mod decoder;
mod delay_line;
mod device;
mod device_simulation;
mod encoder;
mod error;
pub mod event;
mod event_fifo;
mod image;
mod leaf;
mod learn;
pub mod link;
mod merge;
mod plane_sender;
mod port;
mod program;
mod repeater;
mod simulation;
mod spike_planes;
mod stage;
mod tick_count;
mod walk;
mod way;
mod width;

pub use self::core::{Core, CoreConfig, CoreState, Lane, Turn, Turns};
pub use control::{CONTROL_SPACE, Control, INPUT_SPACE, PROTOCOL_VERSION, SCORE_SPACE, TICK_BITS};
pub use datapath::{
    Comparison, DataInput, DataKind, DataOp, DataOutput, DataPath, DataPathSpec, DataStep, ValueId,
};
pub use decoder::{ScoreRule, ScoreSource, Scores};
pub use delay_line::{Carried, DelayLine, DelayState, delay_image};
pub use device::{Device, DeviceConfig, FlashTop, Seat, Top};
pub use device_simulation::{DeviceSimulation, TraceRecord};
pub use encoder::{EncoderConfig, SampleEncoder, SeriesEncoder};
pub use error::Error;
pub use event_fifo::EventFifo;
pub use image::MemoryImage;
pub use leaf::{
    Asr, BitRegister, BitResetRegister, BitWires, Delay, LaneSelect, Multiply, Pack, Register,
    ResetRegister, ResetStateRegister, RomMemory, Rounding, RowAddress, RowMemory, ShiftLeft,
    SpramMemory, StateRegister, TableMemory, TurnGates, Unpack, Wire, Wires,
};
pub use learn::{
    ColumnMemory, Field, Fields, GatePlan, Gates, LEARNED_BYTES, LanePlan, LearnReader, LearnState,
    LearningConfig, LearningEngine, Moment, Moments, OtherConfig, PostPlan, PostSide, RandomWords,
    RuleLane, ScanPlan, SourceScan, TRACE_PLACES, TracePath, TracePlan,
};
pub use merge::{Merge, Planes};
pub use plane_sender::{PlaneSender, PlaneState};
pub use port::{Port, PortConfig};
pub use program::datapath_of;
pub use repeater::Repeater;
pub use simulation::{NotSettled, clock_cycle, settle};
pub use spike_planes::SpikePlanes;
pub use stage::{
    COUNTER_BITS, COUNTERS, POST_TRACE_SPACE, PRE_TRACE_SPACE, RESULT_SPACE, STATE_SPACE, Stage,
    TAG_SPACE, WEIGHT_SPACE, state_bytes,
};
pub use tick_count::TickCount;
pub use walk::{Walk, WalkPlan};
pub use way::{List, ListPlan, Run, Way, WayKind, WayPlace, WayPlan};
pub use width::{
    DBits, DConst, DSignal, MAX_WIDTH, SignalType, bit_cast, signed_bit_cast, signed_cast,
    sized_literal, unsigned_cast,
};
