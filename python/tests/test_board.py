"""A virtual board, over its link, against the golden model."""

import numpy
import pytest
import spikeloom
import torch
from conftest import SETTINGS, leaky
from snntorch.export_nir import export_to_nir
from spikeloom.torch import OnBoard, over_ticks


@pytest.fixture(scope="module")
def large():
    """As many weights as are kept in RAM that the host loads."""
    torch.manual_seed(2)
    fc1, fc2 = torch.nn.Linear(64, 96), torch.nn.Linear(96, 10)
    exported = [fc1, leaky(96, init_hidden=True), fc2, leaky(10, init_hidden=True, output=True)]
    graph = export_to_nir(torch.nn.Sequential(*exported), torch.zeros(64))
    return graph, fc1, fc2


@pytest.fixture(scope="module")
def build(large, tmp_path_factory):
    folder = tmp_path_factory.mktemp("board") / "build"
    settings = {"target": "icebreaker", "lanes": 8, "compress": "never", **SETTINGS}
    spikeloom.compile(large[0], folder, stop_at="verilog", **settings)
    return folder


def test_a_board_computes_what_the_golden_model_does(build, large, test):
    spikes = test.spikes[:6]
    golden = spikeloom.load(large[0], **SETTINGS).quantize().trace(spikes)
    with spikeloom.Board(build) as board:
        ran = board.run(spikes, read=["1"])
        assert (ran.classes == golden.classes).all()
        assert (ran.scores == golden.scores).all()
        assert ran.membranes["1"].shape == (6, 96)
        assert (ran.cycles > 0).all()
        assert board.told is None

        # Other weights, and the design's again.
        assert board.reloadable == ["0"]
        own = large[1].weight.detach().numpy()
        placed = board.set_weights("0", -own)
        assert placed.shape == own.shape
        assert numpy.abs(placed + own).max() < 0.05
        assert (board.run(spikes).scores != ran.scores).any()
        board.set_weights("0", own)
        assert (board.run(spikes).scores == ran.scores).all()

        with pytest.raises(KeyError, match="loads no weights of `2`, only those of 0"):
            board.set_weights("2", large[2].weight.detach().numpy())
        with pytest.raises(ValueError, match="6144 weights, all finite, and 2 were given"):
            board.set_weights("0", [1.0, 2.0])
    with pytest.raises(ValueError, match="closed"):
        board.run(spikes)


def test_gradients_flow_through_a_board(build, large, test):
    _, fc1, fc2 = large
    hidden = over_ticks(fc1, leaky(96))
    output = over_ticks(fc2, leaky(10))

    def model(spikes):
        return output(hidden(spikes.transpose(0, 1))).sum(0)

    chip = {"seed": 3, "stuck_weights": 0.05, "weight_offsets": 10}
    with spikeloom.Board(build, chip=chip) as board:
        assert "are stuck" in board.told
        layer = OnBoard(board, model, {"0": fc1.weight})
        scores = layer(test.spikes[:6])
        assert (scores.detach().numpy() == board.run(test.spikes[:6]).scores).all()
        assert (scores != model(torch.as_tensor(test.spikes[:6]))).any()
        labels = torch.as_tensor(test.labels[:6])
        torch.nn.functional.cross_entropy(scores, labels).backward()
        assert fc1.weight.grad.abs().sum() > 0
        with pytest.raises(ValueError, match="no weights of `2`"):
            OnBoard(board, model, {"2": fc2.weight})


def test_a_port_that_is_not_there_is_an_error(build):
    with pytest.raises(spikeloom.Error) as raised:
        spikeloom.Board(build, "/dev/there-is-no-such-port")
    assert "/dev/there-is-no-such-port" in str(raised.value)
    with pytest.raises(spikeloom.Error) as raised:
        spikeloom.Board(build, "/dev/there-is-no-such-port", chip={})
    assert raised.value.code == "spikeloom::faults_of_board"
