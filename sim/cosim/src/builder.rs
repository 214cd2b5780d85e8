//! From Verilog text to a shared object, by way of the cache.
//!
//! `verilator_bin --cc` is called directly and its output compiled here, because Verilator's own
//! `--build` compiles its runtime anew for every model (4 to 5 s instead of 1 s) and needs make,
//! perl and python.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use crate::cache::{Cache, Key};
use crate::error::Error;
use crate::model::Model;
use crate::process;
use crate::source::{Optimisation, Source, Warnings, is_design};
use crate::verilator::Verilator;

const SHIM: &str = include_str!("shim/shim.cpp");
const RUNTIME_HEADER: &str = include_str!("shim/runtime.h");

/// Later versions give every word of a memory the same random bits, hashed from its name. A memory
/// with equal words hides wrong addresses, so their functions are replaced by the older ones, which
/// draw anew for each word. Without effect on versions that do not have them.
const UNIT_START: &str = "#include \"verilated.h\"\n\
    #define VL_SCOPED_RAND_RESET_I(bits, scope, salt) VL_RAND_RESET_I(bits)\n\
    #define VL_SCOPED_RAND_RESET_Q(bits, scope, salt) VL_RAND_RESET_Q(bits)\n\
    #define VL_SCOPED_RAND_RESET_W(bits, words, scope, salt) VL_RAND_RESET_W(bits, words)\n";

/// Bytes of generated C++ above which [`Optimisation::Automatic`] builds fast instead of running
/// fast, and above which the files are compiled in several processes.
///
/// One process for everything is best for small models: each further one parses Verilator's
/// headers again, which takes most of a second.
const LARGE_CXX_BYTES: u64 = 1_000_000;

/// Operations in one generated function. Compilers take time with the square of a function's size:
/// for 8000 random look-up tables 36 s without a limit, 17 s with this one and 10 s with 200, which
/// costs up to half of the speed, as values no longer stay in registers.
const OPERATIONS_PER_FUNCTION: &str = "5000";

/// Builds a model, or finds it in the cache.
///
/// The cache key covers every byte of `source`, the tools' versions and this crate's own C++, so
/// a hit is always right. A directory in `cache_dir` is complete or absent; a failed or killed
/// build leaves nothing that a later one could take for its result. Any number of threads and
/// processes may use one cache.
pub fn build(verilator: &Verilator, cache_dir: &Path, source: &Source) -> Result<Model, Error> {
    source.check()?;
    let cache = Cache::open(cache_dir)?;
    let verilog = place_images(&cache, source)?;
    let key = model_key(verilator, source, &verilog);
    let directory = cache.directory("models", &key, |directory| {
        Build {
            verilator,
            cache: &cache,
            source,
            verilog: &verilog,
            directory,
        }
        .run()
    })?;
    Model::load(&directory, &key, source)
}

/// Stores the images and puts their paths into the Verilog.
fn place_images(cache: &Cache, source: &Source) -> Result<Vec<(String, String)>, Error> {
    let mut verilog = source.verilog.clone();
    for (image, contents) in &source.images {
        let path = cache.image(image, contents)?;
        let old = format!("\"{image}\"");
        let new = path
            .display()
            .to_string()
            .replace('\\', "\\\\")
            .replace('"', "\\\"");
        let new = format!("\"{new}\"");
        let mut found = false;
        for (_, text) in &mut verilog {
            if text.contains(&old) {
                found = true;
                *text = text.replace(&old, &new);
            }
        }
        if !found {
            return Err(Error::ImageNotRead {
                top: source.top.clone(),
                image: image.clone(),
            });
        }
    }
    Ok(verilog)
}

/// The Verilog has the images' paths in it, hence also their contents' hashes.
fn model_key(verilator: &Verilator, source: &Source, verilog: &[(String, String)]) -> String {
    let mut key = Key::new("model 1")
        .with(verilator.identity())
        .with(SHIM)
        .with(RUNTIME_HEADER)
        .with(UNIT_START)
        .with(OPERATIONS_PER_FUNCTION)
        .with(&source.top)
        .with([u8::from(source.trace), u8::from(source.assertions)])
        .with(format!("{:?} {:?}", source.optimisation, source.warnings));
    for (name, value) in &source.defines {
        key = key.with("define").with(name).with(value);
    }
    for (name, text) in verilog {
        key = key.with("file").with(name).with(text);
    }
    key.finish()
}

struct Build<'a> {
    verilator: &'a Verilator,
    cache: &'a Cache,
    source: &'a Source,
    verilog: &'a [(String, String)],
    directory: &'a Path,
}

impl Build<'_> {
    fn run(&self) -> Result<(), Error> {
        let sources = self.directory.join("verilog");
        std::fs::create_dir(&sources).map_err(Error::io("create the directory", &sources))?;
        for (name, text) in self.verilog {
            write(&sources.join(name), text)?;
        }
        write(&self.directory.join("runtime.h"), RUNTIME_HEADER)?;

        // The runtime does not depend on the model: on a cold cache both are made at once.
        let (runtime, model) = thread::scope(|scope| {
            let runtime = scope.spawn(|| self.runtime_objects());
            let model = self.verilate().and_then(|cxx| self.compile_model(&cxx));
            (runtime.join(), model)
        });
        let model = model?;
        let runtime = runtime.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        self.link(&model, &runtime)?;

        // The generated C++ is a hundred times the size of the rest and serves nobody any more.
        let cxx = self.directory.join("cxx");
        std::fs::remove_dir_all(&cxx).map_err(Error::io("remove", &cxx))
    }

    /// Writes C++ into `cxx/` and returns its files, sorted.
    fn verilate(&self) -> Result<Vec<PathBuf>, Error> {
        let cxx = self.directory.join("cxx");
        let source = self.source;
        let mut command = self.verilator.verilate();
        // Relative names, so that messages and assertion failures name no directory of the cache.
        command.current_dir(self.directory.join("verilog"));
        command
            .args([
                "--cc",
                "--Mdir",
                "../cxx",
                "--prefix",
                "Vmodel",
                "--top-module",
            ])
            .arg(&source.top)
            .args([
                "-O3",
                "--x-assign",
                "unique",
                "--x-initial",
                "unique",
                "--no-timing",
            ])
            .args(["--timescale", "1ns/1ps", "-I."])
            .args(["--output-split-cfuncs", OPERATIONS_PER_FUNCTION]);
        command.arg(if source.assertions {
            "--assert"
        } else {
            "--no-assert"
        });
        if source.trace {
            // `$dumpvars` in the design is ignored: the host opens the wave.
            command.args(["--trace", "--trace-structs"]);
        }
        match source.warnings {
            Warnings::Report => command.args(["-Wno-fatal"]),
            Warnings::Deny => command.args(["-Wall"]),
        };
        for (name, value) in &source.defines {
            command.arg(match value.as_str() {
                "" => format!("-D{name}"),
                value => format!("-D{name}={value}"),
            });
        }
        command.args(
            self.verilog
                .iter()
                .map(|(name, _)| name)
                .filter(|name| is_design(name) || name.ends_with(".vlt")),
        );
        let printed = match process::run(&mut command) {
            Err(Error::ToolFailed { output, .. })
                if source.warnings == Warnings::Deny && only_warnings(&output) =>
            {
                return Err(Error::WarningsDenied {
                    top: source.top.clone(),
                    output,
                });
            }
            result => result?,
        };
        write(
            &self.directory.join("verilator.log"),
            &without_statistics(&printed),
        )?;

        let mut files = Vec::new();
        for entry in std::fs::read_dir(&cxx).map_err(Error::io("read", &cxx))? {
            let path = entry.map_err(Error::io("read", &cxx))?.path();
            if path.extension().is_some_and(|extension| extension == "cpp") {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    /// Compiles the model and the shim and returns the objects.
    fn compile_model(&self, files: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
        let cxx = self.directory.join("cxx");
        let header = cxx.join("Vmodel.h");
        let text = std::fs::read_to_string(&header).map_err(Error::io("read", &header))?;
        let ports = ports_header(&self.source.top, &text)?;
        write(&cxx.join("spikeloom_ports.h"), &ports)?;
        write(&cxx.join("spikeloom_shim.cpp"), SHIM)?;

        let mut sized = Vec::new();
        for file in files {
            let bytes = file.metadata().map_err(Error::io("read", file))?.len();
            sized.push((bytes, file.as_path()));
        }
        let total: u64 = sized.iter().map(|(bytes, _)| bytes).sum();
        let large = total > LARGE_CXX_BYTES;
        let level = match self.source.optimisation {
            Optimisation::FastRun => "-O2",
            Optimisation::Automatic if !large => "-O2",
            Optimisation::Automatic | Optimisation::FastBuild => "-O1",
        };
        let shim = cxx.join("spikeloom_shim.cpp");
        sized.push((SHIM.len() as u64, &shim));
        let mut units = Vec::new();
        if large {
            // What runs once (constructors, initial values, the first settling) is half of a
            // netlist's C++ and takes an optimiser as long as the other half.
            let (cold, hot): (Vec<_>, Vec<_>) =
                sized.into_iter().partition(|(_, file)| is_cold(file));
            let n_threads = thread::available_parallelism().map_or(1, usize::from);
            units.extend(
                balanced(&hot, n_threads)
                    .into_iter()
                    .map(|unit| (level, unit)),
            );
            units.extend(balanced(&cold, 1).into_iter().map(|unit| ("-O0", unit)));
        } else {
            units.extend(balanced(&sized, 1).into_iter().map(|unit| (level, unit)));
        }
        let mut commands = Vec::new();
        let mut objects = Vec::new();
        for (index, (level, unit)) in units.into_iter().enumerate() {
            let path = cxx.join(format!("spikeloom_unit_{index}.cpp"));
            let mut text = String::from(UNIT_START);
            for file in unit {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "#include \"{}\"", file.display());
            }
            write(&path, &text)?;
            let object = path.with_extension("o");
            let mut command = self.compile(level);
            command
                .arg("-I")
                .arg(&cxx)
                .arg("-c")
                .arg(&path)
                .arg("-o")
                .arg(&object);
            commands.push(command);
            objects.push(object);
        }
        run_all(commands)?;
        Ok(objects)
    }

    /// The part of Verilator's runtime that a model needs, compiled once for all models.
    fn runtime_objects(&self) -> Result<Vec<PathBuf>, Error> {
        let mut files = vec!["verilated.cpp", "verilated_threads.cpp"];
        if self.source.trace {
            files.push("verilated_vcd_c.cpp");
        }
        let flags = self.flags("-O2");
        let mut key = Key::new("runtime 1")
            .with(self.verilator.identity())
            .with(RUNTIME_HEADER);
        for flag in &flags {
            key = key.with(flag);
        }
        let directory = self
            .cache
            .directory("runtime", &key.finish(), |directory| {
                let commands = files
                    .iter()
                    .map(|file| {
                        let mut command = self.compile("-O2");
                        let object = directory.join(file).with_extension("o");
                        command
                            .arg("-c")
                            .arg(self.verilator.include(file))
                            .arg("-o")
                            .arg(object);
                        command
                    })
                    .collect();
                run_all(commands)
            })?;
        Ok(files
            .iter()
            .map(|file| directory.join(file).with_extension("o"))
            .collect())
    }

    fn link(&self, model: &[PathBuf], runtime: &[PathBuf]) -> Result<(), Error> {
        let mut command = self.verilator.compile();
        command
            // One process may hold models of several Verilator versions: no symbol may escape.
            .args([
                "-shared",
                "-Wl,-Bsymbolic",
                "-Wl,--exclude-libs,ALL",
                "-pthread",
                "-o",
            ])
            .arg(self.directory.join(Model::FILE))
            .args(model)
            .args(runtime);
        process::run(&mut command).map(drop)
    }

    fn compile(&self, level: &str) -> Command {
        let mut command = self.verilator.compile();
        command.args(self.flags(level));
        command
            .arg("-include")
            .arg(self.directory.join("runtime.h"));
        command.arg("-I").arg(self.verilator.include(""));
        command.arg("-I").arg(self.verilator.include("vltstd"));
        command
    }

    /// The options that decide what an object contains.
    fn flags(&self, level: &str) -> Vec<String> {
        let trace = u8::from(self.source.trace);
        let mut flags: Vec<String> = [
            level,
            "-std=gnu++17",
            "-fPIC",
            "-fvisibility=hidden",
            "-faligned-new",
            "-w",
            "-DVERILATOR=1",
            "-DVL_TIME_CONTEXT",
            "-DVM_COVERAGE=0",
            "-DVM_SC=0",
            "-DVM_TIMING=0",
            "-DVM_TRACE_FST=0",
            "-DVM_TRACE_SAIF=0",
            "-DVL_PRINTF=spikeloom_printf",
            "-DVL_USER_FATAL",
            "-DVL_USER_FINISH",
            "-DVL_USER_STOP",
        ]
        .map(str::to_owned)
        .into();
        flags.push(format!("-DVM_TRACE={trace}"));
        flags.push(format!("-DVM_TRACE_VCD={trace}"));
        if !self.verilator.is_clang() {
            // A unique symbol would be shared by all models of the process and pin them in memory.
            flags.push("-fno-gnu-unique".to_owned());
        }
        flags
    }
}

/// Runs commands side by side and reports the first failure in their order.
fn run_all(mut commands: Vec<Command>) -> Result<(), Error> {
    thread::scope(|scope| {
        let running: Vec<_> = commands
            .iter_mut()
            .map(|command| scope.spawn(move || process::run(command)))
            .collect();
        let results: Vec<_> = running
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect();
        results.into_iter().try_for_each(|result| result.map(drop))
    })
}

/// Whether a file holds only code that Verilator marks as running once.
fn is_cold(file: &Path) -> bool {
    file.to_str()
        .is_some_and(|name| name.ends_with("__Slow.cpp") || name.contains("__Syms"))
}

/// Splits files into at most `n` groups of about equal size; the order inside a group is kept.
fn balanced<'a>(files: &[(u64, &'a Path)], n: usize) -> Vec<Vec<&'a Path>> {
    let mut by_size: Vec<usize> = (0..files.len()).collect();
    by_size.sort_by_key(|&index| (std::cmp::Reverse(files[index].0), index));
    let mut groups = vec![(0, Vec::new()); n.max(1)];
    for index in by_size {
        if let Some(group) = groups.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            group.0 += files[index].0;
            group.1.push(index);
        }
    }
    groups
        .into_iter()
        .filter(|(_, group)| !group.is_empty())
        .map(|(_, mut group)| {
            group.sort_unstable();
            group.into_iter().map(|index| files[index].1).collect()
        })
        .collect()
}

/// The port table for the shim, from the section of Verilator's header that declares the ports.
fn ports_header(top: &str, header: &str) -> Result<String, Error> {
    let refused = |port: &str, kind| {
        Err(Error::UnsupportedPort {
            top: top.to_owned(),
            port: decoded(port),
            kind,
        })
    };
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut text = String::from("#include \"Vmodel.h\"\n#define SPIKELOOM_PORTS(PORT) \\\n");
    let section = header
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "// PORTS");
    let section = section.take_while(|line| *line != "// CELLS");
    for line in section.filter(|line| !line.is_empty() && !line.starts_with("//")) {
        // `VL_IN8(&name,msb,lsb);`, with a fourth argument when the port is wider than 64 bits.
        let Some((kind, rest)) = line
            .strip_prefix("VL_")
            .and_then(|line| line.split_once('('))
        else {
            // Later versions: `VlUnpacked<CData/*7:0*/, 4> &name;`, or another C++ type.
            let port = line.rsplit(|c| !word(c)).find(|part| !part.is_empty());
            let array = line.starts_with("VlUnpacked");
            let kind = if array {
                "an unpacked array"
            } else {
                "not a vector of bits"
            };
            return refused(port.unwrap_or_default(), kind);
        };
        let arguments = rest.trim_end_matches(';').trim_end_matches(')');
        let parts: Vec<&str> = arguments.trim_start_matches('&').split(',').collect();
        let name = parts.first().copied().unwrap_or_default();
        if !name.chars().all(word) {
            // 5.006: `VL_IN8((&name)[4],7,0);`
            let port = name.split(|c| !word(c)).find(|part| !part.is_empty());
            return refused(port.unwrap_or_default(), "an unpacked array");
        }
        let direction = match kind.trim_end_matches(|c: char| c == 'W' || c.is_ascii_digit()) {
            "IN" => 0,
            "OUT" => 1,
            _ => return refused(name, "bidirectional"),
        };
        let bound = |at: usize| parts.get(at).and_then(|bound| bound.parse::<i64>().ok());
        let (Some(msb), Some(lsb)) = (bound(1), bound(2)) else {
            return refused(name, "not a vector of bits");
        };
        let width = msb.abs_diff(lsb) + 1;
        let printed = decoded(name).replace('\\', "\\\\").replace('"', "\\\"");
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "    PORT({name}, \"{printed}\", {width}, {direction}) \\"
        );
    }
    text.push('\n');
    Ok(text)
}

/// Undoes Verilator's spelling of names that are no C++ identifiers.
///
/// `__` in a name and every odd character of an escaped name become `__0` and two hexadecimal
/// digits; a C++ keyword gets a prefix.
fn decoded(name: &str) -> String {
    let name = name.strip_prefix("__SYM__").unwrap_or(name);
    let mut rest = name;
    let mut text = String::new();
    while let Some(at) = rest.find("__0") {
        // The first underscore of `___05F` belongs to the name: take the last possible start.
        let underscores = rest[at..].len() - rest[at..].trim_start_matches('_').len();
        let at = at + underscores.saturating_sub(2);
        let code = rest
            .get(at + 3..at + 5)
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        let Some(code) = code else { break };
        text.push_str(&rest[..at]);
        text.push(char::from(code));
        rest = &rest[at + 5..];
    }
    text.push_str(rest);
    text.replace("__DOT__", ".")
        .replace("__BRA__", "[")
        .replace("__KET__", "]")
}

/// Whether Verilator stopped only because it had warned.
fn only_warnings(output: &str) -> bool {
    output
        .lines()
        .filter(|line| line.starts_with("%Error"))
        .all(|line| line.contains("Exiting due to") && line.contains("warning"))
}

/// Later versions print a report with times and sizes, also when nothing is wrong.
fn without_statistics(printed: &str) -> String {
    let mut text = String::new();
    for line in printed.lines().filter(|line| {
        !line.starts_with("- V e r i l a t i o n") && !line.starts_with("- Verilator: ")
    }) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(Error::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded() {
        assert_eq!(decoded("rx_data"), "rx_data");
        assert_eq!(decoded("a___05Fb"), "a__b");
        assert_eq!(decoded("esc__05b3__05d"), "esc[3]");
        assert_eq!(decoded("__SYM__class"), "class");
        assert_eq!(decoded("a__0"), "a__0");
        assert_eq!(decoded("u__DOT__x__BRA__3__KET__"), "u.x[3]");
    }

    #[test]
    fn ports_are_read_from_the_header() {
        let header = "class Vmodel {\n    // PORTS\n    VL_IN8(&clock,0,0);\n    VL_OUT8(&off,8,1);\n    \
                      VL_INW(&wide,95,0,3);\n    VL_OUT64(o64,63,0);\n";
        let text = ports_header("top", header).unwrap();
        assert!(text.contains("PORT(clock, \"clock\", 1, 0)"), "{text}");
        assert!(text.contains("PORT(off, \"off\", 8, 1)"), "{text}");
        assert!(text.contains("PORT(wide, \"wide\", 96, 0)"), "{text}");
        assert!(text.contains("PORT(o64, \"o64\", 64, 1)"), "{text}");
    }

    #[test]
    fn ports_that_cannot_be_driven_are_refused() {
        let refused = |line: &str| {
            let header = format!("    // PORTS\n    {line}\n\n    // CELLS\n    VL_X(&y);\n");
            match ports_header("top", &header) {
                Err(Error::UnsupportedPort { port, kind, .. }) => (port, kind),
                other => panic!("{line}: {other:?}"),
            }
        };
        let array = ("array".to_owned(), "an unpacked array");
        assert_eq!(
            refused("VL_INOUT8(&pad,0,0);"),
            ("pad".to_owned(), "bidirectional")
        );
        assert_eq!(refused("VL_IN8((&array)[4],7,0);"), array);
        assert_eq!(refused("VlUnpacked<CData/*7:0*/, 4> &array;"), array);
        assert_eq!(
            refused("double &real_x;"),
            ("real_x".to_owned(), "not a vector of bits")
        );
        assert!(ports_header("top", "// PORTS\n// CELLS\nVL_X(&y);\n").is_ok());
    }

    #[test]
    fn groups_are_balanced_and_keep_every_file() {
        let names = ["a", "b", "c", "d"].map(Path::new);
        let files = [(5, names[0]), (3, names[1]), (3, names[2]), (1, names[3])];
        let groups = balanced(&files, 2);
        assert_eq!(
            groups,
            vec![vec![names[0], names[3]], vec![names[1], names[2]]]
        );
        assert_eq!(balanced(&files, 1), vec![names.to_vec()]);
    }

    #[test]
    fn statistics_are_not_warnings() {
        let printed = "%Warning-X: a.v:1:1: y\n- V e r i l a t i o n   R e p o r t: z\n\
                       - Verilator: Walltime 0.011 s\n";
        assert_eq!(without_statistics(printed), "%Warning-X: a.v:1:1: y\n");
    }
}
