//! `spikeloom convert`.

use spikeloom_frontend::ProjectFile;

use crate::args::OutputArgs;
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
    #[command(flatten)]
    output: OutputArgs,
}

impl Convert {
    pub fn run(&self) -> miette::Result<()> {
        let target = self.output.target()?;
        let Loaded { project, model, .. } = self.model.load(ProjectFile::default())?;
        let (network, remarks) = model.load(&project)?;
        self.output.deliver(&network, &target, remarks, || {})
    }
}
