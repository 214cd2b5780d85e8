/// Ports to be recorded in every cycle in which another one is high.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Probe {
    /// The one-bit port that must be high; without one, every cycle is recorded.
    pub valid: Option<String>,
    /// The ports to record, of any width and direction.
    pub data: Vec<String>,
}

/// What the probes of an [`Instance`](crate::Instance) have seen, in the order of cycles and,
/// inside a cycle, of probes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Records {
    words: Vec<u64>,
    n_records: u64,
    words_per_probe: Vec<usize>,
}

/// One look of one probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The cycle, counted from 0: the number of rising edges before the one at which it was taken.
    pub cycle: u64,
    /// Index of the probe in the list given to [`Instance::set_probes`](crate::Instance::set_probes).
    pub probe: usize,
    /// Values of the probe's ports: one word each, a port wider than 64 bits takes several with
    /// the least significant first.
    pub data: &'a [u64],
}

impl Records {
    pub(crate) fn new(words: Vec<u64>, n_records: u64, words_per_probe: Vec<usize>) -> Self {
        Self {
            words,
            n_records,
            words_per_probe,
        }
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        usize::try_from(self.n_records).unwrap_or(usize::MAX)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.n_records == 0
    }

    /// The records in order.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        let mut rest = self.words.as_slice();
        std::iter::from_fn(move || {
            let [cycle, probe, after @ ..] = rest else {
                return None;
            };
            let probe = usize::try_from(*probe).ok()?;
            let (data, after) = after.split_at_checked(*self.words_per_probe.get(probe)?)?;
            rest = after;
            Some(Record {
                cycle: *cycle,
                probe,
                data,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_cut_by_the_width_of_their_probe() {
        let records = Records::new(vec![3, 1, 7, 8, 4, 0, 5, 1, 9, 10], 3, vec![0, 2]);
        let seen: Vec<_> = records
            .iter()
            .map(|r| (r.cycle, r.probe, r.data.to_vec()))
            .collect();
        assert_eq!(
            seen,
            [(3, 1, vec![7, 8]), (4, 0, vec![]), (5, 1, vec![9, 10])]
        );
        assert_eq!(records.len(), seen.len());
        assert!(Records::default().is_empty());
    }
}
