//! Which steps of a flow are finished, in its folder: one that was left goes on behind them.
//!
//! A step counts as finished for what it was made of, and as long as its files are what they were; so
//! a folder of another design, of other tools, or one that was changed, is worked through anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Files, Flow, PnrReport, SCRIPT, SynthReport, forget_in, ice40, replacing};
use crate::error::Error;
use crate::process::Program;
use crate::targets::Family;

/// The record, beside what it is about; in YAML, as that reads every real number as it was.
const RECORD: &str = "finished-steps.yaml";

/// The steps of a folder that are finished.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    synthesis: Option<Step<SynthReport>>,
    placing: Option<Step<PnrReport>>,
}

/// A finished step.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step<R> {
    /// A digest of all that it was made of.
    inputs: String,
    /// Digests of what it wrote, by name.
    files: BTreeMap<String, String>,
    report: R,
}

/// What a step made, and whether it had been made before.
#[derive(Debug, Clone, PartialEq)]
pub struct Once<R> {
    /// What it made.
    pub report: R,
    /// Whether an earlier run did.
    pub was_finished: bool,
}

/// Names of the files of finished steps in a folder, and of their record; none where no step is.
pub fn finished_files(folder: &Path) -> BTreeSet<String> {
    let record = Record::read(folder);
    let synthesis = record.synthesis.into_iter().flat_map(|step| step.files);
    let placing = record.placing.into_iter().flat_map(|step| step.files);
    let mut names: BTreeSet<String> = synthesis.chain(placing).map(|(name, _)| name).collect();
    if !names.is_empty() {
        names.insert(RECORD.to_owned());
    }
    names
}

/// Removes the record, and so makes every step one that is not finished.
///
/// # Errors
/// If it cannot be removed.
pub fn forget_finished(folder: &Path) -> Result<(), Error> {
    forget_in(folder, &[RECORD])
}

impl Record {
    /// One that cannot be read is none: the steps are then done again.
    fn read(folder: &Path) -> Self {
        let text = std::fs::read_to_string(folder.join(RECORD)).unwrap_or_default();
        serde_yaml::from_str(&text).unwrap_or_default()
    }

    fn write(&self, flow: &Flow<'_>) -> Result<(), Error> {
        let text = serde_yaml::to_string(self).map_err(|e| Error::malformed(RECORD, e))?;
        flow.write(RECORD, &text)
    }
}

impl Flow<'_> {
    /// As [`Flow::synthesise`], unless it is finished.
    ///
    /// # Errors
    /// As there.
    pub fn synthesise_once(&self) -> Result<Once<SynthReport>, Error> {
        let inputs = self.synthesis_inputs()?;
        let record = Record::read(&self.folder);
        // Placing writes one of these files again.
        let later = record.placing.as_ref().map(|step| &step.files);
        if let Some(step) = &record.synthesis
            && step.inputs == inputs
            && self.are_whole(&step.files, later)
        {
            return Ok(Once {
                report: step.report.clone(),
                was_finished: true,
            });
        }
        forget_finished(&self.folder)?;
        let report = self.synthesise()?;
        let record = Record {
            synthesis: Some(Step {
                inputs,
                files: self.digests(&synthesis_files(self.target.family))?,
                report: report.clone(),
            }),
            placing: None,
        };
        record.write(self)?;
        Ok(Once {
            report,
            was_finished: false,
        })
    }

    /// As [`Flow::place_and_route`], unless it is finished; behind [`Flow::synthesise_once`].
    ///
    /// # Errors
    /// As there.
    pub fn place_and_route_once(&self) -> Result<Once<PnrReport>, Error> {
        let mut record = Record::read(&self.folder);
        let inputs = self.placing_inputs(record.synthesis.as_ref())?;
        if let Some(step) = &record.placing
            && step.inputs == inputs
            && self.are_whole(&step.files, None)
        {
            return Ok(Once {
                report: step.report.clone(),
                was_finished: true,
            });
        }
        if record.placing.take().is_some() {
            record.write(self)?;
        }
        let report = self.place_and_route()?;
        record.placing = Some(Step {
            inputs,
            files: self.digests(&placing_files(self.target.family))?,
            report: report.clone(),
        });
        record.write(self)?;
        Ok(Once {
            report,
            was_finished: false,
        })
    }

    /// Everything that the netlist depends on.
    fn synthesis_inputs(&self) -> Result<String, Error> {
        let mut hash = Sha256::new();
        let mut add = |what: &str, content: &[u8]| {
            // With lengths, so that no two lists of parts are the same bytes.
            for part in [what.as_bytes(), content] {
                hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
                hash.update(part);
            }
        };
        add("program", env!("CARGO_PKG_VERSION").as_bytes());
        for map in [ice40::BLOCK_RAM_MAP, replacing::TABLES_MAP] {
            add("map", map.as_bytes());
        }
        add("tool", of_program(&self.tools.yosys).as_bytes());
        let target = self.target;
        let device = (target.family, &target.device, &target.limits);
        add("device", format!("{device:?}").as_bytes());
        add("top", self.top.as_bytes());
        add("images", format!("{:?}", self.replaceable).as_bytes());
        add("multiplied", format!("{:?}", self.multiplied).as_bytes());
        add("spares blocks", &[self.spares_blocks.into()]);
        let mut texts = String::new();
        for name in &self.verilog {
            let text = self.read(name)?;
            add(name, text.as_bytes());
            texts += &text;
        }
        let mut names = Vec::new();
        let folder = std::fs::read_dir(&self.folder);
        for entry in folder.map_err(Error::io("read", &self.folder))? {
            let entry = entry.map_err(Error::io("read", &self.folder))?;
            names.extend(entry.file_name().into_string().ok());
        }
        names.sort();
        // Memory images, which the Verilog names.
        for name in names {
            if texts.contains(&format!("\"{name}\"")) {
                let path = self.path(&name);
                let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
                add(&name, &bytes);
            }
        }
        Ok(hex(&hash.finalize()))
    }

    /// Everything that the placed design depends on.
    fn placing_inputs(&self, synthesis: Option<&Step<SynthReport>>) -> Result<String, Error> {
        let tool = match self.target.family {
            Family::Ice40 => &self.tools.nextpnr_ice40,
            Family::Ecp5 => self.tools.program(super::ecp5::NEXTPNR)?,
            Family::Gowin => self.tools.program(super::gowin::NEXTPNR)?,
            Family::Gatemate => self.tools.program(super::gatemate::NEXTPNR)?,
        };
        let mut hash = Sha256::new();
        let synthesis = synthesis.map(|step| (&step.inputs, &step.files));
        hash.update(format!(
            "{synthesis:?} {} {:?} {}",
            of_program(tool),
            self.target,
            self.seed
        ));
        Ok(hex(&hash.finalize()))
    }

    /// Whether files are what they were when they were written, or what a later step made of them.
    fn are_whole(
        &self,
        files: &BTreeMap<String, String>,
        later: Option<&BTreeMap<String, String>>,
    ) -> bool {
        files.iter().all(|(name, digest)| {
            let digest = later.and_then(|files| files.get(name)).unwrap_or(digest);
            self.digest(name).is_ok_and(|found| found == *digest)
        })
    }

    fn digests(&self, names: &[&str]) -> Result<BTreeMap<String, String>, Error> {
        let digest = |name: &&str| Ok(((*name).to_owned(), self.digest(name)?));
        names.iter().map(digest).collect()
    }

    fn digest(&self, name: &str) -> Result<String, Error> {
        let path = self.path(name);
        let bytes = std::fs::read(&path).map_err(Error::io("read", path))?;
        Ok(hex(&Sha256::digest(bytes)))
    }
}

fn of_program(program: &Program) -> String {
    format!("{} {}", program.name, program.version)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What synthesis writes.
fn synthesis_files(family: Family) -> Vec<&'static str> {
    let maps: &[&str] = match family {
        Family::Ice40 => &[replacing::TABLES, ice40::BLOCK_RAMS],
        Family::Ecp5 | Family::Gowin => &[replacing::TABLES, super::BLOCK_RAMS],
        Family::Gatemate => &[],
    };
    let netlist = [Files::NETLIST_JSON, Files::NETLIST_VERILOG, Files::CONTENTS];
    [&[SCRIPT], maps, &netlist[..]].concat()
}

/// What placing writes.
fn placing_files(family: Family) -> Vec<&'static str> {
    let own: &[&str] = match family {
        Family::Ice40 => &[Files::PLACEMENT],
        Family::Ecp5 | Family::Gowin | Family::Gatemate => &[],
    };
    let placed = [
        family.constraints_file(),
        family.placed_file(),
        Files::CONTENTS,
    ];
    [&placed, own].concat()
}
