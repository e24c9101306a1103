"""Encoder, performance predictor and decoder of Neural Architecture Optimization."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from dagnas.errors import DagnasError
from dagnas.predictors.predictor import drawing_from

_HALF = 0.5**0.5


class NAO(nn.Module):
    """Auto-encoder of cells as sequences, with a predictor of accuracy on its codes.

    A cell is a sequence of L tokens, one for each variable. Every variable has its own range of
    the vocabulary, so that a token says the variable as well as its value. The code of a cell is
    one unit vector of ``hidden`` numbers for every token; their mean, scaled to length one again,
    is its embedding. Residual sums of two terms are scaled by sqrt(1/2).

    Parameters
    ----------
    sizes : sequence of int, length L
        Number of values of every variable.
    hidden : int
        Width H of embeddings and LSTMs, one layer each; the encoder's LSTM reads both ways.
    predictor : int
        Width of the predictor's middle layer.
    dropout : float
        Probability of dropout on tokens' embeddings and on the predictor's layers.

    References
    ----------
    Luo et al., Neural Architecture Optimization, NeurIPS 2018; layers and widths as in the code
    of Luo et al., Semi-Supervised Neural Architecture Search, NeurIPS 2020, for NAS-Bench-101.
    """

    offsets: torch.Tensor
    foreign: torch.Tensor

    def __init__(
        self, sizes: Sequence[int], hidden: int = 64, predictor: int = 16, dropout: float = 0.1
    ) -> None:
        super().__init__()
        owner = torch.repeat_interleave(torch.tensor(sizes))
        variables = torch.arange(len(sizes))
        #: First token of every variable, shape (L,).
        self.register_buffer("offsets", torch.searchsorted(owner, variables))
        #: Whether a token belongs to another variable, shape (L, vocabulary).
        self.register_buffer("foreign", owner != variables[:, None])
        vocabulary = len(owner)
        self.dropout = nn.Dropout(dropout)
        self.source = nn.Embedding(vocabulary, hidden)
        self.encoder = nn.LSTM(hidden, hidden, batch_first=True, bidirectional=True)
        self.merge = nn.Linear(2 * hidden, hidden)
        self.inner = nn.Sequential(
            nn.Linear(hidden, predictor), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(predictor, hidden), nn.ReLU(), nn.Dropout(dropout),
        )  # fmt: skip
        self.accuracy = nn.Linear(hidden, 1)
        # One token more than the vocabulary: the one that every sequence starts from.
        self.target = nn.Embedding(vocabulary + 1, hidden)
        self.decoder = nn.LSTM(hidden, hidden, batch_first=True)
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.attended = nn.Linear(2 * hidden, hidden, bias=False)
        self.token = nn.Linear(hidden, vocabulary)

    def encode(self, values: torch.Tensor) -> torch.Tensor:
        """Codes of cells, shape (B, L, H), from the values of all variables, shape (B, L)."""
        tokens = self.dropout(self.source(values + self.offsets))
        read, _ = self.encoder(tokens)
        return F.normalize(tokens + self.merge(read), dim=2)

    def embed(self, codes: torch.Tensor) -> torch.Tensor:
        """Embeddings, shape (B, H), of codes, shape (B, L, H)."""
        return F.normalize(codes.mean(dim=1), dim=1)

    def predict(self, codes: torch.Tensor) -> torch.Tensor:
        """Predicted accuracies, shape (B,), of codes, shape (B, L, H)."""
        embedding = self.embed(codes)
        accuracy: torch.Tensor = self.accuracy((embedding + self.inner(embedding)) * _HALF)
        return accuracy[:, 0]

    def gradient(self, codes: torch.Tensor) -> torch.Tensor:
        """Gradient of every cell's predicted accuracy with respect to its code, (B, L, H)."""
        codes = codes.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self.predict(codes).sum(), codes)
        return gradient

    def move(self, codes: torch.Tensor, step_size: float) -> torch.Tensor:
        """Codes one step towards higher predicted accuracy, scaled to length one again."""
        return F.normalize(codes + step_size * self.gradient(codes), dim=2)

    def decode(self, values: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Log-probabilities of all tokens at every place, given the true ones before it.

        Parameters
        ----------
        values : int tensor, shape (B, L)
        codes : tensor, shape (B, L, H)

        Returns
        -------
        tensor, shape (B, L, vocabulary)
            Minus infinity for tokens of other variables.
        """
        start = torch.full_like(values[:, :1], len(self.foreign[0]))
        before = torch.cat([start, (values + self.offsets)[:, :-1]], dim=1)
        embedding = self.embed(codes)[None]
        logits, _ = self._step(before, (embedding, embedding), codes)
        return logits.masked_fill(self.foreign, -torch.inf).log_softmax(dim=2)

    @torch.no_grad()
    def generate(self, codes: torch.Tensor) -> torch.Tensor:
        """Values of all variables, shape (B, L), each the likeliest given those before it."""
        embedding = self.embed(codes)[None]
        state = (embedding, embedding)
        token = torch.full((len(codes), 1), len(self.foreign[0]))
        tokens = []
        for foreign in self.foreign:
            logits, state = self._step(token, state, codes)
            token = logits.masked_fill(foreign, -torch.inf).argmax(dim=2)
            tokens.append(token)
        return torch.cat(tokens, dim=1) - self.offsets

    def _step(
        self,
        before: torch.Tensor,
        state: tuple[torch.Tensor, torch.Tensor],
        codes: torch.Tensor,
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Logits after each of some tokens, shape (B, n), and the LSTM's state after the last."""
        tokens = self.dropout(self.target(before))
        read, state = self.decoder(tokens, state)
        states = (tokens + read) * _HALF
        weights = torch.softmax(self.query(states) @ codes.transpose(1, 2), dim=2)
        attended = torch.tanh(self.attended(torch.cat([weights @ codes, states], dim=2)))
        return self.token((states + attended) * _HALF), state


def loss(
    network: NAO, values: torch.Tensor, accuracies: torch.Tensor, trade_off: float
) -> torch.Tensor:
    """``trade_off`` x squared error of prediction + (1 - ``trade_off``) x reconstruction loss.

    Both are means, of cells' squared errors and of tokens' negative log-likelihoods (Luo et al.
    2018, equation 2).

    Parameters
    ----------
    network : NAO
    values : int tensor, shape (B, L)
    accuracies : tensor, shape (B,)
    trade_off : float
    """
    codes = network.encode(values)
    error = F.mse_loss(network.predict(codes), accuracies)
    likely = network.decode(values, codes)
    rebuilt = F.nll_loss(likely.flatten(0, 1), (values + network.offsets).flatten())
    return trade_off * error + (1 - trade_off) * rebuilt


def fit_nao(
    network: NAO,
    values: torch.Tensor,
    accuracies: torch.Tensor,
    *,
    steps: int,
    trade_off: float = 0.8,
    batch_size: int = 100,
    lr: float = 1e-2,
    weight_decay: float = 1e-4,
    max_norm: float = 5.0,
    generator: torch.Generator,
) -> torch.Tensor:
    """Train ``network`` in place, by a new Adam, on evaluated cells.

    Parameters
    ----------
    network : NAO
    values : int tensor, shape (N, L)
        Values of all variables.
    accuracies : tensor, shape (N,)
        To be predicted, higher for better cells; best scaled to a spread of about one.
    steps, batch_size : int
        Steps of Adam, and cells of each; all cells are visited in a new order again and again.
    trade_off : float
        Weight of the prediction, see `loss`.
    lr, weight_decay : float
        Step size of Adam, and its L2 penalty.
    max_norm : float
        A longer gradient is scaled down to this length.
    generator : torch.Generator
        Source of the order of cells and of dropout.

    Returns
    -------
    tensor, shape (steps,)
        Loss of every step's cells.

    Raises
    ------
    DagnasError
        Training diverges.
    """
    optimizer = torch.optim.Adam(network.parameters(), lr=lr, weight_decay=weight_decay, fused=True)
    losses = torch.zeros(steps)
    waiting: list[torch.Tensor] = []
    network.train()
    with drawing_from(generator):
        for step in range(steps):
            if not waiting:
                waiting = list(torch.split(torch.randperm(len(values)), batch_size))
            batch = waiting.pop()
            optimizer.zero_grad()
            value = loss(network, values[batch], accuracies[batch], trade_off)
            torch.autograd.backward(value)
            nn.utils.clip_grad_norm_(network.parameters(), max_norm)
            optimizer.step()
            losses[step] = value.detach()
    network.eval()
    if not losses.isfinite().all():
        raise DagnasError("losses in training hold NaN or infinity")
    return losses
