//! The cells of slices: a slice has two tables, two flip-flops, and either two multiplexers, half an
//! adder, or a share of a small RAM.

use std::collections::BTreeSet;

use super::Decoder;
use super::configuration::Place;
use super::routes::{Origin, Output, letter};
use crate::error::Error;
use crate::gates::{Cone, Edge, FlipFlop, HalfAdder, LutRam, Net, Reset, Signal, Table};

/// The kind of the tiles that hold slices.
pub(super) const LOGIC: &str = "PLC2";

/// The slice of a tile with a small RAM that takes what is written, in place of tables.
const WRITE_SLICE: usize = 2;

impl Decoder<'_> {
    /// Whether a setting says something of a slice that other settings or connections say too, or
    /// that nothing can notice.
    pub(super) fn repeats(&self, place: Place, name: &str) -> bool {
        let Some((slice, rest)) = name.split_once('.') else {
            return false;
        };
        let slice = slice.strip_prefix("SLICE").and_then(|s| "ABCD".find(s));
        match (slice, rest) {
            // No cell resets a whole device.
            (Some(_), "GSR") => true,
            // The bits of the multiplexers' choice.
            (Some(slice), "CCU2.INJECT1_0" | "CCU2.INJECT1_1") => {
                !self.routes.carries(place, slice)
            }
            // The bit that inverts the second reset.
            (Some(0), "WREMUX") => self.mode(place, 0) == "LOGIC" || self.mode(place, 0) == "CCU2",
            _ => false,
        }
    }

    fn slice_setting(&self, place: Place, slice: usize, name: &str) -> Option<&str> {
        let name = format!("SLICE{}.{name}", letter(slice));
        self.configuration.setting(place, LOGIC, &name)
    }

    fn mode(&self, place: Place, slice: usize) -> &str {
        self.slice_setting(place, slice, "MODE").unwrap_or("LOGIC")
    }

    /// Adds what a table's output comes from.
    pub(super) fn table(&mut self, place: Place, index: usize, output: Net) -> Result<(), Error> {
        let slice = index / 2;
        match self.mode(place, slice) {
            "LOGIC" => {
                let table = Table {
                    inputs: self.table_inputs(place, index)?,
                    contents: self.table_contents(place, index)?,
                    output,
                };
                self.gates.tables.push(table);
                self.tables += 1;
                Ok(())
            }
            "CCU2" => self.adder(place, slice),
            "DPRAM" => self.lut_ram(place),
            mode => Err(unsupported(place, slice, format!("the mode `{mode}`"))),
        }
    }

    fn table_inputs(&mut self, place: Place, index: usize) -> Result<[Signal; 4], Error> {
        let mut inputs = [Signal::High; 4];
        for (input, pin) in inputs.iter_mut().zip(["A", "B", "C", "D"]) {
            *input = self.slice_input(place, index, pin)?;
        }
        Ok(inputs)
    }

    /// An input of one of a slice's halves, which may be cut off.
    fn slice_input(&mut self, place: Place, index: usize, pin: &str) -> Result<Signal, Error> {
        let (slice, half) = (index / 2, index % 2);
        match self.slice_setting(place, slice, &format!("{pin}{half}MUX")) {
            None => self.signal(place, &format!("{pin}{index}_SLICE"), Signal::High),
            Some("1") => Ok(Signal::High),
            Some(other) => {
                let what = format!("`{pin}{half}MUX` of `{other}`");
                Err(unsupported(place, slice, what))
            }
        }
    }

    fn table_contents(&self, place: Place, index: usize) -> Result<u16, Error> {
        let name = format!("K{}.INIT", index % 2);
        match self.slice_setting(place, index / 2, &name) {
            None => Ok(u16::MAX),
            Some(bits) => u16::from_str_radix(bits, 2).map_err(|_| {
                let what = format!("`{name}` of `{bits}`");
                unsupported(place, index / 2, what)
            }),
        }
    }

    /// Adds the multiplexer of a slice's two tables.
    pub(super) fn of_tables(&mut self, place: Place, slice: usize, net: Net) -> Result<(), Error> {
        if self.mode(place, slice) != "LOGIC" {
            let what = "a multiplexer in a slice that has none".to_owned();
            return Err(unsupported(place, slice, what));
        }
        let low = self.net(place, Output::Table(2 * slice));
        let high = self.net(place, Output::Table(2 * slice + 1));
        let choice = self.slice_input(place, 2 * slice, "M")?;
        let inputs = [Signal::Net(low), Signal::Net(high), choice];
        self.gates.tables.push(Table::of(&inputs, CHOICE, net));
        Ok(())
    }

    /// Adds the multiplexer of two multiplexers, of whichever slices.
    pub(super) fn of_multiplexers(
        &mut self,
        place: Place,
        slice: usize,
        net: Net,
    ) -> Result<(), Error> {
        let mut inputs = [Signal::Low; 3];
        for (input, pin) in inputs.iter_mut().zip(["A", "B"]) {
            let wire = format!("FX{pin}{}_SLICE", letter(slice));
            *input = self.signal(place, &wire, Signal::High)?;
        }
        inputs[2] = self.slice_input(place, 2 * slice + 1, "M")?;
        self.gates.tables.push(Table::of(&inputs, CHOICE, net));
        Ok(())
    }

    /// Adds what nothing reads: the ends of carries, and constants that no cell needs in the end.
    pub(super) fn unread_slices(&mut self) -> Result<(), Error> {
        let mut tables = BTreeSet::new();
        let configuration = self.configuration;
        for ((place, kind), name, _) in configuration.settings() {
            if kind == LOGIC {
                tables.extend(table_of(name).map(|index| (*place, index)));
            }
        }
        for (place, index) in tables {
            match self.mode(place, index / 2) {
                "LOGIC" => drop(self.net(place, Output::Table(index))),
                "CCU2" => self.adder(place, index / 2)?,
                "DPRAM" => self.lut_ram(place)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds both halves of a slice that adds.
    pub(super) fn adder(&mut self, place: Place, slice: usize) -> Result<(), Error> {
        if !self.routes.carries(place, slice) {
            return Err(unsupported(place, slice, "a carry of no adder".to_owned()));
        }
        if !self.built.insert((place, Output::Carry(slice))) {
            return Ok(());
        }
        let below = match slice {
            0 => "FCI_SLICE".to_owned(),
            _ => format!("FCI{}_SLICE", letter(slice)),
        };
        // A slice is connected to the one before it whether that adds or not.
        let mut carry = match self.routes.origin(place, &below)? {
            Origin::Cell(from, Output::Carry(before)) if self.routes.carries(from, before) => {
                Some(Signal::Net(self.net(from, Output::Carry(before))))
            }
            _ => None,
        };
        for half in 0..2 {
            let index = 2 * slice + half;
            let inject = format!("CCU2.INJECT1_{half}");
            let cut = self.slice_setting(place, slice, &inject) != Some("NO");
            let adder = HalfAdder {
                inputs: self.table_inputs(place, index)?,
                contents: self.table_contents(place, index)?,
                cut,
                carry: carry.unwrap_or(Signal::Low),
            };
            if carry.is_none() && !cut {
                if !makes_its_own(&adder) {
                    let what = "a carry that comes from no adder".to_owned();
                    return Err(unsupported(place, slice, what));
                }
                self.unknown.push((place, Output::Table(index)));
            }
            let name = format!("{} {}", described(place, slice), half);
            let sum = self.claim(place, Output::Table(index));
            let out = match half {
                0 => self.gates.fresh(format!("{name} carry")),
                _ => self.claim(place, Output::Carry(slice)),
            };
            self.gates.half_adder(&name, &adder, Some(sum), Some(out));
            carry = Some(Signal::Net(out));
        }
        self.tables += 2;
        Ok(())
    }

    /// Adds a flip-flop.
    pub(super) fn register(&mut self, place: Place, index: usize, net: Net) -> Result<(), Error> {
        let (slice, half) = (index / 2, index % 2);
        let own = |name: &str| self.slice_setting(place, slice, &format!("REG{half}.{name}"));
        let shared = |name: &str| self.configuration.setting(place, LOGIC, name);
        if let Some(mode) = own("LSRMODE") {
            let what = format!("`LSRMODE` of `{mode}`");
            return Err(unsupported(place, slice, what));
        }
        let set = own("REGSET") != Some("RESET");
        let direct = own("SD") == Some("0");
        let enable = self.slice_setting(place, slice, "CEMUX").map(str::to_owned);
        let chosen = |multiplexer: &str| {
            let chosen = self.routes.chosen(place, &format!("{multiplexer}{slice}"));
            chosen.map(str::to_owned)
        };
        let (clock, reset) = (chosen("MUXCLK"), chosen("MUXLSR"));
        let Some(clock) = clock else {
            let what = "a flip-flop without a clock".to_owned();
            return Err(unsupported(place, slice, what));
        };
        let falling = shared(&format!("{clock}.CLKMUX")) == Some("INV");
        let reset = reset.map(|wire| {
            let inverted = shared(&format!("{wire}.LSRMUX")) == Some("INV");
            let asynchronous = shared(&format!("{wire}.SRMODE")) == Some("ASYNC");
            (wire, inverted, asynchronous)
        });
        let data = match direct {
            true => self.slice_input(place, index, "M")?,
            false => self.signal(place, &format!("DI{index}_SLICE"), Signal::High)?,
        };
        let enable = match enable.as_deref() {
            Some("1") => Signal::High,
            Some("0") => Signal::Low,
            inverted => {
                let signal = self.signal(place, &format!("CE{slice}_SLICE"), Signal::High)?;
                match inverted {
                    None => signal,
                    Some(_) => self.gates.inverted(signal),
                }
            }
        };
        let reset = match reset {
            None => None,
            Some((wire, inverted, asynchronous)) => {
                let mut signal = self.signal(place, &wire, Signal::High)?;
                if inverted {
                    signal = self.gates.inverted(signal);
                }
                (signal != Signal::Low).then_some(Reset {
                    signal,
                    value: set,
                    asynchronous,
                    over_enable: true,
                })
            }
        };
        let clock = self.signal(place, &clock, Signal::High)?;
        self.gates.flip_flops.push(FlipFlop {
            edge: Edge { clock, falling },
            enable,
            reset,
            initial: set,
            data,
            output: net,
        });
        Ok(())
    }

    /// Adds the small RAM of a tile: the tables of slices A and B hold it, the inputs of slice C are
    /// its write port.
    fn lut_ram(&mut self, place: Place) -> Result<(), Error> {
        if !self.built.insert((place, Output::Table(0))) {
            return Ok(());
        }
        let unsupported = |what: &str| unsupported(place, 0, what.to_owned());
        if self.mode(place, 1) != "DPRAM" || self.mode(place, WRITE_SLICE) != "RAMW" {
            return Err(unsupported("half a small RAM"));
        }
        for name in ["K0.INIT", "K1.INIT"] {
            // The tables of the write port are no tables.
            self.slice_setting(place, WRITE_SLICE, name);
        }
        let mut contents = [0; 16];
        let mut read_address = None;
        for index in 0..4 {
            let bits = self.table_contents(place, index)?;
            for (row, word) in contents.iter_mut().enumerate() {
                *word |= u8::from(bits >> row & 1 == 1) << index;
            }
            let address = self.table_inputs(place, index)?;
            match read_address {
                None => read_address = Some(address),
                Some(other) if other == address => {}
                Some(_) => return Err(unsupported("a small RAM with several addresses")),
            }
        }
        let first = 2 * WRITE_SLICE;
        let write_address = self.table_inputs(place, first)?;
        let mut data_in = [Signal::High; 4];
        for (data, pin) in data_in.iter_mut().zip(["C", "A", "D", "B"]) {
            *data = self.slice_input(place, first + 1, pin)?;
        }
        let enable = self.slice_setting(place, 0, "WREMUX").map(str::to_owned);
        // The same bit as `WREMUX`'s.
        self.configuration.setting(place, LOGIC, "LSR1.LSRMUX");
        let write = match enable.as_deref() {
            Some("1") => Signal::High,
            Some("0") => Signal::Low,
            inverted => {
                let signal = self.signal(place, "LSR1", Signal::High)?;
                match inverted {
                    None => signal,
                    Some(_) => self.gates.inverted(signal),
                }
            }
        };
        let falling = self.configuration.setting(place, LOGIC, "CLK1.CLKMUX") == Some("INV");
        let clock = self.signal(place, "CLK1", Signal::High)?;
        let data_out = (0..4).map(|index| Some(self.claim(place, Output::Table(index))));
        let data_out = data_out.collect();
        self.gates.lut_rams.push(LutRam {
            name: format!("small RAM {},{}", place.0, place.1),
            contents,
            edge: Edge { clock, falling },
            write,
            write_address,
            read_address: read_address.unwrap_or([Signal::High; 4]),
            data_in,
            data_out,
        });
        self.tables += 6;
        Ok(())
    }
}

/// Which of a tile's tables a setting belongs to: `SLICEB.K0.INIT` or `SLICEB.A0MUX` to the third.
fn table_of(name: &str) -> Option<usize> {
    let (slice, rest) = name.strip_prefix("SLICE")?.split_once('.')?;
    let slice = "ABCD".find(slice)?;
    let half = match rest.strip_suffix("MUX") {
        Some(pin) => pin.strip_prefix(['A', 'B', 'C', 'D'])?,
        None => rest.strip_suffix(".INIT")?.strip_prefix('K')?,
    };
    match half {
        "0" => Some(2 * slice),
        "1" => Some(2 * slice + 1),
        _ => None,
    }
}

/// The second input where the third is 1, else the first.
const CHOICE: u16 = 0b1100_1010;

/// Whether the carry out of half an adder does not depend on the carry in.
fn makes_its_own(adder: &HalfAdder) -> bool {
    let mut table = Cone::new(&adder.inputs, u32::from(adder.contents));
    table.fold(&[]);
    table.inputs.is_empty() && table.contents & 1 == 0
}

fn described(place: Place, slice: usize) -> String {
    format!("slice {} of {},{}", letter(slice), place.0, place.1)
}

fn unsupported(place: Place, slice: usize, what: String) -> Error {
    Error::UnsupportedCell {
        place: format!(
            "the slice {} of row {} and column {}",
            letter(slice),
            place.0,
            place.1
        ),
        what,
    }
}
