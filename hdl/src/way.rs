//! How the events of one projection find their rows.

use rust_hdl_core::prelude::*;
use spikeloom_ir::geometry::Connectivity;
use spikeloom_ir::mapped;
use spikeloom_ir::quantized::Projection;
use spikeloom_ir::rows::{Listing, SumLayout};

use crate::core::index_bits;
use crate::error::Error;
use crate::image::MemoryImage;
use crate::walk::{Walk, WalkPlan};
use crate::width::{DConst, DSignal, bit_cast};

mod list;
mod run;

pub use list::{List, ListPlan};
pub use run::Run;

/// Everything that fixes a [`Way`].
#[derive(Debug, Clone)]
pub struct WayPlan {
    /// Source elements.
    pub n_pre: usize,
    /// Rows of weights.
    pub n_weight_rows: usize,
    /// How rows are found.
    pub kind: WayKind,
}

/// How rows are found.
#[derive(Debug, Clone)]
pub enum WayKind {
    /// All rows of sums.
    Dense {
        /// How many.
        n_rows: usize,
    },
    /// Over a plane, where windows overlap over several.
    Plane(Vec<WalkPlan>),
    /// From a list.
    Listed(ListPlan),
}

impl WayPlan {
    /// Plans the way of a projection into a core; its images begin with `name`.
    ///
    /// # Errors
    /// If a table does not fit its image, which the levels above rule out.
    pub fn new(
        p: &Projection,
        way: mapped::Way,
        layout: &SumLayout,
        name: &str,
    ) -> Result<Self, Error> {
        let (n_weight_rows, kind) = match way {
            mapped::Way::Dense => {
                let n_rows = layout.n_rows;
                (p.n_pre * n_rows, WayKind::Dense { n_rows })
            }
            mapped::Way::Plane => {
                let walks = WalkPlan::chain(p, layout, name)?;
                let n_rows = walks.last().map_or(0, |walk| walk.n_weight_rows);
                (n_rows, WayKind::Plane(walks))
            }
            mapped::Way::Listed => {
                debug_assert_eq!(p.connectivity, Connectivity::Dense);
                let listing = Listing::new(&p.weights, p.n_pre, layout);
                let plan = ListPlan::new(&listing, layout.n_rows, name)?;
                (listing.n_entries(), WayKind::Listed(plan))
            }
        };
        Ok(Self {
            n_pre: p.n_pre,
            n_weight_rows,
            kind,
        })
    }

    /// The memories' files.
    pub fn images(&self) -> Vec<&MemoryImage> {
        match &self.kind {
            WayKind::Dense { .. } => vec![],
            WayKind::Plane(walks) => walks.iter().flat_map(WalkPlan::images).collect(),
            WayKind::Listed(list) => list.images().to_vec(),
        }
    }

    /// Those of them that depend on the weights.
    pub fn replaceable_images(&self) -> Vec<&MemoryImage> {
        match &self.kind {
            WayKind::Dense { .. } | WayKind::Plane(_) => vec![],
            WayKind::Listed(list) => list.images().to_vec(),
        }
    }
}

/// Where a [`Way`] stands in its core.
#[derive(Debug, Clone, Copy)]
pub struct WayPlace {
    /// Sources of the ways before it.
    pub first_pre: usize,
    /// Rows of weights of the ways before it.
    pub first_weight_row: usize,
    /// Sources of all ways.
    pub n_pre: usize,
    /// Bits of a row of sums.
    pub row_bits: usize,
    /// Bits of a row of weights.
    pub weight_row_bits: usize,
}

/// The rows of one projection's events: its events are a range of the core's, its rows of weights
/// follow those of the ways before it.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `event_in_valid`, `event_in_index` | in | an event of the core |
/// | `event_in_ready` | out | it is one of this way's, and taken |
/// | `hold` | in | do not move in this cycle |
/// | `row_valid` | out | there is a row, which goes unless held |
/// | `row` | out | the row of sums |
/// | `weight_row` | out | the row of weights |
/// | `idle` | out | no event is under way |
///
/// Latency and resources: those of the [`Run`], [`List`] or [`Walk`] inside.
#[derive(LogicBlock)]
pub struct Way {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// An event is offered.
    pub event_in_valid: Signal<In, Bit>,
    /// It is this way's, and taken.
    pub event_in_ready: Signal<Out, Bit>,
    /// Its index.
    pub event_in_index: DSignal<In>,
    /// Do not move.
    pub hold: Signal<In, Bit>,
    /// There is a row.
    pub row_valid: Signal<Out, Bit>,
    /// The row of sums.
    pub row: DSignal<Out>,
    /// The row of weights.
    pub weight_row: DSignal<Out>,
    /// No event is under way.
    pub idle: Signal<Out, Bit>,
    runs: Vec<Run>,
    lists: Vec<List>,
    /// Each leads to the next.
    walks: Vec<Walk>,
    is_own: Signal<Local, Bit>,
    offered: Signal<Local, Bit>,
    ready: Signal<Local, Bit>,
    from_first: DSignal<Local>,
    own_index: DSignal<Local>,
    own_row: DSignal<Local>,
    own_weight_row: DSignal<Local>,
    wide_weight_row: DSignal<Local>,
    idle_so_far: Vec<Signal<Local, Bit>>,
    first_pre: DConst,
    last_pre: DConst,
    first_weight_row: DConst,
    _own_bits: usize,
    _row_bits: usize,
    _weight_row_bits: usize,
    _n_firsts: usize,
    _n_lasts: usize,
    _n_runs: usize,
    _n_lists: usize,
    _n_walks: usize,
    _n_first_walks: usize,
    _n_chained: usize,
}

impl Way {
    /// Builds the block.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(plan: &WayPlan, place: &WayPlace) -> Result<Self, Error> {
        let (mut runs, mut lists, mut walks) = (vec![], vec![], vec![]);
        let (row_bits, weight_row_bits) = match &plan.kind {
            WayKind::Dense { n_rows } => {
                let run = Run::new(plan.n_pre, *n_rows);
                let widths = (run.row.width(), run.weight_row.width());
                runs.push(run);
                widths
            }
            WayKind::Listed(list) => {
                let list = List::new(list);
                let widths = (list.row.width(), list.weight_row.width());
                lists.push(list);
                widths
            }
            WayKind::Plane(plans) => {
                for plan in plans {
                    walks.push(Walk::new(plan)?);
                }
                let last = walks.last();
                last.map_or((1, 1), |walk| (walk.row.width(), walk.weight_row.width()))
            }
        };
        let pre_bits = index_bits(place.n_pre);
        let own_bits = index_bits(plan.n_pre);
        let last_pre = place.first_pre + plan.n_pre - 1;
        Ok(Self {
            clock: Signal::default(),
            event_in_valid: Signal::default(),
            event_in_ready: Signal::default(),
            event_in_index: DSignal::new(pre_bits),
            hold: Signal::default(),
            row_valid: Signal::default(),
            row: DSignal::new(place.row_bits),
            weight_row: DSignal::new(place.weight_row_bits),
            idle: Signal::default(),
            is_own: Signal::default(),
            offered: Signal::default(),
            ready: Signal::default(),
            from_first: DSignal::new(pre_bits),
            own_index: DSignal::new(own_bits),
            own_row: DSignal::new(row_bits),
            own_weight_row: DSignal::new(weight_row_bits),
            wide_weight_row: DSignal::new(place.weight_row_bits),
            idle_so_far: (0..=walks.len()).map(|_| Signal::default()).collect(),
            first_pre: DConst::new(place.first_pre as u64, pre_bits),
            last_pre: DConst::new(last_pre as u64, pre_bits),
            first_weight_row: DConst::new(place.first_weight_row as u64, place.weight_row_bits),
            _own_bits: own_bits,
            _row_bits: place.row_bits,
            _weight_row_bits: place.weight_row_bits,
            _n_firsts: usize::from(place.first_pre > 0),
            _n_lasts: usize::from(last_pre + 1 < place.n_pre),
            _n_runs: runs.len(),
            _n_lists: lists.len(),
            _n_walks: walks.len(),
            _n_first_walks: walks.len().min(1),
            _n_chained: walks.len().saturating_sub(1),
            runs,
            lists,
            walks,
        })
    }
}

impl Logic for Way {
    #[hdl_gen]
    fn update(&mut self) {
        // Which events are this way's.
        self.is_own.next = true;
        for _i in 0..self._n_firsts {
            self.is_own.next = self.event_in_index.val() >= self.first_pre.val();
        }
        for _i in 0..self._n_lasts {
            if self.event_in_index.val() > self.last_pre.val() {
                self.is_own.next = false;
            }
        }
        self.offered.next = self.event_in_valid.val() & self.is_own.val();
        self.from_first.next = self.event_in_index.val() - self.first_pre.val();
        self.own_index.next = bit_cast(self.from_first.val(), self._own_bits);

        self.idle_so_far[0].next = true;
        for i in 0..self._n_runs {
            self.runs[i].clock.next = self.clock.val();
            self.runs[i].event_in_valid.next = self.offered.val();
            self.runs[i].event_in_index.next = self.own_index.val();
            self.runs[i].hold.next = self.hold.val();
            self.ready.next = self.runs[i].event_in_ready.val();
            self.row_valid.next = self.runs[i].row_valid.val();
            self.own_row.next = self.runs[i].row.val();
            self.own_weight_row.next = self.runs[i].weight_row.val();
            self.idle.next = self.runs[i].idle.val();
        }
        for i in 0..self._n_lists {
            self.lists[i].clock.next = self.clock.val();
            self.lists[i].event_in_valid.next = self.offered.val();
            self.lists[i].event_in_index.next = self.own_index.val();
            self.lists[i].hold.next = self.hold.val();
            self.ready.next = self.lists[i].event_in_ready.val();
            self.row_valid.next = self.lists[i].row_valid.val();
            self.own_row.next = self.lists[i].row.val();
            self.own_weight_row.next = self.lists[i].weight_row.val();
            self.idle.next = self.lists[i].idle.val();
        }
        for i in 0..self._n_first_walks {
            self.walks[i].event_in_valid.next = self.offered.val();
            self.walks[i].event_in_index.next = self.own_index.val();
            self.ready.next = self.walks[i].event_in_ready.val();
        }
        for i in 0..self._n_walks {
            self.walks[i].clock.next = self.clock.val();
            self.idle_so_far[i + 1].next = self.idle_so_far[i].val() & self.walks[i].idle.val();
            self.idle.next = self.idle_so_far[i + 1].val();
        }
        // Where one walk ends the next begins.
        for i in 0..self._n_chained {
            self.walks[i].hold.next = !self.walks[i + 1].event_in_ready.val();
            self.walks[i + 1].event_in_valid.next = self.walks[i].row_valid.val();
            self.walks[i + 1].event_in_index.next = self.walks[i].row.val();
        }
        for i in self._n_chained..self._n_walks {
            self.walks[i].hold.next = self.hold.val();
            self.row_valid.next = self.walks[i].row_valid.val();
            self.own_row.next = self.walks[i].row.val();
            self.own_weight_row.next = self.walks[i].weight_row.val();
        }

        self.event_in_ready.next = self.ready.val() & self.is_own.val();
        self.row.next = bit_cast(self.own_row.val(), self._row_bits);
        self.wide_weight_row.next = bit_cast(self.own_weight_row.val(), self._weight_row_bits);
        self.weight_row.next = self.wide_weight_row.val() + self.first_weight_row.val();
    }
}
