//! Text for people: lines of the ladder, tables, numbers.

use indicatif::{ProgressBar, ProgressStyle};
use spikeloom::Line;
use spikeloom::train::Progress;
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

/// Steps of the bar of an experiment.
const STEPS: u64 = 1000;

/// How far an experiment in training is. On a terminal, a bar with the curve of what is trained, and
/// a line for every training that is done; elsewhere those lines alone, without curves.
#[derive(Debug)]
pub struct TrainingBar(ProgressBar);

impl TrainingBar {
    /// Before anything is trained.
    pub fn new() -> Self {
        let template = "training   {bar:30} {percent} %, {eta} left\n{wide_msg}";
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::new(STEPS).with_style(style))
    }

    /// After a pass.
    pub fn show(&self, progress: &Progress<'_>) {
        let Self(bar) = self;
        bar.set_position((progress.share * STEPS as f64) as u64);
        let run = progress.run;
        let mut text = format!("{}: pass {}", run.title(), run.loss.len());
        if !progress.is_done {
            text += &format!(" of {}", progress.epochs);
        }
        match run.loss.last() {
            Some(loss) if *loss < 1e6 => text += &format!(", loss {loss:.4}"),
            Some(loss) => text += &format!(", loss {loss:.1e}"),
            None => {}
        }
        if let Some(accuracy) = run.accuracy.last() {
            text += &format!(", right {}", percent(*accuracy));
        }
        let is_told = progress.is_done && !run.is_choice;
        if bar.is_hidden() {
            if is_told {
                eprintln!("{text}");
            }
            return;
        }
        text += &format!("  {}", sparkline(&run.loss));
        if is_told {
            bar.println(text);
        } else {
            bar.set_message(text);
        }
    }

    /// Removes the bar.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}

/// A curve in one line of at most 24 letters, from the least value to the largest; what is no number
/// leaves a gap.
fn sparkline(values: &[f64]) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const WIDTH: usize = 24;
    let finite = || values.iter().copied().filter(|v| v.is_finite());
    let (least, most) = (
        finite().fold(f64::INFINITY, f64::min),
        finite().fold(f64::NEG_INFINITY, f64::max),
    );
    let n = values.len().min(WIDTH);
    let letter = |at: usize| {
        // The last value of each part, so that the end of the curve is the present.
        let value = values[(at + 1) * values.len() / n - 1];
        if !value.is_finite() {
            return ' ';
        }
        let height = (value - least) / (most - least).max(f64::MIN_POSITIVE);
        LEVELS[(height * 7.0).round() as usize]
    };
    (0..n).map(letter).collect()
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
