//! A design in rust-hdl's own simulator, behind a byte stream, for whoever does not know rust-hdl.

use rust_hdl_core::prelude::*;

use crate::device::{Device, DeviceConfig};
use crate::error::Error;
use crate::simulation::{clock_cycle, settle};

/// What a population's trace ports said in one cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceRecord {
    /// Which population.
    pub population: usize,
    /// Which neuron finished a tick.
    pub neuron: u64,
    /// How often it fired.
    pub spikes: u64,
    /// Its states, the first least significant.
    pub states: u64,
}

/// A [`Device`] that is clocked by its caller and spoken to in bytes.
pub struct DeviceSimulation {
    device: Device,
    n_populations: usize,
    cycle: u64,
    trace: Vec<TraceRecord>,
}

impl DeviceSimulation {
    /// Builds the design and lets it settle.
    ///
    /// # Errors
    /// If a width is out of range, or the design is not connected or does not settle.
    pub fn new(cfg: &DeviceConfig) -> Result<Self, Error> {
        let mut device = Device::new(cfg)?;
        device.connect_all();
        check_all(&device).map_err(|_| Error::NotConnected)?;
        device.tx_ready.next = true;
        settle(&mut device).map_err(|_| Error::NotSettled)?;
        Ok(Self {
            device,
            n_populations: cfg.seats.len(),
            cycle: 0,
            trace: Vec::new(),
        })
    }

    /// Cycles so far.
    pub fn cycle(&self) -> u64 {
        self.cycle
    }

    /// Takes the trace since the last call.
    pub fn take_trace(&mut self) -> Vec<TraceRecord> {
        std::mem::take(&mut self.trace)
    }

    /// Clocks the design until `input` is sent and `want` bytes came back, or `max_cycles` passed.
    ///
    /// # Errors
    /// If the design does not settle.
    pub fn run(&mut self, input: &[u8], want: usize, max_cycles: u64) -> Result<Vec<u8>, Error> {
        let mut sent = 0;
        let mut output = Vec::new();
        for _ in 0..max_cycles {
            if sent == input.len() && output.len() >= want {
                break;
            }
            self.device.rx_valid.next = sent < input.len();
            if let Some(&byte) = input.get(sent) {
                self.device.rx_data.next = u64::from(byte).into();
            }
            settle(&mut self.device).map_err(|_| Error::NotSettled)?;
            if sent < input.len() && self.device.rx_ready.val() {
                sent += 1;
            }
            if self.device.tx_valid.val() {
                output.push(self.device.tx_data.val().raw() as u8);
            }
            for population in 0..self.n_populations {
                if self.device.trace_valid[population].val() {
                    self.trace.push(TraceRecord {
                        population,
                        neuron: self.device.trace_index[population].val().raw(),
                        spikes: self.device.trace_spikes[population].val().raw(),
                        states: self.device.trace_word[population].val().raw(),
                    });
                }
            }
            clock_cycle(&mut self.device, |d| &mut d.clock).map_err(|_| Error::NotSettled)?;
            self.cycle += 1;
        }
        Ok(output)
    }
}
