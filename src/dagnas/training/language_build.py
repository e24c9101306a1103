"""Building of tables of language models: random recurrent cells, trained on a text."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.files import SCHEMA
from dagnas.seeds import stream
from dagnas.spaces.recurrent import RecurrentSpace, cell_parameters, recurrent
from dagnas.training.build import SPLITS, Build, _joined
from dagnas.training.language_curves import LanguageCurves
from dagnas.training.language_recipe import LanguageRecipe
from dagnas.training.texts import TextSet

#: Models trained together; more do not fit into a core's cache.
STACK = 16
#: Cost of one word in training: fixed seconds, and seconds per weight that it meets. Constants from
#: one measurement on a core (docs/recurrent.md), so that the same model costs the same everywhere.
SECONDS_FIXED = 1e-6
SECONDS_PER_WEIGHT = 4.8e-10


class LanguageBuild(Build):
    """Build of a table of language models, which can be stopped at any time and resumed.

    Its cells are random ones of the space, no two isomorphic; a table of more cells begins with
    those of a table of fewer. In columns of accuracies it holds the fraction of the entropy of
    guessing that a model saves, in % (`dagnas.training.language.saved`), so that more is better.

    Parameters
    ----------
    text : TextSet
    recipe : LanguageRecipe
    device : str
        ``cpu`` or ``cuda``.

    Attributes
    ----------
    codes : ndarray of int64
        Packed numbers of the cells that are trained, in the order in which they were drawn.

    Raises
    ------
    DagnasError
        The text has too few words.
    """

    def __init__(self, text: TextSet, recipe: LanguageRecipe, device: str = "cpu") -> None:
        self.text = text.reduced(recipe.vocabulary, recipe.sizes)
        self.space: RecurrentSpace = recurrent
        self.language, self.device = recipe, device
        # A build asks both for what these have as well: seeds and epochs; trainings of stacks.
        self.recipe = cast(Any, recipe)
        self._curves = cast(Any, LanguageCurves(recurrent, self.text, recipe, device))
        self.codes = random_classes(recurrent, recipe.cells)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of all that determines the values: space, text and its name, recipe."""
        terms = [self.space.name, self.text.name, self.text.digest(), self.language.dump()]
        return hashlib.sha256(json.dumps(terms, sort_keys=True).encode()).hexdigest()

    def _stacks(self, codes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Cells of as many nodes together, so that each model of a stack has all of its steps."""
        counts = self.space.to_trees(self.space.unpack(codes)).counts
        codes = codes[np.argsort(-counts, kind="stable")]
        return [codes[at : at + STACK] for at in range(0, len(codes), STACK)]

    def table(
        self, parts: Sequence[pa.Table], partial: bool = False
    ) -> tuple[pa.Table, dict[str, str]]:
        """Benchmark table of all cells, and its metadata (docs/recurrent.md lists its columns).

        Parameters
        ----------
        parts : sequence of Table
            As `train` gives them.
        partial : bool
            Whether cells may be missing; the table is of those that are there then.

        Raises
        ------
        DagnasError
            Cells are missing from the parts.
        """
        trained = _joined(parts)
        row_of = {code: row for row, code in enumerate(trained["code"].to_pylist())}
        here = np.array([code in row_of for code in self.codes.tolist()])
        if not here.all() and not partial:
            raise DagnasError(
                f"the parts lack {(~here).sum():,} of {len(here):,} cells; the first is number "
                f"{int((~here).argmax())}"
            )
        codes = np.sort(self.codes[here])
        rows = np.array([row_of[code] for code in codes.tolist()])
        units, words, name = self.language.units, len(self.text.words), self.text.name
        weights = cell_parameters(self.space.to_trees(self.space.unpack(codes)).counts, units)
        columns: dict[str, NDArray[Any]] = {
            "code": codes,
            "params": weights + words * (units + 1),
            "madds": weights + words * units,
        }
        for column in trained.column_names[1:]:
            columns[f"{name}/{column}"] = trained[column].to_numpy()[rows]
        per_epoch = len(self.text.train) * (SECONDS_FIXED + SECONDS_PER_WEIGHT * columns["madds"])
        for epoch in range(1, self.language.epochs + 1):
            columns[f"{name}/seconds/{epoch}/mean"] = epoch * per_epoch
        metadata = {
            "schema": SCHEMA,
            "space": self.space.name,
            "source": f"built on {name}",
            "sha256": self.digest,
            "emulated": "[]",
            # What `dagnas.benchmarks.built` looks columns up by.
            "images": name,
            "text_sha256": self.text.digest(),
            "unit": "100 (1 - log perplexity / log words)",
            "recipe": json.dumps(self.language.dump()),
            "words": json.dumps(
                {"vocabulary": words} | dict(zip(SPLITS, map(len, self.text.parts), strict=True))
            ),
            "cost": json.dumps({"fixed": SECONDS_FIXED, "per_weight": SECONDS_PER_WEIGHT}),
            "platform": trained.schema.metadata[b"dagnas.platform"].decode(),
        }
        if not here.all():
            metadata["part"] = f"{here.sum():,} of {len(here):,} cells that are trained"
            # Another part is another table.
            whole = f"{self.digest} {codes.tolist()}"
            metadata["sha256"] = hashlib.sha256(whole.encode()).hexdigest()
        return pa.table(columns), {f"dagnas.{key}": value for key, value in metadata.items()}


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
