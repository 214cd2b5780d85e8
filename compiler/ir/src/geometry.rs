//! The geometry of convolutions and poolings, shared as data by all levels.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How the elements of a [`Grid`] are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AxisOrder {
    /// Channels, then rows, then columns, as model files and samples have it.
    #[default]
    ChannelsFirst,
    /// Rows, then columns, then channels: the neurons that an event reaches at one place follow
    /// each other, so that a row of lanes holds them.
    ChannelsLast,
}

/// Channels over a plane of rows and columns; one axis is a plane of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// Number of channels.
    pub channels: usize,
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// How the elements are numbered.
    pub order: AxisOrder,
}

impl Grid {
    /// Number of elements.
    pub fn n_elements(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// The number of the element of a channel at a row and a column.
    pub fn index(&self, channel: usize, row: usize, column: usize) -> usize {
        match self.order {
            AxisOrder::ChannelsFirst => (channel * self.height + row) * self.width + column,
            AxisOrder::ChannelsLast => (row * self.width + column) * self.channels + channel,
        }
    }

    /// Channel, row and column of an element.
    pub fn position(&self, index: usize) -> [usize; 3] {
        let (channels, height, width) =
            (self.channels.max(1), self.height.max(1), self.width.max(1));
        match self.order {
            AxisOrder::ChannelsFirst => [
                index / width / height,
                index / width % height,
                index % width,
            ],
            AxisOrder::ChannelsLast => [
                index % channels,
                index / channels / width,
                index / channels % width,
            ],
        }
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

/// A window that moves over a plane. All arrays are rows first, then columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Elements of the window.
    pub kernel: [usize; 2],
    /// From one place of the window to the next.
    pub stride: [usize; 2],
    /// Zeros in front of the first row and column.
    pub padding: [usize; 2],
    /// From one element of the window to the next.
    pub dilation: [usize; 2],
}

impl Window {
    /// The element along `axis` that element `k` of the window covers at its place `place`, of
    /// `length` there are; `None` in the padding.
    pub fn covered(&self, axis: usize, place: usize, k: usize, length: usize) -> Option<usize> {
        let from_padding = place * self.stride[axis] + k * self.dilation[axis];
        from_padding
            .checked_sub(self.padding[axis])
            .filter(|&at| at < length)
    }

    /// Whether no element is covered from two places, along both axes.
    pub fn is_disjoint(&self) -> bool {
        (0..2).all(|axis| {
            let span = (self.kernel[axis].max(1) - 1) * self.dilation[axis] + 1;
            span <= self.stride[axis]
        })
    }
}

/// A sum over windows, channel by channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pooling {
    /// What comes in.
    pub input: Grid,
    /// What goes out.
    pub output: Grid,
    /// What is summed.
    pub window: Window,
}

/// A convolution, in the sense of machine learning: a correlation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Convolution {
    /// What comes in.
    pub input: Grid,
    /// What goes out.
    pub output: Grid,
    /// What each output sees.
    pub window: Window,
    /// Blocks of channels that are not mixed.
    pub groups: usize,
}

impl Convolution {
    /// Weights of the shape `[out][in / groups][row][column]`.
    pub fn n_weights(&self) -> usize {
        let per_output = self.input.channels / self.groups.max(1);
        self.output.channels * per_output * self.window.kernel[0] * self.window.kernel[1]
    }

    /// Position of a weight; `channel` is the input's, counted in its group.
    pub fn weight_index(&self, output: usize, channel: usize, row: usize, column: usize) -> usize {
        let per_output = self.input.channels / self.groups.max(1);
        let [height, width] = self.window.kernel;
        ((output * per_output + channel) * height + row) * width + column
    }
}

/// Which source elements reach which neurons, through which weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connectivity {
    /// Each reaches each: weights are `[post][pre]`, row-major.
    #[default]
    Dense,
    /// Weights are `[out][in / groups][row][column]`.
    Convolution(Convolution),
}

/// A geometry that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeometryFault {
    /// Which quantity.
    pub what: &'static str,
    /// Its value.
    pub found: usize,
    /// The value needed.
    pub wanted: usize,
}

/// Checks that poolings and a connectivity lead from `n_pre` sources to `n_post` neurons through
/// `n_weights` weights.
///
/// # Errors
/// The first quantity that does not fit.
pub fn check(
    pooling: &[Pooling],
    connectivity: &Connectivity,
    n_pre: usize,
    n_post: usize,
    n_weights: usize,
) -> Result<(), GeometryFault> {
    let same = |what, found, wanted| {
        if found == wanted {
            return Ok(());
        }
        Err(GeometryFault {
            what,
            found,
            wanted,
        })
    };
    let window = |window: &Window, input: &Grid, output: &Grid| {
        let sides = [(input.height, output.height), (input.width, output.width)];
        for (axis, (n_in, n_out)) in sides.into_iter().enumerate() {
            same("stride", window.stride[axis].min(1), 1)?;
            same("dilation", window.dilation[axis].min(1), 1)?;
            same("kernel", window.kernel[axis].min(1), 1)?;
            // The last place must begin in the input or its padding.
            let last = n_out
                .max(1)
                .saturating_sub(1)
                .saturating_mul(window.stride[axis]);
            let room = n_in.saturating_add(window.padding[axis].saturating_mul(2));
            same("size of the output", usize::from(last <= room), 1)?;
        }
        Ok(())
    };
    let mut n = n_pre;
    for p in pooling {
        same("number of pooled elements", p.input.n_elements(), n)?;
        same(
            "number of pooled channels",
            p.output.channels,
            p.input.channels,
        )?;
        window(&p.window, &p.input, &p.output)?;
        n = p.output.n_elements();
    }
    match connectivity {
        Connectivity::Dense => same("number of weights", n_weights, n.saturating_mul(n_post)),
        Connectivity::Convolution(c) => {
            same("number of convolved elements", c.input.n_elements(), n)?;
            same("number of neurons", c.output.n_elements(), n_post)?;
            same("number of groups", c.groups.min(1), 1)?;
            same("channels over groups", c.input.channels % c.groups, 0)?;
            same("outputs over groups", c.output.channels % c.groups, 0)?;
            window(&c.window, &c.input, &c.output)?;
            same("number of weights", n_weights, c.n_weights())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_invert_indices() {
        for order in [AxisOrder::ChannelsFirst, AxisOrder::ChannelsLast] {
            let grid = Grid {
                channels: 3,
                height: 4,
                width: 5,
                order,
            };
            let mut seen = vec![false; grid.n_elements()];
            for c in 0..3 {
                for y in 0..4 {
                    for x in 0..5 {
                        let at = grid.index(c, y, x);
                        assert_eq!(grid.position(at), [c, y, x]);
                        seen[at] = true;
                    }
                }
            }
            assert!(seen.iter().all(|&s| s));
        }
    }
}
