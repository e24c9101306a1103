"""How fast a graph VAE trains on ENAS cells: ``python -m perf.graph_vae``.

Times are processor time on one thread of a step of Adam, the best of several. The first table is of
the named sizes; the second compares with the same function of the same weights computed on a list
of graphs, as D-VAE's code does (`tests.predictors.reference_vae`); the third compares the written
gradient of message passing with an automatic one.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from dagnas.predictors.graph_vae.model import SIZES, GraphVAE, Losses
from dagnas.predictors.graph_vae.passing import Passing, prepare
from dagnas.predictors.graph_vae.schedule import Schedule, Weights
from dagnas.predictors.graph_vae.training import build
from dagnas.seeds import stream, torch_generator
from dagnas.spaces import SPACES
from tests.predictors import reference_vae

#: Cells of D-VAE's training set.
TRAINED = 17_118
BATCHES = (32, 128, 512)


def best(work: Callable[[], object], rounds: int) -> float:
    """Shortest processor time of some rounds, in seconds, after one to warm up."""
    seconds = []
    for _ in range(rounds + 1):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds[1:])


def stepping(model: GraphVAE, batch_size: int, on_graphs: bool) -> Callable[[], object]:
    """A step of training, in batches or on a list of graphs."""
    rng = stream("bench", "graph_vae")
    space, generator = model.space, torch_generator(rng)
    cells = space.sample(batch_size, rng)
    batch, graphs = prepare(space, cells), [reference_vae.Graph(space, cell) for cell in cells]
    values = torch.rand(2, batch_size, generator=generator)
    noise = 0.01 * torch.randn(batch_size, model.sizes.latent, generator=generator)
    optimizer = torch.optim.Adam(model.parameters(), lr=Schedule().lr, fused=True)

    def losses() -> Losses:
        if on_graphs:
            return reference_vae.losses(model, graphs, values[0], values[1], noise)
        return model.losses(batch, values[0], values[1], noise)

    def step() -> None:
        optimizer.zero_grad()
        losses().objective(Weights()).backward()
        optimizer.step()

    return step


def automatic(passing: Passing, inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """`Passing.forward` in operations whose gradients PyTorch knows."""
    states: list[torch.Tensor] = []
    sent: list[torch.Tensor] = []
    for v in range(len(inputs)):
        sums = inputs.new_zeros(inputs.shape[1], passing.hidden)
        if v:
            messages = torch.cat(sent)
            sums = (weights[v, : len(messages), :, None] * messages).sum(dim=0)
        states.append(passing.update(inputs[v], sums))
        sent.append(passing.messages(states[v], v))
    return torch.stack(states)


def bench_sizes(models: dict[str, GraphVAE]) -> None:
    """Training steps of the named sizes."""
    print("size  batch  ms a step  graphs/s  s an epoch  h for 300")
    for name, model in models.items():
        for batch_size in BATCHES:
            seconds = best(stepping(model, batch_size, False), 4 if name == "full" else 30)
            epoch = seconds * -(-TRAINED // batch_size)
            print(
                f"{name:5} {batch_size:5} {seconds * 1e3:10.1f} {batch_size / seconds:9.0f} "
                f"{epoch:11.1f} {epoch / 12:10.2f}",
                flush=True,
            )


def bench_graphs(models: dict[str, GraphVAE]) -> None:
    """Training steps in batches against those on lists of graphs."""
    print("\nsize  batch  ms batched  ms on graphs  ratio")
    for name, model in models.items():
        for batch_size in BATCHES[:2]:
            mine = best(stepping(model, batch_size, False), 4 if name == "full" else 30)
            theirs = best(stepping(model, batch_size, True), 3)
            print(
                f"{name:5} {batch_size:5} {mine * 1e3:11.1f} {theirs * 1e3:13.1f} "
                f"{theirs / mine:6.1f}",
                flush=True,
            )


def bench_gradient(model: GraphVAE) -> None:
    """Message passing and its gradient, written and automatic."""
    print("\nbatch  ms written  ms automatic  ratio")
    for batch_size in BATCHES:
        cells = model.space.sample(batch_size, stream("bench"))
        batch, passing = prepare(model.space, cells), model.forwards

        def written() -> None:
            passing(passing.read(batch.nodes), batch.weights).sum().backward()  # noqa: B023

        def plain() -> None:
            automatic(passing, passing.read(batch.nodes), batch.weights).sum().backward()  # noqa: B023

        mine, theirs = best(written, 30), best(plain, 30)
        print(f"{batch_size:5} {mine * 1e3:11.2f} {theirs * 1e3:13.2f} {theirs / mine:6.1f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    space = SPACES.get("enas")
    models = {
        name: build(space, sizes, torch_generator(stream("bench", name)))
        for name, sizes in SIZES.items()
    }
    bench_gradient(models["desk"])
    bench_graphs(models)
    bench_sizes(models)
