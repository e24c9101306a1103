"""Benchmarks: a search space with its results, under named policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.registry import Registry

if TYPE_CHECKING:
    from dagnas.benchmarks.benchmark import BenchmarkEntry

BENCHMARKS: Registry[BenchmarkEntry] = Registry(
    "benchmark",
    "dagnas.benchmarks",
    "dagnas.benchmarks.benchmark:BenchmarkEntry",
    {
        "darts214": "dagnas.benchmarks.darts214",
        "darts_one_cell_digits": "dagnas.benchmarks.darts_one_cell",
        "darts_one_cell_cifar10": "dagnas.benchmarks.darts_one_cell",
        "darts_one_cell_cifar10_full": "dagnas.benchmarks.darts_one_cell",
        "digits201": "dagnas.benchmarks.digits201",
        "digits201_costs": "dagnas.benchmarks.hardware",
        "enas": "dagnas.benchmarks.enas",
        "hw_nasbench201": "dagnas.benchmarks.hardware",
        "hw_nasbench201_cifar100": "dagnas.benchmarks.hardware",
        "hw_nasbench201_edgetpu": "dagnas.benchmarks.hardware",
        "hw_nasbench201_imagenet16": "dagnas.benchmarks.hardware",
        "lstm12k": "dagnas.benchmarks.language",
        "lstm1k": "dagnas.benchmarks.language",
        "nago_digits": "dagnas.benchmarks.nago",
        "nago_digits_code": "dagnas.benchmarks.nago",
        "nago_digits_least": "dagnas.benchmarks.nago",
        "nago_cifar10": "dagnas.benchmarks.nago",
        "nago_cifar10_full": "dagnas.benchmarks.nago",
        "nago_flowers17": "dagnas.benchmarks.nago",
        "nasbench101": "dagnas.benchmarks.nasbench101",
        "nasbench101_six": "dagnas.benchmarks.nasbench101",
        "nasbench101_seven": "dagnas.benchmarks.nasbench101",
        "nasbench201": "dagnas.benchmarks.nasbench201",
        "nasbench201_cifar100": "dagnas.benchmarks.nasbench201",
        "nasbench201_full": "dagnas.benchmarks.nasbench201_full",
        "nasbench201_imagenet16": "dagnas.benchmarks.nasbench201",
        "stack_layers": "dagnas.benchmarks.toys",
        "stack_layers_linear": "dagnas.benchmarks.toys",
        "select_optimizer_2": "dagnas.benchmarks.toys",
        "select_optimizer_2_linear": "dagnas.benchmarks.toys",
        "select_optimizer_4": "dagnas.benchmarks.toys",
        "select_optimizer_4_linear": "dagnas.benchmarks.toys",
        "layers_digits": "dagnas.benchmarks.layers",
        "layers_digits_linear": "dagnas.benchmarks.layers",
        "layers_cifar10": "dagnas.benchmarks.layers",
        "layers_cifar10_linear": "dagnas.benchmarks.layers",
        "layers_cifar10_small": "dagnas.benchmarks.layers",
        "layers_cifar10_small_linear": "dagnas.benchmarks.layers",
        "resnet_strings_digits": "dagnas.benchmarks.resnet_strings",
        "resnet_strings_cifar10": "dagnas.benchmarks.resnet_strings",
        "width_and_depth": "dagnas.benchmarks.width_and_depth",
    },
)
