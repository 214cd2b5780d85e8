//! Text for people: lines of the ladder, tables, numbers.

use indicatif::{ProgressBar, ProgressStyle};
use spikeloom::Line;
use spikeloom_ladder::{Rung, Verdict};

/// A number with separators between thousands.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (k, digit) in digits.chars().enumerate() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share as a percentage with two decimals.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// The head of the ladder's lines.
pub fn head() -> String {
    format!(
        "{:<10} {:>8} {:>14}  {:<46} {:>8}",
        "rung", "samples", "values", "verdict", "time"
    )
}

/// One rung in one line.
pub fn line(line: &Line) -> String {
    let report = &line.report;
    let verdict = match &report.verdict {
        Verdict::Equal if report.rung == Rung::Golden => "every value within its width".to_owned(),
        Verdict::Equal if report.learnt > 0 => {
            format!("equal bit for bit, {} learnt from", grouped(report.learnt))
        }
        Verdict::Equal => "equal bit for bit".to_owned(),
        Verdict::Agreement {
            spikes,
            classes,
            framework_differences,
        } => {
            let framework = match framework_differences {
                Some(0) => ", framework: identical".to_owned(),
                Some(n) => format!(", framework: {n} spikes differ"),
                None => String::new(),
            };
            let spikes = spikes.map_or(String::new(), |rate| format!("spikes {}, ", percent(rate)));
            format!("{spikes}classes {}{framework}", percent(*classes))
        }
        Verdict::Different(_) => "DIFFERENT".to_owned(),
        Verdict::Failed { .. } => "FAILED".to_owned(),
    };
    format!(
        "{:<10} {:>8} {:>14}  {verdict:<46} {:>6.1} s",
        report.rung,
        grouped(report.samples),
        grouped(report.values),
        line.seconds
    )
}

/// A bar for the samples of one rung; it is only seen on a terminal.
pub fn bar(what: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{prefix:<10} {bar:30} {pos} of {len} samples, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0)
        .with_style(style)
        .with_prefix(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
