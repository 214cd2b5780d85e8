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
