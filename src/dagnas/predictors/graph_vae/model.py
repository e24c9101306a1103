"""Graph variational autoencoder with predictors of performance and complexity (NGAE, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from dagnas.errors import DagnasError
from dagnas.predictors.graph_vae.gradients import score_pairs
from dagnas.predictors.graph_vae.passing import Batch, Passing, Placed, silent
from dagnas.predictors.graph_vae.schedule import Weights
from dagnas.predictors.products import Linear
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, Graphs


@dataclass(frozen=True)
class Sizes:
    """Widths of the networks; the paper states none.

    Attributes
    ----------
    hidden : int
        H, of a state and of the predictors' two layers each.
    latent : int
        J, of the latent space.
    types, edges : int
        Of the hidden layer that decodes the type of a vertex, and an edge.
    """

    hidden: int
    latent: int
    types: int
    edges: int


#: ``full`` is D-VAE's (released code). ``desk`` is for two CPU cores: an epoch of 17,118 ENAS cells
#: in batches of 32 takes a seventh of the time (python -m perf.graph_vae).
SIZES = {"desk": Sizes(128, 56, 128, 128), "full": Sizes(501, 56, 1002, 2004)}


class Losses(NamedTuple):
    """Parts of the objective for each cell, shape (B,); NGAE, equation 6.

    Attributes
    ----------
    nodes, edges : tensor
        L_n and L_e: negative log-likelihoods of types of vertices and of edges.
    divergence : tensor
        Kullback-Leibler divergence of the posterior from the prior, equation 3.
    performance, complexity : tensor
        Squared errors of the predictors, equation 4; 0 where the truth is not known.
    """

    nodes: torch.Tensor
    edges: torch.Tensor
    divergence: torch.Tensor
    performance: torch.Tensor
    complexity: torch.Tensor

    def objective(self, weights: Weights) -> torch.Tensor:
        """Weighted sum of all parts over all cells; a number."""
        parts = (
            self.nodes,
            self.edges,
            weights.divergence * self.divergence,
            weights.performance * self.performance,
            weights.complexity * self.complexity,
        )
        return torch.stack(parts).sum()


class Decoded(NamedTuple):
    """Cells that points of the latent space decode to.

    Attributes
    ----------
    cells : Cells
        One for each point; those that are not valid need not fit the space's masks.
    valid : ndarray of bool, shape (B,)
        Whether it is a cell of the space: the output is the last vertex and no other, all types
        are allowed where they are (so compulsory edges are there), and `space.is_valid`.
    likelihood : tensor, shape (B,)
        Log-probability of all choices made.
    """

    cells: Cells
    valid: NDArray[np.bool_]
    likelihood: torch.Tensor


def _perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(Linear(inputs, hidden), nn.ReLU(), Linear(hidden, outputs))


def _predictor(latent: int, hidden: int) -> nn.Sequential:
    """Two hidden layers and a sigmoid; smooth, since searches follow its gradient."""
    layers = [Linear(latent, hidden), nn.Tanh(), Linear(hidden, hidden), nn.Tanh()]
    return nn.Sequential(*layers, Linear(hidden, 1), nn.Sigmoid())


class GraphVAE(nn.Module):
    """Encoder, decoder and two predictors for the cells of any space whose ends have fixed types.

    The paper leaves open, and here is chosen:

    - Vertices' positions are appended to states wherever these are read, as D-VAE does in its
      messages: otherwise equal vertices with equal predecessors would have equal states.
    - Before its incoming edges are known, a new vertex is ``U(T_v, h)`` of the state h of the last
      generated one. If it then gets no incoming edges it stays so: later vertices could not
      be decoded from a state of T_v alone. (In the encoder its aggregate is zero.)
    - All edges into a vertex are decoded at once, from the same state; D-VAE updates the state
      after each.
    - Edges into the output are decoded as all others are, and so are those that a space always
      has: only if they come out right is a cell valid.
    - The last vertex is the output if no vertex before is; this is no choice, and costs nothing.

    Parameters
    ----------
    space : CellSpace
    sizes : Sizes
    bidirectional : bool
        Whether to encode from the output to the input also, as D-VAE does for ENAS's cells; the
        paper's encoder ends in the output.

    Raises
    ------
    DagnasError
        The first or the last vertex of a cell may have several types.

    References
    ----------
    NGAE, sections 3.1 to 3.3; D-VAE: Zhang et al., NeurIPS 2019, sections 3 and 4.
    """

    def __init__(self, space: CellSpace, sizes: Sizes, bidirectional: bool = False) -> None:
        super().__init__()
        if (space.node_mask[[0, -1]].sum(axis=1) != 1).any():
            raise DagnasError(
                f"a graph VAE starts from an input and ends with an output, but the first or last "
                f"vertex of {space.name} has several types"
            )
        self.space, self.sizes, self.bidirectional = space, sizes, bidirectional
        vertices, types, width = space.num_nodes, len(space.node_types), sizes.hidden
        self.input, self.output = space.node_mask[[0, -1]].argmax(axis=1).tolist()
        self.silent = silent(space)
        kinds = len(space.edge_types) - (self.silent >= 0)
        shape = (vertices, types, kinds, width)
        self.forwards = Passing(*shape)
        self.backwards = Passing(*shape) if bidirectional else None
        read = 2 * width if bidirectional else width
        self.mean = _perceptron(read, width, sizes.latent)
        self.log_variance = _perceptron(read, width, sizes.latent)
        self.start = nn.Sequential(_perceptron(sizes.latent, width, width), nn.Tanh())
        self.generate = Passing(*shape)
        self.type_in = Placed(width, vertices, sizes.types)
        self.type_out = Linear(sizes.types, types)
        self.edge_tail = Placed(width, vertices, sizes.edges)
        self.edge_head = Placed(width, vertices, sizes.edges)
        self.edge_out = Linear(sizes.edges, len(space.edge_types))
        self.performance = _predictor(sizes.latent, width)
        self.complexity = _predictor(sizes.latent, width)

    # Encoder.

    def encode(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and logarithm of the variance of the posterior, shape (B, J) each (3.1)."""
        read = self.forwards(self.forwards.read(batch.nodes), batch.weights)[-1]
        if self.backwards is not None:
            vertices = len(batch.nodes)
            by_edge = torch.unflatten(batch.weights, 1, (vertices, -1))
            turned = by_edge.transpose(0, 1).flip(0, 1).flatten(1, 2)
            back = self.backwards(self.backwards.read(batch.nodes.flip(0)), turned)[-1]
            read = torch.cat([read, back], dim=1)
        return self.mean(read), self.log_variance(read)

    # Decoder.

    def likelihood(self, batch: Batch, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities of the types of vertices and of edges, shape (B,) each.

        Every choice is scored given the true ones before it.

        Parameters
        ----------
        batch : Batch
        points : tensor, shape (B, J)
            Of the latent space.
        """
        inputs = self.generate.read(batch.nodes)
        states = self.generate(inputs, batch.weights, self.start(points))
        types = self.type_out(self.type_in(states[:-2]).relu())
        new = self.generate.update(inputs[1:], states[:-1])
        tails, heads = self.edge_tail(states[:-1]), self.edge_head(new, 1)
        kinds = score_pairs(tails, heads, self.edge_out.weight) + self.edge_out.bias
        return _score(types, batch.nodes[1:-1]), _score(kinds, batch.edges)

    def decode(self, points: torch.Tensor, generator: torch.Generator | None = None) -> Decoded:
        """Cells that are built vertex by vertex from points of the latent space (3.3).

        Parameters
        ----------
        points : tensor, shape (B, J)
        generator : torch.Generator, optional
            Source of the choices, on the device of ``points``. By default the likeliest type is
            taken, for each vertex and then for its edges.
        """
        cells, likelihood, _ = self._decode(points, generator)
        return Decoded(cells, self._valid(cells), likelihood)

    def decode_to_nearest(self, points: torch.Tensor) -> Cells:
        """Valid cells near the likeliest decodings of points of the latent space.

        Where places of a cell depend on each other, choices that are the likeliest one by one
        hardly ever make a cell. Of all cells this is the one whose types have the largest sum of
        the log-probabilities that `decode` chose by, each given its choices before.

        Parameters
        ----------
        points : tensor, shape (B, J)
            Of the latent space.
        """
        _, _, scores = self._decode(points, None)
        return self.space.project(scores)

    @torch.no_grad()
    def _decode(
        self, points: torch.Tensor, generator: torch.Generator | None
    ) -> tuple[Cells, torch.Tensor, Graphs]:
        """Cells, log-probabilities of their choices, and of all types everywhere, as arrays."""
        count, vertices = len(points), self.space.num_nodes
        nodes = torch.full((vertices, count), self.input, device=points.device)
        edges = torch.zeros(vertices, vertices, count, dtype=torch.int64, device=points.device)
        likelihood = points.new_zeros(count)
        of_nodes = points.new_zeros(vertices, count, len(self.space.node_types))
        of_edges = points.new_zeros(vertices, vertices, count, len(self.space.edge_types))
        state = self.generate.update(self.generate.read(nodes[0]), self.start(points))
        messages: list[torch.Tensor] = []
        tails: list[torch.Tensor] = []
        for v in range(1, vertices):
            messages.append(self.generate.messages(state, v - 1))
            tails.append(self.edge_tail(state[None], v - 1))
            if v < vertices - 1:
                logits = self.type_out(self.type_in(state[None], v - 1).relu())
                of_nodes[v] = logits.log_softmax(dim=-1)[0]
                chosen, score = _choose(of_nodes[v], generator)
                nodes[v], likelihood = chosen, likelihood + score
            else:
                nodes[v] = self.output
            inputs = self.generate.read(nodes[v])
            state = self.generate.update(inputs, state)
            hidden = torch.cat(tails) + self.edge_head(state[None], v)
            of_edges[:v, v] = self.edge_out(hidden.relu()).log_softmax(dim=-1)
            chosen, score = _choose(of_edges[:v, v], generator)
            edges[:v, v], likelihood = chosen, likelihood + score.sum(dim=0)
            heard = chosen.new_tensor(self._carrying)[:, None] == chosen[:, None]
            sums = (torch.stack(messages) * heard[..., None]).sum(dim=(0, 1))
            alone = ~heard.flatten(0, 1).any(dim=0)[:, None]
            state = torch.where(alone, state, self.generate.update(inputs, sums))
        cells = Cells(
            nodes.T.cpu().numpy().astype(np.int8),
            edges.permute(2, 0, 1).contiguous().cpu().numpy().astype(np.int8),
        )
        scores = Graphs(
            of_nodes.transpose(0, 1).cpu().numpy(), of_edges.permute(2, 0, 1, 3).cpu().numpy()
        )
        return cells, likelihood, scores

    @property
    def _carrying(self) -> list[int]:
        return [kind for kind in range(len(self.space.edge_types)) if kind != self.silent]

    def _valid(self, cells: Cells) -> NDArray[np.bool_]:
        space, upper = self.space, np.triu_indices(self.space.num_nodes, 1)
        nodes = space.node_mask[np.arange(space.num_nodes), cells.nodes]
        edges = space.edge_mask[*upper, cells.edges[:, *upper]]
        valid = np.logical_and(nodes.all(axis=1), edges.all(axis=1))
        valid[valid] = space.is_valid(cells[valid])
        return valid

    # Objective.

    def losses(
        self,
        batch: Batch,
        performance: torch.Tensor,
        complexity: torch.Tensor,
        noise: torch.Tensor,
    ) -> Losses:
        """Parts of the objective, at points ``mean + noise * deviation`` of the latent space.

        Parameters
        ----------
        batch : Batch
        performance, complexity : tensor, shape (B,)
            True values, in [0, 1]; NaN where a cell's is not known.
        noise : tensor, shape (B, J)
            Normal; D-VAE multiplies it by 0.01.
        """
        mean, log_variance = self.encode(batch)
        points = mean + noise * torch.exp(0.5 * log_variance)
        of_nodes, of_edges = self.likelihood(batch, points)
        return Losses(
            -of_nodes,
            -of_edges,
            divergence(mean, log_variance),
            _squares(self.performance(points)[:, 0], performance),
            _squares(self.complexity(points)[:, 0], complexity),
        )


def divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler divergence of normal distributions from the standard one (equation 3).

    Parameters
    ----------
    mean, log_variance : tensor, shape (B, J)

    Returns
    -------
    tensor, shape (B,)
    """
    terms = 1 + log_variance - mean.square() - log_variance.exp()
    return -0.5 * terms.sum(dim=1)


def _squares(guesses: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    # Zero errors, not masked ones: NaN times zero is NaN, in gradients too.
    return (guesses - torch.where(truth.isnan(), guesses.detach(), truth)).square()


def _score(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Log-probability of each graph's types, shape (B,), from logits (n, B, types)."""
    return (
        -F.cross_entropy(logits.flatten(0, 1), truth.flatten(), reduction="none")
        .view(truth.shape)
        .sum(dim=0)
    )


def _choose(
    log_probabilities: torch.Tensor, generator: torch.Generator | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Choices along the last axis, and their log-probabilities."""
    scores = log_probabilities
    if generator is not None:
        # The largest of log-probabilities with Gumbel noise is a draw from them.
        uniform = torch.rand(scores.shape, generator=generator, device=scores.device)
        scores = scores - (-uniform.clamp_min(1e-30).log()).log()
    chosen = scores.argmax(dim=-1)
    return chosen, log_probabilities.gather(-1, chosen[..., None])[..., 0]
