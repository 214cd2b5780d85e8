//! Numbers cut out of words.

use rust_hdl_core::prelude::*;

use crate::width::{DSignal, SignalType};

/// Where a number stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// In which word.
    pub word: usize,
    /// Its lowest bit.
    pub low: usize,
    /// Its width.
    pub width: usize,
    /// Whether its highest bit is a sign.
    pub is_signed: bool,
    /// Width of the number that goes out, sign included; not less than the value needs.
    pub width_out: usize,
}

/// Cuts numbers out of words, in an order of their own.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `words` | in, unsigned | fields side by side |
/// | `numbers` | out, signed | one for each [`Field`] |
///
/// Combinational. Resources: wires only.
#[derive(LogicBlock)]
pub struct Fields {
    /// Fields side by side.
    pub words: Vec<DSignal<In>>,
    /// The numbers.
    pub numbers: Vec<DSignal<Out>>,
    _fields: Vec<Field>,
}

impl Fields {
    /// Numbers of words of the given widths.
    ///
    /// # Panics
    /// If a field is not in its word.
    pub fn new(widths: &[usize], fields: &[Field]) -> Self {
        for field in fields {
            assert!(field.low + field.width <= widths[field.word], "{field:?}");
        }
        let types = |widths: &[usize]| -> Vec<_> {
            widths.iter().map(|&w| SignalType::unsigned(w)).collect()
        };
        let numbers = fields.iter().map(|f| SignalType::signed(f.width_out));
        Self {
            words: DSignal::row(&types(widths)),
            numbers: DSignal::row(&numbers.collect::<Vec<_>>()),
            _fields: fields.to_vec(),
        }
    }
}

impl Logic for Fields {
    fn update(&mut self) {
        for (number, field) in self.numbers.iter_mut().zip(&self._fields) {
            let word = self.words[field.word].val().raw() >> field.low;
            let free = 64 - field.width;
            let value = match field.is_signed {
                true => ((word << free) as i64 >> free) as u64,
                false => word << free >> free,
            };
            number.next = number.signal_type().value(value);
        }
    }

    fn connect(&mut self) {
        self.numbers.iter_mut().for_each(Logic::connect);
    }

    fn hdl(&self) -> Verilog {
        let mut text = String::new();
        for (at, field) in self._fields.iter().enumerate() {
            let Field {
                word,
                low,
                width,
                is_signed,
                width_out,
            } = *field;
            let bits = |from: usize, to: usize| match self.words[word].width() {
                // A word of one bit is a scalar, which Verilog does not let one index.
                1 => format!("words${word}"),
                _ => format!("words${word}[{to}:{from}]"),
            };
            let high = low + width - 1;
            let value = match width_out.checked_sub(width) {
                None => bits(low, low + width_out - 1),
                Some(0) => bits(low, high),
                Some(more) if is_signed => {
                    format!(
                        "{{{{{more}{{{}}}}}, {}}}",
                        bits(high, high),
                        bits(low, high)
                    )
                }
                Some(more) => format!("{{{more}'h0, {}}}", bits(low, high)),
            };
            text.push_str(&format!("always @(*) numbers${at} = {value};\n"));
        }
        Verilog::Custom(text)
    }
}
