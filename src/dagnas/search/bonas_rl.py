"""BONAS with candidates of a learned controller (BONAS, table 2)."""

from dagnas.search.bonas import bonas

bonas_rl = bonas.variant("bonas_rl", __name__, sampler="rl")
