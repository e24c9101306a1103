"""Networks of architectures as torch modules, untrained."""
