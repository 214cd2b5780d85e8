//! Changes of inputs: of bytes, of lines of text, of values in YAML.

use fastrand::Rng;
use serde_yaml::{Mapping, Value};

/// Numbers at which readers go wrong.
const EDGES: [u64; 16] = [
    0,
    1,
    2,
    7,
    8,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];
/// Longest input.
const MAX_BYTES: usize = 1 << 20;

/// One of them.
pub fn pick<'a, T>(rng: &mut Rng, of: &'a [T]) -> &'a T {
    &of[rng.usize(..of.len())]
}

/// A known input with some of its bytes changed.
pub fn bytes(rng: &mut Rng, pool: &[Vec<u8>]) -> Vec<u8> {
    let mut input = pick(rng, pool).clone();
    for _ in 0..rng.usize(1..8) {
        change_bytes(rng, &mut input, pool);
    }
    input.truncate(MAX_BYTES);
    input
}

fn change_bytes(rng: &mut Rng, input: &mut Vec<u8>, pool: &[Vec<u8>]) {
    let n = input.len();
    if n == 0 {
        input.push(rng.u8(..));
        return;
    }
    let at = rng.usize(..n);
    match rng.u8(..10) {
        0 => input[at] ^= 1 << rng.u8(..8),
        1 => input[at] = rng.u8(..),
        2..5 => {
            // Numbers stand at multiples of their size more often than elsewhere.
            let size = *pick(rng, &[1, 2, 4, 8]);
            let at = if rng.bool() { at } else { at / size * size };
            let number = match rng.u8(..3) {
                0 => *pick(rng, &EDGES),
                1 => n as u64,
                _ => {
                    let n_bits = rng.u8(1..64);
                    rng.u64(..1 << n_bits)
                }
            };
            let number = number.to_le_bytes();
            for (byte, new) in input[at..].iter_mut().zip(&number[..size]) {
                *byte = *new;
            }
        }
        5 => input.truncate(at),
        6 => {
            let end = rng.usize(at..=n);
            input.drain(at..end);
        }
        7 => {
            let end = rng.usize(at..=n).min(at + 4096);
            let piece: Vec<u8> = input[at..end].to_vec();
            let times = if rng.u8(..8) == 0 { 64 } else { 1 };
            let to = rng.usize(..=n);
            input.splice(to..to, piece.repeat(times));
        }
        8 => {
            let other = pick(rng, pool);
            if !other.is_empty() {
                let from = rng.usize(..other.len());
                let end = rng.usize(from..=other.len());
                let to = rng.usize(at..=n);
                input.splice(at..to, other[from..end].iter().copied());
            }
        }
        _ => {
            let end = rng.usize(at..=n).min(at + 64);
            let fill = *pick(rng, &[0, 0xff, b' ', b'0']);
            input[at..end].fill(fill);
        }
    }
}

/// A known text with some of its lines and words changed. `words` are those that mean something.
pub fn text(rng: &mut Rng, pool: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    if rng.u8(..8) == 0 {
        return bytes(rng, pool);
    }
    let known: &Vec<u8> = pick(rng, pool);
    let text = String::from_utf8_lossy(known).into_owned();
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    for _ in 0..rng.usize(1..6) {
        change_line(rng, &mut lines, words);
    }
    let mut input = lines.join("\n").into_bytes();
    input.truncate(MAX_BYTES);
    input
}

fn change_line(rng: &mut Rng, lines: &mut Vec<String>, words: &[&str]) {
    const MARKS: [&str; 24] = [
        "{", "}", "[", "]", ":", ": ", ",", "-", "- ", "&a ", "*a", "!x ", "|", ">", "\"", "'",
        "#", "\t", "---", "...", "? ", "%", "\u{2028}", "\0",
    ];
    const NUMBERS: [&str; 16] = [
        "0",
        "-1",
        "1e-40",
        "1e39",
        "1e400",
        ".nan",
        "-.inf",
        "0x10",
        "4294967295",
        "4294967296",
        "18446744073709551616",
        "-0.0",
        "1e",
        ".",
        "0.1",
        "16777216",
    ];
    let n = lines.len();
    let at = rng.usize(..n);
    match rng.u8(..9) {
        0 => {
            lines.remove(at);
            if lines.is_empty() {
                lines.push(String::new());
            }
        }
        1 => {
            let line = lines[at].clone();
            lines.insert(rng.usize(..=n), line);
        }
        2 => {
            let other = rng.usize(..n);
            lines.swap(at, other);
        }
        3 => {
            let indent = " ".repeat(rng.usize(..9));
            lines[at] = indent + lines[at].trim_start();
        }
        4 => {
            // A word for another.
            let parts: Vec<&str> = lines[at]
                .split_inclusive([' ', ',', ':', '[', ']', '{', '}'])
                .collect();
            let mut parts: Vec<String> = parts.into_iter().map(str::to_owned).collect();
            if !parts.is_empty() {
                let part = rng.usize(..parts.len());
                let end = parts[part].pop().filter(|c| !c.is_alphanumeric());
                let word = if rng.bool() {
                    *pick(rng, words)
                } else {
                    *pick(rng, &NUMBERS)
                };
                parts[part] = word.to_owned() + &end.map_or(String::new(), String::from);
            }
            lines[at] = parts.concat();
        }
        5 | 6 => {
            let mark = if rng.bool() {
                *pick(rng, &MARKS)
            } else {
                *pick(rng, words)
            };
            let times = if rng.u8(..16) == 0 {
                rng.usize(1..3000)
            } else {
                1
            };
            let line = &mut lines[at];
            let places: Vec<usize> = line.char_indices().map(|(at, _)| at).collect();
            let to = if places.is_empty() {
                0
            } else {
                *pick(rng, &places)
            };
            line.insert_str(to, &mark.repeat(times));
        }
        7 => {
            let line = &mut lines[at];
            let places: Vec<usize> = line.char_indices().map(|(at, _)| at).collect();
            if !places.is_empty() {
                line.truncate(*pick(rng, &places));
            }
        }
        _ => {
            let key = *pick(rng, words);
            let value = *pick(rng, &NUMBERS);
            let indent = " ".repeat(rng.usize(..5));
            lines.insert(rng.usize(..=n), format!("{indent}{key}: {value}"));
        }
    }
}

/// Changes values somewhere in a tree.
pub fn tree(rng: &mut Rng, mapping: &mut Mapping) {
    for _ in 0..rng.usize(1..4) {
        let mut value = Value::Mapping(std::mem::take(mapping));
        change_value(rng, &mut value, 0);
        if let Value::Mapping(changed) = value {
            *mapping = changed;
        }
    }
}

fn change_value(rng: &mut Rng, value: &mut Value, depth: usize) {
    // The root stays what it is.
    if depth > 0 && rng.u8(..4) == 0 {
        *value = other_value(rng, value);
        return;
    }
    match value {
        Value::Mapping(entries) if !entries.is_empty() => {
            let keys: Vec<Value> = entries.keys().cloned().collect();
            let key = pick(rng, &keys);
            match rng.u8(..12) {
                0 if depth > 0 => {
                    entries.remove(key);
                }
                1 => {
                    let copy = entries[key].clone();
                    let name = format!("{}x", key.as_str().unwrap_or("1"));
                    entries.insert(Value::String(name), copy);
                }
                2 => {
                    let (a, b) = (pick(rng, &keys), pick(rng, &keys));
                    let (x, y) = (entries[a].clone(), entries[b].clone());
                    entries.insert(a.clone(), y);
                    entries.insert(b.clone(), x);
                }
                _ => change_value(rng, &mut entries[key], depth + 1),
            }
        }
        Value::Sequence(items) if !items.is_empty() => {
            let at = rng.usize(..items.len());
            match rng.u8(..8) {
                0 => {
                    items.remove(at);
                }
                1 => {
                    let copy = items[at].clone();
                    items.push(copy);
                }
                _ => change_value(rng, &mut items[at], depth + 1),
            }
        }
        other => *other = other_value(rng, other),
    }
}

fn other_value(rng: &mut Rng, value: &Value) -> Value {
    const FLOATS: [f64; 12] = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        1e-45,
        1e38,
        -1e38,
        1e-7,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ];
    const WORDS: [&str; 24] = [
        "Input",
        "Output",
        "Affine",
        "Linear",
        "Scale",
        "Conv1d",
        "Conv2d",
        "Flatten",
        "SumPool2d",
        "AvgPool2d",
        "Delay",
        "Threshold",
        "I",
        "IF",
        "LI",
        "LIF",
        "CubaLI",
        "CubaLIF",
        "NIRGraph",
        "same",
        "valid",
        "",
        "input",
        "x",
    ];
    match rng.u8(..7) {
        0 => Value::from(*pick(rng, &FLOATS)),
        1 => Value::from(*pick(rng, &WORDS)),
        2 => Value::from(i64::from_ne_bytes(pick(rng, &EDGES).to_ne_bytes())),
        3 => Value::from(rng.i64(-3..20)),
        4 => {
            let n = rng.usize(..4);
            Value::Sequence((0..n).map(|_| Value::from(rng.i64(0..9))).collect())
        }
        5 => {
            let n = rng.usize(..4);
            Value::Sequence(vec![value.clone(); n])
        }
        _ => match value.as_f64() {
            Some(x) => Value::from(x * *pick(rng, &[0.5, 2.0, -1.0, 1e-9, 1e9])),
            None => Value::Null,
        },
    }
}
