"""Training of real networks: images, networks of cells and layers, tables built from both."""
