//! Models as users give them: a NIR file, a network in the native format, or a project file that
//! names one of them.

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use spikeloom_frontend::arrays::ArchiveFormat;
use spikeloom_frontend::{MAX_MODEL_BYTES, MAX_TEXT_BYTES, ProjectFile, Remark, native};
use spikeloom_ir::Network;
use thiserror::Error;

use crate::build::file;
use crate::data::aer::Sensor;
use crate::data::{self, DataSet, Taken};
use crate::error::Error as CommandError;
use crate::files;

/// A model, unread.
#[derive(Debug, Clone)]
pub enum Model {
    /// A NIR file.
    Nir {
        /// Its bytes.
        bytes: Vec<u8>,
        /// What the network is called unless something else says it.
        name: String,
    },
    /// A network in the native format.
    Native {
        /// The YAML.
        text: String,
        /// Where it stands; the files of arrays that it names are relative to its folder.
        path: PathBuf,
    },
}

/// A model together with how it is to be read and compiled.
#[derive(Debug, Clone)]
pub struct Given {
    /// The model.
    pub model: Model,
    /// The settings, the command line's over the project file's, with paths from the current folder.
    pub project: ProjectFile,
}

/// A project file that names another where a model is wanted.
#[derive(Debug, Error, Diagnostic)]
#[error("{} names the model {}, which is a project file itself", project.display(), model.display())]
#[diagnostic(
    code(spikeloom::model_is_project),
    help(
        "name a NIR file, or a network, whose first line is `format: {}`",
        native::FORMAT
    )
)]
pub struct ModelIsProject {
    project: PathBuf,
    model: PathBuf,
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "yaml" || e == "yml")
}

impl Given {
    /// Reads what `path` names, with `flags` put over what a project file says.
    ///
    /// # Errors
    /// If a file cannot be read, or a project file is wrong or names no model.
    pub fn read(path: &Path, flags: ProjectFile) -> miette::Result<Self> {
        let mut project = flags;
        let mut model_path = path.to_owned();
        if is_yaml(path) {
            let text = files::read_text(path, MAX_TEXT_BYTES)?;
            if native::is_network(&text) {
                project.model = Some(path.to_string_lossy().into_owned());
                let model = Model::Native {
                    text,
                    path: path.to_owned(),
                };
                return Ok(Self { model, project });
            }
            let file = project_file(&text, path)?;
            project = file.overridden_by(project);
            let model = project.model.as_deref().ok_or(CommandError::NoModel)?;
            model_path = PathBuf::from(model);
        }
        project.model = Some(model_path.to_string_lossy().into_owned());
        let model = Model::read(&model_path)?;
        if let Model::Native { text, .. } = &model
            && !native::is_network(text)
            // What is no YAML at all is told when it is loaded.
            && ProjectFile::parse(text, "").is_ok()
        {
            return Err(ModelIsProject {
                project: path.to_owned(),
                model: model_path,
            }
            .into());
        }
        Ok(Self { model, project })
    }

    /// The samples that the settings name, on which scales are chosen.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn calibration(&self) -> miette::Result<Option<DataSet>> {
        let calibration = self.project.calibration.as_ref();
        let Some(path) = calibration.and_then(|c| c.data.as_deref()) else {
            return Ok(None);
        };
        let path = Path::new(path);
        Ok(Some(match self.model.load(&self.project) {
            Ok((network, _)) => {
                let mut data = data::read_for(&network, path, None, &Sensor::default())?;
                let own = network.input.of_samples();
                // What does not fit is told later, as it is.
                if data.samples.check(&own, network.ticks, path).is_ok() {
                    data.samples.silence_teacher(&network.input);
                }
                data
            }
            // A model that cannot be read is told later, as such.
            Err(_) => data::read(path, None, &Taken::default())?,
        }))
    }
}

/// A project file, whose paths are relative to it.
fn project_file(text: &str, path: &Path) -> miette::Result<ProjectFile> {
    let mut file = ProjectFile::parse(text, &path.to_string_lossy())?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let beside = |path: &mut Option<String>| {
        if let Some(p) = path {
            *p = folder.join(&*p).to_string_lossy().into_owned();
        }
    };
    beside(&mut file.model);
    beside(&mut file.output);
    if let Some(calibration) = &mut file.calibration {
        beside(&mut calibration.data);
    }
    Ok(file)
}

impl Model {
    /// Reads a NIR file or, where the name ends with `.yaml`, a network.
    ///
    /// # Errors
    /// If the file cannot be read or is far too long for a model.
    pub fn read(path: &Path) -> Result<Self, CommandError> {
        if is_yaml(path) {
            return Ok(Self::Native {
                text: files::read_text(path, MAX_TEXT_BYTES)?,
                path: path.to_owned(),
            });
        }
        Ok(Self::Nir {
            bytes: files::read(path, MAX_MODEL_BYTES)?,
            name: stem(path),
        })
    }

    /// The real-valued network, with remarks.
    ///
    /// # Errors
    /// Everything that is wrong with the model, or else with the settings.
    pub fn load(
        &self,
        project: &ProjectFile,
    ) -> Result<(Network, Vec<Remark>), spikeloom_frontend::Error> {
        match self {
            Self::Nir { bytes, name } => spikeloom_frontend::load(bytes, &project.options(name)),
            Self::Native { text, path } => {
                let folder = path.parent().unwrap_or(Path::new(""));
                let mut read = |name: &str| read_beside(&folder.join(name));
                let shown = path.to_string_lossy();
                native::load(text, &shown, project, &stem(path), &mut read)
            }
        }
    }

    /// The model as it is kept in a build folder: names and contents, that of the model first.
    ///
    /// A network is written anew, so that its arrays stand beside it wherever they were.
    ///
    /// # Errors
    /// If the network, which the model was read into, cannot be written.
    pub fn to_files(
        &self,
        network: &Network,
    ) -> Result<Vec<(&'static str, Vec<u8>)>, spikeloom_frontend::Error> {
        match self {
            Self::Nir { bytes, .. } => Ok(vec![(file::MODEL, bytes.clone())]),
            Self::Native { .. } => {
                let written = native::write(network, ArchiveFormat::Npz, file::MODEL_ARRAYS)?;
                let mut files = vec![(file::MODEL_TEXT, written.text.into_bytes())];
                files.extend(written.arrays.map(|bytes| (file::MODEL_ARRAYS, bytes)));
                Ok(files)
            }
        }
    }
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

/// A file of arrays, or why it cannot be read.
fn read_beside(path: &Path) -> Result<Vec<u8>, String> {
    // A pipe would be waited for.
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a file".to_owned());
    }
    files::read(path, MAX_MODEL_BYTES).map_err(|error| match error {
        CommandError::Unreadable { source, .. } => source.to_string(),
        CommandError::TooLong { limit, .. } => format!("it has more than {limit} bytes"),
        other => other.to_string(),
    })
}
