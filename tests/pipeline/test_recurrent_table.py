"""Tables of language models: built in parts or interrupted, opened, searched."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from dagnas.benchmarks.language import open_language
from dagnas.cli import main
from dagnas.errors import DagnasError
from dagnas.pipeline.kinds.built_table import BuildJob
from dagnas.search import METHODS
from dagnas.search.runner import Search, run_trial
from dagnas.spaces.listed import NEAR, nearest_part
from dagnas.spaces.recurrent import recurrent
from dagnas.testing import benchmark_checks, space_checks
from dagnas.training.language_build import LanguageBuild, random_classes
from dagnas.training.language_recipe import parse_language_recipe
from dagnas.training.texts import open_text

BUILD = ["build-table", "--space", "recurrent", "--text", "generated", "--preset", "smoke"]
SMALL = {"cells": 12, "train": 1000, "epochs": 1, "batch_size": 2, "window": 10}
SHORT = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    path = tmp_path_factory.mktemp("built") / "lstm1k.parquet"
    assert main([*BUILD, *SHORT, "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def benchmark(built):
    return open_language("lstm1k", built)


def test_the_table_has_random_cells_of_different_classes(built, benchmark):
    assert len(benchmark) == 12
    assert len(set(recurrent.key(benchmark.cells))) == 12
    assert sorted(random_classes(recurrent, 12).tolist()) == benchmark.table["code"].tolist()
    assert random_classes(recurrent, 900)[:12].tolist() == random_classes(recurrent, 12).tolist()
    assert json.loads(benchmark.table.provenance["words"]) == {
        "vocabulary": 44,
        "train": 1000,
        "valid": 600,
        "test": 600,
    }
    # Better than guessing, and none is certain.
    for column in ("train", "valid", "test"):
        values = benchmark.values(f"generated/{column}/1")
        assert ((values > 1) & (values < 100)).all()


def test_parts_and_an_interruption_make_the_same_table(built, tmp_path):
    words = [*BUILD, *SHORT]
    parts = [tmp_path / f"{first}.parquet" for first in (0, 5)]
    for part, cells in zip(parts, ("0:5", "5:12"), strict=True):
        assert main([*words, "--cells", cells, "--out", str(part)]) == 0
    merged = tmp_path / "merged.parquet"
    merge = [*words, "--merge", *map(str, parts)]
    assert main([*merge, "--out", str(merged)]) == 0
    assert pq.read_table(merged).equals(pq.read_table(built))
    # What an interruption leaves: one stack of several.
    recipe = parse_language_recipe(SMALL, "smoke")
    build = LanguageBuild(open_text("generated", tmp_path), recipe)
    calls = []
    folder = tmp_path / "again.checkpoint"
    few = build.train(build.codes[:3], folder)
    build._train_stack = lambda codes, progress: calls.append(codes)
    assert build.train(build.codes[:3], folder).equals(few)
    assert not calls
    with pytest.raises(DagnasError, match="the parts lack 9 of 12 cells; the first is number 3"):
        build.table([few])
    table, metadata = build.table([few], partial=True)
    assert metadata["dagnas.part"] == "3 of 12 cells that are trained"
    assert table.num_rows == 3


def test_the_contract_of_benchmarks(benchmark):
    for check in benchmark_checks(benchmark):
        check()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--space", "recurrent"], "text: cells of recurrent are trained on it, and it is not"),
        (["--space", "recurrent", "--text", "x", "--images", "digits"], "are trained on text"),
        (["--images", "digits", "--text", "x"], "text: cells of nasbench201 are trained on images"),
        ([], "images: cells of nasbench201 are trained on it, and it is not given"),
        (["--images", "digits", "--preset", "small"], "preset: there are some of language models"),
        (["--space", "recurrent", "--text", "x", "--preset", "large"], "'paper', 'small' or"),
        (["--space", "recurrent", "--text", "x", "--set", "cell=3"], "unknown setting"),
        (["--space", "recurrent", "--text", "absent.txt"], "cannot read absent.txt"),
        (["--space", "recurrent", "--text", "ptb"], "`dagnas fetch ptb` makes it"),
        (
            ["--space", "recurrent", "--text", "generated", "--set", "train=9999999"],
            "fewer than 9,999,999",
        ),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_trained(words, why, tmp_path, capsys):
    out = ["--out", str(tmp_path / "x.parquet"), "--data", str(tmp_path)]
    assert main(["build-table", *words, *out]) == 2
    assert why in capsys.readouterr().err


def test_tables_of_images_are_made_by_the_command_that_made_them():
    job = BuildJob(images="digits", settings={"seeds": 1})
    assert "--text" not in " ".join(job.arguments())
    assert "--preset" not in " ".join(job.arguments())
    assert BuildJob(space="recurrent", text="a.txt").files() == ["a.txt"]
    assert BuildJob(space="recurrent", text="generated").files() == []


# Searches among the cells of a table.


@pytest.fixture(scope="module")
def part():
    return nearest_part(recurrent, random_classes(recurrent, 300))


def test_the_contract_of_spaces_but_for_small_mutations(part):
    for check in space_checks(part):
        if check.name != "a_mutation_changes_one_variable_and_stays_valid":
            check()


def test_values_stand_for_the_nearest_cell(part):
    rng = np.random.default_rng(0)
    values = rng.integers(part.sizes, size=(50, len(part.sizes)))
    members = part.to_values(part.enumerate())
    found = part.to_values(part.from_values(values))
    for given, nearest in zip(values, found, strict=True):
        assert (given != nearest).sum() == (members != given).sum(axis=1).min()


def test_neighbours_differ_least(part):
    members = part.enumerate()
    values = part.to_values(members)
    for place in (0, 17, 299):
        differing = np.sort((values != values[place]).sum(axis=1))[1 : NEAR + 1]
        near = part.neighbours(members[place])
        assert sorted(part.differences(near, members[[place] * NEAR])) == differing.tolist()
        assert part.pack(members[place])[0] not in part.pack(near)
    drawn = part.mutate(members[[5] * 500], np.random.default_rng(0))
    assert set(part.pack(drawn)) == set(part.pack(part.neighbours(members[5])))
    absent = recurrent.from_str(["Genotype(recurrent=[('tanh', 0)] , concat=[1])"])
    if part.pack(absent)[0] not in part.pack(members):
        with pytest.raises(DagnasError, match="none of the 300 of the table"):
            part.neighbours(absent)


def test_codes_of_no_cell_are_refused():
    with pytest.raises(DagnasError, match="the number -1 is no cell of recurrent"):
        nearest_part(recurrent, np.array([3, -1]))
    with pytest.raises(DagnasError, match="two cells at least"):
        nearest_part(recurrent, random_classes(recurrent, 1))


METHODS_BY_VALUES = (
    "random_search reinforce regularized_evolution bohb nao alphax lanas nasbot bonas bonas_random "
    "bonas_rl goal local_search_nas"
)


@pytest.mark.parametrize("method", METHODS_BY_VALUES.split())
def test_methods_search_the_cells_of_the_table(method, benchmark):
    chosen = METHODS.get(method)
    short = {"epochs": 2, "initial": 3, "k": 3, "pool": 10, "population": 3, "steps": 2}
    given = {name: value for name, value in short.items() if chosen.has(name)}
    terms = {"policy": "bonas", "budget_evaluations": 8}
    trace = run_trial(Search(benchmark, chosen, given, **terms), 0)
    assert len(trace) == 8
    assert set(trace["code"].to_pylist()) <= set(benchmark.table["code"].tolist())


def test_one_model_on_the_command_line(tmp_path, capsys):
    out, cell = tmp_path / "cell.parquet", "Genotype(recurrent=[('tanh', 0)], concat=[1])"
    words = ["train-language", "--text", "generated", "--preset", "smoke", "--cell", cell]
    assert main([*words, "--set", "train=1000", "--out", str(out)]) == 0
    # 44 words of 8 units with a bias each, and 4 + 2 products of 8 by 8.
    assert f"{44 * 9 + 6 * 64} parameters, perplexity" in capsys.readouterr().out
    curve = pq.read_table(out)
    assert curve["epoch"].to_pylist() == [1, 2]
    stored = torch.load(out.with_suffix(".pt"), weights_only=True)
    assert stored["cell"] == "Genotype(recurrent=[('tanh', 0)], concat=range(1, 2))"
    assert stored["weights"]["embedding"].shape == (44, 8)
    assert main([*words, "--set", "train=1e9", "--out", str(tmp_path / "x.parquet")]) == 2


@pytest.mark.parametrize("name", ["lstm1k", "mine"])
def test_a_search_on_the_command_line(name, built, tmp_path):
    out = tmp_path / "trace.parquet"
    shutil.copy(built, tmp_path / f"{name}.parquet")
    described = tmp_path / "mine.yaml"
    described.write_text("table: mine.parquet\n")
    words = ["--benchmark", name, "--method", "reinforce", "--policy", "bonas"]
    words += ["--plugin", str(described)] if name == "mine" else []
    words += ["--trials", "0:1", "--budget-evaluations", "5"]
    assert main(["search", *words, "--data", str(tmp_path), "--out", str(out)]) == 0
    known = pq.read_table(built)["code"].to_pylist()
    assert set(pq.read_table(out)["code"].to_pylist()) <= set(known)
