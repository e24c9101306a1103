"""Methods and predictors on spaces too large to list."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from dagnas.benchmarks.benchmark import Evaluations
from dagnas.benchmarks.policy import Policy
from dagnas.errors import DagnasError
from dagnas.predictors import PREDICTORS
from dagnas.predictors.fit import fit, predict
from dagnas.search import METHODS
from dagnas.search.models.samplers import EvolutionSampler
from dagnas.search.pool import Seen
from dagnas.search.runner import Search, run_trial
from dagnas.spaces import SPACES
from dagnas.spaces.cell_space import CellSpace

NAMES = ["darts", "darts_one_cell", "resnet_strings"]
METHODS_OF_CELLS = [
    name
    for name in METHODS.names()
    if issubclass(CellSpace, METHODS.get(name).space)
    # What has several objectives needs costs, which these have not.
    and not METHODS.get(name).takes("objectives")
]
#: Settings that make every method short.
SHORT = {
    "candidates": 50,
    "challengers": 50,
    "epochs": 3,
    "initial": 8,
    "later_epochs": 1,
    "points": 20,
    "population": 10,
    "pool": 50,
    "samples": 10,
    "steps": 5,
    "unlabelled": 20,
}


class Toy:
    """Benchmark that needs no table: separable convolutions and depth, or letters, are good."""

    def __init__(self, name):
        self.name, self.space = name, SPACES.get(name)
        self.policies = {"toy": Policy("toy", "mean", "toy", "toy", "toy")}

    def emulated(self, policy):
        return ()

    def digest(self):
        return "toy"

    def signal(self, cells):
        if self.name == "resnet_strings":
            return np.array(
                [20 + 2 * len(text) + text.count("2") for text in self.space.to_str(cells)]
            )
        return np.array([50.0 + sum(map(quality, cell)) for cell in self.space.genotypes(cells)])

    def evaluate(self, cells, policy, rng):
        signal = self.signal(cells).astype(float)
        return Evaluations(signal, np.ones(len(cells)), signal, signal)


def quality(cell):
    """Separable convolutions, and nodes that skip connections read."""
    separable = sum(operation.startswith("sep_conv") for operation, _ in cell)
    return 2 * separable + sum(op == "skip_connect" and source > 1 for op, source in cell)


def search(space, method, evaluations=30, **given):
    chosen = METHODS.get(method)
    short = {name: value for name, value in SHORT.items() if chosen.has(name)}
    terms = {"policy": "toy", "budget_evaluations": evaluations}
    return run_trial(Search(Toy(space), chosen, short | given, **terms), 0)


@pytest.mark.parametrize("space", NAMES)
@pytest.mark.parametrize("method", METHODS_OF_CELLS)
def test_every_method_runs(method, space):
    trace = search(space, method)
    assert len(trace) == 30
    cells = SPACES.get(space).unpack(trace["code"].to_numpy())
    assert trace.schema.field("code").type == "int64"
    assert SPACES.get(space).to_str(cells) == trace["cell"].to_pylist()
    assert Toy(space).signal(cells).tolist() == trace["signal"].to_pylist()


def test_distinct_random_cells_come_once_whatever_the_batch():
    codes = [
        search("resnet_strings", "random_search", 3000, distinct=True, batch=batch)["code"]
        for batch in (1, 7, 100)
    ]
    assert len(set(codes[0].to_pylist())) == 3000
    assert codes[0].equals(codes[1])
    assert codes[0].equals(codes[2])
    # Drawn independently, some come twice among so many.
    assert len(set(search("resnet_strings", "random_search", 3000)["code"].to_pylist())) < 3000


def test_npnas_evaluates_its_pool_in_the_predicted_order_and_ends():
    given = {"samples": 40, "epochs": 100, "pool": 60}
    trace = search("darts_one_cell", "npnas", 10**6, **given)
    assert len(trace) == 100
    signals = trace["signal"].to_numpy()
    assert spearmanr(np.arange(60), signals[40:]).statistic < -0.3


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("bonas", {"epochs": 40, "pool": 300}),
        ("goal", {"epochs": 15}),
        ("regularized_evolution", {"tournament": 5}),
    ],
)
def test_searches_find_better_cells_than_random_ones(method, given):
    found = search("darts_one_cell", method, 60, **given)["signal"].to_numpy()
    assert found[30:].mean() > found[:8].mean() + 5


@pytest.mark.parametrize("predictor", PREDICTORS.names())
@pytest.mark.parametrize("name", NAMES)
def test_every_predictor_learns_to_rank(name, predictor):
    toy = Toy(name)
    cells = toy.space.sample(250, np.random.default_rng(0))
    errors = torch.tensor(100.0 - toy.signal(cells)) / 100
    graphs = toy.space.to_graph(cells)
    model = PREDICTORS.get(predictor).build(toy.space, torch.Generator().manual_seed(0))
    train = type(graphs)(*(part[:100] for part in graphs))
    rest = type(graphs)(*(part[100:] for part in graphs))
    epochs = 4 if predictor == "wide_mlp" else 20
    fit(model, train, errors[:100], epochs=epochs, generator=torch.Generator().manual_seed(0))
    scores = predict(model, rest).numpy()
    assert spearmanr(scores, errors[100:]).statistic > 0.3


@pytest.mark.parametrize("name", [*NAMES, "enas", "nasbench101"])
@pytest.mark.parametrize("mutation", ["paper", "code"])
def test_mutants_of_the_evolutionary_sampler_are_cells(name, mutation):
    space = SPACES.get(name)
    rng = np.random.default_rng(0)
    cells = space.sample(200, rng)
    mutants = EvolutionSampler(space, rng, Seen(space, "cell"), mutation=mutation).mutate(cells)
    # The paper's own mutation may close all paths of a NAS-Bench-101 cell, or add edges.
    if name == "nasbench101":
        mutants = mutants[space.is_valid(mutants)]
        assert len(mutants) > 100
    assert space.from_str(space.to_str(mutants)).same(mutants).all()
    allowed = np.take_along_axis(space.edge_mask[None], mutants.edges[..., None].astype(int), 3)
    assert (allowed[..., 0] | ~space.edge_mask.any(axis=2)).all()
    assert (space.pack(mutants) != space.pack(cells[: len(mutants)])).mean() > 0.4


def test_classes_of_a_large_space_cannot_be_drawn():
    with pytest.raises(DagnasError, match="too many to list their classes"):
        Search(
            Toy("darts"),
            METHODS.get("random_search"),
            policy="toy",
            budget_evaluations=5,
            draw="classes",
        )
