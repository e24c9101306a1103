"""NAO: the network against its equations, training, and the search."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from dagnas.benchmarks import BENCHMARKS
from dagnas.errors import DagnasError
from dagnas.predictors.nao import NAO, fit_nao, loss
from dagnas.predictors.predictor import drawing_from
from dagnas.search import METHODS
from dagnas.search.methods import nao
from dagnas.search.methods.nao import _ascend
from dagnas.search.pool import Seen
from dagnas.search.runner import Search, run_trial
from dagnas.spaces import SPACES
from dagnas.spaces.cell_space import CellSpace

SIZES = [2, 5, 3]
OFFSETS = np.array([0, 2, 7])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def build(sizes=SIZES, seed=0, **settings):
    with drawing_from(seeded(seed)):
        return NAO(sizes, **settings).eval()


def drawn(count, sizes=SIZES, seed=0):
    """Values of all variables of some cells."""
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(sizes, size=(count, len(sizes))))


def codes_of(count, length=3, hidden=64, seed=0):
    raw = torch.randn(count, length, hidden, generator=seeded(seed))
    return torch.nn.functional.normalize(raw, dim=2)


def numpy_of(module):
    return {name: value.detach().numpy() for name, value in module.named_parameters()}


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(inputs, weights, suffix="", h=0.0, c=0.0):
    """States after each of some inputs, shape (n, H), by the textbook equations."""
    states = []
    for x in inputs:
        gates = weights["weight_ih_l0" + suffix] @ x + weights["bias_ih_l0" + suffix]
        gates = gates + weights["weight_hh_l0" + suffix] @ (h + np.zeros(len(gates) // 4))
        i, f, g, o = np.split(gates + weights["bias_hh_l0" + suffix], 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


# The network


def test_the_encoder_reads_both_ways_and_adds_what_it_read_to_the_tokens():
    network = build(hidden=6)
    (value,) = values = drawn(1)
    tokens = network.source.weight.detach().numpy()[value.numpy() + OFFSETS]
    weights = numpy_of(network.encoder)
    ahead, back = lstm(tokens, weights), lstm(tokens[::-1], weights, "_reverse")[::-1]
    read = np.concatenate([ahead, back], axis=1)
    merge = numpy_of(network.merge)
    expected = unit(tokens + read @ merge["weight"].T + merge["bias"])
    assert network.encode(values)[0].detach().numpy() == pytest.approx(expected, abs=1e-5)


def test_the_predictor_is_a_residual_perceptron_on_the_mean_code():
    network = build(hidden=6, predictor=3)
    codes = codes_of(4, hidden=6)
    inner, last = numpy_of(network.inner), numpy_of(network.accuracy)
    embedding = unit(codes.numpy().mean(axis=1))
    middle = np.maximum(embedding @ inner["0.weight"].T + inner["0.bias"], 0)
    added = np.maximum(middle @ inner["3.weight"].T + inner["3.bias"], 0)
    expected = (embedding + added) / np.sqrt(2) @ last["weight"][0] + last["bias"]
    assert network.embed(codes).numpy() == pytest.approx(embedding, abs=1e-6)
    assert network.predict(codes).detach().numpy() == pytest.approx(expected, abs=1e-5)


def test_the_decoder_attends_to_the_code():
    network = build(hidden=6)
    values, codes = drawn(1), codes_of(1, hidden=6)
    (value,), (code,) = values.numpy(), codes.numpy()
    # The sequence starts from a token of its own, the eleventh, and the state is the embedding.
    tokens = network.target.weight.detach().numpy()[[10, value[0], 2 + value[1]]]
    start = unit(code.mean(axis=0))
    states = tokens + lstm(tokens, numpy_of(network.decoder), h=start, c=start)
    states /= np.sqrt(2)
    attention = np.exp(states @ network.query.weight.detach().numpy().T @ code.T)
    attention /= attention.sum(axis=1, keepdims=True)
    both = np.concatenate([attention @ code, states], axis=1)
    attended = np.tanh(both @ network.attended.weight.detach().numpy().T)
    token = numpy_of(network.token)
    logits = (states + attended) / np.sqrt(2) @ token["weight"].T + token["bias"]
    likely = network.decode(values, codes)[0].exp().detach().numpy()
    for place, own in enumerate([slice(0, 2), slice(2, 7), slice(7, 10)]):
        weights = np.exp(logits[place, own])
        assert likely[place, own] == pytest.approx(weights / weights.sum(), abs=1e-5)


def test_no_token_of_another_variable_has_a_chance():
    network = build()
    likely = network.decode(drawn(20), codes_of(20)).exp()
    own = np.zeros((3, 10), dtype=bool)
    own[0, :2] = own[1, 2:7] = own[2, 7:] = True
    assert (likely[:, ~own] == 0).all()
    assert (likely[:, own] > 0).all()
    # However likely one token is made, it is generated at the place of its variable alone.
    owners = [(place, value) for place, size in enumerate(SIZES) for value in range(size)]
    for token, (place, value) in enumerate(owners):
        network.token.bias.data.zero_()[token] = 1e4
        generated = network.generate(codes_of(20))
        assert (generated[:, place] == value).all()
        assert (generated >= 0).all()
        assert (generated < torch.tensor(SIZES)).all()


def test_a_place_sees_only_the_tokens_before_it():
    network = build()
    values, codes = drawn(8), codes_of(8)
    other = values.clone()
    other[:, 1] = (other[:, 1] + 1) % 5
    before, after = network.decode(values, codes), network.decode(other, codes)
    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.isclose(before[:, 2, 7:], after[:, 2, 7:]).any()


def test_generation_takes_the_likeliest_value_at_every_place():
    network = build()
    codes = codes_of(50)
    values = network.generate(codes)
    likely = network.decode(values, codes)
    assert torch.equal(likely.argmax(dim=2), values + torch.tensor(OFFSETS))


def test_slope_is_the_gradient_of_the_predicted_accuracy():
    network = build().double()
    codes = codes_of(5).double()
    gradient = network.gradient(codes)
    direction = torch.randn(codes.shape, generator=seeded(1)).double()
    step = 1e-6
    rise = network.predict(codes + step * direction) - network.predict(codes - step * direction)
    expected = (gradient * direction).sum(dim=(1, 2))
    assert (rise / (2 * step)).tolist() == pytest.approx(expected.tolist(), rel=1e-6)
    assert (gradient.abs().sum(dim=(1, 2)) > 0).all()


@pytest.mark.parametrize("trade_off", [0.0, 0.3, 1.0])
def test_the_loss_mixes_error_and_reconstruction(trade_off):
    network = build()
    values, accuracies = drawn(7), torch.linspace(-1, 2, 7)
    codes = network.encode(values)
    error = np.mean((network.predict(codes).detach().numpy() - accuracies.numpy()) ** 2)
    likely = network.decode(values, codes).detach().numpy()
    tokens = values.numpy() + OFFSETS
    truth = [likely[cell, place, tokens[cell, place]] for cell in range(7) for place in range(3)]
    expected = trade_off * error - (1 - trade_off) * np.mean(truth)
    assert loss(network, values, accuracies, trade_off).item() == pytest.approx(expected, rel=1e-5)


# Training


def test_training_memorises_cells_and_their_accuracies():
    sizes = [5] * 4
    network, values = build(sizes, hidden=32), drawn(20, sizes)
    accuracies = (values.float() @ torch.tensor([1.0, -1, 0.5, 2])) / 3
    losses = fit_nao(network, values, accuracies, steps=100, generator=seeded())
    codes = network.encode(values)
    assert losses[-1] < losses[0] / 20
    assert torch.equal(network.generate(codes), values)
    predicted = network.predict(codes).detach().numpy()
    assert np.corrcoef(predicted, accuracies.numpy())[0, 1] > 0.95


def test_the_trade_off_decides_what_is_learnt():
    values, accuracies = drawn(20), drawn(20)[:, 0] - 0.5
    given = {"steps": 40, "generator": seeded()}
    parts = []
    for trade_off in (0.0, 1.0):
        network = build(hidden=32)
        fit_nao(network, values, accuracies, trade_off=trade_off, **given)
        parts.append([loss(network, values, accuracies, part).item() for part in (0.0, 1.0)])
    (rebuilt, unpredicted), (unbuilt, predicted) = parts
    assert rebuilt < unbuilt / 2
    assert predicted < unpredicted / 2


def test_training_shows_all_cells_alike():
    network, values = build(hidden=4), drawn(10)
    shown = []
    original = network.encode
    network.encode = lambda batch: shown.append(batch) or original(batch)
    fit_nao(network, values, torch.zeros(10), steps=9, batch_size=4, generator=seeded())
    assert sorted(len(batch) for batch in shown) == [2, 2, 2, 4, 4, 4, 4, 4, 4]
    for start in (0, 3, 6):
        visited = torch.cat(shown[start : start + 3])
        assert sorted(visited.tolist()) == sorted(values.tolist())
    assert not torch.equal(torch.cat(shown[:3]), torch.cat(shown[3:6]))


def test_training_depends_on_its_generator_and_not_on_global_state():
    values, results = drawn(12), []
    for noise, seed in ((1, 5), (2, 5), (1, 6)):
        torch.manual_seed(noise)
        state = torch.get_rng_state()
        network = build(hidden=8)
        fit_nao(network, values, torch.arange(12.0), steps=3, generator=seeded(seed))
        assert torch.equal(torch.get_rng_state(), state)
        results.append(network.encode(values))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_training_that_diverges_is_refused():
    with pytest.raises(DagnasError, match="NaN or infinity"):
        fit_nao(build(), drawn(4), torch.full((4,), torch.inf), steps=2, generator=seeded())


# The search


@pytest.fixture(scope="module")
def space():
    return SPACES.get("nasbench201")


def worth(space, cells):
    """A made-up accuracy: the sum of the values of all variables."""
    return space.to_values(cells).sum(axis=1).astype(float)


@pytest.fixture(scope="module")
def trained(space):
    """Cells, and a network that knows them."""
    cells = space.sample(50, np.random.default_rng(3))
    values, accuracies = torch.from_numpy(space.to_values(cells)), worth(space, cells)
    scaled = torch.from_numpy((accuracies - accuracies.mean()) / accuracies.std()).float()
    network = build(space.sizes.tolist(), hidden=32)
    fit_nao(network, values, scaled, steps=100, generator=seeded())
    return cells, network


def ascend(space, trained, **given):
    cells, network = trained
    seen = Seen(space, "cell")
    seen.add(cells)
    values = torch.from_numpy(space.to_values(cells))
    settings = {"step_size": 1.0, "wanted": 40, "max_steps": 30, **given}
    return _ascend(space, network, values, seen, **settings)


def begin(space, seed=0, **given):
    chosen = METHODS.get("nao")
    settings = chosen.settings(space.name, given)
    return chosen.start(space, np.random.default_rng(seed), settings)


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201"])
def test_the_settings_of_luo_et_al_are_the_defaults(name):
    settings = METHODS.get("nao").settings(name)
    assert [settings[key] for key in ("initial", "proposals", "seeds")] == [100, 100, 100]
    assert (settings["trade_off"], settings["step_size"], settings["max_steps"]) == (0.8, 1, 100)


def test_a_step_raises_the_predicted_accuracy(space, trained):
    cells, network = trained
    codes = network.encode(torch.from_numpy(space.to_values(cells))).detach()
    before, small, large = (network.predict(network.move(codes, step)) for step in (0, 0.1, 3.0))
    assert (small > before).all()
    # The gradient is that at the start, so that a long step need not gain for every cell.
    assert (large > small).float().mean() > 0.9
    assert network.move(codes, 3.0).norm(dim=2).numpy() == pytest.approx(1.0, abs=1e-5)


def test_new_cells_are_better_than_those_they_come_from(space, trained):
    cells, network = trained
    found, origins = ascend(space, trained)
    assert len(found) == len(origins) == 40

    def predicted(batch):
        with torch.no_grad():
            return network.predict(network.encode(torch.from_numpy(space.to_values(batch))))

    assert (predicted(found) > predicted(cells[origins])).float().mean() > 0.9
    assert (worth(space, found) > worth(space, cells[origins])).mean() > 0.8


def test_only_new_cells_are_found_and_each_once(space, trained):
    cells, _ = trained
    found, _ = ascend(space, trained)
    codes = np.concatenate([space.pack(cells), space.pack(found)])
    assert len(np.unique(codes)) == len(codes)


def test_short_steps_come_first_and_the_best_seeds_first(space, trained):
    few, few_origins = ascend(space, trained, wanted=5)
    many, origins = ascend(space, trained)
    assert few.same(many[:5]).all()
    assert (few_origins == origins[:5]).all()
    one_step, first = ascend(space, trained, wanted=1000, max_steps=1)
    assert one_step.same(many[: len(one_step)]).all()
    assert (np.diff(first) > 0).all()
    # Twice the step size reaches at the first step what half of it does at the second.
    twice, _ = ascend(space, trained, wanted=1000, max_steps=1, step_size=2.0)
    both, _ = ascend(space, trained, wanted=1000, max_steps=2)
    assert set(space.pack(twice)) <= set(space.pack(both))


def test_steps_too_short_to_lead_anywhere_find_nothing(space, trained):
    found, origins = ascend(space, trained, step_size=1e-6, max_steps=2)
    assert len(found) <= 3  # cells that the network does not quite reproduce
    assert len(origins) == len(found)


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201"])
def test_every_round_proposes_new_valid_cells(name):
    space = SPACES.get(name)
    trial = begin(space, initial=20, proposals=6, seeds=5, steps=3, max_steps=4)
    cells = next(trial)
    codes, signals = list(space.canonical(cells)), worth(space, cells)
    assert len(cells) == 20
    for _ in range(3):
        proposal = trial.send(signals[len(signals) - len(cells) :])
        cells = proposal.cells
        assert len(cells) == len(proposal.parents) == 6
        assert space.is_valid(cells).all()
        top = set(np.argsort(-signals, kind="stable")[:5])
        assert set(proposal.parents) <= top | {-1}
        codes += list(space.canonical(cells))
        signals = np.concatenate([signals, worth(space, cells)])
    assert len(set(codes)) == len(codes)


def test_chance_helps_where_gradients_lead_nowhere(space):
    trial = begin(space, initial=20, proposals=6, steps=1, step_size=1e-9, max_steps=1)
    next(trial)
    # Accuracies that are all the same have no spread to be scaled by.
    proposal = trial.send(np.full(20, 50.0))
    assert len(proposal.cells) == 6
    assert (proposal.parents == -1).any()


def test_the_network_is_shown_pruned_cells_and_scaled_accuracies(monkeypatch):
    space, shown = SPACES.get("nasbench101"), []

    def fit(network, values, accuracies, **given):
        shown.append((copy.deepcopy(network), values, accuracies))
        return fit_nao(network, values, accuracies, **given)

    monkeypatch.setattr(nao, "fit_nao", fit)
    trial = begin(space, initial=30, proposals=4, steps=2, max_steps=2)
    first = next(trial)
    signals = np.linspace(10, 94, 30)
    second = trial.send(signals).cells
    trial.send(np.zeros(4))
    (_, values, accuracies), (network, more, _) = shown
    assert values.tolist() == space.to_values(space.prune(first)).tolist()
    assert more[30:].tolist() == space.to_values(space.prune(second)).tolist()
    expected = (signals - signals.mean()) / signals.std()
    assert accuracies.numpy() == pytest.approx(expected, abs=1e-5)
    # The second round continues with the weights of the first one.
    assert not torch.equal(network.token.weight, shown[0][0].token.weight)


class Tiny(CellSpace):
    """Two vertices, three types of the one edge, and four of a third vertex."""

    def __init__(self):
        edges = np.zeros((3, 3, 3), dtype=bool)
        edges[0, 1] = edges[0, 2, :2] = True
        edges[1, 2, 0] = True
        nodes = np.array([[1, 0, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]], dtype=bool)
        super().__init__("tiny", tuple("abcd"), tuple("xyz"), nodes, edges)

    def canonical(self, cells):
        return self.pack(cells)

    def enumerate(self):
        return self.unpack(np.arange(24))

    to_str = from_str = key = None  # type: ignore[assignment]


def test_any_space_is_searched_to_its_end():
    space = Tiny()
    trial = begin(space, initial=10, proposals=8, steps=5, max_steps=10)
    cells = next(trial)
    codes = list(space.pack(cells))
    for expected in (8, 6):
        cells = trial.send(worth(space, cells))[0]
        assert len(cells) == expected
        codes += list(space.pack(cells))
    assert sorted(codes) == list(range(24))
    with pytest.raises(StopIteration):
        trial.send(worth(space, cells))


@pytest.mark.slow
def test_beats_random_search_on_digits():
    bench = BENCHMARKS.get("digits201").open(Path("nowhere"))

    def signals(name, **given):
        chosen = Search(bench, METHODS.get(name), given=given, budget_evaluations=130)
        return np.array([run_trial(chosen, trial)["signal"].to_numpy() for trial in range(3)])

    climbing = signals("nao", initial=50, proposals=40, seeds=50)
    random = signals("random_search")
    # Ten best cells of a trial, since the best one alone says little in three trials.
    assert np.sort(climbing)[:, -10:].mean() > np.sort(random)[:, -10:].mean() + 0.5
    assert (climbing[:, 50:].mean(axis=1) > random.mean(axis=1) + 3).all()
