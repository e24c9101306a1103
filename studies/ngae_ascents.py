"""Distances that NGAE's ascents cover at several step sizes: ``python -m studies.ngae_ascents``.

Reads the graph VAE that ``snakemake -c2 ngae`` trains on ENAS's cells, and looks at places in the
latent space only, not at accuracies: from this table the step size of figures 4 and 5 was chosen.
Also prints the divergence that training begins with, and how much longer steps of training take
with subnormal numbers than without, in turns.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from dagnas.predictors.graph_vae.labelled import label_benchmark
from dagnas.predictors.graph_vae.measures import posterior
from dagnas.predictors.graph_vae.model import GraphVAE, divergence
from dagnas.predictors.graph_vae.schedule import Weights
from dagnas.predictors.graph_vae.training import Examples, build
from dagnas.search.models.latent import Region, ascend, decode_valid
from dagnas.seeds import stream, torch_generator
from perf.common import command_line, least_seconds, run
from studies.common import Artifacts, add_scale, artifacts

NAME = "ngae_enas"
RATES, STEPS, STARTS = (0.003, 0.01, 0.03, 0.1, 1.0), 100, 100
BATCH, ROUNDS = 32, 40


def spread(points: torch.Tensor, origin: torch.Tensor, region: Region) -> float:
    """Mean over points of the root mean square distance, in the codes' standard deviations."""
    return float(((points - origin) / region.deviation).square().mean(dim=1).sqrt().mean())


def show_divergence(made: Artifacts, train: Examples) -> None:
    """Print the divergence with initial weights, and the codes' deviations in training."""
    space, stored = made.table("autoencoders", NAME).space, made.read("autoencoder", NAME)
    fresh = build(space, stored.sizes, torch_generator(stream(NAME)))
    mean, deviation = posterior(fresh, train.batch)
    begin = float(divergence(mean, 2 * deviation.log()).mean())
    print(f"divergence with initial weights: {begin:.2f} nats")
    for epoch in sorted(stored.training.states):
        codes, _ = posterior(stored.model(space, epoch), train.batch)
        print(f"epoch {epoch}: codes deviate by {float(Region.of(codes).deviation.mean()):.3f}")


def show_ascents(model: GraphVAE, train: Examples, steps: int, count: int) -> None:
    """Print a line for each step size, with and without complexity."""
    codes, _ = posterior(model, train.batch)
    region = Region.of(codes)
    starts = region.draw(count, torch_generator(stream("x")))
    print("step size  complexity  from the mean  from the start  decoded (%)")
    for rate in RATES:
        for complexity in (False, True):
            ends = ascend(model, starts, steps=steps, rate=rate, complexity=complexity).points
            valid = 100 * len(decode_valid(model, ends)[0]) / count
            print(
                f"{rate:9g}  {complexity!s:10}  {spread(ends, region.mean, region):13.2f}  "
                f"{spread(ends, starts, region):14.2f}  {valid:11.0f}"
            )


def show_subnormal(model: GraphVAE, train: Examples, rounds: int) -> None:
    """Print the ratio of a gradient's processor times with and without subnormal numbers."""
    examples = train.take(slice(0, BATCH))
    size = (len(examples.performance), model.sizes.latent)
    noise = 0.01 * torch.randn(size, generator=torch_generator(stream("noise")))

    def gradient(flush: bool) -> Callable[[], None]:
        def work() -> None:
            torch.set_flush_denormal(flush)
            model.losses(*examples, noise).objective(Weights()).backward()
            torch.set_flush_denormal(False)

        return work

    kept, zero = least_seconds({flush: gradient(flush) for flush in (False, True)}, rounds).values()
    print(f"subnormal numbers kept against zero: {kept / zero:.2f} times as long")


def main() -> None:
    """Print all tables."""
    parser = command_line("studies.ngae_ascents", __doc__, "--scale config/paper.yaml")
    add_scale(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    steps, starts, rounds = (2, 4, 1) if options.smallest else (STEPS, STARTS, ROUNDS)
    with artifacts(options, "autoencoder", NAME) as made:
        asked, bench = made.entry("autoencoders", NAME), made.table("autoencoders", NAME)
        train = label_benchmark(bench, asked.target, asked.shares).train
        model = made.read("autoencoder", NAME).model(bench.space)
        show_divergence(made, train)
        show_ascents(model, train, steps, starts)
        show_subnormal(model, train, rounds)


if __name__ == "__main__":
    run(main)
