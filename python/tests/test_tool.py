"""Compile, simulate and verify a network that is made here."""

import json
import shutil
import subprocess

import numpy
import pytest
import spikeloom
from conftest import SETTINGS


@pytest.fixture
def build(model, tmp_path):
    folder = tmp_path / "build"
    report = spikeloom.compile(
        model.graph, folder, target="icebreaker", stop_at="verilog", bits=6, **SETTINGS
    )
    assert report["target"] == "icebreaker"
    assert report["weight_bits"] == 6
    return folder


def test_three_lines_from_a_model_to_a_build_folder_that_holds(build, test):
    lines = spikeloom.verify(build, test.spikes, to="hdl", samples=4)
    assert [line["rung"] for line in lines] == ["float", "golden", "hdl"]
    assert [line["verdict"] for line in lines[1:]] == ["equal", "equal"]
    assert lines[1]["samples"] == 4


def test_arrays_and_files_are_the_same_samples(build, test, tmp_path):
    numpy.savez(
        tmp_path / "test.npz", input=test.spikes[:64].astype(numpy.uint8), labels=test.labels[:64]
    )
    of_arrays = spikeloom.simulate(build, test.spikes, test.labels, samples=64)
    of_file = spikeloom.simulate(build, tmp_path / "test.npz")
    assert of_arrays == of_file
    assert of_arrays["samples"] == 64
    hits = numpy.mean(numpy.array(of_arrays["classes"]) == test.labels[:64])
    assert of_arrays["accuracy"] == hits


def test_a_damaged_build_folder_is_an_error(build, test):
    weights = build / "network.npz"
    weights.write_bytes(weights.read_bytes()[:-30])
    with pytest.raises(spikeloom.Error):
        spikeloom.verify(build, test.spikes, to="golden", samples=1)


def test_what_is_wrong_is_said_in_the_commands_words(model):
    with pytest.raises(spikeloom.Error) as raised:
        spikeloom.load(model.graph, **{**SETTINGS, "semantics": "snntorchh"})
    assert raised.value.code == "spikeloom::frontend::bad_value"
    assert "did you mean `snntorch`?" in str(raised.value)
    assert "(keyword arguments):2:" in str(raised.value)


def test_the_text_of_an_error_is_that_of_the_command(tmp_path):
    command = shutil.which("spikeloom")
    assert command, "the test needs the command `spikeloom` on PATH"
    path = tmp_path / "damaged.nir"
    path.write_bytes(b"not HDF5")
    told = subprocess.run(
        [command, "compile", path], capture_output=True, text=True, check=False, timeout=60
    )
    assert told.returncode == 1
    with pytest.raises(spikeloom.Error) as raised:
        spikeloom.compile(path, tmp_path / "build")
    words = str(raised.value).split()
    assert raised.value.code in words
    own = [word for word in words if word.isalpha()]
    assert own and set(own) <= set(told.stderr.split()), told.stderr
    assert not (tmp_path / "build").exists()


def test_what_is_no_model_is_named():
    with pytest.raises(TypeError, match="not a path or a nir.NIRGraph|not int"):
        spikeloom.load(3)


def test_names_of_choices_are_listed(model, tmp_path):
    with pytest.raises(ValueError, match="verilog, netlist, bitstream"):
        spikeloom.compile(model.graph, tmp_path / "build", stop_at="bits", **SETTINGS)
    with pytest.raises(spikeloom.Error, match="icebreaker"):
        spikeloom.compile(model.graph, tmp_path / "build", target="icebraker", **SETTINGS)
    assert "icebreaker" in spikeloom.targets()


def test_reports_are_plain(build):
    report = json.loads((build / "report.json").read_text())
    assert report["spikeloom"]
