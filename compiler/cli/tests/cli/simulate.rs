//! Samples through the golden model and through Verilator.

use std::path::Path;

use serde_json::Value;
use spikeloom_tests::{Workshop, keys, tools};

use crate::{SMALL_FLAGS, samples, small_workshop};

const TICKS: usize = 8;
const HIDDEN: usize = 8;
const READOUT: usize = 4;

fn compiled() -> Workshop {
    let workshop = small_workshop();
    workshop.write("data.npz", samples(20));
    workshop.succeeds(&format!(
        "compile model.nir {SMALL_FLAGS} --stop-at verilog -o build"
    ));
    workshop
}

/// Fails unless both engines say the same of everything that both say.
pub fn assert_same_results(golden: &Value, verilator: &Value) {
    assert_eq!(golden["engine"], "golden");
    assert_eq!(verilator["engine"], "verilator");
    for (name, value) in golden.as_object().unwrap() {
        if name != "engine" && name != "hardware" {
            assert_eq!(verilator[name], *value, "{name}");
        }
    }
    assert_eq!(golden["hardware"], Value::Null);
    let hardware = &verilator["hardware"];
    // What the circuit counted itself is what the golden model counted: a core's events are the
    // spikes of the population before it. The first core is fed by an encoder, whose events may be
    // the bits of a value.
    let cores = hardware["cores"].as_array().unwrap().iter().skip(1);
    for (core, population) in cores.zip(golden["spikes"].as_array().unwrap()) {
        assert_eq!(core["events"], population["spikes"], "{core}");
    }
    assert!(hardware["cycles"].as_f64().unwrap() > 0.0);
}

#[test]
fn results_are_told_to_people_and_to_scripts() {
    let workshop = compiled();
    insta::assert_snapshot!(
        "golden",
        workshop.succeeds("simulate build --data data.npz")
    );
    let json = workshop.json("simulate build --data data.npz --json");
    insta::assert_snapshot!("golden_keys", keys(&json));
    assert_eq!(json["samples"], 20);
    assert_eq!(json["classes"].as_array().unwrap().len(), 20);
    let few = workshop.json("simulate build --data data.npz --samples 3 --json");
    assert_eq!(few["samples"], 3);
    assert_eq!(few["classes"][2], json["classes"][2]);
}

/// Three of four synapses of `sparse` are 0, and none of `dense`; in the circuit both may be lists.
#[test]
fn operations_are_those_of_the_synapses_that_there_are() {
    let workshop = crate::workshop();
    let row = |n: usize| {
        format!(
            "[{}]",
            (0..8)
                .map(|at| if at % 4 == n % 4 { "0.5" } else { "0" })
                .collect::<Vec<_>>()
                .join(", ")
        )
    };
    let rows: Vec<String> = (0..8).map(row).collect();
    workshop.write(
        "net.yaml",
        format!(
            "format: spikeloom-network/1\nticks: 8\ninput: {{shape: 5, encoding: rate}}\npopulations:\n  \
             hidden: {{shape: 8, v_threshold: 0.5, reset: subtract}}\n  \
             out: {{shape: 8, v_threshold: 1, reset: subtract}}\nprojections:\n  \
             - {{name: dense, from: input, to: hidden, weights: {{random: 3, scale: 0.5}}}}\n  \
             - {{name: sparse, from: hidden, to: out, weights: [{}]}}\noutput: out\n",
            rows.join(", ")
        ),
    );
    let values: Vec<u8> = (0..50u32).map(|n| (n * 89 % 251) as u8).collect();
    workshop.write(
        "data.npz",
        spikeloom_tests::npz(&[("input", &[10, 5], &values)]),
    );
    let model = workshop.json("simulate net.yaml --data data.npz --json");
    let number = |value: &Value| value.as_f64().unwrap();
    let (dense, sparse) = (&model["operations"][0], &model["operations"][1]);
    let hidden_spikes = number(&model["spikes"][0]["spikes"]);
    assert!(hidden_spikes > 1.0);
    let near = |a: f64, b: f64| (a - b).abs() < 1e-9 * b.max(1.0);
    assert!(near(
        number(&dense["all"]),
        8.0 * number(&model["input_events"])
    ));
    assert_eq!(dense["not_0"], dense["all"]);
    // An event reaches eight neurons, two of them over a weight that is not 0.
    assert!(near(number(&sparse["all"]), 8.0 * hidden_spikes));
    assert!(near(number(&sparse["not_0"]), 2.0 * hidden_spikes));
    assert_eq!(sparse["stored"], Value::Null);
    assert_eq!(model["operations_stored"], Value::Null);

    workshop.succeeds("compile net.yaml --lanes 1 --compress always --stop-at verilog -o build");
    let build = workshop.json("simulate build --data data.npz --json");
    let (dense, sparse) = (&build["operations"][0], &build["operations"][1]);
    assert_eq!(dense["stored"], dense["all"]);
    assert_eq!(sparse["stored"], sparse["not_0"]);
    let stored = number(&dense["all"]) + number(&sparse["not_0"]);
    assert!(near(number(&build["operations_stored"]), stored));
    let all = number(&dense["all"]) + number(&sparse["all"]);
    assert!(near(number(&build["synaptic_operations"]), all));
    assert!(near(number(&build["operations_not_0"]), stored));
    // A row of two lanes has a weight of 0 beside each of another.
    workshop.succeeds("compile net.yaml --lanes 2 --compress always --stop-at verilog -o rows");
    let rows = workshop.json("simulate rows --data data.npz --json");
    let sparse = &rows["operations"][1];
    assert!(near(number(&sparse["stored"]), 4.0 * hidden_spikes));
    assert!(near(number(&sparse["not_0"]), 2.0 * hidden_spikes));
    workshop.succeeds("compile net.yaml --lanes 1 --compress never --stop-at verilog -o full");
    let full = workshop.json("simulate full --data data.npz --json");
    assert_eq!(full["operations_stored"], full["synaptic_operations"]);
}

#[test]
fn the_trace_has_every_state_and_spike() {
    let workshop = compiled();
    let trace = workshop.succeeds("simulate build --data data.npz --trace --sample 3");
    let rows: Vec<Vec<&str>> = trace.lines().map(|l| l.split('\t').collect()).collect();
    assert_eq!(rows[0], ["tick", "population", "neuron", "spike", "states"]);
    assert_eq!(rows.len(), 1 + TICKS * (HIDDEN + READOUT));
    insta::assert_snapshot!(
        "trace_of_a_tick",
        trace
            .lines()
            .take(1 + HIDDEN + READOUT)
            .collect::<Vec<_>>()
            .join("\n")
    );
    // As many spikes as the summary of that sample alone.
    let first = workshop.succeeds("simulate build --data data.npz --trace");
    let summary = workshop.json("simulate build --data data.npz --samples 1 --json");
    for population in summary["spikes"].as_array().unwrap() {
        let name = population["population"].as_str().unwrap();
        let spikes = first
            .lines()
            .map(|l| l.split('\t').collect::<Vec<_>>())
            .filter(|row| row[1] == name && row[3] == "1")
            .count();
        assert_eq!(population["spikes"], spikes as f64, "{name}");
    }
}

#[test]
fn verilator_gives_the_golden_results() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = compiled();
    let golden = workshop.json("simulate build --data data.npz --json");
    let verilator = workshop.json("simulate build --data data.npz --engine verilator --json");
    assert_same_results(&golden, &verilator);
    insta::assert_snapshot!("verilator_keys", keys(&verilator));
    insta::assert_snapshot!(
        "verilator",
        workshop.succeeds("simulate build --data data.npz --engine verilator")
    );
}

#[test]
fn samples_end_when_the_class_is_clear() {
    let workshop = compiled();
    let run =
        |flags: &str| workshop.json(&format!("simulate build --data data.npz {flags} --json"));
    let all = run("");
    assert_eq!(all["early_exit"], Value::Null);
    // Nothing leads by more spikes than there are ticks.
    let never = run("--until 9");
    assert_eq!(never["early_exit"]["ticks"], TICKS as f64);
    assert_eq!(never["classes"], all["classes"]);
    let early = run("--until 1");
    let ticks = early["early_exit"]["ticks"].as_f64().unwrap();
    assert!(1.0 < ticks && ticks < TICKS as f64, "{ticks}");
    assert_eq!(early["early_exit"]["full_accuracy"], all["accuracy"]);
    assert!(early["synaptic_operations"].as_f64() < all["synaptic_operations"].as_f64());
    insta::assert_snapshot!(
        "early",
        workshop.succeeds("simulate build --data data.npz --until 1")
    );
    if tools::toolchain().is_none() {
        return;
    }
    let verilator = run("--until 1 --engine verilator");
    assert_same_results(&early, &verilator);
}

/// The same spikes as an array and as lines of text, in a folder for each class.
#[test]
fn events_may_be_text() {
    let workshop = small_workshop();
    workshop.succeeds(&format!(
        "compile model.nir {} --stop-at verilog -o build",
        SMALL_FLAGS.replace("direct", "events")
    ));
    let fires = |n: usize, tick: usize, channel: usize| {
        tick + channel == 0 || (n * 7 + tick * 5 + channel * 3).is_multiple_of(4)
    };
    let n = 4;
    let mut spikes = Vec::new();
    for sample in 0..n {
        let mut text = "# t x y p\n".to_owned();
        for tick in 0..TICKS {
            for channel in 0..12 {
                let fires = fires(sample, tick, channel);
                spikes.push(u8::from(fires));
                if fires {
                    text += &format!("{} {channel} 0 {}\n", 500 + tick * 100 + channel, tick % 2);
                }
            }
        }
        workshop.write(&format!("recordings/{}/r{sample}.txt", sample / 2), text);
    }
    let arrays: [(&str, &[usize], &[u8]); 2] = [
        ("input", &[n, TICKS, 12], &spikes),
        ("labels", &[n], &[0, 0, 1, 1]),
    ];
    workshop.write("data.npz", spikeloom_tests::npz(&arrays));
    let array = workshop.json("simulate build --data data.npz --json");
    let text = workshop.json("simulate build --data recordings --tick-us 100 --json");
    assert_eq!(array, text);
    assert!(array["input_events"].as_f64().unwrap() > 0.0);
    let one = workshop
        .json("simulate build --data recordings/1/r3.txt --tick-us 100 --sensor 12x1 --json");
    assert_eq!(one["classes"][0], array["classes"][3]);
    assert_eq!(one["accuracy"], Value::Null);
}

/// Values of a signal whenever the clock rises.
fn at_rising_clock(path: &Path, signal: &str) -> Vec<String> {
    let mut wave = wellen::simple::read(path).unwrap();
    let find = |name: &str| {
        let hierarchy = wave.hierarchy();
        let var = hierarchy
            .lookup_var(&["TOP", "device"], name)
            .unwrap_or_else(|| panic!("{name} is not in the wave"));
        hierarchy[var].signal_ref()
    };
    let refs = [find("clock"), find(signal)];
    wave.load_signals(&refs);
    let [clock, signal] = refs.map(|r| wave.get_signal(r).unwrap());
    let times = u32::try_from(wave.time_table().len()).unwrap();
    let bits = |signal: &wellen::Signal, time: u32| {
        let offset = signal.get_offset(time)?;
        signal.get_value_at(&offset, 0).to_bit_string()
    };
    (1..times)
        .filter(|&t| {
            let is = |time, value: &str| bits(clock, time).is_some_and(|b| b == value);
            is(t - 1, "0") && is(t, "1")
        })
        // What the clock's edge samples is the value before it.
        .filter_map(|t| bits(signal, t - 1))
        .collect()
}

#[test]
fn waves_show_the_spikes_of_the_trace() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = compiled();
    let trace = workshop.succeeds("simulate build --data data.npz --trace --sample 3");
    for name in ["x.fst", "x.vcd"] {
        workshop.succeeds(&format!(
            "simulate build --data data.npz --sample 3 --wave {name}"
        ));
        let path = workshop.path(name);
        for (core, population, neurons) in [(0, "hidden", HIDDEN), (1, "readout", READOUT)] {
            let signal = |what: &str| at_rising_clock(&path, &format!("trace_{what}_{core}"));
            let (valid, spike) = (signal("valid"), signal("spikes"));
            let seen: Vec<&str> = valid
                .iter()
                .zip(&spike)
                .filter(|(valid, _)| *valid == "1")
                .map(|(_, spike)| spike.as_str())
                .collect();
            let expected: Vec<&str> = trace
                .lines()
                .map(|l| l.split('\t').collect::<Vec<_>>())
                .filter(|row| row[1] == population)
                .map(|row| row[3])
                .collect();
            assert_eq!(expected.len(), TICKS * neurons);
            assert_eq!(seen, expected, "{name}: {population}");
        }
    }
}
