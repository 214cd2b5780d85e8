//! What the user reads when a design cannot become a bitstream, and what is left in the folder.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod support;

use std::path::Path;
use std::time::Duration;

use spikeloom_bitstreams::{Error, Family, Files, Flow, Program, Toolchain, target};
use spikeloom_tests::render;
use support::{Design, contents, tools};

/// Runs `steps` on a design and returns their error; no result may be left that looks whole.
fn failure(
    tools: &Toolchain,
    board: &str,
    verilog: &str,
    steps: impl FnOnce(&mut Flow<'_>) -> Error,
) -> Error {
    let target = target(board).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut flow = Design::text(verilog).flow(tools, &target, folder.path());
    let error = steps(&mut flow);
    for file in [Family::Ice40.placed_file(), Family::Ice40.bitstream_file()] {
        assert!(!folder.path().join(file).exists(), "{file}");
    }
    error
}

const SMALL: &str = "module top (input clock, input uart_rx, output reg uart_tx = 0);
  always @(posedge clock) uart_tx <= uart_rx;
endmodule
";

#[test]
fn syntax_error_is_shown_with_its_line() {
    let Some(tools) = tools() else { return };
    let verilog = "module top (input clock);\n  assign = 1;\nendmodule\n";
    let error = failure(&tools, "icebreaker", verilog, |flow| {
        let error = flow.synthesise().unwrap_err();
        assert!(!flow.path(Files::NETLIST_JSON).exists());
        error
    });
    let Error::ToolFailed {
        command, output, ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(command, "yosys -s synthesis.ys");
    assert!(output.contains("top.v:2: ERROR: syntax error"), "{output}");
}

#[test]
fn missing_module_is_named() {
    let Some(tools) = tools() else { return };
    let error = failure(&tools, "icebreaker", SMALL, |flow| {
        flow.top = "other".to_owned();
        flow.synthesise().unwrap_err()
    });
    assert!(error.to_string().contains("other"), "{error}");
    let error = failure(&tools, "icebreaker", SMALL, |flow| {
        flow.verilog.clear();
        flow.synthesise().unwrap_err()
    });
    insta::assert_snapshot!(render(&error));
}

/// Flip-flops in rows and tables beside them, which share no cells: each kind alone fits.
///
/// Many short rows, since this Yosys runs out of stack on one of thousands.
fn too_many_cells() -> &'static str {
    "module row #(parameter TAP = 0) (input clock, input in, output [99:0] out);
  reg [99:0] bits = 0;
  always @(posedge clock) bits <= {bits[98:0], in ^ bits[TAP]};
  assign out = bits;
endmodule
module top (input clock, input uart_rx, output reg uart_tx = 0);
  wire [99:0] bits [0:29];
  wire [29:0] seen;
  genvar i, j;
  generate for (i = 0; i < 30; i = i + 1) begin : rows
    row #(.TAP(99 - i)) row (.clock(clock), .in(uart_rx), .out(bits[i]));
    wire [99:0] some;
    for (j = 0; j < 100; j = j + 1) begin : cells
      assign some[j] = bits[i][j] & bits[(i + 1) % 30][(j + 7) % 100] | bits[(i + 2) % 30][j];
    end
    assign seen[i] = ^some;
  end endgenerate
  always @(posedge clock) uart_tx <= ^seen;
endmodule
"
}

#[test]
fn design_with_too_many_cells_is_refused_with_numbers() {
    let Some(tools) = tools() else { return };
    let error = failure(&tools, "icebreaker", too_many_cells(), |flow| {
        flow.synthesise().unwrap();
        flow.place_and_route().unwrap_err()
    });
    let Error::DoesNotFit { target, over } = &error else {
        panic!("{error}");
    };
    assert_eq!(target, "icebreaker");
    assert_eq!(over[0].what, "ICESTORM_LC");
    assert_eq!(over[0].available, 5280);
    assert!(over[0].used > 5280);
    let text = error.to_string();
    assert!(
        text.contains(&format!("{} logic cells of 5280", over[0].used)),
        "{text}"
    );
}

#[test]
fn design_with_too_many_memories_is_refused_before_placing() {
    let Some(tools) = tools() else { return };
    // 33 memories of one block RAM, read one after the other.
    let verilog = "module memory (input clock, input [15:0] in, output reg [15:0] out);
  (* ram_style = \"block\" *) reg [15:0] words [0:255];
  always @(posedge clock) begin out <= words[in[7:0]]; words[in[15:8]] <= in; end
endmodule
module top (input clock, input uart_rx, output reg uart_tx = 0);
  reg [15:0] first = 0;
  wire [15:0] w [0:33];
  assign w[0] = first;
  genvar i;
  generate for (i = 0; i < 33; i = i + 1) begin : memories
    memory memory (.clock(clock), .in(w[i]), .out(w[i + 1]));
  end endgenerate
  always @(posedge clock) begin first <= {first[14:0], uart_rx}; uart_tx <= ^w[33]; end
endmodule
";
    let error = failure(&tools, "hx8k-breakout", verilog, |flow| {
        let error = flow.synthesise().unwrap_err();
        assert!(!flow.path(Files::NETLIST_JSON).exists());
        error
    });
    insta::assert_snapshot!(render(&error));
}

#[test]
fn slow_circuit_is_refused_with_its_path() {
    let Some(tools) = tools() else { return };
    let verilog = "module top (input clock, input uart_rx, output reg uart_tx = 0);
  reg [255:0] a = 0;
  reg [255:0] b = 0;
  reg [255:0] sum = 0;
  always @(posedge clock) begin
    a <= {a[254:0], uart_rx};
    b <= {b[254:0], a[255] ^ uart_rx};
    sum <= sum + a + b;
    uart_tx <= ^sum;
  end
endmodule
";
    let error = failure(&tools, "icebreaker", verilog, |flow| {
        flow.synthesise().unwrap();
        flow.place_and_route().unwrap_err()
    });
    let Error::TooSlow {
        achieved_mhz,
        wanted_mhz,
        path,
    } = &error
    else {
        panic!("{error}");
    };
    assert!(achieved_mhz < wanted_mhz);
    assert!((wanted_mhz - 12.0).abs() < 1e-9);
    let sum: f64 = path.iter().map(|s| s.delay_ns).sum();
    // The path is the period, up to what the report rounds.
    assert!(
        (sum - 1000.0 / achieved_mhz).abs() < 1.0,
        "{sum} ns, {achieved_mhz} MHz"
    );
    assert!(path.len() > 100);
}

#[test]
fn tool_is_ended_at_its_limit() {
    let Some(tools) = tools() else { return };
    let error = failure(&tools, "icebreaker", SMALL, |flow| {
        flow.limit = Duration::from_millis(1);
        flow.synthesise().unwrap_err()
    });
    let Error::ToolTooSlow { command, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(command, "yosys -s synthesis.ys");
}

#[test]
fn failed_step_removes_the_results_of_the_last_run() {
    let Some(tools) = tools() else { return };
    let target = target("icebreaker").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let flow = Design::text(SMALL).flow(&tools, &target, folder.path());
    flow.synthesise().unwrap();
    flow.place_and_route().unwrap();
    flow.pack().unwrap();
    assert_eq!(partial_files(folder.path()), Vec::<String>::new());
    std::fs::write(folder.path().join("top.v"), "module top").unwrap();
    flow.synthesise().unwrap_err();
    for file in [
        Files::NETLIST_JSON,
        Files::NETLIST_VERILOG,
        Family::Ice40.placed_file(),
        Family::Ice40.bitstream_file(),
    ] {
        assert!(!folder.path().join(file).exists(), "{file}");
    }
}

/// Runs a tool through a shell, whose text ends in that.
fn through_shell(tool: &mut Program, text: &str) {
    let shell = format!("{text}\nexec \"$0\" \"$@\"");
    let path = tool.path.to_string_lossy().into_owned();
    tool.arguments.splice(..0, ["-c".to_owned(), shell, path]);
    tool.path = "/bin/sh".into();
}

/// A nextpnr that finds no route with some seeds, and writes down how often it is run.
fn unrouted(tools: &Toolchain, seeds: &[u32]) -> Toolchain {
    let seeds: Vec<String> = seeds
        .iter()
        .map(|seed| format!("*--seed={seed}*"))
        .collect();
    let shell = format!(
        "echo run >> runs.txt
        case \"$*\" in {}) echo 'Info: Device utilisation:'
          echo 'Info: ICESTORM_LC: 2/ 5280 0%'
          echo 'ERROR: Routing design failed.'
          exit 125;;
        esac",
        seeds.join("|")
    );
    let mut tools = tools.clone();
    through_shell(&mut tools.nextpnr_ice40, &shell);
    tools
}

#[test]
fn a_placement_that_cannot_be_routed_is_left_for_another_one() {
    let Some(tools) = tools() else { return };
    let target = target("icebreaker").unwrap();
    let placed = |tools: &Toolchain, seed: u32| {
        let folder = tempfile::tempdir().unwrap();
        let flow = Flow {
            seed,
            ..Design::text(SMALL).flow(tools, &target, folder.path())
        };
        flow.synthesise().unwrap();
        let result = flow.place_and_route();
        let runs = std::fs::read_to_string(folder.path().join("runs.txt")).unwrap_or_default();
        let placed = std::fs::read(folder.path().join(Family::Ice40.placed_file())).ok();
        (result, placed, runs.lines().count())
    };
    let (third, of_third, _) = placed(&tools, 3);
    let (result, file, runs) = placed(&unrouted(&tools, &[1, 2]), 1);
    assert_eq!((result.unwrap(), file, runs), (third.unwrap(), of_third, 3));
    let (result, file, runs) = placed(&unrouted(&tools, &[1, 2, 3]), 1);
    assert_eq!((file, runs), (None, 3));
    insta::assert_snapshot!("not_routed", render(&result.unwrap_err()));
}

/// Tools of which one cannot write more into any file than this; most do not say so when they end.
fn limited(tools: &Toolchain, name: &str, bytes: usize) -> Toolchain {
    let mut tools = tools.clone();
    let own = [
        &mut tools.yosys,
        &mut tools.nextpnr_ice40,
        &mut tools.icepack,
    ];
    let mut all = own.into_iter().chain(&mut tools.others);
    let tool = all.find(|tool| tool.name == name).unwrap();
    through_shell(tool, &format!("trap '' XFSZ; ulimit -f {}", bytes / 512));
    drop(all);
    tools
}

type Step = fn(&Flow<'_>) -> Result<(), Error>;

#[test]
fn tools_without_room_leave_nothing_that_looks_whole() {
    let Some(tools) = tools() else { return };
    for (board, nextpnr, packer) in [
        ("icebreaker", "nextpnr-ice40", "icepack"),
        ("ulx3s", "nextpnr-ecp5", "ecppack"),
        ("tang-nano-9k", "nextpnr-gowin", "gowin_pack"),
    ] {
        let target = target(board).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let flow = contents(1).flow(&tools, &target, folder.path());
        let (placed, packed) = (target.family.placed_file(), target.family.bitstream_file());
        let steps: [(_, Step, &[_]); 3] = [
            (
                "yosys",
                |flow| flow.synthesise().map(drop),
                &[Files::NETLIST_VERILOG, Files::NETLIST_JSON],
            ),
            (nextpnr, |flow| flow.place_and_route().map(drop), &[placed]),
            (packer, |flow| flow.pack().map(drop), &[packed]),
        ];
        for (tool, step, files) in steps {
            step(&flow).unwrap();
            let read = || files.iter().map(|file| std::fs::read(flow.path(file)).ok());
            let whole: Vec<_> = read().collect();
            let sizes: Vec<usize> = whole.iter().flatten().map(Vec::len).collect();
            let mut failures = 0;
            // Each is cut off in its middle, and where only its last bytes are missing.
            for bytes in sizes.iter().flat_map(|size| [size / 2, size - 1]) {
                let tools = limited(&tools, tool, bytes);
                let flow = Flow {
                    tools: &tools,
                    ..flow.clone()
                };
                let result = step(&flow);
                let left: Vec<_> = read().collect();
                match result {
                    Ok(()) => assert_eq!(left, whole, "{board}: {tool} in {bytes} bytes"),
                    Err(error) => {
                        println!("{board}: {tool} in {bytes} bytes: {error}");
                        let is_none = left.iter().all(Option::is_none);
                        assert!(is_none, "{board}: {tool} in {bytes} bytes");
                        failures += 1;
                    }
                }
            }
            assert!(failures > 0, "{board}: {tool}");
            step(&flow).unwrap();
            assert!(read().eq(whole), "{board}: {tool}");
        }
    }
}

fn partial_files(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("partial-"))
        .collect()
}

#[test]
fn errors_read_well() {
    insta::assert_snapshot!("unknown_target", render(&target("icebraker").unwrap_err()));
    let cache = tempfile::tempdir().unwrap();
    let error = Toolchain::find_in(cache.path(), spikeloom_bitstreams::ToolSource::Pypi);
    let text = render(&error.unwrap_err());
    assert!(
        text.contains("spikeloom tools install --from pypi"),
        "{text}"
    );
}
