"""Search methods and the runner of their trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.registry import Registry

if TYPE_CHECKING:
    from dagnas.search.method import Method

METHODS: Registry[Method] = Registry(
    "method",
    "dagnas.search",
    "dagnas.search.method:Method",
    {
        "alphax": "dagnas.search.methods.alphax",
        "bananas": "dagnas.search.methods.bananas",
        "bohb": "dagnas.search.methods.bohb",
        "bonas": "dagnas.search.methods.bonas",
        "bonas_random": "dagnas.search.methods.bonas",
        "bonas_rl": "dagnas.search.methods.bonas",
        "controller_pqt": "dagnas.search.methods.controller_pqt",
        "controller_reinforce": "dagnas.search.methods.controller_reinforce",
        "dvae_bo": "dagnas.search.methods.dvae_bo",
        "goal": "dagnas.search.methods.goal",
        "goal_mlp": "dagnas.search.methods.goal",
        "gp_ei": "dagnas.search.methods.gp_ei",
        "lanas": "dagnas.search.methods.lanas",
        "local_search_nas": "dagnas.search.methods.local_search",
        "mobo": "dagnas.search.methods.nago_mobo",
        "nao": "dagnas.search.methods.nao",
        "nas_bowl": "dagnas.search.methods.nas_bowl",
        "nasbot": "dagnas.search.methods.nasbot",
        "ngae": "dagnas.search.methods.ngae",
        "ngae_performance": "dagnas.search.methods.ngae",
        "npenas": "dagnas.search.methods.npenas",
        "npnas": "dagnas.search.methods.npnas",
        "nsga2": "dagnas.search.methods.nsga2",
        "path_gp": "dagnas.search.methods.path_gp",
        "random_search": "dagnas.search.methods.random_search",
        "regularized_evolution": "dagnas.search.methods.regularized_evolution",
        "reinforce": "dagnas.search.methods.reinforce",
        "replicates": "dagnas.search.methods.replicates",
        "smac": "dagnas.search.methods.smac",
        "spos": "dagnas.search.methods.spos",
        "weaknas": "dagnas.search.methods.weaknas",
    },
)
