"""Ensemble of multilayer perceptrons, trained side by side as one tensor."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray


class Ensemble:
    """M networks of equal shape with ReLU between layers, each with weights and order of its own.

    Weights are uniform within ``sqrt(6 / (in + out))`` (Glorot and Bengio 2010), biases zero.

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
        self.members, self.device, self._generator = members, device, generator
        self.weights, self.biases = [], []
        for a, b in pairwise([features, *[width] * layers, 1]):
            bound = (6 / (a + b)) ** 0.5
            drawn = torch.rand(members, a, b, generator=generator)
            self.weights.append((bound * (2 * drawn - 1)).to(device).requires_grad_())
            self.biases.append(torch.zeros(members, 1, b, device=device, requires_grad=True))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Outputs (M, B) of inputs (M, B, features)."""
        states = inputs
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            states = torch.baddbmm(bias, states.relu() if layer else states, weight)
        return states[..., 0]

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
        inputs : ndarray, shape (N, features)
        targets : ndarray, shape (N,)
        epochs, batch_size : int
        lr : float
        """
        x = torch.as_tensor(inputs, dtype=torch.float32, device=self.device)
        y = torch.as_tensor(targets, dtype=torch.float32, device=self.device)
        optimizer = torch.optim.Adam(
            [*self.weights, *self.biases], lr=lr, betas=(0.9, 0.99), eps=1e-7, fused=True
        )
        for _ in range(epochs):
            orders = torch.rand(self.members, len(y), generator=self._generator).argsort(dim=1)
            for rows in orders.to(self.device).split(batch_size, dim=1):
                optimizer.zero_grad()
                # A sum over networks: the gradient of each is that of its own mean.
                loss = (self.forward(x[rows]) - y[rows]).abs().mean(dim=1).sum()
                torch.autograd.backward(loss)
                optimizer.step()

    def predict(self, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Outputs of all networks, shape (M, B)."""
        x = torch.as_tensor(inputs, dtype=torch.float32, device=self.device)
        with torch.inference_mode():
            outputs = self.forward(x.expand(self.members, -1, -1))
        return outputs.cpu().numpy().astype(np.float64)
