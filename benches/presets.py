#!/usr/bin/env python3
"""Lets every preset of spikes learn from real samples in Verilator, beside the golden model.

    python3 benches/presets.py target/release/spikeloom [PRESET...]

They learn from 24 handwritten digits, 64 pixels and 10 classes. `verify` compares class and scores
of every sample, and weights, tags and traces after the first eight and the last. Prints the table of
docs/learning.md, one line a preset. Needs spikeloom's tools installed.

The presets of graded values, `lms` and `rls`, have examples of their own, mackey-glass-*.yaml.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DIGITS = ROOT / "tests" / "data" / "digits8x8" / "train.npz"
SAMPLES = 24

# A readout that fires; a hidden layer whose error or label arrives over random weights; two phases.
FIRING = ["pair-stdp", "soft-stdp", "triplet-stdp", "r-stdp", "sdsp"]
TAUGHT = ["e-prop", "dfa", "drtp", "pc"]
HEAD = "format: spikeloom-network/1\nname: preset\n"


def firing(preset):
    return f"""{HEAD}ticks: 16
input: {{shape: 64, encoding: rate}}
populations:
  out: {{shape: 10, decay_mem: 0.9, v_threshold: 1, reset: subtract}}
projections:
  - from: input
    to: out
    weights: {{random: 1, scale: 0.5}}
    learning: {{preset: {preset}, step: 0.0078125}}
output: out
"""


def taught(preset):
    error = "" if preset == "drtp" else "  - {from: out, to: error, weights: {random: 5, scale: 4}}\n"
    return f"""{HEAD}ticks: 16
input: {{shape: 74, encoding: rate, teacher: 10}}
populations:
  hidden: {{shape: 16, decay_mem: 0.9, v_threshold: 0.5, reset: subtract}}
  out: {{shape: 10, v_threshold: 1, reset: subtract}}
  error: {{shape: 16}}
projections:
  - from: input
    to: hidden
    weights: {{random: 3, scale: 0.5}}
    learning: {{preset: {preset}, e0: error.v_mem, step: 0.015625}}
  - {{from: hidden, to: out, weights: {{random: 4}}}}
{error}  - {{from: teacher, to: error, weights: {{random: 5, scale: -4}}}}
output: out
"""


def network(preset):
    if preset in TAUGHT:
        return taught(preset)
    if preset == "emstdp":
        return (ROOT / "examples" / "digits-emstdp.yaml").read_text()
    return firing(preset)


def run(*words):
    result = subprocess.run(words, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}\n{result.stdout}{result.stderr}")
    return result.stdout


def main():
    spikeloom, *names = sys.argv[1:]
    names = names or FIRING + TAUGHT + ["emstdp"]
    print("| preset | samples | weights changed of | logic cells estimated |\n| --- | --- | --- | --- |")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            model, build = folder / "net.yaml", folder / "build"
            model.write_text(network(name))
            compile_ = [spikeloom, "compile", model, "--target", "ecp5-45f"]
            run(*compile_, "--stop-at", "verilog", "-o", build)
            cells = json.loads((build / "report.json").read_text())["estimate"]["logic_cells"]
            common = ["--data", DIGITS, "--samples", str(SAMPLES), "--json"]
            rungs = json.loads(run(spikeloom, "verify", build, *common))
            [circuit] = [rung for rung in rungs if rung["rung"] == "verilator"]
            epochs = json.loads(run(spikeloom, "learn", build, "--engine", "verilator", *common))
            changes, updates = epochs[0]["changes"], epochs[0]["updates"]
            learnt = circuit["learnt"]
        print(f"| `{name}` | {learnt} | {changes:,} of {updates:,} | {cells:,} |", flush=True)


if __name__ == "__main__":
    main()
