"""``dagnas autoencode``: train a graph VAE."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from dagnas.cli.search import add_data
from dagnas.errors import DagnasError, unknown

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXAMPLES = """examples:
  dagnas autoencode --config config/smoke.yaml --autoencoder ngae_digits201 --out vae.pt
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "autoencode",
        help="train a graph VAE on a benchmark",
        description="Train a graph VAE of a scale file on most cells of a benchmark. An epoch that "
        "was finished is not done again: FILE.pt.part, which is removed at the end, holds the "
        "state after the last one.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", required=True, type=Path, metavar="FILE.yaml")
    parser.add_argument("--autoencoder", required=True, metavar="NAME")
    add_data(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.pt")


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    from tqdm import tqdm

    from dagnas.benchmarks import BENCHMARKS
    from dagnas.benchmarks.benchmark import TabularBenchmark
    from dagnas.pipeline.config import load
    from dagnas.predictors.graph_vae.labelled import label_benchmark
    from dagnas.predictors.graph_vae.model import SIZES
    from dagnas.predictors.graph_vae.stored import Stored
    from dagnas.predictors.graph_vae.training import Record, build, fit_graph_vae
    from dagnas.seeds import stream, torch_generator
    from dagnas.tables.place import data_folder
    from dagnas.training.device import choose_device

    config, name = load(options.config), options.autoencoder
    if name not in config.autoencoders:
        raise unknown(f"autoencoder of {options.config}", name, config.autoencoders)
    asked = config.autoencoders[name]
    benchmark = BENCHMARKS.get(asked.benchmark).open(data_folder(options.data))
    if not isinstance(benchmark, TabularBenchmark):
        raise DagnasError(f"autoencoder {name!r}: benchmark {benchmark.name!r} is no table")
    train = label_benchmark(benchmark, asked.target, asked.shares).train
    generator = torch_generator(stream(name))
    model = build(benchmark.space, SIZES[asked.sizes], generator, asked.bidirectional)
    model.to(choose_device(config.device))
    checkpoint = options.out.with_name(f"{options.out.name}.part")
    with tqdm(total=asked.epochs, desc=f"autoencoder {name}", unit="epoch", disable=None) as bar:

        def show(record: Record) -> None:
            bar.update(record.epoch - bar.n)
            bar.set_postfix(loss=f"{record.nodes + record.edges:.3f}", lr=record.lr)

        training = fit_graph_vae(
            model,
            train,
            epochs=asked.epochs,
            schedule=asked.schedule(),
            generator=generator,
            keep=asked.keep,
            checkpoint=checkpoint,
            progress=show,
        )
    Stored.of(model, training).write(options.out)
    checkpoint.unlink()
