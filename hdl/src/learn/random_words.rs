//! Random words for rows of synapses.

use rust_hdl_core::prelude::*;
use spikeloom_ir::plasticity::TARGETS_A_WORD;

use crate::width::{DSignal, SignalType};

/// Bits by which the word of each further target is rotated.
const TURN: u32 = 4;

/// Gives each lane of a row its random word: Marsaglia's xorshift32, of which a source that is
/// visited draws a word for every [`TARGETS_A_WORD`] targets.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `draw` | in | a row's words are used in this cycle |
/// | `last` | in | it is its source's last row |
/// | `words` | out, per lane | the lane's word, as its target rotates it |
///
/// `words` is what belongs to the row that is drawn next. At power-up the generator starts from
/// its seed. Resources: 64 flip-flops (32 with eight lanes or more), and per word drawn in a cycle
/// about 80 logic cells.
#[derive(LogicBlock)]
pub struct RandomWords {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// A row's words are used.
    pub draw: Signal<In, Bit>,
    /// It is its source's last row.
    pub last: Signal<In, Bit>,
    /// The lanes' words.
    pub words: Vec<DSignal<Out>>,
    _seed: u32,
    /// The last word drawn.
    _word: u32,
    /// What is left of it for the next rows, rotated.
    _rest: u32,
    /// Rows that the present word has served.
    _turn: usize,
    /// Rows that a word serves.
    _rows_a_word: usize,
    /// Words of a full row, and of a source's last row.
    _words_a_row: usize,
    _words_of_last: usize,
}

fn step(mut word: u32) -> u32 {
    word ^= word << 13;
    word ^= word >> 17;
    word ^ word << 5
}

impl RandomWords {
    /// For rows of `lanes` lanes that reach `n_post` targets. Lanes are 1, 2, 4 or a multiple
    /// of eight.
    pub fn new(seed: u32, lanes: usize, n_post: usize) -> Self {
        let n_rows = n_post.div_ceil(lanes);
        let of_last = n_post - (n_rows - 1) * lanes;
        Self {
            clock: Signal::default(),
            draw: Signal::default(),
            last: Signal::default(),
            words: DSignal::row(&vec![SignalType::unsigned(32); lanes]),
            _seed: seed,
            _word: seed,
            _rest: 0,
            _turn: 0,
            _rows_a_word: TARGETS_A_WORD.div_ceil(lanes),
            _words_a_row: lanes.div_ceil(TARGETS_A_WORD),
            _words_of_last: of_last.div_ceil(TARGETS_A_WORD),
        }
    }
}

impl Logic for RandomWords {
    fn update(&mut self) {
        let lanes = self.words.len();
        if self.clock.pos_edge() && self.draw.val() {
            let last = self.last.val();
            if self._turn == 0 {
                let n_words = match last {
                    true => self._words_of_last,
                    false => self._words_a_row,
                };
                self._word = (0..n_words).fold(self._word, |word, _| step(word));
                self._rest = self._word;
            }
            self._rest = self._rest.rotate_right(TURN * lanes as u32);
            self._turn = match last {
                true => 0,
                false => (self._turn + 1) % self._rows_a_word,
            };
        }
        let mut word = self._word;
        for lane in 0..lanes {
            if lane % TARGETS_A_WORD == 0 {
                word = step(word);
            }
            let own = match self._turn {
                0 => word,
                _ => self._rest,
            };
            let turned = own.rotate_right(TURN * (lane % TARGETS_A_WORD) as u32);
            self.words[lane].next = SignalType::unsigned(32).value(turned.into());
        }
    }

    fn connect(&mut self) {
        self.words.iter_mut().for_each(Logic::connect);
    }

    fn hdl(&self) -> Verilog {
        let mut text = format!(
            "reg [31:0] word;\ninitial word = 32'd{};\nwire [31:0] drawn0 = word;\n",
            self._seed
        );
        let n_words = self._words_a_row;
        for at in 0..n_words {
            text.push_str(&format!(
                "wire [31:0] a{at} = drawn{at} ^ {{drawn{at}[18:0], 13'h0}};\n\
                 wire [31:0] b{at} = a{at} ^ {{17'h0, a{at}[31:17]}};\n\
                 wire [31:0] drawn{} = b{at} ^ {{b{at}[26:0], 5'h0}};\n",
                at + 1
            ));
        }
        let lanes = self.words.len();
        let shares = self._rows_a_word > 1;
        if shares {
            let turn_bits = self._rows_a_word.ilog2();
            let turned = TURN * lanes as u32;
            text.push_str(&format!(
                "reg [31:0] rest;\nreg [{}:0] turn;\ninitial turn = {turn_bits}'h0;\n\
                 wire fresh = turn == {turn_bits}'h0;\n\
                 wire [31:0] own = fresh ? drawn1 : rest;\n\
                 always @(posedge clock) if (draw && fresh) word <= drawn1;\n\
                 always @(posedge clock) if (draw) rest <= {{own[{}:0], own[31:{turned}]}};\n\
                 always @(posedge clock) if (draw) turn <= last ? {turn_bits}'h0 : turn + {turn_bits}'h1;\n",
                turn_bits - 1,
                turned - 1,
            ));
        } else {
            text.push_str(&format!(
                "always @(posedge clock) if (draw) word <= last ? drawn{} : drawn{n_words};\n",
                self._words_of_last
            ));
        }
        for lane in 0..lanes {
            let word = match shares {
                true => "own".to_owned(),
                false => format!("drawn{}", lane / TARGETS_A_WORD + 1),
            };
            let turn = TURN as usize * (lane % TARGETS_A_WORD);
            let turned = match turn {
                0 => word,
                _ => format!("{{{word}[{}:0], {word}[31:{turn}]}}", turn - 1),
            };
            text.push_str(&format!("always @(*) words${lane} = {turned};\n"));
        }
        Verilog::Custom(text)
    }
}
