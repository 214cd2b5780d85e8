//! The host's end of the link.

use std::collections::VecDeque;
use std::time::Duration;

use crate::error::Error;
use crate::frame::{
    ANSWER_OVERHEAD, AnswerDecoder, AnswerFrame, COMMAND_OVERHEAD, CommandFrame, DEVICE_BUFFER,
    MAX_PAYLOAD, SPACE_SIZE, STORED_OVERHEAD, command, status,
};
use crate::map::Space;
use crate::transport::Transport;

/// A frame is not cut below this many bytes: most of it would be overhead.
const SMALLEST_CUT: usize = 16;

/// How a [`Client`] uses the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// How long to wait for an answer, beyond the time the bytes take, before sending again.
    ///
    /// Must be longer than the device's silence limit (2^16 cycles unless the bit is longer), so
    /// that it has forgotten what it holds of a broken frame.
    pub answer_timeout: Duration,
    /// How many times as long a device may get that turns out to be slower, as a simulation behind
    /// a pseudo-terminal may be: the time doubles when nothing comes, and halves again when
    /// answers come in a quarter of it. 1 where the device's time is the transport's.
    pub longest_wait: u32,
    /// The time a byte takes on the line, 10 bits; zero where it does not matter.
    pub byte_time: Duration,
    /// Bytes of commands without answer at a time, as the device stores them.
    pub window_bytes: usize,
    /// Commands without answer at a time, 1 to 128.
    pub window_frames: usize,
    /// Bytes carried by a frame, 1 to 255.
    pub frame_bytes: usize,
    /// Times in a row that nothing under way is answered before the device counts as unreachable.
    pub max_attempts: u32,
    /// The same while the client connects, when nothing was ever answered.
    pub connect_attempts: u32,
    /// How long nothing may be answered, four attempts at least, before the device counts as
    /// unreachable.
    pub patience: Duration,
    /// Sequence number of the first command. Where an earlier client may have left commands that
    /// are still to be answered, a random one tells their answers from this client's.
    pub first_sequence: u8,
}

/// Attempts that are always made.
const LEAST_ATTEMPTS: u32 = 4;

impl Default for ClientConfig {
    /// Two full frames at a time, 100 ms for an answer, 20 attempts, in the device's own time.
    fn default() -> Self {
        Self {
            answer_timeout: Duration::from_millis(100),
            longest_wait: 1,
            byte_time: Duration::ZERO,
            window_bytes: DEVICE_BUFFER,
            window_frames: 16,
            frame_bytes: DEVICE_BUFFER / 2 - STORED_OVERHEAD,
            max_attempts: 20,
            connect_attempts: 20,
            patience: Duration::from_secs(30),
            first_sequence: 0,
        }
    }
}

impl ClientConfig {
    /// The configuration for a serial line of `baud` bits a second; 0 counts as 1.
    pub fn for_baud(baud: u32) -> Self {
        Self {
            byte_time: Duration::from_secs(10) / baud.max(1),
            ..Self::default()
        }
    }

    /// The configuration for a port of this computer, behind which is a board or a simulation that
    /// is slower than one, and which another program may have used a moment ago.
    pub fn for_port(baud: u32) -> Self {
        Self {
            // Longer than an adapter collects bytes for, mostly 16 ms, and than the silence that
            // a device at 12 MHz waits for, 5.5 ms.
            answer_timeout: Duration::from_millis(30),
            longest_wait: 64,
            connect_attempts: 8,
            first_sequence: fastrand::u8(..),
            ..Self::for_baud(baud)
        }
    }
}

/// What has happened on the line since the client was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkStatistics {
    /// Commands sent, each resent one counted again.
    pub frames_sent: u64,
    /// Commands sent again.
    pub retries: u64,
    /// Commands cut in two because they kept getting lost.
    pub cuts: u64,
    /// Times that nothing came for as long as an answer may take.
    pub timeouts: u64,
    /// Answers that were waited for.
    pub answers: u64,
    /// Answers to commands that were answered before.
    pub stale_answers: u64,
    /// Answers with a wrong checksum, or incomplete.
    pub bad_answers: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Bytes written for the caller.
    pub payload_written: u64,
    /// Bytes read for the caller.
    pub payload_read: u64,
}

/// What a transfer does.
enum Transfer<'a> {
    Read(&'a mut [u8]),
    Write(&'a [u8]),
}

/// A part of a transfer that one frame does.
#[derive(Debug, Clone, Copy)]
struct Part {
    offset: usize,
    n_bytes: usize,
    attempts: u32,
}

/// The host's end of the link: reads and writes bytes of a device.
///
/// Transfers are split into frames, of which several are under way at a time. The device executes
/// commands in order and answers each, so an answer tells that unanswered commands sent before it
/// are lost; they alone are sent again at once, the others when nothing comes for a while. A
/// command that is lost twice is cut in two, since a shorter frame is hit less often.
///
/// All methods return when the device has answered everything.
pub struct Client<T> {
    transport: T,
    cfg: ClientConfig,
    statistics: LinkStatistics,
    decoder: AnswerDecoder,
    next_sequence: u8,
    /// How many times as long as configured the device's answers are waited for.
    slowness: u32,
    is_connected: bool,
}

impl<T: Transport> Client<T> {
    /// A client that has not spoken to the device yet.
    pub fn new(transport: T, cfg: ClientConfig) -> Self {
        let cfg = ClientConfig {
            // The sequence numbers of what is under way, and of what may still be in the line
            // from before, must differ.
            window_frames: cfg.window_frames.clamp(1, 128),
            frame_bytes: cfg.frame_bytes.clamp(1, MAX_PAYLOAD),
            max_attempts: cfg.max_attempts.max(1),
            ..cfg
        };
        Self {
            transport,
            next_sequence: cfg.first_sequence,
            cfg,
            statistics: LinkStatistics::default(),
            decoder: AnswerDecoder::default(),
            slowness: 1,
            is_connected: true,
        }
    }

    /// A client of a device that answers and speaks this version of the protocol.
    ///
    /// # Errors
    /// If the device does not answer or speaks another version.
    pub fn connect(transport: T, cfg: ClientConfig) -> Result<Self, Error> {
        let mut client = Self::new(transport, cfg);
        client.is_connected = false;
        client.check_protocol_version()?;
        client.is_connected = true;
        Ok(client)
    }

    /// Reads `n_bytes` bytes of `space` from `address`.
    ///
    /// # Errors
    /// If the device has not got them or does not answer.
    pub fn read(&mut self, space: Space, address: u32, n_bytes: usize) -> Result<Vec<u8>, Error> {
        self.read_within(space, address, n_bytes, self.cfg.answer_timeout)
    }

    /// As [`read`](Self::read), with another time to wait before a command is sent again.
    ///
    /// The device answers only when it is idle, except for the control space. With a time longer
    /// than a run, reading the results is all that is needed to wait for its end.
    ///
    /// # Errors
    /// If the device has not got them or does not answer.
    pub fn read_within(
        &mut self,
        space: Space,
        address: u32,
        n_bytes: usize,
        answer_timeout: Duration,
    ) -> Result<Vec<u8>, Error> {
        check_range(address, n_bytes)?;
        let mut bytes = vec![0; n_bytes];
        self.transfer(Transfer::Read(&mut bytes), space, address, answer_timeout)?;
        self.statistics.payload_read += count(n_bytes);
        Ok(bytes)
    }

    /// Writes `bytes` to `space` from `address`.
    ///
    /// After an error any of the bytes may have been written.
    ///
    /// # Errors
    /// If the device has no place for them or does not answer.
    pub fn write(&mut self, space: Space, address: u32, bytes: &[u8]) -> Result<(), Error> {
        check_range(address, bytes.len())?;
        self.transfer(
            Transfer::Write(bytes),
            space,
            address,
            self.cfg.answer_timeout,
        )?;
        self.statistics.payload_written += count(bytes.len());
        Ok(())
    }

    /// What has happened on the line so far.
    pub fn statistics(&self) -> LinkStatistics {
        LinkStatistics {
            bad_answers: self.decoder.n_bad_frames(),
            ..self.statistics
        }
    }

    /// How the line is used.
    pub fn config(&self) -> &ClientConfig {
        &self.cfg
    }

    /// The transport, for what it offers besides.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// The transport, for what it offers besides. Bytes taken from it are missed by the client.
    pub fn transport_mut(&mut self) -> &mut T {
        &mut self.transport
    }

    /// The same client on another transport, such as the same one in a box.
    pub fn map_transport<U: Transport>(self, change: impl FnOnce(T) -> U) -> Client<U> {
        Client {
            transport: change(self.transport),
            cfg: self.cfg,
            statistics: self.statistics,
            decoder: self.decoder,
            next_sequence: self.next_sequence,
            slowness: self.slowness,
            is_connected: self.is_connected,
        }
    }

    /// Gives the transport back.
    pub fn into_transport(self) -> T {
        self.transport
    }

    fn transfer(
        &mut self,
        mut transfer: Transfer<'_>,
        space: Space,
        address: u32,
        answer_timeout: Duration,
    ) -> Result<(), Error> {
        let n_bytes = match &transfer {
            Transfer::Read(bytes) => bytes.len(),
            Transfer::Write(bytes) => bytes.len(),
        };
        let mut to_send: VecDeque<Part> = (0..n_bytes)
            .step_by(self.cfg.frame_bytes)
            .map(|offset| Part {
                offset,
                n_bytes: self.cfg.frame_bytes.min(n_bytes - offset),
                attempts: 0,
            })
            .collect();
        // In the order in which they were sent, which is the order of the answers.
        let mut under_way: VecDeque<(u8, Part)> = VecDeque::new();
        let mut stored = 0;
        // On a line that loses much a command may need many attempts while others get through, so
        // only attempts at all that is under way count.
        let mut n_in_vain = 0;
        let mut answered_at = self.transport.now();
        let max_attempts = match self.is_connected {
            true => self.cfg.max_attempts,
            false => self.cfg.connect_attempts.max(1),
        };
        loop {
            while let Some(&part) = to_send.front() {
                let needed = stored_bytes(&transfer, &part);
                let fits = under_way.len() < self.cfg.window_frames
                    && stored + needed <= self.cfg.window_bytes;
                if !fits && !under_way.is_empty() {
                    break;
                }
                to_send.pop_front();
                stored += needed;
                let sequence = self.take_sequence(&under_way);
                self.send(&transfer, sequence, space, address, &part)?;
                under_way.push_back((sequence, part));
            }
            if under_way.is_empty() {
                return Ok(());
            }
            let lost = match self.next_answer(&transfer, &under_way, answer_timeout)? {
                None => {
                    n_in_vain += 1;
                    let waited = self.transport.now().saturating_sub(answered_at);
                    let gives_up = n_in_vain >= max_attempts
                        || (n_in_vain >= LEAST_ATTEMPTS && waited > self.cfg.patience);
                    if let (true, Some((_, part))) = (gives_up, under_way.front()) {
                        return Err(Error::Unreachable {
                            attempts: n_in_vain,
                            space,
                            address: part_address(address, part),
                            n_bytes: part.n_bytes,
                            n_answers: self.statistics.answers,
                        });
                    }
                    under_way.drain(..).collect()
                }
                Some((position, answer)) => {
                    n_in_vain = 0;
                    answered_at = self.transport.now();
                    let lost: Vec<_> = under_way.drain(..position).collect();
                    if let Some((_, part)) = under_way.pop_front() {
                        stored -= stored_bytes(&transfer, &part);
                        take_answer(&mut transfer, space, address, &part, &answer)?;
                    }
                    lost
                }
            };
            for (_, part) in lost.into_iter().rev() {
                stored -= stored_bytes(&transfer, &part);
                self.send_again(&mut to_send, part);
            }
        }
    }

    /// Waits twice as long from now on.
    fn be_patient(&mut self) {
        self.slowness = (self.slowness * 2).min(self.cfg.longest_wait.max(1));
    }

    /// A number that none of the commands under way has.
    fn take_sequence(&mut self, under_way: &VecDeque<(u8, Part)>) -> u8 {
        // At most 128 of the 256 are in use, so the search ends.
        while under_way
            .iter()
            .any(|&(sequence, _)| sequence == self.next_sequence)
        {
            self.next_sequence = self.next_sequence.wrapping_add(1);
        }
        let sequence = self.next_sequence;
        self.next_sequence = sequence.wrapping_add(1);
        sequence
    }

    fn send(
        &mut self,
        transfer: &Transfer<'_>,
        sequence: u8,
        space: Space,
        address: u32,
        part: &Part,
    ) -> Result<(), Error> {
        let (code, payload) = match transfer {
            // A part has at most 255 bytes.
            Transfer::Read(_) => (command::READ, vec![part.n_bytes.to_le_bytes()[0]]),
            Transfer::Write(bytes) => (
                command::WRITE,
                bytes[part.offset..part.offset + part.n_bytes].to_vec(),
            ),
        };
        let address = part_address(address, part);
        let bytes = CommandFrame::new(sequence, code, space, address, payload)?.encode();
        self.transport.write(&bytes)?;
        self.statistics.frames_sent += 1;
        self.statistics.retries += u64::from(part.attempts > 0);
        self.statistics.bytes_sent += count(bytes.len());
        Ok(())
    }

    /// Puts a lost part in front of those to send.
    fn send_again(&mut self, to_send: &mut VecDeque<Part>, mut part: Part) {
        part.attempts += 1;
        if part.attempts.is_multiple_of(2) && part.n_bytes >= 2 * SMALLEST_CUT {
            self.statistics.cuts += 1;
            let first = part.n_bytes / 2;
            to_send.push_front(Part {
                offset: part.offset + first,
                n_bytes: part.n_bytes - first,
                ..part
            });
            part.n_bytes = first;
        }
        to_send.push_front(part);
    }

    /// The next answer to one of the commands under way, and that command's position among them;
    /// `None` if none comes in time.
    fn next_answer(
        &mut self,
        transfer: &Transfer<'_>,
        under_way: &VecDeque<(u8, Part)>,
        answer_timeout: Duration,
    ) -> Result<Option<(usize, AnswerFrame)>, Error> {
        let on_the_line: usize = under_way
            .iter()
            .map(|(_, part)| part.n_bytes)
            .sum::<usize>()
            + under_way.len() * (COMMAND_OVERHEAD + ANSWER_OVERHEAD + 1);
        let line_time = self.cfg.byte_time * u32::try_from(on_the_line).unwrap_or(u32::MAX);
        let start = self.transport.now();
        let expected = answer_timeout + line_time;
        let mut deadline = start + expected * self.slowness;
        let mut received = Vec::new();
        loop {
            while let Some(answer) = self.decoder.next_answer() {
                let position = under_way.iter().position(|(sequence, part)| {
                    *sequence == answer.sequence() && fits(transfer, part, &answer)
                });
                if let Some(position) = position {
                    self.statistics.answers += 1;
                    let waited = self.transport.now().saturating_sub(start);
                    if waited < expected * self.slowness / 4 {
                        self.slowness = (self.slowness / 2).max(1);
                    }
                    return Ok(Some((position, answer)));
                }
                self.statistics.stale_answers += 1;
                if self.cfg.longest_wait > 1 {
                    // The device is slow, and has not come to what was sent again.
                    self.be_patient();
                    deadline = self.transport.now() + expected * self.slowness;
                }
            }
            let patience = deadline.saturating_sub(self.transport.now());
            if patience.is_zero() {
                // An answer may stand behind the remains of a broken one.
                if self.decoder.give_up() {
                    continue;
                }
                self.statistics.timeouts += 1;
                self.be_patient();
                return Ok(None);
            }
            received.clear();
            let want = self.decoder.bytes_missing();
            let n_received = self.transport.read(&mut received, want, patience)?;
            self.statistics.bytes_received += count(n_received);
            self.decoder.push(&received);
        }
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn check_range(address: u32, n_bytes: usize) -> Result<(), Error> {
    let end = usize::try_from(address)
        .ok()
        .and_then(|address| address.checked_add(n_bytes));
    match end.map(u32::try_from) {
        Some(Ok(end)) if end <= SPACE_SIZE => Ok(()),
        _ => Err(Error::Address {
            address,
            n_bytes,
            limit: SPACE_SIZE,
        }),
    }
}

/// The address of a part of a transfer whose range was checked.
fn part_address(address: u32, part: &Part) -> u32 {
    address + u32::try_from(part.offset).expect("the range of the transfer was checked")
}

/// Bytes of the device's buffer that a part takes.
fn stored_bytes(transfer: &Transfer<'_>, part: &Part) -> usize {
    match transfer {
        Transfer::Read(_) => STORED_OVERHEAD + 1,
        Transfer::Write(_) => STORED_OVERHEAD + part.n_bytes,
    }
}

/// Whether an answer can be to the command at all; if not, it is an old one's.
fn fits(transfer: &Transfer<'_>, part: &Part, answer: &AnswerFrame) -> bool {
    let expected = match transfer {
        Transfer::Read(_) if answer.status() == status::OK => part.n_bytes,
        _ => 0,
    };
    answer.payload().len() == expected
}

fn take_answer(
    transfer: &mut Transfer<'_>,
    space: Space,
    address: u32,
    part: &Part,
    answer: &AnswerFrame,
) -> Result<(), Error> {
    match answer.status() {
        status::OK => {
            if let Transfer::Read(bytes) = transfer {
                bytes[part.offset..part.offset + part.n_bytes].copy_from_slice(answer.payload());
            }
            Ok(())
        }
        status::UNKNOWN_COMMAND => Err(Error::UnknownCommand {
            command: match transfer {
                Transfer::Read(_) => command::READ,
                Transfer::Write(_) => command::WRITE,
            },
        }),
        status::BAD_ACCESS => Err(Error::NoSuchAddress {
            space,
            address: part_address(address, part),
            n_bytes: part.n_bytes,
        }),
        status => Err(Error::UnknownStatus { status }),
    }
}
