"""``dagnas rank``: how well predictors rank cells."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from dagnas.cli.search import add_data
from dagnas.errors import DagnasError, unknown

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXAMPLES = """examples:
  dagnas rank --config config/smoke.yaml --ranking goal_uniform --out ranking.parquet
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "rank",
        help="train predictors and score cells held out",
        description="Run a ranking of a scale file: train predictors, score cells. What was done "
        "before an interruption is not done again.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", required=True, type=Path, metavar="FILE.yaml")
    parser.add_argument("--ranking", required=True, metavar="NAME", help="a key of `rankings`")
    add_data(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.parquet")


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    from dagnas.benchmarks import BENCHMARKS
    from dagnas.benchmarks.benchmark import TabularBenchmark, find_policy
    from dagnas.closure import digest
    from dagnas.files import write_parquet
    from dagnas.parts import Parts
    from dagnas.pipeline.config import UniformRanking, load
    from dagnas.search import METHODS
    from dagnas.search.ranking import Training, rank_after_search, rank_shares, rank_uniform
    from dagnas.search.runner import Search
    from dagnas.tables.place import data_folder
    from dagnas.training.device import choose_device

    config = load(options.config)
    if options.ranking not in config.rankings:
        raise unknown(f"ranking of {options.config}", options.ranking, config.rankings)
    ranking, name = config.rankings[options.ranking], options.ranking
    data, device = data_folder(options.data), choose_device(config.device)
    trials = ranking.trials or config.trials
    identity = {
        "dagnas.ranking": ranking.model_dump_json(exclude={"trials"}),
        "dagnas.code": digest(config.ranking_modules(name)),
        "dagnas.device": device,
    }
    if isinstance(ranking, UniformRanking):
        benchmark = BENCHMARKS.get(ranking.benchmark).open(data)
        if not isinstance(benchmark, TabularBenchmark):
            raise DagnasError(f"ranking {name!r}: benchmark {benchmark.name!r} is no table")
        training = Training(
            ranking.epochs, ranking.loss, ranking.batch_size, ranking.lr, ranking.weight_decay
        )
        parts = Parts(options.out, identity | {"dagnas.table": benchmark.digest()})
        asked = (name, benchmark, ranking.target, ranking.predictors)
        if ranking.shares:
            table = rank_shares(*asked, ranking.shares, training, trials, device, parts)
        else:
            sizes = (ranking.train_sizes, ranking.test_size)
            table = rank_uniform(*asked, *sizes, training, trials, device, parts)
        modelled = benchmark.table.emulated.intersection([f"{ranking.target}/mean"])
        emulated = ["target"] if modelled else []
    else:
        (job, *_) = config.search_jobs(ranking.study, ranking.method)
        search = Search(
            benchmark=BENCHMARKS.get(job.benchmark).open(data),
            method=METHODS.get(job.base),
            given=job.settings,
            policy=job.policy,
            budget_seconds=job.budget_seconds,
            budget_evaluations=job.budget_evaluations,
            device=device,
            study=job.study,
        )
        parts = Parts(options.out, identity | search.metadata())
        trials = ranking.trials or config.trials_of(job.study)
        table = rank_after_search(name, search, trials, parts)
        rules = find_policy(search.benchmark, search.policy)
        emulated = list(search.benchmark.emulated(rules))
    about = {
        "dagnas.ranking": ranking.model_dump_json(),
        "dagnas.emulated": json.dumps(emulated),
    }
    write_parquet(table, options.out, about)
    parts.remove()
