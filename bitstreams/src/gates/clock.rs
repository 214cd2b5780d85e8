//! Clocks that are made: the cells that make them, and the gate behind one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::{Carry, Cone, Edge, FlipFlop, Gates, MAJORITY, Net, Reset, Signal, Table};
use crate::error::Error;
use crate::pll::{PllSetting, SETTLING};

/// A cell that makes a clock of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockGenerator {
    /// Name, for people.
    pub name: String,
    /// The clock that it is given.
    pub input: Signal,
    /// The clock that it makes.
    pub output: Net,
    /// High while the two keep step; none if nobody reads it.
    pub lock: Option<Net>,
    /// How it is set.
    pub setting: PllSetting,
}

impl Gates {
    /// The design alone, clocked by the port that a clock is made of; the same circuit if none is made.
    ///
    /// What is taken off is checked first: the design's clock must be the made one behind a gate, which
    /// is run on its own and must open 64 periods behind a lock without a break (and two for
    /// the lock's way to it), and close when that is lost. It may move while the made clock is low only,
    /// and nothing else may read it, the lock or the made clock.
    ///
    /// # Errors
    /// If it is not so, or there is more than one generator.
    pub fn without_generator(&self) -> Result<Cow<'_, Self>, Error> {
        if self.generators.is_empty() {
            return Ok(Cow::Borrowed(self));
        }
        self.without_passages().cut().map(Cow::Owned)
    }

    /// [`Gates::without_generator`], where there is one and no table is a mere wire.
    fn cut(&self) -> Result<Self, Error> {
        let wrong = |what: String| Error::BadClock { what };
        let [generator] = self.generators.as_slice() else {
            let n = self.generators.len();
            return Err(wrong(format!("{n} generators make clocks")));
        };
        let input = match generator.input {
            Signal::Net(net) if self.inputs.iter().any(|(_, bits)| bits.contains(&net)) => net,
            _ => {
                return Err(wrong(
                    "its generator is given no clock by a port".to_owned(),
                ));
            }
        };
        let made = Signal::Net(generator.output);
        let values = self.constants();
        // Tables that look at the made clock: the gate's last one alone.
        let reading = self.tables.iter().filter_map(|table| {
            let mut cone = Cone::new(&table.inputs, u32::from(table.contents));
            cone.fold(&values);
            cone.inputs.contains(&made).then_some((table.output, cone))
        });
        let reading: Vec<(Net, Cone)> = reading.collect();
        let [(clock, cone)] = reading.as_slice() else {
            return Err(wrong(format!(
                "{} tables look at the made clock, and not the gate alone",
                reading.len()
            )));
        };
        let other = |signal: &&Signal| **signal != made;
        let enable = match (
            cone.inputs.len(),
            cone.contents,
            cone.inputs.iter().find(other),
        ) {
            (2, 0b1000, Some(Signal::Net(enable))) => *enable,
            _ => return Err(wrong("its gate does more than let it through".to_owned())),
        };
        let is_of_gate = |edge: Edge| edge.clock == made;
        let of_gate: Vec<&FlipFlop> = self
            .flip_flops
            .iter()
            .filter(|ff| is_of_gate(ff.edge))
            .collect();
        if let Some(ff) = of_gate.iter().find(|ff| !ff.edge.falling) {
            let name = self.name(ff.output);
            return Err(wrong(format!(
                "`{name}` moves while the made clock is high"
            )));
        }
        Gate::new(self, generator.lock, &of_gate).run(enable)?;

        let mut design = self.clone();
        design.generators.clear();
        design.flip_flops.retain(|ff| !is_of_gate(ff.edge));
        design.tables.retain(|table| table.output != *clock);
        design.for_each_input(|signal| {
            if *signal == Signal::Net(*clock) {
                *signal = Signal::Net(input);
            }
        });
        design.keep_what_is_read();
        let mut gone: BTreeSet<Net> = of_gate.iter().map(|ff| ff.output).collect();
        gone.insert(generator.output);
        gone.extend(generator.lock);
        let mut read = None;
        design.for_each_input(|signal| {
            if let Signal::Net(net) = signal
                && gone.contains(net)
            {
                read = read.or(Some(*net));
            }
        });
        match read {
            None => design.settle(),
            Some(net) => Err(wrong(format!(
                "the design looks at `{}`, which is part of the gate",
                self.name(net)
            ))),
        }
    }

    /// The same circuit, in which nothing reads a table that only hands on what it reads: place and
    /// route adds such tables behind a generator.
    fn without_passages(&self) -> Self {
        let mut handed: BTreeMap<Net, Signal> = BTreeMap::new();
        for table in &self.tables {
            let mut cone = Cone::new(&table.inputs, u32::from(table.contents));
            cone.fold(&[]);
            if let ([input], 0b10) = (cone.inputs.as_slice(), cone.contents) {
                handed.insert(table.output, *input);
            }
        }
        let mut gates = self.clone();
        gates.for_each_input(|signal| {
            // No further than there are tables: they might hand on in a circle.
            for _ in 0..handed.len() {
                match *signal {
                    Signal::Net(net) if handed.contains_key(&net) => *signal = handed[&net],
                    _ => break,
                }
            }
        });
        gates
            .tables
            .retain(|table| !handed.contains_key(&table.output));
        gates
    }

    /// Takes out tables and carries that no output, register or memory depends on.
    fn keep_what_is_read(&mut self) {
        let mut inputs: BTreeMap<Net, Vec<Signal>> = BTreeMap::new();
        for table in &self.tables {
            let mut cone = Cone::new(&table.inputs, u32::from(table.contents));
            cone.fold(&[]);
            inputs.insert(table.output, cone.inputs);
        }
        for carry in &self.carries {
            inputs.insert(carry.output, carry.inputs.to_vec());
        }
        let (tables, carries) = (
            std::mem::take(&mut self.tables),
            std::mem::take(&mut self.carries),
        );
        // What reads without being a table or a carry.
        let mut waiting = Vec::new();
        self.for_each_input(|signal| waiting.push(*signal));
        let mut read = BTreeSet::new();
        while let Some(signal) = waiting.pop() {
            if let Signal::Net(net) = signal
                && read.insert(net)
                && let Some(inputs) = inputs.get(&net)
            {
                waiting.extend(inputs);
            }
        }
        let is_read = |net: &Net| read.contains(net);
        self.tables = tables.into_iter().filter(|t| is_read(&t.output)).collect();
        self.carries = carries.into_iter().filter(|c| is_read(&c.output)).collect();
    }
}

/// The circuit that opens the way of a made clock.
struct Gate<'g> {
    flip_flops: &'g [&'g FlipFlop],
    tables: BTreeMap<Net, &'g Table>,
    carries: BTreeMap<Net, &'g Carry>,
    lock: Option<Net>,
    /// What the flip-flops hold.
    state: BTreeMap<Net, bool>,
}

/// How deep tables and carries of a gate may be behind each other: its counter has fewer bits.
const DEPTH: usize = 64;

impl<'g> Gate<'g> {
    fn new(gates: &'g Gates, lock: Option<Net>, flip_flops: &'g [&'g FlipFlop]) -> Self {
        let state = flip_flops.iter().map(|ff| (ff.output, ff.initial));
        Self {
            flip_flops,
            tables: gates.tables.iter().map(|t| (t.output, t)).collect(),
            carries: gates.carries.iter().map(|c| (c.output, c)).collect(),
            lock,
            state: state.collect(),
        }
    }

    /// Runs it, and compares `enable` with what it has to be: high where the lock was in a row of
    /// samples that ends two edges ago.
    fn run(&mut self, enable: Net) -> Result<(), Error> {
        let settling = SETTLING as usize;
        // Never locked; just not long enough; long enough; lost for one edge; again.
        let script = [
            (false, 3 * settling),
            (true, settling - 1),
            (false, 1),
            (true, settling),
            (false, 5),
            (true, 3 * settling),
            (false, 1),
            (true, 2 * settling),
            (false, settling),
        ];
        let samples: Vec<bool> = script
            .iter()
            .flat_map(|(lock, edges)| std::iter::repeat_n(*lock, *edges))
            .collect();
        for edge in 0..samples.len() {
            self.step(samples[edge])?;
            let first = (edge + 1).checked_sub(settling + 2);
            let is_open = first.is_some_and(|first| samples[first..=edge - 2].iter().all(|l| *l));
            if self.state.get(&enable) != Some(&is_open) {
                return Err(Error::BadClock {
                    what: format!(
                        "its gate is {} {} edges after power-up",
                        if is_open { "not open" } else { "open" },
                        edge + 1
                    ),
                });
            }
        }
        Ok(())
    }

    /// An edge of the made clock.
    fn step(&mut self, lock: bool) -> Result<(), Error> {
        let mut next = BTreeMap::new();
        for ff in self.flip_flops {
            let enabled = self.value(ff.enable, lock, 0)?;
            let value = match ff.reset {
                Some(Reset {
                    asynchronous: true, ..
                }) => {
                    return Err(Error::BadClock {
                        what: "its gate has a reset that waits for no edge".to_owned(),
                    });
                }
                Some(reset)
                    if (enabled || reset.over_enable) && self.value(reset.signal, lock, 0)? =>
                {
                    reset.value
                }
                _ if enabled => self.value(ff.data, lock, 0)?,
                _ => self.state[&ff.output],
            };
            next.insert(ff.output, value);
        }
        self.state = next;
        Ok(())
    }

    fn value(&self, signal: Signal, lock: bool, depth: usize) -> Result<bool, Error> {
        let net = match signal {
            Signal::Low => return Ok(false),
            Signal::High => return Ok(true),
            Signal::Net(net) => net,
        };
        if let Some(value) = self.state.get(&net) {
            return Ok(*value);
        }
        if self.lock == Some(net) {
            return Ok(lock);
        }
        let cone = match (self.tables.get(&net), self.carries.get(&net)) {
            (Some(table), _) => Cone::new(&table.inputs, u32::from(table.contents)),
            (_, Some(carry)) => Cone::new(&carry.inputs, MAJORITY),
            _ => {
                return Err(Error::BadClock {
                    what: "its gate depends on more than the lock".to_owned(),
                });
            }
        };
        if depth == DEPTH {
            return Err(Error::BadClock {
                what: "its gate is deeper than any counter".to_owned(),
            });
        }
        let mut cone = cone;
        cone.fold(&[]);
        let mut index = 0;
        for (position, input) in cone.inputs.iter().enumerate() {
            index |= u32::from(self.value(*input, lock, depth + 1)?) << position;
        }
        Ok(cone.contents >> index & 1 == 1)
    }
}
