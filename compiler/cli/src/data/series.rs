//! Time series: real values for every tick, each sample as long as it is.

use spikeloom_frontend::arrays::{Archive, NumberArray};

use super::{Samples, Taken};

/// What is to come out for every tick.
#[derive(Debug, Clone, PartialEq)]
pub struct Targets {
    /// `[sample][tick * n_outputs + output]`.
    pub values: Vec<Vec<f32>>,
    /// Number of outputs.
    pub n_outputs: usize,
    /// For each sample how many ticks pass before its outputs count.
    pub warmup: Vec<usize>,
}

/// Samples as the signed 16-bit integers that the network takes, and their targets where the file
/// has some.
///
/// | array | content |
/// | --- | --- |
/// | `input` | real values, `[n, ticks, channels]` |
/// | `length` | ticks of each sample, `[n]`; all of them by default |
/// | `target` | what is to come out, `[n, ticks, outputs]`; optional |
/// | `warmup` | ticks whose outputs do not count, `[n]` or one number; 0 by default |
pub(super) fn read(
    input: &NumberArray,
    archive: &mut Archive,
    taken: &Taken,
) -> Result<(Samples, Option<Targets>), String> {
    let Some((n_taken, scale)) = taken.series else {
        return Err("the network takes no time series".to_owned());
    };
    let axes = |name: &str, array: &NumberArray| match *array.shape() {
        [n, ticks, size] if n * ticks * size > 0 => Ok([n, ticks, size]),
        _ => Err(format!(
            "array `{name}` has the shape {:?}, and a time series is `[n, ticks, channels]`",
            array.shape()
        )),
    };
    let [n, ticks, n_channels] = axes("input", input)?;
    if n_channels != n_taken {
        return Err(format!(
            "array `input` has {n_channels} channels, and the network takes {n_taken}"
        ));
    }
    let lengths = counts(archive, "length", n)?.unwrap_or_else(|| vec![ticks; n]);
    if let Some(wrong) = lengths.iter().find(|&&l| l == 0 || l > ticks) {
        return Err(format!(
            "array `length` holds {wrong}, and samples have 1 to {ticks} ticks"
        ));
    }
    let most = usize::try_from(taken.ticks).unwrap_or(usize::MAX);
    if let Some(longest) = lengths.iter().max().filter(|&&l| l > most) {
        return Err(format!(
            "a sample has {longest} ticks, and the network takes up to {most}: its `ticks` say so"
        ));
    }
    let values = input.to_f32();
    let samples = values.chunks(ticks * n_channels).zip(&lengths);
    let samples = samples.enumerate().map(|(n, (sample, &length))| {
        let used = sample[..length * n_channels].iter().enumerate();
        let integers = used.map(|(at, &value)| {
            integer(value, scale).ok_or_else(|| {
                let (tick, channel) = (at / n_channels, at % n_channels);
                let most = f32::from(i16::MAX) * scale;
                format!(
                    "array `input` holds {value} in sample {n}, tick {tick}, channel {channel}; \
                     with the network's input scale of {scale} values reach from -{most} to {most}"
                )
            })
        });
        integers.collect()
    });
    let samples = samples.collect::<Result<Vec<Vec<i16>>, String>>()?;
    let samples = Samples::Series(samples);
    let Some(target) = array(archive, "target")? else {
        return Ok((samples, None));
    };
    let [n_targets, target_ticks, n_outputs] = axes("target", &target)?;
    if [n_targets, target_ticks] != [n, ticks] {
        return Err(format!(
            "array `target` has the shape {:?}, and there are {n} samples of {ticks} ticks",
            target.shape()
        ));
    }
    let warmup = counts(archive, "warmup", n)?.unwrap_or_else(|| vec![0; n]);
    let values = target.to_f32();
    if values.iter().any(|v| !v.is_finite()) {
        return Err("array `target` holds a value that is not finite".to_owned());
    }
    let values = values.chunks(ticks * n_outputs).zip(&lengths);
    Ok((
        samples,
        Some(Targets {
            values: values.map(|(v, &l)| v[..l * n_outputs].to_vec()).collect(),
            n_outputs,
            warmup,
        }),
    ))
}

/// The nearest integer; `None` where none of 16 bits is near.
fn integer(value: f32, scale: f32) -> Option<i16> {
    let integer = (value / scale).round();
    let fits = (f32::from(i16::MIN)..=f32::from(i16::MAX)).contains(&integer);
    // Exact: it is whole and in range.
    fits.then_some(integer as i16)
}

fn array(archive: &mut Archive, name: &str) -> Result<Option<NumberArray>, String> {
    if !archive.names().contains(&name) {
        return Ok(None);
    }
    let array = archive.get(name).map_err(|error| error.to_string())?;
    Ok(Some(array))
}

/// Numbers of ticks: one a sample, or one for all.
fn counts(archive: &mut Archive, name: &str, n: usize) -> Result<Option<Vec<usize>>, String> {
    let Some(array) = array(archive, name)? else {
        return Ok(None);
    };
    let values = array.to_i64();
    let values = values.ok_or_else(|| format!("array `{name}` holds no integers"))?;
    let ticks = |&v: &i64| usize::try_from(v).map_err(|_| format!("array `{name}` holds {v}"));
    let counts = values.iter().map(ticks).collect::<Result<Vec<_>, _>>()?;
    match counts[..] {
        [one] => Ok(Some(vec![one; n])),
        _ if counts.len() == n => Ok(Some(counts)),
        _ => Err(format!(
            "array `{name}` has {} entries for {n} samples",
            counts.len()
        )),
    }
}
