"""``dagnas build-table``: make a benchmark table of your own images."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from dagnas.errors import DagnasError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXAMPLES = """examples:
  # All cells of NAS-Bench-201 on images and labels of an .npz file; an hour or more on one core.
  dagnas build-table --space nasbench201 --images fashion.npz --out data/fashion201.parquet

  # It is a benchmark then.
  dagnas search --benchmark fashion201 --method goal --trials 0:10 --out goal.parquet

  # The shipped table digits201 once more. Other trainings, on a GPU.
  dagnas build-table --space nasbench201 --images digits --out again.parquet
  dagnas build-table --space nasbench201 --images fashion.npz --out long.parquet \\
      --set epochs=24 --set channels=16 --set train=6000 --device cuda

  # In parts, on several machines; the scale file config/build.yaml has Snakemake do it.
  dagnas build-table --space nasbench201 --images digits --cells 0:3233 --out a.parquet
  dagnas build-table --space nasbench201 --images digits --cells 3233:6466 --out b.parquet
  dagnas build-table --space nasbench201 --images digits --merge a.parquet b.parquet \\
      --out again.parquet

The file holds `images`, uint8 of shape (N, H, W) or (N, H, W, C), and `labels`, integers from 0
on, one for each image. An interrupted build goes on where it stopped when the same command is run
again. docs/digits201.md lists the settings.
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "build-table",
        help="make a benchmark table by training every cell on your images",
        description="Train every cell of a space on a set of images and tabulate accuracies.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--space", required=True, metavar="S", help="nasbench201")
    parser.add_argument(
        "--images",
        required=True,
        metavar="FILE.npz",
        help="images and labels; or `digits`, those of scikit-learn",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="TABLE.parquet")
    parser.add_argument(
        "--name", metavar="NAME", help="names columns and random streams; default: FILE"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="setting of network or training; may be repeated",
    )
    parser.add_argument("--device", default="cpu", choices=["auto", "cpu", "cuda"])
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument(
        "--cells", metavar="A:B", help="only cells A to B - 1 of those trained: make a part"
    )
    parts.add_argument(
        "--merge", nargs="+", type=Path, metavar="PART", help="make the table of its parts"
    )


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    from dagnas.cli.search import parse_range, parse_setting
    from dagnas.files import write_parquet
    from dagnas.training.build import Build
    from dagnas.training.device import choose_device
    from dagnas.training.images import find_images
    from dagnas.training.recipe import parse_recipe

    if options.out.suffix != ".parquet":
        raise DagnasError(f"--out {options.out}: expected a name that ends in .parquet")
    recipe = parse_recipe(dict(parse_setting(text) for text in options.set))
    images = find_images(options.images, options.name)
    build = Build(options.space, images, recipe, choose_device(options.device))
    if options.merge:
        table, metadata = build.table([build.read_part(path) for path in options.merge])
        write_parquet(table, options.out, metadata)
        print(f"{options.out}: {table.num_rows:,} cells")
        return
    codes = build.codes
    if options.cells:
        cells = parse_range("--cells", options.cells)
        if cells.stop > len(codes):
            raise DagnasError(f"--cells {options.cells}: there are {len(codes):,} cells to train")
        codes = codes[cells.start : cells.stop]
    checkpoint = options.out.with_suffix(".checkpoint")
    print(
        f"{len(codes):,} cells x {recipe.seeds} seeds x {recipe.epochs} epochs on "
        f"{build.processor}: about {_hours(build.estimate(codes, checkpoint))} here",
        flush=True,
    )
    trained = build.train(codes, checkpoint)
    if options.cells:
        write_parquet(trained, options.out, trained.schema.metadata)
    else:
        table, metadata = build.table([trained])
        write_parquet(table, options.out, metadata)
    shutil.rmtree(checkpoint)
    print(f"{options.out}: {len(codes) if options.cells else table.num_rows:,} cells")


def _hours(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes / 60:.1f} h" if minutes >= 90 else f"{minutes:.1f} min"
