"""Physics-aware training in PyTorch: forward on the chip, backward through the model.

After Wright et al., "Deep physical neural networks trained with backpropagation", Nature 601 (2022):
a layer's output is what the device did, and gradients are those of a differentiable model, taken at
the inputs that the device had. In-silico training is the same with the model's own output.
"""

from typing import Callable, NamedTuple, Optional

import numpy
import torch

from .network import Network

__all__ = ["Layer", "OnBoard", "OnChip", "over_ticks", "physics_aware"]


class _Recorded(torch.autograd.Function):
    """What a device did, with the gradient of what a model says that it does."""

    @staticmethod
    def forward(_ctx, modelled, recorded):
        if modelled.shape != recorded.shape:
            raise ValueError(
                f"the device gave {tuple(recorded.shape)}, and its model {tuple(modelled.shape)}"
            )
        return recorded.to(modelled).clone()

    @staticmethod
    def backward(_ctx, gradient):
        return gradient, None


def physics_aware(physical, model):
    """A function that computes with ``physical`` and has the gradients of ``model``.

    Both take the same tensors. Chained, each gets what the one before it did on the device, so that
    the gradients of all are taken there.
    """

    def computed(*args):
        with torch.no_grad():
            recorded = physical(*args)
        return _Recorded.apply(model(*args), recorded)

    return computed


class Layer(NamedTuple):
    """One population of a network, and the differentiable model of what leads to it."""

    #: The population's name.
    population: str
    #: Its model: from ``[tick, batch, neuron]`` of the layer before to the same of this one.
    model: Callable
    #: Projection whose weights and biases the model trains.
    projection: str
    #: ``[post, pre]``.
    weight: torch.nn.Parameter
    #: ``[post]``, or ``None``.
    bias: Optional[torch.nn.Parameter] = None
    #: Whether the layer gives its membrane, as a readout does, rather than what it sends.
    is_membrane: bool = False


class OnChip(torch.nn.Module):
    """Layers whose outputs are those of the chip: the integer network with the weights of now.

    ``network`` comes from :func:`spikeloom.load`. ``chip`` are the imperfections of
    :meth:`spikeloom.Integers.on_chip`; without them the chip is ideal. ``calibrate`` are samples on
    which scales are chosen, once a forward pass, so keep them few.
    """

    def __init__(self, network: Network, layers, *, chip=None, calibrate=None):
        super().__init__()
        self.network = network
        self.layers = list(layers)
        self.chip = chip
        self.calibrate = calibrate
        self.models = torch.nn.ModuleList(
            layer.model for layer in self.layers if isinstance(layer.model, torch.nn.Module)
        )
        known = network.populations
        for layer in self.layers:
            if layer.population not in known:
                names = ", ".join(known)
                raise ValueError(f"no population `{layer.population}` among {names}")

    def integers(self):
        """The integer network of the weights of now, on the chip."""
        for layer in self.layers:
            self.network.set_weights(layer.projection, _array(layer.weight))
            if layer.bias is not None:
                self.network.set_bias(layer.projection, _array(layer.bias))
        integers = self.network.quantize(self.calibrate)
        if self.chip is None:
            return integers
        return integers.on_chip(**self.chip)

    def forward(self, samples, inputs=None):
        """What the last layer did, ``[tick, batch, neuron]``.

        ``samples`` are what the chip takes, ``[batch, ...]``; ``inputs`` what the first layer's model
        takes, ``[tick, batch, channel]``: by default the same, which fits spike trains
        ``[batch, tick, channel]``.
        """
        if inputs is None:
            inputs = torch.as_tensor(samples).transpose(0, 1).to(self.layers[0].weight)
        trace = self.integers().trace(numpy.asarray(samples))
        values = inputs
        for layer in self.layers:
            found = trace.membranes if layer.is_membrane else trace.sent
            recorded = torch.from_numpy(found[layer.population].copy()).transpose(0, 1)
            values = _Recorded.apply(layer.model(values), recorded)
        return values


class OnBoard(torch.nn.Module):
    """The scores of a board, real or virtual, with the gradients of a model.

    ``board`` is a :class:`spikeloom.Board`, ``weights`` the parameters of those projections whose
    weights it is to be given before each pass; all else stays as the design has it. ``model`` gives
    scores ``[batch, output]`` of what the board was given, in the board's units: numbers of spikes, or
    sums of membranes. Spikes of hidden neurons do not come over the link, so gradients are taken at
    the model's own.
    """

    def __init__(self, board, model: Callable, weights):
        super().__init__()
        known = board.reloadable
        for name in weights:
            if name not in known:
                raise ValueError(f"the host loads no weights of `{name}`, only of {', '.join(known)}")
        self.board = board
        self.model = model
        self.weights = dict(weights)

    def forward(self, samples, inputs=None):
        """Scores ``[batch, output]``. ``samples`` are what the board takes, ``[batch, ...]``; ``inputs``
        what the model takes: by default the same, as a tensor.
        """
        for name, weight in self.weights.items():
            self.board.set_weights(name, _array(weight))
        ran = self.board.run(numpy.asarray(samples))
        scores = torch.from_numpy(ran.scores * self.board.score_units)
        if inputs is None:
            inputs = torch.as_tensor(samples).to(next(iter(self.weights.values())))
        return _Recorded.apply(self.model(inputs), scores)


def _array(tensor):
    return tensor.detach().cpu().numpy()


class over_ticks(torch.nn.Module):
    """Modules one after the other in every tick: ``[tick, batch, ...]`` to the same.

    Those of snnTorch, which have ``init_leaky``, keep their membrane from tick to tick.
    With ``is_membrane`` the last gives its membrane instead of its spikes.
    """

    def __init__(self, *modules, is_membrane=False):
        super().__init__()
        self.steps = torch.nn.ModuleList(modules)
        self.is_membrane = is_membrane

    def forward(self, ticks):
        membranes = {
            at: step.init_leaky()
            for at, step in enumerate(self.steps)
            if hasattr(step, "init_leaky")
        }
        given = []
        for value in ticks:
            for at, step in enumerate(self.steps):
                if at in membranes:
                    value, membranes[at] = step(value, membranes[at])
                    shown = membranes[at] if self.is_membrane else value
                else:
                    value = shown = step(value)
            given.append(shown)
        return torch.stack(given)
