"""NGAE: rounds of training and climbing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm

from dagnas.benchmarks import BENCHMARKS
from dagnas.errors import DagnasError
from dagnas.predictors.graph_vae.training import fit_graph_vae
from dagnas.search import METHODS
from dagnas.search.methods import ngae as module
from dagnas.search.models.latent import ascend, objective
from dagnas.search.runner import Search, run_trial
from dagnas.spaces import SPACES
from tests.search.test_dvae_bo import run
from tests.search.test_nao import Tiny, worth

SMALL = {"initial": 20, "unlabelled": 30, "proposals": 6, "epochs": 2, "points": 60}
SPACE = SPACES.get("nasbench201")


class Weighed(Tiny):
    """The 24 cells of `Tiny`, with networks of 5 to 28 multiply-adds."""

    def madds(self, cells):
        return 5 + self.pack(cells)


def begin(name="ngae", space=SPACE, seed=0, **given):
    chosen = METHODS.get(name)
    settings = chosen.settings(space.name, SMALL | given)
    return chosen.start(space, np.random.default_rng(seed), settings, device="cpu")


def spy(monkeypatch, name, original):
    """Let a function of the module note its arguments and what it returns."""
    calls = []

    def noting(*args, **given):
        calls.append((args, given, original(*args, **given)))
        return calls[-1][2]

    monkeypatch.setattr(module, name, noting)
    return calls


def test_the_variant_waives_the_complexity_predictor_alone():
    whole = METHODS.get("ngae").settings("nasbench201")
    part = METHODS.get("ngae_performance").settings("nasbench201")
    assert whole["complexity"]
    assert part == {**whole, "complexity": False}


@pytest.mark.parametrize("name", ["ngae", "ngae_performance"])
@pytest.mark.parametrize("where", ["nasbench101", "nasbench201"])
def test_every_round_proposes_new_valid_cells(name, where):
    space = SPACES.get(where)
    batches = run(begin(name, space), space, 3)
    assert [len(cells) for cells in batches] == [20, 6, 6, 6]
    assert all(space.is_valid(cells).all() for cells in batches)
    codes = np.concatenate([space.canonical(cells) for cells in batches])
    assert len(np.unique(codes)) == len(codes)


def test_training_is_on_evaluated_and_other_cells(monkeypatch):
    calls = spy(monkeypatch, "fit_graph_vae", fit_graph_vae)
    trial = begin(later_epochs=1)
    cells = next(trial)
    accuracies = np.linspace(10, 94, 20)
    second = trial.send(accuracies)
    trial.send(np.full(6, 50.0))
    ((model, first), given, _), ((same, later), later_given, _) = calls
    assert same is model
    assert (given["epochs"], later_given["epochs"]) == (2, 1)
    assert given["schedule"] == later_given["schedule"]
    performance, complexity = first.performance.numpy(), first.complexity.numpy()
    assert performance[:20] == pytest.approx(accuracies / 100)
    assert np.isnan(performance[20:]).tolist() == [True] * 30
    assert (complexity.min(), complexity.max()) == (0, 1)
    # Complexity is linear in multiply-adds.
    madds = SPACE.madds(cells)
    assert np.corrcoef(complexity[:20], madds)[0, 1] == pytest.approx(1)
    low, high = madds.argmin(), madds.argmax()
    unit = (complexity[high] - complexity[low]) / (madds[high] - madds[low])
    expected = complexity[low] + unit * (SPACE.madds(second) - madds[low])
    assert later.complexity[20:26].numpy() == pytest.approx(expected, abs=1e-5)
    assert later.performance[20:26].tolist() == [0.5] * 6
    assert later.performance[26:].isnan().all()


def test_other_cells_are_new_and_leave_once_they_are_evaluated(monkeypatch):
    space = Weighed()
    fits = spy(monkeypatch, "fit_graph_vae", fit_graph_vae)
    shown = spy(monkeypatch, "label", module.label)
    run(begin(space=space, initial=5, unlabelled=100, proposals=4), space, 3)
    # All cells of the space, evaluated or not, each once.
    assert [sorted(space.pack(cells)) for (_, cells, *_), _, _ in shown] == [[*range(24)]] * 3
    labelled = [(~examples.performance.isnan()).nonzero() for (_, examples), _, _ in fits]
    assert [len(rows) for rows in labelled] == [5, 9, 13]


def test_without_complexity_its_predictor_is_neither_trained_nor_used(monkeypatch):
    fits = spy(monkeypatch, "fit_graph_vae", fit_graph_vae)
    climbs = spy(monkeypatch, "ascend", ascend)
    # The size of this space's networks is not known.
    space = Tiny()
    trial = begin("ngae_performance", space, initial=5, unlabelled=5, proposals=4)
    run(trial, space, 2)
    for (_, examples), _, _ in fits:
        assert examples.complexity.isnan().all()
    assert [given["complexity"] for _, given, _ in climbs] == [False, False]
    with pytest.raises(DagnasError, match="no `madds`"):
        run(begin("ngae", space, initial=5, unlabelled=5, proposals=4), space, 1)


@pytest.mark.parametrize("complexity", [False, True])
def test_points_climb_and_the_best_of_their_cells_are_proposed(monkeypatch, complexity):
    climbs = spy(monkeypatch, "ascend", ascend)
    found = SPACE.sample(60, np.random.default_rng(8))
    decodings = spy(monkeypatch, "decode_valid", lambda model, points: (found, np.arange(60)))
    trial = begin(complexity=complexity, steps=7, rate=0.5)
    first = next(trial)
    new = trial.send(worth(SPACE, first))
    ((model, start), given, climb), *_ = climbs
    assert start.shape == (60, 56)
    assert given == {"steps": 7, "rate": 0.5, "complexity": complexity}
    ((_, points), *_), *_ = decodings
    assert torch.equal(points, climb.points)
    # The objective of each new cell at its own code, whatever point it comes from.
    codes = SPACE.canonical(found)
    _, once = np.unique(codes, return_index=True)
    fresh = found[once[~np.isin(codes[once], SPACE.canonical(first))]]
    with torch.no_grad():
        own, _ = model.encode(module.prepare(SPACE, fresh))
        heights = objective(model, own, complexity).numpy()
    expected = SPACE.canonical(fresh)[np.argsort(-heights)[:6]]
    assert SPACE.canonical(new).tolist() == expected.tolist()


def test_points_begin_where_the_codes_lie(monkeypatch):
    climbs = spy(monkeypatch, "ascend", ascend)
    encodings = spy(monkeypatch, "posterior", module.posterior)
    run(begin(points=4000), SPACE, 1)
    ((_, start), _, _), *_ = climbs
    _, _, (codes, _) = encodings[0]
    assert len(codes) == 50
    np.testing.assert_allclose(start.mean(dim=0), codes.mean(dim=0), atol=0.1)
    np.testing.assert_allclose(start.std(dim=0), codes.std(dim=0), rtol=0.1)


def test_chance_helps_where_points_lead_nowhere(monkeypatch):
    trial = begin()
    first = next(trial)
    # All points decode to cells that were evaluated.
    monkeypatch.setattr(module, "decode_valid", lambda model, points: (first, np.arange(20)))
    new = trial.send(np.full(20, 50.0))
    assert len(new) == 6
    assert not np.isin(SPACE.canonical(new), SPACE.canonical(first)).any()


def test_standardised_accuracies_are_quantiles_of_the_normal_distribution():
    accuracies = np.array([90.0, 91.0, 93.0, 94.0])
    targets = module._targets(accuracies, "standardised")
    assert targets == pytest.approx(norm.cdf(accuracies, 92, np.sqrt(2.5)))
    assert module._targets(accuracies, "share") == pytest.approx([0.90, 0.91, 0.93, 0.94])
    assert module._targets(np.full(3, 50.0), "standardised").tolist() == [0.5] * 3


@pytest.mark.parametrize("target", ["share", "standardised"])
def test_the_target_is_what_performance_is_trained_on(monkeypatch, target):
    calls = spy(monkeypatch, "fit_graph_vae", fit_graph_vae)
    trial = begin(target=target)
    next(trial)
    accuracies = np.linspace(80, 94, 20)
    trial.send(accuracies)
    shown = calls[0][0][1].performance[:20].numpy()
    assert shown == pytest.approx(module._targets(accuracies, target), abs=1e-6)


def test_any_space_is_searched_to_its_end():
    space = Weighed()
    trial = begin(space=space, initial=10, proposals=8, steps=2)
    batches = run(trial, space, 2)
    assert [len(cells) for cells in batches] == [10, 8, 6]
    assert sorted(np.concatenate([space.pack(cells) for cells in batches])) == list(range(24))
    with pytest.raises(StopIteration):
        trial.send(worth(space, batches[-1]))


@pytest.mark.slow
def test_performance_alone_beats_random_search_on_digits():
    bench = BENCHMARKS.get("digits201").open(Path("nowhere"))

    def signals(name, **given):
        chosen = Search(bench, METHODS.get(name), given=given, budget_evaluations=150)
        return np.array([run_trial(chosen, trial)["signal"].to_numpy() for trial in range(3)])

    climbing = signals("ngae_performance", initial=50, unlabelled=500, epochs=30)
    random = signals("random_search")
    # Ten best cells of a trial, since the best one alone says little in three trials.
    assert np.sort(climbing)[:, -10:].mean() > np.sort(random)[:, -10:].mean() + 0.5
    assert (climbing[:, 50:].mean(axis=1) > random.mean(axis=1) + 5).all()
