"""Scale files: what is refused, in which words, and which jobs follow from what is accepted."""

import argparse
import json
import re
from pathlib import Path

import pydantic
import pytest
import yaml

from dagnas.benchmarks import BENCHMARKS
from dagnas.cli import main
from dagnas.cli.config import keys
from dagnas.errors import DagnasError
from dagnas.pipeline import scales
from dagnas.pipeline.job import parse_setting
from dagnas.pipeline.kinds import KINDS
from dagnas.pipeline.kinds.search import SearchJob
from dagnas.search import METHODS
from dagnas.tables.sources import SOURCES

ROOT = Path(__file__).parents[2]
GOOD = """
scale: tiny
trials: 5
trials_per_job: 2
studies:
  s: {benchmark: nasbench201, methods: [random_search, half], budget_seconds: 1e3}
variants:
  half: {method: goal, settings: {step_size: 0.5}}
rankings:
  uniform: {benchmark: nasbench201, target: cifar10/valid/200, predictors: [ecc], train_sizes: [8]}
  after: {study: s, method: half}
papers: [goal]
"""


def written(folder, text):
    file = folder / "scale.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("trials: 5", "trails: 5"), ["unknown key 'trails' (did you mean 'trials'?)", "papers"]),
        (("methods:", "method:"), ["studies.s: unknown key 'method' (did you mean 'methods'?)"]),
        (("1e3", "-1e3"), ["studies.s.budget_seconds", "greater than 0", "-1000.0"]),
        (("1e3", ".nan"), ["studies.s.budget_seconds", "finite", "nan"]),
        (("1e3", "soon"), ["studies.s.budget_seconds", "valid number", "'soon'"]),
        (("trials: 5", "trials: 0"), ["trials", "greater than 0", "not 0"]),
        (("trials: 5\n", ""), ["trials: Field required"]),
        (
            ("s: {benchmark: nasbench201", "s: {benchmark: nasbench21"),
            [
                "studies.s.benchmark: unknown benchmark 'nasbench21'",
                "'nasbench201'?",
                "nasbench101",
            ],
        ),
        (
            ("random_search", "random"),
            ["studies.s.methods: unknown method 'random'", "regularized_evolution", "half"],
        ),
        (("[random_search, half]", "[half, half]"), ["studies.s.methods", "named twice"]),
        (("method: goal,", "method: gaol,"), ["variants.half.method: unknown method 'gaol'"]),
        (
            ("step_size: 0.5", "step: 0.5"),
            ["variants.half: unknown setting", "'step'", "step_size"],
        ),
        (("step_size: 0.5", "step_size: -1"), ["variants.half", "step_size=-1", "greater than 0"]),
        (("half: {method", "goal: {method"), ["variants.goal: a method has this name already"]),
        (
            ("budget_seconds: 1e3", "budget_seconds: 1e3, method_settings: {gaol: {}}"),
            ["studies.s.method_settings: unknown method of s 'gaol'", "half"],
        ),
        (
            ("budget_seconds: 1e3", "budget_seconds: 1e3, method_settings: {half: {step: 1}}"),
            ["studies.s.method_settings: unknown setting of half 'step'", "step_size"],
        ),
        (
            ("budget_seconds: 1e3", "budget_seconds: 1e3, method_settings: {half: {initial: 0}}"),
            ["studies.s", "initial=0", "greater than 0"],
        ),
        (
            ("[ecc]", "[gat]"),
            ["rankings.uniform.predictors.0: unknown predictor 'gat'", "ecc, gcn"],
        ),
        (("study: s,", "study: z,"), ["rankings.after.study: unknown study 'z'; valid: s"]),
        (("s, method: half", "s, method: goal"), ["rankings.after.method", "random_search"]),
        (("s, method", "s, meth"), ["rankings.after: unknown key 'meth'"]),
        (("papers: [goal]", "papers: [gaol]"), ["papers.0: unknown paper 'gaol'"]),
        (("scale: tiny", "scale: ../tiny"), ["scale", "'../tiny'"]),
        (("trials: 5", "device: tpu\ntrials: 5"), ["device", "'cpu'", "'tpu'"]),
        (("trials: 5", "trials: 5\ntrials: 6"), ["'trials' is given twice"]),
        (("trials: 5", "extend: [goal]\ntrials: 5"), ["unknown key 'extend' (did you mean 'exte"]),
        (("trials: 5", "trials: [5"), ["no valid YAML"]),
        (
            ("trials: 5", "plugins: [no_such_module]\ntrials: 5"),
            ["plugins: cannot import", "'no_such_module'"],
        ),
        (("trials: 5", "plugins: 3\ntrials: 5"), ["plugins: Input should be a valid list, not 3"]),
        (("{study: s, method: half}", "3"), ["rankings.after", "valid dictionary", "not 3"]),
        (("trials: 5", "trials: true"), ["trials", "valid integer", "not True"]),
        (("trials: 5", "trials: '5'"), ["trials", "valid integer", "not '5'"]),
        (("trials: 5", "trials: 1:30"), ["1:30 is one number in YAML 1.1"]),
        (("trials: 5", "trials: 010"), ["010 is one number in YAML 1.1"]),
        (("trials: 5", "trials: 100000000"), ["trials", "less than or equal to 100000"]),
        (("train_sizes: [8]", "train_sizes: [true]"), ["train_sizes.0", "not True"]),
        (("1e3", "1e999"), ["1e999 is beyond the range of numbers"]),
        (("trials: 5", "trials: !!python/object/apply:os.getcwd []"), ["no valid YAML"]),
    ],
)
def test_faults_name_the_key_the_value_and_what_is_valid(tmp_path, change, words):
    assert change[0] in GOOD
    file = written(tmp_path, GOOD.replace(*change, 1))
    with pytest.raises(DagnasError) as fault:
        scales.check(scales.load(file))
    for word in words:
        assert word in str(fault.value)
    assert "\n" not in str(fault.value) or "YAML" in str(fault.value)


def test_files_that_are_no_scale_files(tmp_path):
    with pytest.raises(DagnasError, match=r"absent\.yaml: No such file"):
        scales.load(tmp_path / "absent.yaml")
    for text in ("", "- a\n"):
        with pytest.raises(DagnasError, match="a mapping of keys to values is expected"):
            scales.load(written(tmp_path, text))
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DagnasError, match="no valid YAML"):
        scales.load(tmp_path / "binary.yaml")


#: What no job can run, though all names are right: told by `config check`.
REFUSED = {
    "policy: ngae, budget_evaluations: 3": "studies.s: unknown policy of digits201 'ngae'",
    "settings: {batch: zero}, budget_evaluations: 3": "studies.s: setting batch='zero'",
    "prior: nasbench101, budget_evaluations: 3": "studies.s: method 'random_search' makes no use",
    "until_best: true, budget_evaluations: 3": "studies.s: digits201: the signal .* no cell is",
    "benchmark: stack_layers, policy: reward, until_best: true, budget_evaluations: 3":
        "studies.s: stack_layers is no table",
    "methods: [controller_reinforce], budget_evaluations: 3": "walks; digits201 is a space",
    "benchmark: stack_layers, policy: reward, methods: [controller_reinforce], budget_seconds: 9":
        "studies.s: .*give budget_evaluations, not budget_seconds",
}  # fmt: skip


@pytest.mark.parametrize("terms", REFUSED)
def test_studies_that_no_job_can_run(terms, tmp_path):
    keys = {"benchmark": "digits201", "methods": ["random_search"]}
    study = {**keys, **yaml.safe_load(f"{{{terms}}}")}
    whole = {"scale": "tiny", "trials": 2, "papers": [], "studies": {"s": study}}
    scale = scales.load(written(tmp_path, yaml.safe_dump(whole)))
    with pytest.raises(DagnasError, match=REFUSED[terms]):
        scales.check(scale)


@pytest.mark.parametrize(
    ("section", "change", "message"),
    [
        ("rankings", {"target": "cifar10/valid/12"}, "rankings.x: .* no column 'cifar10/valid/12"),
        ("rankings", {"train_sizes": [6_400]}, "rankings.x: 3000 test cells and 6400 training"),
        ("rankings", {"benchmark": "stack_layers"}, "rankings.x: .*'stack_layers' is no table"),
        ("autoencoders", {"target": "digits/valid/13"}, "autoencoders.x: .* no column"),
    ],
)
def test_targets_and_sizes_that_a_table_lacks(section, change, message, tmp_path):
    entry = {"benchmark": "digits201", "target": "digits/valid/12"}
    entry |= {"predictors": ["mlp"], "train_sizes": [20]} if section == "rankings" else {}
    whole = {"scale": "tiny", "trials": 2, "papers": [], section: {"x": entry}}
    scales.check(scales.load(written(tmp_path, yaml.safe_dump(whole))))
    whole[section]["x"] = {**entry, **change}
    with pytest.raises(DagnasError, match=message):
        scales.check(scales.load(written(tmp_path, yaml.safe_dump(whole))))


def test_tables_to_come_are_no_fault(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scales.check(scales.load(written(tmp_path, GOOD)))


def test_trials_of_a_job_may_be_the_studys_own(tmp_path):
    text = GOOD.replace("budget_seconds", "trials_per_job: 3, budget_seconds")
    names = list(scales.load(written(tmp_path, text)).jobs("search"))
    assert [name for name in names if "half" in name] == ["s/half/0000-0003", "s/half/0003-0005"]


@pytest.mark.parametrize(
    ("section", "more"), [("supernets", {}), ("trainings", {"cell": "|nor_conv_3x3~0|"})]
)
def test_images_that_are_neither_known_nor_a_file(section, more, tmp_path):
    entry = {"space": "nasbench201", "images": "digitz", **more}
    text = f"scale: mine\ntrials: 1\npapers: []\n{section}: {{one: {json.dumps(entry)}}}\n"
    known = re.escape("unknown images 'digitz' (did you mean 'digits'?)")
    with pytest.raises(DagnasError, match=rf"{section}\.one: {known}.*, or a file .npz"):
        scales.check(scales.load(written(tmp_path, text)))
    scale = scales.load(written(tmp_path, text.replace("digitz", "mine.npz")))
    assert scale.section(section)["one"].images == "mine.npz"


def test_more_jobs_than_can_be_planned(tmp_path):
    text = GOOD.replace("trials: 5", "trials: 100000").replace(
        "trials_per_job: 2", "trials_per_job: 1"
    )
    with pytest.raises(DagnasError, match=r"200,000 search jobs; expected 20,000 at most"):
        scales.load(written(tmp_path, text))


def test_files_that_extend_each_other_without_end(tmp_path):
    for level in range(12):
        text = f"extends: [l{level + 1}.yaml, l{level + 1}.yaml]\n" if level < 11 else GOOD
        (tmp_path / f"l{level}.yaml").write_text(text)
    with pytest.raises(DagnasError, match="more than 100 files are extended"):
        scales.load(tmp_path / "l0.yaml")


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("x=3", 3), ("x=1e-3", 0.001), ("x=true", True), ("x=on", "on"), ("x=[1, a]", [1, "a"]),
        ("x=[1", "[1"), ("x=", None), ("x=a=b", "a=b"), ("x='010'", "010"),
    ],
)  # fmt: skip
def test_settings_of_command_lines_are_read_as_yaml(word, value):
    assert parse_setting("--set", word) == ("x", value)


@pytest.mark.parametrize("word", ["x=010", "x=1:30", "x=99999999999999999999", "x={1: 2}"])
def test_settings_that_mean_something_else_elsewhere(word):
    with pytest.raises(DagnasError, match=r"^--set x: no valid YAML"):
        parse_setting("--set", word)


def test_all_faults_are_told_at_once(tmp_path):
    text = GOOD.replace("1e3", "0").replace("[ecc]", "[gat]")
    with pytest.raises(DagnasError) as fault:
        scales.load(written(tmp_path, text))
    assert len(str(fault.value).splitlines()) == 2


def jobs_of(scale, prefix=""):
    return [job for name, job in scale.jobs("search").items() if name.startswith(prefix)]


def test_jobs_cover_all_trials_once(tmp_path):
    scale = scales.load(written(tmp_path, GOOD))
    jobs = jobs_of(scale, "s/half/")
    assert [job.trials for job in jobs] == [range(2), range(2, 4), range(4, 5)]
    assert scale.paths("search", "s/half/")[2] == Path(
        "results/tiny/traces/s/half/0004-0005.parquet"
    )
    assert len(jobs_of(scale)) == len(jobs_of(scale, "s/")) == 6
    assert KINDS.get("ranking").path(scale, "after") == Path("results/tiny/rankings/after.parquet")
    assert scale.jobs("ranking")["after"].benchmarks() == ("nasbench201",)


def test_a_job_is_a_command_and_names_its_code(tmp_path):
    scale = scales.load(written(tmp_path, GOOD))
    (job, *_) = jobs_of(scale, "s/half/")
    assert job.arguments() == [
        "--policy=goal",
        "--budget-seconds=1000.0",
        "--study=s",
        "--benchmark=nasbench201",
        "--method=goal",
        "--set",
        "step_size=0.5",
        "--trials=0:2",
        "--device=cpu",
    ]
    assert job.benchmarks() == ("nasbench201",)
    assert job.roots() == [
        "dagnas.pipeline.kinds.search:SearchJob.run",
        "dagnas.benchmarks.nasbench201",
        "dagnas.search.methods.goal",
        "dagnas.predictors.ecc",
    ]
    (plain, *_) = jobs_of(scale, "s/random_search/")
    assert not any("predictors" in module for module in plain.roots())


def test_plugins_are_methods_like_others(tmp_path, monkeypatch):
    (tmp_path / "my_walk.py").write_text(
        "from dagnas.search.method import method\n\n\n@method()\ndef my_walk(space, rng):\n"
        "    while True:\n        yield space.sample(1, rng)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(METHODS, "_added", {})
    text = GOOD.replace("random_search", "my_walk") + "plugins: [my_walk]\n"
    scale = scales.load(written(tmp_path, text))
    (job, *_) = jobs_of(scale, "s/my_walk/")
    words = job.arguments()
    assert words[words.index("--plugin") + 1] == "my_walk"
    assert "my_walk" in job.roots()


def test_a_description_goes_through_the_command_line_and_back(tmp_path):
    text = GOOD.replace("budget_seconds: 1e3", "budget_evaluations: 7, until_best: true")
    text = text.replace("benchmark: nasbench201, methods", "benchmark: digits201, methods")
    text = text.replace("{study: s, method: half}", "{study: s, method: half, trials: 2}")
    text += "tables: {again201: {images: digits, settings: {epochs: 3}, cells_per_job: 3000}}\n"
    scale = scales.load(written(tmp_path, text))
    for kind in KINDS.names():
        for job in scale.jobs(kind).values():
            parser = argparse.ArgumentParser()
            job.add_options(parser)
            assert type(job).parse(parser.parse_args(job.arguments())) == job
    # The search of a ranking is the study's, whatever its options.
    again = scale.jobs("ranking")["after"]
    assert again.until_best
    assert again.budget_evaluations == 7
    assert again.trials == range(2)
    assert again.settings == {"step_size": 0.5}
    for name in SearchJob.model_fields:
        if name != "trials":
            assert getattr(again, name) == getattr(jobs_of(scale, "s/half/")[0], name)


def test_parts_of_a_scale_hold_what_is_read(tmp_path):
    scale = scales.load(written(tmp_path, GOOD))
    dearer = scales.load(written(tmp_path, GOOD.replace("1e3", "2e3")))
    more = scales.load(written(tmp_path, GOOD.replace("[8]", "[8, 9]")))
    study, ranking = {"studies": ["s"]}, {"rankings": ["uniform"]}
    assert scale.part(study) != dearer.part(study)
    assert scale.part(study) == more.part(study)
    assert scale.part(ranking) != more.part(ranking)
    part = scales.parse(scale.part(study), "part", part=True)
    assert part.jobs("search") == scale.jobs("search")


def test_a_scale_overrides_another(tmp_path):
    written(tmp_path, GOOD).rename(tmp_path / "base.yaml")
    over = written(
        tmp_path,
        "extends: [base.yaml]\nscale: other\nstudies: {s: {budget_seconds: null, trials: 1}}\n"
        "rankings: {after: null}\n",
    )
    scale = scales.load(over)
    assert scale.scale == "other"
    assert scale.trials == 5
    study = scale.section("studies")["s"]
    assert (study.budget_seconds, study.trials) == (None, 1)
    assert study.methods == ["random_search", "half"]
    assert list(scale.section("rankings")) == ["uniform"]


def test_only_what_is_on_some_benchmarks_is_inherited(tmp_path):
    written(tmp_path, GOOD).rename(tmp_path / "base.yaml")
    over = "extends: [base.yaml]\nbenchmarks: [digits201]\nscale: other\n"
    scale = scales.load(written(tmp_path, over))
    assert scale.section("studies") == {}
    # Also what names a study that was left out.
    assert scale.section("rankings") == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("extends: [gaol]", "unknown paper 'gaol' (did you mean 'goal'?)"),
        ("extends: [scale.yaml]", "scale.yaml extends this file itself"),
        ("extends: [absent.yaml]", "absent.yaml: No such file"),
        ("extends: goal", "a list of papers or scale files is expected"),
        ("extends: [goal]\nbenchmarks: 3", "a list of benchmarks is expected"),
        ("extends: [goal]\nbenchmarks: [digits2]", "unknown benchmark 'digits2' (did you mean"),
        ("benchmarks: [digits201]", "it chooses from what a file extends"),
        (
            "extends: [goal]\nstudies: {goal_table3: null}",
            "unknown entry of studies to take away 'goal_table3' (did you mean",
        ),
    ],
)
def test_faults_of_what_a_scale_extends(tmp_path, text, words):
    with pytest.raises(DagnasError) as fault:
        scales.load(written(tmp_path, f"{text}\nscale: other\n"))
    assert words in str(fault.value)


def test_a_built_table_is_a_benchmark_made_in_parts(tmp_path):
    tables = "tables: {mine201: {images: mine.npz, settings: {epochs: 3}, cells_per_job: 3000}}\n"
    text = GOOD.replace("s: {benchmark: nasbench201", "s: {benchmark: mine201")
    scale = scales.load(written(tmp_path, tables + text))
    assert scale.section("studies")["s"].benchmark == "mine201"
    assert BENCHMARKS.get("mine201").tables == ("mine201",)
    parts = scale.jobs("table_part")
    assert list(parts) == [f"mine201/{cells}" for cells in ("0000-3000", "3000-6000", "6000-6466")]
    assert parts["mine201/3000-6000"].arguments() == [
        "--space=nasbench201",
        "--images=mine.npz",
        "--set",
        "epochs=3",
        "--device=cpu",
        "--cells=3000:6000",
    ]
    assert scale.jobs("built_table")["mine201"].files() == [
        f"data/parts/mine201/{cells}.parquet" for cells in ("0000-3000", "3000-6000", "6000-6466")
    ]
    # Loading it twice is no clash, taking the name of another benchmark is.
    assert scales.load(written(tmp_path, tables + text)).model_dump() == scale.model_dump()
    with pytest.raises(DagnasError, match=r"tables: the benchmark 'digits201' exists already"):
        scales.load(written(tmp_path, tables.replace("mine201", "digits201") + GOOD))
    with pytest.raises(DagnasError, match=r"tables.mine201: unknown setting .*'epoch' \(did you"):
        scales.load(written(tmp_path, tables.replace("epochs", "epoch") + GOOD))


@pytest.mark.parametrize("name", ["smoke", "desk", "paper", "build"])
def test_scale_files_of_the_project(name):
    scale = scales.load(ROOT / f"config/{name}.yaml")
    assert scale.scale == name
    assert (scale.data == Path("data/official")) == (name == "paper")


def test_desk_and_paper_follow_the_protocol():
    for name in ("desk", "paper"):
        scale = scales.load(ROOT / f"config/{name}.yaml")
        for study in ("goal_nasbench201", "goal_nasbench101"):
            entry = scale.section("studies")[study]
            assert (entry.trials or scale.trials) == 50
            assert entry.policy == "goal"
            assert entry.budget_seconds is None


def test_schema_and_keys_are_current():
    # Made by `dagnas config schema > config/schema.json`, `dagnas config keys > docs/config.md`.
    if f"pydantic=={pydantic.VERSION}" not in (ROOT / "constraints.txt").read_text().splitlines():
        pytest.skip("another version of pydantic writes the same schema in other words")
    assert (ROOT / "config/schema.json").read_text() == scales.schema()
    assert (ROOT / "docs/config.md").read_text() == keys()


def test_rows_of_keys_are_whole():
    rows = [line for line in keys().splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    assert all(row.endswith(" |") and row.count(" | ") == 3 for row in rows)


def test_command_checks_files(tmp_path, capsys):
    assert main(["config", "check", str(written(tmp_path, GOOD))]) == 0
    assert "scale tiny, jobs: 2 ranking, 6 search" in capsys.readouterr().out
    assert main(["config", "check", str(written(tmp_path, GOOD + "extra: 1\n"))]) == 2
    assert "unknown key 'extra'" in capsys.readouterr().err


def test_settings_of_single_methods_go_over_those_of_all(tmp_path):
    given = "settings: {initial: 8}, method_settings: {half: {initial: 4, step_size: 0.25}}, "
    scale = scales.load(written(tmp_path, GOOD.replace("budget_sec", given + "budget_sec", 1)))
    jobs = scale.jobs("search")
    assert jobs["s/half/0000-0002"].settings == {"initial": 4, "step_size": 0.25}
    assert jobs["s/random_search/0000-0002"].settings == {}


def test_dvc_keeps_all_that_the_desk_makes():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    kept, cached = set(), set()
    for stage in stages.values():
        ((item, values),) = stage.get("matrix", {"": [""]}).items()
        for entry in (*stage["outs"], *stage.get("metrics", [])):
            ((path, how),) = entry.items()
            # Without it Snakemake would begin anew what DVC has removed.
            assert how["persist"], path
            paths = {path.replace(f"${{item.{item}}}", value) for value in values}
            kept |= paths
            cached |= paths if how.get("cache", True) else set()
    scale = scales.load(ROOT / "config/desk.yaml")
    kinds = ("traces", "rankings", "autoencoders", "latent_searches", "trainings")
    made = {f"results/desk/{kind}" for kind in kinds}
    for kind in ("search", "ranking", "autoencoder", "latent_search", "training"):
        assert all(f"results/desk/{path.parts[2]}" in made for path in scale.paths(kind))
    for kind in ("supernet", "scores"):
        made |= set(map(str, scale.paths(kind)))
    made |= {f"data/{name}.parquet" for name in scale.section("tables")}
    made |= {str(path.parent) for path in scale.paths("table_part")}
    made |= {str(path.with_suffix(".curve.parquet")) for path in scale.paths("supernet")}
    # The store that travels with the repository has all that is expensive, and no table of others.
    assert cached == made | {"results/desk/provenance.json"}
    shown = {f"results/desk/{name}" for name in (*scale.papers, "claims.csv", "claims.md")}
    tables = {f"data/{name}.parquet" for name in SOURCES}
    assert kept == cached | shown | {"results/desk/metrics.json"} | tables
