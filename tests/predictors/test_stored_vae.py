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
