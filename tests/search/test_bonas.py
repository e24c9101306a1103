"""BONAS: algorithm 1, its settings, and that it beats random search."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu

import dagnas.search.methods.bonas as module
from dagnas.benchmarks import BENCHMARKS
from dagnas.predictors.fit import as_tensors
from dagnas.predictors.gcn.model import GCN
from dagnas.search import METHODS
from dagnas.search.method import Evaluated
from dagnas.search.runner import Search, run_trial
from dagnas.spaces import SPACES
from dagnas.spaces.cells import concatenate
from dagnas.spaces.nasbench101 import NASBench101Space
from tests.search.test_samplers import Tiny

SMALL = {"initial": 6, "k": 3, "pool": 20, "epochs": 2}


def begin(space, name="bonas", seed=0, prior=None, **given):
    chosen = METHODS.get(name)
    settings = chosen.settings(space.name, {**SMALL, **given})
    return chosen.start(space, np.random.default_rng(seed), settings, prior=prior)


def worth(space, cells):
    return 60 + space.to_values(cells).sum(axis=1).astype(float)


def follow(space, trial, evaluations):
    """Cells that a trial asks for, batch by batch, until it ends or has enough evaluations."""
    batches, proposal = [], next(trial)
    while sum(map(len, batches)) < evaluations:
        batches.append(proposal)
        try:
            proposal = trial.send(worth(space, proposal))
        except StopIteration:
            break
    return batches


def test_the_papers_parameters_are_the_defaults():
    expected = {
        "initial": 10,
        "k": 10,
        "pool": 1000,
        "epochs": 100,
        "retrain": 0.05,
        "sampler": "ea",
        "mutation": "paper",
        "loss": "exponential",
        "target": "logit",
        "normalized": True,
        "sameness": "class",
        "prior_epochs": 20,
    }
    assert METHODS.get("bonas").settings("nasbench201") == expected
    assert METHODS.get("bonas").settings("nasbench101") == expected
    for sampler in ("rl", "random"):
        found = METHODS.get(f"bonas_{sampler}").settings("nasbench201")
        assert found == {**expected, "sampler": sampler}


@pytest.mark.parametrize(
    ("retrain", "fits"), [(0, [4, 6, 8, 10, 12]), (0.5, [4, 6, 10]), (0.3, [4, 6, 8, 12])]
)
def test_the_network_is_trained_again_once_the_data_grew(monkeypatch, retrain, fits):
    space = SPACES.get("nasbench201")
    diary = Diary(monkeypatch, space)
    trial = begin(space, initial=4, k=2, retrain=retrain)
    cells = concatenate(follow(space, trial, 13))
    assert [len(note[1][2]) for note in diary.of("fit_square")] == fits
    # Whether trained again or not, the regression is on all cells, by the network as it is.
    _, (design, logits), _, _ = diary.of("BayesianLinear")[-1]
    assert len(design) == len(logits) == len(cells) == 13
    expected = diary.embed(diary.fits[-1][0], cells)
    np.testing.assert_allclose(design, expected, rtol=1e-4, atol=1e-5)


def test_the_mutation_is_the_samplers(monkeypatch):
    space, told = SPACES.get("nasbench101"), []
    mutate = module.EvolutionSampler.mutate

    def noted(self, cells):
        told.append(self.mutation)
        return mutate(self, cells)

    monkeypatch.setattr(module.EvolutionSampler, "mutate", noted)
    for mutation in ("paper", "code"):
        follow(space, begin(space, mutation=mutation), 7)
    assert sorted(set(told)) == ["code", "paper"]


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201"])
def test_equation_3_as_it_is_printed_has_no_minus_in_its_first_exponent(name):
    space = SPACES.get(name)
    cells = space.sample(20, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    printed = module._Embedding(space, rng, "cpu", "mse", "printed")._encode(cells)
    plain = GCN(space, 4, 64, False).encode(as_tensors(space.to_graph(space.prune(cells))))
    degree = plain.edges.sum(dim=2)
    expected = degree.sqrt()[:, :, None] * plain.edges * degree.clamp(min=1).rsqrt()[:, None]
    torch.testing.assert_close(printed.edges, expected)
    # The first convolution's sums are of the same messages.
    features = GCN(space, 4, 64, True).encode(as_tensors(space.to_graph(space.prune(cells))))
    torch.testing.assert_close(printed.nodes, degree[:, :, None] * features.nodes)


class Diary:
    """Calls of the parts of algorithm 1, in order."""

    def __init__(self, monkeypatch, space):
        self.space, self.notes, self.fits, self.encoder = space, [], [], GCN(space, 4, 64, True)
        for name in ("fit_square", "BayesianLinear", "expected_improvement"):
            monkeypatch.setattr(module, name, self.noted(name, getattr(module, name)))

    def noted(self, name, function):
        def call(*args, **options):
            if name == "fit_square":
                self.fits.append((args[0], args[0].weights.detach().clone()))
            result = function(*args, **options)
            self.notes.append((name, args, options, result))
            return result

        return call

    def of(self, name):
        return [note for note in self.notes if note[0] == name]

    def embed(self, body, cells):
        """Embeddings of each cell by itself."""
        graphs = (as_tensors(self.space.to_graph(self.space.prune(cell))) for cell in cells)
        with torch.no_grad():
            parts = [body.embed(self.encoder.encode(graph)) for graph in graphs]
        return torch.cat(parts).numpy()


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201"])
@pytest.mark.parametrize("sampler", ["random", "rl", "ea"])
def test_algorithm_1(monkeypatch, name, sampler):
    space = SPACES.get(name)
    diary, pools, lessons = Diary(monkeypatch, space), [], []
    kind = module.SAMPLERS[sampler]
    draw = kind.pool
    monkeypatch.setattr(kind, "pool", lambda self, n: pools.append(draw(self, n)) or pools[-1])
    monkeypatch.setattr(kind, "learn", lambda self, *lesson: lessons.append(lesson))
    batches = follow(space, begin(space, sampler=sampler), 16)
    # Line 1: N random cells; then one at a time.
    assert [len(batch) for batch in batches] == [6] + [1] * 10
    cells = concatenate(batches)
    assert space.is_valid(cells).all()
    assert len(set(space.canonical(cells))) == 16
    # Lines 2 and 19: the network is trained anew on all cells after every k = 3 evaluations.
    steps = [step for step, *_ in diary.notes]
    inner = ["BayesianLinear", "expected_improvement"]
    assert steps == (["fit_square", *inner * 3] * 4)[:26]
    for number, (_, (_, graphs, targets), options, _) in enumerate(diary.of("fit_square")):
        seen = cells[: 6 + 3 * number]
        np.testing.assert_allclose(targets, 1 - worth(space, seen) / 100)
        np.testing.assert_allclose(
            graphs.edges, diary.encoder.encode(as_tensors(space.to_graph(space.prune(seen)))).edges
        )
        assert (options["epochs"], options["loss"]) == (2, "exponential")
    # Lines 9 to 16: embeddings of all cells evaluated, their logits, and the largest EI.
    rounds = zip(pools, diary.of("BayesianLinear"), diary.of("expected_improvement"), strict=True)
    for number, (pool, (_, (design, logits), _, regression), scored) in enumerate(rounds):
        assert 0 < len(pool) <= 20
        size = 6 + number
        body = diary.fits[number // 3][0]
        fractions = worth(space, cells[:size]) / 100
        np.testing.assert_allclose(logits, np.log(fractions / (1 - fractions)))
        np.testing.assert_allclose(design, diary.embed(body, cells[:size]), rtol=1e-4, atol=1e-5)
        _, (mean, sd, best), _, scores = scored
        expected = regression.predict(diary.embed(body, pool))
        np.testing.assert_allclose(mean, expected[0], rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(sd**2, expected[1], rtol=1e-3)
        assert best == logits.max()
        # Line 17: the controller's rewards are these scores.
        assert lessons[number][0] is pool
        assert lessons[number][1] is scores
        if size < 16:
            assert cells[size].same(pool[int(np.argmax(scores))]).all()


def test_the_network_forgets_between_trainings_and_weights_do_not_start_equal(monkeypatch):
    space = SPACES.get("nasbench201")
    diary = Diary(monkeypatch, space)
    follow(space, begin(space), 16)
    starts = [weights for _, weights in diary.fits]
    assert len(starts) == 4
    # New kernels are small and new scales are one.
    for body, weights in diary.fits:
        *layers, head, _ = body.split(weights)
        assert all(kernel.abs().max() <= 0.05 for kernel in [*layers[::3], head])
        assert all((scale == 1).all() for scale in layers[1::3])
    assert len({tuple(weights.tolist()) for weights in starts}) == 4


def test_accuracies_may_be_the_target_and_the_loss_may_be_another(monkeypatch):
    space = SPACES.get("nasbench201")
    diary = Diary(monkeypatch, space)
    batches = follow(space, begin(space, target="accuracy", loss="mse"), 7)
    _, (_, targets), _, _ = diary.of("BayesianLinear")[0]
    np.testing.assert_allclose(targets, worth(space, batches[0]) / 100)
    assert diary.of("fit_square")[0][2]["loss"] == "mse"


def test_accuracies_of_zero_and_all_have_finite_logits(monkeypatch):
    space = SPACES.get("nasbench201")
    diary, trial = Diary(monkeypatch, space), begin(space)
    next(trial)
    trial.send(np.array([0.0, 100, 50, 10, 90, 100]))
    ((_, (_, logits), _, _),) = diary.of("BayesianLinear")
    end = np.log(9999)
    np.testing.assert_allclose(logits, [-end, end, 0, -np.log(9), np.log(9), end], atol=1e-12)
    assert np.isfinite(diary.of("expected_improvement")[0][3]).all()


@pytest.mark.parametrize("name", ["bonas", "bonas_random", "bonas_rl"])
def test_a_small_space_is_gone_through_to_its_end(name):
    space = Tiny()
    cells = concatenate(follow(space, begin(space, name), 30))
    assert sorted(space.pack(cells)) == list(range(24))


def test_a_prior_is_where_every_training_starts(monkeypatch):
    small, large = NASBench101Space(6), NASBench101Space(7)
    diary = Diary(monkeypatch, large)
    before = small.sample(50, np.random.default_rng(1))
    prior = Evaluated(before, worth(small, before))
    follow(large, begin(large, prior=prior, prior_epochs=3), 12)
    first, *later = diary.of("fit_square")
    assert len(first[1][2]) == 50
    assert first[2]["epochs"] == 3
    assert [len(note[1][2]) for note in later] == [6, 9, 12]
    learnt = diary.fits[0][0].weights
    assert not torch.equal(learnt, diary.fits[0][1])
    for (_, start), note in zip(diary.fits[1:], later, strict=True):
        assert torch.equal(start, learnt)
        assert note[2]["epochs"] == 2


@pytest.mark.slow
def test_it_beats_random_search_with_every_sampler():
    bench = BENCHMARKS.get("digits201").open(Path("nowhere"))
    best = bench.best_signal(bench.policies["bonas"])

    def regret(name, trials, **given):
        chosen = Search(
            bench, METHODS.get(name), policy="bonas", given=given, budget_evaluations=60
        )
        traces = [run_trial(chosen, trial) for trial in range(trials)]
        return np.array([best - max(trace["signal"].to_pylist()) for trace in traces])

    random = regret("random_search", 200)
    small = {"epochs": 30, "pool": 300}
    for names in (["bonas"], ["bonas_random", "bonas_rl"]):
        found = np.concatenate([regret(name, 4, **small) for name in names])
        assert mannwhitneyu(found, random, alternative="less").pvalue < 0.02, names
