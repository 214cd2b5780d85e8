//! `spikeloom learn`: weights that change, come back, and compile.

use spikeloom_tests::{Workshop, folder};

fn digits() -> Workshop {
    let workshop = crate::workshop();
    let tests = folder();
    let example = tests.join("../examples/digits-learn.yaml");
    workshop.write("digits.yaml", std::fs::read(example).unwrap());
    for name in ["train.npz", "test.npz"] {
        let path = tests.join("data/digits8x8").join(name);
        workshop.write(name, std::fs::read(path).unwrap());
    }
    workshop
}

#[test]
fn a_readout_learns_digits_and_is_the_same_circuit() {
    let workshop = digits();
    let learn = "learn digits.yaml --data train.npz --test test.npz --epochs 2 --shuffle 1";
    let epochs = workshop.json(&format!("{learn} -o learned.yaml --json"));
    insta::assert_snapshot!("learned", serde_json::to_string_pretty(&epochs).unwrap());
    let accuracy = epochs[1]["test_accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.85, "{accuracy}");
    // Nothing is learnt for a file that may not be replaced.
    let refused = workshop.line(&format!("{learn} -o learned.yaml"));
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("learned.yaml") && refused.stdout.is_empty());
    // What was written is what was scored.
    let summary = workshop.json("simulate learned.yaml --data test.npz --json");
    assert_eq!(summary["accuracy"].as_f64(), Some(accuracy));
    // It learns on from there.
    let again = workshop.json("learn learned.yaml --data train.npz --samples 10 --json");
    assert!(again[0]["changes"].as_u64() > Some(0));
    let notes = workshop
        .line("compile learned.yaml --calibrate train.npz:20 --stop-at verilog -o build")
        .stderr;
    assert!(
        notes.contains("only `spikeloom learn` changes them"),
        "{notes}"
    );
    let lines = workshop.json("verify build --data test.npz --samples 3 --to hdl --json");
    assert_eq!(lines.as_array().unwrap().len(), 3);
}

#[test]
fn what_is_learnt_is_told() {
    let workshop = digits();
    let told = workshop.succeeds("learn digits.yaml --data train.npz --samples 50 --test test.npz");
    insta::assert_snapshot!("learning", told);
    // NIR has no words for it.
    let converted = workshop.line("convert digits.yaml digits.nir");
    insta::assert_snapshot!("learning_as_nir", converted.messages());
}

#[test]
fn an_outcome_is_rewarded() {
    let workshop = crate::workshop();
    workshop.write(
        "net.yaml",
        "format: spikeloom-network/1\nticks: 8\ninput: {shape: 4, encoding: rate}\n\
         populations: {out: {shape: 2, v_threshold: 1, reset: subtract}}\n\
         projections:\n  - from: input\n    to: out\n    weights: 0.25\n    \
         learning: {rule: 4 * r * x1 * end, x1: {}, step: 0.0625, rounding: floor}\n\
         output: out\n",
    );
    // Both neurons do the same, so the class is 0: right once, then wrong.
    let values = [255, 0, 255, 0];
    for (label, changed) in [(0, [[7, 0, 7, 0]; 2]), (1, [[-8, 0, -8, 0]; 2])] {
        let arrays: [(&str, &[usize], &[u8]); 2] =
            [("input", &[1, 4], &values), ("labels", &[1], &[label])];
        workshop.write("data.npz", spikeloom_tests::npz(&arrays));
        workshop.succeeds("learn net.yaml --data data.npz -o out.yaml --force --bits 4");
        let text = workshop.text("out.yaml");
        let rows = changed.map(|row| row.map(|w| if w == 0 { 0.25 } else { f64::from(w) / 16.0 }));
        assert!(text.contains(&format!("weights: {rows:?}")), "{text}");
    }
}
