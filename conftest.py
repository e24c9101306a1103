"""Portable kernels for all tests, chosen before a library is loaded that has others."""

from dagnas import kernels

kernels.choose()
