//! Delays on the way from a source to a target.

use spikeloom_ir::Origin;

use crate::error::Error;
use crate::nir::Node;
use crate::{Remark, Tensor};

/// How long what a source sends is on its way, in the file's unit of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Wait {
    /// For all channels of the source.
    common: f64,
    /// For each of them; empty where there is no difference.
    channels: Vec<f64>,
    /// The last node that delays, for messages.
    at: Option<Origin>,
}

/// A wait in ticks: for all channels, and for single ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ticks {
    pub(super) common: u32,
    /// Further ticks for each channel, where they differ.
    pub(super) channels: Option<Vec<u32>>,
}

/// Distance from a whole number of ticks that rounding in a file explains.
const ROUNDING: f64 = 1e-3;

impl Wait {
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What a `Delay` node adds. Behind weights its channels are no longer the source's, so that
    /// they must be alike.
    pub(super) fn add(
        &mut self,
        node: &Node,
        delay: &Tensor,
        is_behind_weights: bool,
    ) -> Result<(), Error> {
        let values: Vec<f64> = delay.values.iter().collect();
        self.at = Some(node.origin.clone());
        let first = values.first().copied().unwrap_or(0.0);
        if values.iter().all(|delay| *delay == first) {
            self.common += first;
            return Ok(());
        }
        if is_behind_weights {
            return Err(Error::Unsupported {
                what: "a delay that differs between channels, behind weights".to_owned(),
                node: node.name.clone(),
                primitive: node.primitive.type_name(),
                help: "put the `Delay` in front of the weights, where its channels are those of the source, or give all channels one delay".to_owned(),
                at: node.origin.clone(),
            });
        }
        if self.channels.is_empty() {
            self.channels = values;
        } else {
            self.channels
                .iter_mut()
                .zip(values)
                .for_each(|(a, b)| *a += b);
        }
        Ok(())
    }

    /// In ticks of length `dt`. `least` is what the way takes anyway, 1 where it closes a loop:
    /// delays there are from tick to tick already. What would arrive after the last of `ticks` is
    /// not told apart.
    pub(super) fn ticks(
        &self,
        dt: f64,
        least: u32,
        ticks: u32,
        remarks: &mut Vec<Remark>,
    ) -> Ticks {
        let origin = || self.at.clone().unwrap_or_default();
        let (mut is_rounded, mut is_never) = (false, false);
        let mut whole = |delay: f64| {
            let exact = delay / dt;
            let rounded = exact.round();
            is_rounded |= (exact - rounded).abs() > ROUNDING * rounded.max(1.0);
            is_never |= rounded >= f64::from(ticks);
            // `as` keeps to the range of what it makes.
            (rounded as u32).max(least).min(ticks.max(least))
        };
        let all: Vec<u32> = match self.channels.is_empty() {
            true => vec![whole(self.common)],
            false => {
                let channels = self.channels.iter();
                channels.map(|delay| whole(self.common + delay)).collect()
            }
        };
        if is_rounded {
            remarks.push(Remark::new(
                "rounded_delay",
                origin(),
                format!("delays are rounded to ticks of {dt}"),
            ));
        }
        if is_never {
            remarks.push(Remark::new(
                "endless_delay",
                origin(),
                format!("what is delayed by {ticks} ticks or more never arrives in an inference"),
            ));
        }
        let common = all.iter().min().copied().unwrap_or(least);
        let more: Vec<u32> = all.iter().map(|ticks| ticks - common).collect();
        Ticks {
            common,
            channels: more.iter().any(|more| *more > 0).then_some(more),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(common: f64, channels: &[f64]) -> Wait {
        Wait {
            common,
            channels: channels.to_vec(),
            at: None,
        }
    }

    fn ticks(wait: &Wait, least: u32) -> (Ticks, usize) {
        let mut remarks = Vec::new();
        (wait.ticks(1e-3, least, 10, &mut remarks), remarks.len())
    }

    #[test]
    fn delays_become_a_common_part_and_what_is_left_of_each_channel() {
        let (found, remarks) = ticks(&wait(0.002, &[0.001, 0.0, 0.0039999]), 0);
        let channels = Some(vec![1, 0, 4]);
        assert_eq!(
            found,
            Ticks {
                common: 2,
                channels
            }
        );
        assert_eq!(remarks, 0);
        assert_eq!(ticks(&wait(0.002, &[]), 0).0.channels, None);
    }

    #[test]
    fn a_loop_takes_a_tick_and_a_delay_in_it_counts_from_there() {
        assert_eq!(ticks(&wait(0.0, &[]), 1).0.common, 1);
        let (found, _) = ticks(&wait(0.0, &[0.0, 0.001, 0.003]), 1);
        let channels = Some(vec![0, 0, 2]);
        assert_eq!(
            found,
            Ticks {
                common: 1,
                channels
            }
        );
    }

    #[test]
    fn what_is_rounded_or_never_arrives_is_told() {
        let (found, remarks) = ticks(&wait(0.0015, &[]), 0);
        assert_eq!((found.common, remarks), (2, 1));
        let (found, remarks) = ticks(&wait(1e30, &[]), 0);
        assert_eq!((found.common, remarks), (10, 1));
    }
}
