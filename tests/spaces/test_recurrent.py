"""Recurrent cells: trees, their identity, their projection, the published genotypes."""

import csv
import itertools
from fractions import Fraction

import networkx
import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from dagnas.benchmarks.benchmark import Evaluations
from dagnas.benchmarks.policy import Policy
from dagnas.drawing.cells import parts
from dagnas.errors import DagnasError
from dagnas.predictors import PREDICTORS
from dagnas.predictors.fit import fit, predict
from dagnas.search import METHODS
from dagnas.search.runner import Search, run_trial
from dagnas.spaces import SPACES
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Graphs, concatenate
from dagnas.spaces.recurrent import (
    ACTIVATIONS,
    RecurrentSpace,
    Trees,
    cell_parameters,
    read,
    recurrent,
    write,
)
from dagnas.testing import space_checks

DARTS_V1 = (
    "Genotype(recurrent=[('relu', 0), ('relu', 1), ('tanh', 2), ('relu', 3), ('relu', 4), "
    "('identity', 1), ('relu', 5), ('relu', 1)], concat=range(1, 9))"
)


def everything(space):
    """All cells of a small space, by counting through the values of their variables."""
    found = []
    for count in range(1, space.nodes + 1):
        choices = [range(node) for node in range(1, count + 1)] + [range(4)] * count
        values = np.array(list(itertools.product(*choices)))
        sources, activations = np.zeros((2, len(values), space.nodes), dtype=np.int64)
        sources[:, :count], activations[:, :count] = np.hsplit(values, 2)
        counts = np.full(len(values), count)
        found.append(space.from_trees(Trees(counts, sources, activations)))
    return concatenate(found)


@pytest.fixture(scope="module")
def small():
    space = RecurrentSpace(3)
    return space, everything(space)


@pytest.mark.parametrize("space", [recurrent, RecurrentSpace(4, "all")], ids=["loose", "all"])
def test_the_contract_of_spaces(space):
    for check in space_checks(space):
        check()


def test_the_number_of_cells(small):
    space, cells = small
    assert len(np.unique(space.pack(cells))) == len(cells) == space.count == 4 + 32 + 384
    assert space.is_valid(cells).all()
    assert recurrent.count == 2_728_065_444
    with pytest.raises(DagnasError, match="2,728,065,444 cells, too many to list"):
        recurrent.enumerate()
    with pytest.raises(DagnasError, match="too many to list their classes"):
        recurrent.drawing("classes")


def coloured_trees(nodes, colours):
    """Rooted trees of ``nodes`` coloured vertices below a root, by Euler's transform."""
    trees, forests = [0], [1]
    for n in range(1, nodes + 1):
        # A tree of n vertices is a coloured one with a forest of n - 1 below.
        trees.append(colours * forests[n - 1])
        weights = [sum(d * trees[d] for d in range(1, k + 1) if k % d == 0) for k in range(n + 1)]
        total = sum(Fraction(weights[k] * forests[n - k]) for k in range(1, n + 1))
        forests.append(int(total / n))
    return forests[1:]


@pytest.mark.parametrize("nodes", [1, 2, 3, 4])
def test_classes_are_coloured_rooted_trees(nodes):
    space = RecurrentSpace(nodes)
    cells = everything(space)
    assert len(np.unique(space.canonical(cells))) == sum(coloured_trees(nodes, 4))
    assert len(set(space.key(cells))) == sum(coloured_trees(nodes, 4))


def test_keys_agree_with_networkx():
    cells = recurrent.sample(60, np.random.default_rng(1))
    trees = recurrent.to_trees(cells)
    rng = np.random.default_rng(2)
    for cell, count, sources, activations in zip(cells, *trees, strict=True):
        # Nodes in another order that keeps sources first.
        order, ready = [], [0]
        children = {v: [n for n in range(1, count + 1) if sources[n - 1] == v] for v in range(9)}
        waiting = children[0].copy()
        while waiting:
            node = waiting.pop(rng.integers(len(waiting)))
            order.append(node)
            waiting += children[node]
        place = dict(zip([*ready, *order], range(count + 1), strict=True))
        other = Trees(
            np.array([count]),
            np.pad([place[sources[n - 1]] for n in order], (0, 8 - count))[None],
            np.pad([activations[n - 1] for n in order], (0, 8 - count))[None],
        )
        renamed = recurrent.from_trees(other)
        assert recurrent.key(renamed) == recurrent.key(cell)
        assert (recurrent.canonical(renamed) == recurrent.canonical(cell)).all()
    graphs = [graph(row) for row in zip(*trees, strict=True)]
    keys = recurrent.key(cells)
    for one, other in itertools.combinations(range(len(cells)), 2):
        same = networkx.is_isomorphic(
            graphs[one], graphs[other], node_match=lambda a, b: a["kind"] == b["kind"]
        )
        assert same == (keys[one] == keys[other])


def graph(tree):
    count, sources, activations = tree
    found = networkx.DiGraph()
    found.add_node(0, kind="input")
    for node in range(1, count + 1):
        found.add_node(node, kind=ACTIVATIONS[activations[node - 1]])
        found.add_edge(sources[node - 1], node)
    return found


@pytest.mark.parametrize("output", ["loose", "all"])
def test_projection_is_the_nearest_cell(output):
    space = RecurrentSpace(3, output)
    cells = everything(space)
    exact = space.to_graph(cells)
    rng = np.random.default_rng(0)
    relaxed = Graphs(
        rng.normal(size=(60, *exact.nodes.shape[1:])), rng.normal(size=(60, *exact.edges.shape[1:]))
    )
    found = space.project(relaxed)
    for number in range(60):
        distances = sum(
            ((part - whole[number]) ** 2).reshape(len(cells), -1).sum(axis=1)
            for part, whole in zip(exact, relaxed, strict=True)
        )
        assert found[number].same(cells[int(distances.argmin())])


def test_random_cells_have_every_number_of_nodes_as_often():
    counts = recurrent.to_trees(recurrent.sample(8000, np.random.default_rng(0))).counts
    assert np.allclose(np.bincount(counts)[1:], 1000, atol=130)


def test_a_mutation_is_each_kind_of_change_as_often():
    cell = recurrent.from_str(["Genotype(recurrent=[('tanh', 0), ('relu', 1)], concat=[2])"])
    many = recurrent.from_values(np.repeat(recurrent.to_values(cell), 6000, axis=0))
    before = recurrent.to_trees(cell)
    after = recurrent.to_trees(recurrent.mutate(many, np.random.default_rng(0)))
    sizes = after.counts != 2
    sources = (after.sources != before.sources).any(axis=1) & ~sizes
    assert np.allclose([sizes.mean(), sources.mean()], 1 / 3, atol=0.03)


def published(mirror):
    with (mirror / "genotypes_recurrent.csv").open() as file:
        for row in csv.DictReader(file):
            yield row["name"], f"Genotype(recurrent={row['recurrent']}, concat={row['concat']})"


def test_published_genotypes_read_back(mirror):
    names = []
    for name, text in published(mirror):
        genotype = read(text)
        # Each writes spaces in its own way.
        assert write(genotype).replace(" ", "") == text.replace(" ", "")
        space = RecurrentSpace(11) if name == "ENAS" else RecurrentSpace(8, "all")
        assert space.to_str(space.from_str([text])) == [write(genotype)]
        names.append(name)
    assert names == ["ENAS", "DARTS_V1", "DARTS_V2"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "expected a text such as"),
        ("Genotype(recurrent=[], concat=[])", "expected a text such as"),
        ("Genotype(recurrent=[('tanh', 0)], concat=[1]) + x", "expected a text such as"),
        ("Genotype(recurrent=[('tanh', 0)], concat=[f()])", "expected a text such as"),
        ("Genotype(recurrent=[('swish', 0)], concat=[1])", "'swish'; valid: tanh, relu, identity"),
        ("Genotype(recurrent=[('tanh', 1)], concat=[1])", "node 1 reads node 1; valid: 0 to 0"),
        ("Genotype(recurrent=[('tanh', 0)], concat=[2])", r"valid: some of the nodes 1 to 1"),
        ("Genotype(recurrent=[('tanh', 0)], concat=[1, 1])", "ascending"),
        ("Genotype(recurrent=[('tanh', 0)], concat=range(3, 2))", "ascending"),
        ("x" * 5000, "5,000 letters, of 4,000 allowed"),
        (DARTS_V1, r"valid: \[6, 7, 8\], the nodes that no other reads"),
        (
            f"Genotype(recurrent={[('tanh', 0)] * 9}, concat=range(1, 10))",
            "9 nodes; a cell has 8 at most",
        ),
    ],
)
def test_texts_that_are_no_cell(text, why):
    with pytest.raises(DagnasError, match=why):
        recurrent.from_str([text])


def test_the_output_is_the_mean_of_nodes_that_none_reads():
    (cell,) = recurrent.from_str(
        ["Genotype(recurrent=[('tanh', 0), ('relu', 1), ('sigmoid', 0)], concat=[2, 3])"]
    )
    assert np.flatnonzero(cell.edges[0, :, -1]).tolist() == [2, 3]
    assert recurrent.key(cell) == ["sigmoid tanh(relu)"]


def test_weights_of_a_cell():
    # DARTS's 23 million, less the embedding and the decoder's bias.
    assert int(cell_parameters(np.array([8]), 850)[0]) == 22_960_000 - 10_000 * 850 - 10_000
    cells = RecurrentSpace(8, "all").from_str([DARTS_V1])
    assert recurrent.madds(cells).tolist() == [14_450_000]


def test_a_picture_has_the_nodes_of_the_cell_alone():
    text = "Genotype(recurrent=[('tanh', 0), ('relu', 1)], concat=[2])"
    shown = parts(recurrent, recurrent.from_str([text]))
    assert shown.nodes == {0: "input", 1: "tanh", 2: "relu", 9: "output"}
    assert set(shown.edges) == {(0, 1), (1, 2), (2, 9)}


class Toy:
    """Benchmark that needs no table: sigmoids are bad, and depth is good."""

    name, space = "toy", recurrent

    def __init__(self):
        self.policies = {"toy": Policy("toy", "mean", "toy", "toy", "toy")}

    def emulated(self, policy):
        return ()

    def digest(self):
        return "toy"

    def signal(self, cells):
        trees = recurrent.to_trees(cells)
        worth = np.array([2.0, 3.0, 1.0, -2.0])[trees.activations] * trees.present
        return 50 + worth.sum(axis=1) - (trees.sources == 0).sum(axis=1)

    def evaluate(self, cells, policy, rng):
        signal = self.signal(cells)
        return Evaluations(signal, np.ones(len(cells)), signal, signal)


METHODS_OF_CELLS = [
    name
    for name in METHODS.names()
    if issubclass(CellSpace, METHODS.get(name).space)
    # What has several objectives needs costs, which this has not.
    and not METHODS.get(name).takes("objectives")
]
SHORT = {
    "candidates": 20,
    "challengers": 20,
    "epochs": 2,
    "initial": 5,
    "k": 5,
    "later_epochs": 1,
    "points": 5,
    "population": 5,
    "pool": 20,
    "proposals": 2,
    "samples": 5,
    "steps": 2,
    "unlabelled": 5,
}


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in ("bananas", "smac") else name
        for name in METHODS_OF_CELLS
    ],
)
def test_every_method_runs(method):
    chosen = METHODS.get(method)
    short = {name: value for name, value in SHORT.items() if chosen.has(name)}
    terms = {"policy": "toy", "budget_evaluations": 10}
    trace = run_trial(Search(Toy(), chosen, short, **terms), 0)
    assert len(trace) == 10
    cells = recurrent.from_str(trace["cell"].to_pylist())
    assert recurrent.pack(cells).tolist() == trace["code"].to_pylist()
    assert Toy().signal(cells).tolist() == trace["signal"].to_pylist()


@pytest.mark.parametrize("predictor", PREDICTORS.names())
def test_every_predictor_learns_to_rank(predictor):
    cells = recurrent.sample(250, np.random.default_rng(0))
    errors = torch.tensor(100.0 - Toy().signal(cells)) / 100
    graphs = recurrent.to_graph(cells)
    model = PREDICTORS.get(predictor).build(recurrent, torch.Generator().manual_seed(0))
    train, rest = (
        Graphs(*(part[some] for part in graphs)) for some in (slice(100), slice(100, None))
    )
    epochs = 4 if predictor == "wide_mlp" else 12
    fit(model, train, errors[:100], epochs=epochs, generator=torch.Generator().manual_seed(0))
    assert spearmanr(predict(model, rest).numpy(), errors[100:]).statistic > 0.3


def test_the_registry_has_it():
    assert SPACES.get("recurrent") is recurrent
