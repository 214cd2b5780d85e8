//! The page of a build folder, and the figures in the network's own terms.

use serde_json::Value;
use spikeloom_tests::Workshop;

use crate::{SMALL_FLAGS, small_workshop};

/// What the parts take adds up to what the tools counted, and the page shows all of it.
pub fn assert_adds_up(workshop: &Workshop, build: &str) {
    let report: Value =
        serde_json::from_str(&workshop.text(&format!("{build}/report.json"))).unwrap();
    let usage = report["usage"].as_array().unwrap();
    let used = |what: &str| {
        let all = report["place_and_route"]["utilisation"].as_array().unwrap();
        all.iter().find(|u| u["what"] == what).unwrap()["used"].as_u64()
    };
    let sum = |key: &str| usage.iter().map(|u| u[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!(Some(sum("logic_cells")), used("ICESTORM_LC"));
    assert_eq!(Some(sum("block_rams")), used("ICESTORM_RAM"));
    assert_eq!(Some(sum("single_port_rams")), used("ICESTORM_SPRAM"));
    let parts: Vec<String> = usage
        .iter()
        .map(|u| format!("{}: {}", u["population"].as_str().unwrap_or("-"), u["what"]))
        .collect();
    for part in [
        "hidden: \"program\"",
        "readout: \"sums\"",
        "-: \"host link\"",
    ] {
        assert!(parts.iter().any(|p| p == part), "{part}: {parts:?}");
    }
    // What the tools add is little; the rest has a place in the network or in the host's access.
    let added = usage.iter().filter(|u| u["what"] == "added by the tools");
    let added: u64 = added.map(|u| u["logic_cells"].as_u64().unwrap()).sum();
    assert!(added * 10 < sum("logic_cells"), "{added}");

    // The slowest path takes as long as the clock period that is reached.
    let path = report["slowest_path"].as_array().unwrap();
    let ns: f64 = path
        .iter()
        .map(|p| p["logic_ns"].as_f64().unwrap() + p["routing_ns"].as_f64().unwrap())
        .sum();
    let mhz = report["place_and_route"]["achieved_mhz"].as_f64().unwrap();
    assert!((ns - 1000.0 / mhz).abs() < 0.1, "{ns} ns, {mhz} MHz");

    workshop.succeeds(&format!("report {build} -o page.html"));
    let page = workshop.text("page.html");
    let n_cells = sum("logic_cells") + sum("block_rams") + sum("single_port_rams");
    let n_fields = page.matches("<title>").count() as u64;
    // And the page's own title.
    assert_eq!(n_fields, n_cells + 1);
    assert_eq!(page.matches("<polyline").count(), 2);
    for tag in ["svg", "table", "tr", "td", "div", "h2", "p", "span"] {
        let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
        let opened = page.match_indices(&open);
        let opened =
            opened.filter(|(at, _)| matches!(page.as_bytes()[at + open.len()], b'>' | b' '));
        assert_eq!(opened.count(), page.matches(&close).count(), "{tag}");
    }
    for text in [
        "hidden: program",
        "Slowest path",
        "synthesise (yosys)",
        "nextpnr-ice40",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn page_of_a_folder_without_bitstream_has_what_there_is() {
    let workshop = small_workshop().without_tools();
    workshop.succeeds(&format!(
        "compile model.nir {SMALL_FLAGS} --stop-at verilog -o build"
    ));
    workshop.succeeds("report build");
    let page = workshop.text("build/report.html");
    assert!(
        page.contains("Not placed") && !page.contains("<svg"),
        "{page}"
    );
    assert!(page.contains("hidden.weights"), "{page}");
    let output = workshop.line("report nowhere");
    assert_eq!(output.code, Some(1));
    // The page does not belong to the folder, which is read as before.
    workshop.succeeds("report build");
}
