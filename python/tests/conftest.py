"""An snnTorch network with what it does itself, and the digits that the repository holds."""

from pathlib import Path
from typing import NamedTuple

import numpy
import pytest
import snntorch
import torch
from snntorch.export_nir import export_to_nir

DIGITS = Path(__file__).parents[2] / "tests" / "data" / "digits8x8"
N_TICKS = 10
#: What the file of an snnTorch network does not say.
SETTINGS = {"semantics": "snntorch", "reset": "subtract", "encoding": "events", "ticks": N_TICKS}


class Digits(NamedTuple):
    """Spike trains ``[sample, tick, channel]``, drawn from the pixels, and labels."""

    spikes: numpy.ndarray
    labels: numpy.ndarray


def digits(name, seed):
    file = numpy.load(DIGITS / f"{name}.npz")
    chances = file["input"][:, None, :] / 255
    drawn = numpy.random.default_rng(seed).random((len(chances), N_TICKS, 64))
    return Digits((drawn < chances).astype(numpy.float32), file["labels"].astype(numpy.int64))


@pytest.fixture(scope="session")
def training():
    return digits("train", 2)


@pytest.fixture(scope="session")
def test():
    return digits("test", 1)


class Model(NamedTuple):
    """Two leaky layers of snnTorch, and the graph that it exports of them."""

    graph: object
    fc1: torch.nn.Linear
    lif1: snntorch.Leaky
    fc2: torch.nn.Linear
    lif2: snntorch.Leaky


def leaky(n, **options):
    return snntorch.Leaky(beta=0.9 * torch.ones(n), threshold=torch.ones(n), **options)


def make_model():
    torch.manual_seed(1)
    fc1, fc2 = torch.nn.Linear(64, 32), torch.nn.Linear(32, 10)
    exported = [fc1, leaky(32, init_hidden=True), fc2, leaky(10, init_hidden=True, output=True)]
    graph = export_to_nir(torch.nn.Sequential(*exported), torch.zeros(64))
    return Model(graph, fc1, leaky(32), fc2, leaky(10))


@pytest.fixture
def model():
    return make_model()
