//! Bad input, one file a case in `tests/cases/error`; see `spikeloom_tests::case` for their form.
//!
//! No case needs a tool: what is wrong must be said before one is looked for.

use std::path::Path;
use std::time::Duration;

use spikeloom_tests::Limits;
use spikeloom_tests::case::Case;

/// What bad input may take until it is told: the system ends what takes more.
const LIMITS: Limits = Limits {
    memory_bytes: 500_000_000,
    processor_seconds: 2,
};
/// Far more than that, since a busy machine is not to fail the test.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn bad_input_is_explained_and_leaves_nothing() {
    insta::glob!("../../../../tests/cases/error", "*.yaml", |path| {
        insta::assert_snapshot!(report(path));
    });
}

fn report(path: &Path) -> String {
    let case = Case::read(path);
    let workshop = crate::workshop().without_tools();
    case.prepare(&workshop);
    let before = workshop.files("");
    let output = workshop.limited(&case.line, LIMITS);
    assert!(
        output.time < PATIENCE,
        "{}: {:?}",
        path.display(),
        output.time
    );
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    let after = workshop.files("");
    let (before, after) = (names(&before), names(&after));
    assert_eq!(before, after, "{}: files came or went", path.display());
    let Some(code) = output.code else {
        panic!(
            "{}: ended by the system, {LIMITS:?}, after {:?}\n{}",
            path.display(),
            output.time,
            output.stderr
        );
    };
    assert!(
        (1..=3).contains(&code),
        "{}: exit code {code}",
        path.display()
    );
    let mut text = format!("exit code {code}\n{}", output.messages());
    if !output.stdout.is_empty() {
        text += &format!("\n--- standard output\n{}", output.results());
    }
    // Which tools are pinned is no error's business.
    if let Some(end) = text.find("/tools.json")
        && let Some(digest) = text.get(end.saturating_sub(8)..end)
        && digest.chars().all(|c| c.is_ascii_hexdigit())
    {
        text = text.replace(digest, "01234567");
    }
    text
}

type Files = std::collections::BTreeMap<String, Option<Vec<u8>>>;

/// Names with lengths: what a person compares when nothing may have changed.
fn names(files: &Files) -> Vec<String> {
    let length = |content: &Option<Vec<u8>>| content.as_ref().map_or(0, Vec::len);
    files
        .iter()
        .map(|(name, content)| format!("{name} {}", length(content)))
        .collect()
}
