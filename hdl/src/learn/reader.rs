//! What a learning core remembers, byte by byte for the host.

use rust_hdl_core::prelude::*;

use crate::width::{DSignal, SignalType};

/// Bytes of a weight, tag or trace as the host reads it: its value with its sign, the lower first.
pub const LEARNED_BYTES: usize = 2;
/// Traces that a neuron has room for in the host's addresses.
pub const TRACE_PLACES: usize = 4;
/// Bits of an address within what one of the projections of a core shows; its number stands above
/// them. Weights, which are the core's, have all bits.
pub const LEARNED_ADDRESS_BITS: usize = 21;

/// Kinds of values, as the order of [`LearnReader::hit`].
const KINDS: [&str; 4] = ["weights", "tags", "pre", "post"];

/// Chooses a byte of what a learning core shows.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `hit` | in, per kind | weights, tags, sources' traces or targets' traces are wanted |
/// | `address` | in | the byte: of a row's lanes, or of a neuron's [`TRACE_PLACES`] traces, two each;
///   above `LEARNED_ADDRESS_BITS` the projection's number among those of the core that learn |
/// | `weights`, `tags`, `pre`, `post` | in, signed | the row or neuron that is shown |
/// | `row` | out | the row that the address is in |
/// | `neuron` | out | the neuron that the address is in |
/// | `read_byte` | out | the byte, or 0 |
///
/// Combinational. Resources: about half a logic cell a bit of what is shown.
#[derive(LogicBlock)]
pub struct LearnReader {
    /// What is wanted.
    pub hit: Vec<Signal<In, Bit>>,
    /// The byte.
    pub address: DSignal<In>,
    /// Weights of the row.
    pub weights: Vec<DSignal<In>>,
    /// Tags of the row.
    pub tags: Vec<DSignal<In>>,
    /// Traces of the source.
    pub pre: Vec<DSignal<In>>,
    /// Traces of the target.
    pub post: Vec<DSignal<In>>,
    /// The row.
    pub row: DSignal<Out>,
    /// The neuron.
    pub neuron: DSignal<Out>,
    /// The byte, or 0.
    pub read_byte: DSignal<Out>,
    _number: usize,
}

impl LearnReader {
    /// For the projection of this number, and values of these types; as many weights as tags, if there are tags, and a power of two.
    pub fn new(
        number: usize,
        weights: &[SignalType],
        tags: &[SignalType],
        pre: &[SignalType],
        post: &[SignalType],
    ) -> Self {
        Self {
            hit: KINDS.iter().map(|_| Signal::default()).collect(),
            address: DSignal::new(24),
            weights: DSignal::row(weights),
            tags: DSignal::row(tags),
            pre: DSignal::row(pre),
            post: DSignal::row(post),
            row: DSignal::new(24),
            neuron: DSignal::new(24),
            read_byte: DSignal::new(8),
            _number: number,
        }
    }

    /// For each kind its values and the places that an address has for them.
    fn kinds(&self) -> [(&[DSignal<In>], usize); 4] {
        let lanes = self.weights.len();
        [
            (&self.weights, lanes),
            (&self.tags, lanes),
            (&self.pre, TRACE_PLACES),
            (&self.post, TRACE_PLACES),
        ]
    }

    /// Whether it shows a kind: the first projection the weights of all.
    fn shows(&self, kind: usize, number: usize) -> bool {
        match kind {
            0 => self._number == 0,
            _ => self._number == number,
        }
    }

    /// Bits of an address within a row, and within a neuron.
    fn shifts(&self) -> [u32; 2] {
        [self.weights.len(), TRACE_PLACES].map(|n| (n * LEARNED_BYTES).ilog2())
    }
}

impl Logic for LearnReader {
    fn update(&mut self) {
        let address = self.address.val().raw();
        let [row, neuron] = self.shifts();
        let mut byte = 0;
        let number = address as usize >> LEARNED_ADDRESS_BITS;
        for (kind, (values, places)) in self.kinds().into_iter().enumerate() {
            let is_hit = self.hit[kind].val() && self.shows(kind, number);
            let value = values.get(address as usize / LEARNED_BYTES % places);
            if let (true, Some(value)) = (is_hit, value) {
                byte |= value.val().int() as u64 >> (8 * (address % 2));
            }
        }
        self.read_byte.next = SignalType::unsigned(8).value(byte);
        self.row.next = SignalType::unsigned(24).value(address >> row);
        self.neuron.next = SignalType::unsigned(24).value(address >> neuron);
    }

    fn connect(&mut self) {
        self.row.connect();
        self.neuron.connect();
        self.read_byte.connect();
    }

    fn hdl(&self) -> Verilog {
        let [row, neuron] = self.shifts();
        let mut text = String::new();
        let mut bytes = Vec::new();
        for (at, ((values, places), name)) in self.kinds().into_iter().zip(KINDS).enumerate() {
            if values.is_empty() || (at == 0 && self._number > 0) {
                continue;
            }
            let wide = |(at, value): (usize, &DSignal<In>)| {
                let width = value.width();
                let value = format!("{name}${at}");
                match (16usize.checked_sub(width), width) {
                    (None, _) => format!("{value}[15:0]"),
                    (Some(0), _) => value,
                    (Some(more), 1) => format!("{{{{{more}{{{value}}}}}, {value}}}"),
                    (Some(more), _) => {
                        format!("{{{{{more}{{{value}[{}]}}}}, {value}}}", width - 1)
                    }
                }
            };
            let values: Vec<String> = values.iter().enumerate().map(wide).collect();
            // Places without a value are 0.
            let place_bits = places.ilog2();
            let chosen = match place_bits {
                0 => values[0].clone(),
                _ => (values.iter().enumerate().rev()).fold(
                    "16'h0".to_owned(),
                    |rest, (place, value)| {
                        format!(
                            "(address[{place_bits}:1] == {place_bits}'d{place}) ? {value} : {rest}"
                        )
                    },
                ),
            };
            text.push_str(&format!("wire [15:0] word{at} = {chosen};\n"));
            let number_bits = 24 - LEARNED_ADDRESS_BITS;
            let is_own = match at {
                0 => String::new(),
                _ => format!(
                    " & (address[23:{LEARNED_ADDRESS_BITS}] == {number_bits}'d{})",
                    self._number
                ),
            };
            bytes.push(format!(
                "({{8{{hit${at}{is_own}}}}} & (address[0] ? word{at}[15:8] : word{at}[7:0]))"
            ));
        }
        text.push_str(&format!(
            "always @(*) read_byte = {};\n\
             always @(*) row = {{{row}'h0, address[23:{row}]}};\n\
             always @(*) neuron = {{{neuron}'h0, address[23:{neuron}]}};\n",
            bytes.join(" | ")
        ));
        Verilog::Custom(text)
    }
}
