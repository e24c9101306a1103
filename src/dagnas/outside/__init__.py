"""Files from outside: readers of common formats that run nothing and keep within limits.

A reader of this package ends with a `DagnasError` on whatever bytes it is given: it looks names up
instead of calling them, and refuses what would nest deeply, expand in memory or take long.
"""
