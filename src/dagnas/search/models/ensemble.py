"""Ensemble of multilayer perceptrons, trained side by side as one tensor."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray


class Ensemble:
    """M networks of equal shape with ReLU between layers, each with weights and order of its own.

    Weights are uniform within ``sqrt(6 / (in + out))`` (Glorot and Bengio 2010), biases zero. The
    gradient is written out: in PyTorch most of the time of so small a step goes into recording it.

    Parameters
    ----------
    members : int
        M.
    features : int
        Inputs.
    layers, width : int
        Hidden layers, and units of each.
    generator : torch.Generator
        Source of weights and orders, on the CPU.
    device : str

    Attributes
    ----------
    parameters : tensor, shape (P,)
        All weights and biases, so that a step of an optimizer is one operation.
    """

    def __init__(
        self,
        members: int,
        features: int,
        layers: int,
        width: int,
        generator: torch.Generator,
        device: str = "cpu",
    ) -> None:
        self.members, self._generator = members, generator
        self._widths = [features, *[width] * layers, 1]
        self._shapes = [
            shape for a, b in pairwise(self._widths) for shape in ((members, a, b), (members, 1, b))
        ]
        parameters = torch.zeros(sum(map(math.prod, self._shapes)))
        for weight, _ in self._split(parameters):
            bound = (6 / (weight.shape[1] + weight.shape[2])) ** 0.5
            weight.uniform_(-bound, bound, generator=generator)
        self.parameters = parameters.to(device)

    def layers(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Weights (M, in, out) and biases (M, 1, out) of each layer, views of the parameters."""
        return self._split(self.parameters)

    def _split(self, vector: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        parts = torch.split(vector, [math.prod(shape) for shape in self._shapes])
        views = [part.view(shape) for part, shape in zip(parts, self._shapes, strict=True)]
        return list(zip(views[::2], views[1::2], strict=True))

    @staticmethod
    def _forward(
        layers: list[tuple[torch.Tensor, torch.Tensor]], inputs: torch.Tensor
    ) -> list[torch.Tensor]:
        """Inputs (M, B, in) of every layer, and at last the outputs (M, B, 1)."""
        states = [inputs]
        for layer, (weight, bias) in enumerate(layers, start=1):
            states.append(torch.baddbmm(bias, states[-1], weight))
            if layer < len(layers):
                states[-1].relu_()
        return states

    @torch.no_grad()
    def fit(
        self,
        inputs: NDArray[np.float32],
        targets: NDArray[np.float64],
        *,
        epochs: int,
        batch_size: int,
        lr: float,
    ) -> None:
        """Train all networks on the mean absolute error by Adam with decays 0.9 and 0.99.

        Parameters
        ----------
        inputs : ndarray, shape (N, in)
        targets : ndarray, shape (N,)
        epochs, batch_size : int
        lr : float
        """
        device = self.parameters.device
        x = torch.as_tensor(inputs, dtype=torch.float32, device=device)
        y = torch.as_tensor(targets, dtype=torch.float32, device=device)[:, None]
        self.parameters.grad = torch.zeros_like(self.parameters)
        layers, gradients = self.layers(), self._split(self.parameters.grad)
        optimizer = torch.optim.Adam(
            [self.parameters], lr=lr, betas=(0.9, 0.99), eps=1e-7, fused=True
        )
        for _ in range(epochs):
            orders = torch.rand(self.members, len(y), generator=self._generator).argsort(dim=1)
            for rows in orders.to(device).split(batch_size, dim=1):
                states = self._forward(layers, x[rows])
                slope = (states[-1] - y[rows]).sign_().div_(rows.shape[1])
                for layer in range(len(layers) - 1, -1, -1):
                    of_weight, of_bias = gradients[layer]
                    torch.bmm(states[layer].transpose(1, 2), slope, out=of_weight)
                    torch.sum(slope, dim=1, keepdim=True, out=of_bias)
                    if layer:
                        slope = torch.bmm(slope, layers[layer][0].transpose(1, 2))
                        slope.mul_(states[layer] > 0)
                optimizer.step()

    @torch.no_grad()
    def predict(self, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Outputs of all networks, shape (M, B)."""
        x = torch.as_tensor(inputs, dtype=torch.float32, device=self.parameters.device)
        outputs = self._forward(self.layers(), x.expand(self.members, -1, -1))[-1]
        return outputs[..., 0].cpu().numpy().astype(np.float64)
