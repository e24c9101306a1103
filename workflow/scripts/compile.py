"""Compile the package, once with its environment: `make` does it.

Python's modules, and the two functions that numba takes ten seconds each for: left to the first
jobs, several compile the same side by side. The code is of portable kernels, as that of jobs is.
"""

import importlib
import pkgutil

import dagnas
from dagnas import kernels


def main() -> None:
    """Compile what is kept on disk."""
    kernels.choose()
    for module in pkgutil.walk_packages(dagnas.__path__, "dagnas."):
        importlib.import_module(module.name)
    train()


def train() -> None:
    """Train a Bayesian network and a GCN for a moment, as methods train them."""
    import numpy as np
    import torch

    from dagnas.predictors.fit import as_tensors
    from dagnas.predictors.gcn.model import GCN
    from dagnas.predictors.gcn.training import fit_square
    from dagnas.predictors.sghmc import BayesianNetwork, Chain
    from dagnas.spaces import SPACES

    rng = np.random.default_rng(0)
    points, targets = rng.random((3, 2)), rng.random(3)
    BayesianNetwork(points, targets, rng, chain=Chain(steps=2, burn_in=1, every=1))

    space = SPACES.get("nasbench201")
    network = GCN(space, layers=4, hidden=64, normalized=True)
    graphs = network.encode(as_tensors(space.to_graph(space.sample(3, rng))))
    errors = torch.as_tensor(targets, dtype=torch.float32)
    fit_square(network.body, graphs, errors, loss="mse", epochs=1, generator=torch.Generator())


if __name__ == "__main__":
    main()
