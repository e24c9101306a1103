"""dagnas: graph-based neural architecture search, reproduced."""

__version__ = "0.1.0"
