"""Leaderboard: all methods of a scale on all of its benchmarks, under one protocol."""
