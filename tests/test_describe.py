"""``dagnas describe``: sizes as a table and as JSON, a picture, and wrong words."""

import json

import pytest

from dagnas.cli import main

CELL201 = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|"
LAYER = "convolution > 3 > none > yes > 8 > 1 > relu > no"
STRING = "111-2111-211111-211"
V2 = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
    "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], "
    "reduce_concat=[2, 3, 4, 5])"
)


def describe(space, cell, *words):
    return main(["describe", "--space", space, "--cell", cell, *words])


def test_json_is_exact(capsys):
    assert describe("darts", V2, "--auxiliary", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parameters"] == 3_349_342 + 476_426
    assert (found["cell"], found["shape"]["channels"], found["shape"]["layers"]) == (V2, 36, 20)
    assert sum(layer["parameters"] for layer in found["layers"]) == found["parameters"]
    assert sum(layer["multiply_adds"] for layer in found["layers"]) == found["multiply_adds"]


def test_a_table_has_a_line_for_layers_that_are_alike(capsys):
    words = ("--channels", "8", "--layers", "3")
    assert describe("nasbench201", CELL201, *words) == 0
    text = capsys.readouterr().out
    rows = [line.split("  ")[0] for line in text.splitlines()]
    assert "body.stack1_cell0 to body.stack1_cell2" in rows
    assert "8 x 32 x 32" in text
    # Stem and head, reductions, and 8 x 8 weights by 10 (a 3x3, a 1x1) in three cells of a stack.
    cells = sum(3 * (10 * c * c + 4 * c) for c in (8, 16, 32))
    joins = sum(2 * c * c + 18 * c * c + 36 * c * c + 8 * c for c in (8, 16))
    assert f"{27 * 8 + 16 + cells + joins + 64 + 330:,} parameters" in text


def test_the_network_for_imagenet(capsys):
    assert describe("resnet_strings", STRING, "--imagenet") == 0
    text = capsys.readouterr().out
    # ResNet-50 with two 3x3 convolutions in place of one of 7x7.
    assert f"{25_557_032 - 9_408 + 27 * 64 + 9 * 64 * 64 + 128:,} parameters" in text
    assert "3 x 224 x 224, 1000 classes" in text


def test_a_picture(tmp_path, capsys):
    file = tmp_path / "cell.svg"
    assert describe("nasbench201", CELL201, "--layers", "1", "--draw", str(file)) == 0
    assert "<svg" in file.read_text()


@pytest.mark.parametrize(
    ("space", "cell", "words", "message"),
    [
        (
            "dart",
            V2,
            [],
            "unknown space with networks 'dart' (did you mean 'darts'?); valid: darts, "
            "darts_one_cell, layers, nago, ",
        ),
        ("nasbench201", "|x~0|", [], "'|x~0|' is no nasbench201 cell: expected"),
        ("darts", V2, ["--channels", "0"], "--channels: Input should be greater than 0, not '0'"),
        ("darts", V2, ["--layers", "many"], "--layers: Input should be a valid integer"),
        ("resnet_strings", STRING, ["--layers", "9"], "--layers 9: networks of resnet_strings"),
        ("nasbench201", CELL201, ["--auxiliary"], "have no auxiliary head"),
        ("nasbench101", "x", ["--imagenet"], "have no form for ImageNet"),
        ("darts", V2, ["--draw", "cell.pdf"], "--draw cell.pdf: a picture of a cell is a file"),
        (
            "layers",
            "convolution > 3 > none > yes > 8 > 1 > relu > no",
            ["--draw", "cell.svg"],
            "layers",
        ),
    ],
)
def test_wrong_words_are_told_in_one_line(
    space, cell, words, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert describe(space, cell, *words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())
