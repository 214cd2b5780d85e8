//! Other contents in a netlist's text, as JSON and as Verilog.
//!
//! Both are edited line by line as Yosys writes them: reading and writing the whole would take
//! longer than everything else about new weights.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{CellKind, Contents, Image};
use crate::error::Error;

/// For each cell the values of its parameters, in binary digits.
type Parameters = BTreeMap<String, BTreeMap<String, String>>;

impl Contents {
    /// A netlist in Yosys's JSON with these images in place of others.
    ///
    /// # Errors
    /// If an image is missing or has another shape, or the text has not the cells.
    pub(crate) fn in_json(&self, text: &str, top: &str, images: &[Image]) -> Result<String, Error> {
        let mut wanted = self.parameters(images)?;
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
        all_replaced("netlist.json", &wanted)?;
        Ok(out)
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

    fn parameters(&self, images: &[Image]) -> Result<Parameters, Error> {
        let mut all = BTreeMap::new();
        for (cell, words) in self.cells(images)? {
            let binary = |words: &[u16]| -> String {
                words
                    .iter()
                    .rev()
                    .map(|word| format!("{word:016b}"))
                    .collect()
            };
            let values = match cell.kind {
                CellKind::Table => BTreeMap::from([("LUT_INIT".to_owned(), binary(&words))]),
                CellKind::BlockRam { .. } => words
                    .chunks(16)
                    .enumerate()
                    .map(|(block, words)| (format!("INIT_{block:X}"), binary(words)))
                    .collect(),
            };
            all.insert(cell.name.clone(), values);
        }
        Ok(all)
    }
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

/// Binary digits, a multiple of four, as hexadecimal ones.
fn hexadecimal(binary: &str) -> String {
    let digit = |four: &[u8]| {
        let value = four
            .iter()
            .fold(0, |all, &b| all << 1 | u32::from(b == b'1'));
        char::from_digit(value, 16).unwrap_or('0')
    };
    binary.as_bytes().chunks(4).map(digit).collect()
}
