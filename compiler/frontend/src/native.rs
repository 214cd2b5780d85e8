//! The native format: a network as YAML that a person may write, and its larger arrays beside it.
//!
//! It describes the Network level exactly, so [`write()`] and [`load`] are each other's inverse but
//! for origins, which are places in the text. `docs/native-format.md` is the user's description.
//! A text with the key `format` is a network; one without it is a project file.
//!
//! One file here is one item of a network, with its reader and its writer side by side: what a new
//! field of the level needs is in one place. `values.rs` reads and writes parameters, which may be
//! numbers, lists, or names of arrays.

mod flags;
mod gain;
mod geometry;
pub(crate) mod input;
mod inspect;
mod learning;
mod order;
mod population;
mod preset;
mod projection;
mod random;
mod rule;
mod values;

use spikeloom_ir::PopulationId;
use spikeloom_ir::geometry::{AxisOrder, Connectivity, Grid};
use spikeloom_ir::network::{Decoder, MAX_PHASES, MAX_TICKS, Network, Semantics};

use crate::Remark;
use crate::arrays::{self, ArchiveFormat, NumberArray};
use crate::choice::{Choice, DecoderChoice};
use crate::error::{Error, together};
use crate::fields::{Entry, Reader};
use crate::project::{ProjectFile, TRIAL};
use crate::yaml;
pub use flags::LIMIT_KEYS;
pub use gain::GAIN_KEYS;
pub use geometry::{CONVOLVE_KEYS, POOL_KEYS};
pub use inspect::{NetworkInspection, PopulationSummary, ProjectionSummary, inspect};
pub use learning::{LEARNING_KEYS, TAG_KEYS, TRACE_KEYS};
pub use population::POPULATION_KEYS;
pub use preset::Preset;
pub use projection::PROJECTION_KEYS;
pub use random::{RANDOM_BIAS_KEYS, RANDOM_WEIGHTS_KEYS};
use values::{Arrays, Values};

/// The value of `format:` that this version reads and writes.
pub const FORMAT: &str = "spikeloom-network/1";

/// All keys of a network.
pub const KEYS: &[&str] = &[
    "format",
    "name",
    "semantics",
    "ticks",
    "phases",
    "arrays",
    "input",
    "populations",
    "projections",
    "output",
    "decoder",
];

/// How a file beside the text is read: its name as written, to its bytes or what is wrong.
pub type ReadFile<'a> = &'a mut dyn FnMut(&str) -> Result<Vec<u8>, String>;

/// Whether a text is a network rather than a project file.
pub fn is_network(text: &str) -> bool {
    yaml::mapping(text).is_ok_and(|entries| entries.iter().any(|(key, _)| key.text == "format"))
}

/// Reads a network. `file_name` is shown in messages.
///
/// `project` may give another name, ticks, encoding or decoder; what it says of the discretisation
/// would contradict the text, which says it itself. `default_name` counts where neither names the
/// network.
///
/// # Errors
/// Everything that is wrong with the text and its arrays, each with its place, or else with the
/// options.
pub fn load(
    text: &str,
    file_name: &str,
    project: &ProjectFile,
    default_name: &str,
    read_file: ReadFile<'_>,
) -> Result<(Network, Vec<Remark>), Error> {
    let (reader, entries) = Reader::open(text, file_name)?;
    let mut loader = Loader {
        reader,
        values: Values::new(read_file),
        remarks: Vec::new(),
        more_seed: project.trial.wrapping_mul(TRIAL),
        phases: 1,
    };
    let network = loader.network(&entries);
    let Loader {
        reader, remarks, ..
    } = loader;
    // What is missing has left its reason.
    let network = reader.finish(network)?;
    let Some(mut network) = network else {
        return Err(together(Vec::new()));
    };
    if network.name.is_empty() {
        network.name = default_name.to_owned();
    }
    overridden(&mut network, project)?;
    Ok((network, remarks))
}

/// Reads one text.
struct Loader<'a> {
    reader: Reader,
    values: Values<'a>,
    remarks: Vec<Remark>,
    /// What is added to every seed.
    more_seed: u32,
    /// Phases of the network.
    phases: u32,
}

impl Loader<'_> {
    fn network(&mut self, entries: &[Entry]) -> Option<Network> {
        let find = |name: &str| entries.iter().find(|(key, _)| key.text == name);
        for (key, _) in entries {
            if !KEYS.contains(&key.text.as_str()) {
                self.reader.unknown(key, KEYS);
            }
        }
        self.format(find("format"));
        let name = match find("name") {
            Some(entry) => self.reader.word(entry),
            None => Some(String::new()),
        };
        let semantics = match find("semantics") {
            Some(entry) => self.reader.choice(entry),
            None => Some(Semantics::Nir),
        };
        let ticks = self.required(entries, "ticks");
        let ticks = ticks.and_then(|entry| self.reader.count_in(1..=MAX_TICKS, entry));
        let phases = match find("phases") {
            Some(entry) => self.reader.count_in(1..=MAX_PHASES, entry),
            None => Some(1),
        };
        self.phases = phases.unwrap_or(MAX_PHASES);
        if let Some(entry) = find("arrays") {
            self.values.archive = self.reader.word(entry);
        }
        let input = self.required(entries, "input");
        let input = input.and_then(|entry| self.input(entry));
        let populations = self.required(entries, "populations");
        let populations = populations.and_then(|entry| self.populations(entry));
        let projections = self.required(entries, "projections");
        let (Some(input), Some(populations)) = (input, populations) else {
            return None;
        };
        let projections =
            projections.and_then(|entry| self.projections(entry, &input, &populations));
        let output = self.required(entries, "output");
        let output = output.and_then(|entry| self.population_named(entry, &populations));
        let fires = output.is_none_or(|id: PopulationId| populations[id.0].neuron.firing.is_some());
        let decoder = match find("decoder") {
            Some(entry) => self.decoder(entry, fires),
            None if fires => Some(Decoder::SpikeCount),
            None => Some(Decoder::MembraneSum),
        };
        let network = Network {
            name: name?,
            semantics: semantics?,
            ticks: ticks?,
            phases: phases?,
            input,
            populations,
            projections: projections?,
            output: output?,
            decoder: decoder?,
        };
        if let Some(entry) = find("phases") {
            self.check_phases(&network, entry);
        }
        self.ordered(network, find("projections"))
    }

    fn format(&mut self, entry: Option<&Entry>) {
        if let Some(entry) = entry
            && entry.1.text() != Some(FORMAT)
        {
            self.reader.bad(
                entry,
                format!("`{FORMAT}`"),
                "this version of spikeloom reads and writes no other",
            );
        }
    }

    /// Phases are for learning.
    fn check_phases(&mut self, network: &Network, entry: &Entry) {
        let learns = network.projections.iter().any(|p| p.learning.is_some());
        if network.phases > 1 && !learns && network.input.teacher == 0 {
            self.reader.bad(
                entry,
                "left out where nothing learns",
                "phases show a sample again while the network learns: give a projection `learning:`, or the input a `teacher:`",
            );
        }
    }

    fn decoder(&mut self, entry: &Entry, output_fires: bool) -> Option<Decoder> {
        match self.reader.choice::<DecoderChoice>(entry)? {
            choice if output_fires || !choice.decoder().needs_spikes() => Some(choice.decoder()),
            _ => {
                self.reader.bad(
                    entry,
                    "`membrane-sum` or `membrane-max` for an output without `v_threshold`, which never spikes",
                    "leave it out, or give the output population a `v_threshold`",
                );
                None
            }
        }
    }

    /// A key that must be there.
    fn required<'e>(&mut self, entries: &'e [Entry], key: &'static str) -> Option<&'e Entry> {
        let found = entries.iter().find(|(found, _)| found.text == key);
        if found.is_none() {
            self.reader.missing("a network", key, 0..0);
        }
        found
    }
}

/// Puts what the command line or a project file says over what the text says.
fn overridden(network: &mut Network, project: &ProjectFile) -> Result<(), Error> {
    let mut problems = Vec::new();
    let mut settled = |flag: &'static str, value: Option<String>| {
        if let Some(value) = value {
            problems.push(Error::OptionConflict {
                flag,
                value,
                reason: "a network in the native format, which says it itself".to_owned(),
                help: "leave it out, and change the network's file instead".to_owned(),
            });
        }
    };
    let semantics = project.semantics.filter(|s| *s != network.semantics);
    settled("semantics", semantics.map(|v| v.name().to_owned()));
    settled("reset", project.reset.map(|v| v.name().to_owned()));
    let resets = project.resets.iter().next();
    settled(
        "reset-of",
        resets.map(|(node, reset)| format!("{node}={}", reset.name())),
    );
    settled("reset-delay", project.reset_delay.map(|v| v.to_string()));
    settled("spikes", project.spikes.map(|v| v.name().to_owned()));
    let spikes = project.spikes_of.iter().next();
    settled(
        "spikes-of",
        spikes.map(|(node, spikes)| format!("{node}={}", spikes.name())),
    );
    settled("v-min", project.v_min.map(|v| v.to_string()));
    let v_min = project.v_min_of.iter().next();
    settled("v-min-of", v_min.map(|(node, v)| format!("{node}={v}")));
    settled("norm-input", project.norm_input.map(|v| v.to_string()));
    let norm = project.norm_input_of.iter().next();
    settled("norm-input-of", norm.map(|(node, v)| format!("{node}={v}")));
    settled("delay-shift", project.delay_shift.map(|v| v.to_string()));
    settled("output-node", project.output_node.clone());
    settled("dt", project.dt.map(|v| v.to_string()));
    if let Some(name) = &project.name {
        network.name.clone_from(name);
    }
    if let Some(ticks) = project.ticks {
        match crate::lower::bad_ticks(ticks) {
            Some(problem) => problems.push(problem),
            None => network.ticks = ticks,
        }
    }
    input::overridden(&mut network.input.encoder, project, &mut problems);
    match project.decoder {
        Some(choice)
            if choice.decoder().needs_spikes()
                && network.populations[network.output.0]
                    .neuron
                    .firing
                    .is_none() =>
        {
            problems.push(Error::OptionConflict {
                flag: "decoder",
                value: choice.name().to_owned(),
                reason: "an output that never spikes".to_owned(),
                help: "give `--decoder membrane-sum`, or leave it out".to_owned(),
            });
        }
        Some(choice) => network.decoder = choice.decoder(),
        None => {}
    }
    crate::error::report(problems)
}

/// A network as text, and the file of its arrays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The YAML.
    pub text: String,
    /// The arrays; `None` if the text holds all values.
    pub arrays: Option<Vec<u8>>,
}

/// Writes a network. `archive` is what the text is to call the file of arrays.
///
/// # Errors
/// Where a population has a name that the format has another meaning for, or shares one.
pub fn write(network: &Network, format: ArchiveFormat, archive: &str) -> Result<Written, Error> {
    check_names(network)?;
    let mut arrays = Arrays::new(archive).ok_or_else(|| Error::Unwritable {
        format: "the native format",
        reason: format!(
            "a file of arrays is called `{archive}`, not `NAME.npz` or `NAME.safetensors`"
        ),
    })?;
    let input = input::write(&network.input);
    let mut populations = String::new();
    for population in &network.populations {
        populations += &population::write(population, &mut arrays);
    }
    let mut projections = String::new();
    for projection in &network.projections {
        projections += &projection::write(projection, network, &mut arrays);
    }
    let arrays: Vec<(String, NumberArray)> = arrays.into_vec();
    let mut text = format!("format: {FORMAT}\nname: {}\n", yaml::quoted(&network.name));
    text += &format!("semantics: {}\n", network.semantics.name());
    text += &format!("ticks: {}\n", network.ticks);
    if network.phases > 1 {
        text += &format!("phases: {}\n", network.phases);
    }
    if !arrays.is_empty() {
        text += &format!("arrays: {}\n", yaml::quoted(archive));
    }
    if projections.is_empty() {
        projections += "  []\n";
    }
    text += &format!("\ninput:\n{input}\npopulations:\n{populations}\nprojections:\n{projections}");
    let output = &network.populations[network.output.0].name;
    let decoder = DecoderChoice::of(network.decoder);
    text += &format!(
        "\noutput: {}\ndecoder: {}\n",
        yaml::quoted(output),
        decoder.name()
    );
    let arrays = if arrays.is_empty() {
        None
    } else {
        let bytes = arrays::write(format, &arrays).map_err(|error| Error::Unwritable {
            format: "an archive of arrays",
            reason: error.to_string(),
        })?;
        Some(bytes)
    };
    Ok(Written { text, arrays })
}

fn check_names(network: &Network) -> Result<(), Error> {
    let refused = |reason: String| {
        Err(Error::Unwritable {
            format: "the native format",
            reason,
        })
    };
    let mut known = std::collections::BTreeSet::new();
    for population in &network.populations {
        let name = population.name.as_str();
        if name == input::NAME || name.is_empty() {
            return refused(format!("a population is called `{name}`"));
        }
        if !known.insert(name) {
            return refused(format!("two populations are called `{name}`"));
        }
    }
    let is_in_order = |grid: &Grid| grid.order == AxisOrder::ChannelsFirst;
    for projection in &network.projections {
        let pooled = projection.pooling.iter().flat_map(|p| [p.input, p.output]);
        let convolved = match &projection.connectivity {
            Connectivity::Dense => None,
            Connectivity::Convolution(c) => Some([c.input, c.output]),
        };
        if !pooled
            .chain(convolved.into_iter().flatten())
            .all(|grid| is_in_order(&grid))
        {
            let name = &projection.name;
            return refused(format!("projection `{name}` numbers its channels last"));
        }
    }
    if network.output.0 >= network.populations.len() {
        return refused("its output is no population".to_owned());
    }
    Ok(())
}
