//! Where a compilation works until it is whole: a folder beside the build folder, called as that is
//! with `.unfinished` behind it.
//!
//! It is gone when the compilation succeeds, and when it fails before a step of the tools is finished.
//! Otherwise it stays, however the compilation ended, and the next one for the same build folder goes
//! on behind the steps that are finished, if it is of the same circuit ([`spikeloom_bitstreams::Once`]).

use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use spikeloom_bitstreams::{finished_files, forget_finished};

use crate::compile::is_build_folder;
use crate::error::Error;
use crate::interrupt::Unfinished;

/// Says what the folder is, and that it is ours.
const MARK: &str = "unfinished.txt";
const MARK_TEXT: &str = "This compilation has not come to its end. The same command goes on behind the \
    steps that are finished; the folder may be removed.\n";
/// What tools printed is kept with the steps that they finished.
const LOGS: &str = spikeloom_bitstreams::Files::LOGS;

/// The folder, which nobody else works in.
#[derive(Debug)]
pub(crate) struct Workplace {
    path: PathBuf,
    /// Held as long as the folder is worked in.
    _lock: File,
    _on_signal: Unfinished,
}

/// The folder in which a compilation into `output` works.
pub(crate) fn path_for(output: &Path) -> PathBuf {
    // Without making a folder that a failure would leave behind.
    let existing = existing_ancestor(output);
    let below = output.strip_prefix(&existing).unwrap_or(output);
    let parts: Vec<String> = below
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    let name = format!("{}.unfinished", parts.join("-"));
    match existing == Path::new(".") {
        true => PathBuf::from(name),
        false => existing.join(name),
    }
}

/// What is nearest to a path, on the way up, of all that is there.
pub(crate) fn existing_ancestor(path: &Path) -> PathBuf {
    path.ancestors()
        .skip(1)
        .find(|p| p.exists())
        .unwrap_or(Path::new("."))
        .to_owned()
}

/// Removes what a compilation into `output` has left, if it left something.
///
/// # Errors
/// If it cannot be removed, or another compilation works in it.
pub fn discard_unfinished(output: &Path) -> Result<(), Error> {
    let path = path_for(output);
    match path.join(MARK).exists() {
        // It is gone with the last who works in it, as nothing in it is finished.
        true => Workplace::open(output)?.clear(),
        false => Ok(()),
    }
}

fn unwritable(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Unwritable { path, source }
}

impl Workplace {
    /// The folder for a compilation into `output`, with nothing in it but the files of finished steps.
    ///
    /// # Errors
    /// If it cannot be made, is something else, or another compilation works in it.
    pub(crate) fn open(output: &Path) -> Result<Self, Error> {
        let path = path_for(output);
        let lock = lock(&path, output)?;
        let mark = path.join(MARK);
        let mut entries = std::fs::read_dir(&path).map_err(unwritable(&path))?;
        // A whole one was about to get its name.
        if !mark.exists() && entries.next().is_some() && !is_build_folder(&path) {
            return Err(Error::OutputInUse { path });
        }
        std::fs::write(&mark, MARK_TEXT).map_err(unwritable(&mark))?;
        let place = Self {
            _on_signal: Unfinished::new(&path),
            path,
            _lock: lock,
        };
        place.remove_all_but(&finished_files(&place.path))?;
        Ok(place)
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is worth keeping.
    pub(crate) fn has_finished_steps(&self) -> bool {
        !finished_files(&self.path).is_empty()
    }

    /// Whether a file is there of a finished step.
    pub(crate) fn has_finished(&self, file: &str) -> bool {
        finished_files(&self.path).contains(file)
    }

    /// Forgets the finished steps.
    pub(crate) fn clear(&self) -> Result<(), Error> {
        self.remove_all_but(&Default::default())
    }

    /// Makes it a build folder: what is of no use in one is removed.
    pub(crate) fn finish(&self) -> miette::Result<()> {
        forget_finished(&self.path)?;
        let mark = self.path.join(MARK);
        std::fs::remove_file(&mark).map_err(unwritable(&mark))?;
        Ok(())
    }

    fn remove_all_but(&self, kept: &std::collections::BTreeSet<String>) -> Result<(), Error> {
        for entry in std::fs::read_dir(&self.path).map_err(unwritable(&self.path))? {
            let path = entry.map_err(unwritable(&self.path))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name == MARK || kept.contains(&*name) || (name == LOGS && !kept.is_empty()) {
                continue;
            }
            let removed = match path.is_dir() && !path.is_symlink() {
                true => std::fs::remove_dir_all(&path),
                false => std::fs::remove_file(&path),
            };
            removed.map_err(unwritable(&path))?;
        }
        Ok(())
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // Of a compilation that succeeded it has another name now.
        if self.path.join(MARK).exists() && !self.has_finished_steps() {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Makes the folder, and sees that nobody else works in it.
fn lock(path: &Path, output: &Path) -> Result<File, Error> {
    // The one who worked in it may move it away while it is waited for.
    const ATTEMPTS: usize = 10;
    for _ in 0..ATTEMPTS {
        match std::fs::create_dir(path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(unwritable(path)(error));
            }
            _ => {}
        }
        let Ok(folder) = File::open(path) else {
            continue;
        };
        match folder.try_lock() {
            // The tools keep it: one that outlives a killed command still writes here.
            Ok(()) => rustix::io::fcntl_setfd(&folder, rustix::io::FdFlags::empty())
                .map_err(|error| unwritable(path)(error.into()))?,
            Err(TryLockError::WouldBlock) => {
                return Err(Error::OutputBusy {
                    path: output.to_owned(),
                });
            }
            // A file system without locks: nobody is kept out.
            Err(TryLockError::Error(_)) => return Ok(folder),
        }
        let number = |metadata: std::io::Result<std::fs::Metadata>| {
            metadata.map(|m| (m.dev(), m.ino())).ok()
        };
        if number(std::fs::metadata(path)) == number(folder.metadata()) {
            return Ok(folder);
        }
    }
    Err(Error::OutputBusy {
        path: output.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_discarded_is_gone_and_what_is_not_ours_stays() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("build");
        discard_unfinished(&output).unwrap();
        let left = path_for(&output);
        std::fs::create_dir(&left).unwrap();
        std::fs::write(left.join("notes.txt"), "mine").unwrap();
        discard_unfinished(&output).unwrap();
        assert!(left.join("notes.txt").exists());
        std::fs::write(left.join(MARK), MARK_TEXT).unwrap();
        std::fs::create_dir(left.join(LOGS)).unwrap();
        discard_unfinished(&output).unwrap();
        assert!(!left.exists());
    }
}
