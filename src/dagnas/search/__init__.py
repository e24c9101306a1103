"""Who proposes: search methods, one file each."""

from dagnas.registry import Registry
from dagnas.search.core.method import Method

METHODS: Registry[Method] = Registry("method", "dagnas.search", Method)
