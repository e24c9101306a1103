"""Artifacts of a scale that studies read; in the smallest size, tiny ones that are made first."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.errors import DagnasError
from dagnas.pipeline.kinds import KINDS
from dagnas.pipeline.scales import Scale, load
from dagnas.tables.place import data_folder
from perf.common import add_data, open_table

#: Scale of the smallest size.
SMALLEST = Path(__file__).with_name("smallest.yaml")


class Artifacts:
    """Traces, rankings and graph VAEs of one scale, and the tables that these are of.

    Parameters
    ----------
    scale : Scale
    root : Path
        Folder that paths of artifacts begin in.
    data : Path
        Folder of tables.
    """

    def __init__(self, scale: Scale, root: Path, data: Path) -> None:
        self.scale, self.root, self.data = scale, root, data

    def path(self, kind: str, name: str) -> Path:
        """File of an artifact."""
        return self.root / KINDS.get(kind).path(self.scale, name)

    def make(self, kind: str, prefix: str = "") -> None:
        """Make all artifacts of a kind whose names begin with ``prefix``."""
        for name, job in self.scale.jobs(kind).items():
            if name.startswith(prefix):
                job.run(self.data, self.path(kind, name))

    def read(self, kind: str, name: str) -> Any:
        """Artifact, as its kind reads it.

        Raises
        ------
        DagnasError
            It is missing or damaged.
        """
        return KINDS.get(kind).read(self._made(self.path(kind, name)))

    def traces(self, study: str, methods: Container[str] | None = None) -> pd.DataFrame:
        """Evaluations of some methods of a study, or of all, with a column of the method's name."""
        frames: list[pd.DataFrame] = [
            self.read("search", name).assign(method=method)
            for name, method in self._searches(study).items()
            if methods is None or method in methods
        ]
        return pd.concat(frames)

    def walls(self, study: str) -> pd.DataFrame:
        """Wall-clock seconds of the trials of a study: columns method, trial and seconds."""
        return pd.concat(
            pd.read_csv(self._made(self.path("search", name).with_suffix(".wall.csv"))).assign(
                method=method
            )
            for name, method in self._searches(study).items()
        )

    def _searches(self, study: str) -> dict[str, str]:
        """Names in a study of the methods of its search jobs, by job."""
        names = [name.split("/") for name in self.scale.jobs("search")]
        return {"/".join(name): name[1] for name in names if name[0] == study}

    def _made(self, path: Path) -> Path:
        if not path.is_file():
            raise DagnasError(
                f"{path} is missing: `snakemake -c2 --config scale={self.scale.scale}` makes it, "
                "and --smallest runs without it"
            )
        return path

    def entry(self, section: str, name: str) -> Any:
        """Entry of the scale file, such as the study of that name.

        Raises
        ------
        DagnasError
            The scale has none of that name.
        """
        if name not in self.scale.section(section):
            raise DagnasError(f"the scale {self.scale.scale} has no {name} among its {section}")
        return self.scale.section(section)[name]

    def table(self, section: str, name: str) -> TabularBenchmark:
        """Benchmark of an entry of the scale file."""
        return open_table(self.entry(section, name).benchmark, self.data)


def add_scale(parser: ArgumentParser) -> None:
    """Add the options ``--scale`` and ``--data``."""
    parser.add_argument(
        "--scale",
        type=Path,
        default=Path("config/desk.yaml"),
        metavar="FILE.yaml",
        help="scale file whose artifacts are read (config/desk.yaml)",
    )
    add_data(parser)


@contextmanager
def artifacts(options: Namespace, kind: str, prefix: str = "") -> Iterator[Artifacts]:
    """Artifacts of the scale of the options; in the smallest size those of ``smallest.yaml``.

    Parameters
    ----------
    options : Namespace
        From a command line with `add_scale`.
    kind, prefix : str
        Kind and names of what is made in the smallest size.
    """
    if not options.smallest:
        yield Artifacts(load(options.scale), Path(), data_folder(options.data))
        return
    with TemporaryDirectory() as folder:
        made = Artifacts(load(SMALLEST), Path(folder), data_folder(options.data))
        print(f"smallest size: artifacts of {SMALLEST.name}, made just now on digits201")
        made.make(kind, prefix)
        yield made
