//! The models and data that the project carries for its tests.

use std::path::{Path, PathBuf};

/// The folder of this crate, which holds the models, data and cases.
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of the project's test models.
pub fn models() -> PathBuf {
    folder().join("models")
}

/// A file or folder of the test data.
pub fn data(name: &str) -> PathBuf {
    folder().join("data").join(name)
}

/// All model files with their names, in a fixed order.
pub fn model_files() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for folder in std::fs::read_dir(models()).unwrap() {
        let folder = folder.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(&folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "nir") {
                let name = path.strip_prefix(models()).unwrap().display().to_string();
                files.push((name.replace('\\', "/"), std::fs::read(path).unwrap()));
            }
        }
    }
    files.sort();
    assert!(files.len() >= 15, "the models are missing");
    files
}

/// The bytes of all files of `tests/hostile`, which no writer of models makes.
pub fn hostile_files() -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(folder().join("hostile")).unwrap();
    let mut paths: Vec<PathBuf> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "nir"))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}
