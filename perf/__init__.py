"""Benchmarks, run with the kernels that pipeline and command line run with."""

from dagnas import kernels

# Before a library is loaded that has others.
kernels.choose()
