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

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use spikeloom_boards::Space;
use spikeloom_boards::frame::{CommandFrame, command};
use spikeloom_ir::fold::circuit_weights;
use spikeloom_ir::mapped::{MemoryKind, Way, row_stride_bytes};
use spikeloom_ir::quantized::{Encoder, Projection};
use spikeloom_ir::{Mapped, Quantized};

use crate::error::Error;
use crate::fault::{peers, thresholds};
use crate::files;

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
    /// The network with its weights and thresholds.
    pub network: Quantized,
    /// Weights that are stuck.
    pub n_stuck: u64,
    /// Weights that are off.
    pub n_off: u64,
    /// Thresholds that are off.
    pub n_thresholds: u64,
    memories: BTreeMap<u8, LoadedWeights>,
    input: InputFaults,
}

/// Draws a chip of a network.
///
/// # Errors
/// If the network has no place for what is asked for.
pub fn draw(file: &ChipFile, network: &Quantized, mapped: &Mapped) -> Result<Chip, Error> {
    let refused = |what: String| Error::NoPlaceForImperfection { what };
    let mut random = Gauss(fastrand::Rng::with_seed(file.seed));
    let mut chip = network.clone();
    // Arranged as weights are, so that each cell of a memory finds its own.
    let (mut stuck, mut stuck_at, mut offsets) =
        (network.clone(), network.clone(), network.clone());
    let (mut n_stuck, mut n_off) = (0, 0);
    for (p, own) in network.projections.iter().enumerate() {
        if own.plasticity.is_some() && (file.stuck_weights > 0.0 || file.weight_offsets > 0.0) {
            return Err(refused(format!(
                "the weights of projection `{}` learn, and learning would repair them",
                own.name
            )));
        }
        let is_listed = (mapped.cores.iter())
            .flat_map(|core| core.projections.iter().zip(&core.ways))
            .any(|(id, way)| id.0 == p && *way == Way::Listed);
        if is_listed && (file.stuck_weights > 0.0 || file.weight_offsets > 0.0) {
            return Err(refused(format!(
                "the weights of projection `{}` are in compressed rows, which leave out those of 0; \
                 compile with `--compress never`",
                own.name
            )));
        }
        let highest = (1 << (own.weight_bits.get() - 1)) - 1;
        let lowest = -highest - 1;
        let cells: Vec<Cell> = (own.weights.iter())
            .map(|_| Cell {
                stuck: (random.chance() < file.stuck_weights)
                    .then(|| [0, lowest, highest][random.0.usize(..3)]),
                offset: (random.normal() * file.weight_offsets).round() as i32,
            })
            .collect();
        let cells = within_proof(own, cells, (lowest, highest));
        for (at, cell) in cells.iter().enumerate() {
            let weight = cell.of(own.weights[at], (lowest, highest));
            n_stuck += u64::from(cell.stuck.is_some());
            n_off += u64::from(cell.stuck.is_none() && weight != own.weights[at]);
            chip.projections[p].weights[at] = weight;
            stuck.projections[p].weights[at] = i32::from(cell.stuck.is_some());
            stuck_at.projections[p].weights[at] = cell.stuck.unwrap_or(0);
            offsets.projections[p].weights[at] = cell.offset;
        }
    }
    let n_thresholds = offset_thresholds(file, &mut chip, &mut random).map_err(refused)?;
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
        network: chip,
        n_stuck,
        n_off,
        n_thresholds,
        memories,
        input: InputFaults::new(file, network).map_err(refused)?,
    })
}

impl std::fmt::Display for Chip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let n_weights: usize = self
            .network
            .projections
            .iter()
            .map(|p| p.weights.len())
            .sum();
        write!(
            f,
            "of {n_weights} weights {} are stuck and {} are off; {} thresholds are off",
            self.n_stuck, self.n_off, self.n_thresholds
        )
    }
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

/// What is wrong with one weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    stuck: Option<i32>,
    offset: i32,
}

impl Cell {
    fn of(self, weight: i32, (lowest, highest): (i32, i32)) -> i32 {
        let off = weight.saturating_add(self.offset).clamp(lowest, highest);
        self.stuck.unwrap_or(off)
    }
}

/// Widths are proved from the sums of the design's weights. What would make a neuron's sum larger
/// than the largest of its population's is left out, so that the proof holds for the chip too.
fn within_proof(own: &Projection, mut cells: Vec<Cell>, limits: (i32, i32)) -> Vec<Cell> {
    let n_sums = match &own.connectivity {
        spikeloom_ir::geometry::Connectivity::Dense => own.n_in(),
        spikeloom_ir::geometry::Connectivity::Convolution(c) => {
            c.n_weights() / c.output.channels.max(1)
        }
    }
    .max(1);
    let part = |weights: &[i32], sign: i64| -> i64 {
        weights.iter().map(|&w| (i64::from(w) * sign).max(0)).sum()
    };
    for sign in [1, -1] {
        let sums = own.weights.chunks(n_sums).map(|row| part(row, sign));
        let most = sums.max().unwrap_or(0);
        for (row, cells) in own.weights.chunks(n_sums).zip(cells.chunks_mut(n_sums)) {
            let weights = row.iter().zip(cells.iter());
            let changed: Vec<i32> = weights.map(|(&w, cell)| cell.of(w, limits)).collect();
            let mut sum = part(&changed, sign);
            for ((&weight, &now), cell) in row.iter().zip(&changed).zip(cells) {
                let saved = part(&[now], sign) - part(&[weight], sign);
                if sum > most && saved > 0 {
                    sum -= saved;
                    *cell = Cell {
                        stuck: None,
                        offset: 0,
                    };
                }
            }
        }
    }
    cells
}

/// How many thresholds are off.
fn offset_thresholds(
    file: &ChipFile,
    chip: &mut Quantized,
    random: &mut Gauss,
) -> Result<u64, String> {
    let mut n = 0;
    let mut has_any = false;
    if file.threshold_offsets == 0.0 {
        return Ok(0);
    }
    for at in 0..chip.populations.len() {
        let population = chip.populations[at].clone();
        let Some(values) = thresholds(chip, at) else {
            continue;
        };
        has_any = true;
        // The greatest keeps the width of what is compared with it.
        let most = values.iter().copied().max().unwrap_or(0);
        for neuron in 0..population.n_neurons {
            // All neurons of a channel of a plane have one.
            let own: Vec<usize> = peers(&population, neuron).collect();
            if own.iter().any(|&peer| peer < neuron) {
                continue;
            }
            let before = values[neuron];
            let off = (before as f64 * file.threshold_offsets * random.normal()).round() as i64;
            let after = (before + off).clamp(1.min(before), most);
            for peer in own {
                n += u64::from(after != before);
                values[peer] = after;
            }
        }
    }
    match has_any {
        true => Ok(n),
        false => Err("no population has thresholds that are offset".to_owned()),
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

/// What happens to samples on their way in.
#[derive(Debug, Clone, PartialEq)]
struct InputFaults {
    lost: f64,
    noise: f64,
    is_spikes: bool,
    is_series: bool,
    /// Bytes of what is said by the teacher, which is no input of the chip.
    spared_from: usize,
    random: Gauss,
}

impl InputFaults {
    fn new(file: &ChipFile, network: &Quantized) -> Result<Self, String> {
        let encoder = &network.input.encoder;
        let is_spikes = matches!(encoder, Encoder::Events);
        let is_series = matches!(encoder, Encoder::Series);
        let is_delta = matches!(encoder, Encoder::Delta(_));
        if file.lost_events > 0.0 && (is_series || is_delta) {
            return Err("`lost_events`: a series of values has no events to lose".to_owned());
        }
        if file.input_noise > 0.0 && is_spikes {
            return Err("`input_noise`: spikes have no value that noise adds to".to_owned());
        }
        if network.input.teacher > 0 && (file.lost_events > 0.0 || file.input_noise > 0.0) {
            return Err(
                "the input has channels of a teacher, which no event is lost of".to_owned(),
            );
        }
        Ok(Self {
            lost: file.lost_events,
            noise: file.input_noise,
            is_spikes,
            is_series,
            spared_from: network.sample_bytes(),
            random: Gauss(fastrand::Rng::with_seed(file.seed ^ 0x696e_7075_7400)),
        })
    }

    fn change(&mut self, address: usize, payload: &mut [u8]) {
        if self.noise > 0.0 && self.is_series {
            // A value of which only one half is here stays as it is.
            let whole = address % 2..payload.len();
            for pair in payload[whole.start.min(whole.end)..].chunks_exact_mut(2) {
                let value = i16::from_le_bytes([pair[0], pair[1]]);
                let off = (self.random.normal() * self.noise).round();
                let value = (f64::from(value) + off).clamp(i16::MIN.into(), i16::MAX.into());
                pair.copy_from_slice(&(value as i16).to_le_bytes());
            }
            return;
        }
        for (at, byte) in payload.iter_mut().enumerate() {
            if address + at >= self.spared_from {
                continue;
            }
            if self.noise > 0.0 {
                let off = (self.random.normal() * self.noise).round();
                *byte = (f64::from(*byte) + off).clamp(0.0, 255.0) as u8;
            }
            if self.lost > 0.0 {
                match self.is_spikes {
                    true => {
                        for bit in 0..8 {
                            if self.random.chance() < self.lost {
                                *byte &= !(1 << bit);
                            }
                        }
                    }
                    false if self.random.chance() < self.lost => *byte = 0,
                    false => {}
                }
            }
        }
    }
}

/// Random numbers of a normal distribution.
#[derive(Debug, Clone, PartialEq)]
struct Gauss(fastrand::Rng);

impl Gauss {
    /// From 0 to 1.
    fn chance(&mut self) -> f64 {
        self.0.f64()
    }

    /// With a mean of 0 and a standard deviation of 1, after Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.0.f64()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.0.f64()).cos()
    }
}
