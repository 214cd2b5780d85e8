"""Makes the files of this folder, which no exporter would write: python make.py, with h5py 3.16.0 and
zstandard 0.25.0.

Each holds a small graph or a recording that is fine but for one thing, which its name says.
"""

import h5py
import numpy as np
import zstandard

STR = h5py.string_dtype()


def graph(name, skip=(), **options):
    """A graph of two channels and two neurons, without some of its members."""
    file = h5py.File(f"{name}.nir", "w", **options)
    file.create_dataset("version", data="1.0.8", dtype=STR)
    node = file.create_group("node")
    node.create_dataset("type", data="NIRGraph", dtype=STR)
    edges = [("input", "fc"), ("fc", "lif"), ("lif", "output")]
    node.create_dataset("edges", data=edges, dtype=STR)
    nodes = node.create_group("nodes")
    members = {
        "input": {"type": "Input", "shape": np.array([2])},
        "fc": {"type": "Linear", "weight": np.ones((2, 2), np.float32)},
        "lif": {
            "type": "LIF",
            "tau": np.full(2, 1e-3, np.float32),
            "r": np.full(2, 10, np.float32),
            "v_leak": np.zeros(2, np.float32),
            "v_threshold": np.ones(2, np.float32),
            "v_reset": np.zeros(2, np.float32),
        },
        "output": {"type": "Output", "shape": np.array([2])},
    }
    for member, fields in members.items():
        if member in skip:
            continue
        group = nodes.create_group(member)
        for field, value in fields.items():
            if f"{member}/{field}" in skip:
                continue
            if isinstance(value, str):
                group.create_dataset(field, data=value, dtype=STR)
            else:
                group.create_dataset(field, data=value)
    return file, nodes


file, nodes = graph("external_link", skip=["fc/weight"])
nodes["fc"]["weight"] = h5py.ExternalLink("/etc/passwd", "/weight")
file.close()

file, nodes = graph("external_link_to_a_group", skip=["lif"])
nodes["lif"] = h5py.ExternalLink("external_link.nir", "/node/nodes/lif")
file.close()

file, nodes = graph("external_storage", skip=["fc/weight"])
nodes["fc"].create_dataset("weight", (2, 2), np.float32, external=[("/etc/passwd", 0, 16)])
file.close()

file, nodes = graph("virtual_dataset", skip=["fc/weight"])
layout = h5py.VirtualLayout((2, 2), np.float32)
layout[:] = h5py.VirtualSource("/etc/passwd", "weight", (2, 2))
nodes["fc"].create_virtual_dataset("weight", layout)
file.close()

file, nodes = graph("soft_link_loop", skip=["fc/weight"])
nodes["fc"]["weight"] = h5py.SoftLink("/node/nodes/fc/other")
nodes["fc"]["other"] = h5py.SoftLink("/node/nodes/fc/weight")
file.close()

file, nodes = graph("group_in_itself", skip=["lif"])
nodes["lif"] = file["node"]
file.close()

file, nodes = graph("deep_groups")
group = nodes["lif"]
for _ in range(40):
    group = group.create_group("g")
file.close()

# Every group holds the next one under two names: as many paths as 2 to the power of the depth.
file, nodes = graph("groups_with_two_names")
group = nodes["lif"]
for _ in range(18):
    inner = group.create_group("a")
    group["b"] = inner
    group = inner
file.close()

file, nodes = graph("terabytes_declared", skip=["fc/weight"])
nodes["fc"].create_dataset("weight", (1 << 20, 1 << 20), np.float32, chunks=(1 << 10, 1 << 10))
file.close()

file, nodes = graph("unwritten_gigabytes", skip=["fc/weight"])
nodes["fc"].create_dataset("weight", (1 << 15, 1 << 15), np.float32, chunks=(1 << 9, 1 << 9), compression=9)
file.close()

# 64 MB of zeros, packed twice: some 100 bytes.
file, nodes = graph("packed_bomb", skip=["fc/weight"])
nodes["fc"].create_dataset(
    "weight", data=np.zeros((1 << 12, 1 << 12), np.float32), chunks=(1 << 12, 1 << 12), compression=9
)
file.close()

file, nodes = graph("other_filter", skip=["fc/weight"])
nodes["fc"].create_dataset("weight", data=np.ones((2, 2), np.float32), compression="lzf")
file.close()

file, nodes = graph("text_as_weights", skip=["fc/weight"])
nodes["fc"].create_dataset("weight", data=[["a", "b"], ["c", "d"]], dtype=STR)
file.close()

file, nodes = graph("records_as_weights", skip=["fc/weight"])
nodes["fc"].create_dataset("weight", data=np.zeros((2, 2), [("x", "f4"), ("y", "f4")]))
file.close()

file, nodes = graph("long_strings", skip=["fc/type"])
nodes["fc"].create_dataset("type", data="x" * 70_000, dtype=STR)
file.close()

# One string that just may be read, as a type.
file, nodes = graph("long_type", skip=["fc/type"])
nodes["fc"].create_dataset("type", data="x" * 60_000, dtype=STR)
file.close()

# 200 names that are one string of 60,000 bytes at one place of the file: 12 MB once read, where the
# references alone are 3 kB; and 2,400 of them, 144 MB, more than is read of a file.
for name, n in [("one_string_often", 200), ("one_string_very_often", 2_400)]:
    file, nodes = graph(name, skip=["fc/type"])
    dataset = nodes["fc"].create_dataset("type", (n,), STR)
    dataset[0] = "x" * 60_000
    place, size = dataset.id.get_offset(), 16
    file.close()
    with open(f"{name}.nir", "r+b") as raw:
        raw.seek(place)
        reference = raw.read(size)
        raw.seek(place)
        raw.write(reference * n)


def recording(name):
    return h5py.File(f"{name}.h5", "w")


def sequences(file, n, **options):
    """Room for samples of spike times."""
    spikes = file.create_group("spikes")
    types = {"times": np.float16, "units": np.uint16}
    return [spikes.create_dataset(k, (n,), h5py.vlen_dtype(t), **options) for k, t in types.items()]


with recording("terabytes_of_events") as file:
    for name in "xytp":
        file.create_dataset(name, (1 << 40,), np.int64, chunks=(1 << 20,))

with recording("samples_without_number") as file:
    # Silent ones, which take no room in the file.
    sequences(file, 1 << 22, chunks=(1 << 16,), compression="gzip")

with recording("sequence_very_often") as file:
    # One sequence under many references: those of the first sample, copied in the file.
    for dataset in sequences(file, 4096):
        dataset[:] = [np.arange(3000, dtype=dataset.dtype.metadata["vlen"])] + [[]] * 4095
bytes_ = bytearray(open("sequence_very_often.h5", "rb").read())
at = 0
while (at := bytes_.find((3000).to_bytes(4, "little"), at)) >= 0:
    if bytes_[at + 16 : at + 32] == bytes(16):
        bytes_[at : at + 65536] = bytes_[at : at + 16] * 4096
        at += 65536
    else:
        at += 4
bytes_ = open("sequence_very_often.h5", "wb").write(bytes_)

with recording("other_lengths") as file:
    for n, name in enumerate("xytp"):
        file[name] = np.zeros(4 + n, np.int64)

with recording("two_cameras") as file:
    for side in ["left", "right"]:
        for name in "xytp":
            file[f"{side}/{name}"] = np.zeros(4, np.int64)

header = open("../data/events/zstd.aedat4", "rb").read(4096)
header = header[: 18 + int.from_bytes(header[14:18], "little")]
# No index.
header = header.replace(int.from_bytes(header[0x36:0x3e], "little").to_bytes(8, "little"), b"\xff" * 8)
packet = zstandard.compress(bytes(1 << 32), 19)
with open("packed_bomb.aedat4", "wb") as file:
    file.write(header + bytes(4) + len(packet).to_bytes(4, "little") + packet)
