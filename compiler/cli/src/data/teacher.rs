//! What a teacher's channels say.

use spikeloom_ir::network::{Encoder, Input};

use super::{DataSet, Samples};
use crate::Error;

impl Samples {
    /// Appends the teacher's channels, which send nothing.
    pub fn silence_teacher(&mut self, input: &Input) {
        let n_channels: usize = input.shape.iter().product();
        let n_own = n_channels - input.teacher;
        match self {
            Samples::Values(samples) if input.teacher > 0 => {
                for sample in samples {
                    sample.resize(n_channels, 0);
                }
            }
            Samples::Series(samples) if input.teacher > 0 => {
                for sample in samples {
                    *sample = widened(sample, n_own, input.teacher);
                }
            }
            // Spikes that are not there need no place.
            Samples::Values(_) | Samples::Series(_) | Samples::Events(_) => {}
        }
    }
}

/// A series with further channels of zeros.
fn widened(sample: &[i16], n_own: usize, more: usize) -> Vec<i16> {
    let ticks = sample.chunks(n_own.max(1));
    let wide = ticks.flat_map(|tick| {
        let zeros = std::iter::repeat_n(0, more);
        tick.iter().copied().chain(zeros)
    });
    wide.collect()
}

impl DataSet {
    /// Appends the teacher's channels: that of a sample's label sends all that a channel can in
    /// every tick, and of a time series 1. Without labels, channels of a time series send its
    /// targets.
    ///
    /// # Errors
    /// If there are no labels, or labels or targets beyond the teacher's channels.
    pub fn teach(&mut self, input: &Input, ticks: u32) -> Result<(), Error> {
        let n = input.teacher;
        if n == 0 {
            return Ok(());
        }
        self.samples.silence_teacher(input);
        let n_channels: usize = input.shape.iter().product();
        let first = n_channels - n;
        if let (Samples::Series(samples), None, Some(targets), Encoder::Series { scale }) = (
            &mut self.samples,
            &self.labels,
            &self.targets,
            input.encoder,
        ) {
            if targets.n_outputs != n {
                return Err(Error::Targets {
                    found: targets.n_outputs,
                    wanted: n,
                });
            }
            for (sample, values) in samples.iter_mut().zip(&targets.values) {
                let ticks = sample.chunks_mut(n_channels).zip(values.chunks(n));
                for (channels, values) in ticks {
                    for (channel, &value) in channels[first..].iter_mut().zip(values) {
                        *channel = whole(f64::from(value) / f64::from(scale));
                    }
                }
            }
            return Ok(());
        }
        let labels = self.labels.as_deref().ok_or(Error::NoLabels)?;
        if let Some(&label) = labels.iter().find(|&&label| label >= n) {
            return Err(Error::LabelOfNoChannel {
                label,
                n_channels: n,
            });
        }
        match &mut self.samples {
            Samples::Values(samples) => {
                for (sample, &label) in samples.iter_mut().zip(labels) {
                    sample[first + label] = u8::MAX;
                }
            }
            Samples::Events(samples) => {
                let ticks = usize::try_from(ticks).unwrap_or(usize::MAX);
                for (sample, &label) in samples.iter_mut().zip(labels) {
                    let channel = u32::try_from(first + label).unwrap_or(u32::MAX);
                    sample.resize(ticks.max(sample.len()), Vec::new());
                    sample.iter_mut().for_each(|events| events.push(channel));
                }
            }
            Samples::Series(samples) => {
                let Encoder::Series { scale } = input.encoder else {
                    return Ok(());
                };
                for (sample, &label) in samples.iter_mut().zip(labels) {
                    for channels in sample.chunks_mut(n_channels) {
                        channels[first + label] = whole(1.0 / f64::from(scale));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The nearest integer of 16 bits.
fn whole(value: f64) -> i16 {
    let rounded = value.round().clamp(i16::MIN.into(), i16::MAX.into());
    spikeloom_fixed::nearest_integer(rounded)
        .and_then(|v| v.try_into().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use spikeloom_ir::Origin;

    use super::*;

    fn input(encoder: Encoder) -> Input {
        Input {
            shape: vec![5],
            teacher: 2,
            encoder,
            origin: Origin::Synthetic,
        }
    }

    fn labelled(samples: Samples) -> DataSet {
        DataSet {
            labels: Some(vec![1, 0]),
            ..DataSet::of(samples)
        }
    }

    #[test]
    fn the_channel_of_the_label_speaks_in_every_tick() {
        let mut data = labelled(Samples::Values(vec![vec![1, 2, 3], vec![4, 5, 6]]));
        data.teach(&input(Encoder::Rate { seed: 1 }), 3).unwrap();
        let wanted = vec![vec![1, 2, 3, 0, 255], vec![4, 5, 6, 255, 0]];
        assert_eq!(data.samples, Samples::Values(wanted));

        let mut data = labelled(Samples::Events(vec![vec![vec![0], vec![]], vec![]]));
        data.teach(&input(Encoder::Events), 3).unwrap();
        let wanted = vec![
            vec![vec![0, 4], vec![4], vec![4]],
            vec![vec![3], vec![3], vec![3]],
        ];
        assert_eq!(data.samples, Samples::Events(wanted));

        let series = Samples::Series(vec![vec![1, 2, 3, 4, 5, 6], vec![7, 8, 9]]);
        let mut data = labelled(series);
        data.teach(&input(Encoder::Series { scale: 0.25 }), 3)
            .unwrap();
        let wanted = vec![vec![1, 2, 3, 0, 4, 4, 5, 6, 0, 4], vec![7, 8, 9, 4, 0]];
        assert_eq!(data.samples, Samples::Series(wanted));
    }

    #[test]
    fn a_silent_teacher_takes_its_place() {
        let mut samples = Samples::Values(vec![vec![1, 2, 3]]);
        samples.silence_teacher(&input(Encoder::Rate { seed: 1 }));
        assert_eq!(samples, Samples::Values(vec![vec![1, 2, 3, 0, 0]]));
    }

    #[test]
    fn a_label_without_a_channel_is_an_error() {
        let mut data = DataSet {
            labels: Some(vec![2]),
            ..DataSet::of(Samples::Values(vec![vec![1, 2, 3]]))
        };
        let error = data
            .teach(&input(Encoder::Rate { seed: 1 }), 3)
            .unwrap_err();
        assert!(matches!(
            error,
            Error::LabelOfNoChannel {
                label: 2,
                n_channels: 2
            }
        ));
        data.labels = None;
        let error = data
            .teach(&input(Encoder::Rate { seed: 1 }), 3)
            .unwrap_err();
        assert!(matches!(error, Error::NoLabels));
    }
}
