//! Networks in the native format.

use spikeloom_tests::{Workshop, folder};

/// A workshop with the files of the example that is written by hand.
fn xor() -> Workshop {
    let workshop = crate::workshop();
    for name in ["xor.yaml", "xor.npz"] {
        let path = folder().join("../examples").join(name);
        workshop.write(name, std::fs::read(path).unwrap());
    }
    workshop
}

#[test]
fn the_example_written_by_hand_computes_its_truth_table_on_every_rung() {
    let workshop = xor();
    workshop.succeeds("compile xor.yaml --stop-at verilog -o build");
    let summary = workshop.json("simulate build --data xor.npz --json");
    assert_eq!(summary["accuracy"], 1.0);
    let lines = workshop.json("verify build --data xor.npz --to hdl --json");
    assert_eq!(lines.as_array().unwrap().len(), 3);
    // What the build folder keeps is the same network.
    workshop.succeeds("compile build/model.yaml --stop-at verilog -o again");
    assert_eq!(
        workshop.text("again/model.yaml"),
        workshop.text("build/model.yaml")
    );
    assert_eq!(
        workshop.text("again/core1_weights.hex"),
        workshop.text("build/core1_weights.hex")
    );
}

#[test]
fn a_network_is_described() {
    let workshop = xor();
    insta::assert_snapshot!("network", workshop.succeeds("inspect xor.yaml"));
    let inspection = workshop.json("inspect xor.yaml --json");
    insta::assert_snapshot!("network_keys", spikeloom_tests::keys(&inspection));
}

#[test]
fn a_project_may_name_a_network_and_other_ticks() {
    let workshop = xor();
    workshop.write(
        "project.yaml",
        "model: xor.yaml\nname: longer\nticks: 12\noutput: out/build\n",
    );
    workshop.succeeds("compile project.yaml --stop-at verilog --bits 4");
    let report: serde_json::Value =
        serde_json::from_str(&workshop.text("out/build/report.json")).unwrap();
    assert_eq!(
        (&report["model"], &report["ticks"], &report["weight_bits"]),
        (&"longer".into(), &12.into(), &4.into())
    );
}

#[test]
fn a_converted_model_is_the_same_circuit_and_comes_back() {
    let workshop = crate::small_workshop();
    let flags = crate::SMALL_FLAGS.replace(" --bits 8", "");
    workshop.succeeds(&format!(
        "convert model.nir net.yaml --weights net.safetensors {flags}"
    ));
    workshop.succeeds("convert net.yaml back.nir");
    workshop.succeeds("convert back.nir again.yaml --weights sub.npz");
    let lines = |name: &str| -> Vec<String> {
        let text = workshop.text(name);
        let lines = text.lines().filter(|line| !line.starts_with("arrays:"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(lines("net.yaml"), lines("again.yaml"));

    // All three compile to the same circuit; only the places in their files differ.
    workshop.succeeds(&format!(
        "compile model.nir {} --stop-at verilog -o one",
        crate::SMALL_FLAGS
    ));
    workshop.succeeds("compile net.yaml --stop-at verilog -o two");
    workshop.succeeds("compile back.nir --stop-at verilog -o three");
    for folder in ["two", "three"] {
        let files = workshop.files(folder);
        // The identity counts the names too, and so the places in the files.
        let images = files
            .iter()
            .filter(|(name, _)| name.ends_with(".hex") && *name != "identity.hex");
        let mut n_images = 0;
        for (name, image) in images {
            assert_eq!(workshop.files("one")[name], *image, "{folder}/{name}");
            n_images += 1;
        }
        assert!(n_images >= 2, "{folder}: {n_images} images");
    }
}

#[test]
fn a_conversion_says_what_it_changes() {
    let workshop = xor();
    workshop.replace("xor.yaml", "name: xor", "name: xor\nsemantics: norse");
    let output = workshop.line("convert xor.yaml xor.nir");
    assert_eq!(output.code, Some(0));
    insta::assert_snapshot!("converted", output.messages());
    // A file that is there is only replaced by force.
    assert_eq!(workshop.line("convert xor.yaml xor.nir").code, Some(1));
    workshop.succeeds("convert xor.yaml xor.nir --force");
    let names: Vec<String> = workshop.files("").into_keys().collect();
    assert_eq!(names, ["xor.nir", "xor.npz", "xor.yaml"]);
}

/// One synapse in ten exists: the circuit keeps no other, and computes what the golden model does.
#[test]
fn the_sparse_reservoir_becomes_compressed_rows() {
    let workshop = crate::workshop();
    for name in [
        "examples/liquid.yaml",
        "examples/liquid.npz",
        "tests/data/spoken-digits/test.npz",
    ] {
        let path = folder().join("..").join(name);
        let (_, file) = name.rsplit_once('/').unwrap();
        workshop.write(file, std::fs::read(path).unwrap());
    }
    let compile = "compile liquid.yaml --target hx8k --stop-at verilog";
    workshop.succeeds(&format!("{compile} -o build"));
    // All rows are more than the device has.
    let refused = workshop.line(&format!("{compile} --compress never -o full"));
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("does not fit"),
        "{}",
        refused.stderr
    );
    let summary = workshop.json("simulate build --data test.npz --json");
    assert!(summary["accuracy"].as_f64().unwrap() > 0.65, "{summary}");
    let lines = workshop.json("verify build --data test.npz --to hdl --json");
    assert_eq!(lines.as_array().unwrap().len(), 3);
}
