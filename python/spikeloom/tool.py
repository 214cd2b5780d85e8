"""The command's main jobs as functions: compile, simulate, verify."""

import json
import os

from . import _spikeloom
from ._given import archive, is_path, model_path, options_text


def compile(
    model,
    output="build",
    *,
    stop_at="bitstream",
    calibrate=None,
    tools_from="pypi",
    quiet=True,
    **options,
):
    """Compiles a model into a build folder, and returns the report as a dictionary.

    ``model`` is a path (NIR, the native format or a project file), or a ``nir.NIRGraph``.
    ``stop_at`` is ``verilog``, ``netlist`` or ``bitstream``. ``calibrate`` are samples on which scales
    are chosen, never the test set: an array or a path. ``options`` are the keys of a project file, such
    as ``target="icebreaker"``, ``bits=4``, ``semantics="snntorch"``, ``ticks=25``.

    The folder appears when everything succeeded. Raises :class:`spikeloom.Error` otherwise.
    """
    options["output"] = os.fspath(output)
    if is_path(calibrate):
        options["calibration"] = {"data": os.fspath(calibrate)}
        calibrate = None
    samples = None if calibrate is None else archive(calibrate)
    with model_path(model) as path:
        report = _spikeloom.compile(
            path, options_text(options), stop_at, tools_from, quiet, samples
        )
    return json.loads(report)


def _data(data, labels, samples):
    """Arrays as an archive, or a path."""
    if data is None:
        return {}
    if is_path(data):
        if labels is not None:
            raise TypeError("labels go with arrays; a file of data has its own")
        return {"path": os.fspath(data)}
    labels = labels if labels is None else labels[:samples]
    return {"archive": archive(data[:samples], labels)}


def simulate(build, data, labels=None, *, engine="golden", samples=None, tools_from="pypi"):
    """Runs samples through a build folder's network, and returns accuracy, spikes and cycles.

    ``data`` is an array ``[sample, ...]`` or a path; ``engine`` is ``golden``, the bit-exact reference,
    or ``verilator``, the circuit cycle by cycle; ``samples`` is how many are run, from the first.
    """
    given = _data(data, labels, samples)
    summary = _spikeloom.simulate(
        os.fspath(build), engine, tools_from, n_samples=samples, **given
    )
    return json.loads(summary)


def verify(build, data=None, *, to=None, samples=None, tools_from="pypi"):
    """Proves that every executor of a build folder computes the integer network, bit for bit.

    Returns a list with a dictionary a rung; without ``data`` the samples are random. Raises
    :class:`spikeloom.Difference` where a rung differs; its ``lines`` are those climbed until then.
    """
    given = _data(data, None, samples)
    lines = json.loads(
        _spikeloom.verify(os.fspath(build), tools_from, to=to, n_samples=samples, **given)
    )
    last = lines[-1]
    verdict = last["verdict"]
    if isinstance(verdict, dict) and not verdict.keys() <= {"agreement"}:
        error = _spikeloom.Difference(f"rung {last['rung']}: {json.dumps(verdict)}")
        error.code = "spikeloom::verification_failed"
        error.lines = lines
        raise error
    return lines
