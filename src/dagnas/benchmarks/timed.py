"""Trained cells whose cache holds how long each training took."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from dagnas.benchmarks.trained import Network, TrainedCells, cached
from dagnas.errors import DagnasError
from dagnas.training.alone import Accuracies
from dagnas.training.images import ImageSet, Split


@dataclass
class TimedCells(TrainedCells):
    """Benchmark that trains cells, and notes the seconds of each training beside its accuracies.

    On a CPU these are CPU seconds of the process, which other work on the machine hardly changes.
    They do not count the work of a GPU, so that there seconds are wall-clock ones. A training that
    was interrupted within counts from where it resumed. Evaluations do not have these seconds,
    since they differ from run to run: `seconds` reads them from the cache, where a line has a text
    and them alone.

    Parameters
    ----------
    name, space, images, folder, recipe, parts, on_gpu, channels, layers, resumable
        As of `TrainedCells`.
    """

    _spent: dict[str, float] = field(init=False, default_factory=dict)

    def seconds(self, batch: Any) -> dict[str, float]:
        """Seconds of the trainings of a batch, by the texts of their networks.

        Cells of one network share a training, so there may be fewer than cells.

        Raises
        ------
        DagnasError
            The cache lacks those of a training.
        """
        if self._set is None or self._parts is None:
            self._set = self.images()
            self._parts = self.parts(self._set)
        path = self._file()
        known = {text: number for text, (number,) in cached(path, 1)}
        texts = dict.fromkeys(network.text for network in self._networks(batch))
        lacking = [text for text in texts if text not in known]
        if lacking:
            raise DagnasError(
                f"{path} does not say how long {len(lacking)} of {len(texts)} trainings took, such "
                f"as that of {lacking[0]}: remove the file, if it is there, and search again"
            )
        return {text: known[text] for text in texts}

    def _train(self, network: Network, images: ImageSet, parts: Split) -> Accuracies:
        began = self._clock()
        found = super()._train(network, images, parts)
        self._spent[network.text] = self._clock() - began
        return found

    def _clock(self) -> float:
        return time.process_time() if self._device() == "cpu" else time.perf_counter()

    def _cache(self, text: str, found: tuple[float, ...]) -> None:
        # First, so that accuracies which are known are never without seconds.
        super()._cache(text, (self._spent[text],))
        super()._cache(text, found)
