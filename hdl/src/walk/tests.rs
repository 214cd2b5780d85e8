use proptest::prelude::*;
use spikeloom_fixed::BitWidth;
use spikeloom_ir::geometry::{AxisOrder, Connectivity, Convolution, Grid, Pooling, Window};
use spikeloom_ir::quantized::{Projection, Source};
use spikeloom_ir::rows::SumLayout;
use spikeloom_ir::{Origin, PopulationId, mapped};

use super::*;
use crate::simulation::{clock_cycle, settle};
use crate::way::{Way, WayPlace, WayPlan};

fn order() -> impl Strategy<Value = AxisOrder> {
    prop_oneof![
        Just(AxisOrder::ChannelsFirst),
        Just(AxisOrder::ChannelsLast)
    ]
}

/// Number of places of a window, as PyTorch counts them.
fn places(length: usize, kernel: usize, stride: usize, padding: usize, dilation: usize) -> usize {
    let span = (kernel - 1) * dilation + 1;
    match (length + 2 * padding).checked_sub(span) {
        Some(room) => room / stride + 1,
        None => 0,
    }
}

prop_compose! {
    fn window()(kernel in [1usize..4, 1usize..4], stride in [1usize..4, 1usize..4],
                padding in [0usize..3, 0usize..3], dilation in [1usize..3, 1usize..3]) -> Window {
        Window { kernel, stride, padding, dilation }
    }
}

prop_compose! {
    /// A source, a pooling or none, a convolution or none, lanes.
    fn projection()(
        channels in 1usize..5, height in 1usize..9, width in 1usize..9, order in order(),
        pools in prop::collection::vec([1usize..4, 1usize..4, 1usize..4, 1usize..4], 0..3), convolution in prop::option::of((window(), 1usize..7)),
        grouped in any::<bool>(), n_post in 1usize..9, lanes in 0u32..3,
    ) -> (Projection, usize, usize) {
        let mut seen = Grid { channels, height, width, order };
        let source = seen;
        let mut pooling = vec![];
        for [rows, columns, down, right] in pools {
            let kernel = [rows.min(seen.height), columns.min(seen.width)];
            let (stride, padding) = ([down, right], [kernel[0] / 2, 0]);
            let window = Window { kernel, stride, padding, dilation: [1, 1] };
            let output = Grid {
                height: places(seen.height, kernel[0], down, padding[0], 1),
                width: places(seen.width, kernel[1], right, padding[1], 1),
                ..seen
            };
            pooling.push(Pooling { input: seen, output, window });
            seen = output;
        }
        let (mut connectivity, mut n_post, mut lanes) = (Connectivity::Dense, n_post, 1usize << lanes);
        if let Some((window, out)) = convolution {
            let along = |axis: usize, length| {
                places(length, window.kernel[axis], window.stride[axis], window.padding[axis], window.dilation[axis])
            };
            let (rows, columns) = (along(0, seen.height), along(1, seen.width));
            if rows > 0 && columns > 0 {
                let groups = if grouped { channels } else { 1 };
                if grouped {
                    lanes = 1;
                }
                let output = Grid { channels: out * groups, height: rows, width: columns, order: AxisOrder::ChannelsLast };
                connectivity = Connectivity::Convolution(Convolution { input: seen, output, window, groups });
                n_post = output.n_elements();
            }
        }
        let projection = Projection {
            name: "p".into(),
            source: Source::Input,
            target: PopulationId(0),
            accumulator: 0,
            n_pre: source.n_elements(),
            pooling,
            connectivity,
            weight_bits: BitWidth::new(8).unwrap(),
            delay: 0,
            channel_delays: None,
            weights: vec![],
            spike_shift: 0,
            plasticity: None,
            origin: Origin::Synthetic,
        };
        (projection, n_post, lanes)
    }
}

/// The rows that an event touches: (row of weights, row of sums), from the forward equations.
fn wanted(p: &Projection, n_post: usize, lanes: usize, event: usize) -> Vec<(u64, u64)> {
    let mut elements = vec![event];
    for pooling in &p.pooling {
        let (input, output, window) = (pooling.input, pooling.output, pooling.window);
        elements = elements
            .iter()
            .flat_map(|&at| {
                (0..output.n_elements()).filter(move |&place| {
                    let [c, y, x] = output.position(place);
                    (0..window.kernel[0]).any(|ky| {
                        (0..window.kernel[1]).any(|kx| {
                            let row = window.covered(0, y, ky, input.height);
                            let column = window.covered(1, x, kx, input.width);
                            row.zip(column)
                                .is_some_and(|(r, k)| input.index(c, r, k) == at)
                        })
                    })
                })
            })
            .collect();
    }
    let mut rows = Vec::new();
    for element in elements {
        match &p.connectivity {
            Connectivity::Dense => {
                let groups = n_post.div_ceil(lanes);
                rows.extend((0..groups).map(|g| ((element * groups + g) as u64, g as u64)));
            }
            Connectivity::Convolution(c) => {
                let (n_in, n_out) = (c.input.channels / c.groups, c.output.channels / c.groups);
                let groups = n_out.div_ceil(lanes);
                for source in 0..c.input.channels {
                    for y in 0..c.output.height {
                        for x in 0..c.output.width {
                            for ky in 0..c.window.kernel[0] {
                                for kx in 0..c.window.kernel[1] {
                                    let row = c.window.covered(0, y, ky, c.input.height);
                                    let column = c.window.covered(1, x, kx, c.input.width);
                                    let Some((row, column)) = row.zip(column) else {
                                        continue;
                                    };
                                    if c.input.index(source, row, column) != element {
                                        continue;
                                    }
                                    let kernel = (source * c.window.kernel[0] + ky)
                                        * c.window.kernel[1]
                                        + kx;
                                    let place = (y * c.output.width + x) * c.groups + source / n_in;
                                    rows.extend((0..groups).map(|g| {
                                        ((kernel * groups + g) as u64, (place * groups + g) as u64)
                                    }));
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    rows.sort_unstable();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Every event adds exactly the rows that the geometry says, whatever is held and when.
    #[test]
    fn events_touch_the_rows_of_the_geometry((projection, n_post, lanes) in projection(), pattern in any::<u64>()) {
        let (n_channels, n_places) = match &projection.connectivity {
            Connectivity::Dense => (n_post, 1),
            Connectivity::Convolution(c) => (c.output.channels, c.output.height * c.output.width),
        };
        let n_rows = n_places * n_channels.div_ceil(lanes);
        let layout = SumLayout { lanes, n_channels, n_rows };
        let plan = WayPlan::new(&projection, mapped::Way::Plane, &layout, "test").unwrap();
        let place = WayPlace {
            first_pre: 0,
            first_weight_row: 0,
            n_pre: projection.n_pre,
            row_bits: index_bits(n_rows),
            weight_row_bits: index_bits(plan.n_weight_rows),
        };
        let mut walk = Way::new(&plan, &place).unwrap();
        walk.connect_all();
        check_all(&walk).unwrap();
        let mut pattern = pattern | 1;
        let step = 1 + projection.n_pre / 24;
        let mut events: std::collections::VecDeque<usize> = (0..projection.n_pre).step_by(step).collect();
        let mut expected: Vec<_> =
            events.iter().flat_map(|&event| wanted(&projection, n_post, lanes, event)).collect();
        let mut found = Vec::new();
        for cycle in 0.. {
            prop_assert!(cycle < 100_000, "it hangs");
            pattern = pattern.rotate_left(1);
            walk.hold.next = pattern & 1 == 1 && pattern & 2 == 2;
            walk.event_in_valid.next = !events.is_empty() && pattern & 12 > 0;
            walk.event_in_index.next = (events.front().copied().unwrap_or(0) as u64).into();
            settle(&mut walk).unwrap();
            if walk.row_valid.val() && !walk.hold.val() {
                found.push((walk.weight_row.val().raw(), walk.row.val().raw()));
            }
            if events.is_empty() && walk.idle.val() {
                break;
            }
            if walk.event_in_valid.val() && walk.event_in_ready.val() {
                events.pop_front();
            }
            clock_cycle(&mut walk, |w| &mut w.clock).unwrap();
        }
        found.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(found, expected);
    }
}
