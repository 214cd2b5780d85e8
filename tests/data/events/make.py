"""Makes the recordings of this folder: python make.py, with h5py 3.16.0 and dv-processing 2.0.4.

A camera of 3 x 2 pixels, whose event `n` is 250 microseconds after the one before; and samples of
spike times as the Heidelberg data sets have them.
"""

import dv_processing as dv
import h5py
import numpy as np

EVENTS = [(1_000_000 + 250 * n, n % 3, n // 3 % 2, n % 4 == 0) for n in range(24)]
T, X, Y, P = (np.array(column) for column in zip(*EVENTS))

for name, compression in [
    ("none", dv.CompressionType.NONE),
    ("lz4", dv.CompressionType.LZ4),
    ("zstd", dv.CompressionType.ZSTD),
]:
    config = dv.io.MonoCameraWriter.Config("camera", compression)
    config.addEventStream((3, 2))
    config.addTriggerStream()
    writer = dv.io.MonoCameraWriter(f"{name}.aedat4", config)
    for part in range(0, len(EVENTS), 10):
        store = dv.EventStore()
        for event in EVENTS[part : part + 10]:
            store.push_back(*event)
        writer.writeEvents(store)
    writer.writeTrigger(dv.Trigger(1_000_500, dv.TriggerType.EXTERNAL_SIGNAL_RISING_EDGE))
    del writer

with h5py.File("columns.h5", "w") as file:
    # As e2vid has them: seconds, and truth values.
    group = file.create_group("events")
    group["xs"] = X.astype(np.int16)
    group["ys"] = Y.astype(np.int16)
    group["ts"] = T * 1e-6
    group["ps"] = P

with h5py.File("records.h5", "w") as file:
    # As Prophesee's tools have them: records, packed.
    record = [("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")]
    records = np.array(list(zip(X, Y, P, T)), record)
    file.create_dataset("CD/events", data=records, chunks=(7,), compression="gzip", shuffle=True)

with h5py.File("big_endian.h5", "w") as file:
    # At the root, and -1 for events that get darker.
    file["x"] = X.astype(">u4")
    file["y"] = Y.astype("u1")
    file["timestamps"] = T.astype(">i8")
    file["polarity"] = np.where(P, 1, -1).astype("i1")

with h5py.File("sequences.h5", "w") as file:
    # As in SHD and SSC; the sample 3 is silent.
    n_spikes = [2, 5, 8, 0, 14]
    spikes = file.create_group("spikes")
    times = spikes.create_dataset("times", (5,), h5py.vlen_dtype(np.float16))
    units = spikes.create_dataset("units", (5,), h5py.vlen_dtype(np.uint16))
    for sample, n in enumerate(n_spikes):
        spike = np.arange(n)
        times[sample] = (spike / 64).astype(np.float16)
        units[sample] = ((7 * sample + 5 * spike) % 12).astype(np.uint16)
    file["labels"] = np.array([0, 1, 2, 0, 1], np.uint16)
    file["extra/keys"] = np.array([b"ZERO", b"ONE", b"TWO"])
