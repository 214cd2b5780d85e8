//! The settings of a compilation as a file: what `compile` writes into its build folder.

use std::fmt::Write as _;

use spikeloom_frontend::{Choice, ProjectFile};

/// The text of a project file that `ProjectFile::parse` reads back.
pub fn to_yaml(project: &ProjectFile) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(text, "{key}: {value}");
        }
    };
    // A string in double quotes is YAML's superset of JSON's.
    let quoted = |value: &Option<String>| {
        value
            .as_ref()
            .map(|v| serde_json::Value::from(v.as_str()).to_string())
    };
    line("model", quoted(&project.model));
    line("name", quoted(&project.name));
    line("semantics", project.semantics.map(|v| v.name().to_owned()));
    line("reset", project.reset.map(|v| v.name().to_owned()));
    if !project.resets.is_empty() {
        // JSON is YAML, and quotes what needs it.
        let resets = project.resets.iter();
        let resets: serde_json::Map<String, serde_json::Value> = resets
            .map(|(node, reset)| (node.clone(), reset.name().into()))
            .collect();
        line("resets", Some(serde_json::Value::from(resets).to_string()));
    }
    line("reset_delay", project.reset_delay.map(|v| v.to_string()));
    line("spikes", project.spikes.map(|v| v.name().to_owned()));
    line("dt", project.dt.map(|v| format!("{v:?}")));
    line("encoding", project.encoding.map(|v| v.name().to_owned()));
    line("input_scale", project.input_scale.map(|v| format!("{v:?}")));
    line("ticks", project.ticks.map(|v| v.to_string()));
    line("seed", project.seed.map(|v| v.to_string()));
    line("decoder", project.decoder.map(|v| v.name().to_owned()));
    line("bits", project.bits.map(|v| v.to_string()));
    line("state_bits", project.state_bits.map(|v| v.to_string()));
    line("target", quoted(&project.target));
    line("lanes", project.lanes.map(|v| v.to_string()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let text = "model: \"a \\\"b\\\".nir\"\nsemantics: snntorch\nreset: subtract\nencoding: direct\n\
                    ticks: 25\nbits: 4\ntarget: \"up5k\"\ndt: 0.0001\nreset_delay: true\n\
                    resets: {1.lif: zero, 3: subtract}\n";
        let project = ProjectFile::parse(text, "a.yaml").unwrap();
        assert_eq!(
            ProjectFile::parse(&to_yaml(&project), "b.yaml").unwrap(),
            project
        );
        assert_eq!(project.model.as_deref(), Some("a \"b\".nir"));
    }
}
