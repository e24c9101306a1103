"""Names of the ways of drawing random architectures, which reading a scale file needs."""

from typing import Literal

#: Uniformly over the values of all variables that give a valid one; uniformly over the classes of
#: isomorphic ones; or by a benchmark's public script.
Draw = Literal["variables", "classes", "script"]
