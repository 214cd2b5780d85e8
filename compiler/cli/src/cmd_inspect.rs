//! `spikeloom inspect`.

use std::path::PathBuf;

use spikeloom::{Given, Model};
use spikeloom_frontend::{ProjectFile, inspect, native};

/// Describes a model: nodes or populations, shapes, parameters, what is wrong with it.
#[derive(Debug, clap::Args)]
pub struct Inspect {
    /// A `.nir` file, a network in the native format, or a project file that names one of them.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Print the description as JSON.
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub fn run(&self) -> miette::Result<()> {
        let Given { model, project } = Given::read(&self.model, ProjectFile::default())?;
        match &model {
            Model::Nir { bytes, .. } => self.print(&inspect(bytes)?),
            Model::Native { .. } => {
                let (network, remarks) = model.load(&project)?;
                self.print(&native::inspect(&network, remarks));
            }
        }
        Ok(())
    }

    fn print<T: serde::Serialize + std::fmt::Display>(&self, inspection: &T) {
        if self.json {
            let json = serde_json::to_string_pretty(inspection)
                .expect("an inspection has string keys only");
            println!("{json}");
        } else {
            println!("{inspection}");
        }
    }
}
