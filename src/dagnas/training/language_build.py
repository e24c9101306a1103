"""Building of tables of language models: random recurrent cells, trained on a text."""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dagnas.seeds import stream
from dagnas.spaces.recurrent import RecurrentSpace, cell_parameters, recurrent
from dagnas.training.language_curves import LanguageCurves
from dagnas.training.language_recipe import LanguageRecipe
from dagnas.training.stacked_build import SPLITS, StackedBuild
from dagnas.training.texts import TextSet

#: Cost of one word in training: fixed seconds, and seconds per weight that it meets. Constants from
#: one measurement on a core (docs/recurrent.md), so that the same model costs the same everywhere.
SECONDS_FIXED = 1e-6
SECONDS_PER_WEIGHT = 4.8e-10


class LanguageBuild(StackedBuild):
    """Build of a table of language models, whose columns docs/recurrent.md lists.

    Its cells are random ones of the space, no two isomorphic, in the order in which they were
    drawn; a table of more cells begins with those of a table of fewer. In columns of accuracies it
    holds the share of the perplexity of guessing that a model saves, in %
    (`dagnas.training.language.saved`), so that more is better.

    Parameters
    ----------
    text : TextSet
    recipe : LanguageRecipe
    device : str
        ``cpu`` or ``cuda``.

    Raises
    ------
    DagnasError
        The text has too few words.
    """

    STACK: ClassVar = 16

    def __init__(self, text: TextSet, recipe: LanguageRecipe, device: str = "cpu") -> None:
        self.text, self.recipe = text.reduced(recipe.vocabulary, recipe.sizes), recipe
        curves = LanguageCurves(recurrent, self.text, recipe, device)
        codes, name = random_classes(recurrent, recipe.cells), self.text.name
        super().__init__(recurrent, name, codes, curves, recipe.seeds, recipe.epochs, device)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of all that determines the values: space, text and its name, recipe."""
        terms = [self.space.name, self.name, self.text.digest(), self.recipe.dump()]
        return hashlib.sha256(json.dumps(terms, sort_keys=True).encode()).hexdigest()

    def _nodes(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of nodes of each cell."""
        return recurrent.to_trees(recurrent.unpack(codes)).counts

    def _stacks(self, codes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Cells of as many nodes together, so that each model of a stack has all of its steps."""
        return super()._stacks(codes[np.argsort(-self._nodes(codes), kind="stable")])

    def _contents(
        self, trained: pa.Table, row_of: dict[int, int]
    ) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        codes = np.sort(np.array([*row_of], dtype=np.int64))
        rows = np.array([row_of[code] for code in codes.tolist()])
        units, words = self.recipe.units, len(self.text.words)
        weights = cell_parameters(self._nodes(codes), units)
        madds = weights + words * units
        columns: dict[str, NDArray[Any]] = {
            "code": codes,
            "params": weights + words * (units + 1),
            "madds": madds,
        }
        for column in trained.column_names[1:]:
            columns[f"{self.name}/{column}"] = trained[column].to_numpy()[rows]
        per_epoch = len(self.text.train) * (SECONDS_FIXED + SECONDS_PER_WEIGHT * madds)
        for epoch in range(1, self.epochs + 1):
            columns[f"{self.name}/seconds/{epoch}/mean"] = epoch * per_epoch
        sizes = dict(zip(SPLITS, map(len, self.text.parts), strict=True))
        return columns, {
            "text_sha256": self.text.digest(),
            "unit": "100 (1 - log perplexity / log words)",
            "recipe": json.dumps(self.recipe.dump()),
            "words": json.dumps({"vocabulary": words} | sizes),
            "cost": json.dumps({"fixed": SECONDS_FIXED, "per_weight": SECONDS_PER_WEIGHT}),
        }


def random_classes(space: RecurrentSpace, count: int) -> NDArray[np.int64]:
    """Packed numbers of the representatives of different classes, in the order of their drawing.

    They are those of random cells (`RecurrentSpace.sample`), each class where it comes first, so
    that the first ones do not depend on ``count``.
    """
    rng = stream(space.name, "table")
    found: dict[int, None] = {}
    while len(found) < count:
        found |= dict.fromkeys(space.canonical(space.sample(256, rng)).tolist())
    return np.array(list(found)[:count], dtype=np.int64)
