//! Content-addressed directories that are either complete or absent.

use std::fs::File;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::Error;

/// A hash over labelled parts; lengths are hashed too, so that parts cannot run into each other.
pub(crate) struct Key(Sha256);

impl Key {
    pub(crate) fn new(purpose: &str) -> Self {
        Self(Sha256::new()).with(purpose)
    }

    pub(crate) fn with(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    /// 32 hexadecimal digits: half of the hash is plenty for a cache and keeps paths short.
    pub(crate) fn finish(self) -> String {
        self.0.finalize()[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// The directory in which everything lives, as an absolute path.
pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    pub(crate) fn open(root: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(root).map_err(Error::io("create the directory", root))?;
        let root = root
            .canonicalize()
            .map_err(Error::io("find the directory", root))?;
        for part in ["images", "locks", "models", "runtime", "tmp"] {
            let path = root.join(part);
            std::fs::create_dir_all(&path).map_err(Error::io("create the directory", &path))?;
        }
        Ok(Self { root })
    }

    /// Returns the directory `part/key`, made by `fill` in a temporary place if it is not there.
    ///
    /// `fill` runs under a lock of its key, so two processes never do the same work twice, and
    /// nothing is visible under the key before `fill` has succeeded.
    pub(crate) fn directory(
        &self,
        part: &str,
        key: &str,
        fill: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<PathBuf, Error> {
        let path = self.root.join(part).join(key);
        if path.is_dir() {
            return Ok(path);
        }
        let lock_path = self.root.join("locks").join(format!("{part}-{key}"));
        let lock = File::create(&lock_path).map_err(Error::io("create", &lock_path))?;
        lock.lock().map_err(Error::io("lock", &lock_path))?;
        if path.is_dir() {
            return Ok(path);
        }
        let tmp = self.root.join("tmp");
        let work = tempfile::Builder::new()
            .prefix(part)
            .tempdir_in(&tmp)
            .map_err(Error::io("create a directory in", &tmp))?;
        let content = work.path().join("content");
        std::fs::create_dir(&content).map_err(Error::io("create the directory", &content))?;
        fill(&content)?;
        std::fs::rename(&content, &path).map_err(Error::io("rename into place", &path))?;
        Ok(path)
    }

    /// Stores a memory image under its contents and returns its path.
    pub(crate) fn image(&self, name: &str, contents: &[u8]) -> Result<PathBuf, Error> {
        let key = Key::new("image").with(contents).finish();
        // The name's ending is kept for whoever looks into the cache; the rest may hold anything.
        let plain: String = name
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "_-.".contains(*c))
            .collect();
        let file = format!("image-{plain}");
        let directory = self.directory("images", &key, |_| Ok(()))?;
        let path = directory.join(&file);
        if !path.is_file() {
            // The same contents may be stored under a second name: the directory is there already.
            let mut part = tempfile::NamedTempFile::new_in(self.root.join("tmp"))
                .map_err(Error::io("create a file in", self.root.join("tmp")))?;
            std::io::Write::write_all(&mut part, contents)
                .map_err(Error::io("write", part.path()))?;
            part.persist(&path)
                .map_err(|error| Error::io("write", &path)(error.error))?;
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_key_do_not_run_together() {
        let key = |a: &str, b: &str| Key::new("test").with(a).with(b).finish();
        assert_ne!(key("ab", "c"), key("a", "bc"));
        assert_eq!(key("ab", "c"), key("ab", "c"));
        assert_eq!(key("", "").len(), 32);
    }

    #[test]
    fn a_failed_fill_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(root.path()).unwrap();
        let failed = cache.directory("models", "k", |path| {
            std::fs::write(path.join("half"), "x").unwrap();
            Err(Error::NoClock)
        });
        assert!(failed.is_err());
        assert!(!cache.root.join("models/k").exists());
        assert_eq!(
            std::fs::read_dir(cache.root.join("tmp")).unwrap().count(),
            0
        );

        let path = cache
            .directory("models", "k", |path| {
                std::fs::write(path.join("whole"), "x").map_err(Error::io("write", path))
            })
            .unwrap();
        assert!(path.join("whole").is_file());
        cache
            .directory("models", "k", |_| Err(Error::NoClock))
            .unwrap();
    }

    #[test]
    fn one_image_may_have_two_names() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(root.path()).unwrap();
        let first = cache.image("weights.hex", b"00\n").unwrap();
        let second = cache.image("mem/../other.hex", b"00\n").unwrap();
        assert_ne!(first, second);
        assert_eq!(std::fs::read(first).unwrap(), b"00\n");
        assert_eq!(std::fs::read(second).unwrap(), b"00\n");
    }
}
