"""Graph VAEs as files."""

import pytest
import torch

from dagnas.errors import DagnasError
from dagnas.predictors.graph_vae.model import Sizes
from dagnas.predictors.graph_vae.schedule import Schedule
from dagnas.predictors.graph_vae.stored import Stored
from dagnas.predictors.graph_vae.training import build, fit_graph_vae
from dagnas.spaces import SPACES
from tests.predictors.common import seeded
from tests.predictors.test_graph_vae import Trap, examples_of

SPACE = SPACES.get("nasbench201")


@pytest.fixture(scope="module")
def stored():
    model = build(SPACE, Sizes(6, 4, 5, 7), seeded(), bidirectional=True)
    examples = examples_of(SPACE, 12)
    return Stored.of(
        model,
        fit_graph_vae(
            model, examples, epochs=3, schedule=Schedule(), generator=seeded(), keep=(1, 3)
        ),
    )


def test_what_is_read_is_what_was_written(stored, tmp_path):
    stored.write(tmp_path / "a.pt")
    found = Stored.read(tmp_path / "a.pt")
    assert (found.space, found.sizes, found.bidirectional) == (
        "nasbench201",
        Sizes(6, 4, 5, 7),
        True,
    )
    assert found.training.records == stored.training.records
    assert list(found.training.states) == [1, 3]
    batch = examples_of(SPACE, 5).batch
    means = [found.model(SPACE, epoch).encode(batch)[0] for epoch in (1, 3)]
    assert torch.equal(found.model(SPACE).encode(batch)[0], means[1])
    assert not torch.equal(*means)
    with pytest.raises(DagnasError, match=r"epoch of a graph VAE '2'.*valid: 1, 3"):
        found.model(SPACE, 2)
    with pytest.raises(DagnasError, match="encodes cells of nasbench201, not of enas"):
        found.model(SPACES.get("enas"))


def test_equal_contents_give_equal_bytes(stored, tmp_path):
    for name in ("a.pt", "another.pt"):
        stored.write(tmp_path / name)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "another.pt").read_bytes()


def test_damaged_files_are_refused(stored, tmp_path):
    path = tmp_path / "x.pt"
    with pytest.raises(DagnasError, match=r"no such file: .*x\.pt"):
        Stored.read(path)
    stored.write(path)
    whole = path.read_bytes()
    for damaged in (b"", b"nonsense", whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(DagnasError, match=r"x\.pt is no readable graph VAE"):
            Stored.read(path)
    # A pickle that would run something is refused, not run.
    torch.save({"training": Trap()}, path)
    with pytest.raises(DagnasError, match=r"x\.pt is no readable graph VAE"):
        Stored.read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": 3}, "space or direction of another type"),
        ({"sizes": {"hidden": 10**6, "latent": 4, "types": 5, "edges": 7}}, "a width .* 1 to 4096"),
        ({"sizes": {"hidden": 6}}, "it lacks a part"),
        ({"training": [[], {}]}, "its records are no losses"),
        ({"training": [[(1, "x")], {}]}, "its records are no losses"),
        ({"training": [[(1,) * 7], {1: {"a": 3}}]}, "its weights are no tensors"),
        ({"training": 3}, "it lacks a part"),
    ],
)
def test_files_with_values_of_other_types(stored, change, message, tmp_path):
    stored.write(tmp_path / "x.pt")
    whole = torch.load(tmp_path / "x.pt", weights_only=True)
    torch.save({**whole, **change}, tmp_path / "x.pt")
    with pytest.raises(DagnasError, match=rf"x\.pt is no readable graph VAE: {message}"):
        Stored.read(tmp_path / "x.pt")


def test_weights_of_other_widths_are_refused_before_there_is_room_for_them(stored, tmp_path):
    stored.write(tmp_path / "x.pt")
    whole = torch.load(tmp_path / "x.pt", weights_only=True)
    whole["sizes"]["hidden"] = 4096
    torch.save(whole, tmp_path / "x.pt")
    with pytest.raises(DagnasError, match="the weights are of another graph VAE than one of Sizes"):
        Stored.read(tmp_path / "x.pt").model(SPACE)
