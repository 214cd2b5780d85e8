//! What a person reads: help, descriptions, levels.

use crate::{SMALL_FLAGS, small_workshop, workshop};

const COMMANDS: &[&str] = &[
    "",
    "quickstart",
    "compile",
    "convert",
    "explore",
    "fit-readout",
    "learn",
    "quantize",
    "simulate",
    "train",
    "verify",
    "whiten",
    "check",
    "board",
    "board virtual",
    "board list",
    "board info",
    "board loopback",
    "patch",
    "program",
    "report",
    "inspect",
    "targets",
    "targets show",
    "doctor",
    "tools",
    "tools install",
    "completions",
];

#[test]
fn help_describes_every_command_and_option() {
    let workshop = workshop().without_tools();
    let mut text = String::new();
    for command in COMMANDS {
        let help = workshop.succeeds(&format!("{command} --help"));
        text += &format!("$ spikeloom {command} --help\n{help}\n");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn the_list_of_commands_is_whole() {
    let help = workshop().without_tools().succeeds("--help");
    let listed: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // A continuation is indented further.
        .filter_map(|line| line.strip_prefix("  ").filter(|l| !l.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    let known: Vec<&str> = COMMANDS
        .iter()
        .copied()
        .filter(|c| !c.is_empty() && !c.contains(' '))
        .collect();
    assert_eq!(listed, known);
}

#[test]
fn version_is_that_of_the_package() {
    let version = workshop().succeeds("--version");
    assert_eq!(
        version.trim(),
        format!("spikeloom {}", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn completions_name_every_command() {
    let workshop = workshop().without_tools();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = workshop.succeeds(&format!("completions {shell}"));
        for command in COMMANDS {
            let last = command.split(' ').next_back().unwrap();
            assert!(script.contains(last), "{shell}: {command}");
        }
        for option in ["semantics", "stop-at", "self-test"] {
            assert!(script.contains(option), "{shell}: {option}");
        }
    }
}

#[test]
fn models_are_inspected() {
    let workshop = small_workshop().without_tools();
    insta::assert_snapshot!("inspect", workshop.succeeds("inspect model.nir"));
    let json = workshop.json("inspect model.nir --json");
    insta::assert_snapshot!("inspect_keys", spikeloom_tests::keys(&json));
}

/// Whether a model can be compiled or not, it can be described.
#[test]
fn every_model_of_the_tests_is_inspected() {
    let workshop = workshop().without_tools();
    for (name, bytes) in spikeloom_tests::model_files() {
        workshop.write("model.nir", bytes);
        let text = workshop.succeeds("inspect model.nir");
        assert!(text.lines().count() > 3, "{name}: {text}");
        workshop.json("inspect model.nir --json");
    }
}

#[test]
fn targets_are_listed() {
    let workshop = workshop().without_tools();
    insta::assert_snapshot!("targets", workshop.succeeds("targets"));
    insta::assert_snapshot!("target", workshop.succeeds("targets show up5k"));
    let json = workshop.json("targets --json");
    insta::assert_snapshot!("targets_keys", spikeloom_tests::keys(&json));
    // Every name that is listed is also taken.
    for target in json.as_array().unwrap() {
        let name = target["name"].as_str().unwrap();
        let shown = workshop.succeeds(&format!("targets show {name}"));
        assert!(shown.contains(name), "{shown}");
    }
}

#[test]
fn every_level_is_printed() {
    let workshop = small_workshop().without_tools();
    let level = |name: &str| {
        workshop.succeeds(&format!(
            "compile model.nir {SMALL_FLAGS} --stop-at verilog -o build --dump-ir {name}"
        ))
    };
    for name in ["network", "normalised", "quantized", "mapped"] {
        insta::assert_snapshot!(format!("level_{name}"), level(name));
    }
    // Its text is the emitter's matter; here it must be what is in the build folder.
    assert_eq!(level("circuit"), workshop.text("build/top.v"));
}
