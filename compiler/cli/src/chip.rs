//! A chip that is not quite the design: weights that are stuck or off, thresholds that are off,
//! events that get lost, noise.
//!
//! | imperfection | where it is put in |
//! | --- | --- |
//! | `stuck_weights`, `weight_offsets` | block RAM: its contents in the Verilog; single-port RAM: what the host writes to it |
//! | `threshold_offsets` | the neurons' parameters in the Verilog |
//! | `lost_events`, `input_noise` | the sample that the host writes |
//!
//! The host knows nothing of it, as it knows nothing of a real chip's. Events between populations
//! cannot be lost, and membranes have no noise: the circuit has no place for either.

mod die;
mod input;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use spikeloom_boards::Space;
use spikeloom_boards::frame::{CommandFrame, command};
use spikeloom_ir::fold::circuit_weights;
use spikeloom_ir::mapped::{MemoryKind, Way, row_stride_bytes};
use spikeloom_ir::{Mapped, Quantized};

use crate::error::Error;
use crate::files;
use die::Cell;
pub use die::Die;
pub use input::InputFaults;

/// What is wrong with a chip, as its file says it. Every key may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChipFile {
    /// Of everything that is drawn: equal seeds are equal chips.
    pub seed: u64,
    /// Share of all weights that are stuck, at 0, at the least or at the greatest value.
    pub stuck_weights: f64,
    /// Standard deviation of what every weight is off by, in steps of a weight.
    pub weight_offsets: f64,
    /// Standard deviation of what every threshold is off by, as a share of the threshold.
    pub threshold_offsets: f64,
    /// The chance that an input event does not arrive: a channel's value in a sample, or a spike.
    pub lost_events: f64,
    /// Standard deviation of what every value of a sample is off by, anew each time, in steps.
    pub input_noise: f64,
}

impl Default for ChipFile {
    /// A perfect chip.
    fn default() -> Self {
        Self {
            seed: 1,
            stuck_weights: 0.0,
            weight_offsets: 0.0,
            threshold_offsets: 0.0,
            lost_events: 0.0,
            input_noise: 0.0,
        }
    }
}

impl ChipFile {
    /// Reads one.
    ///
    /// # Errors
    /// If it is no such file, or a number is out of range; with a text that says so.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: Self = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        for (name, value, most) in [
            ("stuck_weights", file.stuck_weights, 1.0),
            ("weight_offsets", file.weight_offsets, 1e4),
            ("threshold_offsets", file.threshold_offsets, 10.0),
            ("lost_events", file.lost_events, 1.0),
            ("input_noise", file.input_noise, 1e5),
        ] {
            if !(0.0..=most).contains(&value) {
                return Err(format!("`{name}` is {value}; it is 0 to {most}"));
            }
        }
        Ok(file)
    }

    /// Whether weights are not what the design says.
    fn changes_weights(&self) -> bool {
        self.stuck_weights > 0.0 || self.weight_offsets > 0.0
    }

    /// Reads one from a file.
    ///
    /// # Errors
    /// As [`ChipFile::parse`], and if the file cannot be read.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = files::read_text(path, MAX_FILE_BYTES)?;
        Self::parse(&text).map_err(|what| Error::ChipFile {
            path: path.to_owned(),
            what,
        })
    }
}

/// Longest file of a chip.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A drawn chip.
#[derive(Debug, Clone, PartialEq)]
pub struct Chip {
    /// Its weights and thresholds.
    pub die: Die,
    memories: BTreeMap<u8, LoadedWeights>,
    input: InputFaults,
}

/// Draws a chip of a network.
///
/// # Errors
/// If the network has no place for what is asked for.
pub fn draw(file: &ChipFile, network: &Quantized, mapped: &Mapped) -> Result<Chip, Error> {
    let refused = |what: String| Error::NoPlaceForImperfection { what };
    for (p, own) in network.projections.iter().enumerate() {
        let is_listed = (mapped.cores.iter())
            .flat_map(|core| core.projections.iter().zip(&core.ways))
            .any(|(id, way)| id.0 == p && *way == Way::Listed);
        if is_listed && file.changes_weights() {
            return Err(refused(format!(
                "the weights of projection `{}` are in compressed rows, which leave out those of 0; \
                 compile with `--compress never`",
                own.name
            )));
        }
    }
    let die = Die::draw(file, network).map_err(refused)?;
    // Arranged as weights are, so that each cell of a memory finds its own.
    let arranged = |value: &dyn Fn(&Cell) -> i32| {
        let mut arranged = network.clone();
        for (p, cells) in arranged.projections.iter_mut().zip(&die.cells) {
            p.weights = cells.iter().map(value).collect();
        }
        arranged
    };
    let stuck = arranged(&|cell| i32::from(cell.stuck.is_some()));
    let stuck_at = arranged(&|cell| cell.stuck.unwrap_or(0));
    let offsets = arranged(&|cell| cell.offset);
    let memories = (mapped.circuits().iter().enumerate())
        .filter(|(_, circuit)| circuit[0].weight_memory == MemoryKind::SinglePort)
        .map(|(core, circuit)| {
            let rows = |network: &Quantized| circuit_weights(network, circuit);
            let (ideal, bits) = rows(network);
            let cells = (rows(&stuck).0.into_iter())
                .zip(rows(&stuck_at).0)
                .zip(rows(&offsets).0)
                .map(|((is_stuck, at), offset)| Cell {
                    stuck: (is_stuck != 0).then_some(at),
                    offset,
                })
                .collect();
            let space = Space::weights(core).map_err(|error| refused(error.to_string()))?;
            let memory = LoadedWeights::new(&ideal, cells, circuit[0].lanes, bits);
            Ok((space.0, memory))
        })
        .collect::<Result<_, Error>>()?;
    Ok(Chip {
        die,
        memories,
        input: InputFaults::new(file, network).map_err(refused)?,
    })
}

impl Chip {
    /// A command as the chip takes it.
    pub fn take(&mut self, frame: CommandFrame) -> CommandFrame {
        if frame.command() != command::WRITE {
            return frame;
        }
        let mut payload = frame.payload().to_vec();
        let address = usize::try_from(frame.address()).unwrap_or(usize::MAX);
        if frame.space() == Space::INPUT {
            self.input.change(address, &mut payload);
        } else if let Some(memory) = self.memories.get_mut(&frame.space().0) {
            memory.change(address, &mut payload);
        }
        CommandFrame::new(
            frame.sequence(),
            frame.command(),
            frame.space(),
            frame.address(),
            payload,
        )
        .unwrap_or(frame)
    }
}

/// A memory of weights that the host writes.
#[derive(Debug, Clone, PartialEq)]
struct LoadedWeights {
    /// As the host wrote it; the design's weights at first, so that a weight of which one half has
    /// come is whole.
    written: Vec<u8>,
    cells: Vec<Cell>,
    lanes: usize,
    bits: usize,
}

impl LoadedWeights {
    fn new(ideal: &[i32], cells: Vec<Cell>, lanes: usize, bits: usize) -> Self {
        let stride = row_stride_bytes(lanes * bits);
        let mut memory = Self {
            written: vec![0; ideal.len() / lanes.max(1) * stride],
            cells,
            lanes,
            bits,
        };
        for (at, &weight) in ideal.iter().enumerate() {
            let (first, written) = (memory.first_bit(at), &mut memory.written);
            set_bits(written, first, bits, weight);
        }
        memory
    }

    fn first_bit(&self, weight: usize) -> usize {
        let (row, lane) = (weight / self.lanes, weight % self.lanes);
        row * row_stride_bytes(self.lanes * self.bits) * 8 + lane * self.bits
    }

    /// What is in the memory from `address` on when `payload` was written there.
    fn change(&mut self, address: usize, payload: &mut [u8]) {
        let Some(place) = self.written.get_mut(address..address + payload.len()) else {
            // The device refuses it.
            return;
        };
        place.copy_from_slice(payload);
        let stride = row_stride_bytes(self.lanes * self.bits).max(1);
        let rows = address / stride..(address + payload.len()).div_ceil(stride);
        let highest = (1 << (self.bits - 1)) - 1;
        let mut kept = self.written[rows.start * stride..rows.end * stride].to_vec();
        for weight in rows.start * self.lanes..rows.end * self.lanes {
            let Some(cell) = self.cells.get(weight) else {
                continue;
            };
            let first = self.first_bit(weight);
            let is = get_bits(&self.written, first, self.bits);
            let kept_at = first - rows.start * stride * 8;
            set_bits(
                &mut kept,
                kept_at,
                self.bits,
                cell.of(is, (-highest - 1, highest)),
            );
        }
        let offset = address - rows.start * stride;
        payload.copy_from_slice(&kept[offset..offset + payload.len()]);
    }
}

fn set_bits(bytes: &mut [u8], first: usize, n: usize, value: i32) {
    for bit in 0..n {
        let at = first + bit;
        let mask = 1 << (at % 8);
        match value >> bit & 1 {
            0 => bytes[at / 8] &= !mask,
            _ => bytes[at / 8] |= mask,
        }
    }
}

fn get_bits(bytes: &[u8], first: usize, n: usize) -> i32 {
    let bit = |k: usize| i32::from(bytes[(first + k) / 8] >> ((first + k) % 8) & 1);
    let value: i32 = (0..n).map(|k| bit(k) << k).sum();
    let unused = 32 - n;
    value << unused >> unused
}
