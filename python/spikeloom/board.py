"""Boards, real and virtual, that hold a build folder's design."""

import os
from typing import NamedTuple

import numpy

from . import _spikeloom
from ._given import archive, options_text
from .network import scores_of


class Ran(NamedTuple):
    """What samples came to on a board."""

    #: The decoder's choice, ``[sample]``.
    classes: numpy.ndarray
    #: The decoder's integer for every output neuron, ``[sample, output]``.
    scores: numpy.ndarray
    #: Clock cycles, ``[sample]``.
    cycles: numpy.ndarray
    #: From the name of each population that was asked for to its membranes after the last tick, as
    #: the circuit's integers, ``[sample, neuron]``.
    membranes: dict


class Board:
    """The board on a port, such as ``/dev/ttyUSB1``; without a port a virtual one, in Verilator.

    Its design is that of the build folder, whose weights are loaded. ``chip`` are imperfections of a
    virtual one: the keys of a chip's file. Use it in a ``with`` statement, or close it.
    """

    def __init__(self, build, port=None, *, baud=None, chip=None, tools_from="pypi"):
        port = None if port is None else os.fspath(port)
        chip = None if chip is None else options_text(chip)
        self._native = _spikeloom.Board(os.fspath(build), tools_from, port, baud, chip)

    @property
    def told(self):
        """What is wrong with its chip, in words, or ``None``."""
        return self._native.told

    @property
    def reloadable(self):
        """Names of the projections whose weights the host loads, and may replace."""
        return self._native.reloadable()

    @property
    def score_units(self):
        """What a score of 1 stands for, ``[output]``."""
        return numpy.array(self._native.score_units())

    def run(self, data, *, read=()):
        """Runs samples ``[sample, ...]``; ``read`` names populations whose membranes come back too."""
        classes, scores, cycles, membranes = self._native.run(archive(data), list(read))
        n = len(classes)
        membranes = {name: scores_of(values, n) for name, values in membranes.items()}
        return Ran(numpy.array(classes), scores_of(scores, n), numpy.array(cycles), membranes)

    def set_weights(self, projection, weights):
        """Replaces a projection's weights, in units of the model, ``[post, pre]``.

        They are rounded to the design's scales, and made smaller where a neuron's sum would leave the
        widths that were proved. Returns what the board then has, of the same shape.
        """
        weights = numpy.asarray(weights, dtype="<f8")
        placed = self._native.set_weights(projection, weights.tobytes())
        return numpy.frombuffer(placed, dtype="<f8").reshape(weights.shape).copy()

    def close(self):
        """Closes the port; a virtual board ends."""
        self._native.close()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.close()
