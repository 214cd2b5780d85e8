#!/usr/bin/env python3
"""Compares what the mapper estimates with what synthesis, place and route make of it.

    python3 benches/cost_model.py target/release/spikeloom

Prints the tables of docs/cost-model.md. Needs h5py, and spikeloom's tools installed. Smaller networks
are the first hidden neurons of the test models, others have random weights: their accuracy is nothing to
speak of, their circuit is as large as that of a trained one.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import h5py
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODELS = ROOT / "tests" / "models"
HIDDEN = 128
# Hidden neurons, encoding, weight bits, lanes (None: the mapper chooses), target.
CASES = [
    (128, "direct", 8, 8, "up5k"),
    (128, "direct", 4, 8, "up5k"),
    (128, "direct", 8, 4, "up5k"),
    (128, "direct", 4, 2, "up5k"),
    (128, "rate", 8, 8, "up5k"),
    (128, "rate", 4, 4, "up5k"),
    (32, "direct", 8, 8, "up5k"),
    (32, "direct", 4, 4, "up5k"),
    (24, "direct", 2, 2, "hx8k"),
    (12, "direct", 4, None, "hx8k"),
    (12, "rate", 4, None, "hx8k"),
]

# What it is, file (of a trained network, or one of `networks`), flags.
OTHERS = [
    ("sparse reservoir, lists", "examples/liquid.yaml", "--target hx8k"),
    ("the same, one lane", "examples/liquid.yaml", "--target hx8k --lanes 1"),
    ("60-128-10, lists, 10 %", "lists-60-128.yaml", "--target up5k --lanes 4 --compress always"),
    ("200-64-10, lists, 5 %", "lists-200-64.yaml", "--target hx8k --compress always"),
    ("convolutions, pooling, multi-spike", "examples/mnist-convolutions.yaml", ""),
    ("convolution 4x16x16 to 8, 3x3", "convolution-4-16.yaml", "--target up5k"),
    ("the same, one lane", "convolution-4-16.yaml", "--target up5k --lanes 1"),
    ("convolution 2x28x28 to 16, 5x5", "convolution-2-28.yaml", "--target up5k --bits 4"),
    ("convolution, overlapping pooling", "pooling-4-12.yaml", "--target hx8k"),
    ("60-64-10, delays to 7", "delays-60-64.yaml", "--target hx8k"),
    ("200-32-10, delays to 15", "delays-200-32.yaml", "--target hx8k"),
    ("16-16-10, delays to 3", "delays-16-16.yaml", "--target up5k --bits 4"),
    ("recurrent, skip", "skip.yaml", "--target up5k --lanes 1"),
    ("recurrent, synapses", "examples/spoken.yaml", ""),
    ("recurrent, adaptive thresholds", "tests/models/neurons-norse-lsnn/model.yaml", ""),
    ("echo state network, bit planes", "tests/models/reservoirpy-esn-vowels/network.yaml", ""),
]

# Populations with a core each, and sharing one.
SHARED = [
    ("16-12-12-6, a core each", "chain-16-12-12-6.yaml", "--fold never"),
    ("the same, shared", "chain-16-12-12-6.yaml", "--fold always"),
    ("40-48-32-24-10, a core each", "chain-40-48-32-24-10.yaml", "--bits 4 --fold never"),
    ("the same, shared", "chain-40-48-32-24-10.yaml", "--bits 4 --fold always"),
    ("64-32x7-10, shared", f"chain-64{7 * '-32'}-10.yaml", "--bits 4"),
    ("64-32-32-10, loops, shared", "loops.yaml", "--bits 4 --fold always"),
]


def networks(folder):
    """Writes networks of random weights, one for each way to rows of weights."""
    random = np.random.default_rng(3)

    def weights(*shape):
        return (random.normal(size=shape) * 0.3).astype(np.float32)

    def write(name, shape, populations, projections, **arrays):
        np.savez(folder / f"{name}.npz", **arrays)
        neuron = "decay_mem: 0.9, v_threshold: 1, compare: greater, reset: subtract"
        lines = ["format: spikeloom-network/1", "ticks: 20"]
        lines += [f"input: {{shape: {shape}, encoding: events}}", "populations:"]
        lines += [f"  {n}: {{shape: {s}, {neuron}}}" for n, s in populations.items()]
        lines += ["projections:"]
        for source, target, array, more in projections:
            text = f"from: {source}, to: {target}, weights: '{name}.npz:{array}'"
            lines.append("  - {" + text + more.replace("FILE", f"{name}.npz") + "}")
        lines += ["output: out", "decoder: spike-count"]
        (folder / f"{name}.yaml").write_text("\n".join(lines) + "\n")

    for n, m, latest in [(60, 64, 7), (200, 32, 15), (16, 16, 3)]:
        delays = [random.integers(0, latest + 1, size).astype(np.float32) for size in (n, m)]
        write(
            f"delays-{n}-{m}",
            n,
            {"hidden": m, "out": 10},
            [
                ("input", "hidden", "w1", ", channel_delays: 'FILE:d1'"),
                ("hidden", "out", "w2", ", channel_delays: 'FILE:d2'"),
            ],
            w1=weights(m, n),
            w2=weights(10, m),
            d1=delays[0],
            d2=delays[1],
        )
    for c, size, k, kernel, stride in [(4, 16, 8, 3, 1), (2, 28, 16, 5, 2)]:
        out = (size - kernel) // stride + 1
        write(
            f"convolution-{c}-{size}",
            [c, size, size],
            {"conv": [k, out, out], "out": 10},
            [
                ("input", "conv", "w1", f", convolve: {{kernel: {kernel}, stride: {stride}}}"),
                ("conv", "out", "w2", ", pool: {kernel: 2}"),
            ],
            w1=weights(k, c, kernel, kernel),
            w2=weights(10, k * (out // 2) ** 2),
        )
    write(
        "pooling-4-12",
        [4, 12, 12],
        {"conv": [4, 10, 10], "out": 10},
        [
            ("input", "conv", "w1", ", convolve: {kernel: 3}"),
            ("conv", "out", "w2", ", pool: {kernel: 2, stride: 1}"),
        ],
        w1=weights(4, 4, 3, 3),
        w2=weights(10, 4 * 9 * 9),
    )
    for n, m, density in [(60, 128, 0.1), (200, 64, 0.05)]:
        write(
            f"lists-{n}-{m}",
            n,
            {"hidden": m, "out": 10},
            [
                ("input", "hidden", "w1", ""),
                ("hidden", "hidden", "loop", ", delay: 1"),
                ("hidden", "out", "w2", ""),
            ],
            w1=weights(m, n) * (random.random((m, n)) < density),
            loop=weights(m, m) * (random.random((m, m)) < density),
            w2=weights(10, m),
        )
    write(
        "skip",
        60,
        {"a": 64, "b": 32, "out": 10},
        [
            ("input", "a", "w1", ""),
            ("a", "a", "loop", ", delay: 1"),
            ("a", "b", "w2", ""),
            ("b", "out", "w3", ""),
            ("a", "out", "w4", ""),
        ],
        w1=weights(64, 60),
        loop=weights(64, 64),
        w2=weights(32, 64),
        w3=weights(10, 32),
        w4=weights(10, 64),
    )


    for sizes in [(16, 12, 12, 6), (40, 48, 32, 24, 10), (64, *[32] * 7, 10)]:
        names = [f"lif{n}" for n in range(1, len(sizes) - 1)] + ["out"]
        arrays = {
            f"w{n}": weights(post, pre)
            for n, (pre, post) in enumerate(zip(sizes, sizes[1:], strict=False))
        }
        write(
            "chain-" + "-".join(map(str, sizes)),
            sizes[0],
            dict(zip(names, sizes[1:], strict=True)),
            [
                (source, target, array, "")
                for source, target, array in zip(["input", *names], names, arrays, strict=False)
            ],
            **arrays,
        )
    write(
        "loops",
        64,
        {"a": 32, "b": 32, "out": 10},
        [
            ("input", "a", "w1", ""),
            ("a", "a", "loop_a", ", delay: 1"),
            ("a", "b", "w2", ""),
            ("b", "a", "back", ", delay: 1"),
            ("b", "b", "loop_b", ", delay: 1"),
            ("b", "out", "w3", ""),
            ("a", "out", "skip", ""),
        ],
        w1=weights(32, 64),
        loop_a=weights(32, 32),
        w2=weights(32, 32),
        back=weights(32, 32),
        loop_b=weights(32, 32),
        w3=weights(10, 32),
        skip=weights(10, 32),
    )


def shrink(source, target, hidden):
    """Copies a model with only the first neurons of its hidden layer."""
    shutil.copy(source, target)
    with h5py.File(target, "r+") as file:
        arrays = []
        file.visititems(
            lambda name, item: arrays.append(name)
            if isinstance(item, h5py.Dataset) and HIDDEN in item.shape
            else None
        )
        for name in arrays:
            values = file[name][()]
            for axis, size in enumerate(values.shape):
                if size == HIDDEN:
                    values = values.take(range(hidden), axis=axis)
            del file[name]
            file[name] = values


def row(name, target, report):
    """A row of a table: what was estimated, and what was placed."""
    estimate, placed = report["estimate"], report["place_and_route"]
    used = {use["what"]: use["used"] for use in placed["utilisation"]}
    cells = used["ICESTORM_LC"]
    off = 100 * (estimate["logic_cells"] / cells - 1)

    def pair(name, what):
        return f"{estimate[name]} / {used.get(what, 0)}"

    lanes = " + ".join(map(str, report["lanes"]))
    print(
        f"| {name} | {lanes} | {target} | {estimate['logic_cells']} | {cells} | {off:+.1f} % "
        f"| {pair('block_rams', 'ICESTORM_RAM')} | {pair('single_port_rams', 'ICESTORM_SPRAM')} "
        f"| {placed['achieved_mhz']:.1f} |",
        flush=True,
    )


def head(columns):
    columns += ["lanes", "target", "logic cells estimated", "placed", "off"]
    columns += ["block RAMs", "SPRAMs", "MHz"]
    print("| " + " | ".join(columns) + " |")
    print("| " + " | ".join(["---"] * len(columns)) + " |")


def main():
    spikeloom = pathlib.Path(sys.argv[1]).resolve()

    def compile(build, *arguments):
        command = [spikeloom, "compile", *arguments, "-o", build]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        return json.loads((build / "report.json").read_text())

    # The tools do not see absolute paths under /tmp.
    with tempfile.TemporaryDirectory(dir=".") as folder:
        folder = pathlib.Path(folder)
        head(["network", "encoding", "bits"])
        for at, (hidden, encoding, bits, lanes, target) in enumerate(CASES):
            model = folder / f"{at}.nir"
            shrink(MODELS / f"snntorch-leaky-mnist-{encoding}" / "model.nir", model, hidden)
            flags = ["--semantics", "snntorch", "--reset", "subtract"]
            flags += ["--encoding", encoding, "--ticks", "25", "--bits", str(bits)]
            flags += ["--target", target] + (["--lanes", str(lanes)] if lanes else [])
            report = compile(folder / f"build{at}", model, *flags)
            row(f"784-{hidden}-10 | {encoding} | {bits}", target, report)
        print()
        head(["network"])
        networks(folder)
        for at, (name, file, flags) in enumerate(OTHERS):
            path = folder / file if "/" not in file else ROOT / file
            target = "hx8k" if "hx8k" in flags else "up5k"
            row(name, target, compile(folder / f"other{at}", path, *flags.split()))
        print()
        head(["network"])
        for at, (name, file, flags) in enumerate(SHARED):
            flags = ["--target", "hx8k", *flags.split()]
            row(name, "hx8k", compile(folder / f"shared{at}", folder / file, *flags))


if __name__ == "__main__":
    main()
