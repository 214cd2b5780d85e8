"""The golden model in Python, against snnTorch."""

import numpy
import pytest
import spikeloom
import torch
from conftest import N_TICKS, SETTINGS
from spikeloom.torch import over_ticks


def test_the_integers_spike_as_snntorch_does(model, test):
    network = spikeloom.load(model.graph, bits=8, **SETTINGS)
    assert network.populations == {"1": (32,), "3": (10,)}
    assert network.projections == {"0": (None, "1"), "2": ("1", "3")}
    spikes = torch.as_tensor(test.spikes[:100]).transpose(0, 1)
    with torch.no_grad():
        hidden = over_ticks(model.fc1, model.lif1)(spikes)
        output = over_ticks(model.fc2, model.lif2)(hidden)
    found = network.quantize().trace(test.spikes[:100])
    for name, own in [("1", hidden), ("3", output)]:
        assert found.sent[name].shape == (100, N_TICKS, own.shape[2])
        own = own.transpose(0, 1).numpy()
        assert own.sum() > 0
        assert numpy.mean(found.sent[name] == own) > 0.99
    assert (found.scores == found.sent["3"].sum(axis=1)).all()


def test_membranes_are_in_units_of_the_model(model, test):
    network = spikeloom.load(model.graph, bits=8, **SETTINGS)
    with torch.no_grad():
        hidden = over_ticks(model.fc1, model.lif1, is_membrane=True)(
            torch.as_tensor(test.spikes[:20, :1]).transpose(0, 1)
        )
    found = network.quantize().trace(test.spikes[:20])
    # snnTorch resets a membrane in the tick after the spike, so the first tick is the sum alone.
    assert numpy.abs(found.membranes["1"][:, 0] - hidden[0].numpy()).max() < 0.05


def test_networks_are_calibrated_on_arrays_or_files(model, training, test, tmp_path):
    plain = spikeloom.load(model.graph, bits=3, **SETTINGS).quantize()
    samples = training.spikes[:64]
    of_array = spikeloom.load(model.graph, bits=3, **SETTINGS).quantize(calibrate=samples)
    numpy.savez(tmp_path / "train.npz", input=samples.astype(numpy.uint8))
    settings = {"calibration": {"data": tmp_path / "train.npz"}, **SETTINGS}
    of_file = spikeloom.load(model.graph, bits=3, **settings).quantize()
    assert str(of_array) == str(of_file)
    assert str(of_array) != str(plain)


def test_weights_go_in_and_come_out(model, test):
    network = spikeloom.load(model.graph, bits=8, **SETTINGS)
    own = model.fc1.weight.detach().numpy()
    assert (network.weights("0").reshape(32, 64) == own).all()
    before = network.quantize().run(test.spikes[:50])
    network.set_weights("0", -own)
    assert (network.weights("0").reshape(32, 64) == -own).all()
    after = network.quantize().run(test.spikes[:50])
    assert (before.scores != after.scores).any()
    network.set_weights("0", own)
    again = network.quantize().run(test.spikes[:50])
    assert (before.scores == again.scores).all()


def test_weights_that_do_not_fit_are_refused(model):
    network = spikeloom.load(model.graph, bits=8, **SETTINGS)
    with pytest.raises(ValueError, match="has 2048 weights, and 3 were given"):
        network.set_weights("0", [1, 2, 3])
    with pytest.raises(ValueError, match="NaN at index 0"):
        network.set_bias("0", numpy.full(32, numpy.nan))
    with pytest.raises(KeyError, match="no projection `7` among 0, 2"):
        network.weights("7")


@pytest.mark.parametrize("shape", [(3, N_TICKS, 63), (3, N_TICKS + 1, 64)])
def test_samples_of_another_shape_are_refused(model, shape):
    integers = spikeloom.load(model.graph, bits=8, **SETTINGS).quantize()
    with pytest.raises(spikeloom.Error) as raised:
        integers.run(numpy.ones(shape))
    assert "spike trains" in str(raised.value)


def test_a_chip_is_drawn_by_its_seed(model, test):
    integers = spikeloom.load(model.graph, bits=8, **SETTINGS).quantize()
    chips = [integers.on_chip(seed=seed, threshold_offsets=0.3) for seed in (1, 1, 2)]
    ideal, first, again, other = (
        chip.trace(test.spikes[:50]).sent["1"] for chip in (integers, *chips)
    )
    assert "thresholds are off" in chips[0].told
    assert (first == again).all()
    assert (first != other).any()
    assert (first != ideal).any()
    lossy = integers.on_chip(lost_events=1.0)
    assert lossy.trace(test.spikes[:50]).sent["1"].sum() < ideal.sum()
    with pytest.raises(ValueError, match="spikes have no value"):
        integers.on_chip(input_noise=3)
    with pytest.raises(ValueError, match="`stuck_weights` is 2"):
        integers.on_chip(stuck_weights=2.0)
