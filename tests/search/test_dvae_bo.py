"""D-VAE with Bayesian optimisation: choices and rounds."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from dagnas.predictors.graph_vae.model import Sizes
from dagnas.predictors.graph_vae.schedule import Weights
from dagnas.predictors.graph_vae.training import build, fit_graph_vae
from dagnas.search import METHODS
from dagnas.search.methods import dvae_bo as module
from dagnas.search.methods.dvae_bo import bayesian_rounds, choose
from dagnas.search.models.acquisition import expected_improvement
from dagnas.search.models.gaussian_process import GaussianProcess, Hyperparameters
from dagnas.search.models.latent_process import LatentProcess
from dagnas.search.pool import Seen
from dagnas.spaces import SPACES
from dagnas.spaces.cells import concatenate
from tests.predictors.common import seeded
from tests.search.test_nao import Tiny, worth

SMALL = {"initial": 20, "unlabelled": 30, "epochs": 2, "batch": 6, "candidates": 200}
SPACE = SPACES.get("nasbench201")
KNOWN = Hyperparameters(0.03, np.array([1.7]), np.array([[0.4]]))


def begin(space=SPACE, seed=0, **given):
    chosen = METHODS.get("dvae_bo")
    settings = chosen.settings(space.name, SMALL | given)
    return chosen.start(space, np.random.default_rng(seed), settings, device="cpu")


def run(trial, space, rounds):
    """Cells of the first and of some more rounds."""
    batches = [next(trial)]
    for _ in range(rounds):
        batches.append(trial.send(worth(space, batches[-1])))
    return batches


def squares(a, b):
    return cdist(a, b, "sqeuclidean")[None, None]


# Choices


def by_brute_force(codes, targets, points, best, count):
    """Points chosen with an exact process that is built anew for each choice."""
    chosen = []
    for _ in range(count):
        process = GaussianProcess(KNOWN, squares(codes, codes), targets)
        mean, sd = process.predict(squares(codes, points))
        gains = expected_improvement(mean, sd, best)
        row = max(set(range(len(points))) - set(chosen), key=lambda number: gains[number])
        chosen.append(row)
        codes = np.concatenate([codes, points[[row]]])
        targets = np.append(targets, mean[row])
        best = max(best, mean[row])
    return chosen


@pytest.mark.parametrize("seed", range(5))
def test_choices_are_those_of_brute_force(seed):
    rng = np.random.default_rng(seed)
    codes, points, targets = rng.normal(size=(15, 2)), rng.normal(size=(40, 2)), rng.normal(size=15)
    posterior = LatentProcess(KNOWN, codes, codes, targets).at(points)
    at_once = np.argsort(-expected_improvement(posterior.mean, posterior.sd, targets.max()))[:10]
    found = choose(posterior, targets.max(), 10).tolist()
    assert found == by_brute_force(codes, targets, points, targets.max(), 10)
    # What was chosen matters for the next choice.
    assert found != at_once.tolist()


def test_a_believed_value_may_be_the_best_so_far():
    # A certain gain of 1, one of 0.9, and an uncertain value that is likely lower.
    codes = np.array([[0.0], [10.0], [20.0]])
    targets = np.array([2.0, 1.9, 0.0])
    process = LatentProcess(KNOWN._replace(noise=1e-6), codes, codes, targets)
    points = np.array([[0.0], [10.0], [30.0]])
    assert choose(process.at(points), 1.0, 3).tolist() == [0, 2, 1]


def test_each_point_is_chosen_once_and_there_may_be_few():
    codes, targets = np.zeros((1, 2)), np.zeros(1)
    posterior = LatentProcess(KNOWN, codes, codes, targets).at(np.zeros((4, 2)))
    assert sorted(choose(posterior, 0.0, 9)) == [0, 1, 2, 3]
    assert len(choose(LatentProcess(KNOWN, codes, codes, targets).at(codes[:0]), 0.0, 9)) == 0


# Rounds


def rounds(model, cells, seen=None, seed=3, **given):
    """Rounds that have not begun, with the given cells evaluated."""
    if seen is None:
        seen = Seen(model.space, "class")
        seen.add(cells)
    settings = {"batch": 6, "inducing": 12, "candidates": 300, **given}
    rng = np.random.default_rng(seed)
    return bayesian_rounds(model, cells, worth(model.space, cells), rng=rng, seen=seen, **settings)


@pytest.fixture(scope="module")
def trained():
    """Graph VAE that knows the space a little."""
    model = build(SPACE, Sizes(24, 8, 24, 24), seeded())
    cells = SPACE.sample(200, np.random.default_rng(0))
    unknown = torch.full((200,), torch.nan)
    examples = module.Examples(module.prepare(SPACE, cells), unknown, unknown)
    schedule = module.Schedule(lr=3e-3)
    fit_graph_vae(model, examples, epochs=8, schedule=schedule, generator=seeded())
    return model


@pytest.fixture
def evaluated():
    return SPACE.sample(20, np.random.default_rng(1))


@pytest.mark.parametrize("at", ["points", "codes"])
def test_a_round_proposes_the_cells_that_promise_most(trained, evaluated, monkeypatch, at):
    drawn, processes = [], []

    def decode(model, points):
        drawn.append((points, *decode_valid(model, points)))
        return drawn[-1][1:]

    def fitted(codes, targets, inducing, rng):
        process = LatentProcess.fitted(codes, targets, inducing, rng)
        processes.append((process, codes, targets, inducing))
        return process

    decode_valid = module.decode_valid
    monkeypatch.setattr(module, "decode_valid", decode)
    monkeypatch.setattr(module, "LatentProcess", SimpleNamespace(fitted=fitted))
    new = next(rounds(trained, evaluated, at=at))
    ((process, codes, targets, inducing),) = processes
    signals = worth(SPACE, evaluated)
    with torch.no_grad():
        expected, _ = trained.encode(module.prepare(SPACE, evaluated))
    assert codes == pytest.approx(expected.numpy(), abs=1e-6)
    assert targets == pytest.approx((signals - signals.mean()) / signals.std())
    assert inducing == 12
    ((points, found, rows),) = drawn
    assert len(points) == 300
    places = points[rows].double().numpy()
    if at == "codes":
        with torch.no_grad():
            places = trained.encode(module.prepare(SPACE, found))[0].double().numpy()
    # Of each new cell, the point that promises most; of these the best one, and so on.
    posterior = process.at(places)
    gains = expected_improvement(posterior.mean, posterior.sd, targets.max())
    known = np.isin(SPACE.canonical(found), SPACE.canonical(evaluated))
    gains[known] = -np.inf
    assert SPACE.canonical(new)[0] == SPACE.canonical(found)[gains.argmax()]
    cells = SPACE.canonical(found[~known])
    standing = [
        np.flatnonzero(SPACE.canonical(found) == cell)[
            gains[SPACE.canonical(found) == cell].argmax()
        ]
        for cell in np.unique(cells)
    ]
    chosen = choose(process.at(places[standing]), targets.max(), 6)
    assert SPACE.canonical(new).tolist() == np.unique(cells)[chosen].tolist()


def test_rounds_learn_from_what_they_are_sent(trained, evaluated, monkeypatch):
    data = []

    def fitted(codes, targets, inducing, rng):
        data.append((codes, targets))
        return LatentProcess.fitted(codes, targets, inducing, rng)

    monkeypatch.setattr(module, "LatentProcess", SimpleNamespace(fitted=fitted))
    trial = rounds(trained, evaluated)
    first = next(trial)
    trial.send(np.arange(6.0))
    (codes, _), (later, targets) = data
    assert (later[:20] == codes).all()
    with torch.no_grad():
        expected, _ = trained.encode(module.prepare(SPACE, first))
    assert later[20:] == pytest.approx(expected.numpy(), abs=1e-6)
    signals = np.concatenate([worth(SPACE, evaluated), np.arange(6.0)])
    assert targets == pytest.approx((signals - signals.mean()) / signals.std())


def test_rounds_draw_points_where_the_given_cells_lie(trained, evaluated, monkeypatch):
    drawn, decode_valid = [], module.decode_valid

    def decode(model, points):
        drawn.append(points)
        return decode_valid(model, points)

    monkeypatch.setattr(module, "decode_valid", decode)
    trial = rounds(trained, evaluated, candidates=5000)
    for _ in range(3):
        next(trial) if not drawn else trial.send(np.arange(6.0))
    with torch.no_grad():
        codes, _ = trained.encode(module.prepare(SPACE, evaluated))
    for points in drawn:
        np.testing.assert_allclose(points.mean(dim=0), codes.mean(dim=0), atol=0.1)
        np.testing.assert_allclose(points.std(dim=0), codes.std(dim=0), rtol=0.1)
    assert not torch.equal(drawn[0], drawn[1])


def test_rounds_climb_what_is_smooth_in_the_latent_space(trained):
    def height(cells):
        with torch.no_grad():
            codes, _ = trained.encode(module.prepare(SPACE, cells))
        return codes[:, 0].double().numpy()

    cells = SPACE.sample(80, np.random.default_rng(2))
    low, seen = height(cells), Seen(SPACE, "class")
    seen.add(cells)
    trial = bayesian_rounds(
        trained,
        cells,
        low,
        batch=10,
        inducing=50,
        candidates=1000,
        rng=np.random.default_rng(3),
        seen=seen,
    )
    batches = [next(trial)]
    batches.append(trial.send(height(batches[0])))
    # Beyond three standard errors of what random points would find.
    assert height(concatenate(batches)).mean() > low.mean() + 3 * low.std() / np.sqrt(20)


def test_rounds_leave_the_model_alone_and_note_what_they_propose(trained, evaluated):
    before = {name: weights.clone() for name, weights in trained.state_dict().items()}
    seen = Seen(SPACE, "class")
    seen.add(evaluated)
    trial = rounds(trained, evaluated, seen)
    new = next(trial)
    assert len(seen.new(new)) == 0
    later = trial.send(worth(SPACE, new))
    codes = SPACE.canonical(concatenate([evaluated, new, later]))
    assert len(np.unique(codes)) == len(np.unique(SPACE.canonical(evaluated))) + 12
    assert all(torch.equal(weights, before[name]) for name, weights in trained.state_dict().items())


@pytest.mark.parametrize("at", ["points", "codes"])
def test_chance_helps_where_points_lead_nowhere(trained, evaluated, monkeypatch, at):
    nothing = evaluated[:0], np.arange(0)
    monkeypatch.setattr(module, "decode_valid", lambda model, points: nothing)
    trial = rounds(trained, evaluated, at=at)
    batches = [next(trial)]
    batches.append(trial.send(worth(SPACE, batches[-1])))
    assert [len(cells) for cells in batches] == [6, 6]
    codes = SPACE.canonical(concatenate(batches))
    assert not np.isin(codes, SPACE.canonical(evaluated)).any()


def test_signals_without_spread_are_no_harm(trained, evaluated):
    seen = Seen(SPACE, "class")
    alike = bayesian_rounds(
        trained,
        evaluated,
        np.full(20, 50.0),
        batch=6,
        inducing=12,
        candidates=300,
        rng=np.random.default_rng(0),
        seen=seen,
    )
    assert len(next(alike)) == 6


# The method


def test_the_released_settings_are_the_defaults():
    settings = METHODS.get("dvae_bo").settings("nasbench201")
    assert [settings[key] for key in ("batch", "inducing", "candidates")] == [50, 500, 10_000]
    assert settings["at"] == "points"


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201"])
@pytest.mark.parametrize("at", ["points", "codes"])
def test_every_round_proposes_new_valid_cells(name, at):
    space = SPACES.get(name)
    batches = run(begin(space, at=at), space, 3)
    assert [len(cells) for cells in batches] == [20, 6, 6, 6]
    assert all(space.is_valid(cells).all() for cells in batches)
    codes = np.concatenate([space.canonical(cells) for cells in batches])
    assert len(np.unique(codes)) == len(codes)


def test_the_model_is_trained_once_and_without_labels(monkeypatch):
    fits = []

    def fit(model, examples, **given):
        fits.append((examples, given))
        return fit_graph_vae(model, examples, **given)

    monkeypatch.setattr(module, "fit_graph_vae", fit)
    run(begin(), SPACE, 3)
    ((examples, given),) = fits
    assert len(examples.performance) == 50
    assert examples.performance.isnan().all()
    assert examples.complexity.isnan().all()
    assert given["epochs"] == 2
    assert given["schedule"].weights == Weights(performance=0, complexity=0)


def test_the_rounds_have_the_methods_settings(monkeypatch):
    told = {}

    def rounds_of(model, cells, signals, **given):
        told.update(given)
        yield cells

    monkeypatch.setattr(module, "bayesian_rounds", rounds_of)
    run(begin(batch=7, inducing=9, candidates=11, at="codes", sameness="cell"), SPACE, 1)
    assert told.pop("seen").sameness == "cell"
    assert isinstance(told.pop("rng"), np.random.Generator)
    assert told == {"batch": 7, "inducing": 9, "candidates": 11, "at": "codes"}


def test_any_space_is_searched_to_its_end():
    space = Tiny()
    trial = begin(space, initial=10, batch=8)
    batches = run(trial, space, 2)
    assert [len(cells) for cells in batches] == [10, 8, 6]
    assert sorted(np.concatenate([space.pack(cells) for cells in batches])) == list(range(24))
    with pytest.raises(StopIteration):
        trial.send(worth(space, batches[-1]))
