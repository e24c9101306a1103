"""NAGO: Neural Architecture Generator Optimization (Ru et al. 2020)."""
