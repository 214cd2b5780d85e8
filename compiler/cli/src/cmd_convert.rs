//! `spikeloom convert`.

use std::path::PathBuf;

use spikeloom::convert::{Target, convert};
use spikeloom_frontend::ProjectFile;

use crate::model_args::{Loaded, ModelArgs};

/// Writes a model in another format: a NIR file as a network in the native format, or the other way
/// round.
///
/// What is written is read again and compared: a network that the other format cannot hold is
/// refused, and what changes is remarked.
#[derive(Debug, clap::Args)]
pub struct Convert {
    #[command(flatten)]
    model: ModelArgs,
    /// The file to write: `.nir`, or `.yaml` for a network in the native format.
    #[arg(value_name = "OUTPUT")]
    output: PathBuf,
    /// Where the arrays of a network go: `.npz` or `.safetensors`; by default beside the `.yaml`
    /// file, with its name and the extension `.npz`.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Replace files that are there.
    #[arg(long)]
    force: bool,
}

impl Convert {
    pub fn run(&self) -> miette::Result<()> {
        let target = Target::new(&self.output, self.weights.as_deref())?;
        let Loaded { project, model, .. } = self.model.load(ProjectFile::default())?;
        let converted = convert(&model, &project, &target, self.force)?;
        for remark in &converted.remarks {
            eprintln!("remark: {remark}");
        }
        for path in &converted.files {
            eprintln!("wrote {}", path.display());
        }
        Ok(())
    }
}
