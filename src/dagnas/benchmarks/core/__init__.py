"""The machinery of benchmarks: tables, policies, and where tables come from."""
