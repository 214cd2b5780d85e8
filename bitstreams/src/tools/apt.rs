//! Debian's packages: the alternative set of tools, and what both sets need from Debian.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Resource, ToolSource, Toolchain, compiler, is_root, search_path, trial};
use crate::error::Error;
use crate::process::{Program, Run};

const DATABASE: &str = "fpga-icestorm-chipdb";

/// Where distributions and icestorm's own build put the database.
const DATABASE_FOLDERS: &[&str] = &[
    "/usr/share/fpga-icestorm/chipdb",
    "/usr/share/icebox",
    "/usr/local/share/icebox",
];

/// (tool, package, file)
const TOOLS: &[(&str, &str, &str)] = &[
    ("yosys", "yosys", "/usr/bin/yosys"),
    ("nextpnr-ice40", "nextpnr-ice40", "/usr/bin/nextpnr-ice40"),
    ("icepack", "fpga-icestorm", "/usr/bin/icepack"),
    ("iceunpack", "fpga-icestorm", "/usr/bin/iceunpack"),
    ("verilator", "verilator", "/usr/bin/verilator_bin"),
];

const YOSYS_SHARE: &str = "/usr/share/yosys";
const VERILATOR_ROOT: &str = "/usr/share/verilator";

/// Everything that decides what is looked for. Versions are the release's.
pub(super) fn wanted() -> String {
    format!("{TOOLS:?}{YOSYS_SHARE}{VERILATOR_ROOT}{DATABASE}")
}

pub(super) fn wanted_versions() -> Vec<(String, String)> {
    let mut wanted: Vec<_> = TOOLS
        .iter()
        .map(|(tool, package, _)| ((*tool).to_owned(), format!("Debian's {package}")))
        .collect();
    wanted.extend(shared_wanted_versions());
    wanted
}

/// What both sources take from the system.
pub(super) fn shared_wanted_versions() -> Vec<(String, String)> {
    vec![
        (DATABASE.to_owned(), format!("Debian's {DATABASE}")),
        ("c++".to_owned(), "a C++17 compiler".to_owned()),
    ]
}

pub(super) fn install(progress: &mut dyn FnMut(&str)) -> Result<Toolchain, Error> {
    let mut missing: Vec<&str> = TOOLS
        .iter()
        .filter(|(_, _, file)| !Path::new(file).is_file())
        .map(|(_, package, _)| *package)
        .chain((!Path::new(DATABASE_FOLDERS[0]).is_dir()).then_some(DATABASE))
        .collect();
    // One package has two of the tools.
    missing.dedup();
    if !missing.is_empty() {
        install_packages(&missing, "the tools from Debian", progress)?;
    }
    let compiler = compiler(progress)?;
    let mut programs = Vec::new();
    for (tool, package, file) in TOOLS {
        progress(&format!("trying {tool}"));
        let mut program = Program::plain(tool, *file);
        if *tool == "verilator" {
            program.environment =
                BTreeMap::from([("VERILATOR_ROOT".to_owned(), VERILATOR_ROOT.to_owned())]);
        }
        program.version = package_version(package)?;
        trial(&program)?;
        programs.push(program);
    }
    let [yosys, nextpnr_ice40, icepack, iceunpack, verilator] =
        programs.try_into().map_err(|programs: Vec<Program>| {
            Error::malformed("the list of tools", format!("{} entries", programs.len()))
        })?;
    Ok(Toolchain {
        source: ToolSource::Apt,
        yosys,
        yosys_share: YOSYS_SHARE.into(),
        nextpnr_ice40,
        icepack,
        iceunpack,
        ice40_database: Resource {
            name: DATABASE.to_owned(),
            version: package_version(DATABASE)?,
            path: DATABASE_FOLDERS[0].into(),
        },
        // Debian has nothing for placing on the other families.
        others: Vec::new(),
        verilator,
        verilator_root: VERILATOR_ROOT.into(),
        compiler,
        prover: None,
    })
}

/// Unpacks Debian's package of the database into `partial`, which will be moved to `place`. This
/// needs no root. Without apt-get, a database installed otherwise is taken.
pub(super) fn ice40_database(
    partial: &Path,
    place: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Resource, Error> {
    progress("getting the iCE40 database (8 MB, 110 MB unpacked)");
    let (Some(apt), Some(dpkg)) = (search_path(&["apt-get"]), search_path(&["dpkg-deb"])) else {
        return installed_database();
    };
    let apt = Program::plain("apt-get", apt);
    let dpkg = Program::plain("dpkg-deb", dpkg);
    let downloads = partial.join("downloads");
    std::fs::create_dir(&downloads).map_err(Error::io("create", &downloads))?;
    let download = || {
        Run::new(&apt)
            .arguments(["download", DATABASE])
            .folder(&downloads)
            .output()
    };
    let mut tried = download();
    if tried.is_err() && is_root() {
        // A fresh container has no list of packages.
        tried = Run::new(&apt).arguments(["update"]).output();
        if tried.is_ok() {
            tried = download();
        }
    }
    if let Err(error) = tried {
        return installed_database().map_err(|_| Error::NotFetched {
            what: DATABASE.to_owned(),
            origin: "Debian",
            output: error.into_output(),
            alternative: format!(
                "run `sudo apt-get update` if the list of packages is old, or install icestorm so \
                 that `chipdb-5k.txt` and `chipdb-8k.txt` are in one of {}",
                DATABASE_FOLDERS.join(", ")
            ),
        });
    }
    let package = std::fs::read_dir(&downloads)
        .map_err(Error::io("list", &downloads))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|e| e == "deb"))
        .ok_or_else(|| Error::malformed("apt-get download", "no package was left behind"))?;
    let version = Run::new(&dpkg)
        .arguments(["--field"])
        .arguments([&package])
        .arguments(["Version"])
        .output()?;
    let unpacked = partial.join("database");
    Run::new(&dpkg)
        .arguments(["-x".as_ref(), package.as_os_str(), unpacked.as_os_str()])
        .output()?;
    std::fs::remove_dir_all(&downloads).map_err(Error::io("remove", &downloads))?;
    Ok(Resource {
        name: DATABASE.to_owned(),
        version: version.trim().to_owned(),
        path: place.join("database").join(
            DATABASE_FOLDERS[0]
                .strip_prefix('/')
                .expect("the folder is absolute"),
        ),
    })
}

fn installed_database() -> Result<Resource, Error> {
    DATABASE_FOLDERS
        .iter()
        .map(PathBuf::from)
        .find(|folder| {
            folder.join("chipdb-5k.txt").is_file() && folder.join("chipdb-8k.txt").is_file()
        })
        .map(|path| Resource {
            name: DATABASE.to_owned(),
            version: "installed by the system".to_owned(),
            path,
        })
        .ok_or_else(|| Error::ProgramMissing {
            program: DATABASE.to_owned(),
            purpose: "decoding bitstreams",
            remedy: format!(
                "on Debian and Ubuntu `apt-get download` gets it; elsewhere install icestorm so \
                 that `chipdb-5k.txt` and `chipdb-8k.txt` are in one of {}",
                DATABASE_FOLDERS.join(", ")
            ),
        })
}

/// Installs packages when this process may, and says the command when not.
pub(super) fn install_packages(
    packages: &[&str],
    purpose: &'static str,
    progress: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    let list = packages.join(" ");
    let refused = || Error::ProgramMissing {
        program: list.clone(),
        purpose,
        remedy: format!("run `sudo apt-get install {list}` and try again"),
    };
    let apt = search_path(&["apt-get"]).ok_or_else(refused)?;
    if !is_root() {
        return Err(refused());
    }
    let mut apt = Program::plain("apt-get", apt);
    apt.environment = BTreeMap::from([("DEBIAN_FRONTEND".to_owned(), "noninteractive".to_owned())]);
    progress(&format!("installing {list} with apt-get"));
    let install = || {
        Run::new(&apt)
            .arguments(["install", "--yes", "--no-install-recommends"])
            .arguments(packages.iter().copied())
            .limit(Duration::from_secs(1800))
            .output()
    };
    let mut tried = install();
    if tried.is_err() {
        tried = Run::new(&apt).arguments(["update"]).output();
        if tried.is_ok() {
            tried = install();
        }
    }
    tried.map(drop).map_err(|error| Error::NotFetched {
        what: list,
        origin: "Debian",
        output: error.into_output(),
        alternative: "install them in another way, or take the tools from PyPI with `spikeloom \
                      tools install --from pypi`"
            .to_owned(),
    })
}

fn package_version(package: &str) -> Result<String, Error> {
    let query = search_path(&["dpkg-query"]).ok_or_else(|| Error::ProgramMissing {
        program: "dpkg-query".to_owned(),
        purpose: "the tools from Debian",
        remedy: "use `--from pypi`".to_owned(),
    })?;
    let version = Run::new(&Program::plain("dpkg-query", query))
        .arguments(["--show", "--showformat=${Version}", package])
        .output()?;
    Ok(version.trim().to_owned())
}
