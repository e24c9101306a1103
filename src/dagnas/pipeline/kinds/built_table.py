"""Benchmark tables of images and texts: ``dagnas build-table``, in parts that are merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from dagnas.benchmarks import BENCHMARKS
from dagnas.errors import DagnasError
from dagnas.names import check_name
from dagnas.pipeline.job import Job, Range, range_text
from dagnas.pipeline.kind import Kind
from dagnas.pipeline.sections import Count, Section
from dagnas.settings import Described
from dagnas.training.language_recipe import LanguageRecipe, Preset, parse_language_recipe

if TYPE_CHECKING:
    from dagnas.benchmarks.benchmark import BenchmarkEntry
    from dagnas.pipeline.scales import Scale
    from dagnas.tables.table import Table
    from dagnas.training.images import ImageSet
    from dagnas.training.stacked_build import StackedBuild


class Recipe(Described):
    """Images or text, and training of the cells of a table."""

    space: Literal["nasbench201", "recurrent"] = "nasbench201"
    """Space whose cells are trained: nasbench201 on images, recurrent on a text."""
    images: str | None = None
    """An .npz file with `images` and `labels`, or `digits`."""
    text: str | None = None
    """A UTF-8 file, `ptb` (of `dagnas fetch ptb`), or `generated`."""
    preset: Preset | None = None
    """Settings of language models to begin with: paper (if not given), small or smoke."""
    settings: dict[str, Any] = {}
    """Settings that differ from the defaults; docs/digits201.md, docs/recurrent.md."""

    @model_validator(mode="after")
    def _settings(self) -> Recipe:
        on, off = ("text", "images") if self.space == "recurrent" else ("images", "text")
        if getattr(self, on) is None:
            raise ValueError(f"{on}: cells of {self.space} are trained on it, and it is not given")
        if getattr(self, off) is not None:
            raise ValueError(f"{off}: cells of {self.space} are trained on {on}")
        try:
            if self.space == "recurrent":
                self.language()
            elif self.preset:
                raise ValueError("preset: there are some of language models alone")
            else:
                # It loads NumPy, which a recipe of texts does without.
                from dagnas.training.recipe import parse_recipe

                parse_recipe(self.settings)
        except DagnasError as error:
            raise ValueError(error) from error
        return self

    def language(self) -> LanguageRecipe:
        """Recipe of language models."""
        return parse_language_recipe(self.settings, self.preset or "paper")


class BuiltTable(Section, Recipe):
    """A benchmark made by training the cells of a space on images or on a text."""

    cells_per_job: Count = 320
    """Cells that one job trains, of the 6,466 of nasbench201 or of those asked for."""


class BuildJob(Job, Recipe):
    """Training of some cells of a table, or merging of parts."""

    COMMAND: ClassVar = "build-table"
    SHORT: ClassVar = {"settings": "set"}

    name: str | None = None
    """Name of columns and random streams; the file's by default."""
    device: str = Field(default="cpu", pattern="^(auto|cpu|cuda)$")
    """Device to train on: auto, cpu or cuda."""
    cells: Range | None = None
    """Only cells A to B - 1 of those that are trained: make a part."""
    merge: list[Path] = []
    """Parts to make the table of."""
    partial: bool = False
    """Whether parts that lack some cells make a table too, of the cells that they have."""

    @model_validator(mode="after")
    def _either(self) -> BuildJob:
        if self.cells and self.merge:
            raise ValueError("cells: a merged table has all cells")
        if self.partial and not self.merge:
            raise ValueError("partial: it says what to do with parts to merge, of which are none")
        return self

    def run(self, data: Path, out: Path) -> None:
        """Train cells that are not trained yet, or merge parts."""
        import shutil

        from dagnas.files import write_parquet

        # A benchmark is found by the name of its file.
        check_name("benchmark", out.stem)
        build = self._build_of_text(data) if self.text else self._build_of_images()
        if self.merge:
            parts = [build.read_part(path) for path in self.merge]
            table, metadata = build.table(parts, self.partial)
            write_parquet(table, out, metadata)
            part = metadata.get("dagnas.part")
            print(f"{out}: {table.num_rows:,} cells" + (f", of {part}" if part else ""))
            return
        codes = build.codes
        if self.cells:
            if self.cells.stop > len(codes):
                error = f"there are {len(codes):,} cells to train"
                raise DagnasError(f"--cells {range_text(self.cells)}: {error}")
            codes = codes[self.cells.start : self.cells.stop]
        checkpoint = out.with_suffix(".checkpoint")
        print(
            f"{len(codes):,} cells x {build.seeds} seeds x {build.epochs} epochs on "
            f"{build.processor}: about {_hours(build.estimate(codes, checkpoint))} here",
            flush=True,
        )
        trained = build.train(codes, checkpoint)
        if self.cells:
            write_parquet(trained, out, trained.schema.metadata)
        else:
            table, metadata = build.table([trained])
            write_parquet(table, out, metadata)
        shutil.rmtree(checkpoint)
        print(f"{out}: {len(codes) if self.cells else table.num_rows:,} cells")

    def _build_of_images(self) -> StackedBuild:
        from dagnas.training.build import Build
        from dagnas.training.device import choose_device
        from dagnas.training.images import find_images
        from dagnas.training.recipe import parse_recipe

        assert self.images is not None
        recipe, images = parse_recipe(self.settings), find_images(self.images, self.name)
        print(f"{self.images}: {_described(images)}", flush=True)
        return Build(self.space, images, recipe, choose_device(self.device))

    def _build_of_text(self, data: Path) -> StackedBuild:
        from dagnas.training.device import choose_device
        from dagnas.training.language_build import LanguageBuild
        from dagnas.training.texts import open_text, unknown_fraction

        assert self.text is not None
        build = LanguageBuild(
            open_text(self.text, data, self.name), self.language(), choose_device(self.device)
        )
        train, valid, test = (f"{len(part):,}" for part in build.text.parts)
        unknown = 100 * unknown_fraction(build.text)
        print(
            f"{self.text}: {train} words to train on, {valid} to validate and {test} to test on; "
            f"{len(build.text.words):,} different ones, {unknown:.1f} % outside of these",
            flush=True,
        )
        return build

    def files(self) -> Sequence[str]:
        """Images or text, or parts to merge."""
        if self.merge:
            return [str(part) for part in self.merge]
        known = ("digits", "generated", "ptb")
        return [given for given in (self.images, self.text) if given and given not in known]


def _described(images: ImageSet) -> str:
    """Images as they were read, in words, so that a wrong axis or range is seen before training."""
    count, height, width, channels = images.images.shape
    return (
        f"{count:,} images of {height} x {width} pixels, {channels} "
        f"channel{'' if channels == 1 else 's'}, {images.classes} classes, values "
        f"{images.images.min()} to {images.images.max()}"
    )


def _hours(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes / 60:.1f} h" if minutes >= 90 else f"{minutes:.1f} min"


def register(tables: Mapping[str, BuiltTable]) -> Mapping[str, BuiltTable]:
    """Register tables as benchmarks, which studies may name."""
    for name, table in tables.items():
        # Those of texts that the package knows by name can be searched by hand as well.
        known = table.space == "recurrent" and name in BENCHMARKS.names()
        if known and BENCHMARKS.module(name) == "dagnas.benchmarks.language":
            continue
        try:
            BENCHMARKS.add(name, _entry(name, table))
        except DagnasError as error:
            raise ValueError(error) from error
    return tables


def _entry(name: str, table: BuiltTable) -> BenchmarkEntry:
    if table.space == "recurrent":
        from dagnas.benchmarks.language import language_entry

        return language_entry(name)
    from dagnas.benchmarks.built import built_entry

    return built_entry(name)


@cache
def _trained_cells(space: str) -> int:
    from dagnas.spaces import SPACES

    return len(SPACES.get(space).representatives())


def _ranges(entry: BuiltTable) -> list[range]:
    text = entry.space == "recurrent"
    cells = entry.language().cells if text else _trained_cells(entry.space)
    size = entry.cells_per_job
    return [range(first, min(first + size, cells)) for first in range(0, cells, size)]


def _label(part: range) -> str:
    return f"{part.start:04d}-{part.stop:04d}"


def _recipe(scale: Scale, entry: BuiltTable) -> dict[str, Any]:
    given = {key: getattr(entry, key) for key in Recipe.model_fields}
    # A table of words is made by a job, as those of benchmarks are.
    return given | ({"text": str(scale.data / "ptb.parquet")} if entry.text == "ptb" else {})


def plan_parts(scale: Scale) -> dict[str, Job]:
    """Jobs of the parts of all tables by TABLE/FIRST-LAST."""
    return {
        f"{name}/{_label(part)}": BuildJob(**_recipe(scale, entry), device=scale.device, cells=part)
        for name, entry in scale.section("tables").items()
        for part in _ranges(entry)
    }


def plan_tables(scale: Scale) -> dict[str, Job]:
    """Jobs that merge parts, by the name of their table."""
    return {
        name: BuildJob(
            **_recipe(scale, entry),
            merge=[table_part.path(scale, f"{name}/{_label(part)}") for part in _ranges(entry)],
        )
        for name, entry in scale.section("tables").items()
    }


def read(path: Path) -> Table:
    """Benchmark table."""
    from dagnas.tables.table import Table

    return Table(path)


ABOUT = (
    "Train every cell of a space on a set of images and tabulate accuracies, or language models of "
    "random recurrent cells on a text, whose perplexities stand for accuracies. An interrupted "
    "build resumes where it stopped when the same command is run again."
)
EXAMPLES = """
  # All cells of NAS-Bench-201 on images and labels of an .npz file; an hour or more on one core.
  dagnas build-table --images fashion.npz --out data/fashion201.parquet

  # It is a benchmark then.
  dagnas search --benchmark fashion201 --method goal --trials 0:10 --out goal.parquet

  # The shipped table digits201 once more. Other trainings, on a GPU.
  dagnas build-table --images digits --out again.parquet
  dagnas build-table --images fashion.npz --out long.parquet \\
      --set epochs=24 --set channels=16 --set train=6000 --device cuda

  # In parts, on several machines; the scale file config/build.yaml has Snakemake do it.
  dagnas build-table --images digits --cells 0:3233 --out a.parquet
  dagnas build-table --images digits --cells 3233:6466 --out b.parquet
  dagnas build-table --images digits --merge a.parquet b.parquet --out again.parquet

  # Of one part, or of a build that was interrupted: a table of the cells that are trained, which is
  # a benchmark once a file half.yaml says "table: half.parquet" (docs/tutorial_table.md).
  dagnas build-table --images digits --merge a.parquet --partial --out half.parquet
  dagnas build-table --images fashion.npz --merge fashion201.checkpoint/*.parquet --partial \\
      --out half.parquet

  # Language models of 1,000 random recurrent cells, hours of one core; a text of your own.
  dagnas fetch ptb
  dagnas build-table --space recurrent --text ptb --preset small --out data/lstm1k.parquet
  dagnas build-table --space recurrent --text novel.txt --preset small --set cells=200 \\
      --out data/novel.parquet

The file holds `images`, uint8 of shape (N, H, W) or (N, H, W, C), and `labels`, integers from 0
on, one for each image.
"""
TITLE = "make a benchmark table by training cells on your images or text"
table_part = Kind(
    name="table_part",
    module=__name__,
    title=TITLE,
    about=ABOUT,
    examples=EXAMPLES,
    jobs=(BuildJob,),
    pattern="{data}/parts/{name}.parquet",
    plan=plan_parts,
    read=read,
)
built_table = Kind(
    name="built_table",
    module=__name__,
    title=TITLE,
    about=ABOUT,
    examples=EXAMPLES,
    jobs=(BuildJob,),
    pattern="{data}/{name}.parquet",
    plan=plan_tables,
    read=read,
    sections={"tables": BuiltTable},
    register=register,
)
