#!/usr/bin/env python3
"""Compiles every trained test model and climbs its ladder on its test samples.

    python3 benches/ladder.py target/release/spikeloom [NAME...]

Prints the table of docs/ladder.md, one line a model. Needs spikeloom's tools installed.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODELS = ROOT / "tests" / "models"
DATA = ROOT / "tests" / "data"
MNIST = (DATA / "mnist" / "train512-images-idx3-ubyte.gz", DATA / "mnist")
SPOKEN = (DATA / "spoken-digits" / "train256.npz", DATA / "spoken-digits" / "test.npz")
SNNTORCH = "--semantics snntorch --reset subtract"
NORSE = "--semantics norse --reset value --dt 0.001 --encoding direct --ticks 32"

# Name, flags, what scales are chosen on, samples, at most so many.
CASES = [
    ("snntorch-leaky-mnist-direct", f"{SNNTORCH} --encoding direct --ticks 25", MNIST, 500),
    ("snntorch-leaky-mnist-rate", f"{SNNTORCH} --encoding rate --ticks 25", MNIST, 500),
    (
        "snntorch-leaky-mnist-latency",
        f"{SNNTORCH} --encoding latency --latency linear --encoder-threshold 0.05 --latency-clip true --ticks 16",
        MNIST,
        500,
    ),
    ("snntorch-leaky-mnist-delta", f"{SNNTORCH} --encoding delta --delta-off true --ticks 28", MNIST, 500),
    ("snntorch-rsynaptic-spoken", f"{SNNTORCH} --encoding events --ticks 64", SPOKEN, 300),
    ("snntorch-rleaky-spoken", f"{SNNTORCH} --reset-of 1.lif=zero --encoding events --ticks 64", SPOKEN, 300),
    ("norse-lifbox-mnist", NORSE, MNIST, 500),
    ("norse-cuba-mnist", NORSE, MNIST, 500),
    (
        "sinabs-iaf-conv-mnist",
        "--semantics sinabs --reset subtract --spikes multi --encoding rate --ticks 20",
        MNIST,
        500,
    ),
    ("reservoirpy-esn-vowels", "", None, 370),
    ("reservoirpy-esn-mackey-glass", "--bits 16 --state-bits 18", None, 1),
]
# The first that a network fits.
TARGETS = ["up5k", "hx8k", "ecp5-25f", "ecp5-45f", "ecp5-85f"]
RUNGS = ["verilator", "netlist", "bitstream"]


def run(spikeloom, *words):
    return subprocess.run([spikeloom, *words], capture_output=True, text=True)


def compiled(spikeloom, model, flags, build):
    """Compiles for the first target that it fits; the target and the report."""
    for target in TARGETS:
        result = run(spikeloom, "compile", model, *flags, "--target", target, "-o", build)
        if result.returncode == 0:
            return target, json.loads((build / "report.json").read_text())
        if "does not fit" not in result.stderr:
            break
    sys.exit(result.stderr)


def main():
    spikeloom = pathlib.Path(sys.argv[1]).resolve()
    wanted = sys.argv[2:]
    print("| model | target | tables | block RAMs | samples in Verilator | netlist | bitstream | verdict |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    # Some tools cannot see the system's folder for what is temporary.
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for name, flags, data, most in CASES:
            if wanted and name not in wanted:
                continue
            path = MODELS / name
            model = path / "model.nir"
            flags = flags.split()
            if data is None:
                model, samples = path / "network.yaml", path / "data.npz"
            else:
                flags += ["--calibrate", data[0]]
                samples = data[1]
            build = pathlib.Path(folder) / name
            target, report = compiled(spikeloom, model, flags, build)
            result = run(spikeloom, "verify", build, "--data", samples, "--samples", str(most), "--json")
            if result.returncode not in (0, 3):
                sys.exit(result.stderr)
            rungs = {rung["rung"]: rung for rung in json.loads(result.stdout)}
            counts = [str(rungs[rung]["samples"]) if rung in rungs else "-" for rung in RUNGS]
            verdict = "equal" if result.returncode == 0 else "different"
            cells = report["synthesis"]["cells"]
            line = [name, target, f"{cells['tables']:,}", str(cells["block_rams"]), *counts, verdict]
            print(f"| {' | '.join(line)} |", flush=True)


if __name__ == "__main__":
    main()
