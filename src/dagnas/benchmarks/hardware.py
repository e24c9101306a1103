"""NAS-Bench-201 with the costs of its cells on six devices (HW-NAS-Bench, Li et al. 2021).

Without a table that has to be fetched, digits201 with the sizes of its networks stands in.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from dagnas.benchmarks.benchmark import TabularBenchmark, benchmark
from dagnas.benchmarks.costed import CostedBenchmark, only_cells_of
from dagnas.benchmarks.digits201 import digits201
from dagnas.benchmarks.nasbench201 import open_nasbench201
from dagnas.spaces.sizes.nasbench201 import Skeleton201, nasbench201_size
from dagnas.tables.table import Table

#: Latencies in ms and energies in mJ that all cells have.
DEVICES = (
    *("edgegpu_latency", "edgegpu_energy", "raspi4_latency", "pixel3_latency"),
    *("eyeriss_latency", "eyeriss_energy", "fpga_latency", "fpga_energy"),
)
#: Latency, in ms, that those cells have which the Edge TPU could run.
EDGE_TPU = "edgetpu_latency"
#: Networks of the image sets, of which parameters and multiply-adds are counted.
_NETWORKS = {
    "cifar10": Skeleton201(),
    "cifar100": Skeleton201(classes=100),
    "imagenet16": Skeleton201(height=16, width=16, classes=120),
}


def open_hardware(name: str, images: str, data: Path, edge_tpu: bool = False) -> TabularBenchmark:
    """Open NAS-Bench-201 with its accuracies and costs on one image set.

    Parameters
    ----------
    name : str
        Name of the benchmark.
    images : str
        "cifar10", "cifar100" or "imagenet16".
    data : Path
        Folder of tables.
    edge_tpu : bool
        Whether to have the Edge TPU's latency too, and only the cells that it could run.
    """
    plain, table = open_nasbench201(name, images, data), Table(data / "hw_nasbench201.parquet")
    codes = plain.table["code"]
    # Both tables have all cells, each in an order of its own.
    rows = np.argsort(table["code"])[np.argsort(np.argsort(codes))]
    devices = (*DEVICES, EDGE_TPU) if edge_tpu else DEVICES
    costs = {device: table[f"{images}/{device}/0/mean"][rows] for device in devices}
    size = nasbench201_size(plain.cells, _NETWORKS[images])
    costs["parameters"] = size.params.astype(np.float64)
    costs["multiply_adds"] = size.total_madds().astype(np.float64)
    kept, accuracies = np.full(len(codes), True), plain.table
    if edge_tpu:
        kept = ~np.isnan(costs[EDGE_TPU])
        accuracies = plain.table.only(kept)
    found = CostedBenchmark(
        name,
        plain.space,
        accuracies,
        {key: replace(policy, costs=(*costs,)) for key, policy in plain.policies.items()},
        costs={cost: values[kept] for cost, values in costs.items()},
        sources=table.provenance.get("sha256", ""),
    )
    return only_cells_of(found) if edge_tpu else found


@benchmark()
def digits201_costs(data: Path) -> TabularBenchmark:
    """Open digits201 with the parameters and multiply-adds of its networks as costs."""
    plain = cast("TabularBenchmark", digits201.open(data))
    sizes = {"parameters": plain.table["params"], "multiply_adds": plain.table["madds"]}
    return CostedBenchmark(
        "digits201_costs",
        plain.space,
        plain.table,
        {key: replace(policy, costs=(*sizes,)) for key, policy in plain.policies.items()},
        costs={cost: values.astype(np.float64) for cost, values in sizes.items()},
    )


@benchmark(tables=("nasbench201", "hw_nasbench201"))
def hw_nasbench201(data: Path) -> TabularBenchmark:
    """Open NAS-Bench-201 with its costs on CIFAR-10."""
    return open_hardware("hw_nasbench201", "cifar10", data)


@benchmark(tables=("nasbench201", "hw_nasbench201"))
def hw_nasbench201_edgetpu(data: Path) -> TabularBenchmark:
    """Open the 10,926 cells that the Edge TPU could run, with their costs on CIFAR-10."""
    return open_hardware("hw_nasbench201_edgetpu", "cifar10", data, edge_tpu=True)


@benchmark(tables=("nasbench201", "hw_nasbench201"))
def hw_nasbench201_cifar100(data: Path) -> TabularBenchmark:
    """Open NAS-Bench-201 with its costs on CIFAR-100."""
    return open_hardware("hw_nasbench201_cifar100", "cifar100", data)


@benchmark(tables=("nasbench201", "hw_nasbench201"))
def hw_nasbench201_imagenet16(data: Path) -> TabularBenchmark:
    """Open NAS-Bench-201 with its costs on ImageNet16-120."""
    return open_hardware("hw_nasbench201_imagenet16", "imagenet16", data)
