"""GOAL's results: the numbers in their tables."""

import numpy as np
import pandas as pd
import pytest

from dagnas import config
from dagnas.papers.core import Inputs, results
from dagnas.papers.goal import fig2, fig3, fig4, fig6, fig7
from dagnas.spaces import SPACES


def test_fig3_has_a_correlation_for_every_trial(inputs_of):
    table = fig3.tabulate(inputs_of("goal/fig3"))
    assert len(table) == 2 * 2 * 2
    assert (table["cells"] == 60).all()
    # Scores were made with noise that falls with the training size, and more for the MLP.
    means = table.groupby(["predictor", "train_size"])["spearman"].mean()
    assert means["ecc", 256] > means["ecc", 128]
    assert means["ecc", 256] > means["mlp", 256]


def test_fig3_gives_low_scores_to_good_cells(inputs_of):
    inputs = inputs_of("goal/fig3")
    scores = inputs.ranking("goal_uniform")
    perfect = scores.assign(score=100 - scores["target"])
    inputs.ranking = lambda name: perfect
    assert fig3.tabulate(inputs)["spearman"].to_numpy() == pytest.approx(1.0)


def test_fig4_has_both_benchmarks_and_the_oracle_on_one(inputs_of):
    table = fig4.tabulate(inputs_of("goal/fig4"))
    assert set(table.loc[table["method"] == "oracle", "benchmark"]) == {"nasbench201"}
    last = table[table["seconds"] == table.groupby("benchmark")["seconds"].transform("max")]
    assert set(last["seconds"]) == {2000.0, 40000.0}
    assert (last.loc[last["method"] != "oracle", "n"] == 3).all()


def test_fig6_measures_the_corner(inputs_of):
    inputs = inputs_of("goal/fig6")
    scores = inputs.ranking("goal_after_search")
    # One ranking is perfect, the other one exactly wrong.
    right = scores["source"] == "search"
    turned = scores.assign(score=np.where(right, -scores["target"], scores["target"]))
    inputs.ranking = lambda name: turned
    table = fig6.tabulate(inputs).set_index("source")
    assert (table["cells"] == 400).all()
    for column, best, worst in (
        ("spearman", 1, -1),
        ("spearman_best", 1, -1),
        ("recall_best", 1, 0),
        ("rank_best", 100 * 2.5 / 400, 100 * 398.5 / 400),
    ):
        assert table.loc["search", column].to_numpy() == pytest.approx(best)
        assert table.loc["uniform", column].to_numpy() == pytest.approx(worst)


def test_fig6_takes_one_cell_of_each_class(inputs_of):
    space = SPACES.get("nasbench201")
    inputs = inputs_of("goal/fig6")
    scores = inputs.ranking("goal_after_search")
    # Two cells of one class, one of which the ranking holds.
    classes = space.canonical(space.enumerate())
    twins = np.flatnonzero(classes != np.arange(5**6))
    twin = next(code for code in twins if classes[code] in set(scores["code"]))
    double = pd.concat([scores, scores[scores["code"] == classes[twin]].assign(code=twin)])
    assert len(double) > len(scores)
    inputs.ranking = lambda name: double
    assert len(fig6.classes(inputs)) == len(scores)


def trial(signal, parent):
    return pd.DataFrame({"signal": signal, "parent": parent})


def test_fig7_follows_parents_from_the_best_cell():
    # 4 initial cells; the best cell (step 6) came from 4, and that from 1, the worst of the pool.
    signal, parent = [60.0, 50.0, 61.0, 62.0, 70.0, 65.0, 90.0], [-1, -1, -1, -1, 1, 0, 4]
    assert fig7.history(trial(signal, parent)) == (0, [1, 4, 6])


def test_fig7_tells_other_origins_apart():
    signal = [60.0, 50.0, 61.0, 62.0, 70.0, 65.0, 90.0]
    assert fig7.history(trial(signal, [-1, -1, -1, -1, 3, 0, 4])) == (1, [3, 4, 6])
    # Step 5 has no parent but is no initial cell: it was drawn later.
    assert fig7.history(trial(signal, [-1, -1, -1, -1, 3, -1, 5])) == (2, [5, 6])
    assert fig7.history(trial([60.0, 80.0], [-1, -1])) == (1, [1])


def test_fig7_prefers_bad_starts_then_large_gains(inputs_of):
    inputs = inputs_of("goal/fig7")
    traces = inputs.traces("goal_nasbench101")
    goal = traces[traces["method"] == "goal"].copy()
    goal["parent"], goal["signal"] = -1, 60.0
    step = goal["step"]
    # In trial 0 from a bad start to 90, in trial 1 to 85; in trial 2 from a good start to 99.
    goal.loc[step >= 8, "parent"] = 0
    goal.loc[step == 2, "signal"] = 65.0
    for number, start, end, gain_to in ((0, 1, 9, 90.0), (1, 1, 9, 85.0), (2, 2, 9, 99.0)):
        here = goal["trial"] == number
        goal.loc[here & (step == start), "signal"] = 65.0 if number == 2 else 50.0
        goal.loc[here & (step == end), "signal"] = gain_to
        goal.loc[here & (step == end), "parent"] = start
    inputs.traces = lambda study: goal
    table = fig7.tabulate(inputs)
    assert table["trial"].tolist() == [0, 0]
    assert table["step"].tolist() == [1, 9]
    assert table["signal"].tolist() == [50.0, 90.0]
    assert table["origin"].iloc[0] == fig7.ORIGINS[0]


def test_fig7_counts_parts_that_have_an_effect(inputs_of):
    inputs = inputs_of("goal/fig7")
    traces = inputs.traces("goal_nasbench101")
    space = SPACES.get("nasbench101")
    # I -> C3 -> O and I -> MP, which leads nowhere.
    (text,) = space.to_str(space.from_str(["110|01|0:conv3x3-bn-relu,maxpool3x3"]))
    inputs.traces = lambda study: traces.assign(cell=text)
    table = fig7.tabulate(inputs)
    assert (table[["vertices", "edges", "C3", "C1", "MP"]] == [3, 2, 1, 0, 0]).all(axis=None)


@pytest.mark.slow
def test_fig2_counts_the_real_spaces(mirror, tmp_path):
    from dagnas.cli import main

    assert main(["fetch", "--mirror", str(mirror), "--data", str(tmp_path / "data")]) == 0
    (tmp_path / "s.yaml").write_text(
        "scale: s\ntrials: 1\npapers: [goal]\nstudies:\n"
        "  a: {benchmark: nasbench101, methods: [goal]}\n"
        "  b: {benchmark: nasbench201, methods: [goal]}\n"
    )
    scale = config.load(tmp_path / "s.yaml")
    inputs = Inputs(scale, results(scale)["goal/fig2"], tmp_path)
    table = fig2.tabulate(inputs).set_index("space")
    assert table["classes"].to_dict() == {"nasbench101": 423624, "nasbench201": 6466}
    assert table.loc["nasbench201", "cells"] == 15625
    assert table.loc["nasbench101", "rows"] == 423624
