//! What a network is given, and whether it can take it.

use spikeloom_ir::quantized::Encoder;

use super::{Golden, index};

/// One sample in the form that the network's encoder takes.
#[derive(Debug, Clone, Copy)]
pub enum Sample<'a> {
    /// One byte a channel, or for every tick those of [`Encoder::Delta`], or the packed spike trains
    /// of [`Encoder::Events`], or the values of
    /// [`Encoder::Series`] as bytes.
    Values(&'a [u8]),
    /// For every tick the channels that spike, ascending; works with every encoder but
    /// [`Encoder::Direct`], whose place it takes.
    Events(&'a [Vec<u32>]),
    /// A time series for [`Encoder::Series`], `[tick][channel]` row-major; as many ticks as there
    /// are values for, which may be fewer than the network's.
    Series(&'a [i16]),
}

/// A sample that the network cannot take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum SampleError {
    /// The number of values is not the number of channels.
    #[error("the sample has {found} bytes but the network takes {wanted}")]
    #[diagnostic(
        code(spikeloom::golden::sample_length),
        help(
            "give one byte for each input channel, in the order of the model's input, or one bit a channel and tick with `--encoding events`, or two bytes with `--encoding series`"
        )
    )]
    Length {
        /// Bytes given.
        found: usize,
        /// Bytes of a sample.
        wanted: usize,
    },
    /// Events where values are needed or the other way round.
    #[error("this network's encoder takes {wanted}, not {found}")]
    #[diagnostic(
        code(spikeloom::golden::sample_kind),
        help("compile the model with `--encoding events` to feed it spike trains")
    )]
    Kind {
        /// What was given.
        found: &'static str,
        /// What the encoder takes.
        wanted: &'static str,
    },
    /// An event's channel does not exist.
    #[error("tick {tick} has an event on channel {channel}, but there are {n_channels} channels")]
    #[diagnostic(
        code(spikeloom::golden::sample_channel),
        help("channels are numbered from 0, row-major over the input's shape")
    )]
    Channel {
        /// Its tick.
        tick: usize,
        /// Its channel.
        channel: u32,
        /// Channels.
        n_channels: usize,
    },
}

impl Golden {
    /// Ticks of a time series of so many bytes.
    fn ticks_of(&self, bytes: usize) -> Result<usize, SampleError> {
        let tick = 2 * self.n_channels;
        if bytes == 0 || bytes > self.sample_bytes || !bytes.is_multiple_of(tick.max(1)) {
            return Err(SampleError::Length {
                found: bytes,
                wanted: self.sample_bytes,
            });
        }
        Ok(bytes / tick)
    }

    /// How many ticks a sample has.
    pub(super) fn check_sample(&self, sample: Sample<'_>) -> Result<usize, SampleError> {
        match (sample, &self.encoder) {
            (Sample::Series(values), Encoder::Series) => self.ticks_of(2 * values.len()),
            (Sample::Values(bytes), Encoder::Series) => self.ticks_of(bytes.len()),
            (Sample::Series(_), _) => Err(SampleError::Kind {
                found: "a time series",
                wanted: "values or events",
            }),
            (Sample::Events(_), Encoder::Series) => Err(SampleError::Kind {
                found: "events",
                wanted: "time series",
            }),
            (Sample::Events(_), Encoder::Direct) => Err(SampleError::Kind {
                found: "events",
                wanted: "values",
            }),
            (Sample::Values(v), _) if v.len() != self.sample_bytes => Err(SampleError::Length {
                found: v.len(),
                wanted: self.sample_bytes,
            }),
            (Sample::Values(_), _) => Ok(self.ticks),
            (Sample::Events(ticks), _) => {
                for (tick, events) in ticks.iter().enumerate() {
                    if let Some(&channel) = events.iter().find(|&&c| index(c) >= self.n_channels) {
                        let n_channels = self.n_channels;
                        return Err(SampleError::Channel {
                            tick,
                            channel,
                            n_channels,
                        });
                    }
                }
                Ok(self.ticks)
            }
        }
    }
}
