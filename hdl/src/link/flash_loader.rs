//! Bytes from the board's SPI flash, once after power-up.

use rust_hdl_core::prelude::*;

use super::BYTE_BITS;
use crate::leaf::{BitRegister, LaneSelect, Register, StateRegister};
use crate::width::{DConst, DSignal, SignalType, bit_cast};

/// Where in a board's flash the bytes are that a [`FlashLoader`] reads, and how long it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlashConfig {
    /// Address of the first byte, 24 bits.
    pub address: u32,
    /// Number of bytes, at least 1.
    pub n_bytes: u32,
    /// Clock cycles of each of three pauses: before the flash is woken, until it is awake, and until
    /// the last frame is executed and answered.
    pub wait_cycles: u32,
}

/// The longest that flashes of this kind take to wake up is 35 microseconds; most take 3.
const WAKE_UP_US: u64 = 50;

/// Longer than it takes to execute and to answer a frame: about 280 cycles.
const FRAME_CYCLES: u64 = 512;

impl FlashConfig {
    /// For a circuit with a clock of `clock_hz`.
    pub fn new(address: u32, n_bytes: u32, clock_hz: u64) -> Self {
        let wake_up = (clock_hz * WAKE_UP_US).div_ceil(1_000_000);
        Self {
            address,
            n_bytes,
            wait_cycles: u32::try_from(wake_up.max(FRAME_CYCLES)).unwrap_or(u32::MAX),
        }
    }

    /// Clock cycles from power-up to the end of loading, where whoever takes the bytes is never
    /// waited for.
    pub fn load_cycles(&self) -> u64 {
        let n_bits = WAKE_BITS + COMMAND_BITS + 8 * u64::from(self.n_bytes);
        // Before either of the two commands the flash is selected for a cycle.
        3 * u64::from(self.wait_cycles) + 2 * n_bits + 3
    }
}

/// Releases the flash from deep power-down.
const WAKE: u32 = 0xab;
const WAKE_BITS: u64 = 8;

/// Reads bytes from the address behind it on, for as long as the flash is selected.
const READ: u32 = 0x03;
const COMMAND_BITS: u64 = 32;

/// Bits of the position in a command.
const POSITION_BITS: usize = 5;

/// Bits of the checksum, and its polynomial: that of CRC-32, most significant bit first.
const CHECKSUM_BITS: usize = 32;
const POLYNOMIAL: u64 = 0x04c1_1db7;

/// What the loader does.
#[derive(Copy, Clone, Debug, PartialEq, LogicState)]
enum LoadState {
    /// Waits: the flash may still be on its way into deep power-down.
    PowerUp,
    /// Sends the command that wakes the flash.
    Wake,
    /// Waits until it is awake.
    Waking,
    /// Sends the command that reads, and the address.
    Command,
    /// Takes the bytes.
    Read,
    /// Waits until the last frame is executed and answered.
    Settle,
    /// Has done its work.
    Done,
}

/// Reads bytes from a SPI flash after power-up, and then never does anything again.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `flash_ss` | out | selects the flash, active low |
/// | `flash_sck` | out | its clock, half of `clock` |
/// | `flash_mosi`, `flash_miso` | out, in | bits to and from it, most significant first |
/// | `byte_valid`, `byte_data` | out | a byte is there |
/// | `byte_ready` | in | it is taken |
/// | `loading` | out | from power-up until all is done |
/// | `checksum` | out | of all bits read so far |
///
/// Protocol, in SPI mode 0:
/// 1. A pause; then 0xAB, 8 bits long: an iCE40 leaves the flash that it was configured from in deep
///    power-down. A flash that is awake ignores it.
/// 2. A pause; then 0x03 and the address, and one byte after the other, until there are as many as
///    [`FlashConfig`] says. Each bit is sampled at the falling edge of `flash_sck`, two cycles behind
///    the edge with which the flash began to send it.
/// 3. While a byte is not taken `flash_sck` stands still.
/// 4. A pause, in which the last frame is executed and answered, and `loading` ends.
///
/// The checksum is a CRC with the polynomial 0x04C11DB7, from 0, neither reflected nor inverted, over
/// the bytes as they come: whoever knows what should be in the flash sees whether it was.
///
/// One byte takes 16 cycles; all of it [`FlashConfig::load_cycles`].
#[derive(LogicBlock)]
pub struct FlashLoader {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// Selects the flash, active low.
    pub flash_ss: Signal<Out, Bit>,
    /// The flash's clock.
    pub flash_sck: Signal<Out, Bit>,
    /// A bit for the flash.
    pub flash_mosi: Signal<Out, Bit>,
    /// A bit from the flash.
    pub flash_miso: Signal<In, Bit>,
    /// A byte is there.
    pub byte_valid: Signal<Out, Bit>,
    /// It is taken.
    pub byte_ready: Signal<In, Bit>,
    /// The byte.
    pub byte_data: DSignal<Out>,
    /// It is not done yet.
    pub loading: Signal<Out, Bit>,
    /// Of all bits read.
    pub checksum: DSignal<Out>,
    state: StateRegister<LoadState>,
    /// Cycles of a pause, bits of a command, or bytes read.
    count: Register,
    bit_idx: Register,
    selected: BitRegister,
    sck: BitRegister,
    full: BitRegister,
    shift: Register,
    crc: Register,
    /// The bits of both commands.
    command: LaneSelect,
    in_read: Signal<Local, Bit>,
    in_command: Signal<Local, Bit>,
    active: Signal<Local, Bit>,
    held: Signal<Local, Bit>,
    step: Signal<Local, Bit>,
    at_end: Signal<Local, Bit>,
    feedback: Signal<Local, Bit>,
    last: DSignal<Local>,
    position: DSignal<Local>,
    shift_kept: DSignal<Local>,
    crc_shifted: DSignal<Local>,
    wait_last: DConst,
    wake_last: DConst,
    command_last: DConst,
    byte_last: DConst,
    count_zero: DConst,
    count_one: DConst,
    bit_one: DConst,
    second_command: DConst,
    polynomial: DConst,
    command_bits: Vec<DConst>,
    _n_command_bits: usize,
}

impl FlashLoader {
    /// A loader of those bytes.
    ///
    /// # Panics
    /// If there is no byte, or no cycle in a pause.
    pub fn new(cfg: &FlashConfig) -> Self {
        assert!(cfg.n_bytes > 0 && cfg.wait_cycles > 0, "{cfg:?}");
        let longest = (cfg.n_bytes.max(cfg.wait_cycles) - 1).max((1 << POSITION_BITS) - 1);
        let width = (u32::BITS - longest.leading_zeros()) as usize;
        let last = |n: u64| DConst::new(n - 1, width);
        let bits =
            |word: u32| (0..32).map(move |bit| DConst::new((word >> (31 - bit) & 1).into(), 1));
        let command_bits: Vec<DConst> = bits(WAKE << 24)
            .chain(bits(READ << 24 | (cfg.address & 0xff_ffff)))
            .collect();
        Self {
            clock: Signal::default(),
            flash_ss: Signal::default(),
            flash_sck: Signal::default(),
            flash_mosi: Signal::default(),
            flash_miso: Signal::default(),
            byte_valid: Signal::default(),
            byte_ready: Signal::default(),
            byte_data: DSignal::new(BYTE_BITS),
            loading: Signal::default(),
            checksum: DSignal::new(CHECKSUM_BITS),
            state: StateRegister::new(LoadState::PowerUp),
            count: Register::new(width),
            bit_idx: Register::new(3),
            selected: BitRegister::default(),
            sck: BitRegister::default(),
            full: BitRegister::default(),
            shift: Register::new(BYTE_BITS),
            crc: Register::new(CHECKSUM_BITS),
            command: LaneSelect::new(SignalType::unsigned(1), command_bits.len()),
            in_read: Signal::default(),
            in_command: Signal::default(),
            active: Signal::default(),
            held: Signal::default(),
            step: Signal::default(),
            at_end: Signal::default(),
            feedback: Signal::default(),
            last: DSignal::new(width),
            position: DSignal::new(POSITION_BITS + 1),
            shift_kept: DSignal::new(BYTE_BITS),
            crc_shifted: DSignal::new(CHECKSUM_BITS),
            wait_last: last(cfg.wait_cycles.into()),
            wake_last: last(WAKE_BITS),
            command_last: last(COMMAND_BITS),
            byte_last: last(cfg.n_bytes.into()),
            count_zero: DConst::new(0, width),
            count_one: DConst::new(1, width),
            bit_one: DConst::new(1, 3),
            second_command: DConst::new(1 << POSITION_BITS, POSITION_BITS + 1),
            polynomial: DConst::new(POLYNOMIAL, CHECKSUM_BITS),
            _n_command_bits: command_bits.len(),
            command_bits,
        }
    }
}

impl Logic for FlashLoader {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, state, count, bit_idx, selected, sck, full, shift, crc
        );
        self.in_read.next = self.state.q.val() == LoadState::Read;
        self.in_command.next = self.state.q.val() == LoadState::Command;
        self.active.next =
            self.in_read.val() | self.in_command.val() | (self.state.q.val() == LoadState::Wake);

        // The selection is a register of its own, so that no glitch of the state deselects the flash;
        // it follows the state a cycle later, and its clock waits for it.
        self.selected.d.next = self.active.val();
        self.held.next = self.full.q.val() & !self.byte_ready.val();
        self.sck.d.next =
            self.active.val() & self.selected.q.val() & !self.sck.q.val() & !self.held.val();
        self.flash_ss.next = !self.selected.q.val();
        self.flash_sck.next = self.sck.q.val();

        // The bits of a command change with the falling edge, and the flash takes them with the
        // rising one.
        for i in 0..self._n_command_bits {
            self.command.lanes[i].next = self.command_bits[i].val();
        }
        self.position.next = bit_cast(self.count.q.val().get_bits::<5>(0), 6);
        if self.in_command.val() {
            self.position.next =
                bit_cast(self.count.q.val().get_bits::<5>(0), 6) | self.second_command.val();
        }
        self.command.index.next = self.position.val();
        self.flash_mosi.next = self.command.selected.val().any() & !self.in_read.val();

        self.last.next = self.wait_last.val();
        self.step.next = true;
        match self.state.q.val() {
            LoadState::PowerUp => {}
            LoadState::Wake => {
                self.last.next = self.wake_last.val();
                self.step.next = self.sck.q.val();
            }
            LoadState::Waking => {}
            LoadState::Command => {
                self.last.next = self.command_last.val();
                self.step.next = self.sck.q.val();
            }
            LoadState::Read => {
                self.last.next = self.byte_last.val();
                self.step.next = self.sck.q.val() & self.bit_idx.q.val().all();
            }
            LoadState::Settle => {
                self.step.next = !self.full.q.val();
            }
            LoadState::Done => {
                self.step.next = false;
            }
        }
        self.at_end.next = self.count.q.val() == self.last.val();
        if self.step.val() {
            self.count.d.next = self.count.q.val() + self.count_one.val();
            if self.at_end.val() {
                self.count.d.next = self.count_zero.val();
                match self.state.q.val() {
                    LoadState::PowerUp => {
                        self.state.d.next = LoadState::Wake;
                    }
                    LoadState::Wake => {
                        self.state.d.next = LoadState::Waking;
                    }
                    LoadState::Waking => {
                        self.state.d.next = LoadState::Command;
                    }
                    LoadState::Command => {
                        self.state.d.next = LoadState::Read;
                    }
                    LoadState::Read => {
                        self.state.d.next = LoadState::Settle;
                    }
                    LoadState::Settle => {
                        self.state.d.next = LoadState::Done;
                    }
                    LoadState::Done => {}
                }
            }
        }

        self.shift_kept.next = self.shift.q.val() << 1;
        self.crc_shifted.next = self.crc.q.val() << 1;
        self.feedback.next = self.crc.q.val().get_bit(31) ^ self.flash_miso.val();
        self.full.d.next = self.held.val();
        if self.in_read.val() & self.sck.q.val() {
            self.bit_idx.d.next = self.bit_idx.q.val() + self.bit_one.val();
            self.shift.d.next = self.shift_kept.val() | bit_cast(self.flash_miso.val(), 8);
            self.crc.d.next = self.crc_shifted.val();
            if self.feedback.val() {
                self.crc.d.next = self.crc_shifted.val() ^ self.polynomial.val();
            }
            if self.bit_idx.q.val().all() {
                self.full.d.next = true;
            }
        }
        self.byte_valid.next = self.full.q.val();
        self.byte_data.next = self.shift.q.val();
        self.loading.next = self.state.q.val() != LoadState::Done;
        self.checksum.next = self.crc.q.val();
    }
}
