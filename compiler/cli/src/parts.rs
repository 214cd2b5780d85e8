//! Parts of a design in the network's own terms: whose weights, sums or states a cell belongs to.
//!
//! Every cell and wire that the tools name begins with the path of the block it came from, since
//! names are kept when the hierarchy is dissolved; what synthesis adds is named after the wire that it
//! drives.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use spikeloom_bitstreams::{PathSegment, Placement};
use spikeloom_ir::{Mapped, PopulationId, Quantized};

/// A part of a design.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Part {
    /// The population, or those that share the core; `None` for what serves all.
    pub population: Option<String>,
    /// What it is: a memory, or `program`, `queues`, `host link` and the like.
    pub what: String,
}

/// What a part takes of the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The part.
    #[serde(flatten)]
    pub part: Part,
    /// Logic cells.
    pub logic_cells: u64,
    /// Block RAMs.
    pub block_rams: u64,
    /// Single-port RAMs.
    pub single_port_rams: u64,
}

/// A piece of a signal's way inside one part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PathPiece {
    /// The part.
    #[serde(flatten)]
    pub part: Part,
    /// Time in logic.
    pub logic_ns: f64,
    /// Time on wires, those that end here among them.
    pub routing_ns: f64,
}

/// Finds the part of a cell.
#[derive(Debug, Clone)]
pub struct Parts {
    /// For each core the names of its populations.
    cores: Vec<String>,
    /// For each queue the name of its population.
    ports: Vec<String>,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.population {
            Some(population) => write!(f, "{population}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl Parts {
    /// Of a placed network.
    pub fn new(network: &Quantized, mapped: &Mapped) -> Self {
        let name = |id: PopulationId| network.populations[id.0].name.clone();
        let circuits = mapped.circuits();
        let names = circuits.iter().map(|cores| {
            let names: Vec<String> = cores.iter().map(|core| name(core.population)).collect();
            names.join("+")
        });
        let ports = mapped.cores.iter();
        Self {
            cores: names.collect(),
            ports: ports
                .flat_map(|core| core.ports.iter().map(move |_| name(core.population)))
                .collect(),
        }
    }

    /// The part of a cell by its name in the netlist.
    pub fn of(&self, cell: &str) -> Part {
        let shared = |what: &str| Part {
            population: None,
            what: what.to_owned(),
        };
        // The design is inside what makes its clock, if it is not the board's.
        let cell = cell.strip_prefix("top.").unwrap_or(cell);
        let Some(inside) = cell.strip_prefix("device.") else {
            let is_clock = ["pll", "made", "lock", "settled", "gated", "run"]
                .iter()
                .any(|p| cell.starts_with(p));
            if is_clock {
                return shared("clock");
            }
            let is_ours = ["receiver", "transmitter", "uart"]
                .iter()
                .any(|p| cell.starts_with(p));
            let is_loader = ["loader", "flash"].iter().any(|p| cell.starts_with(p));
            return shared(if is_ours {
                "host link"
            } else if is_loader {
                "flash loader"
            } else {
                "added by the tools"
            });
        };
        let own = |population: Option<&String>, what: &str| Part {
            population: population.cloned(),
            what: what.to_owned(),
        };
        let (block, rest) = inside.split_once('.').unwrap_or((inside, ""));
        let number = |prefix: &str| -> Option<usize> {
            let digits = block.strip_prefix(prefix)?;
            let end = digits.find(|c: char| !c.is_ascii_digit());
            digits[..end.unwrap_or(digits.len())].parse().ok()
        };
        if let Some(stage) = number("stages$") {
            let what = match rest.strip_prefix("core.") {
                None => "host access",
                Some(inner) => in_core(inner),
            };
            return own(self.cores.get(stage), what);
        }
        if let Some(port) = number("ports$") {
            return own(self.ports.get(port), "queues");
        }
        let known = [
            ("link", "host link"),
            ("control", "registers"),
            ("encoder", "encoder"),
            ("series", "encoder"),
            ("score", "decoder"),
            ("merges", "queues"),
        ];
        let found = known.iter().find(|(prefix, _)| block.starts_with(prefix));
        shared(found.map_or("wiring", |(_, what)| what))
    }

    /// What each part takes, the largest first.
    pub fn usage(&self, placement: &Placement) -> Vec<Usage> {
        let mut all: BTreeMap<Part, [u64; 3]> = BTreeMap::new();
        let kinds = [
            &placement.logic_cells,
            &placement.block_rams,
            &placement.single_port_rams,
        ];
        for (kind, cells) in kinds.into_iter().enumerate() {
            for name in cells.keys() {
                all.entry(self.of(name)).or_default()[kind] += 1;
            }
        }
        let mut usage: Vec<Usage> = all
            .into_iter()
            .map(
                |(part, [logic_cells, block_rams, single_port_rams])| Usage {
                    part,
                    logic_cells,
                    block_rams,
                    single_port_rams,
                },
            )
            .collect();
        usage.sort_by(|a, b| {
            let key = |u: &Usage| std::cmp::Reverse((u.logic_cells, u.block_rams));
            key(a).cmp(&key(b)).then_with(|| a.part.cmp(&b.part))
        });
        usage
    }

    /// A signal's way from part to part.
    pub fn path(&self, segments: &[PathSegment]) -> Vec<PathPiece> {
        let mut pieces: Vec<PathPiece> = Vec::new();
        for segment in segments {
            let part = self.of(&segment.to);
            let is_new = pieces.last().is_none_or(|piece| piece.part != part);
            if is_new {
                pieces.push(PathPiece {
                    part,
                    logic_ns: 0.0,
                    routing_ns: 0.0,
                });
            }
            if let Some(piece) = pieces.last_mut() {
                match segment.kind.as_str() {
                    "routing" => piece.routing_ns += segment.delay_ns,
                    _ => piece.logic_ns += segment.delay_ns,
                }
            }
        }
        // Sums of decimal fractions are rounded, so that they read as they are meant.
        for piece in &mut pieces {
            for ns in [&mut piece.logic_ns, &mut piece.routing_ns] {
                *ns = (*ns * 1000.0).round() / 1000.0;
            }
        }
        pieces
    }
}

/// What a block of a core is called.
fn in_core(inner: &str) -> &'static str {
    let end = inner.find(['.', '$', '_']).unwrap_or(inner.len());
    match &inner[..end] {
        "weights" => "weights",
        "accumulators" | "lanes" => "sums",
        "held" => "held sums",
        "states" => "states",
        "parameters" => "parameters",
        "path" => "program",
        "ways" | "way" => "ways to the rows",
        "engine" => "learning",
        _ => "control",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Parts {
        Parts {
            cores: vec!["hidden".to_owned(), "a+b".to_owned()],
            ports: ["hidden", "a", "a", "b"].map(str::to_owned).to_vec(),
        }
    }

    #[test]
    fn names_of_the_tools_become_names_of_the_network() {
        for (cell, part) in [
            (
                "device.stages$1.core.states.rows.0.0_WDATA_3_SB_LUT4_O",
                "a+b: states",
            ),
            (
                "device.stages$0.core.path.value_15_delay_1_SB_DFF_Q",
                "hidden: program",
            ),
            (
                "device.stages$0.core.accumulators$read_address_SB_DFF_Q_2",
                "hidden: sums",
            ),
            (
                "device.stages$0.core.held$0.memory.rows.0.1_WDATA_6",
                "hidden: held sums",
            ),
            (
                "device.stages$0.core.neuron1_valid.q_SB_LUT4_I3",
                "hidden: control",
            ),
            (
                "device.stages$0.event_counter.tally$q_SB_DFFESR_Q",
                "hidden: host access",
            ),
            ("device.ports$3.fifo.memory.rows.0.0", "b: queues"),
            ("device.link.receiver.crc$q_SB_DFFE_Q_D", "host link"),
            ("device.scores.memory.rows.0.0_RADDR", "decoder"),
            ("device.encoder$0$event_out_index_SB_DFF_Q_3", "encoder"),
            ("receiver.state$q", "host link"),
            ("top.receiver.state$q", "host link"),
            ("top.device.ports$3.fifo.memory.rows.0.0", "b: queues"),
            ("settled_SB_DFFNSR_Q_1", "clock"),
            ("$nextpnr_ICESTORM_LC_57", "added by the tools"),
        ] {
            assert_eq!(parts().of(cell).to_string(), part, "{cell}");
        }
    }

    #[test]
    fn path_is_told_part_by_part() {
        let segment = |kind: &str, to: &str, delay_ns| PathSegment {
            kind: kind.to_owned(),
            from: String::new(),
            to: to.to_owned(),
            delay_ns,
        };
        let pieces = parts().path(&[
            segment("clk-to-q", "device.stages$0.core.path.x.O", 1.39),
            segment(
                "routing",
                "device.stages$0.core.states.rows.0.0_WDATA.I1",
                0.1,
            ),
            segment("logic", "device.stages$0.core.states.rows.0.0_WDATA.O", 0.2),
        ]);
        let told: Vec<_> = pieces
            .iter()
            .map(|p| (p.part.to_string(), p.logic_ns, p.routing_ns))
            .collect();
        assert_eq!(
            told,
            [
                ("hidden: program".to_owned(), 1.39, 0.0),
                ("hidden: states".to_owned(), 0.2, 0.1)
            ]
        );
    }
}
