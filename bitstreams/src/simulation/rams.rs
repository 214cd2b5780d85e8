//! The fast form of ECP5's and Gowin's RAMs.
//!
//! A block RAM is an array of its units. All ports read before any writes; what a port reads while
//! another one writes the same units is inverted, since the devices do not define it.

use super::{Fast, clocked, concatenation, line};
use crate::gates::{LutRam, Ram, RamPort, Signal, WhileWriting};

/// Address bits below the unit's number.
const UNIT: usize = 3;

impl Fast<'_> {
    pub(super) fn declare_rams(&self, text: &mut String) {
        for (index, ram) in self.gates.rams.iter().enumerate() {
            declare(text, index, ram);
        }
        for (index, ram) in self.gates.lut_rams.iter().enumerate() {
            line(text, format_args!("reg [3:0] l{index} [0:15];"));
            let rows = ram.contents.iter().enumerate();
            let rows: Vec<String> = rows
                .map(|(row, word)| format!("l{index}[{row}] = 4'h{word:x};"))
                .collect();
            line(text, format_args!("initial begin {} end", rows.join(" ")));
        }
    }

    pub(super) fn write_rams(&self, text: &mut String) {
        for (index, ram) in self.gates.rams.iter().enumerate() {
            for port in 0..ram.ports.len() {
                self.write_read(text, index, ram, port);
            }
            for port in 0..ram.ports.len() {
                self.write_write(text, index, ram, port);
            }
        }
        for (index, ram) in self.gates.lut_rams.iter().enumerate() {
            self.write_lut_ram(text, index, ram);
        }
    }

    fn write_lut_ram(&self, text: &mut String, index: usize, ram: &LutRam) {
        if !clocked(ram.edge) || ram.write == Signal::Low {
            return;
        }
        let names = |signals: &[Signal]| concatenation(signals.iter().map(|s| self.before(*s)));
        line(
            text,
            format_args!(
                "if ({}) l{index}[{}] = {};",
                self.before(ram.write),
                names(&ram.write_address),
                names(&ram.data_in)
            ),
        );
    }

    /// Whether a port does anything in this cycle.
    fn enabled(&self, port: &RamPort) -> String {
        let waits = port.enable.iter().filter(|s| **s != Signal::High);
        let waits: Vec<String> = waits.map(|s| self.before(*s)).collect();
        match waits.is_empty() {
            true => "1'b1".to_owned(),
            false => waits.join(" & "),
        }
    }

    /// The number of a word's unit `which`.
    fn unit(&self, ram: &Ram, port: &RamPort, which: usize) -> String {
        let skipped = units(ram, port).max(1).trailing_zeros() as usize;
        let own = (0..skipped).map(|bit| format!("1'b{}", which >> bit & 1));
        let rest = port.address[UNIT + skipped..].iter();
        let bits: Vec<String> = own.chain(rest.map(|s| self.before(*s))).collect();
        concatenation(bits.into_iter())
    }

    /// The bits of the address that choose one in a unit.
    fn within(&self, port: &RamPort) -> String {
        let skipped = port.width.trailing_zeros() as usize;
        let own = std::iter::repeat_n("1'b0".to_owned(), skipped);
        let rest = port.address[skipped..UNIT].iter();
        let bits: Vec<String> = own.chain(rest.map(|s| self.before(*s))).collect();
        concatenation(bits.into_iter())
    }

    /// The word at a port's address.
    fn word(&self, index: usize, ram: &Ram, port: &RamPort) -> String {
        match units(ram, port) {
            0 => format!(
                "r{index}[{}][{} +: {}]",
                self.unit(ram, port, 0),
                self.within(port),
                port.width
            ),
            units => concatenation(
                (0..units).map(|which| format!("r{index}[{}]", self.unit(ram, port, which))),
            ),
        }
    }

    fn write_read(&self, text: &mut String, index: usize, ram: &Ram, which: usize) {
        let port = &ram.ports[which];
        if port.data_out.iter().all(Option::is_none) || !clocked(port.edge) {
            return;
        }
        let out = format!("r{index}p{which}_out");
        let reads = match (port.write, port.while_writing) {
            (Signal::Low, _) | (_, WhileWriting::Old) => self.enabled(port),
            (write, _) => format!("({}) & ~{}", self.enabled(port), self.before(write)),
        };
        line(
            text,
            format_args!(
                "if ({reads}) begin {out} = {};",
                self.word(index, ram, port)
            ),
        );
        for (other, writer) in ram.ports.iter().enumerate() {
            if other == which || writer.write == Signal::Low || !clocked(writer.edge) {
                continue;
            }
            // The wider of the two words is what they may have in common.
            let (own, theirs) = (units(ram, port), units(ram, writer));
            let skipped = own.max(theirs).max(1).trailing_zeros() as usize;
            let high = |port: &RamPort| {
                let bits = port.address[UNIT + skipped..].iter();
                concatenation(bits.map(|s| self.before(*s)))
            };
            let meet = format!(
                "({}) & {} & ({} == {})",
                self.enabled(writer),
                self.before(writer.write),
                high(port),
                high(writer)
            );
            let writes = writer.unit_write.iter().map(|s| self.before(*s));
            if own == theirs && own == writer.unit_write.len() {
                for (unit, write) in writes.enumerate() {
                    let bits = usize::from(ram.unit_bits);
                    let part = format!("{out}[{} +: {bits}]", unit * bits);
                    line(
                        text,
                        format_args!("if ({meet} & {write}) {part} = ~{part};"),
                    );
                }
            } else {
                let any: Vec<String> = writes.collect();
                let any = match any.is_empty() {
                    true => "1'b1".to_owned(),
                    false => any.join(" | "),
                };
                line(text, format_args!("if ({meet} & ({any})) {out} = ~{out};"));
            }
        }
        text.push_str("end\n");
        if port.reset != Signal::Low {
            line(
                text,
                format_args!("if ({}) {out} = 0;", self.before(port.reset)),
            );
        }
    }

    fn write_write(&self, text: &mut String, index: usize, ram: &Ram, which: usize) {
        let port = &ram.ports[which];
        if port.write == Signal::Low || port.data_in.is_empty() || !clocked(port.edge) {
            return;
        }
        let enabled = self.enabled(port);
        line(
            text,
            format_args!("if (({enabled}) & {}) begin", self.before(port.write)),
        );
        let data: Vec<String> = port.data_in.iter().map(|s| self.before(*s)).collect();
        let n_units = units(ram, port);
        if n_units == 0 {
            let place = self.word(index, ram, port);
            let data = concatenation(data.into_iter());
            line(text, format_args!("{place} = {data};"));
        } else {
            for (unit, data) in data.chunks(usize::from(ram.unit_bits)).enumerate() {
                let when = match port.unit_write.get(unit) {
                    Some(Signal::Low) => continue,
                    Some(Signal::High) | None => String::new(),
                    Some(write) => format!("if ({}) ", self.before(*write)),
                };
                let place = format!("r{index}[{}]", self.unit(ram, port, unit));
                let data = concatenation(data.iter().cloned());
                line(text, format_args!("{when}{place} = {data};"));
            }
        }
        let reads = port.data_out.iter().any(Option::is_some);
        if reads && port.while_writing == WhileWriting::New {
            let word = self.word(index, ram, port);
            line(text, format_args!("r{index}p{which}_out = {word};"));
        }
        text.push_str("end\n");
    }
}

/// Units of a word; 0 if it is a part of one.
fn units(ram: &Ram, port: &RamPort) -> usize {
    usize::from(port.width / ram.unit_bits)
}

fn declare(text: &mut String, index: usize, ram: &Ram) {
    let bits = usize::from(ram.unit_bits);
    let last = ram.contents.len().saturating_sub(1);
    line(
        text,
        format_args!("reg [{}:0] r{index} [0:{last}];", bits - 1),
    );
    for (which, port) in ram.ports.iter().enumerate() {
        if port.data_out.iter().any(Option::is_some) {
            line(
                text,
                format_args!("reg [{}:0] r{index}p{which}_out;", port.width - 1),
            );
        }
    }
    let mut value = format!("{bits}'h0");
    if ram.contents.iter().any(|unit| *unit != 0) {
        let units = ram.contents.iter().rev();
        let all: String = units.map(|unit| format!("{unit:0bits$b}")).collect();
        line(
            text,
            format_args!(
                "localparam [{}:0] r{index}_contents = {}'b{all};",
                all.len() - 1,
                all.len()
            ),
        );
        value = format!("r{index}_contents[{bits} * i +: {bits}]");
    }
    line(
        text,
        format_args!(
            "initial begin : r{index}_start\ninteger i;\nfor (i = 0; i <= {last}; i = i + 1) r{index}[i] = {value};\nend"
        ),
    );
}
