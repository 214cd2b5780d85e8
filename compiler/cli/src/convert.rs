//! Models from one format into another.

use std::path::{Component, Path, PathBuf};

use miette::Diagnostic;
use spikeloom_frontend::arrays::ArchiveFormat;
use spikeloom_frontend::{Remark, native, nir};
use spikeloom_ir::Network;
use thiserror::Error;

use crate::error::Error as CommandError;
use crate::files::Outputs;

/// What is to be written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A NIR file.
    Nir {
        /// Where.
        path: PathBuf,
    },
    /// A network in the native format.
    Native {
        /// Where its text goes.
        path: PathBuf,
        /// Where its arrays go.
        arrays: PathBuf,
        /// How they are stored.
        format: ArchiveFormat,
    },
}

/// File names that do not say what to write.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum TargetError {
    /// The extension of the output.
    #[error("the name of {} says no format", path.display())]
    #[diagnostic(
        code(spikeloom::convert::format),
        help("end it with `.nir`, or with `.yaml` for a network in the native format")
    )]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The extension of the arrays.
    #[error("the name of {} says no format of arrays", path.display())]
    #[diagnostic(
        code(spikeloom::convert::arrays),
        help("end it with `.npz` or `.safetensors`")
    )]
    Arrays {
        /// The file.
        path: PathBuf,
    },
    /// A file of arrays beside a NIR file.
    #[error("a NIR file holds its weights itself")]
    #[diagnostic(
        code(spikeloom::convert::arrays_of_nir),
        help("leave `--weights` out, or give the output the extension `.yaml`")
    )]
    ArraysOfNir,
}

impl Target {
    /// What two file names mean.
    ///
    /// # Errors
    /// If an extension says no format, or both do not go together.
    pub fn new(path: &Path, arrays: Option<&Path>) -> Result<Self, TargetError> {
        let extension = path.extension().and_then(|e| e.to_str());
        let path = path.to_owned();
        match extension {
            Some("nir") if arrays.is_some() => Err(TargetError::ArraysOfNir),
            Some("nir") => Ok(Self::Nir { path }),
            Some("yaml" | "yml") => {
                let default = path.with_extension(ArchiveFormat::Npz.extension());
                let arrays = arrays.map_or(default, Path::to_owned);
                match ArchiveFormat::of(&arrays.to_string_lossy()) {
                    Some(format) => Ok(Self::Native {
                        path,
                        arrays,
                        format,
                    }),
                    None => Err(TargetError::Arrays { path: arrays }),
                }
            }
            _ => Err(TargetError::Format { path }),
        }
    }
}

/// Whether [`save`] may write there.
///
/// # Errors
/// If something is at the place of a file that may not be replaced.
pub fn check(target: &Target, force: bool) -> Result<(), CommandError> {
    let outputs = Outputs::new(force);
    match target {
        Target::Nir { path } => outputs.check(path),
        Target::Native { path, arrays, .. } => outputs.check(path).and(outputs.check(arrays)),
    }
}

/// Writes a network, and says into which files and what changed.
///
/// # Errors
/// If the format cannot hold it, or if a file cannot be written; none is then left.
pub fn save(
    network: &Network,
    target: &Target,
    force: bool,
) -> miette::Result<(Vec<PathBuf>, Vec<Remark>)> {
    let mut outputs = Outputs::new(force);
    let mut files = Vec::new();
    let mut remarks = Vec::new();
    match target {
        Target::Nir { path } => {
            let (bytes, more) = nir::write(network)?;
            remarks = more;
            outputs.add(path, &bytes)?;
            files.push(path.clone());
        }
        Target::Native {
            path,
            arrays,
            format,
        } => {
            let shown = seen_from(path, arrays)?;
            let written = native::write(network, *format, &shown)?;
            // First what the text names, so that it never names a file that is not there yet.
            if let Some(bytes) = &written.arrays {
                outputs.add(arrays, bytes)?;
                files.push(arrays.clone());
            }
            outputs.add(path, written.text.as_bytes())?;
            files.push(path.clone());
        }
    }
    outputs.publish()?;
    Ok((files, remarks))
}

/// How the file at `text` calls the file at `other`: from its folder, if that can be.
fn seen_from(text: &Path, other: &Path) -> Result<String, CommandError> {
    if other.is_absolute() {
        return Ok(other.to_string_lossy().into_owned());
    }
    let folder = |path: &Path| {
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        parent
            .canonicalize()
            .map_err(|source| CommandError::Unwritable {
                path: path.to_owned(),
                source,
            })
    };
    let (from, to) = (folder(text)?, folder(other)?);
    let parts = |path: &Path| -> Vec<String> {
        let normal = path.components().filter_map(|part| match part {
            Component::Normal(part) => Some(part.to_string_lossy().into_owned()),
            _ => None,
        });
        normal.collect()
    };
    let (from, to) = (parts(&from), parts(&to));
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut way = vec![String::from(".."); from.len() - shared];
    way.extend(to[shared..].iter().cloned());
    let name = other.file_name().unwrap_or_default();
    way.push(name.to_string_lossy().into_owned());
    Ok(way.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_named_from_the_folder_of_the_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        };
        let seen = |text: &str, other: &str| seen_from(&path(text), &path(other)).unwrap();
        // Absolute names stay as they are.
        assert_eq!(Path::new(&seen("a/net.yaml", "b/w.npz")), path("b/w.npz"));
        assert_eq!(
            seen_from(Path::new("net.yaml"), Path::new("./w.npz")).unwrap(),
            "w.npz"
        );
        assert_eq!(
            seen_from(Path::new("src/net.yaml"), Path::new("tests/w.npz")).unwrap(),
            "../tests/w.npz"
        );
        assert_eq!(
            seen_from(Path::new("net.yaml"), Path::new("src/w.npz")).unwrap(),
            "src/w.npz"
        );
        assert!(seen_from(Path::new("net.yaml"), Path::new("nowhere/w.npz")).is_err());
    }

    #[test]
    fn extensions_say_the_format() {
        let target =
            |path: &str, arrays: Option<&str>| Target::new(Path::new(path), arrays.map(Path::new));
        assert!(matches!(target("a.nir", None), Ok(Target::Nir { .. })));
        let Ok(Target::Native { arrays, format, .. }) = target("x/a.yaml", None) else {
            panic!("a network");
        };
        assert_eq!(
            (arrays.as_path(), format),
            (Path::new("x/a.npz"), ArchiveFormat::Npz)
        );
        assert!(target("a.yml", Some("b.safetensors")).is_ok());
        assert!(matches!(
            target("a.yml", Some("b.bin")),
            Err(TargetError::Arrays { .. })
        ));
        assert!(matches!(
            target("a.nir", Some("b.npz")),
            Err(TargetError::ArraysOfNir)
        ));
        assert!(matches!(target("a", None), Err(TargetError::Format { .. })));
    }
}
