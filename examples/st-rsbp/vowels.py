"""Spike trains of Japanese Vowels for vowels.yaml: `python vowels.py` writes vowels-train.npz and
vowels-test.npz. Needs NumPy.

Each of the twelve channels becomes eight: in every tick the one spikes in whose range the value is.
The ranges hold equally many values of what is trained on. Behind the end of a recording nothing
spikes.
"""

from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
MODEL = HERE / "../../tests/models/reservoirpy-esn-vowels"
RANGES = 8


def lasts(length, n_ticks):
    return np.arange(n_ticks)[None, :] < length[:, None]


def main():
    train, test = np.load(MODEL / "train.npz"), np.load(MODEL / "data.npz")
    known = train["input"][lasts(train["length"], train["input"].shape[1])]
    edges = np.quantile(known, np.arange(1, RANGES) / RANGES, axis=0)
    for name, own in [("train", train), ("test", test)]:
        values = own["input"]
        number = (values[None] > edges[:, None, None, :]).sum(0)
        spikes = number[..., None] == np.arange(RANGES)
        spikes &= lasts(own["length"], values.shape[1])[..., None, None]
        np.savez_compressed(
            HERE / f"vowels-{name}.npz",
            input=spikes.reshape(*values.shape[:2], -1).astype(np.uint8),
            labels=own["labels"],
        )


main()
