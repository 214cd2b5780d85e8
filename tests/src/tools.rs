//! The external tools, for the tests that need them.
//!
//! A test without its tools is skipped with a remark; with `SPIKELOOM_REQUIRE_TOOLS=1`, as in
//! continuous integration, it fails.

use spikeloom_bitstreams::{ToolSource, Toolchain};

/// Says that a tool is missing, and fails if it must not be.
///
/// # Panics
/// With `SPIKELOOM_REQUIRE_TOOLS=1`.
pub fn missing(tool: &str, reason: &str) {
    let required = std::env::var_os("SPIKELOOM_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    assert!(
        !required,
        "{tool} is required by SPIKELOOM_REQUIRE_TOOLS=1: {reason}"
    );
    eprintln!("skipped, no {tool}: {reason}");
}

/// Which set of tools is tested with: `SPIKELOOM_TOOLS` chooses another than `pypi`.
pub fn source() -> ToolSource {
    match std::env::var("SPIKELOOM_TOOLS") {
        Ok(name) => name.parse().unwrap(),
        Err(_) => ToolSource::default(),
    }
}

/// The installed tools, or nothing after a printed remark.
pub fn toolchain() -> Option<Toolchain> {
    match Toolchain::find(source()) {
        Ok(tools) => Some(tools),
        Err(error) => {
            missing("set of tools", &error.to_string());
            None
        }
    }
}
