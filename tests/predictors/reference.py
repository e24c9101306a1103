"""ECC as PyTorch Geometric writes it: NNConv with one kernel an edge, and its own readout."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch_geometric.nn import NNConv
from torch_geometric.nn.aggr import AttentionalAggregation

from dagnas.predictors.ecc import ECC


class NNConvECC(nn.Module):
    """The function that an `ECC` computes, with the same weights."""

    def __init__(self, ecc: ECC, edge_types: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(_convolution(k, edge_types) for k in ecc.kernels)
        gate = nn.Linear(len(ecc.attention), 1, bias=False, dtype=ecc.attention.dtype)
        gate.weight.data.copy_(ecc.attention)
        self.readout = AttentionalAggregation(gate)
        self.head = copy.deepcopy(ecc.head)

    def forward(
        self,
        x: torch.Tensor,
        edge_index: torch.Tensor,
        edge_attr: torch.Tensor,
        batch: torch.Tensor,
    ) -> torch.Tensor:
        for number, convolution in enumerate(self.convolutions):
            x = convolution(x.relu() if number else x, edge_index, edge_attr)
        return self.head(self.readout(x, batch))[:, 0]


def _convolution(kernel: torch.Tensor, edge_types: int) -> NNConv:
    width_in, width_out = len(kernel) // (edge_types + 1), kernel.shape[1]
    generator = nn.Linear(edge_types, width_in * width_out, bias=False)
    layer = NNConv(width_in, width_out, generator, aggr="add", bias=False).to(kernel.dtype)
    *kernels, root = kernel.detach().split(width_in)
    generator.weight.data.copy_(torch.stack([k.flatten() for k in kernels], dim=1))
    layer.lin.weight.data.copy_(root.T)
    return layer
