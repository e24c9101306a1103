"""What can be searched: spaces know their graphs and nothing of accuracy."""

from dagnas.registry import Registry
from dagnas.spaces.core.space import CellSpace

SPACES: Registry[CellSpace] = Registry("space", "dagnas.spaces", CellSpace)
