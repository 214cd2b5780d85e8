"""Physics-aware training against training in the ideal model."""

import numpy
import pytest
import spikeloom
import torch
from conftest import SETTINGS, make_model
from spikeloom.torch import Layer, OnChip, over_ticks, physics_aware

CHIP = {"seed": 3, "stuck_weights": 0.1, "weight_offsets": 12, "threshold_offsets": 0.3}


def test_the_papers_toy():
    """Example 3 of the authors' repository: 10 times 2 x^theta on the device, 2.01 x^theta as model."""

    def trained(function):
        theta = torch.tensor(1.1, dtype=torch.float64, requires_grad=True)
        for _ in range(150):
            x = torch.tensor(1.0, dtype=torch.float64)
            for _ in range(10):
                x = function(x, theta)
            (gradient,) = torch.autograd.grad((x - 1e5) ** 2, theta)
            with torch.no_grad():
                theta -= 1e-15 * gradient
        x = 1.0
        for _ in range(10):
            x = 2.0 * x ** theta.item()
        return abs(x - 1e5) / 1e5

    def device(x, theta):
        return 2.0 * x**theta

    def model(x, theta):
        return 2.01 * x**theta

    aware, in_silico = trained(physics_aware(device, model)), trained(model)
    assert aware < 0.001
    assert in_silico > 0.05


def test_gradients_are_the_models_at_what_the_device_did():
    function = physics_aware(lambda x, w: torch.sin(w * x), lambda x, w: w * x)
    x = torch.tensor([0.5, 2.0])
    w = torch.tensor(1.5, requires_grad=True)
    first = function(x, w)
    assert torch.equal(first, torch.sin(w * x))
    second = function(first, w)
    (gradient,) = torch.autograd.grad(second.sum(), w)
    # d(w y)/dw = y + w dy/dw, at the device's y = sin(w x), with dy/dw = x.
    wanted = (torch.sin(1.5 * x) + 1.5 * x).sum()
    assert torch.allclose(gradient, wanted)


def layers(model):
    hidden = over_ticks(model.fc1, model.lif1)
    output = over_ticks(model.fc2, model.lif2)
    return [
        Layer("1", hidden, "0", model.fc1.weight, model.fc1.bias),
        Layer("3", output, "2", model.fc2.weight, model.fc2.bias),
    ]


def train(net, forward, training, n_epochs):
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    generator = numpy.random.default_rng(0)
    labels = torch.as_tensor(training.labels)
    for _ in range(n_epochs):
        for batch in numpy.array_split(generator.permutation(len(labels)), 20):
            counts = forward(training.spikes[batch]).sum(0)
            loss = torch.nn.functional.cross_entropy(counts, labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def trained(training, is_aware):
    """A network trained on the mismatched chip, or in the ideal model: its weights on both chips."""
    model = make_model()
    network = spikeloom.load(model.graph, bits=8, **SETTINGS)
    own = layers(model)
    mismatched, ideal = OnChip(network, own, chip=CHIP), OnChip(network, own)

    def in_silico(spikes):
        values = torch.as_tensor(spikes).transpose(0, 1)
        for layer in own:
            values = layer.model(values)
        return values

    train(mismatched, mismatched if is_aware else in_silico, training, n_epochs=6)
    return mismatched.integers(), ideal.integers()


def test_training_on_a_mismatched_chip_beats_training_in_the_model(training, test):
    def accuracy(integers):
        return numpy.mean(integers.run(test.spikes).classes == test.labels)

    in_silico, ideal = map(accuracy, trained(training, is_aware=False))
    aware, elsewhere = map(accuracy, trained(training, is_aware=True))
    print(f"in silico {in_silico}, ideal {ideal}; aware {aware}, on the ideal chip {elsewhere}")
    assert ideal > 0.9
    assert in_silico < ideal - 0.05
    assert aware > in_silico + 0.2
    # What it has learnt is this chip: another one is worse.
    assert elsewhere < aware - 0.02


def test_what_the_chip_gives_is_what_comes_out(model, test):
    network = spikeloom.load(model.graph, bits=8, **SETTINGS)
    chip = OnChip(network, layers(model), chip=CHIP)
    given = chip(test.spikes[:8])
    found = chip.integers().trace(test.spikes[:8]).sent["3"]
    assert torch.equal(given.transpose(0, 1), torch.from_numpy(found.copy()))
    given.sum().backward()
    assert model.fc1.weight.grad.abs().sum() > 0


def test_layers_that_are_not_there_are_named(model):
    network = spikeloom.load(model.graph, bits=8, **SETTINGS)
    wrong = layers(model)[0]._replace(population="lif")
    with pytest.raises(ValueError, match="no population `lif` among 1, 3"):
        OnChip(network, [wrong])
