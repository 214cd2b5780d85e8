"""Makes `liquid.npz`: a liquid state machine for spoken digits, with NumPy alone.

A reservoir of leaky neurons with fixed random synapses, of which one in ten exists, and a delay of
its own for each neuron's spikes; a linear readout of its spikes over all ticks, by ridge regression
on the 256 recordings of `tests/data/spoken-digits/train256.npz`.

    python3 examples/liquid.py
"""

from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
DATA = HERE / "../tests/data/spoken-digits"
N, N_IN, DENSITY, LONGEST = 128, 60, 0.1, 6
DECAY, THRESHOLD, DELAY = 0.9, 1.0, 1
RIDGE = 300.0


def sparse(rng, shape, size):
    weights = rng.normal(0, size, shape) * (rng.random(shape) < DENSITY)
    return weights.astype(np.float32)


def spikes(x, w_in, w, delays):
    """Number of spikes of each neuron, `[sample, N]`, in the order of one tick of `liquid.yaml`."""
    n, ticks, _ = x.shape
    sent = np.zeros((ticks, n, N), np.float32)
    v = np.zeros((n, N), np.float32)
    for t in range(ticks):
        arrived = np.zeros((n, N), np.float32)
        for delay in range(LONGEST + 1):
            if t - DELAY - delay >= 0:
                arrived += sent[t - DELAY - delay] * (delays == delay) @ w.T
        v = DECAY * v + x[:, t] @ w_in.T + arrived
        sent[t] = v > THRESHOLD
        v -= THRESHOLD * sent[t]
    return sent.sum(0)


def main():
    rng = np.random.default_rng(7)
    w_in = sparse(rng, (N, N_IN), 0.5)
    w = sparse(rng, (N, N), 0.15)
    delays = rng.integers(0, LONGEST + 1, N)
    with np.load(DATA / "train256.npz") as data:
        x, labels = data["input"].astype(np.float32), data["labels"]
    counts = spikes(x, w_in, w, delays)
    targets = np.eye(10)[labels] - 0.1
    centred = counts - counts.mean(0)
    readout = np.linalg.solve(
        centred.T @ centred + RIDGE * np.eye(N), centred.T @ targets
    ).T.astype(np.float32)
    # Spread over the ticks, the mean's share makes the scores comparable.
    bias = (-readout @ counts.mean(0) / x.shape[1]).astype(np.float32)
    np.savez_compressed(
        HERE / "liquid.npz", w_in=w_in, w=w, delays=delays.astype(np.int32), readout=readout, bias=bias
    )
    with np.load(DATA / "test.npz") as data:
        x, labels = data["input"].astype(np.float32), data["labels"]
    found = (spikes(x, w_in, w, delays) - counts.mean(0)) @ readout.T
    print(f"{100 * (found.argmax(1) == labels).mean():.2f} % of {len(labels)} test recordings")
    print(f"{counts.mean() / 64:.3f} spikes a neuron and tick")


if __name__ == "__main__":
    main()
