#!/usr/bin/env python3
"""Compares what the mapper estimates with what synthesis, place and route make of it.

    python3 benches/cost_model.py target/release/spikeloom

Prints the table of docs/cost-model.md. Needs h5py, and spikeloom's tools installed. Smaller networks
are the first hidden neurons of the test models: their accuracy is nothing to speak of, their circuit
is as large as that of a trained one.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import h5py

MODELS = pathlib.Path(__file__).resolve().parent.parent / "tests" / "models"
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


def main():
    spikeloom = pathlib.Path(sys.argv[1]).resolve()
    print("| network | encoding | bits | lanes | target | logic cells estimated | placed | off | block RAMs | SPRAMs | MHz |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    # The tools do not see absolute paths under /tmp.
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for at, (hidden, encoding, bits, lanes, target) in enumerate(CASES):
            model = pathlib.Path(folder) / f"{at}.nir"
            build = pathlib.Path(folder) / f"build{at}"
            shrink(MODELS / f"snntorch-leaky-mnist-{encoding}" / "model.nir", model, hidden)
            command = [spikeloom, "compile", model, "--semantics", "snntorch", "--reset", "subtract"]
            command += ["--encoding", encoding, "--ticks", "25", "--bits", str(bits)]
            command += ["--target", target, "-o", build] + (["--lanes", str(lanes)] if lanes else [])
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
            report = json.loads((build / "report.json").read_text())
            estimate, placed = report["estimate"], report["place_and_route"]
            used = {use["what"]: use["used"] for use in placed["utilisation"]}
            cells = used["ICESTORM_LC"]
            off = 100 * (estimate["logic_cells"] / cells - 1)

            def pair(name, what):
                return f"{estimate[name]} / {used.get(what, 0)}"

            print(
                f"| 784-{hidden}-10 | {encoding} | {bits} | {' + '.join(map(str, report['lanes']))} "
                f"| {target} | {estimate['logic_cells']} | {cells} | {off:+.1f} % "
                f"| {pair('block_rams', 'ICESTORM_RAM')} | {pair('single_port_rams', 'ICESTORM_SPRAM')} "
                f"| {placed['achieved_mhz']:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
