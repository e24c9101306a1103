"""Predictors that encode cells without weights before the part that is trained."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn

from dagnas.spaces.cells import Graphs


class EncodedPredictor(nn.Module, ABC):
    """Predictor of two parts: `encode`, which has no weights, and ``body``, which is trained.

    Callers that show it the same cells many times encode these once, and train ``body`` on that.

    Attributes
    ----------
    body : nn.Module
        Maps what `encode` gives to scores, shape (B,).
    """

    body: nn.Module

    @abstractmethod
    def encode(self, graphs: Graphs) -> Graphs:
        """Encodings of relaxed cells: nodes (B, V, T), edges (B, V, V, R), as tensors."""

    def forward(self, graphs: Graphs) -> torch.Tensor:
        """Score relaxed cells, shape (B,); lower is better."""
        scores: torch.Tensor = self.body(self.encode(graphs))
        return scores
