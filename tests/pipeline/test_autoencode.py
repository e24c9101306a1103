"""Graph VAEs of scale files: their settings, and the command that trains them."""

import pytest

from dagnas.cli import main
from dagnas.errors import DagnasError
from dagnas.pipeline import scales
from dagnas.predictors.graph_vae import training
from dagnas.predictors.graph_vae.schedule import Schedule, Weights
from dagnas.predictors.graph_vae.stored import Stored

SCALE = """
scale: tiny
trials: 1
papers: [ngae]
autoencoders:
  whole: {benchmark: digits201, target: digits/valid/12, shares: [0.01, 0.01], epochs: 3, keep: [2]}
  none: {benchmark: digits201, target: digits/valid/12, predictors: [], lr: 1e-3, batch_size: 8}
"""


@pytest.fixture
def scale(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(SCALE)
    return path


def test_settings_become_a_schedule(scale):
    found = scales.load(scale).section("autoencoders")
    assert found["whole"].schedule() == Schedule()
    assert found["none"].schedule() == Schedule(batch_size=8, lr=1e-3, weights=Weights(0.005, 0, 0))
    assert [str(path) for path in scales.load(scale).paths("autoencoder", "none")] == [
        "results/tiny/autoencoders/none.pt"
    ]


def test_faults_are_named(scale):
    for change, message in (
        (("keep: [2]", "keep: [2, 4]"), "keep: epoch 4 is after the last, 3"),
        (("shares: [0.01, 0.01]", "shares: [0.01]"), "shares"),
        (("shares: [0.01, 0.01]", "shares: [0.6, 0.5]"), "shares: .0.6, 0.5. are more than"),
        (("benchmark: digits201", "benchmark: digits202"), "did you mean 'digits201'"),
        (("predictors: []", "predictors: [speed]"), "'performance' or 'complexity'"),
    ):
        scale.write_text(SCALE.replace(*change, 1))
        with pytest.raises(DagnasError, match=f"autoencoders.*{message}"):
            scales.load(scale)


def train(scale, out, name="whole"):
    job = scales.load(scale).jobs("autoencoder")[name]
    return main(["autoencode", *job.arguments(), "--out", str(out)])


def test_an_interrupted_command_goes_on_and_ends_with_the_same_bytes(scale, tmp_path, monkeypatch):
    assert train(scale, tmp_path / "a.pt") == 0
    stored = Stored.read(tmp_path / "a.pt")
    assert list(stored.training.states) == [2, 3]
    assert [record.epoch for record in stored.training.records] == [1, 2, 3]
    whole, calls = training._epoch, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(*arguments)

    monkeypatch.setattr(training, "_epoch", interrupted)
    assert train(scale, tmp_path / "b.pt") == 130
    assert (tmp_path / "b.pt.part").exists()
    assert not (tmp_path / "b.pt").exists()
    assert train(scale, tmp_path / "b.pt") == 0
    # Two epochs before, one after.
    assert len(calls) == 4
    assert not (tmp_path / "b.pt.part").exists()
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


def test_faults_on_the_command_line_are_told(tmp_path, capsys):
    asked = [
        "autoencode",
        "--name",
        "x",
        "--benchmark",
        "digits202",
        "--out",
        str(tmp_path / "a.pt"),
    ]
    assert main([*asked, "--target", "digits/valid/12"]) == 2
    assert "unknown benchmark 'digits202' (did you mean 'digits201'?)" in capsys.readouterr().err
    assert main([*asked, "--target", "digits/valid/12", "--epochs", "0"]) == 2
    assert "--epochs: Input should be greater than 0, not '0'" in capsys.readouterr().err
