"""Surrogate of a search: a predictor with its weights and optimizer on one device."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from dagnas.predictors import PREDICTORS
from dagnas.predictors.fit import as_tensors, fit, gradient, predict
from dagnas.predictors.losses import pairwise_ranking
from dagnas.seeds import torch_generator
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, Graphs

_CHUNK = 8192


class Surrogate:
    """Ranking model of the cells of one space, lower scores for better cells.

    Parameters
    ----------
    space : CellSpace
    predictor : str
        Name of a predictor.
    rng : numpy Generator
        Source of weights and of the order of training cells.
    device : str
        Torch device of weights and training.
    restart : bool
        Whether every call of `fit` starts from new weights, instead of continuing.

    Attributes
    ----------
    size : int
        Cells that it was last trained on.
    visits : int
        Cells that it was trained on since its weights were new, counted once an epoch.
    """

    def __init__(
        self,
        space: CellSpace,
        predictor: str,
        rng: np.random.Generator,
        device: str = "cpu",
        restart: bool = False,
    ) -> None:
        self.space, self.device, self.restart = space, device, restart
        self._build = PREDICTORS.get(predictor).build
        self._generator = torch_generator(rng)
        self._new()

    def _new(self) -> None:
        self.model = self._build(self.space, self._generator).to(self.device)
        self._optimizer: torch.optim.Optimizer | None = None
        self.size = self.visits = 0

    @staticmethod
    def loss(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Loss of a batch (GOAL, equation 3), which a subclass may replace."""
        return pairwise_ranking(scores, targets)

    def fit(self, cells: Cells, signals: NDArray[np.floating], epochs: int) -> None:
        """Train to rank ``cells`` by descending signal (GOAL, equation 3)."""
        if self.restart and self._optimizer is not None:
            self._new()
        self.size = len(cells)
        self.visits += epochs * len(cells)
        # Equation 3 orders scores like targets, and equation 4 descends: the target is an error.
        self._optimizer = fit(
            self.model,
            self.space.to_graph(cells),
            100 - signals,
            epochs=epochs,
            optimizer=self._optimizer,
            generator=self._generator,
            loss=self.loss,
        ).optimizer

    def score(self, cells: Cells) -> NDArray[np.float32]:
        """Scores of cells, shape (B,)."""
        parts = [
            predict(self.model, self.space.to_graph(cells[start : start + _CHUNK])).cpu().numpy()
            for start in range(0, len(cells), _CHUNK)
        ]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)

    def gradient(self, cells: Cells) -> Graphs:
        """Gradient of every cell's score with respect to its one-hots, as arrays."""
        graphs = gradient(self.model, as_tensors(self.space.to_graph(cells), self.device))
        return Graphs(*(part.cpu().numpy() for part in graphs))
