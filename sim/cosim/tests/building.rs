//! The cache, failing builds, warnings.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod support;

use spikeloom_cosim::{Error, Instance, Setup, Source, Verilator, Warnings, build};
use support::{model, mutated, source, verilator};

fn count_after_three_cycles(model: &spikeloom_cosim::Model) -> u64 {
    let mut instance = Instance::new(model, &Setup::default()).unwrap();
    instance.clock_cycles(3).unwrap();
    instance.get(model.output("count").unwrap()).unwrap()
}

#[test]
fn a_failed_build_is_reported_and_does_not_stay() {
    let Some(verilator) = verilator() else { return };
    let cache = tempfile::tempdir().unwrap();
    let broken = mutated(source("counter.v"), "assign third =", "assign third = =");
    for _ in 0..2 {
        let failed = build(&verilator, cache.path(), &broken);
        let Err(Error::ToolFailed {
            command, output, ..
        }) = failed
        else {
            panic!("{failed:?}")
        };
        assert!(command.contains("--top-module counter"), "{command}");
        assert!(output.starts_with("%Error: counter.v:"), "{output}");
    }
    assert_eq!(
        std::fs::read_dir(cache.path().join("models"))
            .unwrap()
            .count(),
        0
    );
    assert_eq!(
        std::fs::read_dir(cache.path().join("tmp")).unwrap().count(),
        0
    );
    let good = build(&verilator, cache.path(), &source("counter.v")).unwrap();
    assert_eq!(count_after_three_cycles(&good), 3);
}

#[test]
fn every_input_of_the_build_is_in_the_key() {
    let Some(verilator) = verilator() else { return };
    let base = source("counter.v");
    let mut renamed = base.clone();
    renamed.verilog[0].0 = "other.v".to_owned();
    let mut defined = base.clone();
    defined.defines.insert("A".to_owned(), "1".to_owned());
    let changed = mutated(base.clone(), "count + 32'd1", "count + 32'd2");
    let sources = [
        base.clone(),
        renamed,
        defined,
        changed,
        Source {
            assertions: true,
            ..base.clone()
        },
        Source {
            trace: true,
            ..base.clone()
        },
    ];
    let models: Vec<_> = sources
        .iter()
        .map(|source| model(&verilator, source))
        .collect();
    let mut directories: Vec<_> = models.iter().map(|model| model.directory()).collect();
    directories.sort();
    directories.dedup();
    assert_eq!(directories.len(), sources.len());
    let counts: Vec<u64> = models.iter().map(count_after_three_cycles).collect();
    assert_eq!(counts, [3, 3, 3, 6, 3, 3]);
    assert_eq!(model(&verilator, &base).directory(), models[0].directory());
}

#[test]
fn a_hit_starts_no_tool() {
    let Some(found) = verilator() else { return };
    let cache = tempfile::tempdir().unwrap();
    let tools = tempfile::tempdir().unwrap();
    // A compiler which can be taken away after the build.
    let cxx = tools.path().join("cxx");
    let real = found.cxx().to_str().unwrap();
    let script = format!("#!/bin/sh\nexec {real} \"$@\"\n");
    std::fs::write(&cxx, script).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&cxx, executable).unwrap();
    let removable = Verilator::new(found.bin(), found.root(), &cxx).unwrap();
    build(&removable, cache.path(), &source("counter.v")).unwrap();
    std::fs::remove_file(&cxx).unwrap();
    let hit = build(&removable, cache.path(), &source("counter.v")).unwrap();
    assert_eq!(count_after_three_cycles(&hit), 3);
    let miss = build(&removable, cache.path(), &source("adder.v"));
    assert!(
        matches!(miss, Err(Error::ToolNotStarted { .. })),
        "{miss:?}"
    );
}

#[test]
fn threads_share_one_build() {
    let Some(verilator) = verilator() else { return };
    let cache = tempfile::tempdir().unwrap();
    let counts: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|index| {
                let (verilator, cache) = (&verilator, cache.path());
                let file = ["counter.v", "adder.v"][index % 2];
                scope.spawn(move || {
                    let model = build(verilator, cache, &source(file)).unwrap();
                    let mut instance = Instance::new(&model, &Setup::default()).unwrap();
                    instance.clock_cycles(1000).unwrap();
                    instance.cycle()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(counts, [1000; 4]);
    assert_eq!(
        std::fs::read_dir(cache.path().join("models"))
            .unwrap()
            .count(),
        2
    );
    assert_eq!(
        std::fs::read_dir(cache.path().join("runtime"))
            .unwrap()
            .count(),
        1
    );
    assert_eq!(
        std::fs::read_dir(cache.path().join("tmp")).unwrap().count(),
        0
    );
}

#[test]
fn models_are_unloaded_and_loaded_again() {
    let Some(verilator) = verilator() else { return };
    for _ in 0..50 {
        let model = model(&verilator, &source("counter.v"));
        assert_eq!(count_after_three_cycles(&model), 3);
    }
}

#[test]
fn warnings_are_kept_or_denied() {
    let Some(verilator) = verilator() else { return };
    let mut narrow = source("counter.v");
    narrow.verilog[0].1 = narrow.verilog[0]
        .1
        .replace("count + 32'd1", "count + 33'd1");
    let kept = model(&verilator, &narrow);
    assert!(
        kept.warnings().contains("%Warning-WIDTH"),
        "{}",
        kept.warnings()
    );

    narrow.warnings = Warnings::Deny;
    let denied = build(&verilator, support::cache(), &narrow);
    let Err(Error::WarningsDenied { top, output }) = denied else {
        panic!("{denied:?}")
    };
    assert_eq!(top, "counter");
    assert!(output.contains("%Warning-WIDTH"), "{output}");

    // The rule's name differs between versions: all of one family are waived, with a reason.
    let waiver = "`verilator_config\n// The test adds a bit that is dropped on purpose.\n\
                  lint_off -rule WIDTH -file \"counter.v\"\n\
                  lint_off -rule WIDTHTRUNC -file \"counter.v\"\n\
                  lint_off -rule WIDTHEXPAND -file \"counter.v\"\n";
    let known = waiver.lines().filter(|line| {
        !verilator.version().starts_with("5.006")
            || !line.contains("WIDTHTRUNC") && !line.contains("WIDTHEXPAND")
    });
    let waiver = known.collect::<Vec<_>>().join("\n") + "\n";
    narrow.verilog.insert(0, ("waivers.vlt".to_owned(), waiver));
    let waived = model(&verilator, &narrow);
    assert_eq!(waived.warnings(), "");

    let clean = Source {
        warnings: Warnings::Deny,
        ..source("counter.v")
    };
    assert_eq!(model(&verilator, &clean).warnings(), "");
}

#[test]
fn designs_that_cannot_be_driven_are_refused() {
    let Some(verilator) = verilator() else { return };
    let build = |text: &str| {
        let mut source = Source::new("top");
        source.verilog.push(("top.sv".to_owned(), text.to_owned()));
        build(&verilator, support::cache(), &source)
    };
    let pad = build("module top(inout wire pad); assign pad = 1'bz; endmodule");
    assert!(matches!(pad, Err(Error::UnsupportedPort { port, .. }) if port == "pad"));
    let array = build(
        "module top(input wire [7:0] bytes[0:3], output o); assign o = bytes[1][0]; endmodule",
    );
    let Err(Error::UnsupportedPort { port, kind, .. }) = array else {
        panic!("{array:?}")
    };
    assert_eq!((port.as_str(), kind), ("bytes", "an unpacked array"));
}

#[test]
fn wrong_places_are_named() {
    let Some(found) = verilator() else { return };
    let empty = tempfile::tempdir().unwrap();
    let root = Verilator::new(found.bin(), empty.path(), found.cxx());
    assert!(matches!(root, Err(Error::NotAVerilatorRoot { .. })));
    let bin = Verilator::new(empty.path().join("none"), found.root(), found.cxx());
    assert!(matches!(bin, Err(Error::ToolNotStarted { program, .. }) if program.ends_with("none")));
    let cxx = Verilator::new(found.bin(), found.root(), empty.path().join("cxx"));
    assert!(matches!(cxx, Err(Error::ToolNotStarted { program, .. }) if program.ends_with("cxx")));

    let file = empty.path().join("file");
    std::fs::write(&file, "").unwrap();
    let cache = build(&found, &file, &source("counter.v"));
    assert!(matches!(cache, Err(Error::Io { .. })));

    let mut unread = source("counter.v");
    unread
        .images
        .push(("weights.hex".to_owned(), b"00\n".to_vec()));
    let unread = build(&found, support::cache(), &unread);
    assert!(matches!(unread, Err(Error::ImageNotRead { image, .. }) if image == "weights.hex"));
}
