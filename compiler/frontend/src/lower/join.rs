//! Projections from several inputs into one population, as one.

use spikeloom_ir::network::Projection;

/// Projections from the whole input into one population, which circuits want to be one.
pub(super) struct Joined {
    n_channels: usize,
    /// Each with the delay of every channel that it has weights for.
    projections: Vec<(Projection, Vec<Option<u32>>)>,
}

impl Joined {
    pub(super) fn new(n_channels: usize) -> Self {
        Self {
            n_channels,
            projections: Vec::new(),
        }
    }

    /// Adds a projection from one of the inputs, whose first channel is `first`, with dense weights.
    pub(super) fn add(&mut self, part: Projection, first: usize) {
        let further = |channel: usize| part.channel_delays.as_ref().map_or(0, |d| d[channel]);
        let delays: Vec<u32> = (0..part.n_pre).map(|c| part.delay + further(c)).collect();
        let fits = |known: &[Option<u32>]| {
            let mut pairs = known.iter().skip(first).zip(&delays);
            pairs.all(|(known, delay)| known.is_none_or(|known| known == *delay))
        };
        let at = self.projections.iter().position(|(_, known)| fits(known));
        let at = at.unwrap_or_else(|| {
            let empty = Projection {
                name: String::new(),
                weights: vec![0.0; self.n_channels * part.n_post],
                n_pre: self.n_channels,
                bias: None,
                delay: 0,
                channel_delays: None,
                learning: None,
                ..part.clone()
            };
            self.projections.push((empty, vec![None; self.n_channels]));
            self.projections.len() - 1
        });
        let (whole, known) = &mut self.projections[at];
        if !whole.name.is_empty() {
            whole.name.push('+');
        }
        whole.name += &part.name;
        let rows = whole.weights.chunks_mut(self.n_channels.max(1));
        for (row, own) in rows.zip(part.weights.chunks(part.n_pre.max(1))) {
            let places = row.iter_mut().skip(first);
            places.zip(own).for_each(|(place, w)| *place += w);
        }
        if let Some(own) = part.bias {
            match &mut whole.bias {
                Some(bias) => bias.iter_mut().zip(own).for_each(|(a, b)| *a += b),
                none => *none = Some(own),
            }
        }
        let places = known.iter_mut().skip(first);
        places.zip(delays).for_each(|(place, d)| *place = Some(d));
    }

    /// All of them, with their delays.
    pub(super) fn into_projections(self) -> impl Iterator<Item = Projection> {
        self.projections.into_iter().map(|(mut projection, known)| {
            let least = known.iter().flatten().min().copied().unwrap_or(0);
            let further = known.iter().map(|d| d.unwrap_or(least) - least);
            let further: Vec<u32> = further.collect();
            projection.delay = least;
            projection.channel_delays = further.iter().any(|d| *d > 0).then_some(further);
            projection
        })
    }
}
