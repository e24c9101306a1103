"""BONAS's third benchmark: results on a table of recurrent cells that stands for LSTM-12K."""

import pytest

from dagnas.papers.bonas import fig3, fig4, table1, table2
from dagnas.papers.bonas.lstm12k import lstm_sentence
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import results
from dagnas.pipeline import scales
from dagnas.pipeline.kinds import KINDS

SCALE = """
scale: toy
trials: 2
trials_per_job: 2
tables:
  lstm1k:
    space: recurrent
    text: generated
    preset: smoke
    settings: {cells: 40, train: 1500, epochs: 4, seeds: 1}
studies:
  bonas_lstm1k:
    benchmark: lstm1k
    policy: bonas
    until_best: true
    methods: [random_distinct, regularized_evolution, bonas]
    settings: {sameness: cell}
    budget_evaluations: 30
variants:
  random_distinct: {method: random_search, settings: {distinct: true, batch: 10}}
rankings:
  bonas_predictors_lstm1k:
    benchmark: lstm1k
    target: generated/test/4
    predictors: [wide_mlp, lstm, gcn]
    epochs: 2
    loss: mse
    shares: [0.5, 0.2]
papers: [bonas]
"""


@pytest.fixture(scope="module")
def inputs_of(tmp_path_factory):
    root = tmp_path_factory.mktemp("lstm")
    (root / "config").mkdir()
    (root / "config/toy.yaml").write_text(SCALE)
    scale = scales.load(root / "config/toy.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for kind in ("table_part", "built_table", "search", "ranking"):
            for name, job in scale.jobs(kind).items():
                job.run(scale.data, KINDS.get(kind).path(scale, name))
    return lambda name: Inputs(scale, results(scale)[f"bonas/{name}"], root)


def test_table_2_and_figure_4_have_a_panel_of_it(inputs_of):
    table = table2.tabulate(inputs_of("table2"))
    rows = table[table["part"] == "summary"]
    assert set(rows["benchmark"]) == {"lstm1k"}
    assert (rows["cells"] == 40).all()
    # The numbers of the paper are those of another table.
    assert rows[["paper", "to_paper"]].isna().all(axis=None)
    assert "LSTM-12K rebuilt in small has other cells" in table2.caption(table)
    assert table2.draw(table).axes[0].get_title() == "LSTM-12K rebuilt in small"
    curves = fig4.tabulate(inputs_of("fig4"))
    assert fig4.draw(curves).axes[0].get_ylabel() == "perplexity saved by the best cell (%)"
    assert "perplexity / that of guessing" in fig4.caption(curves)


def test_table_1_and_figure_7_have_a_panel_of_it(inputs_of):
    table = table1.tabulate(inputs_of("table1"))
    # In the place of the one that was never released, with the paper's numbers beside.
    assert table["benchmark"].tolist() == ["lstm1k"] * 3
    assert table.set_index("predictor")["paper"]["gcn"] == 74.2
    assert table["to_paper"].isna().all()
    (panel,) = table1.draw(table).axes
    assert panel.get_title() == "LSTM-12K rebuilt in small"
    assert "not run" not in table1.caption(table)
    points = fig3.tabulate(inputs_of("fig3"))
    assert fig3.draw(points).axes[0].get_xlabel() == "actual perplexity saved (%)"
    assert "never released: LSTM-12K rebuilt in small" in fig3.caption(points)


def test_without_such_a_table_it_is_not_run():
    assert lstm_sentence(["nasbench201"]) == "LSTM-12K is not run: it was never released."
    both = lstm_sentence(["lstm12k", "lstm1k"])
    assert "LSTM-12K rebuilt in small and LSTM-12K rebuilt has" in both
