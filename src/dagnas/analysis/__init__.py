"""Statistics of traces: incumbents, paired trials, ranks, censored times."""
