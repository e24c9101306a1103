"""How fast predictors train and score: ``python -m perf.predictors``.

Times are processor time on one thread, the best of several rounds. The second table compares dense
ECC with the same function of the same weights by PyTorch Geometric's NNConv, the third the compiled
training of BONAS's network with that of PyTorch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from dagnas.predictors import PREDICTORS
from dagnas.predictors.ecc import ECC
from dagnas.predictors.fit import as_tensors, fit, gradient, predict
from dagnas.predictors.gcn import GCN, fit_square
from dagnas.predictors.losses import weighted_square
from dagnas.predictors.pyg import from_pyg
from dagnas.seeds import stream, torch_generator
from dagnas.spaces import SPACES
from dagnas.spaces.cells import Graphs
from tests.predictors.common import one_hots, seeded
from tests.predictors.reference import NNConvECC

ROUNDS = 8


def best(work: Callable[[], object]) -> float:
    """Shortest processor time of some rounds, in seconds, after one to warm up."""
    seconds = []
    for _ in range(ROUNDS + 1):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds[1:])


def step(model: nn.Module, graphs: Graphs, batch_size: int) -> float:
    """Seconds of a training step, out of 20."""
    count = len(graphs.nodes)
    epochs = 20 * batch_size // count
    train = partial(fit, model, graphs, np.arange(count), epochs=epochs, batch_size=batch_size)
    return best(lambda: train(generator=seeded())) / 20


def bench_search() -> None:
    """What a search asks for, on cells of the benchmarks' spaces."""
    print("space        predictor  ms a step (32)  us a gradient  us a score  s for 423,624")
    for name in ("nasbench201", "nasbench101"):
        space = SPACES.get(name)
        rng = stream("bench", name)
        graphs = as_tensors(space.to_graph(space.sample(4096, rng)))
        few = Graphs(*(values[:128] for values in graphs))
        for predictor in PREDICTORS.names():
            model = PREDICTORS.get(predictor).build(space, torch_generator(rng))
            train = step(model, few, 32)
            slope = best(partial(gradient, model, few)) / 128
            score = best(partial(predict, model, graphs)) / 4096
            print(
                f"{name:12} {predictor:9} {train * 1e3:15.2f} {slope * 1e6:14.1f} "
                f"{score * 1e6:11.1f} {score * 423_624:14.1f}"
            )


def bench_against_nnconv() -> None:
    """Training step of 64 graphs, four layers of 64, dense against edge by edge."""
    print("\n V  R  ms dense  ms NNConv  ratio")
    for vertices, types in ((8, 2), (8, 5), (7, 2), (7, 5), (4, 5)):
        dense = ECC(5, types, layers=4, hidden=64)
        sparse = from_pyg(NNConvECC(dense, types))
        graphs = as_tensors(one_hots(64, vertices, 5, types))
        mine, theirs = step(dense, graphs, 64), step(sparse, graphs, 64)
        print(f"{vertices:2} {types:2} {mine * 1e3:9.2f} {theirs * 1e3:10.1f} {theirs / mine:6.1f}")


def _seeded(train: Callable[..., object]) -> None:
    train(generator=seeded())


def bench_gcn() -> None:
    """Training step of BONAS's network on 128 cells, compiled against in PyTorch's operations."""
    print("\nspace        ms compiled  ms PyTorch  ratio")
    for name in ("nasbench201", "nasbench101"):
        space = SPACES.get(name)
        rng = stream("bench", name)
        model = GCN(space, layers=4, hidden=64, normalized=True)
        graphs = model.encode(as_tensors(space.to_graph(space.prune(space.sample(512, rng)))))
        errors = torch.from_numpy(rng.uniform(size=512)).float()
        given: dict[str, Any] = {"epochs": 5, "batch_size": 128, "lr": 1e-3}
        compiled = partial(fit_square, model.body, graphs, errors, loss="mse", **given)
        plain = partial(fit, model.body, graphs, errors, loss=weighted_square("mse"), **given)
        mine, theirs = (best(partial(_seeded, train)) / 20 for train in (compiled, plain))
        print(f"{name:12} {mine * 1e3:11.2f} {theirs * 1e3:11.2f} {theirs / mine:6.1f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    bench_search()
    bench_against_nnconv()
    bench_gcn()
