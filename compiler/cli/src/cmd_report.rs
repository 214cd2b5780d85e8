//! `spikeloom report`.

use std::path::PathBuf;

use spikeloom::Build;
use spikeloom::files::Outputs;
use spikeloom::page::page;

/// Writes a build folder's figures and pictures as one page of HTML.
///
/// What the design takes of the device, part by part in the network's own names; the floorplan; the
/// slowest path; memories; the time of every step; the tools' versions. The same figures are in
/// `report.json` under stable names.
#[derive(Debug, clap::Args)]
pub struct Report {
    /// The build folder.
    #[arg(value_name = "BUILD", default_value = "build")]
    build: PathBuf,
    /// Where the page goes [default: report.html in the build folder].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Report {
    pub fn run(&self) -> miette::Result<()> {
        let build = Build::read(&self.build)?;
        let text = page(&build)?;
        let path = self.output.clone();
        let path = path.unwrap_or_else(|| self.build.join("report.html"));
        let mut outputs = Outputs::new(true);
        outputs.add(&path, text.as_bytes())?;
        outputs.publish()?;
        eprintln!("wrote {}", path.display());
        Ok(())
    }
}
