use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;

/// A design to be built: everything that decides the model, and nothing that does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The top module.
    pub top: String,
    /// Files as (name, text). `.v` and `.sv` are compiled in this order, `.vlt` holds waivers, any
    /// other file is there to be included.
    pub verilog: Vec<(String, String)>,
    /// Memory images as (name, contents). The name is the string literal which the Verilog gives
    /// to `$readmemh` or `$readmemb`; it is replaced by the path of the cached copy, so that the
    /// simulation depends on no current directory.
    pub images: Vec<(String, Vec<u8>)>,
    /// Macros, as if by `` `define ``; an empty value defines the bare name.
    pub defines: BTreeMap<String, String>,
    /// Compile wave output in. Costs build time, and speed only while a wave is open.
    pub trace: bool,
    /// Compile assertions in (`assert`, `cover` is ignored). An order of magnitude slower when a
    /// design has many.
    pub assertions: bool,
    /// Build time against run time.
    pub optimisation: Optimisation,
    /// What to do with Verilator's warnings.
    pub warnings: Warnings,
}

/// How hard the C++ compiler works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Optimisation {
    /// [`FastRun`](Self::FastRun) for what a core's RTL amounts to, [`FastBuild`](Self::FastBuild)
    /// when Verilator writes megabytes of C++, as for a netlist of thousands of cells.
    #[default]
    Automatic,
    /// `-O1`. `-O0` would save little of the time that a compiler takes for headers and parsing,
    /// and costs a factor of four to ten in speed.
    FastBuild,
    /// `-O2`. No faster than `-O1` on netlists, slower to build by half.
    FastRun,
}

/// What to do with Verilator's warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Warnings {
    /// Keep them for [`Model::warnings`](crate::Model::warnings). Netlists written by synthesis
    /// tools warn by the thousand.
    #[default]
    Report,
    /// Fail on any, all lint rules on. A `.vlt` file among the sources can waive some.
    Deny,
}

impl Source {
    /// A source without files, tracing and assertions.
    pub fn new(top: impl Into<String>) -> Self {
        Self {
            top: top.into(),
            verilog: Vec::new(),
            images: Vec::new(),
            defines: BTreeMap::new(),
            trace: false,
            assertions: false,
            optimisation: Optimisation::default(),
            warnings: Warnings::default(),
        }
    }

    /// Checks every name before any reaches a path or a command line.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let bad = |what, name: &str, reason| {
            Err(Error::BadName {
                what,
                name: name.to_owned(),
                reason,
            })
        };
        if self.top.is_empty() || self.top.starts_with('-') {
            return bad("module name", &self.top, "it is empty or starts with `-`");
        }
        let mut names = BTreeSet::new();
        let files = self.verilog.iter().map(|(name, _)| ("file name", name));
        let images = self.images.iter().map(|(name, _)| ("image name", name));
        for (what, name) in files.chain(images) {
            if name.is_empty() || name.starts_with(['-', '.']) {
                return bad(what, name, "it is empty or starts with `-` or `.`");
            }
            // Images may be named by a relative path in the Verilog; they are stored by hash.
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            if what == "file name" && !name.chars().all(plain) {
                return bad(
                    what,
                    name,
                    "it has a character outside letters, digits, `_-.`",
                );
            }
            if name.contains(['"', '\\', '\n', '\0']) {
                return bad(what, name, "it cannot stand in a Verilog string");
            }
            if !names.insert(name) {
                return bad(what, name, "it is there twice");
            }
        }
        for (name, value) in &self.defines {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(word) {
                return bad("macro name", name, "it is not an identifier");
            }
            if value.contains(['\n', '\0']) {
                return bad("macro value", value, "it has a line break");
            }
        }
        if !self.verilog.iter().any(|(name, _)| is_design(name)) {
            return Err(Error::NoVerilog {
                top: self.top.clone(),
            });
        }
        Ok(())
    }
}

/// Whether a file goes on Verilator's command line as a part of the design.
pub(crate) fn is_design(name: &str) -> bool {
    name.ends_with(".v") || name.ends_with(".sv")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str) -> Source {
        let mut source = Source::new("top");
        source.verilog.push((name.to_owned(), String::new()));
        source
    }

    #[test]
    fn names_that_could_leave_the_cache_or_become_options_are_refused() {
        for name in ["../a.v", "/a.v", "-a.v", ".a.v", "", "a b.v", "a\".v"] {
            assert!(
                matches!(source(name).check(), Err(Error::BadName { .. })),
                "{name:?}"
            );
        }
        assert!(source("a-1_b.sv").check().is_ok());
        assert!(matches!(
            source("a.vlt").check(),
            Err(Error::NoVerilog { .. })
        ));
    }

    #[test]
    fn macros_and_tops_are_checked() {
        let mut macros = source("a.v");
        macros.defines.insert("A B".to_owned(), String::new());
        assert!(matches!(
            macros.check(),
            Err(Error::BadName {
                what: "macro name",
                ..
            })
        ));
        let mut top = source("a.v");
        top.top = "-x".to_owned();
        assert!(matches!(
            top.check(),
            Err(Error::BadName {
                what: "module name",
                ..
            })
        ));
    }

    #[test]
    fn a_name_is_there_once() {
        let mut twice = source("a.v");
        twice.images.push(("a.v".to_owned(), Vec::new()));
        assert!(matches!(twice.check(), Err(Error::BadName { .. })));
    }
}
