"""Data for the experiments in this folder, as Spikeloom reads time series. Needs NumPy.

    python data.py narma                      writes narma-train.npz and narma-test.npz
    python data.py motions FOLDER             reads BasicMotions_TRAIN.ts and BasicMotions_TEST.ts

BasicMotions is of the UEA archive of multivariate time series (timeseriesclassification.com); no
licence is stated there, so no copy is kept here.
"""

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def narma(n, seed):
    """NARMA-10 (Atiya and Parlos, IEEE Trans. Neural Networks 11(3), 2000), its input uniform in
    [0, 0.5]; the network sees it between -1 and 1, and predicts what follows."""
    random = np.random.default_rng(seed)
    warmup = 50
    u = random.uniform(0, 0.5, n + warmup)
    y = np.zeros(n + warmup + 1)
    for t in range(9, n + warmup):
        y[t + 1] = 0.3 * y[t] + 0.05 * y[t] * y[t - 9 : t + 1].sum() + 1.5 * u[t - 9] * u[t] + 0.1
    return 4 * u[warmup:] - 1, y[warmup + 1 :]


def write_narma():
    _, y = narma(3000, 1)
    mean, deviation = y.mean(), y.std()
    for name, n, seed in [("train", 3000, 1), ("test", 2000, 2)]:
        u, y = narma(n, seed)
        np.savez_compressed(
            HERE / f"narma-{name}.npz",
            input=u.astype(np.float32)[None, :, None],
            target=((y - mean) / deviation).astype(np.float32)[None, :, None],
            warmup=np.array([100], np.int32),
        )


def read_ts(path):
    """Samples [n, ticks, channels] of equal length, and the names of their classes."""
    samples, classes = [], []
    for line in path.read_text().splitlines():
        if not line or line[0] in "#@":
            continue
        *channels, name = line.split(":")
        samples.append(np.array([c.split(",") for c in channels], dtype=np.float64).T)
        classes.append(name)
    return np.array(samples), classes


def write_motions(folder):
    sets = [read_ts(folder / f"BasicMotions_{name}.ts") for name in ("TRAIN", "TEST")]
    names = sorted(set(sets[0][1]))
    # Measured on what is trained on.
    mean = sets[0][0].mean((0, 1))
    deviation = sets[0][0].std((0, 1))
    for file, (samples, classes) in zip(("train", "test"), sets):
        np.savez_compressed(
            HERE / f"motions-{file}.npz",
            input=((samples - mean) / deviation).astype(np.float32),
            labels=np.array([names.index(c) for c in classes], np.uint8),
        )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["narma"]:
            write_narma()
        case ["motions", folder]:
            write_motions(Path(folder))
        case _:
            sys.exit(__doc__)
