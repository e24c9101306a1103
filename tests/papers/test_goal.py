"""GOAL's results: the numbers in their tables."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import dagnas
from dagnas.errors import DagnasError
from dagnas.papers import panels
from dagnas.papers.goal import ablation, fig2, fig3, fig4, fig6, fig7
from dagnas.papers.inputs import Inputs
from dagnas.papers.make import read_table, write_table
from dagnas.papers.result import load, methods_of, results
from dagnas.pipeline import scales
from dagnas.pipeline.kinds.search import Variant
from dagnas.search import METHODS
from dagnas.spaces import SPACES
from tests.papers.conftest import write_traces
from tests.papers.tables import built


def measures(table):
    """Rows that measure whole rankings."""
    return table[table["panel"] == "measures"]


def test_fig3_has_a_correlation_for_every_trial(inputs_of):
    table = measures(fig3.tabulate(inputs_of("goal/fig3")))
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
    table = fig3.tabulate(inputs)
    assert measures(table)["spearman"].to_numpy() == pytest.approx(1.0)
    cells = table[table["panel"] == "cells"]
    assert cells["true_rank"].tolist() == cells["predicted_rank"].tolist()


@pytest.mark.filterwarnings("ignore:An input array is constant")
def test_fig3_ranks_the_cells_of_the_first_trial_at_the_largest_size(inputs_of):
    inputs = inputs_of("goal/fig3")
    scores = inputs.ranking("goal_uniform")
    scores = scores.assign(score=scores["score"].where(scores["predictor"] == "ecc", 0.0))
    inputs.ranking = lambda name: scores
    table = fig3.tabulate(inputs)
    cells = table[table["panel"] == "cells"]
    assert len(cells) == 2 * 60
    assert set(zip(cells["train_size"], cells["trial"], strict=True)) == {(256, 0)}
    for predictor, here in cells.groupby("predictor"):
        shown = scores[
            (scores["predictor"] == predictor)
            & (scores["train_size"] == 256)
            & (scores["trial"] == 0)
        ]
        # The largest target has rank 1, the least score too; equal scores share their mean rank.
        best = shown["target"].to_numpy().argmax()
        assert here["true_rank"].iloc[best] == 1
        assert sorted(here["true_rank"]) == list(range(1, 61))
        if predictor == "mlp":
            assert set(here["predicted_rank"]) == {30.5}
        else:
            assert here["predicted_rank"].iloc[shown["score"].to_numpy().argmin()] == 1
    points = fig3.draw(table).axes[0].collections[0].get_offsets()
    ecc = cells[cells["predictor"] == "ecc"]
    assert np.array(points).tolist() == ecc[["true_rank", "predicted_rank"]].to_numpy().tolist()


def test_fig4_has_all_benchmarks_in_order_and_the_oracle_on_two(inputs_of):
    inputs = inputs_of("goal/fig4")
    table = fig4.tabulate(inputs)
    order = ["nasbench101", "nasbench201", "digits201"]
    assert list(table["benchmark"].unique()) == order
    assert set(table.loc[table["method"] == "oracle", "benchmark"]) == set(order[1:])
    last = table[table["seconds"] == table.groupby("benchmark")["seconds"].transform("max")]
    assert set(last["seconds"]) == {2000.0, 40000.0, 60.0}
    assert (last.loc[last["method"] != "oracle", "n"] == 3).all()


def test_fig4_counts_evaluations_at_the_end_of_each_budget_alone(inputs_of):
    inputs = inputs_of("goal/fig4")
    table = fig4.tabulate(inputs)
    counted = table[table["metric"] == "evaluations"]
    for study in inputs.result.names("studies"):
        traces = inputs.traces(study)
        ended = traces[traces["seconds"] <= inputs.budget(study)]
        here = counted[counted["benchmark"] == inputs.config.section("studies")[study].benchmark]
        assert (here["seconds"] == inputs.budget(study)).all()
        assert here["method"].is_unique
        trials = ended.groupby(["method", "trial"]).size().groupby("method").mean()
        assert here.set_index("method")["mean"].to_dict() == trials.to_dict()


@pytest.mark.parametrize("result", ["fig4", "fig5", "search_table"])
def test_tables_and_captions_say_what_must_be_said_of_a_signal(inputs_of, result):
    inputs = inputs_of(f"goal/{result}")
    table = load(inputs.result).tabulate(inputs)
    assert set(table.loc[table["benchmark"] == "nasbench201", "note"]) == {
        "the signal is a mean of trainings"
    }
    assert set(table.loc[table["benchmark"] != "nasbench201", "note"]) == {""}
    caption = load(inputs.result).caption(table)
    assert caption.count("In NAS-Bench-201 the signal is a mean of trainings.") == 1
    assert caption.count("the signal is") == 1


def test_fig4_has_the_fraction_of_trials_that_hold_the_optimum(inputs_of):
    inputs = inputs_of("goal/fig4")
    opened = inputs.benchmark("nasbench201")
    best = opened.table["code"][opened.values("cifar10/valid/12", "s0").argmax()]
    traces = inputs.traces("goal_nasbench201").copy()
    # GOAL's first trial meets the best cell at the 10th evaluation, the others never.
    met = (traces["method"] == "goal") & (traces["trial"] == 0) & (traces["step"] == 9)
    traces.loc[met, ["code", "signal"]] = best, 99.0
    when = traces.loc[met, "seconds"].item()
    read = inputs.traces
    inputs.traces = lambda name: traces if name == "goal_nasbench201" else read(name)
    table = fig4.tabulate(inputs)
    held = table[table["metric"] == "optimum held"]
    assert set(held["benchmark"]) == {"nasbench201", "digits201"}
    here = held[held["benchmark"] == "nasbench201"]
    assert (here["n"] == 3).all()
    goal = here[here["method"] == "goal"]
    later = goal["seconds"] >= when
    assert goal.loc[later, "mean"].to_numpy() == pytest.approx(1 / 3)
    assert goal.loc[later, "se"].to_numpy() == pytest.approx(1 / 3)
    assert (goal.loc[~later, "mean"] == 0).all()
    assert later.any()
    assert not later.all()
    assert (here.loc[here["method"] != "goal", "mean"] == 0).all()


def only(inputs, study, methods):
    """Give a study these methods, which have the traces of random search."""
    traces = inputs.traces(study)
    random = traces[traces["method"] == "random_search"]
    found = pd.concat([random.assign(method=method) for method in methods])
    inputs.traces = lambda name: found


@pytest.fixture
def of_a_plugin(monkeypatch):
    """Method that a plug-in registers."""
    monkeypatch.setattr(METHODS, "_added", dict(METHODS._added))

    @dagnas.method()
    def of_a_plugin(space, rng):
        while True:
            yield space.sample(1, rng)

    METHODS.add("of_a_plugin", of_a_plugin)


@pytest.mark.usefixtures("of_a_plugin")
def test_fig4_has_the_methods_of_the_paper_their_variants_and_plug_ins(digits_inputs_of):
    inputs = digits_inputs_of("goal/fig4")
    variants = {
        "goal_patient": Variant(method="goal", settings={"restart": True}),
        "bonas_log": Variant(method="bonas", settings={"loss": "log"}),
    }
    listed = ["random_search", "lanas", "of_a_plugin", "bonas_log", "goal_patient", "goal"]
    studies = inputs.config.section("studies")
    study = studies["goal_digits201"].model_copy(update={"methods": listed})
    update = {"variants": variants, "studies": {**studies, "goal_digits201": study}}
    config = inputs.config.model_copy(update=update)
    shown = methods_of(config, inputs.result, "goal_digits201")
    assert shown == ["random_search", "of_a_plugin", "goal_patient", "goal"]
    # Other figures have no place for a plug-in.
    case = replace(inputs.result, own=False, methods=("lanas",))
    assert methods_of(config, case, "goal_digits201") == ["lanas"]


def test_fig4_has_all_methods_of_tables_of_ones_own(digits_inputs_of):
    config = digits_inputs_of("goal/fig4").config
    studies = config.section("studies")
    own = studies["goal_digits201"].model_copy(update={"methods": ["goal", "path_gp"]})
    config = config.model_copy(update={"studies": {**studies, "goal_own_cells": own}})
    assert methods_of(config, results(config)["goal/fig4"], "goal_own_cells") == own.methods


@pytest.mark.usefixtures("of_a_plugin")
def test_fig4_shows_what_there_is_if_no_method_is_of_the_paper(digits_inputs_of):
    inputs = digits_inputs_of("goal/fig4")
    only(inputs, "goal_digits201", ["lanas", "of_a_plugin"])
    assert list(fig4.tabulate(inputs)["method"].unique()) == ["lanas", "of_a_plugin", "oracle"]


ABLATION = """
scale: choices
trials: 2
studies:
  goal_ablation_digits201: {benchmark: digits201, methods: [goal, patient, plain, twice]}
variants:
  twice: {method: goal, settings: {restart: true, step_size: 0.1}}
  patient: {method: goal, settings: {sameness: cell}}
  plain: {method: goal}
papers: [goal]
"""


def test_the_ablation_says_what_variants_set(tmp_path):
    (tmp_path / "choices.yaml").write_text(ABLATION)
    scale = scales.load(tmp_path / "choices.yaml")
    write_traces(scale, tmp_path)
    inputs = Inputs(scale, results(scale)["goal/ablation"], tmp_path)
    write_table(inputs, tmp_path / "ablation.csv")
    table = read_table(tmp_path / "ablation.csv")
    assert dict(zip(table["method"], table["settings"], strict=True)) == {
        "goal": "default",
        "patient": "sameness = cell",
        "plain": "default",
        "twice": "restart = True, step_size = 0.1",
    }
    words = "Variants: patient: sameness = cell; twice: restart = True, step_size = 0.1."
    assert ablation.caption(table).endswith(words)
    alone = table[table["method"] == "goal"]
    assert "Variants" not in ablation.caption(alone)


def test_small_budgets_are_written_with_their_decimals(tmp_path, digits_inputs_of):
    table = fig4.tabulate(digits_inputs_of("goal/fig4"))
    table["seconds"] *= 1.5 / table["seconds"].max()
    figure = fig4.draw(table)
    figure.savefig(tmp_path / "f.png")
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert len(set(ticks)) == len(ticks) > 2
    assert "0.5" in ticks
    assert "methods, 1.5 s," in fig4.caption(table)


def test_sentences_and_marks_are_joined():
    assert panels.join_sentences("One.", "", "Two.") == "One. Two."
    assert panels.join_sentences("", "") == ""
    assert panels.marks(["valid seconds", "", "seconds"]) == "seconds valid"
    assert panels.emulated_sentence(["", ""]) == ""
    assert panels.emulated_sentence(["valid", "seconds valid"], "A") == (
        "**Emulated** in A, not from training runs: seconds, valid."
    )


def test_numbers_and_quantities_in_words():
    assert [panels.number(x) for x in (0.5, 3 * 0.1, 28000.0, 1.5e6)] == [
        "0.5",
        "0.3",
        "28,000",
        "1,500,000",
    ]
    assert panels.quantity_words("digits/valid/3") == "validation accuracy after 3 epochs"
    assert panels.quantity_words("cifar10/test/200") == "test accuracy after 200 epochs"


@pytest.mark.parametrize("name", ["fig2", "fig3", "fig4", "fig5", "fig6"])
def test_captions_say_that_digits201_is_ours(name, digits_inputs_of, inputs_of):
    sentence = "digits201 is this project's own benchmark, not the paper's."
    for function, ours in ((digits_inputs_of, True), (inputs_of, name in ("fig4", "fig5"))):
        if name == "fig2" and not ours:
            continue  # The made-up scale has no table of NAS-Bench-101.
        inputs = function(f"goal/{name}")
        module = load(inputs.result)
        text = module.caption(module.tabulate(inputs))
        assert text.count(sentence) == ours


def test_rankings_name_the_benchmark_that_the_scale_ranks(digits_inputs_of, inputs_of):
    for function, benchmark, label, target, signal in (
        (digits_inputs_of, "digits201", "digits201", 12, 3),
        (inputs_of, "nasbench201", "NAS-Bench-201", 200, 12),
    ):
        for module, words in (
            (fig3, f"by validation accuracy after {target} epochs"),
            (fig6, f"the search signal, validation accuracy after {signal} epochs"),
        ):
            inputs = function(module.__name__.replace("dagnas.papers.", "").replace(".", "/"))
            table = module.tabulate(inputs)
            assert set(table["benchmark"]) == {benchmark}
            text = module.caption(table)
            assert text.startswith(f"{label}. ")
            assert words in text
            assert "NAS-Bench-201" not in inputs.result.title
            figure = module.draw(table)
            assert figure.get_suptitle() == f"Ranking of {label}"


def test_fig6_says_the_signal_of_any_benchmark_without_its_table(inputs_of):
    inputs = inputs_of("goal/fig6")
    assert inputs.result.benchmarks == ()
    scores = inputs.ranking("goal_after_search").assign(quantity="fruits/test/7")
    inputs.ranking = lambda name: scores
    text = fig6.caption(fig6.tabulate(inputs))
    assert "True rank (by the search signal, test accuracy after 7 epochs, mean over" in text


def test_fig6_measures_the_corner(inputs_of):
    inputs = inputs_of("goal/fig6")
    scores = inputs.ranking("goal_after_search")
    # One ranking is perfect, the other one exactly wrong.
    right = scores["source"] == "search"
    turned = scores.assign(score=np.where(right, -scores["target"], scores["target"]))
    inputs.ranking = lambda name: turned
    everything = fig6.tabulate(inputs)
    table = measures(everything).set_index("source")
    assert (table["cells"] == 400).all()
    for column, best, worst in (
        ("spearman", 1, -1),
        ("spearman_best", 1, -1),
        ("recall_best", 1, 0),
        ("rank_best", 100 * 2.5 / 400, 100 * 398.5 / 400),
    ):
        assert table.loc["search", column].to_numpy() == pytest.approx(best)
        assert table.loc["uniform", column].to_numpy() == pytest.approx(worst)
    cells = everything[everything["panel"] == "cells"]
    assert set(cells["trial"]) == {0}
    for source, total in (("search", 0), ("uniform", 401)):
        ranks = cells.loc[cells["source"] == source, ["true_rank", "predicted_rank"]]
        assert sorted(ranks["true_rank"]) == list(range(1, 401))
        sign = 1 if source == "search" else -1
        assert (ranks["predicted_rank"] == total + sign * ranks["true_rank"]).all()
    for column, title in enumerate(fig6.TITLES):
        points = fig6.draw(everything).axes[2 * column].collections[0].get_offsets()
        assert np.array(points).tolist() == (
            cells.loc[cells["source"] == title, ["true_rank", "predicted_rank"]].to_numpy().tolist()
        )


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
    inputs.traces = lambda study: traces[traces["method"] != "goal"]
    with pytest.raises(DagnasError, match="goal_nasbench101 has no searches of goal"):
        fig7.tabulate(inputs)


def test_fig7_counts_parts_that_have_an_effect(inputs_of):
    inputs = inputs_of("goal/fig7")
    traces = inputs.traces("goal_nasbench101")
    space = SPACES.get("nasbench101")
    # I -> C3 -> O and I -> MP, which leads nowhere.
    (text,) = space.to_str(space.from_str(["110|01|0:conv3x3-bn-relu,maxpool3x3"]))
    inputs.traces = lambda study: traces.assign(cell=text)
    table = fig7.tabulate(inputs)
    assert (table[["vertices", "edges", "C3", "C1", "MP"]] == [3, 2, 1, 0, 0]).all(axis=None)


def fig2_of(inputs_of, **opened):
    """Table and caption of figure 2 with these benchmarks."""
    inputs = inputs_of("goal/fig2")
    inputs.result = replace(inputs.result, benchmarks=tuple(opened))
    inputs.benchmark = opened.__getitem__
    table = fig2.tabulate(inputs)
    return table, fig2.caption(table)


def invented201(path):
    """Digits table in which cell 9,999 alone is best."""
    accuracies = np.full((5**6, 2), 50.0)
    accuracies[9999] = 90.0
    return built(path, {3: accuracies, 12: accuracies})


def test_fig2_shows_a_space_once(inputs_of, tmp_path, toy):
    real = inputs_of("goal/fig4").benchmark("nasbench201")
    ours = invented201(tmp_path / "d.parquet")
    table, text = fig2_of(inputs_of, nasbench201=real, digits201=ours)
    assert table["space"].tolist() == ["nasbench201"]
    assert table["benchmark"].tolist() == ["nasbench201"]
    best = real.cells[int(real.values("cifar10/test/200").argmax())]
    assert table["best"].tolist() == real.space.to_str(best)
    assert "digits201" not in text


def test_fig2_shows_the_space_of_digits201_alone(inputs_of, tmp_path):
    ours = invented201(tmp_path / "d.parquet")
    table, text = fig2_of(inputs_of, digits201=ours)
    (row,) = table.to_dict("records")
    assert (row["space"], row["cells"], row["classes"]) == ("nasbench201", 15625, 6466)
    assert (row["benchmark"], row["rows"], row["tied"]) == ("digits201", 15625, 1)
    assert [row["best"]] == ours.space.to_str(ours.cells[9999])
    assert "the cell with the best mean test accuracy of the table of digits201" in text


def test_fig2_counts_classes_that_share_the_best(inputs_of, tmp_path):
    space = SPACES.get("nasbench201")
    classes = space.canonical(space.enumerate())
    accuracies = np.full((5**6, 2), 50.0)
    # The same number of right answers in all, though the means of the seeds differ in floats.
    accuracies[classes == classes[9999]] = (100 * 500 / 599, 100 * 590 / 599)
    accuracies[classes == classes[8888]] = (100 * 502 / 599, 100 * 588 / 599)
    accuracies[classes == classes[7777]] = (100 * 545 / 599, 100 * 545 / 599)
    assert len(np.unique(classes[[7777, 8888, 9999]])) == 3
    assert len(np.unique(accuracies.mean(axis=1))) > 2
    ours = built(tmp_path / "d.parquet", {3: accuracies, 12: accuracies})
    table, text = fig2_of(inputs_of, digits201=ours)
    assert table["tied"].tolist() == [3]
    assert "one of 3 classes of cells that share the best" in text


@pytest.mark.slow
def test_fig2_counts_the_real_spaces(mirror, tmp_path):
    from dagnas.cli import main

    assert main(["fetch", "--mirror", str(mirror), "--data", str(tmp_path / "data")]) == 0
    (tmp_path / "s.yaml").write_text(
        "scale: s\ntrials: 1\npapers: [goal]\nstudies:\n"
        "  a: {benchmark: nasbench101, methods: [goal]}\n"
        "  b: {benchmark: nasbench201, methods: [goal]}\n"
    )
    scale = scales.load(tmp_path / "s.yaml")
    inputs = Inputs(scale, results(scale)["goal/fig2"], tmp_path)
    table = fig2.tabulate(inputs).set_index("space")
    assert table["classes"].to_dict() == {"nasbench101": 423624, "nasbench201": 6466}
    assert table.loc["nasbench201", "cells"] == 15625
    assert table.loc["nasbench101", "rows"] == 423624
