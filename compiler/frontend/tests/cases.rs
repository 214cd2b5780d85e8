//! Bad models and project files, one file a case, with what the user gets to read.
//!
//! A new case is a new file in `cases/error` (a NIR graph written as YAML, see
//! `spikeloom_tests::nir_file`, with `options` as in a project file) or in `cases/project` (a project
//! file as it is). Good ones may stand there too: their remarks are shown.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

use std::path::Path;

use serde_yaml::Mapping;
use spikeloom_frontend::{ProjectFile, load};
use spikeloom_tests::{nir_file, render};

#[test]
fn bad_models_are_explained() {
    insta::glob!("cases/error/*.yaml", |path| {
        insta::assert_snapshot!(report_on_model(path));
    });
}

fn report_on_model(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let case: Mapping = serde_yaml::from_str(&text).unwrap();
    let options = match case.get("options") {
        Some(options) => serde_yaml::to_string(options).unwrap(),
        None => "{semantics: snntorch, reset: subtract, encoding: direct, ticks: 25}".to_owned(),
    };
    let options = ProjectFile::parse(&options, "options")
        .unwrap()
        .options("case");
    match load(&nir_file(&case), &options) {
        Ok((_, remarks)) => {
            let remarks: Vec<String> = remarks.iter().map(|r| format!("{}: {r}", r.code)).collect();
            format!("accepted\n{}", remarks.join("\n"))
        }
        Err(error) => render(&error),
    }
}

#[test]
fn bad_project_files_are_explained() {
    insta::glob!("cases/project/*.yaml", |path| {
        let text = std::fs::read_to_string(path).unwrap();
        let report = match ProjectFile::parse(&text, "spikeloom.yaml") {
            Ok(project) => format!("{project:#?}"),
            Err(error) => render(&error),
        };
        insta::assert_snapshot!(report);
    });
}
