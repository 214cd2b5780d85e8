//! Other contents in a netlist's text, as JSON and as Verilog.
//!
//! Both are edited line by line as Yosys writes them: reading and writing the whole would take
//! longer than everything else about new weights.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{CellKind, Contents, Image, UnitLayout};
use crate::error::Error;

/// For each cell the values of its parameters, in binary digits.
pub(super) type Parameters = BTreeMap<String, BTreeMap<String, String>>;

impl Contents {
    /// A netlist in Yosys's JSON with these images in place of others.
    ///
    /// # Errors
    /// If an image is missing or has another shape, or the text has not the cells.
    pub(crate) fn in_json(&self, text: &str, top: &str, images: &[Image]) -> Result<String, Error> {
        replaced(text, top, "netlist.json", self.parameters(images)?)
    }

    /// As [`in_json`](Self::in_json), in the Verilog that Yosys writes.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn in_verilog(&self, text: &str, images: &[Image]) -> Result<String, Error> {
        let mut wanted = self.parameters(images)?;
        let mut out = String::with_capacity(text.len());
        // Parameters come before the cell's name, so they wait for it.
        let mut waiting: Vec<&str> = Vec::new();
        for line in text.split_inclusive('\n') {
            if line.ends_with(" #(\n") || !waiting.is_empty() {
                waiting.push(line);
                if !line.starts_with("  ) ") {
                    continue;
                }
            } else {
                out.push_str(line);
                continue;
            }
            let name = line.trim().trim_start_matches(") ").trim_end_matches('(');
            let name = name.trim().trim_start_matches('\\');
            let mut cell = wanted.get_mut(name);
            for line in waiting.drain(..) {
                let parameter = line.trim_start().strip_prefix('.');
                let parameter = parameter.and_then(|rest| rest.split_once('('));
                let value = match (&mut cell, parameter) {
                    (Some(cell), Some((name, _))) => cell.remove(name).map(|value| (name, value)),
                    _ => None,
                };
                match value {
                    Some((name, value)) => {
                        let comma = if line.trim_end().ends_with(',') {
                            ","
                        } else {
                            ""
                        };
                        let digits = hexadecimal(&value);
                        let n = value.len();
                        let _ = writeln!(out, "    .{name}({n}'h{digits}){comma}");
                    }
                    None => out.push_str(line),
                }
            }
        }
        waiting.iter().for_each(|line| out.push_str(line));
        all_replaced("netlist.v", &wanted)?;
        Ok(out)
    }

    pub(super) fn parameters(&self, images: &[Image]) -> Result<Parameters, Error> {
        let mut all = BTreeMap::new();
        for (image, cell, words) in self.cells(images)? {
            let units = |layout: UnitLayout, name: &str| {
                let blocks = words.chunks(32).enumerate();
                let values = blocks.map(|(block, units)| {
                    (format!("{name}_{block:02X}"), unit_digits(layout, units))
                });
                values.collect::<BTreeMap<_, _>>()
            };
            let one = |name: &str, n: usize| {
                BTreeMap::from([(name.to_owned(), format!("{:0n$b}", words[0]))])
            };
            let values = match cell.kind {
                CellKind::Table => one("LUT_INIT", 16),
                CellKind::Ecp5Table => one("INIT", 16),
                CellKind::GowinTable => one("INIT", 1 << image.table_inputs()),
                CellKind::BlockRam { .. } => words
                    .chunks(16)
                    .enumerate()
                    .map(|(block, words)| (format!("INIT_{block:X}"), binary(words)))
                    .collect(),
                CellKind::Ecp5Ram { .. } => units(UnitLayout::ECP5, "INITVAL"),
                CellKind::GowinRam { width } => {
                    let bits = if width.is_multiple_of(9) { 9 } else { 8 };
                    units(UnitLayout::gowin(bits), "INIT_RAM")
                }
            };
            all.insert(cell.name.clone(), values);
        }
        Ok(all)
    }
}

/// A design in the JSON of Yosys or nextpnr, with these values of parameters.
pub(super) fn replaced(
    text: &str,
    top: &str,
    file: &str,
    mut wanted: Parameters,
) -> Result<String, Error> {
    let mut out = String::with_capacity(text.len());
    let header = format!("    \"{top}\": {{");
    let (mut in_top, mut cell) = (false, None);
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        // Four blanks before a module, eight before a cell, ten before what it has.
        if let Some(rest) = bare.strip_prefix("    \"") {
            if bare.ends_with(": {") && rest.contains("\": {") {
                in_top = bare == header;
            }
        } else if let Some(name) = bare
            .strip_prefix("        \"")
            .and_then(|rest| rest.strip_suffix("\": {"))
            && in_top
        {
            cell = wanted.get_mut(name);
        }
        let parameter = bare.trim_start().strip_prefix('"');
        let parameter = parameter.and_then(|rest| rest.split_once("\": \""));
        let value = match (&mut cell, parameter) {
            (Some(cell), Some((name, _))) => cell.remove(name),
            _ => None,
        };
        match (value, bare.find("\": \"")) {
            (Some(value), Some(at)) => {
                let comma = if bare.ends_with(',') { "," } else { "" };
                let _ = writeln!(out, "{}\": \"{value}\"{comma}", &bare[..at]);
            }
            _ => out.push_str(line),
        }
    }
    all_replaced(file, &wanted)?;
    Ok(out)
}

fn all_replaced(file: &str, left: &Parameters) -> Result<(), Error> {
    match left.iter().find(|(_, values)| !values.is_empty()) {
        None => Ok(()),
        Some((cell, values)) => Err(Error::malformed(
            file,
            format!(
                "the cell `{cell}` has no {}",
                values.keys().next().map_or("contents", String::as_str)
            ),
        )),
    }
}

/// Binary digits of words, the most significant one first.
fn binary(words: &[u16]) -> String {
    let words = words.iter().rev();
    words.map(|word| format!("{word:016b}")).collect()
}

/// Binary digits of a block of units.
fn unit_digits(layout: UnitLayout, units: &[u16]) -> String {
    let mut digits = vec![b'0'; layout.block_bits()];
    for (number, unit) in units.iter().enumerate() {
        for bit in (0..layout.bits).filter(|bit| unit >> bit & 1 == 1) {
            let at = layout.first_bit(number) + bit;
            digits[layout.block_bits() - 1 - at] = b'1';
        }
    }
    digits.into_iter().map(char::from).collect()
}

/// Binary digits as hexadecimal ones.
fn hexadecimal(binary: &str) -> String {
    let digit = |four: &[u8]| {
        let value = four
            .iter()
            .fold(0, |all, &b| all << 1 | u32::from(b == b'1'));
        char::from_digit(value, 16).unwrap_or('0')
    };
    // Of a table with one input there are two.
    let (first, rest) = binary.as_bytes().split_at(binary.len() % 4);
    let first = (!first.is_empty()).then(|| digit(first));
    first.into_iter().chain(rest.chunks(4).map(digit)).collect()
}
