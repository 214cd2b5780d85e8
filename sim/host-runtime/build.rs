//! With the feature `verilated`: compiles a fixed block, and what the crate `verilated` leaves out
//! of Verilator 5's runtime. Without it: nothing.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "verilated")]
    fixed_block();
}

#[cfg(feature = "verilated")]
fn fixed_block() {
    use std::path::PathBuf;
    use std::process::Command;

    const DESIGN: &str = "../cosim/tests/designs/fifo.sv";
    println!("cargo:rerun-if-changed={DESIGN}");
    println!("cargo:rerun-if-changed=src/fifo.cpp");
    println!("cargo:rerun-if-env-changed=VERILATOR_ROOT");

    let root = std::env::var_os("VERILATOR_ROOT")
        .map(PathBuf::from)
        .expect("VERILATOR_ROOT is set by .ci/verilated");
    // A folder of its own, made anew: whatever is in it gets compiled.
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR")).join("model");
    if out.exists() {
        std::fs::remove_dir_all(&out).expect("the build folder can be changed");
    }
    std::fs::create_dir_all(&out).expect("the build folder can be changed");
    let status = Command::new(root.join("bin/verilator_bin"))
        .args(["--cc", "--trace", "--assert", "--x-initial", "unique"])
        .args(["-Wno-fatal", "--top-module", "fifo", "--Mdir"])
        .args([&out, &PathBuf::from(DESIGN)])
        .status()
        .expect("Verilator starts");
    assert!(status.success(), "Verilator refuses {DESIGN}: {status}");

    let mut sources: Vec<PathBuf> = std::fs::read_dir(&out)
        .expect("Verilator made its folder")
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|e| e == "cpp"))
        .collect();
    sources.sort();
    let include = root.join("include");
    cc::Build::new()
        .cpp(true)
        .std("gnu++17")
        .warnings(false)
        .include(&out)
        .include(&include)
        .include(include.join("vltstd"))
        .file("src/fifo.cpp")
        // The crate was written for Verilator 4, which had no thread pool.
        .file(include.join("verilated_threads.cpp"))
        .files(&sources)
        .link_lib_modifier("+whole-archive")
        .compile("fifo");
    println!("cargo:rustc-link-lib=pthread");
}
