//! Weights in the board's flash: a board that starts by itself.

use serde_json::Value;
use spikeloom_tests::{Workshop, npz, tools};

use crate::board::Board;
use crate::chip::LARGE;

/// Address of the weights on an iCEBreaker.
const WEIGHTS_AT: usize = 0x2_0000;

/// The network whose first layer goes into single-port RAM, compiled with its weights in the flash.
fn compiled(stop_at: &str) -> Workshop {
    let workshop = crate::workshop();
    workshop.write("large.yaml", LARGE);
    workshop.succeeds(&format!(
        "compile large.yaml --weights-from flash --target icebreaker --stop-at {stop_at} -o build"
    ));
    workshop
}

fn bytes(workshop: &Workshop, name: &str) -> Vec<u8> {
    std::fs::read(workshop.path(name)).unwrap()
}

/// How many bytes of weights a check of a virtual board loads, whose values are all equal.
fn loaded(workshop: &Workshop, flags: &str) -> u64 {
    let report = workshop.json(&format!(
        "check build --virtual --samples 3 --states 1 --json {flags}"
    ));
    assert_eq!(report["equal"], true, "{report}");
    report["weights_loaded"].as_u64().unwrap()
}

/// The verdict of a rung of a build folder that is not what it should be.
fn failure(workshop: &Workshop, rung: &str) -> String {
    let output = workshop.line(&format!("verify build --samples 1 --to {rung} --json"));
    assert_eq!(output.code, Some(3), "{}", output.stderr);
    let lines: Value = serde_json::from_str(&output.stdout).unwrap();
    let last = lines.as_array().unwrap().last().unwrap();
    assert_eq!(last["rung"], rung, "{lines}");
    last["verdict"]["failed"]["message"]
        .as_str()
        .unwrap_or_else(|| panic!("{last}"))
        .to_owned()
}

/// From power-up to the first sample nobody loads anything, on every rung that has pins; and whatever
/// is wrong in the flash is noticed.
#[test]
fn a_board_starts_from_its_flash_on_every_rung() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = compiled("bitstream");
    let report: Value = serde_json::from_str(&workshop.text("build/report.json")).unwrap();
    let n_bytes = report["flash"]["weights_bytes"].as_u64().unwrap() as usize;
    // 300 rows of eight 8-bit lanes for each eight of 60 neurons, and 10 more bytes a frame.
    assert_eq!(n_bytes, 300 * 64 + 76 * 10);
    assert_eq!(report["flash"]["image_bytes"], WEIGHTS_AT + n_bytes);
    let (image, bitstream) = (
        bytes(&workshop, "build/flash.bin"),
        bytes(&workshop, "build/bitstream.bin"),
    );
    assert_eq!(image.len(), WEIGHTS_AT + n_bytes);
    assert_eq!(image[..bitstream.len()], bitstream);
    assert!(
        image[bitstream.len()..WEIGHTS_AT]
            .iter()
            .all(|&byte| byte == 0xff)
    );
    for pin in [
        "flash_ss 16",
        "flash_sck 15",
        "flash_mosi 14",
        "flash_miso 17",
    ] {
        assert!(workshop.text("build/pins.pcf").contains(pin), "{pin}");
    }
    let line = workshop.succeeds("program build --dry-run");
    assert_eq!(line, "iceprog build/flash.bin\n");
    let line = workshop.succeeds("program build --dry-run --volatile");
    assert_eq!(line, "iceprog -S build/bitstream.bin\n");

    let verify = "verify build --samples 2 --json";
    let climbed = |lines: Value| {
        let lines = lines.as_array().unwrap().clone();
        assert_eq!(lines.len(), 6);
        for line in &lines[1..] {
            assert_eq!(line["verdict"], "equal", "{line}");
        }
    };
    climbed(workshop.json(verify));
    assert_eq!(loaded(&workshop, ""), 0);

    // New weights are in the image too, without another placing.
    workshop.write("other.yaml", LARGE.replace("random: 1", "random: 3"));
    workshop.succeeds("patch build --weights other.yaml");
    let patched = bytes(&workshop, "build/flash.bin");
    assert_eq!(patched.len(), image.len());
    assert_ne!(patched[WEIGHTS_AT..], image[WEIGHTS_AT..]);
    climbed(workshop.json(verify));
    assert_eq!(loaded(&workshop, ""), 0);

    // A bitstream that is not the one beside it.
    let mut other = patched.clone();
    other[50_000] ^= 1;
    workshop.write("build/flash.bin", &other);
    let message = failure(&workshop, "bitstream");
    assert!(message.contains("from byte 0xc350 on"), "{message}");
}

/// The host finds out, and loads the weights itself.
#[test]
fn a_flash_with_something_else_is_found() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = compiled("verilog");
    assert_eq!(loaded(&workshop, ""), 0);
    // So far the image is that of the weights alone; now it is what a file says.
    let right = {
        let build = spikeloom::Build::read(&workshop.path("build")).unwrap();
        build.flash_image().unwrap().unwrap()
    };
    workshop.replace(
        "build/report.json",
        "\"stopped_at\": \"verilog\"",
        "\"stopped_at\": \"bitstream\"",
    );
    workshop.write("build/flash.bin", &right);
    assert_eq!(loaded(&workshop, ""), 0);
    let all = 300 * 64;
    assert_eq!(loaded(&workshop, "--reload"), all);

    let mut wrong = right.clone();
    wrong[WEIGHTS_AT + 1_000] ^= 4;
    workshop.write("build/flash.bin", &wrong);
    assert_eq!(loaded(&workshop, ""), all);
    let message = failure(&workshop, "verilator");
    assert!(
        message.contains("bytes from its flash that are not its weights"),
        "{message}"
    );
    // Erased, and with the weights of another network.
    workshop.write("build/flash.bin", &right[..100_000]);
    assert_eq!(loaded(&workshop, ""), all);
    workshop.write("other.yaml", LARGE.replace("random: 1", "random: 3"));
    workshop.succeeds(
        "compile other.yaml --weights-from flash --target icebreaker --stop-at verilog -o other",
    );
    let other = {
        let build = spikeloom::Build::read(&workshop.path("other")).unwrap();
        build.flash_image().unwrap().unwrap()
    };
    assert_eq!(other.len(), right.len());
    workshop.write("build/flash.bin", &other);
    assert_eq!(loaded(&workshop, ""), all);

    // What is wrong with a chip is wrong behind the flash too, whose place the host then takes.
    workshop.write("build/flash.bin", &right);
    workshop.write("chip.yaml", "seed: 1");
    assert_eq!(loaded(&workshop, "--chip chip.yaml"), all);
}

/// A board that loses its power starts again, while its host talks to it all the time.
#[test]
fn a_board_starts_again_after_its_power_failed() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = compiled("verilog");
    let samples = npz(&[("input", &[40, 300], &[0x55; 40 * 300])]);
    workshop.write("data.npz", samples);
    let board = Board::start(&workshop, "build --faults reset=3e-4 --seed 2");
    let check = format!("check build --board {} --data data.npz --json", board.path);
    let report = workshop.json(&check);
    assert_eq!(
        (&report["equal"], &report["samples"]),
        (&true.into(), &40.into())
    );
    let (_, said) = board.interrupt();
    assert!(said.contains(" resets"), "{said}");
}
