"""Edge-conditioned convolution on the fully connected DAG: GOAL's ranking surrogate."""

from __future__ import annotations

from itertools import pairwise

import torch
from pydantic import PositiveInt
from torch import nn

from dagnas.predictors.predictor import predictor
from dagnas.predictors.products import Linear, product
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Graphs


class ECC(nn.Module):
    """Edge-conditioned convolutions, attention readout, fully connected head.

    With one-hot (or relaxed) edges and a linear kernel generator, equation 1 reads
    ``h_i' = Theta h_i + sum_r K_r (sum_j a_jir h_j)``. So neighbours are summed per edge type
    first, with Theta as the kernel of one more type that joins each vertex to itself, and all
    kernels act at once as one matrix product. No kernel of a single edge is ever built.

    The paper leaves open, and we choose: no biases in the convolutions (a bias of the kernel
    generator would only repeat what types that sum to one can express); no ReLU after the last
    one; a head of one hidden layer as wide as the convolutions; weights uniform within
    +-1/sqrt(d_in).

    Parameters
    ----------
    node_types, edge_types : int
        T and R.
    layers : int
        Convolutions, with ReLU between them.
    hidden : int
        Channels d of each, and units of the head's one hidden layer.

    Attributes
    ----------
    kernels : ParameterList
        Of layer l, shape ``((R + 1) * d_in, d_out)``: the transposed kernels K_0, ..., K_{R-1}
        and Theta, stacked.
    attention : Parameter, shape (d,)
        w of equation 2.

    References
    ----------
    GOAL, section 4.1, equations 1 and 2; Simonovsky and Komodakis, CVPR 2017 (ECC).
    """

    def __init__(self, node_types: int, edge_types: int, layers: int, hidden: int) -> None:
        super().__init__()
        widths = [node_types] + [hidden] * layers
        self.kernels = nn.ParameterList(
            _uniform((edge_types + 1) * a, b, bound=a**-0.5) for a, b in pairwise(widths)
        )
        self.attention = _uniform(widths[-1], bound=hidden**-0.5)
        self.head = nn.Sequential(Linear(widths[-1], hidden), nn.ReLU(), Linear(hidden, 1))

    def forward(self, graphs: Graphs) -> torch.Tensor:
        """Score relaxed cells, shape (B,); lower is better."""
        nodes, edges = graphs
        batch, vertices = nodes.shape[:2]
        loops = torch.eye(vertices, dtype=edges.dtype, device=edges.device)[..., None]
        joined = torch.cat([edges, loops.expand(batch, -1, -1, -1)], dim=3)
        senders = joined.permute(0, 2, 3, 1).reshape(batch, -1, vertices)  # (B, V (R + 1), V)
        states = nodes
        for layer, kernel in enumerate(self.kernels):
            inputs = states.relu() if layer else states
            sums = torch.bmm(senders, inputs).view(batch * vertices, -1)
            states = product(sums, kernel).view(batch, vertices, -1)
        weights = torch.softmax(states @ self.attention, dim=1)
        whole = torch.bmm(weights[:, None], states)[:, 0]
        scores: torch.Tensor = self.head(whole)
        return scores[:, 0]


def _uniform(*shape: int, bound: float) -> nn.Parameter:
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))


@predictor
def ecc(space: CellSpace, *, layers: PositiveInt = 4, hidden: PositiveInt = 64) -> ECC:
    """ECC surrogate: 4 layers of 64 (GOAL, section 6.2)."""
    return ECC(space.node_mask.shape[-1], space.edge_mask.shape[-1], layers, hidden)
