//! The registers that the host sees: identity, run control and results.

use rust_hdl_core::prelude::*;

use crate::error::Error;
use crate::image::MemoryImage;
use crate::leaf::{BitRegister, LaneSelect, Pack, Register, RowAddress, TableMemory};
use crate::learn::REWARD_BITS;
use crate::stage::{COUNTER_BITS, Counter, CounterTurn, RESULT_SPACE};
use crate::width::{DConst, DSignal, SignalType, bit_cast};

/// Bus space of the control registers.
pub const CONTROL_SPACE: u64 = 0;
/// Bus space of the input buffer: a byte a channel.
pub const INPUT_SPACE: u64 = 2;
/// Bus space of the scores: 4 bytes a neuron.
pub const SCORE_SPACE: u64 = 3;
/// Version of the register map and the link, register 8.
pub const PROTOCOL_VERSION: u8 = 1;
/// Bits of the number of ticks.
pub const TICK_BITS: usize = 16;

/// Address of the number of ticks, 2 bytes.
const TICKS_REGISTER: u64 = 0x10;
/// Address of the run command.
const RUN_REGISTER: u64 = 0x12;
/// Address of the bits that say whether the network learns and whether it knows the label.
const LEARN_REGISTER: u64 = 0x14;
/// Address of the sample's label, 2 bytes.
const LABEL_REGISTER: u64 = 0x16;
/// Bytes of the control registers, of those of a design that learns or has weights in a flash, and of
/// the results.
const N_REGISTERS: usize = 20;
const N_LEARN_REGISTERS: usize = 24;
const N_FLASH_REGISTERS: usize = 28;
const N_RESULTS: usize = 8;

/// Control registers and results.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `bus_*` | in | the host's accesses |
/// | `bus_hit`, `bus_read_data` | out | the address is here, and the byte there, else 0 |
/// | `n_ticks` | out | ticks of a sample |
/// | `start` | out | one cycle: a sample starts |
/// | `busy` | out | a sample runs |
/// | `done` | in | one cycle: it is finished |
/// | `class_index` | in | its class |
/// | `counter_rotate`, `counter_exists` | out | as `CounterTurn`'s, for all counters |
/// | `learn` | out | in a design that learns: samples are learnt from |
/// | `goes_on` | out | in a design that learns: this is a further phase of the sample before |
/// | `learn_ticks` | out | in a design that learns: ticks of all phases |
/// | `reward` | out, signed | in a design that learns: 1 where the class is the label, -1 where it
///   is not, 0 without a label |
/// | `flash_loading`, `flash_checksum` | in | in a design with weights in a flash: as the loader's |
///
/// Space 0: bytes 0 to 7 the design's identity, 8 the protocol version, 0x10 and 0x11 the number
/// of ticks, 0x12 starts a sample when anything but 0 is written, 0x13 bit 0 is `busy`. In a design
/// that learns 0x14 bit 0 says that samples are learnt from, bit 1 that 0x16 and 0x17 are their
/// label, bit 2 that a sample is a further phase of the one before. While samples are learnt from,
/// 0x12 starts one only when another number is written than the last one, which is read there: a
/// command that comes twice is learnt from once. In a design with weights in a flash 0x13 bit 1 says
/// that the host has written no others since, and 0x18 to 0x1B are the checksum of what was read.
/// Space 1: bytes 0 and 1 the class, 4 to 7 the cycles from start to done.
#[derive(LogicBlock)]
pub struct Control {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// Space of the access.
    pub bus_space: DSignal<In>,
    /// Byte address of the access.
    pub bus_address: DSignal<In>,
    /// The byte is written.
    pub bus_write: Signal<In, Bit>,
    /// The byte.
    pub bus_write_data: DSignal<In>,
    /// The address is here.
    pub bus_hit: Signal<Out, Bit>,
    /// The byte there.
    pub bus_read_data: DSignal<Out>,
    /// Ticks of a sample.
    pub n_ticks: DSignal<Out>,
    /// A sample starts.
    pub start: Signal<Out, Bit>,
    /// A sample runs.
    pub busy: Signal<Out, Bit>,
    /// It is finished.
    pub done: Signal<In, Bit>,
    /// Its class.
    pub class_index: DSignal<In>,
    /// Turn the counters by a byte.
    pub counter_rotate: Signal<Out, Bit>,
    /// The byte addressed is one of a counter's.
    pub counter_exists: Signal<Out, Bit>,
    /// Samples are learnt from; this and what follows is empty in a design that does not learn.
    pub learn: Vec<Signal<Out, Bit>>,
    /// This is a further phase of the sample before.
    pub goes_on: Vec<Signal<Out, Bit>>,
    /// Ticks of all phases.
    pub learn_ticks: Vec<DSignal<Out>>,
    /// The reward.
    pub reward: Vec<DSignal<Out>>,
    /// The loader reads the flash; this and the next are empty where there is no flash.
    pub flash_loading: Vec<Signal<In, Bit>>,
    /// Checksum of what it read.
    pub flash_checksum: Vec<DSignal<In>>,
    /// The host has written weights.
    overwritten: Vec<BitRegister>,
    from_flash: Vec<DConst>,
    /// The number that started the last run.
    last_run: Vec<Register>,
    /// The class of the first phase.
    first_class: Vec<Register>,
    all_ticks: Vec<RowAddress>,
    learn_flags: Vec<Register>,
    label_low: Vec<Register>,
    label_high: Vec<Register>,
    label_bytes: Vec<Pack>,
    learn_address: Vec<DConst>,
    label_address: Vec<DConst>,
    label_high_address: Vec<DConst>,
    no_reward: Vec<DConst>,
    rewarded: Vec<DConst>,
    punished: Vec<DConst>,
    running: BitRegister,
    starting: BitRegister,
    ticks_low: Register,
    ticks_high: Register,
    cycles: Counter,
    turn: CounterTurn,
    registers: LaneSelect,
    class_bytes: LaneSelect,
    result_space_hit: Signal<Local, Bit>,
    control_hit: Signal<Local, Bit>,
    result_hit: Signal<Local, Bit>,
    wide_high: DSignal<Local>,
    shifted_high: DSignal<Local>,
    class_word: DSignal<Local>,
    decided_class: DSignal<Local>,
    n_ticks_word: DSignal<Local>,
    identity: TableMemory,
    result_bytes: DConst,
    control_space: DConst,
    result_space: DConst,
    ticks_address: DConst,
    ticks_high_address: DConst,
    run_address: DConst,
    register_limit: DConst,
    zero_byte: DConst,
    eight: DConst,
    _n_learning: usize,
    _n_phased: usize,
    _n_flashes: usize,
    /// Whether the registers of a design that learns are there and mean nothing.
    _n_unused: usize,
}

/// The first registers of a design: its identity and the protocol's version. They are a memory's
/// contents, so that a finished bitstream can get others.
///
/// # Errors
/// None in fact; those of any image.
pub fn identity_image(design_id: u64) -> Result<MemoryImage, Error> {
    let mut words = vec![0; 16];
    let bytes = design_id.to_le_bytes().into_iter();
    for (word, byte) in words.iter_mut().zip(bytes.chain([PROTOCOL_VERSION])) {
        *word = byte.into();
    }
    MemoryImage::new("identity.hex", vec![SignalType::unsigned(8)], words)
}

impl Control {
    /// The registers of a design with this identity, which starts with `n_ticks`
    /// ticks; of one that learns, with the phases of a sample.
    pub fn new(
        identity: &MemoryImage,
        n_ticks: u16,
        class_bits: usize,
        phases: Option<u32>,
    ) -> Self {
        let learns = phases.is_some();
        let n_learning = usize::from(learns);
        let n_phased = usize::from(phases.is_some_and(|phases| phases > 1));
        let registers = || (0..n_learning).map(|_| Register::new(8)).collect();
        let addresses = |address: u64| (0..n_learning).map(|_| DConst::new(address, 24)).collect();
        let rewards = |reward: i64| {
            let rewards = (0..n_learning).map(|_| DConst::signed(reward, REWARD_BITS));
            rewards.collect::<Vec<_>>()
        };
        let byte = SignalType::unsigned(8);
        let [low, high] = n_ticks.to_le_bytes();
        let preset = |value: u8| Register::with_value(byte.value(value.into()));
        Self {
            learn: (0..n_learning).map(|_| Signal::default()).collect(),
            reward: DSignal::row(&vec![SignalType::signed(REWARD_BITS); n_learning]),
            goes_on: (0..n_learning).map(|_| Signal::default()).collect(),
            learn_ticks: DSignal::row(&vec![SignalType::unsigned(TICK_BITS); n_learning]),
            last_run: registers(),
            first_class: (0..n_phased).map(|_| Register::new(16)).collect(),
            all_ticks: phases
                .map(|phases| RowAddress::new(TICK_BITS, TICK_BITS, phases.into()))
                .into_iter()
                .collect(),
            _n_phased: n_phased,
            flash_loading: vec![],
            flash_checksum: vec![],
            overwritten: vec![],
            from_flash: vec![],
            _n_flashes: 0,
            _n_unused: 0,
            learn_flags: registers(),
            label_low: registers(),
            label_high: registers(),
            label_bytes: (0..n_learning)
                .map(|_| Pack::new(&[SignalType::unsigned(8); 2]))
                .collect(),
            learn_address: addresses(LEARN_REGISTER),
            label_address: addresses(LABEL_REGISTER),
            label_high_address: addresses(LABEL_REGISTER + 1),
            no_reward: rewards(0),
            rewarded: rewards(1),
            punished: rewards(-1),
            _n_learning: n_learning,
            clock: Signal::default(),
            bus_space: DSignal::new(8),
            bus_address: DSignal::new(24),
            bus_write: Signal::default(),
            bus_write_data: DSignal::new(8),
            bus_hit: Signal::default(),
            bus_read_data: DSignal::new(8),
            n_ticks: DSignal::new(TICK_BITS),
            start: Signal::default(),
            busy: Signal::default(),
            done: Signal::default(),
            class_index: DSignal::new(class_bits),
            counter_rotate: Signal::default(),
            counter_exists: Signal::default(),
            running: BitRegister::default(),
            starting: BitRegister::default(),
            ticks_low: preset(low),
            ticks_high: preset(high),
            cycles: Counter::default(),
            turn: CounterTurn::default(),
            registers: LaneSelect::new(
                byte,
                match learns {
                    true => N_LEARN_REGISTERS,
                    false => N_REGISTERS,
                },
            ),
            class_bytes: LaneSelect::new(byte, 4),
            result_space_hit: Signal::default(),
            control_hit: Signal::default(),
            result_hit: Signal::default(),
            wide_high: DSignal::new(TICK_BITS),
            shifted_high: DSignal::new(TICK_BITS),
            class_word: DSignal::new(16),
            decided_class: DSignal::new(16),
            n_ticks_word: DSignal::new(TICK_BITS),
            identity: TableMemory::with_image(identity),
            result_bytes: DConst::new(N_RESULTS as u64, 24),
            control_space: DConst::new(CONTROL_SPACE, 8),
            result_space: DConst::new(RESULT_SPACE, 8),
            ticks_address: DConst::new(TICKS_REGISTER, 24),
            ticks_high_address: DConst::new(TICKS_REGISTER + 1, 24),
            run_address: DConst::new(RUN_REGISTER, 24),
            register_limit: DConst::new(32, 24),
            zero_byte: DConst::new(0, 8),
            eight: DConst::new(8, 4),
        }
    }

    /// The same in a design with weights in a flash.
    pub fn loaded_from_flash(self) -> Self {
        Self {
            flash_loading: vec![Signal::default()],
            flash_checksum: vec![DSignal::new(32)],
            overwritten: vec![BitRegister::default()],
            from_flash: vec![DConst::new(2, 8)],
            registers: LaneSelect::new(SignalType::unsigned(8), N_FLASH_REGISTERS),
            _n_flashes: 1,
            _n_unused: 1 - self._n_learning,
            ..self
        }
    }
}

impl Logic for Control {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, cycles, turn);
        dff_setup!(self, clock, running, starting, ticks_low, ticks_high);
        self.control_hit.next = (self.bus_space.val() == self.control_space.val())
            & (self.bus_address.val() < self.register_limit.val());
        self.result_space_hit.next = self.bus_space.val() == self.result_space.val();
        self.result_hit.next =
            self.result_space_hit.val() & (self.bus_address.val() < self.result_bytes.val());
        self.bus_hit.next = self.control_hit.val() | self.result_hit.val();

        // A run starts one cycle after its command and ends with `done`.
        self.starting.d.next = false;
        if self.bus_write.val() & self.control_hit.val() {
            if self.bus_address.val() == self.ticks_address.val() {
                self.ticks_low.d.next = self.bus_write_data.val();
            }
            if self.bus_address.val() == self.ticks_high_address.val() {
                self.ticks_high.d.next = self.bus_write_data.val();
            }
            if (self.bus_address.val() == self.run_address.val())
                & (self.bus_write_data.val() != self.zero_byte.val())
            {
                self.starting.d.next = !self.running.q.val();
            }
        }
        if self.starting.q.val() {
            self.running.d.next = true;
        }
        if self.done.val() {
            self.running.d.next = false;
        }
        self.start.next = self.starting.q.val();
        self.busy.next = self.running.q.val() | self.starting.q.val();
        self.cycles.clear.next = self.starting.q.val();
        self.cycles.count.next = self.running.q.val();

        self.wide_high.next = bit_cast(self.ticks_high.q.val(), TICK_BITS);
        self.shifted_high.next = self.wide_high.val() << self.eight.val();
        self.n_ticks_word.next =
            self.shifted_high.val() | bit_cast(self.ticks_low.q.val(), TICK_BITS);
        self.n_ticks.next = self.n_ticks_word.val();

        self.identity.address.next = bit_cast(self.bus_address.val(), 4);
        for i in 0..16 {
            self.registers.lanes[i].next = self.zero_byte.val();
        }
        self.registers.lanes[16].next = self.ticks_low.q.val();
        self.registers.lanes[17].next = self.ticks_high.q.val();
        self.registers.lanes[18].next = self.zero_byte.val();
        self.registers.lanes[19].next = bit_cast(self.busy.val(), 8);
        self.registers.index.next = bit_cast(self.bus_address.val(), 5);

        self.class_word.next = bit_cast(self.class_index.val(), 16);
        self.class_bytes.lanes[0].next = self.class_word.val().get_bits::<8>(0);
        self.class_bytes.lanes[1].next = self.class_word.val().get_bits::<8>(8);
        self.class_bytes.lanes[2].next = self.zero_byte.val();
        self.class_bytes.lanes[3].next = self.zero_byte.val();
        self.class_bytes.index.next = self.bus_address.val().get_bits::<2>(0);

        // What learns knows the label, and its reward once there is a class.
        self.decided_class.next = self.class_word.val();
        for i in 0..self._n_learning {
            self.learn_flags[i].clock.next = self.clock.val();
            self.label_low[i].clock.next = self.clock.val();
            self.label_high[i].clock.next = self.clock.val();
            self.learn_flags[i].d.next = self.learn_flags[i].q.val();
            self.label_low[i].d.next = self.label_low[i].q.val();
            self.label_high[i].d.next = self.label_high[i].q.val();
            if self.bus_write.val() & self.control_hit.val() {
                if self.bus_address.val() == self.learn_address[i].val() {
                    self.learn_flags[i].d.next = self.bus_write_data.val();
                }
                if self.bus_address.val() == self.label_address[i].val() {
                    self.label_low[i].d.next = self.bus_write_data.val();
                }
                if self.bus_address.val() == self.label_high_address[i].val() {
                    self.label_high[i].d.next = self.bus_write_data.val();
                }
            }
            self.learn[i].next = self.learn_flags[i].q.val().get_bit(0);
            self.goes_on[i].next = self.learn_flags[i].q.val().get_bit(2);
            self.all_ticks[i].index.next = self.n_ticks_word.val();
            self.learn_ticks[i].next = self.all_ticks[i].address.val();
            self.last_run[i].clock.next = self.clock.val();
            self.last_run[i].d.next = self.last_run[i].q.val();
            if self.bus_write.val()
                & self.control_hit.val()
                & (self.bus_address.val() == self.run_address.val())
            {
                self.last_run[i].d.next = self.bus_write_data.val();
                if self.learn_flags[i].q.val().get_bit(0)
                    & (self.bus_write_data.val() == self.last_run[i].q.val())
                {
                    self.starting.d.next = false;
                }
            }
            self.registers.lanes[i + 18].next = self.last_run[i].q.val();
            self.label_bytes[i].lanes[0].next = self.label_low[i].q.val();
            self.label_bytes[i].lanes[1].next = self.label_high[i].q.val();
            self.decided_class.next = self.class_word.val();
            for j in 0..self._n_phased {
                self.first_class[j].clock.next = self.clock.val();
                self.first_class[j].d.next = self.first_class[j].q.val();
                if self.learn_flags[i].q.val().get_bit(2) {
                    self.decided_class.next = self.first_class[j].q.val();
                } else if self.done.val() {
                    self.first_class[j].d.next = self.class_word.val();
                }
            }
            self.reward[i].next = self.no_reward[i].val();
            if self.learn_flags[i].q.val().get_bit(1) {
                self.reward[i].next = self.punished[i].val();
                if self.decided_class.val() == self.label_bytes[i].word.val() {
                    self.reward[i].next = self.rewarded[i].val();
                }
            }
            self.registers.lanes[i + 20].next = self.learn_flags[i].q.val();
            self.registers.lanes[i + 21].next = self.zero_byte.val();
            self.registers.lanes[i + 22].next = self.label_low[i].q.val();
            self.registers.lanes[i + 23].next = self.label_high[i].q.val();
        }

        // Weights are those of the flash until the host writes some.
        for _i in 0..self._n_unused {
            self.registers.lanes[20].next = self.zero_byte.val();
            self.registers.lanes[21].next = self.zero_byte.val();
            self.registers.lanes[22].next = self.zero_byte.val();
            self.registers.lanes[23].next = self.zero_byte.val();
        }
        for i in 0..self._n_flashes {
            self.overwritten[i].clock.next = self.clock.val();
            self.overwritten[i].d.next = self.overwritten[i].q.val()
                | (self.bus_write.val()
                    & self.bus_space.val().get_bits::<4>(4).any()
                    & !self.flash_loading[i].val());
            self.registers.lanes[i + 19].next = bit_cast(self.busy.val(), 8);
            if !self.overwritten[i].q.val() {
                self.registers.lanes[i + 19].next =
                    bit_cast(self.busy.val(), 8) | self.from_flash[i].val();
            }
            self.registers.lanes[i + 24].next = self.flash_checksum[i].val().get_bits::<8>(0);
            self.registers.lanes[i + 25].next = self.flash_checksum[i].val().get_bits::<8>(8);
            self.registers.lanes[i + 26].next = self.flash_checksum[i].val().get_bits::<8>(16);
            self.registers.lanes[i + 27].next = self.flash_checksum[i].val().get_bits::<8>(24);
        }

        // Counters hold still while they count: the space is the executor's while it still reads
        // the header of a command that then waits for the end of the run.
        self.turn.clear.next = self.starting.q.val();
        self.turn.enable.next = self.result_space_hit.val() & !self.busy.val();
        self.turn.byte_idx.next = self.bus_address.val().get_bits::<2>(0);
        self.cycles.rotate.next = self.turn.rotate.val();
        self.counter_rotate.next = self.turn.rotate.val();
        self.counter_exists.next = self.turn.exists.val();

        self.bus_read_data.next = self.zero_byte.val();
        if self.control_hit.val() {
            self.bus_read_data.next = self.registers.selected.val();
            if !self.bus_address.val().get_bit(4) {
                self.bus_read_data.next = self.identity.data[0].val();
            }
        }
        if self.result_hit.val() {
            if !self.bus_address.val().get_bit(2) {
                self.bus_read_data.next = self.class_bytes.selected.val();
            } else if self.turn.exists.val() {
                self.bus_read_data.next = self.cycles.low_byte.val();
            }
        }
    }
}

const _: () = assert!(COUNTER_BITS <= 32, "a counter is read as 4 bytes");
