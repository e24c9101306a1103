"""Networks of the DARTS space: published counts of parameters, shapes, drop-path, heads."""

import ast
import csv

import pytest
import torch
from torch import nn

from dagnas.networks.darts import DartsNetwork, Wiring, drop_path
from dagnas.spaces.genotypes import read

V1 = (
    "sep_conv_3x3 1 sep_conv_3x3 0 skip_connect 0 sep_conv_3x3 1 "
    "skip_connect 0 sep_conv_3x3 1 sep_conv_3x3 0 skip_connect 2",
    "max_pool_3x3 0 max_pool_3x3 1 skip_connect 2 max_pool_3x3 0 "
    "max_pool_3x3 0 skip_connect 2 skip_connect 2 avg_pool_3x3 0",
)
V2 = (
    "sep_conv_3x3 0 sep_conv_3x3 1 sep_conv_3x3 0 sep_conv_3x3 1 "
    "sep_conv_3x3 1 skip_connect 0 skip_connect 0 dil_conv_3x3 2",
    "max_pool_3x3 0 max_pool_3x3 1 skip_connect 2 max_pool_3x3 1 "
    "max_pool_3x3 0 skip_connect 2 skip_connect 2 max_pool_3x3 1",
)
ARCH2VEC_BO = (
    "sep_conv_5x5 1 max_pool_3x3 0 skip_connect 0 dil_conv_3x3 1 "
    "sep_conv_5x5 1 sep_conv_3x3 0 dil_conv_5x5 2 sep_conv_3x3 0",
    "sep_conv_5x5 1 max_pool_3x3 0 skip_connect 0 dil_conv_3x3 1 "
    "sep_conv_5x5 1 sep_conv_3x3 0 dil_conv_5x5 2 sep_conv_3x3 0",
)


def wirings(texts):
    for text in texts:
        words = text.split()
        yield Wiring.whole(
            [(name, int(source)) for name, source in zip(words[::2], words[1::2], strict=True)]
        )


def network(texts=V2, **shape):
    return DartsNetwork(*wirings(texts), **shape)


def small(**shape):
    return network(**{"channels": 4, "layers": 5, **shape})


def parameters(module):
    return sum(weight.numel() for weight in module.parameters())


def counts(*cells, **shape):
    """Parameters without the auxiliary head and with it."""
    with torch.device("meta"):
        net = DartsNetwork(*cells, auxiliary=True, **shape)
    return parameters(net) - parameters(net.auxiliary), parameters(net)


@pytest.mark.parametrize(
    ("texts", "auxiliary", "count"),
    [(V1, False, 3_169_414), (V2, False, 3_349_342), (ARCH2VEC_BO, True, 4_093_392)],
    ids=["DARTS_V1", "DARTS_V2", "arch2vec_bo"],
)
def test_parameters_are_those_that_authors_printed(texts, auxiliary, count):
    assert counts(*wirings(texts))[auxiliary] == count


def test_parameters_of_all_published_genotypes(mirror):
    with (mirror / "genotypes.csv").open() as file:
        for row in csv.DictReader(file):
            cells = [
                Wiring(*(ast.literal_eval(row[f"{name}{part}"]) for part in ("", "_concat")))
                for name in ("normal", "reduce")
            ]
            expected = int(row["params_c36_l20_cifar10"]), int(row["params_with_auxiliary"])
            assert counts(*cells) == expected, row["name"]


@pytest.mark.parametrize("every", [43, pytest.param(1, marks=pytest.mark.slow)])
def test_parameters_of_214_trained_genotypes(every, mirror):
    with (mirror / "darts214.csv").open() as file:
        for row in list(csv.DictReader(file))[::every]:
            genotype = read(row["genotype"])
            found, _ = counts(Wiring.whole(genotype.normal), Wiring.whole(genotype.reduce))
            assert found == int(row["params_c36_l20_computed"]), row["index"]


def test_the_network_for_imagenet_has_the_published_parameters():
    shape = {"channels": 48, "layers": 14, "classes": 1000, "stem": "imagenet"}
    assert round(counts(*wirings(V2), **shape)[0] / 1e6, 1) == 4.7


@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
@pytest.mark.parametrize("size", [(32, 32), (16, 16), (9, 7)])
def test_logits_of_images_of_any_size(stem, size):
    net = small(stem=stem, classes=3, image_channels=1, auxiliary=True)
    images = torch.randn(2, 1, *size).contiguous(memory_format=torch.channels_last)
    found = net(images)
    assert [logits.shape for logits in found] == [(2, 3)] * 2
    assert net.eval()(images).shape == (2, 3)
    assert small(stem=stem)(torch.randn(2, 3, *size)).shape == (2, 10)


def test_pixels_and_channels_of_the_cells():
    net = small(layers=6, stem="cifar")
    seen = []
    for cell in net.cells:
        cell.register_forward_hook(lambda module, given, found: seen.append(tuple(found.shape)))
    net(torch.zeros(1, 3, 16, 16))
    sizes = [(4, 16), (4, 16), (8, 8), (8, 8), (16, 4), (16, 4)]
    assert seen == [(1, 4 * channels, size, size) for channels, size in sizes]
    adapted = [type(cell.before).__name__ == "FactorizedReduction" for cell in net.cells]
    assert adapted == [False, False, False, True, False, True]


@pytest.mark.parametrize(("stem", "side"), [("cifar", 32), ("imagenet", 224)])
def test_the_auxiliary_head_is_the_official_one(stem, side):
    """Its pooling is the official 5x5 one where maps have the official size, and only there."""
    with torch.device("meta"):
        net = small(stem=stem, auxiliary=True)
    seen = []
    net.auxiliary.features.register_forward_hook(lambda module, given, _: seen.append(given[0]))
    net.to_empty(device="cpu")
    with torch.no_grad():
        for weight in net.parameters():
            weight.fill_(0.1)
        for norm in net.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.reset_running_stats()
        net(torch.randn(2, 3, side, side))
    assert seen[0].shape[2:] == (2, 2)
    maps = torch.arange(64.0).view(1, 1, 8, 8).expand(1, 64, 8, 8)
    seen.clear()
    net.auxiliary.eval()(maps)
    # Rows and columns 0 to 4, of which the mean is that of row 2 and column 2.
    assert seen[0][0, 0, 0, 0] == 18
    net.auxiliary(maps[..., :4, :4])
    assert seen[1][0, 0, 0, 0] == 4.5
    norms = [part for part in net.auxiliary.features if isinstance(part, nn.BatchNorm2d)]
    assert len(norms) == {"cifar": 2, "imagenet": 1}[stem]


def test_drop_path_zeroes_whole_images_and_keeps_the_mean():
    torch.manual_seed(0)
    maps = drop_path(torch.ones(4000, 2, 1, 1), 0.25)
    assert (maps[:, 0] == maps[:, 1]).all()
    assert maps.unique().tolist() == [0, pytest.approx(1 / 0.75)]
    assert maps.mean().item() == pytest.approx(1, abs=0.03)


def test_drop_path_spares_identities_and_evaluation():
    skips = (" ".join(["skip_connect 0 skip_connect 1"] * 4),) * 2
    convolutions = (" ".join(["sep_conv_3x3 0 sep_conv_3x3 1"] * 4),) * 2
    images = torch.randn(4, 3, 8, 8)

    def differs(texts, training):
        # One layer, which is no reduction: the reductions of three are the second and the third.
        cell = network(texts, channels=2, layers=3).train(training).cells[0]
        torch.manual_seed(0)
        maps = torch.randn(4, 6, 8, 8)
        return not torch.equal(cell(maps, maps, 0.5), cell(maps, maps, 0.0))

    assert not differs(skips, True)
    assert differs(convolutions, True)
    net = small(channels=2).eval()
    expected = net(images)
    net.drop_path = 0.5
    torch.testing.assert_close(net(images), expected, rtol=0, atol=0)
    net.train()
    torch.manual_seed(1)
    first = net(images)
    torch.manual_seed(2)
    assert not torch.equal(net(images), first)


def test_every_parameter_is_trained_and_bf16_is_borne():
    net = small(auxiliary=True)
    net.drop_path = 0.2
    with torch.autocast("cpu", torch.bfloat16):
        logits, more = net(torch.randn(4, 3, 16, 16).contiguous(memory_format=torch.channels_last))
    (logits.float().square().sum() + more.float().square().sum()).backward()
    assert all(weight.grad is not None for weight in net.parameters())
