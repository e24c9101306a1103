"""What a digest of code reads, and what changes it."""

import subprocess
import sys
from pathlib import Path

import pytest

from dagnas.closure import closure, digest, keywords
from dagnas.errors import DagnasError
from dagnas.search import METHODS

PACKAGE = {
    "__init__.py": "",
    "main.py": '''
        """Main."""
        from __future__ import annotations
        from typing import TYPE_CHECKING
        import json
        from mine import alike, used
        from mine.sub import REGISTRY
        if TYPE_CHECKING:
            from mine import only_typed
        __version__ = '1'

        def run():
            """Run."""
            from mine.lazy import thing  # noqa
            if not thing:
                raise ValueError('no')
            return REGISTRY.get("named"), thing

        class Job:
            width: int = used.VALUE
            alike: int = 1

            def run(self, x: int):
                return self.helped(x) * self.alike

            def helped(self, x):
                from mine.lazy import thing
                return thing

            def other(self):
                from mine.apart import thing
                return thing
        ''',
    "used.py": "from . import relative\nVALUE = 1\n",
    "relative.py": "from .sub.deep import x\n",
    "alike.py": "thing = 1\n",
    "lazy.py": "thing = 1\n",
    "only_typed.py": "thing = 1\n",
    "unused.py": "thing = 1\n",
    "apart.py": "thing = 1\n",
    "sub/__init__.py": "from dagnas.registry import Registry\n"
    "REGISTRY = Registry('thing', 'mine.sub', 'mine.sub:T', {'named': 'mine.sub.named'})\n",
    "sub/deep.py": "x = 1\n",
    "sub/named.py": "named = 1\n",
    "sub/unnamed.py": "unnamed = 1\n",
}


@pytest.fixture
def package(tmp_path):
    """Root of a package `mine`; digests are taken in a process of their own."""
    for name, text in PACKAGE.items():
        file = tmp_path / "mine" / name
        file.parent.mkdir(exist_ok=True, parents=True)
        lines = text.splitlines()
        file.write_text("\n".join(line.removeprefix("        ") for line in lines) + "\n")
    return tmp_path


def asked(folder: Path, function: str, root: str = "mine.main") -> str:
    command = f"from dagnas.closure import *; print({function}(['{root}']))"
    source = Path(__file__).parents[2] / "src"
    return subprocess.run(
        [sys.executable, "-c", command],
        cwd=folder,
        env={"PYTHONPATH": f"{source}:{folder}"},
        check=True,
        text=True,
        capture_output=True,
    ).stdout.strip()


def test_closure_follows_imports_of_all_kinds(package):
    found = eval(asked(package, "closure"))
    inside = {"main", "alike", "apart", "used", "relative", "lazy"}
    inside |= {"sub", "sub.deep", "sub.named"}
    registry = {"dagnas", "dagnas.errors", "dagnas.names", "dagnas.registry"}
    assert set(found) == registry | {"mine"} | {f"mine.{name}" for name in inside}


def edited(package, name, old, new):
    file = package / "mine" / name
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    return asked(package, "digest")


@pytest.mark.parametrize(
    ("name", "old", "new", "changes"),
    [
        ("used.py", "VALUE = 1", "VALUE = 2", True),
        ("sub/deep.py", "x = 1", "x = 2", True),
        ("sub/named.py", "named = 1", "named = 2", True),
        ("used.py", "VALUE = 1", "VALUE = 1  # one", False),
        ("used.py", "VALUE = 1", "\n\nVALUE = (\n    1\n)", False),
        ("main.py", '"""Run."""', '"""Walk."""', False),
        ("main.py", '"""Main."""', "", False),
        ("sub/unnamed.py", "unnamed = 1", "unnamed = 2", False),
        ("unused.py", "thing = 1", "thing = 2", False),
        # Another entry of a registry is no root of this job.
        ("sub/__init__.py", "{'named'", "{'new': 'mine.sub.unnamed', 'named'", False),
        ("main.py", "raise ValueError('no')", "raise ValueError('not so')", False),
        ("main.py", "raise ValueError('no')", "raise TypeError('no')", True),
        ("main.py", "raise ValueError('no')", "return 0", True),
        ("main.py", "__version__ = '1'", "__version__ = '2'", False),
        ("main.py", "def run():", "def run() -> int:", False),
        ("only_typed.py", "thing = 1", "thing = 2", False),
    ],
)
def test_digest_changes_with_code_alone(package, name, old, new, changes):
    before = asked(package, "digest")
    assert (edited(package, name, old, new) != before) == changes


@pytest.mark.parametrize(
    ("name", "old", "new", "changes"),
    [
        ("main.py", "return self.helped(x)", "return self.helped(x + 1)", True),
        ("main.py", "def helped(self, x):", "def helped(self, x, y=1):", True),
        ("lazy.py", "thing = 1", "thing = 2", True),
        ("main.py", "def other(self):", "def other(self, y):", False),
        ("apart.py", "thing = 1", "thing = 2", False),
        ("main.py", "run(self, x: int)", "run(self, x: float)", False),
        ("main.py", "width: int", "width: float", False),
        ("used.py", "VALUE = 1", "VALUE = 2", False),
        # What `run` reads is its field, not the module of that name.
        ("alike.py", "thing = 1", "thing = 2", False),
        ("__init__.py", "\n", "VERSION = 1\n", True),
    ],
)
def test_of_a_method_only_what_it_uses_counts(package, name, old, new, changes):
    (package / "mine/__init__.py").write_text("\n")
    root = "mine.main:Job.run"
    before = asked(package, "digest", root)
    file = package / "mine" / name
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    assert (asked(package, "digest", root) != before) == changes


def test_names_assigned_together_count(package):
    (package / "mine/__init__.py").write_text("\n")
    digests = []
    for value in (2, 3):
        code = f"A, (B, *C) = 1, (0, {value})\n\n\ndef run():\n    return C\n"
        (package / "mine/pair.py").write_text(code)
        digests.append(asked(package, "digest", "mine.pair:run"))
    assert digests[0] != digests[1]


def test_settings_are_read_without_importing():
    assert keywords("dagnas.search.methods.goal", "goal")["predictor"] == "ecc"
    assert keywords("dagnas.search.methods.goal", "goal_mlp")["predictor"] == "mlp"
    for name in METHODS.names():
        hidden = {"device", "fidelities", "objectives", "observe", "prior"}
        read = keywords(METHODS.module(name), name)
        assert read.keys() - hidden == METHODS.get(name).settings().keys()
    with pytest.raises(DagnasError, match="no search method 'gaol'"):
        keywords("dagnas.search.methods.goal", "gaol")


def test_methods_stand_alone():
    roots = ["dagnas.search.runner", "dagnas.search.methods.random_search"]
    assert "dagnas.search.methods.regularized_evolution" not in closure(roots)
    assert "dagnas.search.runner" in closure(roots)
    assert "dagnas.spaces.nasbench201" in closure(["dagnas.benchmarks.nasbench201"])
    assert "dagnas.predictors.fit" in closure(["dagnas.search.methods.goal"])
    assert digest(roots) == digest(reversed(roots)) != digest(roots[1:])


def test_unknown_module():
    with pytest.raises(DagnasError, match=r"no module 'dagnas\.search\.gaol'"):
        digest(["dagnas.search.gaol"])
    with pytest.raises(DagnasError, match="no module 'no_such_plugin'"):
        digest(["no_such_plugin"])


def test_source_that_is_no_python(tmp_path, monkeypatch):
    (tmp_path / "broken_plugin.py").write_text("def f(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DagnasError, match=r"broken_plugin\.py is no Python source"):
        digest(["broken_plugin"])


PLUGIN = {
    "hill.py": "from moves import step\nimport deep.down\nimport numpy\n",
    "moves.py": "import further\ndef step(): return 1\n",
    "further.py": "FAR = 1\n",
    "deep/down.py": "DOWN = 1\n",
    "step.py": "x = 1\n",
    "beside.py": "y = 1\n",
}


@pytest.fixture
def plugin(tmp_path):
    """Folder with a plug-in of several modules and a folder without ``__init__``."""
    for name, text in PLUGIN.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_modules_from_the_folder_of_a_plugin_count(plugin):
    assert eval(asked(plugin, "closure", "hill")) == ["deep.down", "further", "hill", "moves"]


@pytest.mark.parametrize(
    ("name", "changes"),
    [("moves.py", True), ("further.py", True), ("deep/down.py", True), ("beside.py", False)],
)
def test_an_edit_of_a_plugin_s_helper_changes_its_digest(plugin, name, changes):
    before = asked(plugin, "digest", "hill")
    (plugin / name).write_text((plugin / name).read_text() + "NEW = 1\n")
    assert (asked(plugin, "digest", "hill") != before) == changes


def test_a_compiled_helper_counts_by_its_bytes(plugin):
    (plugin / "further.py").unlink()
    digests = set()
    for content in (b"\0one", b"\0two"):
        (plugin / "further.abi3.so").write_bytes(content)
        digests.add(asked(plugin, "digest", "hill"))
    assert len(digests) == 2


def test_installed_packages_have_nothing_to_do_with_each_other(plugin):
    installed = plugin / "site-packages"
    installed.mkdir()
    for name in PLUGIN:
        if "/" not in name:
            (plugin / name).rename(installed / name)
    assert eval(asked(installed, "closure", "hill")) == ["hill"]
