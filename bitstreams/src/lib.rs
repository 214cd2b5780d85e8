//! From Verilog to a bitstream, and from a bitstream back to a netlist, with open tools only.
//!
//! * `targets`: boards and their devices, as data.
//! * `tools`: the external tools, pinned and kept in the user's cache.
//! * `flow`: synthesis, place and route, packing, in one folder.
//! * `contents`: where a finished design holds its memory images, and others in their place.
//! * `flash`: images for a board's flash, and a model of one.
//! * [`formal`]: proofs about Verilog.
//! * `gates`: a netlist of the device's cells, from synthesis or from a bitstream.
//! * `decode`: reads a bitstream; refuses what it cannot explain to the last bit.
//! * `programming`: bitstreams onto boards.
//! * `simulation`: netlists as Verilog for Verilator, a fast form and a reference.
//!
//! Nothing here simulates, and nothing knows of networks. Start with [`Flow`].

mod contents;
mod decode;
mod error;
mod flash;
mod flow;
pub mod formal;
mod gates;
mod pll;
mod process;
mod programming;
mod simulation;
mod targets;
mod tools;

pub use contents::{Bel, Contents, Image, ImageShape, Placement};
pub use decode::{Decoded, TextDecoder, decode, decode_text};
pub use error::Error;
pub use flash::{BOARD, BOARD_IMAGE, board_around};
pub use flow::{
    Files, Flow, Once, PathSegment, PnrReport, SynthReport, Utilisation, finished_files,
    forget_finished,
};
pub use gates::{
    BlockRam, Carry, CellCounts, Edge, FlipFlop, Gates, LutRam, Net, Ram, RamPort, Reset, Signal,
    SinglePortRam, Table, WhileWriting,
};
pub use pll::{Generated, Pll, PllCell, PllSetting};
pub use process::{Program, Run};
pub use programming::{Memory, Programmer, Programming};
pub use simulation::{VerilogSources, fast_sources, netlist_sources, reference_sources};
pub use targets::{Family, Flash, FlashPins, Limits, Pins, Target, target, target_names, targets};
pub use tools::{
    CACHE_VARIABLE, Resource, ToolSource, ToolStatus, Toolchain, cache_folder, doctor, doctor_in,
};
