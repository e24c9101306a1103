"""``dagnas describe``: size of the network of an architecture."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from dagnas.cli.plugin import add_plugin

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from dagnas.networks.count import Count, LayerCount
    from dagnas.networks.shape import NetworkShape

EXAMPLES = """examples:
  dagnas describe --space nasbench201 \\
    --cell '|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|'
  dagnas describe --space resnet_strings --cell 1211-211-1111-12111 --imagenet
  dagnas describe --space darts --cell "$(cat genotype.txt)" --channels 36 --layers 20 --auxiliary
  dagnas describe --space darts --cell "$(cat genotype.txt)" --imagenet --json
"""

#: What `LayerCount.elementwise` counts.
ELEMENTWISE = "batch norms, ReLUs, poolings and biases"


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "describe",
        help="size of the network of an architecture",
        description="Parameters and multiply-adds of the network of an architecture, and those of "
        "its layers. Nothing is trained or computed: shapes alone are followed.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--space", required=True, metavar="NAME", help="darts, nasbench201, ...; an error lists all"
    )
    parser.add_argument("--cell", required=True, metavar="TEXT", help="as its space writes it")
    parser.add_argument("--channels", metavar="N", help="channels of the first cells")
    parser.add_argument(
        "--layers", metavar="N", help="cells: in all (darts), of each stack (nasbench201)"
    )
    parser.add_argument(
        "--auxiliary", action="store_true", help="with the auxiliary head, which training has"
    )
    parser.add_argument(
        "--imagenet",
        action="store_true",
        help="the network for ImageNet, 224 x 224 pixels, in place of that for CIFAR-10",
    )
    parser.add_argument("--json", action="store_true", help="print exact numbers as JSON")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="picture to make, .svg or .png")
    add_plugin(parser)


def run(options: argparse.Namespace) -> None:
    """Print the size, and draw the architecture."""
    from dagnas import plugins
    from dagnas.cli.draw import draw_architecture
    from dagnas.networks import NETWORKS

    plugins.load(options.plugin)
    family = NETWORKS.get(options.space)
    shape = family.shaped(
        imagenet=options.imagenet,
        named=lambda field: f"--{field}",
        channels=options.channels,
        layers=options.layers,
        auxiliary=options.auxiliary or None,
    )
    architecture = family.read(options.cell)
    if options.draw is not None:
        draw_architecture(options.space, options.cell, options.draw, by="describe")

    import torch

    from dagnas.networks.count import count

    with torch.device("meta"):
        network = family.build(architecture, shape)
    found = count(network, shape.image)
    if options.json:
        print(json.dumps(_document(options, shape, found), indent=2))
    else:
        _print(shape, found)


def _document(options: argparse.Namespace, shape: NetworkShape, found: Count) -> dict[str, object]:
    """All that is known, exactly."""
    return {
        "space": options.space,
        "cell": options.cell,
        "shape": shape.model_dump(),
        **_sums(found),
        "layers": [layer._asdict() for layer in found.layers],
    }


def _sums(found: Count) -> dict[str, int]:
    return {
        "parameters": found.parameters,
        "multiply_adds": found.multiply_adds,
        "elementwise": found.elementwise,
    }


def _print(shape: NetworkShape, found: Count) -> None:
    """Table of the layers, those that are alike in one line, and the sums."""
    from rich.console import Console
    from rich.table import Table

    channels, height, width = shape.image
    table = Table(box=None, pad_edge=False)
    for column in ("layer", "output", "parameters", "multiply-adds"):
        table.add_column(column, justify="left" if column in ("layer", "output") else "right")
    for first, last, layer in _alike(found.layers):
        name = first if first == last else f"{first} to {last}"
        output = " x ".join(map(str, layer.shape)) or "in training only"
        table.add_row(name, output, f"{layer.parameters:,}", f"{layer.multiply_adds:,}")
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    console.print(
        f"\nImages of {channels} x {height} x {width}, {shape.classes} classes.\n"
        f"{found.parameters:,} parameters\n"
        f"{found.multiply_adds:,} multiply-adds of convolutions and linear layers; "
        f"{found.multiply_adds + found.elementwise:,} with {ELEMENTWISE}"
    )


def _alike(layers: tuple[LayerCount, ...]) -> list[tuple[str, str, LayerCount]]:
    """Names of the first and the last of each run of layers that are alike, and one of them."""
    runs: list[tuple[str, str, LayerCount]] = []
    for layer in layers:
        if runs and runs[-1][2]._replace(name="") == layer._replace(name=""):
            runs[-1] = (runs[-1][0], layer.name, layer)
        else:
            runs.append((layer.name, layer.name, layer))
    return runs
