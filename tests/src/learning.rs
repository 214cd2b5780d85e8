//! Networks that learn, by chance, in the native format.

use crate::networks::Random;

/// The constants that a rule may begin with are powers of two; names of its factors.
const WHEN: [&str; 7] = ["x0", "y0", "u0", "u2", "end", "u1 * x0", "x0 * y0"];
const WHAT: [&str; 9] = ["x1", "x2", "y1", "y2", "y3", "sgn(e0)", "r", "e0", "h1"];
const MORE: [&str; 7] = [
    "w",
    "x1",
    "(w + 128)",
    "(127 - w)",
    "sgn(w)",
    "y1",
    "(x1 - 9)",
];

fn pick<'a>(r: &mut Random, from: &[&'a str]) -> &'a str {
    from[index(r, from.len())]
}

fn index(r: &mut Random, n: usize) -> usize {
    usize::try_from(r.below(n as u64)).unwrap()
}

/// A rule of one to three products; with a tag it may read that.
pub fn random_rule(r: &mut Random, has_tag: bool) -> String {
    let products = (0..1 + r.below(3)).map(|n| {
        let mut factors = vec![format!("2^-{}", 3 + r.below(8))];
        if r.below(3) == 0 {
            factors.push(format!("{}", 1 + 2 * r.below(4)));
        }
        factors.push(pick(r, &WHEN).to_owned());
        factors.push(pick(r, &WHAT).to_owned());
        if r.below(2) == 0 {
            factors.push(pick(r, &MORE).to_owned());
        }
        if has_tag && r.below(2) == 0 {
            factors.push("t".to_owned());
        }
        let sign = [" + ", " - "][index(r, 2)];
        let sign = if n == 0 { "" } else { sign };
        format!("{sign}{}", factors.join(" * "))
    });
    products.collect()
}

/// The lines of a `learning:` whose keys stand so far in. All projections into a target take the
/// same step.
fn random_learning(r: &mut Random, indent: &str, phases: u64, third: &str) -> String {
    let has_tag = r.below(3) == 0;
    let read = match third {
        "v_mem" => "",
        _ => " + 2^-9 * e0 * x0",
    };
    let mut lines = vec![
        "step: 0.015625".to_owned(),
        format!("rule: {}{read}", random_rule(r, has_tag)),
        format!("e0: {third}"),
        "h1: {v_mem: {from: 0.1, below: 0.4}, y1: {from: 2}}".to_owned(),
    ];
    if has_tag {
        let rule = random_rule(r, true);
        lines.push(format!("tag: {{rule: {rule}, bits: {}}}", 4 + r.below(9)));
    }
    let rounding = match has_tag {
        true => pick(r, &["stochastic", "nearest", "floor"]),
        false => pick(r, &["stochastic", "nearest", "floor", "carried"]),
    };
    lines.push(format!("rounding: {rounding}"));
    if rounding == "stochastic" {
        lines.push(format!("seed: {}", 1 + r.below(1000)));
    }
    for name in ["x1", "x2", "y1", "y2", "y3"] {
        let decay = pick(r, &["0", "0.5", "0.875", "0.96875", "1"]);
        let windows = [
            "",
            ", ticks: [0, 3]",
            ", ticks: [3, 24]",
            ", phase: 1",
            ", phase: 2",
        ];
        let ticks = pick(r, &windows[..if phases > 1 { 5 } else { 3 }]);
        let impulse = 1 + r.below(90);
        lines.push(format!(
            "{name}: {{decay: {decay}, impulse: {impulse}{ticks}}}"
        ));
    }
    let lines = lines.iter().map(|line| format!("{indent}{line}\n"));
    lines.collect()
}

/// A network of one or two populations, of which one or more learn: forwards, in a loop, late, or
/// beside a teacher.
pub fn random_plastic(seed: u64) -> String {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let r = &mut random;
    let n_in = 2 + r.below(9);
    let n_teacher = [0, 3][index(r, 2)];
    let encoding = pick(r, &["events", "rate"]);
    let n_hidden = 1 + r.below(22);
    let n_out = 3 + r.below(17);
    let has_hidden = r.below(3) > 0;
    let decoder = pick(r, &["spike-count", "membrane-sum"]);
    let phases = 1 + r.below(3) / 2;
    let teacher = match n_teacher {
        0 => String::new(),
        n => format!(", teacher: {n}"),
    };
    let mut text = format!(
        "format: spikeloom-network/1\nticks: {}\nphases: {phases}\ninput: {{shape: {}, encoding: \
         {encoding}{teacher}}}\npopulations:\n",
        3 + r.below(9),
        n_in + n_teacher
    );
    let decay = |r: &mut Random| pick(r, &["0.9", "1", "0.5"]).to_owned();
    if has_hidden {
        let multi = match r.below(3) {
            0 => ", multi_spike: true, compare: greater-or-equal",
            _ => "",
        };
        let reset = pick(r, &["subtract", "zero"]);
        let reset = if multi.is_empty() { reset } else { "subtract" };
        text.push_str(&format!(
            "  hidden: {{shape: {n_hidden}, decay_mem: {}, v_threshold: 0.5, reset: {reset}{multi}}}\n",
            decay(r)
        ));
    }
    let firing = match decoder {
        "spike-count" => ", v_threshold: 0.5, reset: subtract",
        _ => "",
    };
    text.push_str(&format!(
        "  out: {{shape: {n_out}, decay_mem: {}{firing}}}\nprojections:\n",
        decay(r)
    ));
    let mut project = |r: &mut Random, from: &str, to: &str, delay: u64, learns: bool| {
        text.push_str(&format!(
            "  - from: {from}\n    to: {to}\n    delay: {delay}\n    weights: {{random: {}, scale: \
             0.5}}\n",
            1 + r.below(1000)
        ));
        if learns {
            text.push_str("    learning:\n");
            text.push_str(&random_learning(r, "      ", phases, "v_mem"));
        }
    };
    let before = if has_hidden { "hidden" } else { "input" };
    let out_learns = !has_hidden || r.below(3) > 0;
    let loop_learns = r.below(2) == 0;
    if has_hidden {
        let (delay, learns) = (r.below(2), !out_learns || r.below(2) == 0);
        project(r, "input", "hidden", delay, learns);
    }
    let fires = !firing.is_empty();
    let has_loop = fires && r.below(3) == 0;
    let delay = r.below(3);
    project(
        r,
        before,
        "out",
        delay,
        out_learns && !(has_loop && loop_learns),
    );
    if n_teacher > 0 {
        project(r, "teacher", "out", 0, false);
    }
    if has_loop {
        project(r, "out", "out", 1, loop_learns && out_learns);
    }
    text.push_str(&format!("output: out\ndecoder: {decoder}\n"));
    text
}

/// A network of three populations, of which one, two or all learn by what they read of another one: the
/// last of a chain, the first, or one beside it that feeds nothing; which comes first is chance. Some
/// learn in two projections, and traces of some follow another population than their own.
pub fn random_followers(seed: u64) -> String {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let r = &mut random;
    let phases = 1 + r.below(3) / 2;
    let (n_in, n) = (2 + r.below(7), 3 + r.below(12));
    let mut text = format!(
        "format: spikeloom-network/1\nticks: {}\nphases: {phases}\ninput: {{shape: {}, encoding: \
         events, teacher: {n}}}\npopulations:\n",
        3 + r.below(7),
        n_in + n
    );
    let names = [
        ["hidden", "error", "out"],
        ["error", "hidden", "out"],
        ["hidden", "out", "error"],
    ];
    let order = names[index(r, names.len())];
    let place = |name: &str| order.iter().position(|other| *other == name);
    let error_fires = r.below(2) == 0;
    for name in order {
        let firing = match name == "error" && !error_fires {
            true => "",
            false => ", v_threshold: 0.5, reset: subtract",
        };
        let decay = pick(r, &["0.9", "1", "0.5"]);
        text.push_str(&format!(
            "  {name}: {{shape: {n}, decay_mem: {decay}{firing}}}\n"
        ));
    }
    text.push_str("projections:\n");
    let learners = 1 + r.below(31);
    let firing = order.iter().filter(|name| error_fires || **name != "error");
    let firing: Vec<&str> = firing.copied().collect();
    let mut project = |r: &mut Random, from: &str, to: &str, learner: u64| {
        // What comes later in the file comes a tick later.
        let least = u64::from(place(from).is_some_and(|from| Some(from) >= place(to)));
        text.push_str(&format!(
            "  - from: {from}\n    to: {to}\n    delay: {}\n    weights: {{random: {}, scale: 0.5}}\n",
            least + r.below(3) / 2,
            1 + r.below(1000)
        ));
        if learners >> learner & 1 == 1 {
            let others = order.iter().filter(|other| **other != to);
            let others: Vec<String> = others.map(|other| format!("{other}.v_mem")).collect();
            let third = &others[index(r, others.len())];
            text.push_str("    learning:\n");
            text.push_str(&random_learning(r, "      ", phases, third));
            let sides = ["x_of", "y_of"];
            for side in &sides[usize::from(from == "input")..] {
                if r.below(3) == 0 {
                    text.push_str(&format!("      {side}: {}\n", pick(r, &firing)));
                }
            }
        }
    };
    const FIXED: u64 = 63;
    project(r, "input", "hidden", 0);
    project(r, "hidden", "out", 1);
    project(r, "teacher", "error", FIXED);
    project(r, "out", "error", 2);
    if r.below(2) == 0 {
        project(r, "input", "error", 3);
    }
    // Nothing else may read it.
    if error_fires && (learners == 2 || r.below(2) == 0) {
        project(r, "error", "hidden", 4);
    } else if error_fires {
        project(r, "error", "out", 4);
    }
    text.push_str("output: out\ndecoder: spike-count\n");
    text
}
