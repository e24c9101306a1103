"""``dagnas train``: curve and weights, resuming, faults before any training, scale files."""

import json

import pytest
import torch

from dagnas.cli import main
from dagnas.errors import DagnasError
from dagnas.files import read_parquet
from dagnas.networks import NETWORKS
from dagnas.networks.shape import NetworkShape
from dagnas.pipeline import scales
from dagnas.pipeline.kinds import training
from dagnas.training import checkpoint, trainer

CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
WORDS = ["train", "--space=nasbench201", "--images=digits", "--channels=4", "--layers=1"]
WORDS += ["--pixels=4", "--epochs=2", "--train=64", "--learning-rate=0.1", f"--cell={CELL}"]


def test_curve_and_weights(tmp_path, capsys):
    out = tmp_path / "a.parquet"
    assert main([*WORDS, f"--out={out}"]) == 0
    curve = training.read(out)
    assert curve["epoch"].tolist() == [1, 2]
    assert curve.columns.tolist() == [
        *("epoch", "loss", "train_accuracy", "learning_rate", "valid_accuracy"),
    ]
    assert curve.attrs["valid"] == curve["valid_accuracy"].iloc[-1]
    assert f"{curve.attrs['test']:.2f} % of test" in capsys.readouterr().out
    # The weights are those of the network at the end, on the images it was trained on.
    stored = checkpoint.read(tmp_path / "a.pt")
    network = NETWORKS.get(stored["space"]).build(
        NETWORKS.get("nasbench201").read(stored["cell"]), NetworkShape(**stored["shape"])
    )
    network.load_state_dict(stored["weights"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "a.pt"]
    about = json.loads(read_parquet(out).schema.metadata[b"dagnas.job"])
    assert (about["epochs"], about["train"], about["pixels"]) == (2, 64, 4)
    # Equal bytes once more, and other ones of another seed.
    content = out.read_bytes(), (tmp_path / "a.pt").read_bytes()
    assert main([*WORDS, f"--out={out}", "--overwrite"]) == 0
    assert (out.read_bytes(), (tmp_path / "a.pt").read_bytes()) == content
    assert main([*WORDS, "--seed=1", f"--out={out}"]) == 2
    assert main([*WORDS, "--seed=1", f"--out={out}", "--overwrite"]) == 0
    assert out.read_bytes() != content[0]


def test_it_resumes_to_the_same_bytes(tmp_path, monkeypatch):
    whole, out = tmp_path / "a.parquet", tmp_path / "b.parquet"
    main([*WORDS, f"--out={whole}"])
    epoch = trainer._Training._epoch

    def stops(self, number):
        if number == 1:
            raise KeyboardInterrupt
        return epoch(self, number)

    with monkeypatch.context() as patch:
        patch.setattr(trainer._Training, "_epoch", stops)
        assert main([*WORDS, f"--out={out}"]) == 130
    assert [path.name for path in tmp_path.glob("b.*")] == ["b.parquet.part"]
    started = []
    monkeypatch.setattr(
        trainer._Training, "_epoch", lambda self, n: started.append(n) or epoch(self, n)
    )
    assert main([*WORDS, f"--out={out}"]) == 0
    assert started == [1]
    assert out.read_bytes() == whole.read_bytes()
    assert (tmp_path / "b.pt").read_bytes() == (tmp_path / "a.pt").read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--space=nasbench202"], "did you mean 'nasbench201'"),
        (["--cell=x"], "'x' is no nasbench201 cell"),
        (["--images=absent.npz"], "no such file: absent.npz"),
        (["--images=cifar10", "--data=nowhere"], "no such file: nowhere/cifar10.parquet"),
        (["--pixels=3"], "8 x 8 pixels cannot be reduced to 3"),
        (["--train=1700"], "1797 of 10 classes cannot be split into 1700"),
        (["--batch-size=65"], "64 to train on do not fill a batch of 65"),
        (["--epochs=0"], "--epochs: Input should be greater than 0"),
        (["--learning-rate=nan"], "--learning-rate"),
        (["--auxiliary=0.4"], "networks of nasbench201 have no auxiliary head"),
        (["--out=a.csv"], "expected a name that ends in .parquet"),
    ],
)
def test_faults_are_told_before_any_training(words, message, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(trainer._Training, "_epoch", lambda self, number: pytest.fail("trained"))
    monkeypatch.chdir(tmp_path)
    assert main([*WORDS, "--out=a.parquet", *words]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told
    assert not list(tmp_path.glob("*.part"))


SCALE = """
scale: tiny
trials: 1
papers: []
device: cuda
trainings:
  mine: {space: darts_one_cell, images: cifar10, cell: "CELL", layers: 5, flip: true}
"""


def test_scales_plan_trainings(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(SCALE.replace("CELL", "x").replace("darts_one_cell", "nasbench201"))
    with pytest.raises(DagnasError, match=r"trainings\.mine: 'x' is no nasbench201 cell"):
        training.check_values(scales.load(path))
    path.write_text(SCALE.replace("darts_one_cell", "nowhere"))
    with pytest.raises(DagnasError, match=r"trainings\.mine.*unknown space with networks"):
        scales.load(path)
    path.write_text(SCALE.replace("CELL", CELL).replace("darts_one_cell", "nasbench201"))
    scale = scales.load(path)
    training.check_values(scale)
    job = scale.jobs("training")["mine"]
    assert job.files() == [str(scale.data / "cifar10.parquet")]
    assert (job.device, job.layers, job.flip) == ("cuda", 5, True)
    assert "--device=cuda" in job.arguments()
    assert str(training.training.path(scale, "mine")) == "results/tiny/trainings/mine.parquet"
    assert "dagnas.networks.nasbench201" in job.roots()


def test_weights_of_the_whole_training_are_plain_tensors(tmp_path):
    out = tmp_path / "a.parquet"
    main([*WORDS, f"--out={out}"])
    found = torch.load(tmp_path / "a.pt", weights_only=True)
    assert found["cell"] == CELL
