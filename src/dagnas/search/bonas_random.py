"""BONAS with candidates by chance (BONAS, table 2)."""

from dagnas.search.bonas import bonas

bonas_random = bonas.variant("bonas_random", __name__, sampler="random")
