"""Kinds of artifacts, a module each: scale section, command, path, inputs, code and reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.registry import Registry

if TYPE_CHECKING:
    from dagnas.pipeline.kind import Kind

KINDS: Registry[Kind] = Registry(
    "kind of artifact",
    "dagnas.kinds",
    "dagnas.pipeline.kind:Kind",
    {
        "table_part": "dagnas.pipeline.kinds.built_table",
        "built_table": "dagnas.pipeline.kinds.built_table",
        "search": "dagnas.pipeline.kinds.search",
        "ranking": "dagnas.pipeline.kinds.ranking",
        "autoencoder": "dagnas.pipeline.kinds.graph_vae",
        "latent_search": "dagnas.pipeline.kinds.latent_search",
        "training": "dagnas.pipeline.kinds.training",
        "language": "dagnas.pipeline.kinds.language",
        "supernet": "dagnas.pipeline.kinds.supernet",
        "scores": "dagnas.pipeline.kinds.supernet",
    },
)


def all_kinds() -> list[Kind]:
    """All kinds in the order in which they are declared, those of plug-ins last."""
    return [KINDS.get(name) for name in KINDS.names()]
