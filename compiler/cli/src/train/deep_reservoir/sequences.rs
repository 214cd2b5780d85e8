//! Data sets as the sequences that are trained on.

use spikeloom_ir::Network;
use spikeloom_ir::network::Encoder;
use spikeloom_train::{Sequence, Wanted, labelled};

use crate::Error;
use crate::data::{DataSet, Samples};
use crate::experiment::Window;
use crate::fit::FitError;

/// Sequences in real numbers, as the network sees them: rounded to its input's integers.
///
/// # Errors
/// If the data say not what is wanted, or something that the network has no outputs for.
pub(super) fn sequences(network: &Network, data: &DataSet) -> miette::Result<Vec<Sequence>> {
    let n_outputs = network.populations[network.output.0].n_neurons();
    let (Samples::Series(samples), Encoder::Series { scale }) =
        (&data.samples, network.input.encoder)
    else {
        unreachable!("a stack takes time series, and the data were read for it");
    };
    let mut sequences = Vec::new();
    for (at, sample) in samples.iter().enumerate() {
        let wanted = match (&data.targets, &data.labels) {
            (Some(targets), _) if targets.n_outputs != n_outputs => {
                return Err(Error::Targets {
                    found: targets.n_outputs,
                    wanted: n_outputs,
                }
                .into());
            }
            (Some(targets), _) => Wanted::Values {
                values: targets.values[at].iter().map(|&v| f64::from(v)).collect(),
                warmup: targets.warmup[at],
            },
            (None, Some(labels)) if labels[at] >= n_outputs => {
                return Err(FitError::Label {
                    sample: at,
                    label: labels[at],
                    outputs: n_outputs,
                }
                .into());
            }
            (None, Some(labels)) => Wanted::Class(labels[at]),
            (None, None) => return Err(FitError::NothingWanted.into()),
        };
        let real = |&v: &i16| f64::from(v) * f64::from(scale);
        sequences.push(Sequence {
            inputs: sample.iter().map(real).collect(),
            wanted,
        });
    }
    Ok(sequences)
}

/// The part to train on, and the part to choose steps on: of several sequences every so manieth, of
/// one its end.
pub(super) fn split(
    all: &[Sequence],
    n_channels: usize,
    share: f64,
) -> (Vec<Sequence>, Vec<Sequence>) {
    if let [one] = all {
        let n_ticks = one.inputs.len() / n_channels.max(1);
        let first = n_ticks - (n_ticks as f64 * share).round() as usize;
        return (
            vec![part(one, n_channels, 0..first)],
            vec![part(one, n_channels, first..n_ticks)],
        );
    }
    let (rest, held) = labelled::split(all.len(), share);
    let own = |part: Vec<usize>| part.into_iter().map(|at| all[at].clone()).collect();
    (own(rest), own(held))
}

/// Sequences with values, cut into windows that overlap by their warm-up; ticks before a sequence's
/// own warm-up ends do not count either.
pub(super) fn windows(all: &[Sequence], n_channels: usize, window: Window) -> Vec<Sequence> {
    let mut cut = Vec::new();
    for sequence in all {
        let Wanted::Values { warmup, .. } = sequence.wanted else {
            cut.push(sequence.clone());
            continue;
        };
        let n_ticks = sequence.inputs.len() / n_channels.max(1);
        let mut first = 0;
        while first + window.ticks <= n_ticks {
            let mut own = part(sequence, n_channels, first..first + window.ticks);
            if let Wanted::Values { warmup: own, .. } = &mut own.wanted {
                *own = window.warmup.max(warmup.saturating_sub(first));
            }
            cut.push(own);
            first += window.ticks - window.warmup;
        }
        if first == 0 {
            cut.push(sequence.clone());
        }
    }
    cut
}

/// Some ticks of a sequence.
fn part(sequence: &Sequence, n_channels: usize, ticks: std::ops::Range<usize>) -> Sequence {
    let inputs = &sequence.inputs[ticks.start * n_channels..ticks.end * n_channels];
    let wanted = match &sequence.wanted {
        Wanted::Class(class) => Wanted::Class(*class),
        Wanted::Values { values, warmup } => {
            let n_outputs = values.len() * n_channels / sequence.inputs.len().max(1);
            let own = &values[ticks.start * n_outputs..ticks.end * n_outputs];
            // States begin anew, so what is cut off in front needs its warm-up again.
            Wanted::Values {
                values: own.to_vec(),
                warmup: (*warmup).min(ticks.len().saturating_sub(1)),
            }
        }
    };
    Sequence {
        inputs: inputs.to_vec(),
        wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(n: usize, warmup: usize) -> Sequence {
        Sequence {
            inputs: (0..2 * n).map(|v| v as f64).collect(),
            wanted: Wanted::Values {
                values: (0..n).map(|v| v as f64).collect(),
                warmup,
            },
        }
    }

    #[test]
    fn windows_count_every_tick_once() {
        let cut = windows(
            &[series(20, 3)],
            2,
            Window {
                ticks: 8,
                warmup: 2,
            },
        );
        let counted = cut.iter().flat_map(|s| match &s.wanted {
            Wanted::Values { values, warmup } => values[*warmup..].to_vec(),
            Wanted::Class(_) => Vec::new(),
        });
        let counted: Vec<f64> = counted.collect();
        assert_eq!(counted, (3..20).map(f64::from).collect::<Vec<_>>());
        assert_eq!(cut[1].inputs[..2], [12.0, 13.0]);
    }

    #[test]
    fn parts_share_nothing() {
        let (fit, held) = split(&[series(10, 2)], 2, 0.3);
        assert_eq!((fit[0].inputs.len(), held[0].inputs.len()), (14, 6));
        assert_eq!(held[0].inputs[0], 14.0);
        let many: Vec<Sequence> = (0..10).map(|n| series(3 + n, 1)).collect();
        let (fit, held) = split(&many, 2, 0.2);
        assert_eq!((fit.len(), held.len()), (8, 2));
        assert!(held.iter().all(|s| !fit.contains(s)));
    }
}
