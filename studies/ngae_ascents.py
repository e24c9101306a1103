"""How far NGAE's ascents lead at several step sizes: ``python -m studies.ngae_ascents``.

Reads the graph VAE that ``snakemake -c2 ngae`` trains on ENAS's cells, and looks at places in the
latent space only, not at accuracies: from this table the step size of figures 4 and 5 was chosen.
Also: what the divergence begins with, and how much longer steps take with subnormal numbers.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch

from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.predictors.graph_vae.labelled import label_benchmark
from dagnas.predictors.graph_vae.measures import posterior
from dagnas.predictors.graph_vae.model import GraphVAE, divergence
from dagnas.predictors.graph_vae.schedule import Weights
from dagnas.predictors.graph_vae.stored import Stored
from dagnas.predictors.graph_vae.training import Examples, build
from dagnas.search.models.latent import Region, ascend, decode_valid
from dagnas.seeds import stream, torch_generator

RATES, STEPS, STARTS = (0.003, 0.01, 0.03, 0.1, 1.0), 100, 100


def spread(points: torch.Tensor, origin: torch.Tensor, region: Region) -> float:
    """Mean over points of the root mean square distance, in the codes' standard deviations."""
    return float(((points - origin) / region.deviation).square().mean(dim=1).sqrt().mean())


def bench_subnormal(model: GraphVAE, train: Examples) -> None:
    """Gradients of training steps, with and without subnormal numbers, in processor time."""
    noise = 0.01 * torch.randn(32, model.sizes.latent, generator=torch_generator(stream("noise")))
    medians = []
    for flush in (False, True):
        torch.set_flush_denormal(flush)
        seconds = []
        for start in range(0, 40 * 32, 32):
            begun = time.process_time()
            losses = model.losses(*train.take(slice(start, start + 32)), noise)
            losses.objective(Weights()).backward()
            seconds.append(time.process_time() - begun)
        medians.append(float(np.median(seconds)))
    torch.set_flush_denormal(False)
    print(f"subnormal numbers kept against zero: {medians[0] / medians[1]:.2f} times as long")


def main() -> None:
    """Print all tables."""
    bench = BENCHMARKS.get("enas").open(Path("data"))
    assert isinstance(bench, TabularBenchmark)
    train = label_benchmark(bench, "cifar10/valid/0").train
    stored = Stored.read(Path("results/desk/autoencoders/ngae_enas.pt"))
    fresh = build(bench.space, stored.sizes, torch_generator(stream("ngae_enas")))
    mean, deviation = posterior(fresh, train.batch)
    begin = float(divergence(mean, 2 * deviation.log()).mean())
    print(f"divergence with initial weights: {begin:.2f} nats")
    for epoch in sorted(stored.training.states):
        codes, _ = posterior(stored.model(bench.space, epoch), train.batch)
        region = Region.of(codes)
        print(f"epoch {epoch}: codes deviate by {float(region.deviation.mean()):.3f}")
    model = stored.model(bench.space)
    starts = region.draw(STARTS, torch_generator(stream("x")))
    print("step size  complexity  from the mean  from the start  decoded (%)")
    for rate in RATES:
        for complexity in (False, True):
            ends = ascend(model, starts, steps=STEPS, rate=rate, complexity=complexity).points
            valid = 100 * len(decode_valid(model, ends)[0]) / STARTS
            print(
                f"{rate:9g}  {complexity!s:10}  {spread(ends, region.mean, region):13.2f}  "
                f"{spread(ends, starts, region):14.2f}  {valid:11.0f}"
            )
    bench_subnormal(model, train)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
