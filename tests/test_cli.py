"""The command line: help, and one message with status 2 for whatever a user must mend."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dagnas import cli
from dagnas.cli import main
from dagnas.cli.jobs import job_commands

ROOT = Path(__file__).parents[1]

SEARCH = ["search", "--benchmark", "nasbench201", "--method", "random_search", "--trials", "0:1"]
COMMANDS = [*cli.COMMANDS, *job_commands()]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_holds_examples(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"dagnas {command}" in capsys.readouterr().out.split("examples:")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "gaol"], "unknown method 'gaol' (did you mean 'goal'?); valid: alphax,"),
        (["--benchmark", "nasbench301"], "unknown benchmark 'nasbench301'"),
        (["--policy", "exact"], "unknown policy of nasbench201 'exact'; valid: bonas, goal"),
        (["--trials", "3:3"], "--trials: 3:3: expected A:B"),
        (["--trials", "-1:3"], "--trials"),
        (["--trials", "all"], "--trials: all: expected A:B"),
        (["--budget-seconds", "-5"], "--budget-seconds: Input should be greater than 0, not '-5'"),
        (
            ["--budget-seconds", "nan"],
            "--budget-seconds: Input should be a finite number, not 'nan'",
        ),
        (["--budget-evaluations", "0"], "--budget-evaluations: Input should be greater than 0"),
        (["--set", "batch"], "--set batch: expected KEY=VALUE"),
        (["--set", "batch=x"], "setting batch='x' of method 'random_search'"),
        (["--set", "bach=3"], "unknown setting of method 'random_search' 'bach'"),
        (["--plugin", "absent_module"], "cannot import the plug-in module 'absent_module'"),
        (["--out", "trace.csv"], "--out trace.csv: expected a name that ends in .parquet"),
        (["--data", "nowhere"], "no table nowhere/nasbench201.parquet; `dagnas fetch"),
    ],
)
def test_a_wrong_search_is_told_in_one_line(
    arguments, message, data, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    command = [*SEARCH, "--data", str(data), "--out", "out.parquet", *arguments]
    if arguments[1].startswith("-"):
        # argparse takes a value that begins with a dash for an option.
        command[-2:] = [f"{arguments[0]}={arguments[1]}"]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_search_without_a_policy_takes_what_the_benchmark_has(tmp_path, capsys):
    out = tmp_path / "out.parquet"
    command = ["search", "--benchmark", "layers_digits", "--method", "controller_pqt"]
    assert main([*command, "--trials", "0:1", "--out", str(out)]) == 2
    assert "policy 'reward' of layers_digits has no budget of its own" in capsys.readouterr().err
    assert main([*command, "--policy", "goal", "--trials", "0:1", "--out", str(out)]) == 2
    assert "unknown policy of layers_digits 'goal'; valid: reward" in capsys.readouterr().err


def test_a_file_of_another_search_is_kept(data, tmp_path, capsys):
    out = tmp_path / "out.parquet"
    command = [*SEARCH, "--budget-evaluations", "5", "--data", str(data), "--out", str(out)]
    assert main(command) == 0
    before, stamp = out.read_bytes(), out.stat().st_mtime_ns
    capsys.readouterr()
    assert main(command) == 0
    assert "out.parquet is there already, made by the same search" in capsys.readouterr().out
    for words, difference in {
        "--method regularized_evolution": "method random_search, not regularized_evolution; set",
        "--set batch=2": "settings.batch 8, not 2",
        "--budget-evaluations 6": "budget_evaluations 5, not 6",
        "--trials 0:2": "trials 0 to 0, not 0 to 1",
        "--study mine": "study nasbench201, not mine",
    }.items():
        assert main([*command, *words.split()]) == 2
        error = capsys.readouterr().err
        assert f"{out} is there already, of another search: {difference}" in error
        assert error.endswith("; --overwrite replaces it, another --out keeps it\n")
        assert error.count("\n") == 1
    assert (out.read_bytes(), out.stat().st_mtime_ns) == (before, stamp)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["out.parquet", "out.wall.csv"]
    assert main([*command, "--trials", "0:2", "--overwrite"]) == 0
    assert out.read_bytes() != before
    assert main([*command, "--overwrite"]) == 0
    assert out.read_bytes() == before


def test_a_file_that_tells_nothing_is_kept(data, tmp_path, capsys):
    table = tmp_path / "nasbench201.parquet"
    table.write_bytes(whole := (data / "nasbench201.parquet").read_bytes())
    other = tmp_path / "other.parquet"
    other.write_text("no Parquet file")
    rank = ["rank-search", *SEARCH[1:], "--method", "goal", "--name", "a", "--data", str(data)]
    for command in ([*SEARCH, "--data", str(data)], rank):
        for path in (table, other):
            assert main([*command, "--out", str(path)]) == 2
            assert f"{path} is there already and does not tell" in capsys.readouterr().err
    assert (table.read_bytes(), other.read_text()) == (whole, "no Parquet file")


def test_a_gpu_that_is_not_there(data, tmp_path, capsys, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    command = [*SEARCH, "--method", "goal", "--device", "cuda", "--data", str(data)]
    assert main([*command, "--out", str(tmp_path / "out.parquet")]) == 2
    assert "valid: auto, cpu" in capsys.readouterr().err


def test_show_tells_what_a_trace_holds(data, tmp_path, capsys):
    out = tmp_path / "out.parquet"
    assert main([*SEARCH, "--data", str(data), "--out", str(out)]) == 0
    assert main(["show", str(out)]) == 0
    text = capsys.readouterr().out
    assert "random_search" in text
    assert '["seconds"]' in text
    (tmp_path / "bad.parquet").write_text("no trace")
    assert main(["show", str(tmp_path / "bad.parquet")]) == 2
    assert "not a readable Parquet file" in capsys.readouterr().err
    assert main(["show", str(data / "nasbench201.parquet")]) == 2
    assert "lacks the columns" in capsys.readouterr().err


def test_every_command_has_a_line_of_its_own(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    _, _, listed = capsys.readouterr().out.partition("COMMAND\n")
    text = re.sub(r"\n {10,}", " ", listed.partition("\n\n")[0])
    lines = [line.split(maxsplit=1)[1] for line in text.splitlines()]
    assert len(lines) > 20
    assert len(set(lines)) == len(lines)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.split("\n")[0] + "\n",
        lambda text: text[:2000],
        lambda text: re.sub(r"[0-9]+\.[0-9]+", "abc", text, count=1),
    ],
)
def test_a_damaged_table_is_not_drawn(damage, tmp_path, capsys):
    table = tmp_path / "goal/fig4.csv"
    table.parent.mkdir()
    for absent in (table, tmp_path / "goal/nothing.csv"):
        assert main(["draw", str(absent)]) == 2
        assert f"{absent.name}: No such file" in capsys.readouterr().err
    table.write_text(damage((ROOT / "results/desk/goal/fig4.csv").read_text()))
    assert main(["draw", str(table)]) == 2
    assert "fig4.csv cannot be drawn as goal/fig4: of its" in capsys.readouterr().err


def test_lists_name_what_the_package_holds(capsys):
    for kind, name in {
        "spaces": "nasbench101",
        "benchmarks": "nasbench201_cifar100",
        "methods": "goal  initial=32",
        "predictors": "ecc",
        "results": "goal/fig4",
    }.items():
        assert main(["list", kind]) == 0
        assert any(line.startswith(name) for line in capsys.readouterr().out.splitlines())


def test_one_thread_a_process_and_no_traceback():
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    code = (
        "from dagnas import kernels; kernels.choose(); import torch; print(torch.get_num_threads())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout == "1\n"
    run = subprocess.run(
        [sys.executable, "-m", "dagnas", "show", "absent.parquet"], capture_output=True, text=True
    )
    assert (run.returncode, run.stderr) == (2, "dagnas: no such file: absent.parquet\n")


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_a_shell_completes_commands_options_and_names(tmp_path, capsys):
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "dagnas.sh"
    script.write_text(capsys.readouterr().out)

    def completed(*words):
        """What bash offers for the last of these words, as a terminal asks for it."""
        line = " ".join(f"'{word}'" for word in words)
        code = f"""
            source {script}
            COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
            function=$(complete -p dagnas | sed 's/.*-F \\([^ ]*\\).*/\\1/')
            $function dagnas "{words[-1]}" "{words[-2]}"
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, cwd=tmp_path)
        return done.stdout.split()

    assert completed("dagnas", "sea") == ["search"]
    assert "goal/fig4" in completed("dagnas", "tabulate", "goal/fi")
    # That of a predictor is a quantity of a table, and no result.
    assert "goal/fig4" not in completed("dagnas", "autoencode", "--target", "goal/fi")
    assert "compare" in completed("dagnas", "com")
    assert completed("dagnas", "search", "--until") == ["--until-best"]
    assert completed("dagnas", "search", "--method", "goal") == ["goal", "goal_mlp"]
    assert "nasbench201_cifar100" in completed("dagnas", "search", "--benchmark", "nasbench201")
    assert completed("dagnas", "plan", "goal/fig4") == ["goal/fig4"]
    (tmp_path / "one.parquet").touch()
    assert completed("dagnas", "show", "one") == ["one.parquet"]


def test_a_reader_that_has_gone_is_no_fault():
    code = "from dagnas.cli import main; import sys; sys.exit(main(['list', 'results']))"
    writer = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    writer.stdout.close()
    assert writer.stderr.read() == b""
    writer.stderr.close()
    assert writer.wait() == 0
