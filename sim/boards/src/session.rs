//! A design under test: loads its weights, runs samples and reads what they did.

use std::cell::Cell;
use std::time::Duration;

use spikeloom_ir::fold::circuit_weights;
use spikeloom_ir::mapped::{Mapped, MemoryKind, row_stride_bytes, score_bytes};
use spikeloom_ir::quantized::Encoder;
use spikeloom_ir::{Quantized, QuantizedError};

use crate::client::{Client, ClientConfig, LinkStatistics};
use crate::error::Error;
use crate::flash::FromFlash;
use crate::learning::LearningLayout;
use crate::map::Space;
use crate::transport::Transport;

/// Bytes of a neuron in the state space.
const STATE_STRIDE: u32 = 8;
/// Bytes of a core's block in the results, and of one counter.
const COUNTER_STRIDE: usize = 16;
const COUNTER_BYTES: usize = 4;
/// Where the cycles of the last sample are in the results.
const CYCLES: u32 = 4;
/// The highest bit of a counter is set when it has run over.
const COUNTER_OVERFLOW: u32 = 1 << 23;

/// What the host has to know of a design to use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Which design it is.
    pub design_id: u64,
    /// Bytes of a sample.
    pub sample_bytes: usize,
    /// Ticks of a sample; the most, where [`Layout::tick_bytes`] says that samples differ.
    pub n_ticks: u16,
    /// Bytes of a tick, where a sample ends with its last one.
    pub tick_bytes: Option<usize>,
    /// One entry a population, in order.
    pub cores: Vec<CoreLayout>,
    /// The population that is read out.
    pub output: usize,
    /// Width of a score, sign included.
    pub score_bits: usize,
    /// Of a design that loads its weights from the board's flash.
    pub flash: Option<FromFlash>,
}

/// What the host has to know of one population's core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreLayout {
    /// The number of the core, which several populations may share.
    pub core: usize,
    /// The row of the first neuron among the core's.
    pub first_neuron: usize,
    /// Number of neurons.
    pub n_neurons: usize,
    /// Widths of the state variables.
    pub state_bits: Vec<usize>,
    /// The bytes of the core's weight memory, where the host loads them; of several populations the
    /// first has them.
    pub weights: Option<Vec<u8>>,
    /// What learns in it.
    pub learning: Vec<LearningLayout>,
}

impl Layout {
    /// The layout of a mapped network.
    ///
    /// # Errors
    /// Where the network breaks a rule of its level.
    pub fn new(
        network: &Quantized,
        mapped: &Mapped,
        design_id: u64,
    ) -> Result<Self, QuantizedError> {
        network.check()?;
        let circuits = mapped.circuits();
        let programs = mapped.programs(network);
        let cores = (mapped.seats(network).iter())
            .zip(&mapped.cores)
            .zip(&network.populations)
            .map(|((seat, core), population)| {
                let weights = match core.weight_memory {
                    MemoryKind::SinglePort if seat.turn == 0 => {
                        let (rows, bits) = circuit_weights(network, &circuits[seat.circuit]);
                        Some(pack_rows(&rows, core.lanes, bits))
                    }
                    MemoryKind::SinglePort | MemoryKind::Block | MemoryKind::Logic => None,
                };
                let states = programs[seat.circuit].states.iter();
                CoreLayout {
                    core: seat.circuit,
                    first_neuron: seat.first_neuron,
                    n_neurons: population.n_neurons,
                    state_bits: states.map(|s| s.bits.index()).collect(),
                    weights,
                    learning: LearningLayout::of(network, core),
                }
            })
            .collect();
        Ok(Self {
            design_id,
            sample_bytes: network.sample_bytes(),
            n_ticks: u16::try_from(network.ticks).unwrap_or(u16::MAX),
            tick_bytes: match network.input.encoder {
                Encoder::Series => Some(network.input.bytes_a_tick().max(1)),
                _ => None,
            },
            cores,
            output: network.output.0,
            score_bits: mapped.score_bits,
            flash: None,
        })
    }
}

impl Layout {
    /// Cores of the design; several populations may share one.
    pub fn n_cores(&self) -> usize {
        let cores = self.cores.iter().map(|layout| layout.core + 1);
        cores.max().unwrap_or(0)
    }
}

/// Packs rows of `lanes` weights of `bits` bits, lane 0 first, least significant bit first, each
/// row padded to its stride.
fn pack_rows(weights: &[i32], lanes: usize, bits: usize) -> Vec<u8> {
    let stride = row_stride_bytes(lanes * bits);
    let mut bytes = vec![0u8; weights.len() / lanes.max(1) * stride];
    for (row, out) in weights.chunks(lanes).zip(bytes.chunks_mut(stride)) {
        for (lane, &w) in row.iter().enumerate() {
            for bit in 0..bits {
                if w >> bit & 1 == 1 {
                    let at = lane * bits + bit;
                    out[at / 8] |= 1 << (at % 8);
                }
            }
        }
    }
    bytes
}

/// What a sample came to on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceOutcome {
    /// The decoder's choice.
    pub class: usize,
    /// The decoder's value of every output neuron.
    pub scores: Vec<i64>,
    /// Clock cycles from start to the class.
    pub cycles: u64,
    /// What the cores counted.
    pub counters: Vec<CoreCounters>,
    /// The sample was so long that a counter ran over: `cycles` and `counters` are where it
    /// stopped.
    pub ran_over: bool,
}

impl DeviceOutcome {
    /// The same, where all that was counted is.
    ///
    /// # Errors
    /// If a counter ran over.
    pub fn counted(&self) -> Result<&Self, Error> {
        match self.ran_over {
            false => Ok(self),
            true => Err(Error::CounterOverflow),
        }
    }
}

/// What a core counted in one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CoreCounters {
    /// Events taken; a bit plane sends one for each channel that has the bit.
    pub events: u64,
    /// Cycles in which events waited or were worked on.
    pub active_cycles: u64,
    /// Cycles lost to a full queue behind the core.
    pub stalled_cycles: u64,
    /// Rows of weights that learnt.
    pub learnt_rows: u64,
}

/// A device with a known design.
pub struct Session<T> {
    client: Client<T>,
    layout: Layout,
    run_timeout: Duration,
    /// As the caller wants them.
    ticks: u16,
}

impl<T: Transport> Session<T> {
    /// Connects and checks that the device holds this very design.
    ///
    /// `run_timeout` is longer than any sample takes, in the transport's time.
    ///
    /// # Errors
    /// If the device does not answer or holds another design.
    pub fn open(
        transport: T,
        cfg: ClientConfig,
        layout: Layout,
        run_timeout: Duration,
    ) -> Result<Self, Error> {
        let mut client = Client::connect(transport, cfg)?;
        client.check_design(layout.design_id)?;
        Ok(Self {
            client,
            ticks: layout.n_ticks,
            layout,
            run_timeout,
        })
    }

    /// Loads the weights that did not come with the bitstream, and returns how many bytes.
    ///
    /// # Errors
    /// If the device does not answer.
    pub fn load_weights(&mut self) -> Result<usize, Error> {
        let mut loaded = 0;
        for layout in &self.layout.cores {
            if let Some(weights) = &layout.weights {
                self.client.write_weights(layout.core, 0, weights)?;
                loaded += weights.len();
            }
        }
        Ok(loaded)
    }

    /// Loads the weights of another layout of the same design, where the host loads any, and returns
    /// how many bytes. They stay, also for [`Session::make_ready`].
    ///
    /// # Errors
    /// If the device does not answer.
    pub fn load_other_weights(&mut self, layout: Layout) -> Result<usize, Error> {
        self.layout = layout;
        self.load_weights()
    }

    /// Whether a sample was run since the device got its power, before which its weights were loaded.
    /// It waits for a run to end.
    ///
    /// # Errors
    /// If the device does not answer.
    pub fn has_run(&mut self) -> Result<bool, Error> {
        let timeout = self.run_timeout;
        let cycles = (self.client).read_within(Space::RESULTS, CYCLES, COUNTER_BYTES, timeout)?;
        Ok(cycles.iter().any(|&byte| byte != 0))
    }

    /// Whether the device has its weights: from its flash, or from a client.
    ///
    /// # Errors
    /// If the device does not answer.
    pub fn has_weights(&mut self) -> Result<bool, Error> {
        let Some(flash) = self.layout.flash else {
            return self.has_run();
        };
        match self.client.loaded_from_flash()? {
            Some(found) => Ok(found == flash.checksum),
            None => self.has_run(),
        }
    }

    /// Fails unless a device that loads its weights from its flash has them from there.
    ///
    /// # Errors
    /// Then, or if the device does not answer.
    pub fn check_flash(&mut self) -> Result<(), Error> {
        let found = self.client.loaded_from_flash()?;
        match (self.layout.flash, found) {
            (Some(flash), Some(found)) if flash.checksum != found => Err(Error::WrongFlash {
                expected: flash.checksum,
                found,
            }),
            _ => Ok(()),
        }
    }

    /// Makes a device ready that another client may have used, or none: loads the weights where
    /// it has none yet, neither from its flash nor from a client that has run a sample, or if `reload`
    /// says so, and sets ticks and learning as they are at power-up. How many bytes of weights were
    /// loaded.
    ///
    /// # Errors
    /// If the device does not answer.
    pub fn make_ready(&mut self, reload: bool) -> Result<usize, Error> {
        let has_weights = self.has_weights()?;
        let loaded = match reload || !has_weights {
            true => self.load_weights()?,
            false => 0,
        };
        self.set_ticks(self.layout.n_ticks)?;
        if self
            .layout
            .cores
            .iter()
            .any(|core| !core.learning.is_empty())
        {
            self.client.set_learning(0, 0)?;
        }
        Ok(loaded)
    }

    /// Sets the ticks of the next samples, the most of those that end with their last one; the design's own number is set at power-up.
    ///
    /// # Errors
    /// If the device does not answer.
    pub fn set_ticks(&mut self, n_ticks: u16) -> Result<(), Error> {
        self.ticks = n_ticks;
        self.client.set_ticks(n_ticks)
    }

    /// Runs one sample and waits for its class.
    ///
    /// # Errors
    /// If the sample is too long, or the device does not answer or was reset meanwhile.
    pub fn run(&mut self, sample: &[u8]) -> Result<DeviceOutcome, Error> {
        self.run_with(sample, Client::start)
    }

    pub(crate) fn run_with(
        &mut self,
        sample: &[u8],
        start: impl FnOnce(&mut Client<T>) -> Result<(), Error>,
    ) -> Result<DeviceOutcome, Error> {
        if let Some(bytes) = self.layout.tick_bytes {
            let own = u16::try_from(sample.len() / bytes).unwrap_or(u16::MAX);
            self.client.set_ticks(own.min(self.ticks))?;
        }
        self.client.write_input(sample)?;
        start(&mut self.client)?;
        let n_cores = self.layout.n_cores();
        let n_bytes = COUNTER_STRIDE * (n_cores + 1);
        let mut results = self
            .client
            .read_within(Space::RESULTS, 0, 8, self.run_timeout)?;
        for core in 0..n_cores {
            let address = address(COUNTER_STRIDE * (core + 1));
            results.resize(COUNTER_STRIDE * (core + 1), 0);
            let learns = |layout: &CoreLayout| layout.core == core && !layout.learning.is_empty();
            let n_counters = 3 + usize::from(self.layout.cores.iter().any(learns));
            results.extend(self.client.read(
                Space::RESULTS,
                address,
                n_counters * COUNTER_BYTES,
            )?);
        }
        results.resize(n_bytes, 0);
        let ran_over = Cell::new(false);
        let counter = |at: usize| {
            let value = u32::from_le_bytes([
                results[at],
                results[at + 1],
                results[at + 2],
                results[at + 3],
            ]);
            ran_over.set(ran_over.get() | (value & COUNTER_OVERFLOW != 0));
            u64::from(value)
        };
        let counters = (1..=n_cores)
            .map(|core| {
                let at = COUNTER_STRIDE * core;
                CoreCounters {
                    events: counter(at),
                    active_cycles: counter(at + COUNTER_BYTES),
                    stalled_cycles: counter(at + 2 * COUNTER_BYTES),
                    learnt_rows: counter(at + 3 * COUNTER_BYTES),
                }
            })
            .collect();
        let n_output = self.layout.cores[self.layout.output].n_neurons;
        let score_bytes = score_bytes(self.layout.score_bits);
        let scores = self.client.read(Space::SCORES, 0, score_bytes * n_output)?;
        let cycles = counter(4);
        if cycles == 0 {
            return Err(Error::WasReset);
        }
        Ok(DeviceOutcome {
            class: usize::from(u16::from_le_bytes([results[0], results[1]])),
            scores: scores
                .chunks_exact(score_bytes)
                .map(|bytes| {
                    let mut raw = [0; 8];
                    raw[..score_bytes].copy_from_slice(bytes);
                    sign_extend(u64::from_le_bytes(raw), self.layout.score_bits)
                })
                .collect(),
            cycles,
            counters,
            ran_over: ran_over.get(),
        })
    }

    /// The states of a population as the last sample left them: `[state variable][neuron]`.
    ///
    /// # Errors
    /// If there is no such population or the device does not answer.
    pub fn states(&mut self, population: usize) -> Result<Vec<Vec<i64>>, Error> {
        let layout = &self.layout.cores[population];
        let bits: usize = layout.state_bits.iter().sum();
        let n_bytes = bits.div_ceil(8);
        let mut states = vec![Vec::with_capacity(layout.n_neurons); layout.state_bits.len()];
        for neuron in 0..layout.n_neurons {
            let at = address(layout.first_neuron + neuron) * STATE_STRIDE;
            let bytes = self.client.read_states(layout.core, at, n_bytes)?;
            let mut word = [0; 8];
            word[..n_bytes].copy_from_slice(&bytes);
            for (state, value) in states
                .iter_mut()
                .zip(unpack_states(u64::from_le_bytes(word), &layout.state_bits))
            {
                state.push(value);
            }
        }
        Ok(states)
    }

    /// The same device behind another way to it, such as one in a box.
    pub fn map_transport<U: Transport>(self, change: impl FnOnce(T) -> U) -> Session<U> {
        Session {
            client: self.client.map_transport(change),
            layout: self.layout,
            run_timeout: self.run_timeout,
            ticks: self.ticks,
        }
    }

    /// What happened on the line.
    pub fn statistics(&self) -> LinkStatistics {
        self.client.statistics()
    }

    /// The client on the line.
    pub(crate) fn client_mut(&mut self) -> &mut Client<T> {
        &mut self.client
    }

    /// The way to the device.
    pub fn transport_mut(&mut self) -> &mut T {
        self.client.transport_mut()
    }

    /// What the host knows of the design.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
}

/// The state variables of one neuron from its packed word.
pub fn unpack_states(word: u64, state_bits: &[usize]) -> Vec<i64> {
    let mut rest = word;
    state_bits
        .iter()
        .map(|&bits| {
            let value = sign_extend(rest, bits);
            rest = rest
                .checked_shr(u32::try_from(bits).unwrap_or(64))
                .unwrap_or(0);
            value
        })
        .collect()
}

/// The low `bits` bits of `raw` as a two's complement number.
fn sign_extend(raw: u64, bits: usize) -> i64 {
    let unused = 64 - bits.clamp(1, 64);
    (raw << unused).cast_signed() >> unused
}

/// A position in a device; spaces have 24 bits, which the client checks.
pub(crate) fn address(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_packed_lane_0_first_and_padded() {
        // Three lanes of 3 bits: 9 bits, so 2 bytes a row.
        let bytes = pack_rows(&[1, -1, 2, -4, 0, 3], 3, 3);
        assert_eq!(bytes, [0b10_111_001, 0, 0b11_000_100, 0]);
    }

    #[test]
    fn states_are_unpacked_with_their_signs() {
        assert_eq!(unpack_states(0b011_1110, &[2, 4, 1]), [-2, -1, 0]);
        assert_eq!(unpack_states(u64::MAX, &[64]), [-1]);
    }
}
