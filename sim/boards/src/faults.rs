//! A line that damages what it carries.

use std::collections::VecDeque;
use std::time::Duration;

use crate::error::TransportError;
use crate::transport::Transport;

/// How often a line damages a byte, in either direction. Probabilities are 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultRates {
    /// The byte does not arrive.
    pub drop: f64,
    /// One or more of its bits change.
    pub flip: f64,
    /// It arrives twice.
    pub duplicate: f64,
    /// It arrives late, and all behind it with it.
    pub delay: f64,
    /// How late at most.
    pub longest_delay: Duration,
}

impl FaultRates {
    /// A line that damages nothing.
    pub const NONE: Self = Self {
        drop: 0.0,
        flip: 0.0,
        duplicate: 0.0,
        delay: 0.0,
        longest_delay: Duration::ZERO,
    };

    /// Each kind of fault equally often, `rate` being the chance that a byte is hit.
    pub fn evenly(rate: f64, longest_delay: Duration) -> Self {
        let each = rate / 4.0;
        Self {
            drop: each,
            flip: each,
            duplicate: each,
            delay: each,
            longest_delay,
        }
    }
}

/// Faults that have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultCounts {
    /// Bytes dropped.
    pub drops: u64,
    /// Bytes changed.
    pub flips: u64,
    /// Bytes doubled.
    pub duplicates: u64,
    /// Bytes delayed.
    pub delays: u64,
}

impl FaultCounts {
    /// All faults.
    pub fn total(&self) -> u64 {
        self.drops + self.flips + self.duplicates + self.delays
    }
}

/// A transport that damages bytes on their way, by a seed: equal seeds give equal faults.
pub struct FaultyTransport<T> {
    inner: T,
    rates: FaultRates,
    random: fastrand::Rng,
    counts: FaultCounts,
    // Received bytes with the time at which they are let through.
    held: VecDeque<(Duration, u8)>,
    held_until: Duration,
}

impl<T: Transport> FaultyTransport<T> {
    /// A damaging line in front of another transport.
    pub fn new(inner: T, rates: FaultRates, seed: u64) -> Self {
        Self {
            inner,
            rates,
            random: fastrand::Rng::with_seed(seed),
            counts: FaultCounts::default(),
            held: VecDeque::new(),
            held_until: Duration::ZERO,
        }
    }

    /// Faults so far.
    pub fn counts(&self) -> FaultCounts {
        self.counts
    }

    /// Other rates from now on.
    pub fn set_rates(&mut self, rates: FaultRates) {
        self.rates = rates;
    }

    /// The transport behind the line.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// The transport behind the line.
    pub fn inner_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    /// What becomes of a byte: nothing, one or two bytes, and how late.
    fn damage(&mut self, byte: u8) -> (Vec<u8>, Duration) {
        let mut chance = self.random.f64();
        let mut happens = |rate: f64| {
            let hit = chance < rate;
            chance -= rate;
            hit && rate > 0.0
        };
        if happens(self.rates.drop) {
            self.counts.drops += 1;
            (vec![], Duration::ZERO)
        } else if happens(self.rates.flip) {
            self.counts.flips += 1;
            (vec![byte ^ self.random.u8(1..)], Duration::ZERO)
        } else if happens(self.rates.duplicate) {
            self.counts.duplicates += 1;
            (vec![byte; 2], Duration::ZERO)
        } else if happens(self.rates.delay) {
            self.counts.delays += 1;
            (
                vec![byte],
                self.rates.longest_delay.mul_f64(self.random.f64()),
            )
        } else {
            (vec![byte], Duration::ZERO)
        }
    }
}

impl<T: Transport> Transport for FaultyTransport<T> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        for &byte in bytes {
            let (damaged, delay) = self.damage(byte);
            if !delay.is_zero() {
                // The line is silent meanwhile, as far as the device can tell; what it sends is
                // read later.
                let mut received = Vec::new();
                self.inner.read(&mut received, usize::MAX, delay)?;
                self.hold(&received);
            }
            self.inner.write(&damaged)?;
        }
        Ok(())
    }

    fn read(
        &mut self,
        buffer: &mut Vec<u8>,
        want: usize,
        patience: Duration,
    ) -> Result<usize, TransportError> {
        let deadline = self.inner.now() + patience;
        let mut n_read = 0;
        while n_read < want {
            let now = self.inner.now();
            match self.held.front() {
                Some(&(time, byte)) if time <= now => {
                    buffer.push(byte);
                    n_read += 1;
                    self.held.pop_front();
                    continue;
                }
                _ if now >= deadline => break,
                _ => {}
            }
            let until = self
                .held
                .front()
                .map_or(deadline, |&(time, _)| time.min(deadline));
            let mut received = Vec::new();
            self.inner.read(&mut received, want - n_read, until - now)?;
            self.hold(&received);
        }
        Ok(n_read)
    }

    fn now(&self) -> Duration {
        self.inner.now()
    }
}

impl<T: Transport> FaultyTransport<T> {
    /// Damages received bytes and keeps them until they are due.
    fn hold(&mut self, received: &[u8]) {
        for &byte in received {
            let (damaged, delay) = self.damage(byte);
            self.held_until = self.held_until.max(self.inner.now() + delay);
            self.held
                .extend(damaged.into_iter().map(|byte| (self.held_until, byte)));
        }
    }
}
