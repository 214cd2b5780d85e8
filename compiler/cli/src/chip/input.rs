//! What a chip does to samples on their way in.

use spikeloom_ir::Quantized;
use spikeloom_ir::quantized::Encoder;

use super::ChipFile;
use super::die::Gauss;
use crate::data::Samples;

/// What happens to samples on their way in.
#[derive(Debug, Clone, PartialEq)]
pub struct InputFaults {
    lost: f64,
    noise: f64,
    is_spikes: bool,
    is_series: bool,
    /// Bytes of what is said by the teacher, which is no input of the chip.
    spared_from: usize,
    random: Gauss,
}

impl InputFaults {
    /// Those of a chip.
    ///
    /// # Errors
    /// If samples have no place for what is asked for, with a text that says so.
    pub fn new(file: &ChipFile, network: &Quantized) -> Result<Self, String> {
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
            random: Gauss::new(file.seed ^ 0x696e_7075_7400),
        })
    }

    /// The same, but drawn from another seed.
    pub(crate) fn with_seed(&self, seed: u64) -> Self {
        Self {
            random: Gauss::new(seed),
            ..self.clone()
        }
    }

    /// What of the events of a sample arrives, of each tick: where bytes are values, all events of a
    /// channel whose value is lost are.
    ///
    /// What noise on values does to events is not known here.
    pub(crate) fn thin(&mut self, ticks: &mut [Vec<u32>], n_channels: usize) {
        if self.lost == 0.0 {
            return;
        }
        if self.is_spikes {
            let mut arrives = || self.random.chance() >= self.lost;
            ticks.iter_mut().for_each(|tick| tick.retain(|_| arrives()));
            return;
        }
        let mut is_lost = || self.random.chance() < self.lost;
        let lost: Vec<bool> = (0..n_channels).map(|_| is_lost()).collect();
        for tick in ticks {
            tick.retain(|&channel| !lost[channel as usize]);
        }
    }

    /// What of samples for a network arrives, as they are sent one after the other.
    pub fn samples(&mut self, samples: &Samples, network: &Quantized) -> Samples {
        let mut bytes = samples.to_bytes(network);
        for sample in &mut bytes {
            self.change(0, sample);
        }
        Samples::from_bytes(&bytes, network)
    }

    /// What of a sample's bytes from `address` on arrives.
    pub(crate) fn change(&mut self, address: usize, payload: &mut [u8]) {
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
