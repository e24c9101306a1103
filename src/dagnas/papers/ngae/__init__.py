"""Neural Architecture Optimization with Graph VAE."""
