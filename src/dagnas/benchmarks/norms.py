"""Statistics that batch norms stand on when a cell is scored with shared weights."""

from typing import Literal

#: Those of the validation images, of training images, or means over the cells that were trained.
Statistics = Literal["batch", "recalibrated", "running"]
STATISTICS: tuple[Statistics, ...] = ("batch", "recalibrated", "running")
