//! Results as JUnit's XML, which most services that build and test show as they show tests.

use std::fmt::Write as _;
use std::path::Path;

use crate::error::Error;
use crate::files::Outputs;
use crate::page;

/// What a test came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Passed,
    /// Otherwise, and what was found.
    Failed(String),
    /// It could not be made.
    Error(String),
}

/// A test.
#[derive(Debug, Clone, PartialEq)]
pub struct TestCase {
    /// Its name.
    pub name: String,
    /// How long it took.
    pub seconds: f64,
    /// What it came to.
    pub outcome: Outcome,
}

/// Writes a file with one suite, in place of another.
///
/// # Errors
/// If it cannot be written.
pub fn write(path: &Path, suite: &str, cases: &[TestCase]) -> Result<(), Error> {
    let mut outputs = Outputs::new(true);
    outputs.add(path, to_xml(suite, cases).as_bytes())?;
    outputs.publish()
}

/// The text of a file with one suite.
pub fn to_xml(suite: &str, cases: &[TestCase]) -> String {
    let count = |is: fn(&Outcome) -> bool| cases.iter().filter(|c| is(&c.outcome)).count();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3}\">",
        escaped(suite),
        cases.len(),
        count(|outcome| matches!(outcome, Outcome::Failed(_))),
        count(|outcome| matches!(outcome, Outcome::Error(_))),
        cases.iter().map(|case| case.seconds).sum::<f64>()
    );
    for case in cases {
        let (suite, name) = (escaped(suite), escaped(&case.name));
        let seconds = case.seconds;
        let head = format!("<testcase classname=\"{suite}\" name=\"{name}\" time=\"{seconds:.3}\"");
        let _ = match &case.outcome {
            Outcome::Passed => writeln!(xml, "    {head}/>"),
            Outcome::Failed(text) => writeln!(
                xml,
                "    {head}><failure message=\"{}\"/></testcase>",
                escaped(text)
            ),
            Outcome::Error(text) => writeln!(
                xml,
                "    {head}><error message=\"{}\"/></testcase>",
                escaped(text)
            ),
        };
    }
    xml + "  </testsuite>\n</testsuites>\n"
}

/// Text as the value of an attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in page::escaped(text).chars() {
        match c {
            '\n' => escaped += "&#10;",
            '\t' => escaped += "&#9;",
            // XML has no way to write others below the space.
            c if c < ' ' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_special_in_xml_is_escaped() {
        let case = |name: &str, outcome| TestCase {
            name: name.to_owned(),
            seconds: 1.25,
            outcome,
        };
        let xml = to_xml(
            "a<b",
            &[
                case("one", Outcome::Passed),
                case("two", Outcome::Failed("\"x\" & y\n\u{1}".to_owned())),
                case("three", Outcome::Error("no board".to_owned())),
            ],
        );
        insta::assert_snapshot!(xml, @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites>
          <testsuite name="a&lt;b" tests="3" failures="1" errors="1" time="3.750">
            <testcase classname="a&lt;b" name="one" time="1.250"/>
            <testcase classname="a&lt;b" name="two" time="1.250"><failure message="&quot;x&quot; &amp; y&#10;�"/></testcase>
            <testcase classname="a&lt;b" name="three" time="1.250"><error message="no board"/></testcase>
          </testsuite>
        </testsuites>
        "#);
    }
}
