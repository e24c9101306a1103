"""``dagnas describe``: size of the network of an architecture."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dagnas.cli.plugin import add_plugin, load_plugins

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from dagnas.networks.count import Count, LayerCount
    from dagnas.networks.shape import NetworkShape
    from dagnas.spaces.generators import GeneratorSpace

EXAMPLES = """examples:
  dagnas describe --space nasbench201 \\
    --cell '|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|'
  dagnas describe --space resnet_strings --cell 1211-211-1111-12111 --imagenet
  dagnas describe --space darts --cell "$(cat genotype.txt)" --channels 36 --layers 20 --auxiliary
  dagnas describe --space darts --cell "$(cat genotype.txt)" --imagenet --json
  dagnas describe --space nago_code --cell "top_n=5 top_k=4 top_p=0.5 mid_n=3 mid_p=0.6 \\
    bottom_n=5 bottom_k=2 bottom_p=0.3" --sample 1 --budget 200000 --draw network.svg
"""

#: Parameters of the network of a generator, if no budget is given.
BUDGET = 100_000

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
    parser.add_argument(
        "--sample", type=int, metavar="N", help="of generators: number of the network, by default 0"
    )
    parser.add_argument(
        "--budget",
        type=int,
        metavar="N",
        help=f"of generators: parameters of the network, by default {BUDGET:,}",
    )
    parser.add_argument("--json", action="store_true", help="print exact numbers as JSON")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="picture to make, .svg or .png")
    add_plugin(parser)


def run(options: argparse.Namespace) -> None:
    """Print the size, and draw the architecture."""
    from dagnas.errors import unknown
    from dagnas.networks import NETWORKS
    from dagnas.spaces import SPACES
    from dagnas.spaces.generators import GeneratorSpace

    load_plugins(options.plugin)
    if options.space in SPACES.names():
        space = SPACES.get(options.space)
        if isinstance(space, GeneratorSpace):
            return _describe_generated(space, options)
    if options.space not in NETWORKS.names():
        spaces = {name: SPACES.get(name) for name in SPACES.names()}
        drawn = [name for name, space in spaces.items() if isinstance(space, GeneratorSpace)]
        raise unknown("space with networks", options.space, sorted([*NETWORKS.names(), *drawn]))
    _describe(options)


def _describe(options: argparse.Namespace) -> None:
    """Network of an architecture that is one."""
    from dagnas.cli.draw import draw_architecture
    from dagnas.errors import DagnasError
    from dagnas.networks import NETWORKS

    family = NETWORKS.get(options.space)
    for name in ("sample", "budget"):
        if getattr(options, name) is not None:
            raise DagnasError(f"--{name} is for spaces of generators, which {family.name} is not")
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


def _describe_generated(space: GeneratorSpace, options: argparse.Namespace) -> None:
    """Network that a generator draws."""
    from dagnas.cli.draw import draw_architecture
    from dagnas.errors import DagnasError
    from dagnas.networks.generators import plan_generated
    from dagnas.networks.shape import NetworkShape

    for name in ("channels", "layers", "auxiliary", "imagenet"):
        if getattr(options, name):
            raise DagnasError(
                f"--{name}: networks of {space.name} have what --budget, --sample and --cell say"
            )
    sample, budget = options.sample or 0, BUDGET if options.budget is None else options.budget
    if sample < 0:
        raise DagnasError(f"--sample {sample}: the number of a network, from 0 on")
    shape, vector = NetworkShape(), space.from_str([options.cell])
    drawn, plan = plan_generated(space, vector, sample, shape, budget)
    stages = {about["stage"]: f"top{node}" for node, about in drawn.nodes.items()}
    parts = plan.parts(shape.height, shape.width)
    if options.draw is not None:
        sizes = {stage: _stage(parts[name].output) for stage, name in stages.items()}
        draw_architecture(
            space.name, options.cell, options.draw, by="describe", sample=sample, sizes=sizes
        )
    found = {
        "parameters": plan.parameters,
        "multiply_adds": plan.multiply_adds(shape.height, shape.width),
        "peak_bytes": plan.peak_bytes(shape.height, shape.width),
    }
    if options.json:
        document = {
            "space": space.name,
            "cell": options.cell,
            "sample": sample,
            "budget": budget,
            "shape": shape.model_dump(),
            **found,
            "parts": [{"name": name, **part._asdict()} for name, part in parts.items()],
        }
        print(json.dumps(document, indent=2))
        return
    rows = [
        (name, " x ".join(map(str, part.output)), part.parameters, part.multiply_adds)
        for name, part in parts.items()
    ]
    _print_table("part", rows)
    print(
        f"\nSample {sample}, budget {budget:,}. {_images(shape)}\n"
        f"{found['parameters']:,} parameters\n"
        f"{found['multiply_adds']:,} multiply-adds of convolutions and the linear layer\n"
        f"{found['peak_bytes']:,} bytes of activations at once, in float32, for one image"
    )


def _stage(output: tuple[int, ...]) -> str:
    """Words for a stage in a picture."""
    channels, height, width = output
    return f"{height} \u00d7 {width}\n{channels} channel{'s' * (channels > 1)}"


def _images(shape: NetworkShape) -> str:
    channels, height, width = shape.image
    return f"Images of {channels} x {height} x {width}, {shape.classes} classes."


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
    rows = []
    for first, last, layer in _alike(found.layers):
        name = first if first == last else f"{first} to {last}"
        output = " x ".join(map(str, layer.shape)) or "in training only"
        rows.append((name, output, layer.parameters, layer.multiply_adds))
    _print_table("layer", rows)
    print(
        f"\n{_images(shape)}\n"
        f"{found.parameters:,} parameters\n"
        f"{found.multiply_adds:,} multiply-adds of convolutions and linear layers; "
        f"{found.multiply_adds + found.elementwise:,} with {ELEMENTWISE}"
    )


def _print_table(first: str, rows: Sequence[tuple[str, str, int, int]]) -> None:
    """Table of names, outputs, parameters and multiply-adds."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in (first, "output", "parameters", "multiply-adds"):
        table.add_column(column, justify="left" if column in (first, "output") else "right")
    for name, output, parameters, multiply_adds in rows:
        table.add_row(name, output, f"{parameters:,}", f"{multiply_adds:,}")
    Console(highlight=False, soft_wrap=True).print(table)


def _alike(layers: tuple[LayerCount, ...]) -> list[tuple[str, str, LayerCount]]:
    """Names of the first and the last of each run of layers that are alike, and one of them."""
    runs: list[tuple[str, str, LayerCount]] = []
    for layer in layers:
        if runs and runs[-1][2]._replace(name="") == layer._replace(name=""):
            runs[-1] = (runs[-1][0], layer.name, layer)
        else:
            runs.append((layer.name, layer.name, layer))
    return runs
