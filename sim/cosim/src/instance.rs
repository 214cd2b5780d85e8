use std::ffi::CString;
use std::fmt;
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use crate::error::Error;
use crate::model::{Direction, Handle, Input, Model, Output, Status};
use crate::probe::{Probe, Records};
use crate::transport::{Traffic, Transport};
use crate::wave;

/// How an [`Instance`] is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// The clock that [`Instance::clock_cycles`] and [`Instance::run_bytes`] toggle. A design with
    /// several clocks leaves it out, sets each clock by hand and calls [`Instance::eval`].
    pub clock: Option<String>,
    /// The synchronous reset, active high. In cycles in which it is high the transport is idle and
    /// nothing is sampled: before the first edge a valid bit may be anything.
    pub reset: Option<String>,
    /// What registers and memories without a power-up value hold.
    pub initial: Initial,
    /// How bytes get into and out of the design.
    pub transport: Option<Transport>,
    /// Gaps and stalls in that traffic.
    pub traffic: Traffic,
}

impl Default for Setup {
    /// Ports named `clock` and `reset`, random initial state, no transport.
    fn default() -> Self {
        Self {
            clock: Some("clock".to_owned()),
            reset: Some("reset".to_owned()),
            initial: Initial::Random { seed: 1 },
            transport: None,
            traffic: Traffic::default(),
        }
    }
}

/// The state of everything that the design does not initialise itself.
///
/// A design is right only if its results do not depend on this: run it with two seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initial {
    /// All zeros, which hides most mistakes.
    Zeros,
    /// All ones.
    Ones,
    /// Random bits. Equal seeds give equal bits with one version of Verilator, not across them.
    Random {
        /// Any value.
        seed: u64,
    },
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The number of cycles was used up.
    CycleLimit,
    /// What was waited for has happened.
    Done,
    /// As many probe records wait as [`Instance::set_record_limit`] allows.
    RecordLimit,
    /// The design executed `$finish`.
    Finished,
}

/// The result of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Clock cycles that were run.
    pub cycles: u64,
    /// Why it ended.
    pub stop: Stop,
}

/// The result of [`Instance::run_bytes`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BytesRun {
    /// What came out of the design, in order.
    pub output: Vec<u8>,
    /// Clock cycles that were run.
    pub cycles: u64,
    /// Why it ended.
    pub stop: Stop,
}

/// One copy of a design, with its own state, clock and random bits.
///
/// # Timing
///
/// One cycle is two evaluations:
///
/// 1. Inputs take their values and the clock falls; everything combinational settles.
/// 2. Outputs, handshakes and probes are sampled: the values that a register clocked by the
///    coming edge would take.
/// 3. The clock rises and the design's registers take their new values.
///
/// After a run the clock is high and outputs show the state after the last edge.
///
/// # Threads
///
/// An instance may move to another thread but serves one at a time. Instances are independent, so
/// samples can be spread over threads with one instance each.
///
/// Verilator keeps intermediate results on the stack, thousands of them when single bits of a
/// vector of thousands of bits are computed apart: such a design can need more than the 2 MiB that
/// Rust gives a new thread.
pub struct Instance {
    handle: NonNull<std::ffi::c_void>,
    status: NonNull<Status>,
    model: Model,
    data: Vec<*mut u8>,
    has_clock: bool,
    reset: Option<Input>,
    has_transport: bool,
    words_per_probe: Vec<usize>,
    wave: Option<Wave>,
    not_sync: PhantomData<*mut ()>,
}

// SAFETY: the shim installs the instance's own context in the calling thread on every entry and
// removes it on the way out, so nothing stays behind in the thread that made the instance.
unsafe impl Send for Instance {}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("model", &self.model)
            .field("cycle", &self.cycle())
            .finish_non_exhaustive()
    }
}

enum Wave {
    Vcd,
    Fst {
        vcd: tempfile::NamedTempFile,
        path: PathBuf,
    },
}

impl Instance {
    /// Makes an instance with all inputs at 0 (an idle `uart_rx` at 1) and runs the `initial`
    /// blocks.
    pub fn new(model: &Model, setup: &Setup) -> Result<Self, Error> {
        let pin = |name: &Option<String>| match name {
            Some(name) => model.find_exact(name, Some(Direction::Input), 1),
            None => Ok(u32::MAX),
        };
        let (clock, reset) = (pin(&setup.clock)?, pin(&setup.reset)?);
        // Every name is looked up before anything is made.
        let transport = setup
            .transport
            .as_ref()
            .map(|transport| transport.resolve(model));
        let transport = transport.transpose()?;
        let (rand_reset, seed) = match setup.initial {
            Initial::Zeros => (0, 1),
            Initial::Ones => (1, 1),
            Initial::Random { seed } => (2, verilator_seed(seed)),
        };
        let api = &model.inner.api;
        // SAFETY: the function takes any values.
        let handle = unsafe { (api.new)(clock, reset, rand_reset, seed) };
        let handle = NonNull::new(handle).ok_or_else(|| Error::Load {
            path: model.directory().to_path_buf(),
            reason: "out of memory".to_owned(),
        })?;
        // SAFETY: the status lives inside the instance.
        let status = unsafe { (api.status)(handle.as_ptr()) };
        let mut instance = Self {
            handle,
            status: NonNull::new(status.cast_mut()).expect("the address of a member"),
            model: model.clone(),
            data: Vec::new(),
            has_clock: setup.clock.is_some(),
            reset: setup.reset.is_some().then_some(Input {
                index: reset,
                model: model.inner.id,
            }),
            has_transport: transport.is_some(),
            words_per_probe: Vec::new(),
            wave: None,
            not_sync: PhantomData,
        };
        // An `initial` block may have failed, for example on a memory image.
        instance.check()?;
        for index in 0..model.ports().len() {
            let index = u32::try_from(index).expect("a module has fewer than 2^32 ports");
            // SAFETY: the index is in range and construction succeeded, so the address is set.
            let data = unsafe { (api.port_data)(handle.as_ptr(), index) };
            instance.data.push(data.cast());
        }
        if let Some(transport) = transport {
            let Traffic {
                seed,
                input_gap,
                output_stall,
            } = setup.traffic;
            let (gap, stall) = (u32::from(input_gap), u32::from(output_stall));
            // SAFETY: `resolve` has checked that the ports exist and fit.
            unsafe {
                transport.apply(api, handle.as_ptr());
                (api.set_traffic)(handle.as_ptr(), seed, gap, stall);
            }
        }
        Ok(instance)
    }

    /// The model this is an instance of.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Sets an input of up to 64 bits; higher bits of `value` than the port has are dropped.
    ///
    /// The design sees it with the next [`eval`](Self::eval) or run.
    pub fn set(&mut self, port: Input, value: u64) -> Result<(), Error> {
        self.set_words(port, &[value])
    }

    /// Sets an input of any width from words with the least significant first. Missing words are
    /// zero; surplus bits and words are dropped.
    pub fn set_words(&mut self, port: Input, words: &[u64]) -> Result<(), Error> {
        let (width, data) = self.locate(port.index, port.model)?;
        let word = words.first().copied().unwrap_or_default();
        // SAFETY: `data` points to a value of the C++ type that Verilator chooses for `width`, and
        // `&mut self` excludes other users. The masks matter: Verilator computes with the upper
        // bits of the type and expects zeros there.
        unsafe {
            match width {
                0..=8 => data.write((word & mask(width)) as u8),
                9..=16 => data.cast::<u16>().write((word & mask(width)) as u16),
                17..=32 => data.cast::<u32>().write((word & mask(width)) as u32),
                33..=64 => data.cast::<u64>().write(word & mask(width)),
                _ => {
                    for at in 0..width.div_ceil(32) {
                        let word = words.get(at as usize / 2).copied().unwrap_or_default();
                        let half = (word >> (32 * (at % 2))) & mask((width - 32 * at).min(32));
                        data.cast::<u32>().add(at as usize).write(half as u32);
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads an output of up to 64 bits.
    pub fn get(&self, port: Output) -> Result<u64, Error> {
        let (width, data) = self.locate(port.index, port.model)?;
        if width > 64 {
            let name = self.model.ports()[port.index as usize].name.clone();
            return Err(Error::PortWidth {
                name,
                width,
                expected: "at most 64".to_owned(),
            });
        }
        // SAFETY: the port is at most 64 bits wide and its address is valid while `self` lives.
        Ok(unsafe { read_narrow(data, width) })
    }

    /// Reads an output of any width as words with the least significant first.
    pub fn get_words(&self, port: Output) -> Result<Vec<u64>, Error> {
        let (width, data) = self.locate(port.index, port.model)?;
        if width <= 64 {
            // SAFETY: as in `get`.
            return Ok(vec![unsafe { read_narrow(data, width) }]);
        }
        let mut words = vec![0; width.div_ceil(64) as usize];
        for at in 0..width.div_ceil(32) as usize {
            // SAFETY: a port of this width is an array of that many 32-bit words.
            let half = unsafe { data.cast::<u32>().add(at).read() };
            words[at / 2] |= u64::from(half) << (32 * (at % 2));
        }
        Ok(words)
    }

    /// Evaluates once with the inputs as they are, and advances wave time by one.
    pub fn eval(&mut self) -> Result<(), Error> {
        // SAFETY: the handle is alive.
        unsafe { (self.model.inner.api.eval)(self.raw()) };
        self.check()
    }

    /// Holds the design in reset for `cycles`. Transport and probes are idle meanwhile.
    pub fn reset(&mut self, cycles: u64) -> Result<(), Error> {
        let reset = self.reset.ok_or(Error::NoReset)?;
        self.set(reset, 1)?;
        self.clock_cycles(cycles)?;
        self.set(reset, 0)
    }

    /// Runs `n` clock cycles, or fewer if the design finishes or probe records reach their limit.
    ///
    /// A transport goes on working: queued input is sent and output is collected.
    pub fn clock_cycles(&mut self, n: u64) -> Result<Run, Error> {
        self.run(&[], n, 0, false)
    }

    /// Sends bytes into the design and waits for bytes out of it.
    ///
    /// Runs until `want_out` bytes are there, or `max_cycles` have passed. At most `want_out`
    /// bytes are returned; more than those stay for the next call. With `want_out` 0 it runs until
    /// the design has accepted all input. Input that is not accepted stays queued, so a run can be
    /// continued with `run_bytes(&[], ..)`.
    pub fn run_bytes(
        &mut self,
        input: &[u8],
        want_out: usize,
        max_cycles: u64,
    ) -> Result<BytesRun, Error> {
        if !self.has_transport {
            return Err(Error::NoTransport);
        }
        let run = self.run(input, max_cycles, want_out as u64, want_out == 0)?;
        let api = &self.model.inner.api;
        let mut data = std::ptr::null();
        // SAFETY: the pointer and the length describe a buffer which stays until it is changed
        // by `take_output`, after the copy was made.
        let output = unsafe {
            let waiting = (api.output)(self.raw(), &raw mut data);
            let taken = waiting.min(want_out);
            let output = match taken {
                0 => Vec::new(),
                taken => std::slice::from_raw_parts(data, taken).to_vec(),
            };
            (api.take_output)(self.raw(), taken);
            output
        };
        Ok(BytesRun {
            output,
            cycles: run.cycles,
            stop: run.stop,
        })
    }

    fn run(
        &mut self,
        input: &[u8],
        max_cycles: u64,
        want_out: u64,
        until_input: bool,
    ) -> Result<Run, Error> {
        if !self.has_clock {
            return Err(Error::NoClock);
        }
        let before = self.cycle();
        // SAFETY: the shim copies the input before it returns.
        let stop = unsafe {
            (self.model.inner.api.run)(
                self.raw(),
                input.as_ptr(),
                input.len(),
                max_cycles,
                want_out,
                u32::from(until_input),
            )
        };
        self.check()?;
        let stop = match stop {
            0 => Stop::CycleLimit,
            1 => Stop::Done,
            2 => Stop::RecordLimit,
            _ => Stop::Finished,
        };
        Ok(Run {
            cycles: self.cycle() - before,
            stop,
        })
    }

    /// Rising clock edges since the instance was made.
    pub fn cycle(&self) -> u64 {
        self.status().cycle
    }

    /// Whether the design has executed `$finish`; it does not run any further then.
    pub fn finished(&self) -> bool {
        self.status().finished != 0
    }

    /// Bytes given to [`run_bytes`](Self::run_bytes) that the design has not accepted yet.
    pub fn input_waiting(&self) -> u64 {
        self.status().input_waiting
    }

    /// UART frames out of the design without a proper start or stop bit.
    pub fn framing_errors(&self) -> u64 {
        self.status().framing_errors
    }

    /// What the design has printed (`$display`, `$error`, failed assertions) since the last call.
    pub fn take_messages(&mut self) -> String {
        let text = self.messages();
        // SAFETY: the handle is alive, the text was copied.
        unsafe { (self.model.inner.api.clear_messages)(self.raw()) };
        text
    }

    /// Replaces the probes; records of the old ones are dropped.
    pub fn set_probes(&mut self, probes: &[Probe]) -> Result<(), Error> {
        let mut resolved = Vec::new();
        for probe in probes {
            let valid = match &probe.valid {
                Some(name) => self.model.find_exact(name, None, 1)?,
                None => u32::MAX,
            };
            let mut words = 0;
            let mut data = Vec::new();
            for name in &probe.data {
                let index = self.model.find(name, None)?;
                words += self.model.ports()[index as usize].width.div_ceil(64) as usize;
                data.push(index);
            }
            resolved.push((valid, data, words));
        }
        let api = &self.model.inner.api;
        self.words_per_probe = resolved.iter().map(|(_, _, words)| *words).collect();
        // SAFETY: all port indices were looked up in this model; the shim copies the lists.
        unsafe {
            (api.clear_probes)(self.raw());
            for (valid, data, _) in &resolved {
                (api.add_probe)(self.raw(), *valid, data.as_ptr(), data.len());
            }
        }
        self.check()
    }

    /// Ends a run with [`Stop::RecordLimit`] once this many records wait; `None` lets them grow.
    ///
    /// The records of the last cycle are all kept, so there may be a few more.
    pub fn set_record_limit(&mut self, limit: Option<u64>) {
        // A limit of 0 would end every run after one cycle, as does 1; the shim uses 0 for none.
        let limit = limit.map_or(0, |limit| limit.max(1));
        // SAFETY: the handle is alive.
        unsafe { (self.model.inner.api.set_record_limit)(self.raw(), limit) };
    }

    /// Takes all probe records collected so far.
    pub fn take_records(&mut self) -> Records {
        let api = &self.model.inner.api;
        let (mut data, mut n_records) = (std::ptr::null(), 0);
        // SAFETY: the buffer stays until `clear_records`, after the copy was made.
        let words = unsafe {
            let n_words = (api.records)(self.raw(), &raw mut data, &raw mut n_records);
            let words = match n_words {
                0 => Vec::new(),
                n_words => std::slice::from_raw_parts(data, n_words).to_vec(),
            };
            (api.clear_records)(self.raw());
            words
        };
        Records::new(words, n_records, self.words_per_probe.clone())
    }

    /// Writes a wave of all signals from here on, in the format that the file's ending names.
    ///
    /// Time in the file counts evaluations: cycle `n` starts at `2 n` with the falling edge and
    /// its rising edge is at `2 n + 1`. An FST file appears when the wave is closed. A wave that
    /// is open already is closed first.
    pub fn open_wave(&mut self, path: &Path) -> Result<(), Error> {
        self.close_wave()?;
        if !self.model.inner.trace {
            return Err(Error::TraceNotBuilt);
        }
        let (wave, vcd) = match path.extension().and_then(|extension| extension.to_str()) {
            Some("vcd") => (Wave::Vcd, path.to_path_buf()),
            Some("fst") => {
                let parent = path
                    .parent()
                    .filter(|parent| !parent.as_os_str().is_empty());
                let parent = parent.unwrap_or(Path::new("."));
                let vcd = tempfile::Builder::new()
                    .suffix(".vcd")
                    .tempfile_in(parent)
                    .map_err(Error::io("create a file in", parent))?;
                let at = vcd.path().to_path_buf();
                (
                    Wave::Fst {
                        vcd,
                        path: path.to_path_buf(),
                    },
                    at,
                )
            }
            _ => {
                return Err(Error::WaveFormat {
                    path: path.to_path_buf(),
                });
            }
        };
        // Verilator only says that it could not open the file; creating it first says why.
        std::fs::File::create(&vcd).map_err(Error::io("create", &vcd))?;
        let cannot_open = || {
            let source = std::io::Error::from(std::io::ErrorKind::InvalidInput);
            Error::Io {
                action: "write",
                path: vcd.clone(),
                source,
            }
        };
        let name = CString::new(vcd.as_os_str().as_bytes()).map_err(|_| cannot_open())?;
        // SAFETY: the name is copied by the callee.
        let opened = unsafe { (self.model.inner.api.open_vcd)(self.raw(), name.as_ptr()) };
        self.check()?;
        if opened == 0 {
            return Err(cannot_open());
        }
        self.wave = Some(wave);
        Ok(())
    }

    /// Completes the wave file. Dropping the instance does the same but cannot report a failure.
    pub fn close_wave(&mut self) -> Result<(), Error> {
        let Some(wave) = self.wave.take() else {
            return Ok(());
        };
        // SAFETY: the handle is alive.
        unsafe { (self.model.inner.api.close_vcd)(self.raw()) };
        match wave {
            Wave::Vcd => Ok(()),
            Wave::Fst { vcd, path } => wave::vcd_to_fst(vcd.path(), &path),
        }
    }

    fn raw(&self) -> Handle {
        self.handle.as_ptr()
    }

    fn status(&self) -> Status {
        // SAFETY: the status is a member of the instance, which lives; it changes only inside
        // calls through `&mut self`.
        unsafe { self.status.read() }
    }

    fn check(&self) -> Result<(), Error> {
        if self.status().failed == 0 {
            return Ok(());
        }
        let messages = self.messages().trim_end().to_owned();
        Err(Error::DesignFailed {
            cycle: self.cycle(),
            messages,
        })
    }

    fn messages(&self) -> String {
        let mut data = std::ptr::null();
        // SAFETY: the buffer stays until the next call that takes `&mut self`.
        unsafe {
            match (self.model.inner.api.messages)(self.raw(), &raw mut data) {
                0 => String::new(),
                length => {
                    let bytes = std::slice::from_raw_parts(data.cast::<u8>(), length);
                    String::from_utf8_lossy(bytes).into_owned()
                }
            }
        }
    }

    fn locate(&self, index: u32, model: u64) -> Result<(u32, *mut u8), Error> {
        if model != self.model.inner.id {
            return Err(Error::ForeignHandle);
        }
        Ok((
            self.model.ports()[index as usize].width,
            self.data[index as usize],
        ))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Nobody is left to report to; callers who care close the wave themselves.
        let _ = self.close_wave();
        // SAFETY: the handle came from `new` and is not used again.
        unsafe { (self.model.inner.api.free)(self.handle.as_ptr()) };
    }
}

/// The low `width` bits, 1 to 64.
fn mask(width: u32) -> u64 {
    u64::MAX >> (64 - width.clamp(1, 64))
}

/// # Safety
///
/// `data` must point to the value of a port of this width, at most 64.
unsafe fn read_narrow(data: *const u8, width: u32) -> u64 {
    // SAFETY: the caller's promise; the types are those Verilator chooses by width.
    unsafe {
        match width {
            0..=8 => u64::from(data.read()),
            9..=16 => u64::from(data.cast::<u16>().read()),
            17..=32 => u64::from(data.cast::<u32>().read()),
            _ => data.cast::<u64>().read(),
        }
    }
}

/// Verilator takes 1 to 2^31 - 1, treats 0 as "seed from the clock", and its generator starts
/// alike for small seeds that are alike; so the seed is mixed first (splitmix64).
fn verilator_seed(seed: u64) -> u32 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    u32::try_from(mixed % 0x7fff_ffff).expect("below 2^31") + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_in_verilators_range_and_differ() {
        let seeds: std::collections::BTreeSet<u32> = (0..1000).map(verilator_seed).collect();
        assert_eq!(seeds.len(), 1000);
        assert!(seeds.iter().all(|&seed| (1..=0x7fff_ffff).contains(&seed)));
    }

    #[test]
    fn masks_cover_the_whole_range() {
        assert_eq!(mask(1), 1);
        assert_eq!(mask(32), 0xffff_ffff);
        assert_eq!(mask(64), u64::MAX);
    }

    #[test]
    fn instances_move_between_threads() {
        fn send<T: Send>() {}
        send::<Instance>();
        send::<Model>();
    }
}
