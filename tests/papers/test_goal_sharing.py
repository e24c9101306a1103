"""GOAL's results on shared weights: chosen cells looked up, supernets as the unit, correlations."""

import json
from collections import Counter
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import binom

from dagnas.benchmarks.scored import open_scores, quantity, seconds
from dagnas.drawing import style
from dagnas.files import write_parquet
from dagnas.papers.claims.check import Tables, check
from dagnas.papers.claims.reader import read as read_claims
from dagnas.papers.claims.rule import FAILED, NOT_RUN, REPRODUCED, UNDECIDED
from dagnas.papers.goal import darts214, fig8, sharing, table1, table2
from dagnas.papers.result import results
from dagnas.pipeline import scales
from dagnas.pipeline.kinds.training import FoundCell, TrainingEntry
from dagnas.spaces import SPACES

SPACE = SPACES.get("nasbench201")
CELLS = SPACE.enumerate()
VALID, TEST = "cifar10/valid/200", "cifar10/test/200"
SUPERNETS = ("goal_cifar10_0", "goal_cifar10_1")
#: Score of a supernet less the real accuracy, and noise, in points.
NOISE = {"goal_cifar10_0": 1.0, "goal_cifar10_1": 4.0}


@pytest.fixture(scope="module")
def truth():
    return np.random.default_rng(0).uniform(60, 90, len(CELLS))


@pytest.fixture(scope="module")
def scores(truth, tmp_path_factory):
    """Scores of two supernets, of which the first is the better; parameters say nothing."""
    found = {}
    for number, name in enumerate(SUPERNETS):
        rng = np.random.default_rng(number + 1)
        accuracy = truth - 20 + rng.normal(0, NOISE[name], len(CELLS))
        columns = {
            "code": SPACE.pack(CELLS),
            "params": rng.permutation(len(CELLS)) + 1.0,
            f"{VALID}/mean": truth,
            f"{TEST}/mean": truth + 3,
            f"{seconds('cifar10', 2)}/mean": np.ones(len(CELLS)),
        }
        for statistics, share in (("batch", 1.0), ("running", 0.2)):
            mixed = share * accuracy + (1 - share) * rng.uniform(40, 70, len(CELLS))
            columns[f"{quantity('cifar10', 'accuracy', statistics, 2)}/mean"] = mixed
            columns[f"{quantity('cifar10', 'likelihood', statistics, 2)}/mean"] = mixed / 2
        about = {
            "images": "cifar10",
            "epochs": 2,
            "statistics": ["batch", "running"],
            "valid": VALID,
            "test": TEST,
        }
        notes = {"schema": "1", "space": "nasbench201", "emulated": "[]"}
        notes |= {"sha256": name, "scores": json.dumps(about)}
        path = tmp_path_factory.mktemp("data") / f"{name}.parquet"
        write_parquet(pa.table(columns), path, {f"dagnas.{key}": notes[key] for key in notes})
        found[name] = open_scores(name, path)
    return found


def trace(benchmark, policy, offsets, trials=4):
    """Trials of two evaluations, whose better one has a given place in the order of scores."""
    chosen = benchmark.policies[policy]
    signal = benchmark.values(chosen.signal)
    order = np.argsort(-signal)
    frames = []
    for method, offset in offsets.items():
        for trial in range(trials):
            rows = [order[-1 - trial], order[offset + trial * (offset > 0)]]
            frames.append(
                pd.DataFrame(
                    {
                        "method": method,
                        "trial": trial,
                        "step": [0, 1],
                        "code": benchmark.table["code"][rows],
                        "signal": signal[rows],
                        "valid": benchmark.values(VALID)[rows],
                        "test": benchmark.values(TEST)[rows],
                        "emulated": "",
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


OFFSETS = {"random_search": 800, "spos": 50, "goal": 0}


@pytest.fixture(scope="module")
def inputs(scores):
    studies = {
        f"goal_table1_{signal}{number}": SimpleNamespace(benchmark=name, policy=policy)
        for signal, policy in (("", "goal"), ("loss_", "goal_loss"))
        for number, name in enumerate(SUPERNETS)
    }
    darts = {name: "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|" for name in
             ("goal_darts_first_0", "goal_darts_second_0")}  # fmt: skip

    def read(section, name, kind=""):
        assert section == "supernets"
        if kind == "scores":
            return scores[name]
        return SimpleNamespace(attrs={"cell": darts[name]})

    names = {"studies": tuple(studies), "supernets": (*darts, *SUPERNETS)}
    return SimpleNamespace(
        names=names,
        result=SimpleNamespace(names=names.__getitem__, benchmarks=SUPERNETS),
        config=SimpleNamespace(section={"studies": studies}.__getitem__),
        policy=lambda study: scores[studies[study].benchmark].policies[studies[study].policy],
        benchmark=scores.__getitem__,
        traces=lambda study: trace(
            scores[studies[study].benchmark], studies[study].policy, OFFSETS
        ),
        signal_note=lambda study: "the signal is shared" if "loss" in study else "",
        read=read,
    )


@pytest.fixture(scope="module")
def table(inputs):
    inputs.result.names = lambda section: tuple(
        name for name in inputs.names[section] if "cifar10" not in name
    )
    return table1.tabulate(inputs)


def of(table, **where):
    for column, value in where.items():
        table = table[table[column] == value]
    return table


MEAN = {"part": "mean", "metric": "validation accuracy"}


def test_the_cell_of_the_best_score_is_looked_up(table, scores, truth):
    first = scores["goal_cifar10_0"]
    best = truth[np.argmax(first.values(first.policies["goal"].signal))]
    goal = {"part": "search", "signal": "accuracy", "method": "goal"}
    found = of(table, **goal, supernet="goal_cifar10_0")
    assert len(found) == 4 * 2
    assert of(found, metric="validation accuracy")["value"].tolist() == pytest.approx([best] * 4)
    assert of(found, metric="test accuracy")["value"].tolist() == pytest.approx([best + 3] * 4)
    assert (found["reached"] == 1).all()
    assert (of(table, part="search", method="spos")["reached"] == 0).all()


def test_supernets_are_the_unit_of_means_and_intervals(table):
    for method in OFFSETS:
        (row,) = of(table, **MEAN, signal="accuracy", method=method).itertuples()
        searches = of(table, part="search", signal="accuracy", method=method)
        values = of(searches, metric="validation accuracy").groupby("supernet")["value"]
        means = values.mean().to_numpy()
        # Student's t with one degree of freedom.
        half = 12.7062 * abs(means[0] - means[1]) / 2
        assert (row.n, row.searches) == (2, 8)
        assert row.value == pytest.approx(means.mean())
        assert row.high - row.value == pytest.approx(half, rel=1e-4)
        assert row.spread == pytest.approx(values.std().mean())


def test_goals_lead_is_taken_on_the_same_supernet(table):
    (row,) = of(table, **MEAN, signal="accuracy", method="random_search").itertuples()
    searches = of(table, part="search", signal="accuracy", metric="validation accuracy")
    means = searches.pivot_table("value", "supernet", "method")
    leads = (means["goal"] - means["random_search"]).to_numpy()
    assert row.lead == pytest.approx(leads.mean())
    assert row.lead_high - row.lead == pytest.approx(
        12.7062 * abs(leads[0] - leads[1]) / 2, rel=1e-4
    )
    # GOAL's four searches end at one cell.
    assert row.calm == pytest.approx(row.spread)
    gain = of(table, **MEAN, signal="accuracy", method="spos").iloc[0]
    gains = (means["spos"] - means["random_search"]).to_numpy()
    assert gain["gain"] == pytest.approx(gains.mean())
    assert gain["gain_low"] == pytest.approx(gain["gain"] - 12.7062 * np.ptp(gains) / 2, rel=1e-4)
    assert np.isnan(row.gain)
    assert np.isnan(of(table, **MEAN, signal="accuracy", method="goal")["lead"].item())


def test_points_to_compare_with(table, scores, truth):
    points = of(table, part="point", metric="validation accuracy")
    assert of(points, method="uniform pick")["value"].item() == pytest.approx(truth.mean())
    largest = np.argmax(scores["goal_cifar10_0"].table["params"])
    assert of(points, method="most parameters")["value"].item() == pytest.approx(truth[largest])
    firsts = of(points, method="first by score", signal="accuracy")
    goal = of(table, **MEAN, signal="accuracy", method="goal")
    assert firsts["value"].item() == pytest.approx(goal["value"].item())


def test_the_cell_of_darts_is_looked_up(table, scores, truth):
    cell = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    row = scores["goal_cifar10_0"].rows(SPACE.from_str([cell]))[0]
    found = of(table, **MEAN, signal="", method="darts_second")
    assert found["value"].item() == pytest.approx(truth[row])
    assert found["paper"].item() == 39.77


def texts(figure):
    figure.draw_without_rendering()
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def test_table_1_is_drawn_and_told(table, tmp_path):
    with style.context():
        figure = table1.draw(table)
        style.save(figure, tmp_path / "table1.png", "png")
        dots = [len(line.get_xdata()) for ax in figure.axes for line in ax.lines]
        assert dots.count(4) == 4 * len(OFFSETS) * len(SUPERNETS)
        assert "uniform pick" in [text.get_text() for text in figure.legends[0].get_texts()]
        assert sum(text.startswith("< ") and "paper 39.8" in text for text in texts(figure)) == 4
    words = table1.caption(table)
    goal = of(table, **MEAN, signal="accuracy", method="goal").iloc[0]
    assert f"GOAL {goal['value']:.2f} ± {goal['sd']:.2f} / " in words
    assert "(paper 89.33 ± 0.64 / 92.84 ± 0.51)" in words
    assert "100 % of GOAL" in words
    assert "0 % of SPOS" in words
    assert "In these searches the signal is shared." in words
    notes = of(table, part="mean").groupby("signal")["note"].first()
    assert notes.to_dict() == {"": "", "accuracy": "", "negative loss": "the signal is shared"}


def test_other_methods_have_panels_of_their_own(table):
    more = table.copy()
    more.loc[more["method"] == "spos", "method"] = "bonas"
    with style.context():
        assert len(table1.draw(table).axes) == 4
        assert len(table1.draw(more).axes) == 8
    words = table1.caption(more)
    assert "numbers of all methods; here are those of the paper's" in words
    assert "BONAS" not in words


@pytest.fixture(scope="module")
def shared(inputs, truth):
    trainings = {"s0": truth, "s1": truth + np.random.default_rng(9).normal(0, 3, len(truth))}
    real = SimpleNamespace(
        table=SimpleNamespace(repeats=lambda name: [f"{name}/s0", f"{name}/s1"]),
        rows=lambda cells: np.arange(len(truth)),
        values=lambda name, repeat: trainings[repeat],
    )
    supernets = SimpleNamespace(names=lambda section: SUPERNETS, benchmarks=("nasbench201",))
    return sharing.tabulate(
        SimpleNamespace(result=supernets, read=inputs.read, benchmark=lambda name: real)
    )


def test_correlations_are_those_of_the_scores(shared, scores, truth):
    from scipy.stats import pearsonr, spearmanr

    first = scores["goal_cifar10_0"]
    values = first.values(first.policies["goal_running"].signal)
    about = {"part": "supernet", "supernet": first.name, "by": "accuracy", "statistics": "running"}
    (row,) = of(shared, **about, over="all cells").itertuples()
    assert row.spearman == pytest.approx(spearmanr(values, truth).statistic)
    assert row.pearson == pytest.approx(pearsonr(values, truth).statistic)
    assert of(shared, **about, over="connected cells")["n"].item() == 15625 - 341
    best = truth >= np.quantile(truth, 0.9)
    (row,) = of(shared, **about, over="best tenth").itertuples()
    assert row.n == best.sum()
    assert row.spearman == pytest.approx(spearmanr(values[best], truth[best]).statistic)


def test_means_are_over_supernets(shared):
    about = {"by": "accuracy", "statistics": "batch", "over": "all cells"}
    (row,) = of(shared, part="mean", **about).itertuples()
    values = of(shared, part="supernet", **about)["spearman"]
    assert row.n == 2
    assert row.spearman == pytest.approx(values.mean())
    assert row.sd == pytest.approx(values.std())
    assert row.low < values.min() < values.max() < row.high


def test_baselines_are_parameters_and_another_training(shared):
    rho = of(shared, part="baseline", over="all cells").set_index("by")["spearman"]
    assert abs(rho["parameters"]) < 0.05
    assert 0.9 < rho["another training"] < 1
    # The best tenth by the first of two trainings, which is not the best by their mean.
    best = of(shared, part="baseline", over="best tenth").set_index("by")["spearman"]
    assert 0.2 < best["another training"] < 0.5


def test_sharing_is_drawn_and_says_what_shared_weights_can_do(shared, tmp_path):
    with style.context():
        style.save(sharing.draw(shared), tmp_path / "sharing.png", "png")
    words = sharing.caption(shared)
    means = of(shared, part="mean", by="accuracy", statistics="batch").set_index("over")
    assert f"accuracy (batch statistics) {means['spearman']['all cells']:.2f} ± " in words
    assert "tell good cells from bad ones" in words
    assert "above the" in words
    reversed_ = shared.assign(spearman=-shared["spearman"].abs())
    words = sharing.caption(reversed_)
    assert "hardly tell" in words
    assert "do not choose among good cells" in words


@pytest.fixture(scope="module")
def genotypes(tmp_path_factory):
    """Scores of 60 genotypes, which agree with real accuracies in part."""
    space, rng = SPACES.get("darts"), np.random.default_rng(0)
    cells = space.sample(60, rng)
    truth = rng.uniform(96, 98, 60)
    accuracy = quantity("cifar10", "accuracy", "batch", 5)
    columns = {
        "code": space.pack(cells),
        "params": space.size(cells).params,
        "cifar10/test/600/mean": truth,
        f"{accuracy}/mean": 20 * truth - 1880 + rng.normal(0, 8, 60),
        f"{quantity('cifar10', 'likelihood', 'batch', 5)}/mean": truth / 2,
        f"{seconds('cifar10', 5)}/mean": np.ones(60),
    }
    about = {"images": "cifar10", "epochs": 5, "statistics": ["batch"]}
    about |= dict.fromkeys(["valid", "test"], "cifar10/test/600")
    notes = {"schema": "1", "space": "darts", "emulated": "[]", "sha256": "x"}
    notes["scores"] = json.dumps(about)
    path = tmp_path_factory.mktemp("darts") / "goal_darts_space.parquet"
    write_parquet(pa.table(columns), path, {f"dagnas.{key}": notes[key] for key in notes})
    opened = open_scores("goal_darts_space", path)
    return darts214.tabulate(SimpleNamespace(read=lambda *names: opened)), columns


def test_genotypes_are_compared_with_their_real_trainings(genotypes, tmp_path):
    from scipy.stats import spearmanr

    table, columns = genotypes
    truth = columns["cifar10/test/600/mean"]
    measures = of(table, part="measure").set_index("by")
    values = columns[f"{quantity('cifar10', 'accuracy', 'batch', 5)}/mean"]
    rho = spearmanr(values, truth).statistic
    assert measures["spearman"]["accuracy"] == pytest.approx(rho)
    assert measures["low"]["accuracy"] < rho < measures["high"]["accuracy"]
    assert measures["spearman"]["negative loss"] == 1
    assert measures["first"]["negative loss"] == truth.max()
    assert measures["rank"]["negative loss"] == pytest.approx(100 / 60)
    params = spearmanr(columns["params"], truth).statistic
    assert measures["spearman"]["parameters"] == pytest.approx(params)
    with style.context():
        style.save(darts214.draw(table), tmp_path / "darts214.png", "png")
    words = darts214.caption(table)
    assert f"accuracy (batch statistics) {rho:.2f} [" in words
    assert "is above that of counting parameters" in words
    chance = table.assign(low=-0.1, spearman=params)
    assert "may be chance; its correlation is not above" in darts214.caption(chance)


DARTS = SPACES.get("darts")
#: Test accuracies of four random cells, and of trainings of what two methods find.
RANDOM = (70.0, 72.0, 74.0, 76.0)
FOUND = {"goal": (75.0, 74.9, 75.1), "random_search": (76.5, 76.5, 76.8)}
#: Settings of DARTS's trainings, which the paper follows.
DARTS_SETTINGS = {
    **{"images": "cifar10", "pixels": None, "train": 45000, "channels": 36, "layers": 20},
    **{"epochs": 600, "batch_size": 96, "decay": "epoch", "pad": 4, "flip": True, "cutout": 16},
    **{"drop_path": 0.2, "auxiliary": 0.4},
}


@pytest.fixture
def retrained():
    """Inputs of table 2: a trial of each method, trainings of its best and of random cells."""
    texts = DARTS.to_str(DARTS.sample(6, np.random.default_rng(0)))
    signals = {"random_search": [50, 52, 54, 56, 60.0], "goal": [40.0, 45.0]}
    traces = pd.concat(
        pd.DataFrame(
            {
                "method": method,
                "trial": 0,
                "step": range(len(values)),
                "cell": texts[: len(values)] if method == "random_search" else [texts[0], texts[5]],
                "parent": [-1, 0] if method == "goal" else -1,
                "signal": values,
                "emulated": "",
            }
        )
        for method, values in signals.items()
    )
    small = {"pixels": 16, "channels": 8, "layers": 5, "epochs": 10}
    entries, curves = {}, {}

    def add(name, method, step, cell, test, seed=0):
        cell_of = FoundCell(study="goal_table2", method=method, step=step)
        settings = DARTS_SETTINGS | small | {"seed": seed}
        entries[name] = TrainingEntry(space="darts", cell=cell_of, **settings)
        curves[name] = SimpleNamespace(attrs={"cell": cell, "test": test, "valid": test})

    for method, cell in (("goal", 5), ("random_search", 4)):
        for seed, test in enumerate(FOUND[method]):
            add(f"goal_table2_{method}_{seed}", method, None, texts[cell], test, seed)
    for step, test in enumerate(RANDOM):
        add(f"goal_table2_random_{step}", "random_search", step, texts[step], test)
    names = {"trainings": tuple(entries), "studies": ("goal_table2",)}
    return SimpleNamespace(
        texts=texts,
        result=SimpleNamespace(names=names.__getitem__),
        config=SimpleNamespace(section={"trainings": entries}.__getitem__),
        traces=lambda study: traces,
        read=lambda section, name: curves[name],
    )


def test_cells_found_are_ranked_among_random_ones(retrained):
    table = table2.tabulate(retrained)
    (goal,) = of(table, part="method", method="goal").itertuples()
    assert (goal.score, goal.n, goal.random) == (45.0, 3, 4)
    assert goal.error == pytest.approx(25.0)
    assert goal.sd == pytest.approx(0.1)
    assert goal.se == pytest.approx(0.1 / 3**0.5)
    # Student's t with two degrees of freedom.
    assert goal.high - goal.error == pytest.approx(4.3027 * goal.se, rel=1e-4)
    # One of four is better.
    assert goal.better == 0.25
    assert goal.params == DARTS.size(DARTS.from_str([retrained.texts[5]])).params[0]
    assert of(table, part="method", method="random_search")["better"].item() == 0
    (random,) = of(table, part="random").itertuples()
    assert (random.error, random.n, random.spearman) == (27.0, 4, 1.0)
    assert random.sd == pytest.approx(np.std(RANDOM, ddof=1))
    assert random.low < 27 < random.high
    assert not table.loc[table["part"] != "paper", "protocol"].any()
    assert of(table, part="paper", method="GOAL")["error"].item() == 2.64
    assert of(table, part="training", method="goal")["seed"].tolist() == [0, 1, 2]


def test_better_random_cells_are_counted_from_an_error_known_in_part():
    # Of 16 random cells three are better than the mean, none or twelve than its ends.
    random = np.array([24.0] * 3 + [26.0] * 9 + [30.0] * 4)
    errors = np.array([24.0, 25.0, 26.0])
    found = table2._better(errors, random)
    assert (found["random"], found["better"]) == (16, 3 / 16)
    # Student's t of 97.5 % with two degrees of freedom has a closed form.
    p = 0.975
    half = np.sqrt(2 * p**2 / (1 - p**2)) / np.sqrt(3)
    assert 25 + half < 30
    assert 25 - half < 24
    # Clopper and Pearson's ends: none of 16 leaves no lower end; of 12 or more found the upper one.
    assert found["better_low"] == 0
    assert binom.cdf(12, 16, found["better_high"]) == pytest.approx((1 - p) / 2)
    close = table2._better(np.array([24.9, 25.0, 25.1]), random)
    assert binom.cdf(3, 16, close["better_high"]) == pytest.approx((1 - p) / 2)
    assert binom.sf(2, 16, close["better_low"]) == pytest.approx((1 - p) / 2)
    # What is known of one training is a fraction without an interval.
    assert table2._better(np.array([25.0]), random) == {"random": 16, "better": 3 / 16}
    assert table2._better(np.array([24.0]), random)["better"] == 1.5 / 16


def test_table_2_is_drawn_and_told(retrained, tmp_path):
    table = table2.tabulate(retrained)
    with style.context():
        style.save(table2.draw(table), tmp_path / "table2.png", "png")
    words = table2.caption(table)
    assert "GOAL (2 evaluations, 3 trainings): error 25.00 ± 0.10 %" in words
    assert "25 % [0, 85] of 4 random cells are better" in words
    assert "Random cells: 27.00 ± 2.58 %" in words
    ours = "of 10 epochs of 8 channels and 5 cells on cifar10 at 16 x 16 pixels."
    assert f"cannot be compared with ours, {ours}" in words
    assert "single ones" not in words
    assert "GOAL 2.64" in words


def test_the_papers_protocol_is_recognised(retrained):
    entries = retrained.config.section("trainings")
    whole = {name: each.model_copy(update=DARTS_SETTINGS) for name, each in entries.items()}
    entries.update(whole)
    table = table2.tabulate(retrained)
    assert table["protocol"].all()
    assert "cannot be compared" not in table2.caption(table)
    with style.context():
        texts = [text.get_text() for text in table2.draw(table).axes[0].texts]
    assert {"ENAS", "GOAL"} <= set(texts)


@pytest.mark.parametrize(
    "other",
    [{"pixels": 16}, {"epochs": 100}, {"train": 10000}, {"steps": 10}, {"cutout": 0}],
)
def test_a_training_in_small_is_not_the_papers(retrained, other):
    entries = retrained.config.section("trainings")
    for name, each in entries.items():
        entries[name] = each.model_copy(update=DARTS_SETTINGS | other)
    table = table2.tabulate(retrained)
    assert not table.loc[table["part"] != "paper", "protocol"].any()
    assert "cannot be compared" in table2.caption(table)


def test_one_training_of_each_cell_judges_none(retrained, tmp_path):
    entries = retrained.config.section("trainings")
    names = [name for name, each in entries.items() if each.seed == 0]
    retrained.result = SimpleNamespace(names=lambda section: names)
    table = table2.tabulate(retrained)
    (goal,) = of(table, part="method", method="goal").itertuples()
    assert (goal.error, goal.n, goal.better) == (25.0, 1, 0.25)
    assert np.isnan([goal.sd, goal.se, goal.low, goal.better_low]).all()
    words = table2.caption(table)
    assert "GOAL (2 evaluations, 1 training): error 25.00 %" in words
    assert "25 % of 4 random cells are better" in words
    assert "small differences between single ones tell nothing" in words
    entries = ledger(tmp_path, table2=table)
    judged = [entry for name, entry in entries.items() if name.startswith("table2-goal-beats")]
    assert {entry.status for entry in judged} == {NOT_RUN}


def test_figure_8_shows_the_cell_of_the_best_signal(retrained, tmp_path):
    table = fig8.tabulate(retrained)
    row = table.iloc[0]
    assert (row["cell"], row["step"], row["signal"]) == (retrained.texts[5], 1, 45.0)
    assert (row["random"], row["evaluations"]) == (40.0, 2)
    with style.context():
        style.save(fig8.draw(table), tmp_path / "fig8.png", "png")
    words = fig8.caption(table)
    assert "among 2 that GOAL evaluated" in words
    assert f"it has {row['params'] / 1e6:.2f} M parameters" in words


def ledger(folder, **tables):
    """Entries of the claims on tables 1 and 2, by name, on these tables."""
    for name, table in tables.items():
        (folder / "goal").mkdir(parents=True, exist_ok=True)
        table.to_csv(folder / f"goal/{name}.csv", index=False)
    found = Tables(folder, [f"goal/{name}" for name in tables])
    claims = [claim for claim in all_claims() if claim.id.startswith("table")]
    return {claim.id: check("goal", claim, found) for claim in claims}


@cache
def all_claims():
    return read_claims("goal")


def of_the_right_size(table):
    """Table 1 as if there were four supernets, whose means differ little."""
    means = table["part"] == "mean"
    around = {"low": "value", "high": "value", "lead_low": "lead", "lead_high": "lead"}
    around |= {"gain_low": "gain", "gain_high": "gain", "calm_low": "calm", "calm_high": "calm"}
    reach = {name: table[of] + (0.01 if "high" in name else -0.01) for name, of in around.items()}
    return table.assign(n=table["n"].mask(means, 4), **reach)


def test_claims_run_on_results_of_the_right_size(table, retrained, tmp_path):
    second = table2.tabulate(retrained)
    entries = ledger(tmp_path, table1=of_the_right_size(table), table2=second)
    alone = {name for name in entries if name.startswith("table2-goal-below")}
    alone.add("table2-goal-error")
    for name, entry in entries.items():
        # SPOS is not among the cells that were trained again here.
        lacking = name in alone or name == "table2-goal-beats-spos"
        assert (entry.status == NOT_RUN) == lacking, (name, entry.missing)
    goal = second[(second["part"] == "method") & (second["method"] == "goal")]
    # A mean of three differs by chance by 0.1 / sqrt(3) times 4.3, and two such by 0.35; the same
    # cell, whose trainings are the same, does not differ.
    steps = ((1, REPRODUCED), (-1, FAILED), (0.3, UNDECIDED), (0.01, UNDECIDED), (0, UNDECIDED))
    for step, status in steps:
        rival = goal.assign(method="spos", error=goal["error"] + step)
        judged = ledger(tmp_path / str(step), table2=pd.concat([second, rival]))
        assert judged["table2-goal-beats-spos"].status == status
    # These ask for the paper's own training.
    assert "GPU hours" in entries["table2-goal-error"].missing
    assert "protocol True" in entries["table2-goal-error"].missing
    paper = second.assign(protocol=True)
    entries = ledger(tmp_path / "paper", table2=paper)
    assert {entries[name].status for name in alone} == {FAILED}
    good = paper.assign(error=paper["error"].where(paper["method"] != "goal", 2.6))
    entries = ledger(tmp_path / "good", table2=good)
    assert {entries[name].status for name in alone} == {REPRODUCED}


def test_orders_are_judged_by_leads_on_the_same_supernets(table, tmp_path):
    sized = of_the_right_size(table)
    entries = ledger(tmp_path, table1=sized)
    for m in ("valid", "test"):
        assert entries[f"table1-{m}-goal-above-random_search"].status == REPRODUCED
        assert entries[f"table1-{m}-spread-below-random_search"].status == REPRODUCED
        assert entries[f"table1-{m}-darts_second-fails"].status == (
            REPRODUCED if entries[f"table1-{m}-goal-above-darts_second"].status == REPRODUCED
            else FAILED
        )  # fmt: skip
    behind = sized.assign(lead=-1.0, lead_low=-1.5, lead_high=-0.5)
    behind = behind.assign(calm=-1.0, calm_low=-1.5, calm_high=-0.5)
    entries = ledger(tmp_path / "behind", table1=behind)
    assert entries["table1-valid-goal-above-spos"].status == FAILED
    assert entries["table1-valid-spread-below-spos"].status == FAILED
    # Means far apart say nothing of pairs.
    for low, high, status in ((0.1, 0.3, REPRODUCED), (-0.1, 0.3, UNDECIDED), (-1, -0.5, FAILED)):
        paired = sized.assign(gain=(low + high) / 2, gain_low=low, gain_high=high)
        entries = ledger(tmp_path / f"gain{low}", table1=paired)
        assert entries["table1-valid-spos-above-random_search"].status == status
    unsure = sized.assign(lead=0.2, lead_low=-0.5, lead_high=0.9)
    entries = ledger(tmp_path / "unsure", table1=unsure)
    assert entries["table1-valid-goal-above-spos"].status == UNDECIDED


def test_the_papers_numbers_are_asked_within_a_fifth_of_its_error(table, tmp_path):
    sized = of_the_right_size(table)
    near = sized.assign(value=88.0, low=87.9, high=88.1)
    entries = ledger(tmp_path / "near", table1=near)
    assert entries["table1-goal-valid"].status == REPRODUCED
    assert entries["table1-random_search-valid"].status == FAILED
    assert entries["table1-valid-darts_first-number"].status == FAILED


def test_other_images_are_not_the_papers(table, tmp_path):
    entries = ledger(tmp_path, table1=of_the_right_size(table).assign(images="digits"))
    assert {entry.status for entry in entries.values()} == {NOT_RUN}
    assert "images cifar10" in entries["table1-goal-valid"].missing


def test_fewer_supernets_than_searches_of_the_paper_are_too_few(table, tmp_path):
    entries = ledger(tmp_path, table1=table)
    assert entries["table1-goal-valid"].missing == "4 trials (there are 2)"


CONFIG = Path(__file__).parents[2] / "config"


def test_a_scale_shows_all_supernets_that_it_has():
    scale = scales.load(CONFIG / "smoke.yaml")
    found = results(scale)
    first = found["goal/table1"]
    assert first.names("studies") == ("goal_table1_0", "goal_table1_1", "goal_table1_loss_0")
    assert first.names("supernets") == ("goal_darts_first_0",)
    assert first.benchmarks == ("goal_digits_0", "goal_digits_1")
    # There are as many as a scale wants, so none is missing.
    assert first.missing == ()
    assert found["goal/sharing"].names("supernets") == ("goal_digits_0", "goal_digits_1")
    # No genotypes that were really trained.
    assert "goal/darts214" not in found
    part = scale.part(first.reads)
    assert set(part["supernets"]) == {"goal_digits_0", "goal_digits_1", "goal_darts_first_0"}
    assert set(scale.jobs("scores")) == {"goal_digits_0", "goal_digits_1"}


def test_the_desk_has_what_the_paper_has_in_small():
    scale = scales.load(CONFIG / "desk.yaml")
    found = results(scale)
    assert len(found["goal/table1"].benchmarks) == 4
    assert len(found["goal/table1"].names("studies")) == 8
    assert found["goal/darts214"].benchmarks == ("darts214",)
    cells = [found_cell(entry) for entry in map(scale.section("trainings").get, _trainings(found))]
    seeds = [scale.section("trainings")[name].seed for name in _trainings(found)]
    # 16 random cells once, and those found three times.
    assert len(set(zip(cells, seeds, strict=True))) == len(cells) == 25
    assert Counter(seeds) == {0: 19, 1: 3, 2: 3}
    assert {cell for cell, seed in zip(cells, seeds, strict=True) if seed} == {
        ("goal_table2", method, None) for method in ("goal", "spos", "random_search")
    }
    jobs = scale.jobs("training")
    recipes = {
        jobs[name].model_copy(update={"trace": None, "step": None, "seed": 0}).model_dump_json()
        for name in _trainings(found)
    }
    assert len(recipes) == 1
    assert scale.section("studies")["goal_table2"].settings == {
        "initial": 256,
        "proposals": 16,
        "step_size": 1.0,
    }


def test_darts_at_the_desk_differs_from_the_papers_in_size_alone():
    desk, paper = (
        scales.load(CONFIG / f"{name}.yaml").section("supernets") for name in ("desk", "paper")
    )
    names = [f"goal_darts_{order}_{n}" for order in ("first", "second") for n in range(3)]
    for name in names:
        ours, theirs = (entries[name].recipe().model_dump() for entries in (desk, paper))
        differ = {key for key in ours if ours[key] != theirs[key]}
        assert differ == {"channels", "cells", "pixels", "pad", "epochs"}
        # Images are padded by an eighth of their side, as published.
        assert ours["pad"] / ours["pixels"] == theirs["pad"] / 32
        assert ours["residual"]
        assert (ours["learning_rate"], ours["final_learning_rate"]) == (0.025, 0.001)
    # No fewer than claims ask for.
    asked = {claim.trials for claim in all_claims() if "darts_" in claim.id}
    assert asked == {3}


def _trainings(found):
    return found["goal/table2"].names("trainings")


def found_cell(entry):
    return entry.cell.study, entry.cell.method, entry.cell.step


def test_the_paper_retrains_as_darts_does():
    scale = scales.load(CONFIG / "paper.yaml")
    for name, job in scale.jobs("training").items():
        if name.startswith("goal_"):
            setting = (job.epochs, job.channels, job.layers, job.cutout, job.drop_path)
            assert setting == (600, 36, 20, 16, 0.2)
            assert (job.auxiliary, job.batch_size, job.clip) == (0.4, 96, 5)
            assert (job.learning_rate, job.weight_decay) == (0.025, 3e-4)
