"""Language models of recurrent cells: sizes, equations, dropout, causality."""

import numpy as np
import pytest
import torch
from torch import nn

from dagnas.networks.count import parameters
from dagnas.networks.recurrent import LanguageShape, RecurrentModel
from dagnas.spaces.recurrent import cell_parameters, read, recurrent

PLAIN = LanguageShape(units=5, dropout=0, dropout_hidden=0, dropout_input=0, dropout_embedding=0)
DARTS = (
    "Genotype(recurrent=[('relu', 0), ('relu', 1), ('tanh', 2), ('relu', 3), ('relu', 4), "
    "('identity', 1), ('relu', 5), ('relu', 1)], concat=range(1, 9))",
    "Genotype(recurrent=[('sigmoid', 0), ('relu', 1), ('relu', 1), ('identity', 1), ('tanh', 2), "
    "('sigmoid', 5), ('tanh', 3), ('relu', 5)], concat=range(1, 9))",
)
SMALL = read("Genotype(recurrent=[('relu', 0), ('sigmoid', 0), ('identity', 1)], concat=[2, 3])")


def model(genotype, words=7, shape=PLAIN):
    torch.manual_seed(0)
    return RecurrentModel(genotype, words, shape)


@pytest.mark.parametrize("text", DARTS)
def test_the_published_cells_have_the_published_parameters(text):
    with torch.device("meta"):
        network = RecurrentModel(read(text), 10_000, LanguageShape())
    assert parameters(network) == 22_960_000
    assert parameters(network) == int(cell_parameters(np.array(8), 850)) + 10_000 * 851


def test_the_defaults_are_those_of_darts():
    assert LanguageShape().model_dump() == {
        "units": 850,
        "dropout": 0.75,
        "dropout_hidden": 0.25,
        "dropout_input": 0.75,
        "dropout_embedding": 0.2,
        "initial": 0.04,
    }


def test_a_step_is_the_equations_in_numpy():
    network = model(SMALL).double()
    words = torch.tensor([[3, 1], [0, 6]])
    logits, _ = network(words, network.start(2))
    named = {name: part.detach().numpy() for name, part in network.named_parameters()}

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    last = np.zeros((2, 5))
    for time in range(2):
        x = named["embedding"][words[time].numpy()]
        c, g = np.hsplit(np.hstack([x, last]) @ named["first"], 2)
        states = [last + sigmoid(c) * (np.tanh(g) - last)]
        for node, (function, source) in enumerate(
            [(lambda v: np.maximum(v, 0), 0), (sigmoid, 0), (lambda v: v, 1)]
        ):
            c, g = np.hsplit(states[source] @ named[f"nodes.{node}"], 2)
            states.append(states[source] + sigmoid(c) * (function(g) - states[source]))
        last = (states[2] + states[3]) / 2
        expected = last @ named["embedding"].T + named["bias"]
        np.testing.assert_allclose(logits[time].detach().numpy(), expected, rtol=1e-12)


def test_gradients_are_right():
    network = model(SMALL).double()
    words = torch.tensor([[3, 1], [0, 6], [2, 2]])
    names = [name for name, _ in network.named_parameters()]

    def loss(*weights):
        given = dict(zip(names, weights, strict=True))
        logits, _ = torch.func.functional_call(network, given, (words, network.start(2)))
        return nn.functional.cross_entropy(logits.flatten(0, 1), words.flatten())

    assert torch.autograd.gradcheck(loss, tuple(network.parameters()))


def test_windows_carry_the_state():
    network = model(SMALL)
    words = torch.randint(7, (6, 3), generator=torch.Generator().manual_seed(1))
    whole, outputs = network(words, network.start(3))
    first, before = network(words[:4], network.start(3))
    second, after = network(words[4:], before[-1])
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(torch.cat([before, after]), outputs)


def test_logits_depend_on_earlier_words_alone():
    network = model(SMALL)
    words = torch.randint(7, (5, 1), generator=torch.Generator().manual_seed(1))
    changed = words.clone()
    changed[3] = (words[3] + 1) % 7
    one, two = (network(text, network.start(1))[0] for text in (words, changed))
    assert one[:3].equal(two[:3])
    assert not one[3].equal(two[3])
    assert not one[4].equal(two[4])


@pytest.mark.parametrize(
    "part", ["dropout", "dropout_hidden", "dropout_input", "dropout_embedding"]
)
def test_dropout_is_of_training_alone_and_keeps_its_mask(part):
    network = model(SMALL, shape=PLAIN.model_copy(update={part: 0.5, "units": 64}))
    words = torch.zeros(8, 2, dtype=torch.int64)
    network.eval()
    one, two = (network(words, network.start(2))[0] for _ in range(2))
    assert one.equal(two)
    network.train()
    torch.manual_seed(3)
    one, two = (network(words, network.start(2))[0] for _ in range(2))
    assert not one.equal(two)
    torch.manual_seed(3)
    mask = network._mask(2, 0.5)
    assert set(mask.unique().tolist()) == {0.0, 2.0}
    # One call for all time steps: another order of words meets the same mask.
    torch.manual_seed(3)
    assert network(words, network.start(2))[0].equal(one)


def test_every_cell_has_its_weights():
    cells = recurrent.sample(20, np.random.default_rng(0))
    counts = recurrent.to_trees(cells).counts
    for genotype, count in zip(recurrent.genotypes(cells), counts, strict=True):
        found = parameters(model(genotype)) - 7 * 6
        assert found == int(cell_parameters(count, 5))
