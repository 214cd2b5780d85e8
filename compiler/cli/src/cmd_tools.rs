//! `spikeloom tools`.

use spikeloom_bitstreams::Toolchain;

use crate::args::ToolArgs;

/// Manages the external tools: Yosys, nextpnr, icestorm, Verilator.
#[derive(Debug, clap::Args)]
pub struct Tools {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Installs pinned versions into the user's cache.
    ///
    /// As root it also installs the system packages that are needed and missing: a C++ compiler,
    /// Python, or with `--from apt` the tools themselves.
    Install(Install),
}

#[derive(Debug, clap::Args)]
struct Install {
    #[command(flatten)]
    tools: ToolArgs,
}

impl Tools {
    pub fn run(&self) -> miette::Result<()> {
        let Action::Install(install) = &self.action;
        let tools = Toolchain::install(install.tools.from, &mut |text| eprintln!("{text}"))?;
        for (name, version) in tools.versions() {
            println!("{name:<22} {version}");
        }
        Ok(())
    }
}
