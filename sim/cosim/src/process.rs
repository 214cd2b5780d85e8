//! Running the external tools: never a shell, output always captured.

use std::path::Path;
use std::process::Command;

use crate::error::Error;

/// Lines of a failed tool's output which are kept in the error.
const KEPT_LINES: usize = 40;

/// Runs a command to its end and returns what it printed on both streams.
pub(crate) fn run(command: &mut Command) -> Result<String, Error> {
    let output = command.output().map_err(|source| Error::ToolNotStarted {
        program: Path::new(command.get_program()).to_path_buf(),
        source,
    })?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    if output.status.success() {
        return Ok(text);
    }
    Err(Error::ToolFailed {
        command: command_line(command),
        status: output.status.to_string(),
        output: excerpt(&text),
    })
}

fn command_line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The first error is what a reader wants, and compilers bury it: start there when there is one.
fn excerpt(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let error = |line: &&str| {
        line.contains("error:") || (line.contains("%Error") && !line.contains("Exiting due to"))
    };
    let start = lines
        .iter()
        .position(error)
        .or_else(|| lines.iter().position(|line| line.contains("%Warning")))
        .unwrap_or(lines.len().saturating_sub(KEPT_LINES));
    lines[start..]
        .iter()
        .take(KEPT_LINES)
        .copied()
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpt_starts_at_the_first_error() {
        let mut text = "note\n".repeat(100);
        text.push_str("%Error: top.v:3:1: syntax error\nlast\n");
        assert_eq!(excerpt(&text), "%Error: top.v:3:1: syntax error\nlast");
        let denied = "note\n%Warning-W: a.v:1:1: w\n%Error: Exiting due to 1 warning(s)";
        assert_eq!(excerpt(denied), denied.strip_prefix("note\n").unwrap());
        assert_eq!(excerpt(&"x\n".repeat(100)).lines().count(), KEPT_LINES);
        assert_eq!(excerpt(""), "");
    }

    #[test]
    fn missing_program_is_named() {
        let error = run(&mut Command::new("spikeloom-no-such-program"));
        assert!(matches!(error, Err(Error::ToolNotStarted { program, .. })
            if program == Path::new("spikeloom-no-such-program")));
    }
}
