"""Networks of every space by name: logits, shapes that they cannot have, channels_last, bf16."""

import subprocess
import sys

import pytest
import torch

from dagnas.errors import DagnasError
from dagnas.networks import NETWORKS, build
from dagnas.networks.count import parameters
from dagnas.networks.shape import NetworkShape
from dagnas.spaces import SPACES

ONE_CELL = (
    "[('sep_conv_3x3', 0), ('dil_conv_5x5', 1), ('max_pool_3x3', 0), ('sep_conv_5x5', 1), "
    "('avg_pool_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)]"
)
GENOTYPE = (
    f"Genotype(normal={ONE_CELL}, normal_concat=range(2, 6), "
    f"reduce={ONE_CELL}, reduce_concat=range(2, 6))"
)
TEXTS = {
    "darts": GENOTYPE,
    "darts_one_cell": GENOTYPE,
    "layers": "separable > 3 > none > yes > 8 > 2 > swish > no",
    "nasbench101": "110011|10011|0011|111|11|0:maxpool3x3,maxpool3x3,conv3x3-bn-relu,"
    "conv1x1-bn-relu,maxpool3x3",
    "nasbench201": "|nor_conv_3x3~0|+|none~0|skip_connect~1|+"
    "|avg_pool_3x3~0|none~1|nor_conv_1x1~2|",
    "resnet_strings": "1-21-2-1",
}
SMALL = {"channels": 4, "layers": 3, "image_channels": 1, "height": 8, "width": 8, "classes": 5}


def small(name, **changes):
    family = NETWORKS.get(name)
    own = {key for key in ("channels", "layers") if getattr(family.shape, key) is None}
    changes = {key: value for key, value in {**SMALL, **changes}.items() if key not in own}
    shape = family.shaped(**changes)
    return build(name, family.read(TEXTS[name]), shape)


def test_all_spaces_are_tried():
    assert set(TEXTS) == set(NETWORKS.names())


@pytest.mark.parametrize("name", TEXTS)
def test_networks_train_in_channels_last_and_bf16(name):
    torch.manual_seed(0)
    network = small(name).to(memory_format=torch.channels_last)
    images = torch.randn(4, 1, 8, 8).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(images)
    assert logits.shape == (4, 5)
    logits.float().square().sum().backward()
    assert all(weight.grad.isfinite().all() for weight in network.parameters())
    network.eval()
    with torch.no_grad():
        plain = network(images)
        torch.testing.assert_close(network(images.contiguous()), plain, rtol=1e-4, atol=1e-5)
        with torch.autocast("cpu", torch.bfloat16):
            near = network(images).float()
        # One element of bfloat16 has 8 binary digits.
        torch.testing.assert_close(near, plain, rtol=0.1, atol=0.1 * plain.abs().max().item())
        halves = network.bfloat16()(images.bfloat16())
    assert halves.dtype == torch.bfloat16


def test_the_default_shapes_are_the_benchmarks_and_the_papers():
    with torch.device("meta"):
        cell = NETWORKS.get("nasbench201").read(
            "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+"
            "|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
        )
        assert parameters(build("nasbench201", cell)) == 1_531_546
    assert NETWORKS.get("darts").shape == NetworkShape(channels=36, layers=20)
    mobile = NETWORKS.get("darts").shaped(imagenet=True, auxiliary=True)
    assert (mobile.image, mobile.classes) == ((3, 224, 224), 1000)
    assert (mobile.channels, mobile.layers, mobile.stem) == (48, 14, "imagenet")


def test_a_genotype_builds_the_network_of_its_cell():
    space = SPACES.get("darts")
    cell = space.from_str([GENOTYPE])
    (genotype,) = space.genotypes(cell)
    torch.manual_seed(0)
    from_cell = small("darts")
    torch.manual_seed(0)
    shape = NETWORKS.get("darts").shaped(**SMALL)
    from_genotype = build("darts", genotype, shape)
    for (name, one), (other, two) in zip(
        from_cell.state_dict().items(), from_genotype.state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(one, two)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("nasbench201", {"auxiliary": True}, "networks of nasbench201 have no auxiliary head"),
        ("nasbench101", {"imagenet": True}, "networks of nasbench101 have no form for ImageNet"),
        ("nasbench101", {"stem": "imagenet"}, "have no stem 'imagenet'; valid: cifar"),
        ("nasbench101", {"height": 3}, "images of 3 x 32 pixels are too small"),
        ("resnet_strings", {"layers": 5}, "layers 5: networks of resnet_strings have the layers"),
        ("darts", {"channels": 0}, "channels: Input should be greater than 0, not 0"),
        ("darts", {"layers": 1001}, "layers: Input should be less than or equal to 1000, not 1001"),
    ],
)
def test_shapes_that_networks_cannot_have(name, changes, message):
    with pytest.raises(DagnasError, match=message):
        NETWORKS.get(name).shaped(**changes)


def test_a_shape_without_a_size_is_refused():
    with pytest.raises(DagnasError, match="need channels, such as 36"):
        build("darts", None, NetworkShape())
    with pytest.raises(DagnasError, match="unknown space with networks 'enas'"):
        build("enas", None)


def test_names_and_shapes_need_no_torch():
    code = (
        "import sys; from dagnas.networks import NETWORKS, NetworkShape; NETWORKS.names(); "
        "NetworkShape(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
