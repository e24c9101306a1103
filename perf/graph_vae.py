"""Processor time of training a graph VAE on ENAS's cells: ``python -m perf.graph_vae``.

Each figure is of one step of Adam on one thread, the best of several. The first table compares the
written gradient of message passing with PyTorch's automatic one; the second compares training in
batches with the same function of the same weights computed on a list of graphs, as D-VAE's code
does (`tests.predictors.reference_vae`); the third is of the named sizes, with what an epoch and a
whole training take. No table is needed: cells are drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

from dagnas.predictors.graph_vae.model import SIZES, GraphVAE, Losses
from dagnas.predictors.graph_vae.passing import Passing, prepare
from dagnas.predictors.graph_vae.schedule import Schedule, Weights
from dagnas.predictors.graph_vae.training import build
from dagnas.seeds import stream, torch_generator
from dagnas.spaces import SPACES
from perf.common import command_line, least, least_seconds, run
from tests.predictors import reference_vae

#: Cells of D-VAE's training set, and its epochs.
TRAINED, EPOCHS = 17_118, 300
BATCHES = (32, 128, 512)
#: Rounds by size of the model; "full" takes seconds a step.
ROUNDS = {"desk": 30, "full": 4}


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


def bench_gradient(model: GraphVAE, batches: Sequence[int], rounds: int) -> None:
    """Message passing and its gradient, written and automatic."""
    print("batch  ms written  ms automatic  ratio")
    for batch_size in batches:
        cells = model.space.sample(batch_size, stream("bench"))
        batch, passing = prepare(model.space, cells), model.forwards

        def written() -> None:
            passing(passing.read(batch.nodes), batch.weights).sum().backward()  # noqa: B023

        def plain() -> None:
            automatic(passing, passing.read(batch.nodes), batch.weights).sum().backward()  # noqa: B023

        mine, theirs = least_seconds({"written": written, "plain": plain}, rounds).values()
        print(f"{batch_size:5} {mine * 1e3:11.2f} {theirs * 1e3:13.2f} {theirs / mine:6.1f}")


def bench_graphs(
    models: Mapping[str, GraphVAE], batches: Sequence[int], rounds: Mapping[str, int]
) -> None:
    """Training steps in batches against those on lists of graphs."""
    print("\nsize  batch  ms batched  ms on graphs  ratio")
    for name, model in models.items():
        for batch_size in batches:
            works = {
                on_graphs: stepping(model, batch_size, on_graphs) for on_graphs in (False, True)
            }
            mine, theirs = least_seconds(works, min(rounds[name], 4)).values()
            print(
                f"{name:5} {batch_size:5} {mine * 1e3:11.1f} {theirs * 1e3:13.1f} "
                f"{theirs / mine:6.1f}",
                flush=True,
            )


def bench_sizes(
    models: Mapping[str, GraphVAE], batches: Sequence[int], rounds: Mapping[str, int]
) -> None:
    """Training steps of the named sizes."""
    print(f"\nsize  batch  ms a step  graphs/s  s an epoch  h for {EPOCHS}")
    for name, model in models.items():
        for batch_size in batches:
            seconds = least(stepping(model, batch_size, False), rounds[name])
            epoch = seconds * -(-TRAINED // batch_size)
            print(
                f"{name:5} {batch_size:5} {seconds * 1e3:10.1f} {batch_size / seconds:9.0f} "
                f"{epoch:11.1f} {epoch * EPOCHS / 3600:10.2f}",
                flush=True,
            )


def main() -> None:
    """Print all tables."""
    smallest = command_line("perf.graph_vae", __doc__).parse_args().smallest
    torch.set_num_threads(1)
    space = SPACES.get("enas")
    batches = (4,) if smallest else BATCHES
    rounds = {"desk": 1} if smallest else ROUNDS
    models = {
        name: build(space, SIZES[name], torch_generator(stream("bench", name))) for name in rounds
    }
    bench_gradient(models["desk"], batches, rounds["desk"])
    bench_graphs(models, batches[:2], rounds)
    bench_sizes(models, batches, rounds)


if __name__ == "__main__":
    run(main)
