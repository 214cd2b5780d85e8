//! Writing to a board, with scripts in place of the programs that do it.

use std::os::unix::fs::PermissionsExt;

use spikeloom_tests::Workshop;

use crate::{SMALL_FLAGS, small_workshop};

/// A build folder that ends with a bitstream, as far as programming looks at it.
fn built() -> Workshop {
    let workshop = small_workshop().without_tools();
    workshop.succeeds(&format!(
        "compile model.nir {SMALL_FLAGS} --target icebreaker --stop-at verilog -o build"
    ));
    workshop.replace(
        "build/report.json",
        "\"stopped_at\": \"verilog\"",
        "\"stopped_at\": \"bitstream\"",
    );
    workshop.write("build/bitstream.bin", "bits");
    workshop.with_programs("programs")
}

/// A program that keeps its arguments in `called` and then does what `script` says.
fn stand_in(workshop: &Workshop, name: &str, script: &str) {
    let called = workshop.path("called");
    let text = format!(
        "#!/bin/sh\necho \"$0 $*\" > {}\n{script}\n",
        called.display()
    );
    workshop.write(&format!("programs/{name}"), text);
    let path = workshop.path(&format!("programs/{name}"));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn bitstream_goes_to_the_program_that_is_installed() {
    let workshop = built();
    // Before anything is installed the command can be seen, and what is missing is named.
    let line = workshop.succeeds("program build --dry-run");
    assert_eq!(line, "iceprog build/bitstream.bin\n");
    let output = workshop.line("program build --board up5k");
    assert_eq!(output.code, Some(1));
    assert!(
        output.stderr.contains("`iceprog` is needed"),
        "{}",
        output.stderr
    );
    assert!(
        output.stderr.contains("apt-get install fpga-icestorm"),
        "{}",
        output.stderr
    );

    stand_in(&workshop, "openFPGALoader", "echo done");
    let said = workshop.succeeds("program build --board icebreaker");
    assert!(said.contains("is on the icebreaker"), "{said}");
    let called = workshop.text("called");
    assert!(
        called
            .trim_end()
            .ends_with("/openFPGALoader -b ice40_generic -f build/bitstream.bin"),
        "{called}"
    );
    stand_in(&workshop, "iceprog", "echo done");
    workshop.succeeds("program build --volatile");
    assert!(
        workshop
            .text("called")
            .contains("/iceprog -S build/bitstream.bin")
    );
    workshop.succeeds("program build --with openFPGALoader");
    assert!(workshop.text("called").contains("/openFPGALoader"));
    std::fs::remove_file(workshop.path("called")).unwrap();
    workshop.succeeds("program build --dry-run");
    assert!(!workshop.path("called").exists());
}

#[test]
fn boards_that_are_missing_or_others_are_told() {
    let workshop = built();
    let fails = |line: &str, message: &str| {
        let output = workshop.line(line);
        assert_eq!(output.code, Some(1), "{line}");
        assert!(output.stderr.contains(message), "{line}: {}", output.stderr);
        assert!(output.stderr.contains("help:"), "{}", output.stderr);
    };
    let missing = "echo init..; echo \"Can't find iCE FTDI USB device\" >&2; exit 2";
    stand_in(&workshop, "iceprog", missing);
    fails(
        "program build",
        "no icebreaker was found by `iceprog build/bitstream.bin`",
    );
    stand_in(
        &workshop,
        "iceprog",
        "echo 'usb: Access denied' >&2; exit 2",
    );
    fails("program build", "may not use the icebreaker");
    stand_in(&workshop, "iceprog", "echo 'VERIFY ERROR' >&2; exit 3");
    fails("program build", "VERIFY ERROR");
    std::fs::remove_file(workshop.path("called")).unwrap();
    fails(
        "program build --board upduino",
        "was compiled for icebreaker, not for upduino",
    );
    fails("program build --board ulx4s", "there is no target");
    workshop.replace("build/report.json", "\"bitstream\"", "\"netlist\"");
    fails("program build", "was compiled to the netlist only");
    assert!(!workshop.path("called").exists());
}
