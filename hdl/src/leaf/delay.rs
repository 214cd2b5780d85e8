//! A value delayed by a fixed number of cycles.

use rust_hdl_core::prelude::*;

use crate::width::DSignal;

/// Delays a value by a fixed number of cycles.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `d` | in | the value |
/// | `q` | out | the value `stages` cycles ago; `d` itself for 0 stages |
///
/// All stages power up at 0. Resources: one flip-flop a bit and stage.
#[derive(LogicBlock)]
pub struct Delay {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// The value.
    pub d: DSignal<In>,
    /// The value of `stages` cycles ago.
    pub q: DSignal<Out>,
    _line: Vec<u64>,
}

impl Delay {
    /// Delays an unsigned value of `width` bits by `stages` cycles.
    pub fn new(width: usize, stages: usize) -> Self {
        Self {
            clock: Signal::default(),
            d: DSignal::new(width),
            q: DSignal::new(width),
            _line: vec![0; stages],
        }
    }
}

impl Logic for Delay {
    fn update(&mut self) {
        let value_type = self.d.signal_type();
        let Some(last) = self._line.len().checked_sub(1) else {
            self.q.next = self.d.val();
            return;
        };
        if self.clock.pos_edge() {
            self._line.rotate_right(1);
            self._line[0] = self.d.val().raw();
        }
        self.q.next = value_type.value(self._line[last]);
    }

    fn connect(&mut self) {
        self.q.connect();
    }

    fn hdl(&self) -> Verilog {
        let stages = self._line.len();
        let width = self.d.width();
        if stages == 0 {
            return Verilog::Custom("always @(*) q = d;\n".into());
        }
        let mut text = String::new();
        for stage in 0..stages {
            let from = if stage == 0 {
                "d".to_owned()
            } else {
                format!("stage{}", stage - 1)
            };
            text.push_str(&format!(
                "reg [{}:0] stage{stage};\ninitial stage{stage} = {width}'h0;\n\
                 always @(posedge clock) stage{stage} <= {from};\n",
                width - 1
            ));
        }
        text.push_str(&format!("always @(*) q = stage{};\n", stages - 1));
        Verilog::Custom(text)
    }
}
