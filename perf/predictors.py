"""Processor time of predictors: ``python -m perf.predictors``.

Each figure is of one thread, the best of several rounds. The first table is what a search asks for:
a step of training, a gradient with respect to a cell, a score. The second compares dense ECC with
the same function of the same weights by PyTorch Geometric's NNConv, the third the compiled training
of BONAS's network with that of PyTorch, the fourth products of matrices by NumPy's library with
those by PyTorch's. No table is needed: cells are drawn at random.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from dagnas.predictors import PREDICTORS
from dagnas.predictors.ecc import ECC
from dagnas.predictors.fit import as_tensors, fit, gradient, predict
from dagnas.predictors.gcn.model import GCN
from dagnas.predictors.gcn.training import fit_square
from dagnas.predictors.losses import weighted_square
from dagnas.predictors.products import multiply
from dagnas.predictors.pyg import from_pyg
from dagnas.seeds import stream, torch_generator
from dagnas.spaces import SPACES
from dagnas.spaces.cells import Graphs
from perf.common import Work, command_line, least_seconds, run
from tests.predictors.common import one_hots, seeded
from tests.predictors.reference import NNConvECC

#: Classes of NAS-Bench-101, all of which a search may score.
ALL = 423_624


class Size(NamedTuple):
    """How much is measured.

    Attributes
    ----------
    rounds : int
    steps : int
        Steps of training in one round.
    cells : int
        Cells that are scored.
    spaces : tuple of str
    shapes : tuple of pairs of int
        Vertices and types of edges of one-hot graphs.
    products : tuple of triples of int
        a, b and c of products of matrices of shapes (a, b) and (b, c).
    """

    rounds: int = 8
    steps: int = 20
    cells: int = 4096
    spaces: tuple[str, ...] = ("nasbench201", "nasbench101")
    shapes: tuple[tuple[int, int], ...] = ((8, 2), (8, 5), (7, 2), (7, 5), (4, 5))
    products: tuple[tuple[int, int, int], ...] = (
        *((32, 64, 64), (128, 384, 64), (32, 128, 384), (1024, 128, 384)),
        *((128, 512, 2048), (128, 2048, 2048)),
    )


SMALLEST = Size(
    rounds=1,
    steps=4,
    cells=128,
    spaces=("nasbench201",),
    shapes=((4, 5),),
    products=((32, 64, 64),),
)


def training(model: nn.Module, graphs: Graphs, batch_size: int, steps: int) -> Work:
    """Some steps of training."""
    count = len(graphs.nodes)
    epochs = steps * batch_size // count
    labels = np.arange(count)
    return lambda: fit(
        model, graphs, labels, epochs=epochs, batch_size=batch_size, generator=seeded()
    )


def bench_search(size: Size) -> None:
    """What a search asks for, on cells of the benchmarks' spaces."""
    print(f"space        predictor  ms a step (32)  us a gradient  us a score  s for {ALL:,}")
    for name in size.spaces:
        space, rng = SPACES.get(name), stream("bench", name)
        graphs = as_tensors(space.to_graph(space.sample(size.cells, rng)))
        few = Graphs(*(values[:128] for values in graphs))
        for predictor in PREDICTORS.names():
            model = PREDICTORS.get(predictor).build(space, torch_generator(rng))
            train, slope, score = least_seconds(
                {
                    "train": training(model, few, 32, size.steps),
                    "gradient": partial(gradient, model, few),
                    "score": partial(predict, model, graphs),
                },
                size.rounds,
            ).values()
            print(
                f"{name:12} {predictor:9} {train / size.steps * 1e3:15.2f} "
                f"{slope / 128 * 1e6:14.1f} {score / size.cells * 1e6:11.1f} "
                f"{score / size.cells * ALL:14.1f}",
                flush=True,
            )


def bench_against_nnconv(size: Size) -> None:
    """Training step of 64 graphs, four layers of 64, dense against edge by edge."""
    print("\n V  R  ms dense  ms NNConv  ratio")
    for vertices, types in size.shapes:
        dense = ECC(5, types, layers=4, hidden=64)
        models = {"dense": dense, "sparse": from_pyg(NNConvECC(dense, types))}
        graphs = as_tensors(one_hots(64, vertices, 5, types))
        works = {name: training(model, graphs, 64, size.steps) for name, model in models.items()}
        mine, theirs = (t / size.steps for t in least_seconds(works, size.rounds).values())
        print(
            f"{vertices:2} {types:2} {mine * 1e3:9.2f} {theirs * 1e3:10.1f} {theirs / mine:6.1f}",
            flush=True,
        )


def bench_gcn(size: Size) -> None:
    """Training step of BONAS's network on 128 cells, compiled against in PyTorch's operations."""
    print("\nspace        ms compiled  ms PyTorch  ratio")
    for name in size.spaces:
        space, rng = SPACES.get(name), stream("bench", name)
        model = GCN(space, layers=4, hidden=64, normalized=True)
        graphs = model.encode(as_tensors(space.to_graph(space.prune(space.sample(512, rng)))))
        errors = torch.from_numpy(rng.uniform(size=512)).float()
        given: dict[str, Any] = {"epochs": size.steps // 4, "batch_size": 128, "lr": 1e-3}
        compiled = partial(fit_square, model.body, graphs, errors, loss="mse", **given)
        plain = partial(fit, model.body, graphs, errors, loss=weighted_square("mse"), **given)
        works: dict[str, Work] = {
            "compiled": lambda: compiled(generator=seeded()),  # noqa: B023
            "plain": lambda: plain(generator=seeded()),  # noqa: B023
        }
        mine, theirs = (t / size.steps for t in least_seconds(works, size.rounds).values())
        print(f"{name:12} {mine * 1e3:11.2f} {theirs * 1e3:11.2f} {theirs / mine:6.1f}", flush=True)


def repeat(work: Work, times: int) -> None:
    """Do a short work some times."""
    for _ in range(times):
        work()


def bench_products(size: Size) -> None:
    """Products of the sizes that predictors have, by both libraries."""
    print("\n   a     b     c  us NumPy  us PyTorch  ratio")
    for shape in size.products:
        rows, inner, columns = shape
        left, right = torch.rand(rows, inner), torch.rand(inner, columns)
        times = max(1, 10**8 // (rows * inner * columns))
        works = {
            name: partial(repeat, partial(function, left, right), times)
            for name, function in (("NumPy", multiply), ("PyTorch", torch.mm))
        }
        mine, theirs = (t / times * 1e6 for t in least_seconds(works, size.rounds).values())
        sizes = " ".join(f"{width:5}" for width in shape)
        print(f"{sizes[1:]} {mine:9.1f} {theirs:11.1f} {theirs / mine:6.1f}", flush=True)


def main() -> None:
    """Print all tables."""
    smallest = command_line("perf.predictors", __doc__).parse_args().smallest
    torch.set_num_threads(1)
    size = SMALLEST if smallest else Size()
    bench_search(size)
    bench_against_nnconv(size)
    bench_gcn(size)
    bench_products(size)


if __name__ == "__main__":
    run(main)
