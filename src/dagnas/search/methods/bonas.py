"""BONAS: Bayesian optimisation on embeddings of a graph convolutional network."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PositiveInt

from dagnas.predictors.bayes import BayesianLinear
from dagnas.predictors.fit import as_tensors
from dagnas.predictors.gcn.model import GCN
from dagnas.predictors.gcn.training import fit_square
from dagnas.predictors.predictor import drawing_from
from dagnas.search.method import Evaluated, Trial, method
from dagnas.search.models.acquisition import expected_improvement
from dagnas.search.models.samplers import ControllerSampler, EvolutionSampler, RandomSampler
from dagnas.search.pool import Sameness, Seen, sample_new
from dagnas.seeds import torch_generator
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, Graphs, concatenate

SAMPLERS = {"random": RandomSampler, "rl": ControllerSampler, "ea": EvolutionSampler}


@method()
def bonas(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    device: str = "cpu",
    prior: Evaluated | None = None,
    initial: PositiveInt = 10,
    k: PositiveInt = 10,
    pool: PositiveInt = 1000,
    epochs: PositiveInt = 100,
    sampler: Literal["random", "rl", "ea"] = "ea",
    loss: Literal["exponential", "log", "linear", "mse"] = "exponential",
    target: Literal["logit", "accuracy"] = "logit",
    normalized: bool = True,
    sameness: Sameness = "class",
    prior_epochs: PositiveInt = 20,
) -> Trial:
    """Evaluate the candidate of most expected improvement, again and again (BONAS, algorithm 1).

    Parameters
    ----------
    prior : Evaluated, optional
        Cells of another space that the network is trained on first; it then starts every training
        from those weights instead of new ones (section 4.4.2).
    initial : int
        N, random cells evaluated first (section 4.2).
    k : int
        Evaluations between two trainings of the network.
    pool : int
        Candidates at each evaluation.
    epochs : int
        Training epochs of the network, with new weights each time.
    sampler : {"random", "rl", "ea"}
        Where candidates come from (section 3.3).
    loss : {"exponential", "log", "linear", "mse"}
        Weight of the squared error (equation 6, section 4.5).
    target : {"logit", "accuracy"}
        What the linear regression predicts; the paper does not say, its code takes the logit.
    normalized : bool
        Whether convolutions are normalised as in equation 3; those of the paper's code are not.
    sameness : {"cell", "class"}
        Whether cells isomorphic to evaluated ones are no candidates. Where the best cell itself is
        sought in a table with a row for each cell, as in table 2 on NAS-Bench-201, they are.
    prior_epochs : int
        Training epochs on the prior.
    """
    seen = Seen(space, sameness)
    cells = sample_new(space, initial, rng, seen)
    model = _Embedding(space, rng, device, loss, normalized)
    if prior is not None:
        model.begin(prior, prior_epochs)
    source = SAMPLERS[sampler](space, rng, seen)
    signals = yield cells
    source.add(cells, signals)
    while True:
        model.train(cells, signals, epochs)
        design = model.embed(cells)
        for _ in range(k):
            regression = BayesianLinear(design, _scaled(signals, target))
            candidates = source.pool(pool)
            if not len(candidates):
                return
            embedded = model.embed(candidates)
            mean, variance = regression.predict(embedded)
            best = _scaled(signals, target).max()
            scores = expected_improvement(mean, np.sqrt(variance), best)
            source.learn(candidates, scores)
            chosen = int(scores.argmax())
            new = candidates[chosen]
            seen.add(new)
            gained = yield new
            source.add(new, gained)
            cells = concatenate([cells, new])
            signals = np.concatenate([signals, gained])
            design = np.concatenate([design, embedded[chosen : chosen + 1]])


def _scaled(signals: NDArray[np.float64], target: str) -> NDArray[np.float64]:
    """Targets of the regression, from accuracies in %."""
    fractions = signals / 100
    if target == "accuracy":
        return fractions
    fractions = fractions.clip(1e-4, 1 - 1e-4)
    return np.asarray(np.log(fractions / (1 - fractions)))


class _Embedding:
    """The network, and its global vertex's last states as embeddings of cells."""

    def __init__(
        self, space: CellSpace, rng: np.random.Generator, device: str, loss: str, normalized: bool
    ) -> None:
        self.space, self.device, self.normalized = space, device, normalized
        self._loss, self._generator = loss, torch_generator(rng)
        self._model = self._new()
        self._start: dict[str, torch.Tensor] | None = None

    def _new(self) -> GCN:
        with drawing_from(self._generator):
            return GCN(self.space, layers=4, hidden=64, normalized=self.normalized).to(self.device)

    def _encode(self, cells: Cells) -> Graphs:
        graphs = as_tensors(self.space.to_graph(self.space.prune(cells)), self.device)
        return self._model.encode(graphs)

    def begin(self, prior: Evaluated, epochs: int) -> None:
        """Train on cells of another space; later trainings start from there."""
        self.train(prior.cells, prior.signals, epochs)
        self._start = {name: value.clone() for name, value in self._model.state_dict().items()}

    def train(self, cells: Cells, signals: NDArray[np.float64], epochs: int) -> None:
        """Train on all cells evaluated (section 4.1: Adam, 0.001, batches of 128)."""
        self._model = self._new()
        if self._start is not None:
            self._model.load_state_dict(self._start)
        errors = torch.as_tensor(1 - signals / 100, dtype=torch.float32, device=self.device)
        fit_square(
            self._model.body,
            self._encode(cells),
            errors,
            loss=self._loss,
            epochs=epochs,
            generator=self._generator,
        )

    def embed(self, cells: Cells) -> NDArray[np.float32]:
        """Embeddings of cells, shape (B, 64)."""
        self._model.eval()
        with torch.inference_mode():
            return np.asarray(self._model.body.embed(self._encode(cells)).cpu().numpy())


#: BONAS with random candidates (BONAS, table 2).
bonas_random = bonas.variant("bonas_random", __name__, sampler="random")

#: BONAS with candidates of a learned controller (BONAS, table 2).
bonas_rl = bonas.variant("bonas_rl", __name__, sampler="rl")
