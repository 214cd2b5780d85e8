//! Files in and out: no more is read than was asked for, and what is written is whole or not there.

use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::error::Error;

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// If it cannot be read, or is longer.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let unreadable = |source| Error::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    // A pipe says 0, so that what comes is counted too.
    let declared = file.metadata().map_err(unreadable)?.len();
    let too_long = || Error::TooLong {
        path: path.to_owned(),
        limit,
    };
    if declared > limit {
        return Err(too_long());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(declared).unwrap_or(0));
    let n = file
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if u64::try_from(n).unwrap_or(u64::MAX) > limit {
        return Err(too_long());
    }
    Ok(bytes)
}

/// As [`read`], for text.
///
/// # Errors
/// As there, and where it is no UTF-8.
pub fn read_text(path: &Path, limit: u64) -> Result<String, Error> {
    String::from_utf8(read(path, limit)?).map_err(|_| Error::NotText {
        path: path.to_owned(),
    })
}

/// Files that appear together: each is written beside its place first, and moved there when all are
/// complete.
#[derive(Debug, Default)]
pub struct Outputs {
    staged: Vec<(NamedTempFile, PathBuf)>,
    replace: bool,
}

impl Outputs {
    /// Nothing yet. Only with `replace` may a file be at a place already.
    pub fn new(replace: bool) -> Self {
        Self {
            staged: Vec::new(),
            replace,
        }
    }

    /// Whether a file may be written there, for who has much to do before.
    ///
    /// # Errors
    /// If something is at its place that may not be replaced.
    pub fn check(&self, path: &Path) -> Result<(), Error> {
        if path.exists() && !path.is_file() {
            return Err(Error::Unwritable {
                path: path.to_owned(),
                source: std::io::ErrorKind::IsADirectory.into(),
            });
        }
        if path.exists() && !self.replace {
            return Err(Error::OutputExists {
                path: path.to_owned(),
            });
        }
        Ok(())
    }

    /// Adds a file.
    ///
    /// # Errors
    /// If it cannot be written, or something is at its place.
    pub fn add(&mut self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let unwritable = |source| Error::Unwritable {
            path: path.to_owned(),
            source,
        };
        self.check(path)?;
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut staged = Builder::new()
            .prefix(".spikeloom-")
            // As any new file: less what the user's mask takes.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            // Its own words name the staged file, which says nothing to a user.
            .map_err(|error| unwritable(error.kind().into()))?;
        staged.write_all(bytes).map_err(unwritable)?;
        staged.as_file().sync_all().map_err(unwritable)?;
        self.staged.push((staged, path.to_owned()));
        Ok(())
    }

    /// Moves all of them to their places, in the order in which they were added.
    ///
    /// # Errors
    /// If one cannot be moved; those that were new are then removed again.
    pub fn publish(self) -> Result<(), Error> {
        let mut published: Vec<PathBuf> = Vec::new();
        for (staged, path) in self.staged {
            let is_new = !path.exists();
            let moved = if self.replace {
                staged.persist(&path)
            } else {
                staged.persist_noclobber(&path)
            };
            if let Err(error) = moved {
                for path in &published {
                    let _ = std::fs::remove_file(path);
                }
                return Err(Error::Unwritable {
                    path,
                    source: error.error,
                });
            }
            if is_new {
                published.push(path);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read_text(&path, 5).unwrap(), "12345");
        assert!(matches!(read(&path, 4), Err(Error::TooLong { .. })));
        // It declares no length, and never ends.
        let endless = read(Path::new("/dev/zero"), 1000);
        assert!(matches!(endless, Err(Error::TooLong { .. })));
    }

    #[test]
    fn outputs_appear_together_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let names = || {
            let entries = std::fs::read_dir(folder.path()).unwrap();
            let mut names: Vec<String> = entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        let mut outputs = Outputs::new(false);
        outputs.add(&path("a"), b"1").unwrap();
        outputs.add(&path("b"), b"2").unwrap();
        // Something takes the second place before they are moved.
        std::fs::write(path("b"), "other").unwrap();
        assert!(outputs.publish().is_err());
        assert_eq!(names(), ["b"]);
        assert_eq!(std::fs::read_to_string(path("b")).unwrap(), "other");

        let mut outputs = Outputs::new(false);
        assert!(matches!(
            outputs.add(&path("b"), b"2"),
            Err(Error::OutputExists { .. })
        ));
        let mut outputs = Outputs::new(true);
        outputs.add(&path("a"), b"1").unwrap();
        outputs.add(&path("b"), b"2").unwrap();
        drop(outputs);
        assert_eq!(names(), ["b"]);
        let mut outputs = Outputs::new(true);
        outputs.add(&path("a"), b"1").unwrap();
        outputs.add(&path("b"), b"2").unwrap();
        outputs.publish().unwrap();
        assert_eq!(names(), ["a", "b"]);
        assert_eq!(std::fs::read_to_string(path("b")).unwrap(), "2");
    }
}
