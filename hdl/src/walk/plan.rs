//! The numbers of a walk, from the geometry of a projection.

use spikeloom_ir::geometry::{AxisOrder, Connectivity, Grid, Window};
use spikeloom_ir::quantized::Projection;

use crate::core::index_bits;
use crate::datapath::{DataInput, DataKind, DataOp, DataOutput, DataPathSpec, DataStep, ValueId};
use crate::error::Error;
use crate::image::MemoryImage;
use crate::leaf::Rounding;
use crate::width::SignalType;

/// Everything that fixes a [`Walk`](super::Walk).
///
/// Rows of weights are `[channel][kernel row][kernel column][group]` for a convolution, where a
/// group is as many of the channels that go out as there are lanes, and `[element][group]` behind a
/// pooling without one. Rows of sums are `[row][column][group]`.
#[derive(Debug, Clone)]
pub struct WalkPlan {
    /// Source elements.
    pub n_pre: usize,
    /// Rows of weights.
    pub n_weight_rows: usize,
    /// Rows of sums.
    pub n_sum_rows: usize,
    /// Rows at one place.
    pub n_groups: usize,
    /// Divides an index into channel, row and column.
    pub locate: DataPathSpec,
    /// For each channel its share of the first weight row and the first row of sums.
    pub channels: MemoryImage,
    /// The same for each row, and how many rows of places it reaches.
    pub rows: MemoryImage,
    /// The same for each column.
    pub columns: MemoryImage,
    /// From the last group of a place to the first of the next, in rows of weights.
    pub weight_right: i64,
    /// In rows of sums.
    pub sum_right: i64,
    /// From one row of places to the next, in rows of weights.
    pub weight_down: i64,
    /// In rows of sums.
    pub sum_down: i64,
}

/// What an element reaches along one axis.
#[derive(Debug, Clone, Copy, Default)]
struct Reach {
    /// First element of the window.
    first: usize,
    /// First place of the window.
    place: usize,
    /// Number of places.
    n: usize,
}

impl WalkPlan {
    /// Plans the walk of a projection with `lanes` lanes into a core whose images are called
    /// `name_...`; poolings must have disjoint windows.
    ///
    /// # Errors
    /// If a table does not fit its image, which the levels above rule out.
    pub fn new(
        projection: &Projection,
        n_post: usize,
        lanes: usize,
        name: &str,
    ) -> Result<Self, Error> {
        let seen = match (projection.pooling.last(), &projection.connectivity) {
            (_, Connectivity::Convolution(c)) => c.input,
            (Some(last), Connectivity::Dense) => last.output,
            (None, Connectivity::Dense) => line(projection.n_pre),
        };
        let source = projection.pooling.first().map_or(seen, |first| first.input);
        // Along each axis, the element behind all poolings that an element moves to.
        let moved = |axis: usize| -> Vec<Option<usize>> {
            let length = |grid: &Grid| [grid.height, grid.width][axis];
            (0..length(&source))
                .map(|at| {
                    projection.pooling.iter().try_fold(at, |at, pooling| {
                        let places = length(&pooling.output);
                        (0..places).find(|&place| {
                            covers(&pooling.window, axis, place, at, length(&pooling.input))
                                .is_some()
                        })
                    })
                })
                .collect()
        };
        match &projection.connectivity {
            Connectivity::Dense => {
                let n_groups = n_post.div_ceil(lanes);
                let at = |c, y, x| seen.index(c, y, x) * n_groups;
                let single = |row| Reach {
                    n: 1,
                    first: row,
                    place: 0,
                };
                let axis = |n: usize| moved(n).into_iter().map(|at| at.map(single));
                let plan = Layout {
                    n_pre: projection.n_pre,
                    n_weight_rows: seen.n_elements() * n_groups,
                    n_sum_rows: n_groups,
                    n_groups,
                    channels: (0..seen.channels).map(|c| (at(c, 0, 0), 0)).collect(),
                    rows: axis(0).collect(),
                    columns: axis(1).collect(),
                    weight_steps: [at(0, 1, 0), at(0, 0, 1)],
                    sum_steps: [0, 0],
                    right: (0, 0),
                    down: (0, 0),
                };
                plan.build(&source, name)
            }
            Connectivity::Convolution(c) => {
                let [n_in, n_out] = [c.input.channels, c.output.channels].map(|n| n / c.groups);
                let n_groups = n_out.div_ceil(lanes);
                // Channels that are not mixed have their own lanes, so a place has all of them.
                let sums_a_place = n_groups * c.groups;
                let [kernel_rows, kernel_columns] = c.window.kernel;
                let reach = |axis: usize| {
                    let (n_in, n_out) = match axis {
                        0 => (c.input.height, c.output.height),
                        _ => (c.input.width, c.output.width),
                    };
                    moved(axis)
                        .into_iter()
                        .map(move |at| Some(reach(&c.window, axis, at?, n_in, n_out)))
                };
                let weight_steps = [kernel_columns * n_groups, n_groups];
                let sum_steps = [c.output.width * sums_a_place, sums_a_place];
                // From one place that an element reaches to the next, and from one element of the
                // window to the next.
                let step = |axis: usize| {
                    let (stride, dilation) = (c.window.stride[axis], c.window.dilation[axis]);
                    let common = common_divisor(stride, dilation);
                    (signed(stride / common), -signed(dilation / common))
                };
                let ([k_down, o_down], [k_right, o_right]) = (step(0).into(), step(1).into());
                let back = signed(n_groups) - 1;
                let plan = Layout {
                    n_pre: projection.n_pre,
                    n_weight_rows: c.input.channels * kernel_rows * kernel_columns * n_groups,
                    n_sum_rows: c.output.height * c.output.width * sums_a_place,
                    n_groups,
                    channels: (0..c.input.channels)
                        .map(|channel| {
                            let weight = channel * kernel_rows * kernel_columns * n_groups;
                            (weight, channel / n_in * n_groups)
                        })
                        .collect(),
                    rows: reach(0).collect(),
                    columns: reach(1).collect(),
                    weight_steps,
                    sum_steps,
                    right: (
                        k_right * signed(weight_steps[1]) - back,
                        o_right * signed(sum_steps[1]) - back,
                    ),
                    down: (
                        k_down * signed(weight_steps[0]),
                        o_down * signed(sum_steps[0]),
                    ),
                };
                plan.build(&source, name)
            }
        }
    }

    /// The memories' files.
    pub fn images(&self) -> [&MemoryImage; 3] {
        [&self.channels, &self.rows, &self.columns]
    }
}

/// A plan before its tables are written.
struct Layout {
    n_pre: usize,
    n_weight_rows: usize,
    n_sum_rows: usize,
    n_groups: usize,
    /// Weight row and row of sums of each channel.
    channels: Vec<(usize, usize)>,
    rows: Vec<Option<Reach>>,
    columns: Vec<Option<Reach>>,
    /// Rows of weights from one element of the window to the next, downwards and to the right.
    weight_steps: [usize; 2],
    /// Rows of sums from one place to the next.
    sum_steps: [usize; 2],
    right: (i64, i64),
    down: (i64, i64),
}

impl Layout {
    fn build(self, source: &Grid, name: &str) -> Result<WalkPlan, Error> {
        let weight = SignalType::unsigned(index_bits(self.n_weight_rows));
        let sum = SignalType::unsigned(index_bits(self.n_sum_rows));
        let number = |n: usize| n as u64;
        let channels = self
            .channels
            .iter()
            .flat_map(|&(weight, sum)| [number(weight), number(sum)])
            .collect();
        let table = |what: &str, axis: usize, reaches: &[Option<Reach>]| {
            let most = reaches.iter().flatten().map(|r| r.n).max().unwrap_or(0);
            let count = SignalType::unsigned(index_bits(most + 1));
            let words = reaches
                .iter()
                .map(|reach| reach.unwrap_or_default())
                .flat_map(|reach| {
                    [
                        number(reach.first * self.weight_steps[axis]),
                        number(reach.place * self.sum_steps[axis]),
                        number(reach.n),
                    ]
                })
                .collect();
            MemoryImage::new(
                format!("{name}_{what}.hex"),
                vec![weight, sum, count],
                words,
            )
        };
        Ok(WalkPlan {
            n_pre: self.n_pre,
            n_weight_rows: self.n_weight_rows,
            n_sum_rows: self.n_sum_rows,
            n_groups: self.n_groups,
            locate: locate(source),
            channels: MemoryImage::new(
                format!("{name}_channels.hex"),
                vec![weight, sum],
                channels,
            )?,
            rows: table("rows", 0, &self.rows)?,
            columns: table("columns", 1, &self.columns)?,
            weight_right: self.right.0,
            sum_right: self.right.1,
            weight_down: self.down.0,
            sum_down: self.down.1,
        })
    }
}

/// The element of the window at `place` that covers `at`.
fn covers(window: &Window, axis: usize, place: usize, at: usize, length: usize) -> Option<usize> {
    (0..window.kernel[axis]).find(|&k| window.covered(axis, place, k, length) == Some(at))
}

/// The places whose windows cover `at`: an arithmetic progression, from the last place, which has
/// the first element of the window.
fn reach(window: &Window, axis: usize, at: usize, n_in: usize, n_out: usize) -> Reach {
    let mut places = (0..n_out)
        .rev()
        .filter_map(|place| Some((place, covers(window, axis, place, at, n_in)?)));
    match places.next() {
        None => Reach::default(),
        Some((place, first)) => Reach {
            first,
            place,
            n: 1 + places.count(),
        },
    }
}

fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 {
        a.max(1)
    } else {
        common_divisor(b, a % b)
    }
}

/// One row of elements.
fn line(n: usize) -> Grid {
    Grid {
        channels: n,
        height: 1,
        width: 1,
        order: AxisOrder::ChannelsFirst,
    }
}

fn signed(n: usize) -> i64 {
    n as i64
}

/// Divides an index of `grid` by its two inner axes: multiplications by reciprocals and shifts,
/// exact for every index there is.
fn locate(grid: &Grid) -> DataPathSpec {
    let n = grid.n_elements();
    // Outer, middle and inner axis, and which of channel, row and column each is.
    let (sizes, axes) = match grid.order {
        AxisOrder::ChannelsFirst => ([grid.channels, grid.height, grid.width], [0, 1, 2]),
        AxisOrder::ChannelsLast => ([grid.height, grid.width, grid.channels], [1, 2, 0]),
    };
    let bits = index_bits(n) + 1;
    let mut steps = vec![DataStep {
        op: DataOp::Input(0),
        width: bits,
        stage: 0,
    }];
    let push = |steps: &mut Vec<DataStep>, op, width, stage| {
        steps.push(DataStep { op, width, stage });
        ValueId(steps.len() - 1)
    };
    // The quotient and the remainder of `value`, below `n`, by `divisor`; the quotient takes the
    // stage, the remainder the next one.
    let divide = |steps: &mut Vec<DataStep>, value: ValueId, n: usize, divisor: usize, stage| {
        if divisor == 1 {
            let zero = push(steps, DataOp::Constant(0), 1, stage);
            return (value, zero);
        }
        let (factor, shift) = reciprocal(n, divisor);
        let product_bits = index_bits(n) + index_bits(factor as usize + 1) + 1;
        let width = index_bits(n.div_ceil(divisor)) + 1;
        let product = push(steps, DataOp::Scale(value, factor), product_bits, stage);
        let quotient = DataOp::ShiftRight(product, shift, Rounding::Floor);
        let quotient = push(steps, quotient, width, stage);
        let whole = DataOp::Scale(quotient, divisor as i64);
        let whole = push(steps, whole, bits, stage + 1);
        let rest = index_bits(divisor) + 1;
        let remainder = push(steps, DataOp::Subtract(value, whole), rest, stage + 1);
        (quotient, remainder)
    };
    let (outer, inner) = divide(&mut steps, ValueId(0), n, sizes[2], 0);
    let n_outer = n.div_ceil(sizes[2].max(1));
    let (outer, middle) = divide(&mut steps, outer, n_outer, sizes[1], 1);
    let mut outputs = vec![None; 3];
    let names = ["channel", "row", "column"];
    for (axis, value) in axes.into_iter().zip([outer, middle, inner]) {
        outputs[axis] = Some(DataOutput {
            name: names[axis].into(),
            value,
        });
    }
    let outputs: Vec<DataOutput> = outputs.into_iter().flatten().collect();
    let latency = outputs.iter().map(|o| steps[o.value.0].stage).max();
    DataPathSpec {
        inputs: vec![DataInput {
            name: "index".into(),
            kind: DataKind::Number { width: bits },
        }],
        steps,
        outputs,
        latency: latency.unwrap_or(0),
    }
}

/// `factor` and `shift` so that `i * factor >> shift` is `i / divisor` for every `i` below `n`.
fn reciprocal(n: usize, divisor: usize) -> (i64, u32) {
    for shift in 0..40u32 {
        let factor = (1usize << shift).div_ceil(divisor);
        // The product grows faster than the quotient, so it is enough to look just below steps.
        let exact = |i: usize| (i * factor) >> shift == i / divisor;
        let last = n.saturating_sub(1);
        let steps = (1..=last / divisor).map(|q| q * divisor);
        if exact(last) && steps.into_iter().all(|i| exact(i) && exact(i - 1)) {
            return (factor as i64, shift);
        }
    }
    unreachable!("an index has far fewer than 20 bits more than its divisor")
}
