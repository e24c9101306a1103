"""Labels of the cells that graph VAEs are trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.papers.inputs import Inputs

if TYPE_CHECKING:
    from dagnas.predictors.graph_vae.labelled import Labelled


def label_cells(inputs: Inputs, name: str) -> Labelled:
    """Cells that a graph VAE was trained on, and those held out, with their labels.

    Raises
    ------
    DagnasError
        The result does not declare its benchmark, or the table is missing or damaged.
    """
    from dagnas.predictors.graph_vae.labelled import label_benchmark

    asked = inputs.config.section("autoencoders")[name]
    return label_benchmark(inputs.benchmark(asked.benchmark), asked.target, asked.shares)
