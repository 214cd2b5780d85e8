//! A file may hold thousands of nodes in a row.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

use std::fmt::Write as _;

use spikeloom_frontend::{ProjectFile, load};
use spikeloom_tests::nir_file;

#[test]
fn thousands_of_nodes_in_a_row_are_read_with_a_small_stack() {
    const N: usize = 3000;
    let mut nodes = String::from(
        "  input: {type: Input, shape: [1]}\n  output: {type: Output, shape: [1]}\n  \
         w: {type: Linear, weight: [[1.0]]}\n  \
         t: {type: Threshold, threshold: [0.5]}\n",
    );
    let mut edges = String::from("[input, d0], [w, t], [t, output]");
    for n in 0..N {
        let _ = writeln!(nodes, "  d{n}: {{type: Delay, delay: [0.001]}}");
        let next = if n + 1 == N {
            "w".to_owned()
        } else {
            format!("d{}", n + 1)
        };
        let _ = write!(edges, ", [d{n}, {next}]");
    }
    let graph = format!("nodes:\n{nodes}edges: [{edges}]\n");
    let bytes = nir_file(&serde_yaml::from_str(&graph).unwrap());
    let options = "{semantics: nir, dt: 0.001, encoding: events, ticks: 5000}";
    let options = ProjectFile::parse(options, "options").unwrap();
    let read = move || load(&bytes, &options.options("chain")).unwrap().0;
    let thread = std::thread::Builder::new().stack_size(256 << 10);
    let network = thread.spawn(read).unwrap().join().unwrap();
    assert_eq!(network.projections[0].delay, 3000);
}
