"""BONAS: Bayesian optimisation on embeddings of a graph convolutional network."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, PositiveInt

from dagnas.predictors.bayes import BayesianLinear
from dagnas.predictors.fit import as_tensors
from dagnas.predictors.gcn.model import GCN
from dagnas.predictors.gcn.training import fit_square
from dagnas.predictors.predictor import drawing_from
from dagnas.search.method import Evaluated, Trial, method
from dagnas.search.models.acquisition import expected_improvement
from dagnas.search.models.samplers import (
    ControllerSampler,
    EvolutionSampler,
    Mutation,
    RandomSampler,
)
from dagnas.search.pool import Sameness, Seen, sample_new
from dagnas.seeds import torch_generator
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, Graphs, concatenate

SAMPLERS: dict[str, type[RandomSampler]] = {
    "random": RandomSampler,
    "rl": ControllerSampler,
    "ea": EvolutionSampler,
}

#: Whether and how the network's convolutions are normalised.
Normalization = bool | Literal["printed"]


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
    retrain: NonNegativeFloat = 0.05,
    sampler: Literal["random", "rl", "ea"] = "ea",
    mutation: Mutation = "paper",
    loss: Literal["exponential", "log", "linear", "mse"] = "exponential",
    target: Literal["logit", "accuracy"] = "logit",
    normalized: Normalization = True,
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
        Evaluations between two trainings of the network, at least.
    pool : int
        Candidates at each evaluation.
    epochs : int
        Training epochs of the network, with new weights each time.
    retrain : float
        Growth of the evaluated cells since the last training, as a fraction of those trained on,
        after which the network is trained again. So up to 200 evaluations it is trained after
        every k = 10 as in algorithm 1, and then more rarely; with 0 always as there.
    sampler : {"random", "rl", "ea"}
        Where candidates come from (section 3.3).
    mutation : {"paper", "code"}
        Mutation of the sampler "ea": section 3.3's, or that of the authors' code, which adds and
        removes edges; see `EvolutionSampler`.
    loss : {"exponential", "log", "linear", "mse"}
        Weight of the squared error (equation 6, section 4.5).
    target : {"logit", "accuracy"}
        What the linear regression predicts; the paper does not say, its code takes the logit.
    normalized : bool or "printed"
        Whether convolutions are normalised as equation 3 means, by D^(-1/2) A D^(-1/2) (Kipf and
        Welling 2017). In print the first exponent lacks its minus, which is "printed": messages
        into a vertex weigh more the more there are. Those of the paper's code are not normalised.
    sameness : {"cell", "class"}
        Whether cells isomorphic to evaluated ones are no candidates. Where the best cell itself is
        sought in a table with a row for each cell, as in table 2 on NAS-Bench-201, they are.
    prior_epochs : int
        Training epochs on the prior.
    """
    seen = Seen(space, sameness)
    cells = sample_new(space, initial, rng, seen)
    model = _Embedding(space, rng, device, loss, normalized)
    trained = 0
    if prior is not None:
        model.begin(prior, prior_epochs)
    options = {"mutation": mutation} if sampler == "ea" else {}
    source = SAMPLERS[sampler](space, rng, seen, **options)
    signals = yield cells
    source.add(cells, signals)
    while True:
        if len(cells) - trained >= retrain * trained:
            model.train(cells, signals, epochs)
            design, trained = model.embed(cells), len(cells)
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
        self,
        space: CellSpace,
        rng: np.random.Generator,
        device: str,
        loss: str,
        normalized: Normalization,
    ) -> None:
        self.space, self.device, self.normalized = space, device, normalized
        self._loss, self._generator = loss, torch_generator(rng)
        self._model = self._new()
        self._start: dict[str, torch.Tensor] | None = None

    def _new(self) -> GCN:
        with drawing_from(self._generator):
            normalized = bool(self.normalized)
            return GCN(self.space, layers=4, hidden=64, normalized=normalized).to(self.device)

    def _encode(self, cells: Cells) -> Graphs:
        graphs = as_tensors(self.space.to_graph(self.space.prune(cells)), self.device)
        encoded = self._model.encode(graphs)
        if self.normalized != "printed":
            return encoded
        # D^(1/2) A D^(-1/2) is D times what `encode` gives.
        degrees = (encoded.edges > 0).sum(dim=2, keepdim=True)
        return Graphs(degrees * encoded.nodes, degrees * encoded.edges)

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
