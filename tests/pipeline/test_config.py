"""Scale files: what is refused, in which words, and which jobs follow from what is accepted."""

from pathlib import Path

import pytest
import yaml

from dagnas.benchmarks import BENCHMARKS
from dagnas.cli import main
from dagnas.cli.config import keys
from dagnas.errors import DagnasError
from dagnas.pipeline import config

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
        (("trials: 5", "trials: [5"), ["no valid YAML"]),
        (
            ("trials: 5", "plugins: [no_such_module]\ntrials: 5"),
            ["plugins: cannot import", "'no_such_module'"],
        ),
        (("trials: 5", "plugins: 3\ntrials: 5"), ["plugins: Input should be a valid list, not 3"]),
        (("{study: s, method: half}", "3"), ["rankings.after", "valid dictionary", "not 3"]),
        (("trials: 5", "trials: !!python/object/apply:os.getcwd []"), ["no valid YAML"]),
    ],
)
def test_faults_name_the_key_the_value_and_what_is_valid(tmp_path, change, words):
    assert change[0] in GOOD
    file = written(tmp_path, GOOD.replace(*change, 1))
    with pytest.raises(DagnasError) as fault:
        config.load(file)
    for word in words:
        assert word in str(fault.value)
    assert "\n" not in str(fault.value) or "YAML" in str(fault.value)


def test_files_that_are_no_scale_files(tmp_path):
    with pytest.raises(DagnasError, match=r"absent\.yaml: No such file"):
        config.load(tmp_path / "absent.yaml")
    for text in ("", "- a\n"):
        with pytest.raises(DagnasError, match="a mapping of keys to values is expected"):
            config.load(written(tmp_path, text))
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DagnasError, match="no valid YAML"):
        config.load(tmp_path / "binary.yaml")


def test_all_faults_are_told_at_once(tmp_path):
    text = GOOD.replace("1e3", "0").replace("[ecc]", "[gat]")
    with pytest.raises(DagnasError) as fault:
        config.load(written(tmp_path, text))
    assert len(str(fault.value).splitlines()) == 2


def test_jobs_cover_all_trials_once(tmp_path):
    scale = config.load(written(tmp_path, GOOD))
    jobs = scale.search_jobs("s", "half")
    assert [(job.first, job.last) for job in jobs] == [(0, 2), (2, 4), (4, 5)]
    assert jobs[2].path == Path("results/tiny/traces/s/half/0004-0005.parquet")
    assert len(scale.search_jobs()) == len(scale.search_jobs("s")) == 6
    assert scale.ranking_path("after") == Path("results/tiny/rankings/after.parquet")
    assert scale.ranking_benchmark("after") == "nasbench201"


def test_a_job_is_a_command_and_names_its_code(tmp_path):
    scale = config.load(written(tmp_path, GOOD))
    (job, *_) = scale.search_jobs("s", "half")
    assert job.arguments() == [
        "--study=s",
        "--benchmark=nasbench201",
        "--method=goal",
        "--trials=0:2",
        "--policy=goal",
        "--device=cpu",
        "--budget-seconds=1000.0",
        "--set",
        "step_size=0.5",
    ]
    assert job.benchmarks == ("nasbench201",)
    assert job.modules() == [
        "dagnas.cli.search",
        "dagnas.search.methods.goal",
        "dagnas.benchmarks.nasbench201",
        "dagnas.predictors.ecc",
    ]
    (plain, *_) = scale.search_jobs("s", "random_search")
    assert not any("predictors" in module for module in plain.modules())


def test_plugins_are_methods_like_others(tmp_path, monkeypatch):
    (tmp_path / "my_walk.py").write_text(
        "from dagnas.search.method import method\n\n\n@method()\ndef my_walk(space, rng):\n"
        "    while True:\n        yield space.sample(1, rng)\n"
    )
    monkeypatch.chdir(tmp_path)
    text = GOOD.replace("random_search", "my_walk") + "plugins: [my_walk]\n"
    scale = config.load(written(tmp_path, text))
    (job, *_) = scale.search_jobs("s", "my_walk")
    assert job.arguments()[-2:] == ["--plugin", "my_walk"]
    assert "my_walk" in job.modules()


def test_what_a_result_reads_of_the_scale(tmp_path):
    scale = config.load(written(tmp_path, GOOD))
    dearer = config.load(written(tmp_path, GOOD.replace("1e3", "2e3")))
    more = config.load(written(tmp_path, GOOD.replace("[8]", "[8, 9]")))
    assert scale.part(["s"]) != dearer.part(["s"])
    assert scale.part(["s"]) == more.part(["s"])
    assert scale.part([], ["uniform"]) != more.part([], ["uniform"])


def test_a_built_table_is_a_benchmark_made_in_parts(tmp_path):
    tables = "tables: {mine201: {images: mine.npz, settings: {epochs: 3}, cells_per_job: 3000}}\n"
    text = GOOD.replace("s: {benchmark: nasbench201", "s: {benchmark: mine201")
    scale = config.load(written(tmp_path, tables + text))
    assert scale.studies["s"].benchmark == "mine201"
    assert BENCHMARKS.get("mine201").tables == ("mine201",)
    table = scale.tables["mine201"]
    assert table.parts() == ["0000-3000", "3000-6000", "6000-6466"]
    assert table.arguments() == ["--space=nasbench201", "--images=mine.npz", "--set", "epochs=3"]
    # Loading it twice is no clash, taking the name of another benchmark is.
    assert config.load(written(tmp_path, tables + text)) == scale
    with pytest.raises(DagnasError, match=r"tables: the benchmark 'digits201' exists already"):
        config.load(written(tmp_path, tables.replace("mine201", "digits201") + GOOD))
    with pytest.raises(DagnasError, match=r"tables.mine201: unknown setting .*'epoch' \(did you"):
        config.load(written(tmp_path, tables.replace("epochs", "epoch") + GOOD))


@pytest.mark.parametrize("name", ["smoke", "desk", "paper", "build"])
def test_scale_files_of_the_project(name):
    scale = config.load(ROOT / f"config/{name}.yaml")
    assert scale.scale == name
    assert (scale.data == Path("data/official")) == (name == "paper")


def test_desk_and_paper_follow_the_protocol():
    for name in ("desk", "paper"):
        scale = config.load(ROOT / f"config/{name}.yaml")
        for study in ("goal_nasbench201", "goal_nasbench101"):
            assert scale.trials_of(study) == 50
            assert scale.studies[study].policy == "goal"
            assert scale.studies[study].budget_seconds is None


def test_schema_and_keys_are_current():
    # Made by `dagnas config schema > config/schema.json`, `dagnas config keys > docs/config.md`.
    assert (ROOT / "config/schema.json").read_text() == config.schema()
    assert (ROOT / "docs/config.md").read_text() == keys()


def test_command_checks_files(tmp_path, capsys):
    assert main(["config", "check", str(written(tmp_path, GOOD))]) == 0
    assert "scale tiny, 1 studies in 6 search jobs, 2 rankings" in capsys.readouterr().out
    assert main(["config", "check", str(written(tmp_path, GOOD + "extra: 1\n"))]) == 2
    assert "unknown key 'extra'" in capsys.readouterr().err


def test_dvc_keeps_all_that_the_scales_make():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    for name in ("smoke", "desk"):
        scale = config.load(ROOT / f"config/{name}.yaml")
        kept = {
            path
            for stage in stages
            if stage.endswith(f"-{name}")
            for kind in ("outs", "metrics")
            for entry in stages[stage].get(kind, [])
            for path in entry
        }
        made = {f"results/{name}/traces/{study}" for study in scale.studies}
        made |= {str(scale.ranking_path(ranking)) for ranking in scale.rankings}
        made |= {str(scale.autoencoder_path(vae).parent) for vae in scale.autoencoders}
        made |= {f"results/{name}/{paper}" for paper in scale.papers}
        ledger = ("claims.csv", "claims.md", "metrics.json", "provenance.json")
        assert kept == made | {f"results/{name}/{file}" for file in ledger}
