#!/usr/bin/env python3
"""Cuts the beginning of a time series into samples of equal length.

Reads the array `input`, `[1, ticks, channels]`, of an `.npz` file and writes `[pieces, ticks,
channels]`, for rungs on which a whole series takes too long.
"""

import argparse

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("series")
    parser.add_argument("output")
    parser.add_argument("--ticks", type=int, required=True)
    parser.add_argument("--pieces", type=int, required=True)
    args = parser.parse_args()
    (series,) = np.load(args.series)["input"]
    n = args.pieces * args.ticks
    if len(series) < n:
        parser.error(f"{args.series} has {len(series)} ticks, fewer than {n}")
    pieces = series[:n].reshape(args.pieces, args.ticks, -1)
    np.savez(args.output, input=pieces.astype(np.float32))


if __name__ == "__main__":
    main()
