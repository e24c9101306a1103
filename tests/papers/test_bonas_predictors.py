"""BONAS's comparison of predictors: table 1, and figures 3 and 6."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats

from dagnas.files import write_parquet
from dagnas.papers.bonas import fig3, table1
from dagnas.papers.inputs import Inputs
from dagnas.papers.make import make, read_table, write_table
from dagnas.papers.result import results
from dagnas.pipeline import scales
from dagnas.pipeline.kinds import KINDS
from dagnas.seeds import stream

SPLIT = "loss: mse, shares: [0.85, 0.1], epochs: {wide_mlp: 2, lstm: 3, gcn: 4}"
SCALE = f"""
scale: toy
trials: 2
rankings:
  bonas_predictors_nasbench101:
    {{benchmark: nasbench101, target: cifar10/test/108, predictors: [wide_mlp, lstm, gcn], {SPLIT}}}
  bonas_predictors_nasbench201:
    {{benchmark: nasbench201, target: cifar10/test/200, predictors: [wide_mlp, lstm, gcn], {SPLIT}}}
papers: [bonas]
"""
#: Made-up noise of predictions, in standard deviations of the accuracy.
NOISE = {"wide_mlp": 0.6, "lstm": 1.0, "gcn": 0.2}
CELLS = 1500


@pytest.fixture(scope="module")
def inputs_of(tmp_path_factory):
    root = tmp_path_factory.mktemp("predictors")
    (root / "config").mkdir()
    (root / "config/toy.yaml").write_text(SCALE)
    scale = scales.load(root / "config/toy.yaml")
    for name, job in scale.jobs("ranking").items():
        rng = stream(name)
        frames = []
        for trial in range(2):
            target, codes = rng.normal(90, 3, CELLS), rng.permutation(CELLS)
            frames += [
                pd.DataFrame(
                    {
                        "predictor": predictor,
                        "source": "uniform",
                        "train_size": np.int32(25_500),
                        "trial": np.int32(trial),
                        "code": codes,
                        "target": target,
                        "score": 1 - (target + rng.normal(0, 3 * noise, CELLS)) / 100,
                    }
                )
                for predictor, noise in NOISE.items()
            ]
        about = {
            "dagnas.benchmark": job.benchmark,
            "dagnas.target": job.target,
            "dagnas.emulated": '["target"]' if "101" in name else "[]",
        }
        table = pa.Table.from_pandas(pd.concat(frames), preserve_index=False)
        write_parquet(table, root / KINDS.get("ranking").path(scale, name), about)
    return lambda name: Inputs(scale, results(scale)[f"bonas/{name}"], root)


@pytest.fixture
def read_of(inputs_of, tmp_path):
    """Function from the name of a result to its table as read from its CSV."""

    def read_again(name):
        write_table(inputs_of(name), tmp_path / f"{name}.csv")
        return read_table(tmp_path / f"{name}.csv")

    return read_again


def test_table1_by_hand(inputs_of):
    inputs = inputs_of("table1")
    table = table1.tabulate(inputs).set_index(["benchmark", "predictor"])
    raw = inputs.ranking("bonas_predictors_nasbench201")
    trials = [g for _, g in raw[raw["predictor"] == "gcn"].groupby("trial")]
    found = [100 * np.corrcoef(g["target"], 1 - g["score"])[0, 1] for g in trials]
    row = table.loc[("nasbench201", "gcn")]
    assert row["pearson"] == pytest.approx(np.mean(found))
    assert row["pearson_sd"] == pytest.approx(np.std(found, ddof=1))
    ranks = [100 * stats.spearmanr(g["target"], 1 - g["score"]).statistic for g in trials]
    assert row["spearman"] == pytest.approx(np.mean(ranks))
    assert row[["n", "train_size", "cells", "paper"]].tolist() == [2, 25_500, CELLS, 97.3]
    assert row["to_paper"] == pytest.approx(row["pearson"] - 97.3)
    # 1 / sqrt(1 + noise^2).
    for predictor, noise in NOISE.items():
        expected = 100 / np.sqrt(1 + noise**2)
        assert table.loc[("nasbench101", predictor), "pearson"] == pytest.approx(expected, abs=4)
    mine = table["pearson"]["nasbench101"]
    assert table.loc[("nasbench101", "gcn"), "lead"] == pytest.approx(
        mine["gcn"] - mine["wide_mlp"]
    )
    assert table.loc[("nasbench101", "lstm"), "lead"] == pytest.approx(mine["lstm"] - mine["gcn"])
    assert (table.loc["nasbench101", "emulated"] == "target").all()


def test_the_data_set_that_was_never_released_is_shown_as_not_run(read_of):
    table = read_of("table1")
    rows = table[table["benchmark"] == "lstm12k"]
    assert rows["paper"].tolist() == [53.0, 56.0, 74.2]
    assert (rows["n"] == 0).all()
    assert rows["pearson"].isna().all()
    *_, last = table1.draw(table).axes
    assert "not run: never released" in last.get_xlabel()
    assert [text.get_text() for text in last.texts] == ["paper 53.0", "paper 56.0", "paper 74.2"]
    assert "LSTM-12K is not run" in table1.caption(table)


def test_the_figure_of_table1_has_ours_and_the_papers(read_of):
    table = read_of("table1")
    first, second, _ = table1.draw(table).axes
    texts = [text.get_text() for text in first.texts]
    assert texts[-1] == "EMULATED: target"
    assert [text.split("paper ")[1] for text in texts[:-1]] == ["83.0", "74.1", "84.1"]
    mine = table.set_index(["benchmark", "predictor"]).loc[("nasbench201", "lstm")]
    lstm = f"{mine['pearson']:.1f} \N{PLUS-MINUS SIGN} {mine['pearson_sd']:.1f}, paper 79.5"
    assert second.texts[1].get_text() == lstm
    # One trial has no spread.
    _, second, _ = table1.draw(table.assign(pearson_sd=np.nan)).axes
    assert second.texts[1].get_text() == f"{mine['pearson']:.1f}, paper 79.5"


def test_captions_say_how_predictors_were_trained(read_of):
    table = read_of("table1")
    run = table[table["n"] > 0].set_index(["benchmark", "predictor"])
    assert (
        run["epochs"].unstack()[["wide_mlp", "lstm", "gcn"]].to_numpy().tolist() == [[2, 3, 4]] * 2
    )
    text = table1.caption(table)
    words = "test accuracy after 108 epochs, 25,500 training and 1,500 test cells, 2 trials. "
    assert f"NAS-Bench-101: {words}Epochs: MLP 2, LSTM 3, GCN 4." in text
    assert "**Emulated** in the table" in text
    assert "NAS-Bench-201 is the paper's NAS-Bench-102." in text


def test_fig3_shows_the_same_cells_in_all_panels_of_a_row(inputs_of):
    inputs = inputs_of("fig3")
    table = fig3.tabulate(inputs)
    groups = table.groupby(["benchmark", "predictor"])
    assert (groups.size() == fig3.SHOWN).all()
    codes = groups["code"].apply(tuple)
    assert codes["nasbench201"].nunique() == codes["nasbench101"].nunique() == 1
    raw = inputs.ranking("bonas_predictors_nasbench201")
    cells = raw[(raw["predictor"] == "gcn") & (raw["trial"] == 0)].set_index("code")
    points = table[(table["benchmark"] == "nasbench201") & (table["predictor"] == "gcn")]
    assert points["actual"].to_numpy() == pytest.approx(cells.loc[points["code"], "target"])
    errors = cells.loc[points["code"], "score"]
    assert points["predicted"].to_numpy() == pytest.approx(100 - 100 * errors.to_numpy())
    # The correlation is that of all cells, and not of those shown.
    expected = -100 * cells["target"].corr(cells["score"])
    assert points["pearson"].iloc[0] == pytest.approx(expected)
    assert (points["cells"] == CELLS).all()


def test_density_is_a_sum_of_gaussians():
    rng = np.random.default_rng(0)
    points = np.stack([rng.normal(0, 1, 40), rng.normal(0, 5, 40)])
    # Scott's rule in two dimensions: the covariance shrunk by N^(-1/6) along each axis.
    spread = np.cov(points) * 40 ** (-1 / 3)
    kernels = [stats.multivariate_normal(point, spread).pdf(points.T) for point in points.T]
    np.testing.assert_allclose(fig3.density(points), np.mean(kernels, axis=0))
    assert np.isnan(fig3.density(np.stack([points[0], np.ones(40)]))).all()


def test_fig3_panels(read_of):
    table = read_of("fig3")
    panels = [ax for ax in fig3.draw(table).axes if ax.get_title()]
    titles = [ax.get_title() for ax in panels]
    assert titles[:4] == [
        "NAS-Bench-101: MLP",
        "NAS-Bench-101: LSTM",
        "NAS-Bench-101: GCN",
        "NAS-Bench-201: MLP",
    ]
    shown = table.groupby(["benchmark", "predictor"])["pearson"].first()
    assert panels[5].texts[0].get_text() == f"{shown['nasbench201', 'gcn']:.1f} %"
    line = panels[0].lines[0].get_xydata()
    assert (line[:, 0] == line[:, 1]).all()
    assert "points lie outside of the panels" in fig3.caption(table)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["table1", "fig3"])
def test_results_repeat_byte_for_byte_and_are_small(name, inputs_of, tmp_path):
    first = make(inputs_of(name), tmp_path / "a")
    second = make(inputs_of(name), tmp_path / "b")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert one.stat().st_size < 1_000_000
