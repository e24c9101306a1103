"""Graph convolutional network of BONAS, and its training compiled for CPUs."""
