"""Benchmark tables of images: ``dagnas build-table``, in parts that are merged."""

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

if TYPE_CHECKING:
    from dagnas.pipeline.scales import Scale
    from dagnas.tables.table import Table
    from dagnas.training.images import ImageSet


class Recipe(Described):
    """Images and training of the cells of a table."""

    space: Literal["nasbench201"] = "nasbench201"
    """Space whose cells are trained."""
    images: str
    """An .npz file with `images` and `labels`, or `digits`."""
    settings: dict[str, Any] = {}
    """Settings of network and training that differ from the defaults; docs/digits201.md."""

    @model_validator(mode="after")
    def _settings(self) -> Recipe:
        from dagnas.training.recipe import parse_recipe

        try:
            parse_recipe(self.settings)
        except DagnasError as error:
            raise ValueError(error) from error
        return self


class BuiltTable(Section, Recipe):
    """A benchmark made by training every cell of a space on images."""

    cells_per_job: Count = 320
    """Cells that one job trains, of the 6,466 that are trained."""


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
        from dagnas.training.build import Build
        from dagnas.training.device import choose_device
        from dagnas.training.images import find_images
        from dagnas.training.recipe import parse_recipe

        # A benchmark is found by the name of its file.
        check_name("benchmark", out.stem)
        recipe, images = parse_recipe(self.settings), find_images(self.images, self.name)
        print(f"{self.images}: {_described(images)}", flush=True)
        build = Build(self.space, images, recipe, choose_device(self.device))
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
            f"{len(codes):,} cells x {recipe.seeds} seeds x {recipe.epochs} epochs on "
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

    def files(self) -> Sequence[str]:
        """Images, or parts to merge."""
        if self.merge:
            return [str(part) for part in self.merge]
        return [self.images] if self.images.endswith(".npz") else []


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
    if tables:
        from dagnas.benchmarks.built import built_entry

        for name in tables:
            try:
                BENCHMARKS.add(name, built_entry(name))
            except DagnasError as error:
                raise ValueError(error) from error
    return tables


@cache
def _trained_cells(space: str) -> int:
    from dagnas.spaces import SPACES

    return len(SPACES.get(space).representatives())


def _ranges(entry: BuiltTable) -> list[range]:
    cells, size = _trained_cells(entry.space), entry.cells_per_job
    return [range(first, min(first + size, cells)) for first in range(0, cells, size)]


def _label(part: range) -> str:
    return f"{part.start:04d}-{part.stop:04d}"


def _recipe(entry: BuiltTable) -> dict[str, Any]:
    return {key: getattr(entry, key) for key in Recipe.model_fields}


def plan_parts(scale: Scale) -> dict[str, Job]:
    """Jobs of the parts of all tables by TABLE/FIRST-LAST."""
    return {
        f"{name}/{_label(part)}": BuildJob(**_recipe(entry), device=scale.device, cells=part)
        for name, entry in scale.section("tables").items()
        for part in _ranges(entry)
    }


def plan_tables(scale: Scale) -> dict[str, Job]:
    """Jobs that merge parts, by the name of their table."""
    return {
        name: BuildJob(
            **_recipe(entry),
            merge=[table_part.path(scale, f"{name}/{_label(part)}") for part in _ranges(entry)],
        )
        for name, entry in scale.section("tables").items()
    }


def read(path: Path) -> Table:
    """Benchmark table."""
    from dagnas.tables.table import Table

    return Table(path)


ABOUT = (
    "Train every cell of a space on a set of images and tabulate accuracies. An interrupted build "
    "resumes where it stopped when the same command is run again."
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
  dagnas build-table --images fashion.npz --merge fashion201.checkpoint/*.parquet --partial \
      --out half.parquet

The file holds `images`, uint8 of shape (N, H, W) or (N, H, W, C), and `labels`, integers from 0
on, one for each image.
"""
TITLE = "make a benchmark table by training every cell on your images"
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
