"""Parameters and multiply-adds of cells in their benchmark's network, one module per space.

A cell stands for one network: a fixed skeleton that repeats the cell, or in ENAS's macro space
holds it once. Its size follows from the cell alone, so it need not be read from a table, and is
known for cells that no table holds. Counting follows the benchmarks: weights and batch-norm scales
and shifts are parameters; a multiply-add is one of a convolution or of the final linear layer.
"""
