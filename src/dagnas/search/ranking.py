"""How well predictors rank cells: trained on uniform samples, or on what a search evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.errors import DagnasError
from dagnas.parts import Parts
from dagnas.predictors import PREDICTORS
from dagnas.predictors.encoded import EncodedPredictor
from dagnas.predictors.fit import as_tensors, fit, predict
from dagnas.predictors.losses import pairwise_ranking, weighted_square
from dagnas.search.models.surrogate import Surrogate
from dagnas.search.runner import Search, run_trial
from dagnas.seeds import stream, torch_generator
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, Graphs

RANKING = pa.schema(
    [
        ("predictor", pa.string()),
        ("source", pa.string()),
        ("train_size", pa.int32()),
        ("trial", pa.int32()),
        ("code", pa.int64()),
        ("target", pa.float64()),
        ("score", pa.float32()),
    ]
)

#: Told of steps that are done.
Advance = Callable[[], object]

_CHUNK = 8192


@dataclass(frozen=True)
class Training:
    """How predictors are trained by Adam; the defaults are GOAL's (sections 6.2 and 6.3).

    Attributes
    ----------
    epochs : int or mapping
        Passes over the training cells, of every predictor or by its name.
    loss : str
        "ranking", of GOAL's equation 3, or "mse", the squared error of predicted error shares.
    batch_size : int
    lr, weight_decay : float
        Step size and L2 penalty.
    """

    epochs: int | Mapping[str, int] = 200
    loss: str = "ranking"
    batch_size: int = 32
    lr: float = 2e-3
    weight_decay: float = 5e-4

    def epochs_of(self, predictor: str) -> int:
        """Epochs of one predictor."""
        return self.epochs if isinstance(self.epochs, int) else self.epochs[predictor]


def unique_rows(benchmark: TabularBenchmark) -> NDArray[np.int64]:
    """First row of each class of isomorphic cells, ascending."""
    _, first = np.unique(benchmark.space.canonical(benchmark.cells), return_index=True)
    return np.sort(first)


def rows_for(
    benchmark: TabularBenchmark, train_sizes: Sequence[int], test_size: int
) -> NDArray[np.int64]:
    """First row of each class of isomorphic cells, enough to train and to test on.

    Raises
    ------
    DagnasError
        There are fewer classes than training and test cells together.
    """
    rows = unique_rows(benchmark)
    if test_size + max(train_sizes) > len(rows):
        raise DagnasError(
            f"{test_size} test cells and {max(train_sizes)} training cells are more than the "
            f"{len(rows)} classes of {benchmark.name}"
        )
    return rows


def rank_uniform(
    name: str,
    benchmark: TabularBenchmark,
    target: str,
    predictors: Sequence[str],
    train_sizes: Sequence[int],
    test_size: int,
    training: Training,
    trials: int,
    device: str = "cpu",
    parts: Parts | None = None,
) -> pa.Table:
    """Train predictors on uniform samples and score cells held out (GOAL, section 6.2).

    In each trial the classes of isomorphic cells are shuffled; the first ``test_size`` are the
    test cells, and the next ones the training cells, so that all predictors see the same cells
    and larger training sets hold the smaller ones.

    Parameters
    ----------
    name : str
        Names the random streams, with the predictor, size and trial.
    benchmark : TabularBenchmark
    target : str
        Quantity to rank by, such as ``cifar10/valid/200`` (mean over trainings, %).
    predictors : sequence of str
    train_sizes : sequence of int
    test_size : int
    training : Training
    trials : int
    device : str
    parts : Parts, optional
        What was done before an interruption, and what is.

    Returns
    -------
    pyarrow.Table
        Columns of `RANKING`, one row a test cell, predictor, size and trial; lower scores are
        for better cells.

    Raises
    ------
    DagnasError
        There are fewer classes than training and test cells together.
    """
    rows = rows_for(benchmark, train_sizes, test_size)
    truth, cells = benchmark.values(target), benchmark.cells

    def run(advance: Advance, trial: int, predictor: str, size: int) -> pa.Table:
        shuffled = stream(name, trial).permutation(rows)
        test, train = np.sort(shuffled[:test_size]), shuffled[test_size : test_size + size]
        model = _Model(
            benchmark.space, predictor, stream(name, predictor, size, trial), training, device
        )
        model.fit(model.inputs(cells[train]), truth[train], training.epochs_of(predictor))
        scores = model.score(model.inputs(cells[test]))
        return _part(benchmark, predictor, "uniform", size, trial, test, truth[test], scores)

    runs = [(t, p, n) for t in range(trials) for p in predictors for n in train_sizes]
    return _concat(name, dict.fromkeys(runs, 1), run, parts)


def rank_shares(
    name: str,
    benchmark: TabularBenchmark,
    target: str,
    predictors: Sequence[str],
    shares: Sequence[float],
    training: Training,
    trials: int,
    device: str = "cpu",
    parts: Parts | None = None,
) -> pa.Table:
    """Train predictors on a share of a table and score what is left (BONAS, section 4.1).

    In each trial all cells of the table are shuffled and split for training, validation and test,
    the same way for all predictors; of isomorphic cells some may be in one part and some in
    another. A predictor keeps the weights of the epoch after which its scores had the highest
    correlation with the accuracies of the validation cells.

    Parameters
    ----------
    name : str
        Names the random streams, with the predictor, size and trial.
    benchmark : TabularBenchmark
    target : str
        Quantity to predict, such as ``cifar10/test/200`` (mean over trainings, %).
    predictors : sequence of str
    shares : sequence of float, length 2
        Of training and of validation; the rest is for the test.
    training : Training
    trials : int
    device : str
    parts : Parts, optional
        What was done before an interruption, and what is.

    Returns
    -------
    pyarrow.Table
        Columns of `RANKING`, one row a test cell, predictor and trial; lower scores are for
        better cells, and with the squared error they are predicted error shares.

    Raises
    ------
    DagnasError
        A share of the table is no cell.
    """
    truth, cells = benchmark.values(target), benchmark.cells
    sizes = [round(share * len(cells)) for share in shares]
    if min(*sizes, len(cells) - sum(sizes)) < 1:
        raise DagnasError(f"shares {list(shares)} of {len(cells)} cells leave a part without any")

    def run(advance: Advance, trial: int, predictor: str) -> pa.Table:
        shuffled = stream(name, trial).permutation(len(cells))
        train, valid, test = np.split(shuffled, np.cumsum(sizes))
        test = np.sort(test)
        rng = stream(name, predictor, sizes[0], trial)
        model = _Model(benchmark.space, predictor, rng, training, device)
        known, held = model.inputs(cells[train]), model.inputs(cells[valid])
        best, weights = -np.inf, model.weights()
        for _ in range(training.epochs_of(predictor)):
            model.fit(known, truth[train], 1)
            found = _correlation(-model.score(held), truth[valid])
            if found > best:
                best, weights = found, model.weights()
            advance()
        model.net.load_state_dict(weights)
        del known, held
        scores = model.score(model.inputs(cells[test]))
        labels = (predictor, "uniform", sizes[0], trial)
        return _part(benchmark, *labels, test, truth[test], scores)

    steps = {(t, p): training.epochs_of(p) for t in range(trials) for p in predictors}
    return _concat(name, steps, run, parts)


class _Model:
    """A predictor in training on one space: weights, optimizer, random numbers."""

    def __init__(
        self,
        space: CellSpace,
        predictor: str,
        rng: np.random.Generator,
        training: Training,
        device: str,
    ) -> None:
        self.space, self.training, self.device = space, training, device
        self._generator = torch_generator(rng)
        self._whole = PREDICTORS.get(predictor).build(space, self._generator).to(device)
        self.net = self._whole.body if isinstance(self._whole, EncodedPredictor) else self._whole
        self._optimizer: torch.optim.Optimizer | None = None

    def inputs(self, cells: Cells) -> Graphs:
        """Inputs of the network; an encoding without weights is done once."""
        parts, model = [], self._whole
        # In chunks, since arrays on the way there are several times as large.
        for start in range(0, len(cells), _CHUNK):
            graphs = as_tensors(self.space.to_graph(cells[start : start + _CHUNK]), self.device)
            parts.append(model.encode(graphs) if isinstance(model, EncodedPredictor) else graphs)
        return Graphs(*map(torch.cat, zip(*parts, strict=True)))

    def fit(self, inputs: Graphs, truth: NDArray[np.floating], epochs: int) -> None:
        """Train on accuracies (%), or go on training."""
        squared = self.training.loss == "mse"
        self._optimizer = fit(
            self.net,
            inputs,
            1 - truth / 100 if squared else 100 - truth,
            epochs=epochs,
            batch_size=self.training.batch_size,
            lr=self.training.lr,
            weight_decay=self.training.weight_decay,
            generator=self._generator,
            optimizer=self._optimizer,
            loss=weighted_square("mse") if squared else pairwise_ranking,
        ).optimizer

    def score(self, inputs: Graphs) -> NDArray[np.float32]:
        """Scores of cells, shape (B,)."""
        return np.asarray(predict(self.net, inputs).cpu().numpy())

    def weights(self) -> dict[str, torch.Tensor]:
        """Copy of all weights and running statistics."""
        return deepcopy(self.net.state_dict())


def _correlation(scores: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Pearson's correlation; 0 where one of both is constant."""
    a, b = (np.asarray(x, dtype=np.float64) - np.mean(x, dtype=np.float64) for x in (scores, truth))
    size = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / size) if size else 0.0


def rank_after_search(
    name: str, search: Search, trials: int, parts: Parts | None = None
) -> pa.Table:
    """Score all classes by the surrogate of a search, and by one of a uniform sample.

    The second has as many training cells, with the same signal, and is shown as many cells in
    training (GOAL, appendix D). The searches are those of the study's traces, run again.

    Parameters
    ----------
    name : str
        Names the random streams of the uniform samples.
    search : Search
        On a tabular benchmark, by a method whose surrogate can be observed.
    trials : int
    parts : Parts, optional
        What was done before an interruption, and what is.

    Returns
    -------
    pyarrow.Table
        Columns of `RANKING`; ``target`` is the mean of the search signal (%).

    Raises
    ------
    DagnasError
        The benchmark is no table, the method shows no surrogate, or never trains it.
    """
    benchmark = search.benchmark
    if not isinstance(benchmark, TabularBenchmark):
        raise DagnasError(f"ranking {name!r}: benchmark {benchmark.name!r} is no table")
    if not search.method.takes("observe"):
        raise DagnasError(f"ranking {name!r}: method {search.method.name!r} shows no surrogate")
    rules = search.policy
    rows, cells = unique_rows(benchmark), benchmark.cells
    truth = benchmark.values(rules.signal)[rows]
    predictor = search.settings["predictor"]

    def run(advance: Advance, trial: int) -> pa.Table:
        observed: list[Surrogate] = []
        run_trial(search, trial, observe=observed.append)
        (keep,) = observed
        if not keep.size:
            raise DagnasError(
                f"ranking {name!r}: the budget of {search.study} ends before {search.method.name} "
                "trains its surrogate"
            )
        chance = stream(name, "uniform", trial)
        train = chance.choice(rows, keep.size, replace=False)
        signals = benchmark.look_up(train, rules, chance).signal
        uniform = Surrogate(benchmark.space, predictor, chance, search.device)
        uniform.fit(cells[train], signals, max(1, round(keep.visits / keep.size)))
        found = []
        for source, surrogate in (("search", keep), ("uniform", uniform)):
            labels = (predictor, source, surrogate.size, trial)
            found.append(_part(benchmark, *labels, rows, truth, surrogate.score(cells[rows])))
        return pa.concat_tables(found)

    return _concat(name, {(trial,): 1 for trial in range(trials)}, run, parts)


def _concat(
    name: str,
    steps: Mapping[tuple[Any, ...], int],
    run: Callable[..., pa.Table],
    parts: Parts | None,
) -> pa.Table:
    """What runs return, one after another; what is among the parts is not done again.

    Parameters
    ----------
    name : str
        Of the ranking.
    steps : mapping of tuple to int
        Steps of each run, by its arguments, for the bar that shows progress.
    run : callable
        Takes what it is to call after a step, and the arguments.
    parts : Parts or None
    """
    tables = []
    with tqdm(total=sum(steps.values()), desc=f"ranking {name}", disable=None) as bar:
        for arguments, count in steps.items():
            label, before = "-".join(map(str, arguments)), bar.n
            if parts and parts.has(label):
                table = parts.read(label)
            else:
                table = run(bar.update, *arguments)
                if parts:
                    parts.write(label, table)
            tables.append(table.replace_schema_metadata())
            bar.update(before + count - bar.n)
    return pa.concat_tables(tables)


def _part(
    benchmark: TabularBenchmark,
    predictor: str,
    source: str,
    size: int,
    trial: int,
    rows: NDArray[np.int64],
    truth: NDArray[np.float64],
    scores: NDArray[np.float32],
) -> pa.Table:
    same = len(rows)
    return pa.table(
        {
            "predictor": [predictor] * same,
            "source": [source] * same,
            "train_size": np.full(same, size),
            "trial": np.full(same, trial),
            "code": benchmark.space.pack(benchmark.cells[rows]),
            "target": truth,
            "score": scores,
        }
    ).cast(RANKING)
