"""What people hand in, as the module below takes it."""

import contextlib
import io
import json
import os
import tempfile

import numpy


@contextlib.contextmanager
def model_path(model):
    """The path of a model: it is one, or a graph of the package ``nir``, which is written to a file."""
    if isinstance(model, (str, os.PathLike)):
        yield os.fspath(model)
        return
    try:
        import nir
    except ImportError:
        nir = None
    if nir is None or not isinstance(model, nir.NIRGraph):
        kind = type(model).__name__
        raise TypeError(f"a model is a path or a nir.NIRGraph, not {kind}")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.nir")
        nir.write(path, model)
        yield path


def options_text(options):
    """Keyword arguments as a project file, in JSON."""

    def plain(value):
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        if isinstance(value, numpy.generic):
            return value.item()
        raise TypeError(f"{value!r} is no value of a setting")

    return json.dumps(options, default=plain, indent=1)


def is_path(data):
    """Whether data are the name of a file or folder."""
    return isinstance(data, (str, os.PathLike))


def archive(data, labels=None):
    """Samples, and their labels, as the bytes of an NPZ archive.

    ``data`` has the shape ``[sample, ...]``. Values of 0 to 255 are bytes; spike trains are
    ``[sample, tick, channel]``, 0 or 1, of any type; time series are real, ``[sample, tick, channel]``.
    """
    array = numpy.asarray(data)
    if array.dtype == bool:
        array = array.astype(numpy.uint8)
    elif array.dtype.kind in "iu" and array.size and array.min() >= 0 and array.max() <= 255:
        array = array.astype(numpy.uint8)
    elif array.dtype.kind == "f" and array.ndim == 3 and ((array == 0) | (array == 1)).all():
        array = array.astype(numpy.uint8)
    arrays = {"input": array}
    if labels is not None:
        arrays["labels"] = numpy.asarray(labels).astype(numpy.int64)
    written = io.BytesIO()
    numpy.savez(written, **arrays)
    return written.getvalue()
