//! Events as text, one a line: `t x y p`.

use super::{Frame, Spike, microseconds};

/// Reads them; empty lines and those that begin with `#` or `%` are left out.
///
/// # Errors
/// The line that is no event.
pub(super) fn read(bytes: &[u8], frame: &Frame) -> Result<Vec<Spike>, String> {
    let text = str::from_utf8(bytes).map_err(|_| "is not text in UTF-8".to_owned())?;
    let lines = text.lines().enumerate().filter(|(_, line)| is_event(line));
    let spikes = lines.map(|(number, line)| {
        let found = event(line, frame);
        found.map_err(|what| format!("line {} {what}", number + 1))
    });
    spikes.collect()
}

fn is_event(line: &str) -> bool {
    !line.trim().is_empty() && !line.trim_start().starts_with(['#', '%'])
}

fn event(line: &str, frame: &Frame) -> Result<Spike, String> {
    let fields: Vec<&str> = line
        .split([' ', '\t', ',', ';', '\r'])
        .filter(|field| !field.is_empty())
        .collect();
    let [t, x, y, p] = fields[..] else {
        return Err(format!("has {} fields, not `t x y p`", fields.len()));
    };
    // Whole numbers are microseconds, others seconds.
    let time = match t.parse::<u64>() {
        Ok(time) => i64::try_from(time).ok(),
        Err(_) => t.parse().ok().and_then(microseconds),
    };
    let time = time.ok_or_else(|| format!("has the time `{t}`"))?;
    let place = |name: &str, field: &str| {
        field
            .parse()
            .map_err(|_| format!("has `{field}` as its {name}"))
    };
    let polarity = match p {
        "1" | "+1" | "true" | "True" => true,
        "0" | "-1" | "false" | "False" => false,
        _ => return Err(format!("has the polarity `{p}`, not 0 or 1")),
    };
    frame.event(time, place("column", x)?, place("row", y)?, polarity)
}

#[cfg(test)]
mod tests {
    use super::super::Sensor;
    use super::*;

    fn events(text: &str, shape: &[usize]) -> Result<Vec<(i64, u32)>, String> {
        let frame = Frame::new(shape, &Sensor::default()).unwrap();
        let spikes = read(text.as_bytes(), &frame)?;
        Ok(spikes.iter().map(|s| (s.time, s.channel)).collect())
    }

    #[test]
    fn polarities_have_planes_of_their_own_where_the_network_has() {
        let text = "# t x y p\n1000 0 0 1\n1010,2,1,0\r\n\n1999 1 0 -1\n";
        let found = events(text, &[2, 2, 3]).unwrap();
        assert_eq!(found, [(1000, 6), (1010, 5), (1999, 1)]);
        let found = events(text, &[2, 3]).unwrap();
        assert_eq!(found, [(1000, 0), (1010, 5), (1999, 1)]);
    }

    #[test]
    fn times_may_be_seconds() {
        let found = events("0.5,0,0,1\n0.500025,1,0,0\n", &[1, 1, 2]).unwrap();
        assert_eq!(found, [(500_000, 0), (500_025, 1)]);
    }

    #[test]
    fn what_is_no_event_is_told() {
        let error = |text: &str| events(text, &[1, 2]).unwrap_err();
        assert_eq!(
            error("1 0 0 1\n2 0 0\n"),
            "line 2 has 3 fields, not `t x y p`"
        );
        assert_eq!(
            error("1 0 0 7\n"),
            "line 1 has the polarity `7`, not 0 or 1"
        );
        assert_eq!(error("x 0 0 1\n"), "line 1 has the time `x`");
        assert_eq!(error("1 -1 0 1\n"), "line 1 has `-1` as its column");
        assert_eq!(
            error("1 2 0 1\n"),
            "line 1 has an event at column 2, row 0, but the sensor has 2x1"
        );
    }
}
