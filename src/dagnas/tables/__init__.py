"""Benchmark tables: columns, published sources, importers, emulation."""
