//! What a tick is, for everything that learns in it.

use rust_hdl_core::prelude::*;

use crate::width::DSignal;

/// A property of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Every `2^n`th tick of a sample.
    Every(u8),
    /// A sample's last tick.
    End,
    /// One of the ticks from the first on and before the second.
    Window(u32, u32),
}

/// Says for the present tick which of several properties it has.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `tick` | in | counted from 0 in each sample |
/// | `n_ticks` | in | ticks of the sample |
/// | `word` | out | a bit for each [`Moment`]; 0 where there is none |
///
/// Combinational. Resources: a few logic cells a property.
#[derive(LogicBlock)]
pub struct Moments {
    /// Counted from 0.
    pub tick: DSignal<In>,
    /// Ticks of the sample.
    pub n_ticks: DSignal<In>,
    /// A bit for each property.
    pub word: DSignal<Out>,
    _moments: Vec<Moment>,
}

impl Moments {
    /// Properties of ticks that are counted in `tick_bits` bits.
    pub fn new(moments: &[Moment], tick_bits: usize) -> Self {
        Self {
            tick: DSignal::new(tick_bits),
            n_ticks: DSignal::new(tick_bits),
            word: DSignal::new(moments.len().max(1)),
            _moments: moments.to_vec(),
        }
    }
}

impl Logic for Moments {
    fn update(&mut self) {
        let (tick, n_ticks) = (self.tick.val().raw(), self.n_ticks.val().raw());
        let mut word = 0;
        for (at, moment) in self._moments.iter().enumerate() {
            let holds = match *moment {
                Moment::Every(n) => (tick + 1).is_multiple_of(1 << n),
                Moment::End => tick + 1 == n_ticks,
                Moment::Window(first, end) => (u64::from(first)..u64::from(end)).contains(&tick),
            };
            word |= u64::from(holds) << at;
        }
        self.word.next = self.word.signal_type().value(word);
    }

    fn connect(&mut self) {
        self.word.connect();
    }

    fn hdl(&self) -> Verilog {
        let bits = self.tick.width();
        // The numbers of ticks reach from 1 to 2^bits - 1, so their sum needs a bit more.
        let wide = bits + 1;
        // Bits that nothing drives would be neither 0 nor 1.
        let mut text = format!("initial word = {}'h0;\n", self.word.width());
        let place = |at: usize| match self._moments.len() {
            1 => "word".to_owned(),
            _ => format!("word[{at}]"),
        };
        for (at, moment) in self._moments.iter().enumerate() {
            let condition = match *moment {
                Moment::Every(0) => continue,
                Moment::Every(1) => "tick[0]".to_owned(),
                Moment::Every(n) => format!("&tick[{}:0]", n - 1),
                Moment::End => {
                    format!("({{1'b0, tick}} + {wide}'d1) == {{1'b0, n_ticks}}")
                }
                Moment::Window(first, end) => {
                    let mut parts = Vec::new();
                    if first > 0 {
                        parts.push(format!("{{1'b0, tick}} >= {wide}'d{}", limit(first, bits)));
                    }
                    parts.push(format!("{{1'b0, tick}} < {wide}'d{}", limit(end, bits)));
                    format!("({})", parts.join(") && ("))
                }
            };
            text.push_str(&format!("always @(*) {} = {condition};\n", place(at)));
        }
        for (at, moment) in self._moments.iter().enumerate() {
            if *moment == Moment::Every(0) {
                text.push_str(&format!("initial {} = 1'b1;\n", place(at)));
            }
        }
        Verilog::Custom(text)
    }
}

/// A tick as far as it can be counted.
fn limit(tick: u32, bits: usize) -> u64 {
    u64::from(tick).min(1 << bits)
}
