"""Writes an echo state network of ReservoirPy as a network in Spikeloom's native format.

    from reservoirpy.nodes import Reservoir, Ridge
    from exporters.reservoirpy import export

    reservoir, readout = Reservoir(100, lr=0.3, sr=1.1), Ridge(ridge=1e-6)
    ...                                   # train as always
    export(reservoir, readout, "esn.yaml", ticks=400)

It takes a `Reservoir` and a linear readout (`Ridge`, or any node with `Wout` and `bias`), with the
equations of ReservoirPy 0.4:

    s[t] = (1 - lr) * s[t-1] + lr * f(W s[t-1] + Win u[t] + bias),   s[-1] = 0
    y[t] = Wout s[t] + bias_out

where f is `tanh` or `relu`. Feedback from the readout, noise while running and other activations
have no counterpart and are refused. Needs numpy alone.
"""

import pathlib

import numpy as np

ACTIVATIONS = ("tanh", "relu")


def export(reservoir, readout, path, *, ticks, input_scale=None, name=None):
    """Writes `path` (`.yaml`) and its arrays beside it (`.npz`).

    `ticks` is the length of the longest sample. `input_scale` is what an input of 1 means once it
    is a signed 16-bit integer; 1/4096 by default, which reaches from -8 to 8.
    """
    activation = getattr(reservoir, "activation", "tanh")
    activation = getattr(activation, "__name__", activation)
    if getattr(reservoir, "feedback_scaling", None) is not None and getattr(reservoir, "Wfb", None) is not None:
        raise ValueError("a reservoir with feedback from its readout cannot be exported")
    if getattr(reservoir, "equation", "internal") != "internal":
        raise ValueError("only reservoirs with `equation='internal'` can be exported")
    leak_rate = np.asarray(reservoir.lr, dtype=np.float64).reshape(-1)
    write(
        path,
        W=_dense(reservoir.W),
        Win=_dense(reservoir.Win),
        bias=_dense(reservoir.bias),
        leak_rate=leak_rate,
        Wout=_dense(readout.Wout),
        bias_out=_dense(readout.bias),
        activation=activation,
        ticks=ticks,
        input_scale=input_scale,
        name=name,
    )


def write(path, *, W, Win, bias, leak_rate, Wout, bias_out, ticks, activation="tanh", input_scale=None, name=None):
    """Writes a network from its matrices.

    `W` is `[units, units]`, `Win` `[units, inputs]`, `bias` and `leak_rate` `[units]` or a number,
    `Wout` `[outputs, units]` or its transpose, `bias_out` `[outputs]` or a number.
    """
    path = pathlib.Path(path)
    if activation not in ACTIVATIONS:
        raise ValueError(f"the activation is {activation!r}, not one of {ACTIVATIONS}")
    W, Win, Wout = np.asarray(W), np.asarray(Win), np.asarray(Wout)
    n = W.shape[0]
    if W.shape != (n, n) or Win.shape[0] != n or n not in Wout.shape:
        raise ValueError(f"W is {W.shape}, Win {Win.shape} and Wout {Wout.shape}: they do not fit")
    if Wout.shape[1] != n:
        Wout = Wout.T
    n_outputs = Wout.shape[0]
    spread = lambda values, size: np.broadcast_to(np.asarray(values).reshape(-1), (size,))
    leak_rate = spread(leak_rate, n)
    arrays = {
        "reservoir.decay_mem": 1 - leak_rate,
        "recurrent.weight": W,
        "recurrent.bias": spread(bias, n),
        "input.weight": Win,
        "readout.weight": Wout,
        "readout.bias": spread(bias_out, n_outputs),
    }
    arrays = {key: np.ascontiguousarray(value, dtype=np.float32) for key, value in arrays.items()}
    archive = path.with_suffix(".npz")
    np.savez_compressed(archive, **arrays)
    scale = "" if input_scale is None else f"\n  scale: {float(input_scale)!r}"
    path.write_text(
        f"""format: spikeloom-network/1
name: "{name or path.stem}"
ticks: {int(ticks)}
arrays: "{archive.name}"

input:
  shape: {Win.shape[1]}
  encoding: series{scale}

populations:
  reservoir:
    shape: {n}
    activation: {activation}
    decay_mem: reservoir.decay_mem
  readout:
    shape: {n_outputs}
    decay_mem: 0

projections:
  - {{name: input, from: input, to: reservoir, weights: input.weight}}
  - {{name: recurrent, from: reservoir, to: reservoir, weights: recurrent.weight, bias: recurrent.bias, delay: 1}}
  - {{name: readout, from: reservoir, to: readout, weights: readout.weight, bias: readout.bias}}

output: readout
decoder: membrane-sum
"""
    )


def _dense(matrix):
    return np.asarray(matrix.todense() if hasattr(matrix, "todense") else matrix, dtype=np.float64)
