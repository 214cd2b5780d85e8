//! The numbers of a walk, from the geometry of a projection.

use spikeloom_ir::geometry::{AxisOrder, Connectivity, Convolution, Grid, Pooling, Window};
use spikeloom_ir::quantized::Projection;
use spikeloom_ir::rows::SumLayout;

use crate::core::index_bits;
use crate::datapath::{DataInput, DataKind, DataOp, DataOutput, DataPathSpec, DataStep, ValueId};
use crate::error::Error;
use crate::image::MemoryImage;
use crate::leaf::Rounding;
use crate::width::SignalType;

/// Everything that fixes a [`Walk`](super::Walk).
///
/// Rows of weights are `[channel][kernel row][kernel column][group]` for a convolution, where a
/// group is as many of the channels that go out as there are lanes, and `[element][row of sums]`
/// behind a pooling without one. Rows of sums are `[row][column][group]`. Where a walk leads to
/// another one, its rows of sums are the elements of a plane, and weights mean nothing.
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
    /// Plans the walks of a projection, each from what the one before it reaches; the last one ends
    /// at rows. Where the windows of a pooling overlap, an element moves to several, which takes a
    /// walk of its own in front of a convolution.
    ///
    /// # Errors
    /// If a table does not fit its image, which the levels above rule out.
    pub fn chain(
        projection: &Projection,
        layout: &SumLayout,
        name: &str,
    ) -> Result<Vec<Self>, Error> {
        let mut plans = Vec::new();
        let mut before = &projection.pooling[..];
        let own = |plans: &Vec<Self>| format!("{name}_walk{}", plans.len());
        let spreads = |p: &Pooling| !p.window.is_disjoint();
        while let Some(at) = before.iter().position(spreads) {
            let is_last = at + 1 == before.len() && projection.connectivity == Connectivity::Dense;
            if is_last {
                break;
            }
            plans.push(Self::spread(&before[..at], &before[at], &own(&plans))?);
            before = &before[at + 1..];
        }
        let name = own(&plans);
        let seen = projection.pooling.last().map(|last| last.output);
        plans.push(match &projection.connectivity {
            Connectivity::Dense => Self::dense(
                before,
                seen.unwrap_or(line(projection.n_pre)),
                layout,
                &name,
            )?,
            Connectivity::Convolution(c) => Self::convolution(before, c, layout, &name)?,
        });
        Ok(plans)
    }

    /// Behind disjoint poolings to all the elements whose windows cover an element.
    fn spread(before: &[Pooling], pooling: &Pooling, name: &str) -> Result<Self, Error> {
        let (source, seen) = (source(before, pooling.input), pooling.output);
        let sum_steps = [seen.index(0, 1, 0), seen.index(0, 0, 1)];
        let next = |axis| Step::new(&pooling.window, axis).places;
        Layout {
            n_weight_rows: 1,
            n_sum_rows: seen.n_elements(),
            n_groups: 1,
            channels: (0..seen.channels)
                .map(|c| (0, seen.index(c, 0, 0)))
                .collect(),
            rows: reaches(before, &source, 0, &pooling.window, pooling.input, seen),
            columns: reaches(before, &source, 1, &pooling.window, pooling.input, seen),
            weight_steps: [0, 0],
            sum_steps,
            right: (0, next(1) * signed(sum_steps[1])),
            down: (0, next(0) * signed(sum_steps[0])),
        }
        .build(&source, name)
    }

    /// Behind poolings, of which the last may overlap, to all neurons.
    fn dense(
        poolings: &[Pooling],
        seen: Grid,
        layout: &SumLayout,
        name: &str,
    ) -> Result<Self, Error> {
        let source = source(poolings, seen);
        let n_groups = layout.n_rows;
        let at = |c, y, x| seen.index(c, y, x) * n_groups;
        let weight_steps = [at(0, 1, 0), at(0, 0, 1)];
        // The place of the last window that covers it is the element whose weights come first.
        let axis = |axis: usize| match poolings.split_last() {
            Some((last, before)) => {
                let reaches = reaches(before, &source, axis, &last.window, last.input, seen);
                let weights_of = |reach: Reach| Reach {
                    first: reach.place,
                    place: 0,
                    ..reach
                };
                reaches.into_iter().map(|r| r.map(weights_of)).collect()
            }
            None => {
                let single = |first| Reach {
                    first,
                    place: 0,
                    n: 1,
                };
                (0..length(&seen, axis)).map(single).map(Some).collect()
            }
        };
        let next = |axis: usize| {
            let last = poolings.last();
            last.map_or(0, |last| Step::new(&last.window, axis).places) * signed(weight_steps[axis])
        };
        let back = signed(n_groups) - 1;
        Layout {
            n_weight_rows: seen.n_elements() * n_groups,
            n_sum_rows: layout.n_rows,
            n_groups,
            channels: (0..seen.channels).map(|c| (at(c, 0, 0), 0)).collect(),
            rows: axis(0),
            columns: axis(1),
            weight_steps,
            sum_steps: [0, 0],
            right: (next(1) - back, -back),
            down: (next(0), 0),
        }
        .build(&source, name)
    }

    /// Behind disjoint poolings to the places of a convolution that an element is seen from.
    fn convolution(
        before: &[Pooling],
        c: &Convolution,
        layout: &SumLayout,
        name: &str,
    ) -> Result<Self, Error> {
        let source = source(before, c.input);
        let [n_in, n_out] = [c.input.channels, c.output.channels].map(|n| n / c.groups);
        let n_groups = n_out.div_ceil(layout.lanes);
        // Channels that are not mixed have their own lanes, so a place has all of them.
        let sums_a_place = n_groups * c.groups;
        let [kernel_rows, kernel_columns] = c.window.kernel;
        let weight_steps = [kernel_columns * n_groups, n_groups];
        let sum_steps = [c.output.width * sums_a_place, sums_a_place];
        let step = |axis: usize| {
            let step = Step::new(&c.window, axis);
            (
                step.elements * signed(weight_steps[axis]),
                step.places * signed(sum_steps[axis]),
            )
        };
        let back = signed(n_groups) - 1;
        let (right, down) = (step(1), step(0));
        Layout {
            n_weight_rows: c.input.channels * kernel_rows * kernel_columns * n_groups,
            n_sum_rows: c.output.height * c.output.width * sums_a_place,
            n_groups,
            channels: (0..c.input.channels)
                .map(|channel| {
                    let weight = channel * kernel_rows * kernel_columns * n_groups;
                    (weight, channel / n_in * n_groups)
                })
                .collect(),
            rows: reaches(before, &source, 0, &c.window, c.input, c.output),
            columns: reaches(before, &source, 1, &c.window, c.input, c.output),
            weight_steps,
            sum_steps,
            right: (right.0 - back, right.1 - back),
            down,
        }
        .build(&source, name)
    }

    /// The memories' files.
    pub fn images(&self) -> [&MemoryImage; 3] {
        [&self.channels, &self.rows, &self.columns]
    }
}

/// A plan before its tables are written.
struct Layout {
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
            n_pre: source.n_elements(),
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

/// What events are numbered on, in front of poolings and a plane.
fn source(poolings: &[Pooling], seen: Grid) -> Grid {
    poolings.first().map_or(seen, |first| first.input)
}

fn length(grid: &Grid, axis: usize) -> usize {
    [grid.height, grid.width][axis]
}

/// For each element of `source` along an axis what it reaches, behind disjoint poolings, with a
/// window that moves over `input`.
fn reaches(
    before: &[Pooling],
    source: &Grid,
    axis: usize,
    window: &Window,
    input: Grid,
    output: Grid,
) -> Vec<Option<Reach>> {
    let moved = |at: usize| {
        before.iter().try_fold(at, |at, pooling| {
            let mut places = 0..length(&pooling.output, axis);
            let covering = |&place: &usize| {
                covers(
                    &pooling.window,
                    axis,
                    place,
                    at,
                    length(&pooling.input, axis),
                )
                .is_some()
            };
            places.find(covering)
        })
    };
    (0..length(source, axis))
        .map(|at| {
            let (n_in, n_out) = (length(&input, axis), length(&output, axis));
            Some(reach(window, axis, moved(at)?, n_in, n_out))
        })
        .collect()
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

/// From one place that an element reaches to the next, and from the element of the window there to
/// that of the next.
struct Step {
    elements: i64,
    places: i64,
}

impl Step {
    fn new(window: &Window, axis: usize) -> Self {
        let (stride, dilation) = (window.stride[axis], window.dilation[axis]);
        let common = common_divisor(stride, dilation);
        Self {
            elements: signed(stride / common),
            places: -signed(dilation / common),
        }
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
        tables: vec![],
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
