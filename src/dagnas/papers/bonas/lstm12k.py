"""LSTM-12K: what BONAS's results say of the tables of ours that stand for it."""

from __future__ import annotations

from collections.abc import Iterable

#: Tables of random recurrent cells that this project builds: in small, and of the paper's size.
TABLES = ("lstm1k", "lstm12k")
#: The paper's data set, by which its numbers are filed where none of these is run.
UNRELEASED = "lstm12k"


def lstm_sentence(benchmarks: Iterable[str]) -> str:
    """Sentence on the paper's third data set: which table stands for it, or that none does."""
    from dagnas.drawing.style import benchmark_label

    names = " and ".join(benchmark_label(name) for name in TABLES if name in set(benchmarks))
    if not names:
        return "LSTM-12K is not run: it was never released."
    return (
        f"LSTM-12K was never released: {names} has other cells, trained by this project, so that "
        "its order of methods alone can be compared with the paper's. In place of an accuracy "
        "stands 100 (1 - perplexity / that of guessing by frequency) %."
    )
