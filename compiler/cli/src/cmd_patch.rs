//! `spikeloom patch`.

use std::path::PathBuf;

use spikeloom::Build;
use spikeloom::patch::{PatchRequest, patch};

use spikeloom_frontend::ProjectFile;

use crate::args::{DataArgs, ToolArgs};
use crate::model_args::ModelOptions;

/// Puts new weights into a finished design, without synthesis or placing.
///
/// The weights are those of a network of the same shape, trained anew: a model, or arrays called
/// PROJECTION.weight, PROJECTION.bias and POPULATION.v_threshold, as far as they changed. They are
/// quantised for the circuit that is there; one that would need another circuit is refused.
#[derive(Debug, clap::Args)]
pub struct Patch {
    /// The build folder; it is replaced when everything succeeded.
    #[arg(value_name = "BUILD", default_value = "build")]
    build: PathBuf,
    /// A `.nir` or `.yaml` model, or an `.npz` or `.safetensors` of arrays.
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// Leave the build folder as it is, and write to another.
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
    /// Print what was done as JSON to standard output.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tools: ToolArgs,
    #[command(flatten, next_help_heading = "Of a `.nir` model")]
    model: ModelOptions,
}

impl Patch {
    pub fn run(&self) -> miette::Result<()> {
        let network = Build::read(&self.build)?.network;
        let calibration = self.data.read(&network)?;
        let output = self.output.as_ref().unwrap_or(&self.build);
        let patched = patch(&PatchRequest {
            folder: &self.build,
            weights: &self.weights,
            settings: &self.model.project(ProjectFile::default()),
            calibration: calibration.as_ref(),
            output,
            tools: self.tools.from,
        })?;
        if self.json {
            let json = serde_json::to_string_pretty(&patched).expect("it has string keys only");
            println!("{json}");
            return Ok(());
        }
        println!("design {} became {}", patched.from, patched.to);
        for name in patched.images.iter().chain(&patched.loaded) {
            println!("changed {name}");
        }
        println!(
            "quantised in {:.2} s, put in in {:.2} s, read back and equal in {:.2} s",
            patched.quantise_seconds, patched.replace_seconds, patched.check_seconds
        );
        eprintln!("wrote {}", output.display());
        Ok(())
    }
}
