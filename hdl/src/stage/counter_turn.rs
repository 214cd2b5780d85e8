//! Turns the counters to the byte that the host reads.

use rust_hdl_core::prelude::*;

use crate::leaf::Register;
use crate::width::{DConst, DSignal};

/// Turns all [`Counter`](super::Counter)s of a design until the byte at the bottom is the one that
/// the bus addresses.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `clear` | in | the counters are cleared |
/// | `enable` | in | the bus addresses counters, and nothing is counted |
/// | `byte_idx` | in | which byte of a counter, 0 to 3 |
/// | `rotate` | out | to the counters |
/// | `exists` | out | `byte_idx` is a byte of the counters, which have three |
///
/// A byte is at the bottom at most two cycles after it was addressed; the bus samples it four after
/// the strobe ([`READ_LATENCY`](crate::link::READ_LATENCY)) and addresses it before.
///
/// Resources: about six logic cells.
#[derive(LogicBlock)]
pub struct CounterTurn {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// The counters are cleared.
    pub clear: Signal<In, Bit>,
    /// The counters may turn.
    pub enable: Signal<In, Bit>,
    /// The byte wanted.
    pub byte_idx: DSignal<In>,
    /// Turn by a byte.
    pub rotate: Signal<Out, Bit>,
    /// It is one of theirs.
    pub exists: Signal<Out, Bit>,
    position: Register,
    zero: DConst,
    one: DConst,
    last: DConst,
    none: DConst,
}

impl Default for CounterTurn {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            clear: Signal::default(),
            enable: Signal::default(),
            byte_idx: DSignal::new(2),
            rotate: Signal::default(),
            exists: Signal::default(),
            position: Register::new(2),
            zero: DConst::new(0, 2),
            one: DConst::new(1, 2),
            last: DConst::new(2, 2),
            none: DConst::new(3, 2),
        }
    }
}

impl Logic for CounterTurn {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, position);
        self.exists.next = self.byte_idx.val() != self.none.val();
        self.rotate.next = self.enable.val()
            & (self.byte_idx.val() != self.none.val())
            & (self.byte_idx.val() != self.position.q.val());
        if self.rotate.val() {
            self.position.d.next = self.position.q.val() + self.one.val();
            if self.position.q.val() == self.last.val() {
                self.position.d.next = self.zero.val();
            }
        }
        if self.clear.val() {
            self.position.d.next = self.zero.val();
        }
    }
}
