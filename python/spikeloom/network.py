"""Networks in memory: real-valued, and as the integers that a chip computes."""

from typing import NamedTuple

import numpy

from . import _spikeloom
from ._given import archive, is_path, model_path, options_text


class Outcome(NamedTuple):
    """What samples came to."""

    #: The decoder's choice, ``[sample]``.
    classes: numpy.ndarray
    #: The decoder's integer for every output neuron, ``[sample, output]``.
    scores: numpy.ndarray


class Trace(NamedTuple):
    """What samples came to, and what every population did on the way."""

    #: The decoder's choice, ``[sample]``.
    classes: numpy.ndarray
    #: The decoder's integer for every output neuron, ``[sample, output]``.
    scores: numpy.ndarray
    #: From a population's name to ``[sample, tick, neuron]`` in single precision: the number of
    #: spikes, or the graded value, in units of the model.
    sent: dict
    #: From a population's name to its membranes after each tick, of the same shape, in units of the
    #: normalised network, where a neuron's gain is 1.
    membranes: dict


def load(model, **options):
    """Reads a model: a path, or a ``nir.NIRGraph``. ``options`` are the keys of a project file."""
    with model_path(model) as path:
        return Network(_spikeloom.Network(path, options_text(options)))


class Network:
    """A real-valued network, whose weights may be replaced. Made by :func:`load`."""

    def __init__(self, native):
        self._native = native

    @property
    def name(self):
        """What it is called."""
        return self._native.name

    @property
    def ticks(self):
        """Ticks of a sample."""
        return self._native.ticks

    @property
    def remarks(self):
        """What was assumed in reading it."""
        return self._native.remarks

    @property
    def populations(self):
        """From a population's name to its shape, in the order in which they are computed."""
        return {name: tuple(shape) for name, shape in self._native.populations}

    @property
    def projections(self):
        """From a projection's name to its source (``None``: the input) and its target."""
        return {name: (source, target) for name, source, target in self._native.projections}

    def weights(self, projection):
        """A projection's weights, in order ``[post, pre]`` (of a convolution ``[out, in, y, x]``)."""
        return numpy.frombuffer(self._native.weights(projection), dtype="<f4").copy()

    def bias(self, projection):
        """A projection's biases, or ``None``."""
        bias = self._native.bias(projection)
        return None if bias is None else numpy.frombuffer(bias, dtype="<f4").copy()

    def set_weights(self, projection, weights):
        """Replaces a projection's weights; as many as there are, finite, in the same order."""
        self._native.set_weights(projection, _singles(weights))

    def set_bias(self, projection, bias):
        """Replaces a projection's biases, where it has some."""
        self._native.set_bias(projection, _singles(bias))

    def quantize(self, calibrate=None):
        """The integer network, with the settings given to :func:`load`.

        ``calibrate`` are samples on which scales and biases are chosen: an array.
        """
        if is_path(calibrate):
            raise TypeError("calibrate on an array; `compile` takes paths")
        samples = None if calibrate is None else archive(calibrate)
        return Integers(self._native.quantize(samples))


def _singles(values):
    return numpy.ascontiguousarray(values, dtype="<f4").tobytes()


class Integers:
    """The integer network: what the circuit computes, bit for bit. Made by :meth:`Network.quantize`."""

    def __init__(self, native):
        self._native = native

    def __str__(self):
        return str(self._native)

    def units(self, population):
        """What a membrane of 1 stands for, one a neuron."""
        return numpy.array(self._native.units(population))

    def scales(self, population):
        """What a weight of 1 stands for, one a neuron."""
        return numpy.array(self._native.scales(population))

    def on_chip(self, **imperfections):
        """The network as a chip computes it that is not quite the design.

        ``imperfections`` are the keys of a chip's file: ``seed``, ``stuck_weights``,
        ``weight_offsets``, ``threshold_offsets``, ``lost_events``, ``input_noise``.
        """
        native, told = self._native.on_chip(options_text(imperfections))
        chip = Integers(native)
        chip.told = told
        return chip

    def run(self, data):
        """Runs samples ``[sample, ...]`` in the golden model."""
        classes, scores = self._native.run(archive(data))
        return Outcome(numpy.array(classes), scores_of(scores, len(classes)))

    def trace(self, data):
        """Runs samples in the golden model, and tells what every population did in every tick."""
        classes, scores, sent, membranes = self._native.trace(archive(data))
        n = len(classes)

        def shaped(arrays):
            return {name: self._shaped(name, values, n) for name, values in arrays.items()}

        return Trace(
            numpy.array(classes), scores_of(scores, n), shaped(sent), shaped(membranes)
        )

    def _shaped(self, population, values, n_samples):
        n_neurons = len(self._native.units(population))
        values = numpy.frombuffer(values, dtype="<f4")
        n_ticks = len(values) // max(n_samples * n_neurons, 1)
        return values.reshape(n_samples, n_ticks, n_neurons)


def scores_of(scores, n_samples):
    """Scores as they come from below, ``[sample, output]``."""
    scores = numpy.frombuffer(scores, dtype="<i8")
    return scores.reshape(n_samples, len(scores) // max(n_samples, 1))
