//! New weights in a finished design: as if it had been compiled with them.

use spikeloom_tests::archive::{npy, npy_header, safetensors, zip};
use spikeloom_tests::{Workshop, nir_file, npz, tools};

use crate::compile::assert_same;
use crate::{SMALL, SMALL_FLAGS, samples, small_workshop};

/// The lines of `weight: [[...], ...]` of the small network, as text of numbers.
fn rows(node: &str) -> Vec<String> {
    let from = SMALL
        .split(&format!("{node}: {{type: Linear, weight: "))
        .nth(1);
    let matrix = from.unwrap().split('}').next().unwrap();
    let rows = matrix.trim_matches(&['[', ']'][..]).split("], [");
    rows.map(str::to_owned).collect()
}

/// The small network with the neurons of both populations in another order, the second of which
/// changes its sign too, and `change` to its text.
pub fn other_network(change: impl Fn(String) -> String) -> Vec<u8> {
    let mut text = SMALL.clone();
    for node in ["first", "second"] {
        let old = rows(node);
        let mut new = old.clone();
        new.rotate_left(3);
        text = text.replace(&old.join("], ["), &new.join("], ["));
    }
    nir_file(&serde_yaml::from_str(&change(text)).unwrap())
}

/// A matrix of single-precision numbers as `.npy`.
fn matrix(rows: &[String]) -> Vec<u8> {
    let values: Vec<Vec<f32>> = rows
        .iter()
        .map(|row| row.split(", ").map(|v| v.parse().unwrap()).collect())
        .collect();
    let shape = [values.len(), values[0].len()];
    let bytes: Vec<u8> = values
        .iter()
        .flatten()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    npy(&npy_header("<f4", &shape), &bytes)
}

fn weights(first: &[String]) -> Vec<u8> {
    zip(&[("first.weight.npy", &matrix(first))], false)
}

/// Fails unless a command that fails leaves a folder as it was, and says `message`.
fn is_refused(workshop: &Workshop, line: &str, message: &str) {
    let before = workshop.files("build");
    let output = workshop.line(line);
    assert_eq!(output.code, Some(1), "{line}: {}", output.stderr);
    let text: String = output
        .stderr
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let text = text.replace("│ ", "");
    assert!(text.contains(message), "{line}: {text}");
    assert!(
        workshop.files("build") == before,
        "{line} changed the folder"
    );
}

#[test]
fn patched_bitstream_is_the_one_compiled_with_the_weights() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = small_workshop();
    workshop.write("data.npz", samples(20));
    workshop.write("other/model.nir", other_network(|text| text));
    let compile = |model: &str, folder: &str| {
        workshop.succeeds(&format!(
            "compile {model} {SMALL_FLAGS} --target up5k -o {folder}"
        ));
    };
    compile("model.nir", "build");
    compile("other/model.nir", "fresh");
    let done = workshop.json("patch build --weights other/model.nir -o patched --json");
    assert!(done["replace_seconds"].as_f64().unwrap() < 5.0, "{done}");
    assert_same(&workshop, "patched", "fresh");

    // A device with the old weights is not taken for one with the new.
    let old = std::fs::read(workshop.path("build/bitstream.bin")).unwrap();
    workshop.write("fresh/bitstream.bin", old);
    let output = workshop.line("verify fresh --data data.npz --samples 1");
    assert_eq!(output.code, Some(3), "{}", output.stderr);
    assert!(
        output.stderr.contains("rung bitstream"),
        "{}",
        output.stderr
    );

    // Arrays alone, in the folder itself; and back again, to the byte.
    let original = std::fs::read(workshop.path("build/bitstream.bin")).unwrap();
    let mut first = rows("first");
    first.swap(1, 6);
    workshop.write("first.npz", weights(&first));
    workshop.succeeds("patch build --weights first.npz");
    let lines = workshop.json("verify build --data data.npz --samples 4 --json");
    let verdicts: Vec<&str> = lines.as_array().unwrap()[1..]
        .iter()
        .map(|line| line["verdict"].as_str().unwrap())
        .collect();
    assert_eq!(verdicts, ["equal"; 5]);
    assert_ne!(
        std::fs::read(workshop.path("build/bitstream.bin")).unwrap(),
        original
    );
    // Where all neurons are alike, columns of their parameters are 0 and leave no bit behind.
    let alike = vec![first[0].clone(); first.len()];
    workshop.write("alike.npz", weights(&alike));
    workshop.succeeds("patch build --weights alike.npz -o alike");
    workshop.json("verify alike --data data.npz --samples 2 --json");
    // The folder's model is in the native format now, and no longer says how to read others.
    let flags = SMALL_FLAGS.replace("--bits 8", "");
    workshop.succeeds(&format!("patch build --weights model.nir {flags}"));
    let project = workshop.text("build/project.yaml");
    assert!(project.contains("model: model.nir"), "{project}");
}

#[test]
fn weights_of_another_network_are_refused() {
    let workshop = small_workshop().without_tools();
    workshop.succeeds(&format!(
        "compile model.nir {SMALL_FLAGS} --stop-at verilog -o build"
    ));
    let first = rows("first");
    workshop.write("weights.npz", weights(&first[..7]));
    is_refused(
        &workshop,
        "patch build --weights weights.npz",
        "`first.weight` is [7, 12], and the network has 96 values there: [8, 12]",
    );
    let transposed: Vec<String> = (0..12)
        .map(|column| {
            let column = first.iter().map(|row| row.split(", ").nth(column).unwrap());
            column.collect::<Vec<_>>().join(", ")
        })
        .collect();
    workshop.write("weights.npz", weights(&transposed));
    is_refused(
        &workshop,
        "patch build --weights weights.npz",
        "`first.weight` is [12, 8], not [8, 12]: targets come first, then sources",
    );
    let bytes = matrix(&first);
    workshop.write("weights.npz", zip(&[("third.weight.npy", &bytes)], false));
    is_refused(
        &workshop,
        "patch build --weights weights.npz",
        "it has `third.weight`, which the network has not: its arrays are `first.weight`",
    );
    workshop.write("weights.npz", npz(&[]));
    is_refused(
        &workshop,
        "patch build --weights weights.npz",
        "it has no array",
    );
    workshop.write("weights.safetensors", safetensors("{", &[]));
    is_refused(
        &workshop,
        "patch build --weights weights.safetensors",
        "the weights in weights.safetensors are not of this network",
    );
    let slower = |text: String| {
        text.replace(
            "tau: {fill: 0.001, shape: [8]}",
            "tau: {fill: 0.01, shape: [8]}",
        )
    };
    workshop.write("other/model.nir", other_network(slower));
    is_refused(
        &workshop,
        "patch build --weights other/model.nir",
        "the network needs another circuit: population hidden computes Scale(",
    );
    is_refused(
        &workshop,
        "patch build --weights none.nir",
        "cannot read none.nir",
    );
    // What fits is taken without any tool, and again refused where the circuit was another.
    workshop.write("other/model.nir", other_network(|text| text));
    workshop.succeeds("patch build --weights other/model.nir");
    workshop.succeeds(&format!(
        "compile other/model.nir {SMALL_FLAGS} --stop-at verilog -o fresh"
    ));
    assert_same(&workshop, "build", "fresh");
    workshop.replace("build/top.v", "endmodule", "endmodule // edited");
    is_refused(
        &workshop,
        "patch build --weights model.nir",
        "its Verilog is not that of top.v",
    );
}

/// Weights whose sums are larger are scaled until they fit the sums that are there.
#[test]
fn larger_weights_are_scaled_to_the_circuit() {
    let workshop = small_workshop().without_tools();
    workshop.write("data.npz", samples(20));
    workshop.succeeds(&format!(
        "compile model.nir {SMALL_FLAGS} --stop-at verilog -o build"
    ));
    let larger = |row: &String| {
        let weights = row.split(", ").map(|w| w.parse::<f32>().unwrap() + 0.2);
        weights
            .map(|w| w.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let first: Vec<String> = rows("first").iter().map(larger).collect();
    workshop.write("weights.npz", weights(&first));
    let done = workshop.json("patch build --weights weights.npz --json");
    assert_ne!(done["scales"]["hidden"], "least_squares", "{done}");
    assert_eq!(done["scales"]["readout"], "least_squares", "{done}");
    workshop.succeeds("verify build --to hdl --data data.npz --samples 4");

    // There is an end to it.
    let first = vec![["0.7"; 12].join(", "); 8];
    workshop.write("weights.npz", weights(&first));
    let message = "the network needs another circuit: population hidden";
    is_refused(&workshop, "patch build --weights weights.npz", message);
}
