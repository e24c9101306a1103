"""NAS over a graph search space: curves by hand, results of a tiny scale, claims."""

import numpy as np
import pandas as pd
import pytest

from dagnas.benchmarks import BENCHMARKS
from dagnas.papers.claims.check import Tables, ledger
from dagnas.papers.graph_search_space.fig2 import best_rewards
from dagnas.papers.graph_search_space.fig6 import caption, moving, tabulate
from dagnas.papers.inputs import Inputs
from dagnas.papers.make import make, read_table
from dagnas.papers.result import load, results
from dagnas.pipeline import scales
from dagnas.search import METHODS
from dagnas.search.runner import Search, run
from dagnas.training.alone import Accuracies
from tests.papers.tables import searches

STUDY = """
  graph_search_space_{0}:
    benchmark: {0}
    policy: reward
    methods: [random_search, controller_reinforce]
    budget_evaluations: 250"""
NAMES = [
    f"{task}{form}"
    for task in ("stack_layers", "select_optimizer_2", "layers_digits")
    for form in ("", "_linear")
]
SCALE = (
    "scale: tiny\ntrials: 2\npapers: [graph_search_space]\nstudies:"
    + "".join(map(STUDY.format, NAMES))
    + "\n"
)


def invented_training(layers, images, parts, recipe, names, device):
    """Accuracies that grow with the number of layers, instead of a training."""
    return Accuracies(len(layers) / 10, len(layers) / 20)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Root of a project with all traces: those of the controller are made by random search too."""
    root = tmp_path_factory.mktemp("tiny")
    (root / "tiny.yaml").write_text(SCALE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dagnas.benchmarks.trained.train_layers", invented_training)
        make_traces(root)
    return root


def make_traces(root):
    scale = scales.load(root / "tiny.yaml")
    for study, method, trials, benchmark, path in searches(scale):
        search = Search(
            BENCHMARKS.get(benchmark).open(root),
            METHODS.get("random_search"),
            policy="reward",
            budget_evaluations=250,
            study=f"{study} {method}",
        )
        run(search, trials, root / path, show=False)


@pytest.fixture
def inputs_of(root):
    scale = scales.load(root / "tiny.yaml")
    known = results(scale)
    return lambda name: Inputs(scale, known[f"graph_search_space/{name}"], root)


def test_curves_are_of_the_best_so_far(inputs_of):
    inputs = inputs_of("fig2")
    study = "graph_search_space_stack_layers"
    table = best_rewards(inputs, (study, f"{study}_linear"))
    table = table.query("method == 'random_search' and formulation == 'graph'").set_index("trial")
    traces = inputs.traces(study).query("method == 'random_search'")
    best = [t["signal"].to_numpy() for _, t in traces.groupby("trial")]
    for trial in (1, 7, 200, 250):
        ends = [replica[:trial].max() for replica in best]
        row = table.loc[trial]
        assert (row["mean"], row["min"], row["max"]) == (np.mean(ends), min(ends), max(ends))
    assert list(table.index[:200]) == list(range(1, 201))
    assert table.index[-1] == 250
    assert set(table["n"]) == {2}
    assert table["p"].between(0, 1).all()


@pytest.mark.parametrize("name", ["fig2", "fig3", "fig4", "fig5", "fig6_digits"])
def test_results_are_whole(name, inputs_of, tmp_path):
    csv, *pictures, text = make(inputs_of(name), tmp_path)
    assert len(pd.read_csv(csv)) > 0
    assert all(picture.stat().st_size > 1000 for picture in pictures)
    assert "Scale: tiny." in text.read_text()
    assert load(inputs_of(name).result).caption(read_table(csv)) in text.read_text()


def test_test_accuracies_of_figure_6_are_those_of_the_best_so_far(inputs_of):
    # An invented test accuracy is half of the reward.
    table = tabulate(inputs_of("fig6_digits"))
    assert table["test"].tolist() == pytest.approx((table["mean"] / 2).tolist())
    assert set(table["formulation"]) == {"graph", "linear"}


def test_the_caption_of_figure_6_says_what_was_trained(inputs_of):
    table = tabulate(inputs_of("fig6_digits"))
    full = caption(table.assign(task="layers_cifar10"))
    assert full.startswith("Networks are trained for 20 epochs on 25,000 images")
    assert "dashed: walks by chance" in full
    only = table[table["method"] != "random_search"].assign(task="layers_cifar10_small")
    small = caption(only)
    assert small.startswith("**In small, not the paper's protocol**")
    assert "chance" not in small


def test_the_moving_average_begins_with_the_first_reward():
    found = moving(np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.5]]))
    assert found.tolist() == [pytest.approx([1, 0.95, 0.9025]), [0.5, 0.5, 0.5]]


def test_the_spaces_of_figure_3_are_counted(inputs_of, tmp_path):
    csv, *_ = make(inputs_of("fig3"), tmp_path)
    table = pd.read_csv(csv, dtype={"walks": str}).set_index("space")
    assert table.loc["stack_layers", "walks"] == "101"
    assert table.loc["stack_layers_linear", "walks"] == str(2**20)
    assert table.loc["select_optimizer_4_linear", "walks"] == str(4 * 100**16)


def invented(folder, ends):
    """Tables of figures 2, 4 and 6 with given means, chances of the graph's lead, and fractions."""
    rows = [
        {"task": task, "formulation": form, "method": "controller_reinforce", "mean": mean, "p": p}
        | {"best": best}
        for (task, form), (mean, p, best) in ends.items()
    ]
    table = pd.DataFrame(rows).assign(n=10, se=0.01)
    layers, images = (table["task"] == task for task in ("stack_layers", "cifar10"))
    trials = [table[layers].assign(trial=trial, n=40) for trial in (100, 200)]
    (folder / "graph_search_space").mkdir()
    pd.concat(trials).to_csv(folder / "graph_search_space/fig2.csv")
    table[~layers & ~images].assign(trial=5000).to_csv(folder / "graph_search_space/fig4.csv")
    trained = table[images].assign(
        task="layers_cifar10", trial=1500, method="controller_pqt", n=5, se=0.002
    )
    trained.to_csv(folder / "graph_search_space/fig6.csv")
    names = [f"graph_search_space/{name}" for name in ("fig2", "fig4", "fig6")]
    found = ledger(["graph_search_space"], Tables(folder, names))
    return {entry.id: entry.status for entry in found}


@pytest.mark.parametrize(
    ("status", "p", "reached", "select", "cifar10"),
    [
        ("reproduced", 0.02, (0.7, 0.0), 0.8, (0.83, 0.815)),
        # Replicas, and errors of means, are too few or too large to say.
        ("undecided", 0.03, (0.6, 0.1), 0.73, (0.86, 0.80)),
        ("undecided", 0.97, (0.4, 0.05), 0.68, (0.82, 0.84)),
        # Four of ten replicas that reach the maximum are no failure.
        ("not reproduced", 0.98, (0.2, 0.4), 0.55, (0.87, 0.79)),
    ],
)
def test_claims_follow_the_curves(status, p, reached, select, cifar10, tmp_path):
    ends = {
        ("stack_layers", "graph"): (1.0, p, reached[0]),
        ("stack_layers", "linear"): (0.96, np.nan, reached[1]),
        ("select_optimizer_2", "graph"): (0.7, p, 0),
        ("select_optimizer_2", "linear"): (0.6, np.nan, 0),
        ("select_optimizer_4", "graph"): (select, p, 0),
        ("select_optimizer_4", "linear"): (0.6, np.nan, 0),
        ("cifar10", "graph"): (cifar10[0], p, 0),
        ("cifar10", "linear"): (cifar10[1], np.nan, 0),
    }
    statuses = invented(tmp_path, ends)
    shown = {name: found for name, found in statuses.items() if name[3] in "246"}
    assert set(shown.values()) == {status}, shown
    assert len(shown) == 9
    assert {found for name, found in statuses.items() if name not in shown} == {"not run"}


def test_what_needs_a_gpu_says_so(tmp_path):
    found = {
        entry.id: entry.missing for entry in ledger(["graph_search_space"], Tables(tmp_path, []))
    }
    assert found["fig6-graph-above-linear"].startswith("a GPU for 15,000 trainings")
    assert "images" not in found["fig6-graph-accuracy"]
