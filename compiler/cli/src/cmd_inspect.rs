//! `spikeloom inspect`.

use std::path::PathBuf;

use spikeloom::Error;

/// Describes a model file: nodes, shapes, parameters, what is wrong with it.
#[derive(Debug, clap::Args)]
pub struct Inspect {
    /// A `.nir` file.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Print the description as JSON.
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub fn run(&self) -> miette::Result<()> {
        let bytes = std::fs::read(&self.model).map_err(|source| Error::Unreadable {
            path: self.model.clone(),
            source,
        })?;
        let inspection = spikeloom_frontend::inspect(&bytes)?;
        if self.json {
            let json = serde_json::to_string_pretty(&inspection)
                .expect("an inspection has string keys only");
            println!("{json}");
        } else {
            println!("{inspection}");
        }
        Ok(())
    }
}
