//! States of trainings in the output folder, so that a command that was ended goes on where it was.
//!
//! Each training has a file of its own, which is replaced as a whole: a head that says what it belongs
//! to, the passes so far, and the method's state, in CBOR. What all of them depend on is in
//! `experiment.json` beside them.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use miette::Diagnostic;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use spikeloom_train::Pass;
use thiserror::Error;

use crate::build::hexadecimal;
use crate::data;
use crate::error::Error as FileError;
use crate::files::Outputs;

/// The file of what all trainings depend on.
const EXPERIMENT: &str = "experiment.json";

/// Where states are kept, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct Keep {
    /// The folder of states; it is made when there is something to keep.
    pub folder: PathBuf,
    /// The time after which the state of a training that is still at work is written again.
    pub every: Duration,
    /// Whether states of another experiment are removed rather than refused.
    pub replace: bool,
}

/// States that this command cannot go on from.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum CheckpointError {
    /// They are of something else.
    #[error("the checkpoints in {} belong to another experiment: {what}", folder.display())]
    #[diagnostic(
        code(spikeloom::train::other_checkpoints),
        help(
            "repeat the command that they come from, give another output folder, or start anew with `--force`"
        )
    )]
    Other {
        /// Their folder.
        folder: PathBuf,
        /// What differs.
        what: String,
    },
    /// One is none.
    #[error("{} is no checkpoint of this version: {reason}", path.display())]
    #[diagnostic(
        code(spikeloom::train::broken_checkpoint),
        help("remove it; the training that it is of then starts anew")
    )]
    Broken {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        reason: String,
    },
}

/// What all trainings of an experiment depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// Of the program.
    version: String,
    /// A digest of the experiment's values and of the settings on the command line.
    settings: String,
    /// Digests of networks and data by their file names.
    files: BTreeMap<String, String>,
}

/// What one state belongs to.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Head {
    run: String,
    /// A digest of the state before the first pass, which is the network's weights.
    start: String,
}

/// States of one experiment.
#[derive(Debug)]
pub struct Checkpoints {
    keep: Keep,
    identity: Identity,
}

impl Identity {
    /// Of settings as text, and of files; folders count with all that is in them.
    pub(super) fn new(settings: &str, files: &[PathBuf]) -> Result<Self, FileError> {
        let mut digests = BTreeMap::new();
        for path in files {
            let labels = data::labels_beside(path);
            for path in std::iter::once(path).chain(&labels) {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let mut hash = Sha256::new();
                add_file(path, &mut hash)?;
                digests.insert(name.into_owned(), hexadecimal(&hash.finalize()));
            }
        }
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settings: hexadecimal(&Sha256::digest(settings)),
            files: digests,
        })
    }

    /// The first of what another one has otherwise.
    fn difference(&self, other: &Self) -> Option<String> {
        if self.version != other.version {
            return Some(format!("they are of version {}", other.version));
        }
        let all = self.files.keys().chain(other.files.keys());
        let changed = |name: &&String| self.files.get(*name) != other.files.get(*name);
        if let Some(name) = { all }.find(changed) {
            return Some(format!("{name} is not the same"));
        }
        (self.settings != other.settings).then(|| "its settings are not the same".to_owned())
    }
}

impl Checkpoints {
    /// Those that are in a folder already, or none.
    ///
    /// # Errors
    /// If they are of something else, and may not be replaced.
    pub(super) fn open(keep: Keep, identity: Identity) -> miette::Result<Self> {
        let path = keep.folder.join(EXPERIMENT);
        if keep.folder.exists() {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let difference = match serde_json::from_str::<Identity>(&text) {
                Ok(other) => identity.difference(&other),
                Err(error) => Some(format!("{EXPERIMENT}: {error}")),
            };
            match difference {
                Some(_) if keep.replace => remove(&keep.folder)?,
                Some(what) => {
                    let folder = keep.folder.clone();
                    return Err(CheckpointError::Other { folder, what }.into());
                }
                None => {}
            }
        }
        Ok(Self { keep, identity })
    }

    /// Whether there are any.
    pub fn exist(&self) -> bool {
        self.keep.folder.exists()
    }

    /// Removes them all.
    ///
    /// # Errors
    /// If they cannot be removed.
    pub fn remove(&self) -> Result<(), FileError> {
        remove(&self.keep.folder)
    }

    /// The time after which a state is written again.
    pub(super) fn every(&self) -> Duration {
        self.keep.every
    }

    /// The passes and the state of a training that begins with `start`, if it was kept.
    pub(super) fn read<S: Serialize + DeserializeOwned>(
        &self,
        run: &str,
        start: &S,
    ) -> miette::Result<Option<(Vec<Pass>, S)>> {
        let path = self.path(run);
        let file = match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(FileError::Unreadable { path, source }.into()),
        };
        let mut file = std::io::BufReader::new(file);
        let broken = |error: ciborium::de::Error<std::io::Error>| CheckpointError::Broken {
            path: path.clone(),
            reason: match error {
                ciborium::de::Error::Io(_) => "it ends early".to_owned(),
                _ => "it holds something else".to_owned(),
            },
        };
        let head: Head = ciborium::from_reader(&mut file).map_err(broken)?;
        if head != Head::new(run, start) {
            let folder = self.keep.folder.clone();
            let what = format!("the network of \"{}\" begins with other numbers", head.run);
            return Err(CheckpointError::Other { folder, what }.into());
        }
        let kept = ciborium::from_reader(&mut file).map_err(broken)?;
        Ok(Some(kept))
    }

    /// Keeps a training in place of what was kept of it before.
    pub(super) fn write<S: Serialize + DeserializeOwned>(
        &self,
        run: &str,
        start: &S,
        kept: &(&[Pass], S),
    ) -> Result<(), FileError> {
        let folder = &self.keep.folder;
        let mut outputs = Outputs::new(true);
        if !folder.exists() {
            std::fs::create_dir_all(folder).map_err(|source| FileError::Unwritable {
                path: folder.clone(),
                source,
            })?;
        }
        let path = folder.join(EXPERIMENT);
        if !path.exists() {
            let json = serde_json::to_string_pretty(&self.identity);
            let json = json.expect("an identity has string keys only") + "\n";
            outputs.add(&path, json.as_bytes())?;
        }
        let mut bytes = Vec::new();
        encode(&Head::new(run, start), &mut bytes);
        encode(kept, &mut bytes);
        outputs.add(&self.path(run), &bytes)?;
        outputs.publish()
    }

    /// A training's file: its name may have any length and any letters.
    fn path(&self, run: &str) -> PathBuf {
        let digest = hexadecimal(&Sha256::digest(run));
        self.keep.folder.join(format!("{}.cbor", &digest[..16]))
    }
}

impl Head {
    fn new<S: Serialize>(run: &str, start: &S) -> Self {
        let mut hash = Sha256::new();
        encode(start, Hashed(&mut hash));
        Self {
            run: run.to_owned(),
            start: hexadecimal(&hash.finalize()),
        }
    }
}

/// Removes a folder, if there is one.
fn remove(folder: &Path) -> Result<(), FileError> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(FileError::Unwritable {
            path: folder.to_owned(),
            source: error,
        }),
        _ => Ok(()),
    }
}

/// A digest that is written to.
struct Hashed<'a>(&'a mut Sha256);

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn encode<T: Serialize>(value: &T, to: impl Write) {
    ciborium::into_writer(value, to).expect("memory takes every state");
}

/// Adds what a file holds, or all files of a folder in the order of their names.
fn add_file(path: &Path, hash: &mut Sha256) -> Result<(), FileError> {
    let unreadable = |source| FileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(unreadable)?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut paths: Vec<PathBuf> = paths.collect::<Result<_, _>>().map_err(unreadable)?;
        paths.sort();
        for path in paths {
            hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
            add_file(&path, hash)?;
        }
        return Ok(());
    }
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = vec![0; 1 << 16];
    loop {
        match file.read(&mut bytes).map_err(unreadable)? {
            0 => return Ok(()),
            n => hash.update(&bytes[..n]),
        }
    }
}
