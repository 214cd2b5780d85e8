//! `pool:` and `convolve:` of a projection.
//!
//! What comes in and what goes out follows from the populations' shapes and the window; it is only
//! written where it is something else.

use std::fmt::Write as _;

use spikeloom_ir::geometry::{AxisOrder, Connectivity, Convolution, Grid, Pooling, Window};
use spikeloom_ir::network::{Network, Projection, Source};

use super::Loader;
use crate::fields::Entry;
use crate::yaml::{Node, Value};

/// All keys of a pooling.
pub const POOL_KEYS: &[&str] = &["kernel", "stride", "padding", "dilation", "input", "output"];
/// All keys of a convolution.
pub const CONVOLVE_KEYS: &[&str] = &[
    "kernel", "stride", "padding", "dilation", "groups", "input", "output",
];
/// Most rows or columns of a window, its steps and its padding.
const MAX_WINDOW: usize = 0xffff;
/// Most elements of a plane with all its channels; as many as a shape may have.
const MAX_ELEMENTS: usize = 1 << 24;

/// A shape as channels over a plane.
pub(super) fn grid(shape: &[usize]) -> Option<Grid> {
    let (channels, height, width) = match *shape {
        [n] => (n, 1, 1),
        [channels, width] => (channels, 1, width),
        [channels, height, width] => (channels, height, width),
        _ => return None,
    };
    Some(Grid {
        channels,
        height,
        width,
        order: AxisOrder::ChannelsFirst,
    })
}

/// A window, and what is written of its ends.
struct Placed {
    window: Window,
    /// `padding: same`.
    keeps_size: bool,
    input: Grid,
    output: Option<Grid>,
}

impl Loader<'_> {
    /// The poolings of a source of that shape.
    pub(super) fn pooling(&mut self, entry: &Entry, shape: &[usize]) -> Option<Vec<Pooling>> {
        let (key, node) = entry;
        let single = [node.clone()];
        let items = match &node.value {
            Value::Sequence(items) => &items[..],
            _ => &single,
        };
        let mut pooling: Vec<Pooling> = Vec::new();
        for item in items {
            let coming = match pooling.last() {
                Some(last) => Some(last.output),
                None => grid(shape),
            };
            let entry = (key.clone(), item.clone());
            let placed = self.placed(&entry, POOL_KEYS, coming)?;
            let output = match placed.output {
                Some(output) => output,
                None => self.planes(&entry, &placed)?,
            };
            pooling.push(Pooling {
                input: placed.input,
                output,
                window: placed.window,
            });
        }
        Some(pooling)
    }

    /// A convolution of what comes in into so many neurons.
    pub(super) fn convolution(
        &mut self,
        entry: &Entry,
        coming: Option<Grid>,
        n_post: usize,
    ) -> Option<Convolution> {
        let placed = self.placed(entry, CONVOLVE_KEYS, coming)?;
        let groups = match member(entry, "groups") {
            Some(entry) => usize::try_from(self.reader.count(entry)?).ok()?,
            None => 1,
        };
        let output = match placed.output {
            Some(output) => output,
            None => {
                let planes = self.planes(entry, &placed)?;
                let n_places = planes.height * planes.width;
                if !n_post.is_multiple_of(n_places) {
                    self.reader.bad_geometry(
                        entry,
                        format!(
                            "it gives channels of {} x {}, of which {n_post} neurons are no multiple",
                            planes.height, planes.width
                        ),
                        "change the window, or the shape of the population",
                    );
                    return None;
                }
                Grid {
                    channels: n_post / n_places,
                    ..planes
                }
            }
        };
        let input = placed.input;
        if !input.channels.is_multiple_of(groups) || !output.channels.is_multiple_of(groups) {
            self.reader.bad_geometry(
                entry,
                format!(
                    "{} channels in and {} out do not divide into {groups} groups",
                    input.channels, output.channels
                ),
                "change `groups:`",
            );
            return None;
        }
        Some(Convolution {
            input,
            output,
            window: placed.window,
            groups,
        })
    }

    fn placed(
        &mut self,
        entry: &Entry,
        keys: &'static [&'static str],
        coming: Option<Grid>,
    ) -> Option<Placed> {
        let help = "write `kernel: 3`, or `kernel: [3, 5]` for rows and columns, below it";
        let members = self.reader.members(entry, "a mapping", help)?;
        let n_before = self.reader.n_problems();
        for (key, _) in members {
            if !keys.contains(&key.text.as_str()) {
                self.reader.unknown(key, keys);
            }
        }
        let is_pool = !keys.contains(&"groups");
        let Some(kernel) = member(entry, "kernel") else {
            let owner = format!("`{}`", entry.0.text);
            self.reader.missing(&owner, "kernel", entry.0.span.clone());
            return None;
        };
        let kernel = self.pair(kernel, 1);
        let stride = match member(entry, "stride") {
            Some(entry) => self.pair(entry, 1),
            None if is_pool => kernel,
            None => Some([1, 1]),
        };
        let dilation = match member(entry, "dilation") {
            Some(entry) => self.pair(entry, 1),
            None => Some([1, 1]),
        };
        let padding = member(entry, "padding");
        let keeps_size = !is_pool && padding.is_some_and(|(_, node)| node.text() == Some("same"));
        let padding = match padding {
            // An odd zero goes behind, as PyTorch has it.
            Some(_) if keeps_size => kernel.zip(dilation).map(|(kernel, dilation)| {
                [0, 1].map(|axis| dilation[axis] * (kernel[axis] - 1) / 2)
            }),
            Some(entry) => self.pair(entry, 0),
            None => Some([0, 0]),
        };
        let input = match member(entry, "input") {
            Some(entry) => self.planes_of(entry),
            None if coming.is_none() => {
                let owner = format!("`{}` behind a shape of more than three axes", entry.0.text);
                self.reader.missing(&owner, "input", entry.0.span.clone());
                None
            }
            None => coming,
        };
        let output = match member(entry, "output") {
            Some(entry) => Some(self.planes_of(entry)?),
            None => None,
        };
        if self.reader.n_problems() > n_before {
            return None;
        }
        Some(Placed {
            window: Window {
                kernel: kernel?,
                stride: stride?,
                padding: padding?,
                dilation: dilation?,
            },
            keeps_size,
            input: input?,
            output,
        })
    }

    /// Rows and columns of what goes out, by the window's arithmetic.
    fn planes(&mut self, entry: &Entry, placed: &Placed) -> Option<Grid> {
        let input = placed.input;
        if placed.keeps_size {
            return Some(input);
        }
        let planes = places(&placed.window, input);
        if planes.is_none() {
            self.reader.bad_geometry(
                entry,
                format!(
                    "its window does not fit into the {} x {} that come in",
                    input.height, input.width
                ),
                "make the kernel smaller, or the padding larger",
            );
        }
        planes
    }

    /// One number for rows and columns, or one each.
    fn pair(&mut self, entry: &Entry, least: usize) -> Option<[usize; 2]> {
        let number = |node: &Node| {
            let n: usize = node.plain_text()?.parse().ok()?;
            (least..=MAX_WINDOW).contains(&n).then_some(n)
        };
        let pair = match &entry.1.value {
            Value::Sequence(items) => match &items[..] {
                [rows, columns] => number(rows).zip(number(columns)),
                _ => None,
            },
            _ => number(&entry.1).map(|n| (n, n)),
        };
        if pair.is_none() {
            self.reader.bad(
                entry,
                format!("one or two whole numbers from {least} to {MAX_WINDOW}"),
                format!(
                    "write `{0}: 2`, or `{0}: [1, 2]` for rows and columns",
                    entry.0.text
                ),
            );
        }
        pair.map(|(rows, columns)| [rows, columns])
    }

    /// Channels, rows and columns.
    fn planes_of(&mut self, entry: &Entry) -> Option<Grid> {
        let shape = self.shape(entry)?;
        let found = (shape.len() == 3).then(|| grid(&shape)).flatten();
        if found.is_none() {
            self.reader.bad(
                entry,
                "channels, rows and columns",
                format!("write `{}: [16, 7, 7]`", entry.0.text),
            );
        }
        found
    }
}

fn member<'a>(entry: &'a Entry, key: &str) -> Option<&'a Entry> {
    match &entry.1.value {
        Value::Mapping(members) => members.iter().find(|(found, _)| found.text == key),
        _ => None,
    }
}

/// At how many places a window stands, in rows and columns; with the channels of what comes in.
fn places(window: &Window, input: Grid) -> Option<Grid> {
    let along = |axis: usize, length: usize| {
        let span = (window.kernel[axis].max(1) - 1) * window.dilation[axis] + 1;
        let room = (length + 2 * window.padding[axis]).checked_sub(span)?;
        Some(room / window.stride[axis].max(1) + 1)
    };
    let (height, width) = (along(0, input.height)?, along(1, input.width)?);
    let n = input.channels.saturating_mul(height).saturating_mul(width);
    (n <= MAX_ELEMENTS).then_some(Grid {
        height,
        width,
        ..input
    })
}

/// The lines of a projection's poolings and convolution.
pub(super) fn write(projection: &Projection, network: &Network) -> String {
    let shape = match projection.source {
        Source::Input => &network.input.shape,
        Source::Population(id) => &network.populations[id.0].shape,
    };
    let mut coming = grid(shape);
    let mut text = String::new();
    if !projection.pooling.is_empty() {
        text += "    pool:\n";
    }
    for pooling in &projection.pooling {
        let expected = places(&pooling.window, pooling.input);
        let ends = ends(coming, pooling.input, expected, pooling.output);
        let _ = writeln!(text, "      - {{{}{ends}}}", written(&pooling.window));
        coming = Some(pooling.output);
    }
    if let Connectivity::Convolution(c) = &projection.connectivity {
        let expected = places(&c.window, c.input).map(|places| Grid {
            channels: projection.n_post / (places.height * places.width).max(1),
            ..places
        });
        let ends = ends(coming, c.input, expected, c.output);
        let window = written(&c.window);
        let _ = writeln!(
            text,
            "    convolve: {{{window}, groups: {}{ends}}}",
            c.groups
        );
    }
    text
}

fn written(window: &Window) -> String {
    format!(
        "kernel: {:?}, stride: {:?}, padding: {:?}, dilation: {:?}",
        window.kernel, window.stride, window.padding, window.dilation
    )
}

/// What comes in and goes out, where it is not what the reader would take.
fn ends(coming: Option<Grid>, input: Grid, expected: Option<Grid>, output: Grid) -> String {
    let mut text = String::new();
    let shape = |grid: Grid| [grid.channels, grid.height, grid.width];
    if coming != Some(input) {
        let _ = write!(text, ", input: {:?}", shape(input));
    }
    if expected != Some(output) {
        let _ = write!(text, ", output: {:?}", shape(output));
    }
    text
}
