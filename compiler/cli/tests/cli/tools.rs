//! A machine without any tool.

use crate::{SMALL_FLAGS, small_workshop, workshop};

#[test]
fn doctor_says_how_to_get_each_tool() {
    let workshop = workshop().without_tools();
    for source in ["pypi", "apt"] {
        let output = workshop.line(&format!("doctor --from {source}"));
        assert_eq!(output.code, Some(1));
        let names: Vec<&str> = output
            .stdout
            .lines()
            .filter(|line| !line.starts_with(' '))
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert!(names.len() >= 6, "{}", output.stdout);
        let remedy = format!("to get it: spikeloom tools install --from {source}");
        assert_eq!(output.stdout.matches(&remedy).count(), names.len());
        // The message may be broken into lines anywhere.
        let message: String = output
            .stderr
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '│')
            .collect();
        for name in names {
            assert!(message.contains(name), "{name}: {}", output.stderr);
        }
    }
    assert!(workshop.files("").is_empty(), "asking changes nothing");
}

#[test]
fn doctor_tells_scripts_the_same() {
    let workshop = workshop().without_tools();
    let output = workshop.line("doctor --json");
    assert_eq!(output.code, Some(1));
    let tools: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    insta::assert_snapshot!(spikeloom_tests::keys(&tools));
    for tool in tools.as_array().unwrap() {
        assert!(tool["problem"].is_string(), "{tool}");
    }
}

#[test]
fn verilog_is_written_and_run_in_rust_without_any_tool() {
    let workshop = small_workshop().without_tools();
    workshop.succeeds(&format!(
        "compile model.nir {SMALL_FLAGS} --stop-at verilog -o build"
    ));
    assert!(workshop.text("build/top.v").contains("module top"));
    let lines = workshop.json("verify build --to hdl --samples 2 --json");
    let rungs: Vec<&str> = lines
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["rung"].as_str().unwrap())
        .collect();
    assert_eq!(rungs, ["float", "golden", "hdl"]);
}

#[test]
fn installing_without_the_network_or_python_fails_with_a_way_out() {
    let workshop = workshop().without_tools();
    for source in ["pypi", "apt"] {
        let output = workshop.line(&format!("tools install --from {source}"));
        assert_eq!(output.code, Some(1), "{}", output.stdout);
        assert!(output.stderr.contains("help:"), "{}", output.stderr);
        assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    }
}
