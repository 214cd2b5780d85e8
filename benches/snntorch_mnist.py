"""Times the network of tests/models/snntorch-leaky-mnist-direct in snnTorch, on one thread.

The counterpart of sim/golden/benches/golden.rs: the same model file, the same images, the same
25 ticks. It measures forward passes at batch 1 and at a larger batch, and checks the accuracy on
the way, so that a network that was read wrongly cannot pass for a fast one.

Set-up, once (CPU wheels are enough):

    python3 -m venv venv
    venv/bin/pip install torch snntorch nir h5py numpy

Run from the root of the repository:

    venv/bin/python benches/snntorch_mnist.py \\
        tests/models/snntorch-leaky-mnist-direct/model.nir \\
        tests/data/mnist/t10k-images-idx3-ubyte.gz tests/data/mnist/t10k-labels-idx1-ubyte.gz
"""

import argparse
import gzip
import platform
import time

import h5py
import numpy as np
import snntorch
import torch

TICKS = 25
# The reset and dt are not in the file: snnTorch's exporter always uses this dt, and this network
# subtracts its threshold, which is snnTorch's default.
EXPORTER_DT = 1e-4


def read_idx(path):
    """Reads a gzipped IDX file of bytes."""
    with gzip.open(path, "rb") as file:
        data = file.read()
    n_dimensions = data[3]
    end = 4 + 4 * n_dimensions
    shape = np.frombuffer(data[4:end], ">u4").astype(int)
    return np.frombuffer(data, np.uint8, offset=end).reshape(shape)


def read_network(path):
    """Builds the two layers, Linear and Leaky, from the model file."""
    layers = []
    with h5py.File(path, "r") as file:
        nodes = file["node"]["nodes"]
        for linear_name, neuron_name in (("0", "1"), ("2", "3")):
            weight = torch.from_numpy(nodes[linear_name]["weight"][()])
            bias = torch.from_numpy(nodes[linear_name]["bias"][()])
            linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
            with torch.no_grad():
                linear.weight.copy_(weight)
                linear.bias.copy_(bias)
            beta = 1 - EXPORTER_DT / torch.from_numpy(nodes[neuron_name]["tau"][()])
            threshold = torch.from_numpy(nodes[neuron_name]["v_threshold"][()])
            leaky = snntorch.Leaky(beta=beta, threshold=threshold, reset_mechanism="subtract")
            layers.append((linear, leaky))
    return layers


def run(layers, images, hoist):
    """Spike counts of the output for a batch of images in [0, 1]."""
    (linear_1, leaky_1), (linear_2, leaky_2) = layers
    v_1, v_2 = leaky_1.init_leaky(), leaky_2.init_leaky()
    counts = 0
    current = linear_1(images) if hoist else None
    for _ in range(TICKS):
        spikes, v_1 = leaky_1(current if hoist else linear_1(images), v_1)
        spikes, v_2 = leaky_2(linear_2(spikes), v_2)
        counts = counts + spikes
    return counts


def samples_per_second(layers, images, batch, hoist, seconds):
    """Median and best over blocks of at least 0.2 s of processor time.

    Processor time, unlike the clock on the wall, does not count what other processes take.
    """
    rates = []
    at = 0
    deadline = time.process_time() + seconds
    while time.process_time() < deadline:
        start = time.process_time()
        done = 0
        while time.process_time() - start < 0.2:
            at = (at + batch) % (len(images) - batch)
            run(layers, images[at : at + batch], hoist)
            done += batch
        rates.append(done / (time.process_time() - start))
    return np.median(rates), max(rates)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("images")
    parser.add_argument("labels")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 128])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    layers = read_network(arguments.model)
    pixels = read_idx(arguments.images)
    images = torch.from_numpy(pixels.reshape(len(pixels), -1).astype(np.float32) / 255)
    labels = torch.from_numpy(read_idx(arguments.labels).astype(np.int64))

    print(
        f"python {platform.python_version()}, torch {torch.__version__}, "
        f"snntorch {snntorch.__version__}, {arguments.threads} thread(s)"
    )
    correct = sum(
        int((run(layers, images[i : i + 500], False).argmax(1) == labels[i : i + 500]).sum())
        for i in range(0, len(images), 500)
    )
    print(f"accuracy: {correct} of {len(images)}")
    for batch in arguments.batches:
        for hoist in (False, True):
            median, best = samples_per_second(layers, images, batch, hoist, arguments.seconds)
            where = "once a sample" if hoist else "every tick"
            print(
                f"batch {batch:4}, first layer {where:13}: "
                f"median {median:8.0f} samples/s, best {best:8.0f}"
            )


if __name__ == "__main__":
    main()
