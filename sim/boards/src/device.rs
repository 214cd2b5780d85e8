//! A device in software, byte for byte what the circuit is: for tests, and for clients under work.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::error::TransportError;
use crate::frame::{
    AnswerFrame, CommandDecoder, CommandFrame, CommandPart, DEVICE_BUFFER, command, status,
};
use crate::map::{PROTOCOL_VERSION, Space, register};
use crate::transport::Transport;

/// The design behind a device's link.
pub trait Bus {
    /// The byte at an address; `None` if there is none.
    fn read(&mut self, space: Space, address: u32) -> Option<u8>;

    /// Stores a byte; `None` if there is no such address.
    fn write(&mut self, space: Space, address: u32, byte: u8) -> Option<()>;

    /// Whether the design runs, so that only [`Space::CONTROL`] is served.
    fn is_busy(&self) -> bool {
        false
    }

    /// Lets time pass.
    fn advance(&mut self, time: Duration) {
        let _ = time;
    }
}

/// Memories behind a link, and control registers whose runs compute nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemorySpaces {
    /// The contents of each space, from address 0.
    pub spaces: BTreeMap<Space, Vec<u8>>,
    /// How long a run takes.
    pub run_time: Duration,
    /// Runs started.
    pub n_runs: u64,
    busy_for: Duration,
}

/// Control registers of a device in software.
const N_REGISTERS: usize = 0x14;

impl MemorySpaces {
    /// Control registers of a design with this identity, and no other space.
    pub fn new(design_id: u64) -> Self {
        let mut registers = vec![0; N_REGISTERS];
        registers[..8].copy_from_slice(&design_id.to_le_bytes());
        registers[8] = PROTOCOL_VERSION;
        let spaces = BTreeMap::from([(Space::CONTROL, registers)]);
        Self {
            spaces,
            ..Self::default()
        }
    }

    fn place(&mut self, space: Space, address: u32) -> Option<&mut u8> {
        self.spaces
            .get_mut(&space)?
            .get_mut(usize::try_from(address).ok()?)
    }
}

impl Bus for MemorySpaces {
    fn read(&mut self, space: Space, address: u32) -> Option<u8> {
        if (space, address) == (Space::CONTROL, register::STATUS) {
            return Some(if self.is_busy() { register::BUSY } else { 0 });
        }
        self.place(space, address).copied()
    }

    fn write(&mut self, space: Space, address: u32, byte: u8) -> Option<()> {
        if space == Space::CONTROL {
            match address {
                register::RUN if byte != 0 => {
                    self.n_runs += 1;
                    self.busy_for = self.run_time;
                    return Some(());
                }
                0x10 | 0x11 => {}
                // The other registers are there, and cannot be written.
                _ => return self.place(space, address).map(|_| ()),
            }
        }
        *self.place(space, address)? = byte;
        Some(())
    }

    fn is_busy(&self) -> bool {
        !self.busy_for.is_zero()
    }

    fn advance(&mut self, time: Duration) {
        self.busy_for = self.busy_for.saturating_sub(time);
    }
}

/// The device's end of the link in software, without time: bytes in, bytes out.
#[derive(Debug, Clone, Default)]
pub struct SoftwareDevice<B> {
    bus: B,
    decoder: CommandDecoder,
    waiting: VecDeque<CommandFrame>,
    n_lost: u64,
}

impl<B: Bus> SoftwareDevice<B> {
    /// A device in front of a design.
    pub fn new(bus: B) -> Self {
        Self {
            bus,
            decoder: CommandDecoder::default(),
            waiting: VecDeque::new(),
            n_lost: 0,
        }
    }

    /// The design.
    pub fn bus(&self) -> &B {
        &self.bus
    }

    /// The design.
    pub fn bus_mut(&mut self) -> &mut B {
        &mut self.bus
    }

    /// Commands with a wrong checksum, or given up.
    pub fn n_bad_frames(&self) -> u64 {
        self.decoder.n_bad_frames()
    }

    /// Bytes lost because commands that wait for the design fill the buffer.
    pub fn n_lost(&self) -> u64 {
        self.n_lost
    }

    /// Receives a byte from a serial line, which cannot be held up.
    pub fn receive(&mut self, byte: u8) {
        let part = self.decoder.next_part();
        if part == CommandPart::Stored && self.stored_bytes() >= DEVICE_BUFFER {
            self.n_lost += 1;
            return;
        }
        self.waiting.extend(self.decoder.push(byte));
    }

    /// Forgets the frame in progress, because the line was silent for too long.
    pub fn line_was_silent(&mut self) {
        self.decoder.give_up();
    }

    /// Executes the oldest command if the design lets it, and gives the answer.
    pub fn execute(&mut self) -> Option<AnswerFrame> {
        let next = self.waiting.front()?;
        if next.space() != Space::CONTROL && self.bus.is_busy() {
            return None;
        }
        let frame = self.waiting.pop_front()?;
        let (status, payload) = self.carry_out(&frame);
        let answer = AnswerFrame::new(frame.sequence(), status, payload);
        Some(answer.expect("a command asks for at most 255 bytes"))
    }

    fn carry_out(&mut self, frame: &CommandFrame) -> (u8, Vec<u8>) {
        let space = frame.space();
        let address = |offset: usize| {
            // Addresses wrap inside the space, as the circuit's 24-bit counter does.
            (frame.address() + u32::try_from(offset).unwrap_or(0)) & 0xff_ffff
        };
        let mut known = true;
        match (frame.command(), frame.payload()) {
            (command::READ, &[n_bytes]) => {
                let mut bytes = Vec::with_capacity(n_bytes.into());
                for offset in 0..usize::from(n_bytes) {
                    match self.bus.read(space, address(offset)) {
                        Some(byte) => bytes.push(byte),
                        None => known = false,
                    }
                }
                if known {
                    (status::OK, bytes)
                } else {
                    (status::BAD_ACCESS, vec![])
                }
            }
            (command::READ, _) => (status::BAD_ACCESS, vec![]),
            (command::WRITE, bytes) => {
                for (offset, &byte) in bytes.iter().enumerate() {
                    known &= self.bus.write(space, address(offset), byte).is_some();
                }
                (
                    if known {
                        status::OK
                    } else {
                        status::BAD_ACCESS
                    },
                    vec![],
                )
            }
            _ => (status::UNKNOWN_COMMAND, vec![]),
        }
    }

    fn stored_bytes(&self) -> usize {
        let waiting: usize = self.waiting.iter().map(CommandFrame::stored_bytes).sum();
        waiting + self.decoder.stored_bytes()
    }
}

/// A [`SoftwareDevice`] at the end of a serial line, in simulated time.
///
/// A byte takes its time in either direction, and a silence of the line makes the device forget a
/// broken frame.
#[derive(Debug, Clone)]
pub struct SoftwareTransport<B> {
    device: SoftwareDevice<B>,
    byte_time: Duration,
    silence: Duration,
    now: Duration,
    last_byte: Duration,
    output: VecDeque<u8>,
}

impl<B: Bus> SoftwareTransport<B> {
    /// A device on a line on which a byte takes `byte_time` and which counts as silent after
    /// `silence`.
    pub fn new(device: SoftwareDevice<B>, byte_time: Duration, silence: Duration) -> Self {
        Self {
            device,
            byte_time,
            silence,
            now: Duration::ZERO,
            last_byte: Duration::ZERO,
            output: VecDeque::new(),
        }
    }

    /// The device.
    pub fn device(&self) -> &SoftwareDevice<B> {
        &self.device
    }

    /// The device.
    pub fn device_mut(&mut self) -> &mut SoftwareDevice<B> {
        &mut self.device
    }

    fn advance(&mut self, time: Duration) {
        self.now += time;
        self.device.bus.advance(time);
        if self.now - self.last_byte >= self.silence {
            self.device.line_was_silent();
        }
        while let Some(answer) = self.device.execute() {
            self.output.extend(answer.encode());
        }
    }
}

impl<B: Bus> Transport for SoftwareTransport<B> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        for &byte in bytes {
            self.advance(self.byte_time);
            self.device.receive(byte);
            self.last_byte = self.now;
            self.advance(Duration::ZERO);
        }
        Ok(())
    }

    fn read(
        &mut self,
        buffer: &mut Vec<u8>,
        want: usize,
        patience: Duration,
    ) -> Result<usize, TransportError> {
        // Time passes in small steps, so that a run can end and be answered meanwhile.
        let step = (patience / 64).max(Duration::from_nanos(1));
        let deadline = self.now + patience;
        let mut n_read = 0;
        while n_read < want {
            if let Some(byte) = self.output.pop_front() {
                buffer.push(byte);
                n_read += 1;
                self.advance(self.byte_time);
            } else if self.now >= deadline {
                break;
            } else {
                self.advance(step.min(deadline - self.now));
            }
        }
        Ok(n_read)
    }

    fn now(&self) -> Duration {
        self.now
    }
}
