"""Graph VAE of NGAE: its equations, one graph at a time and in batches; decoding; training."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from dagnas.errors import DagnasError
from dagnas.predictors.graph_vae import measures
from dagnas.predictors.graph_vae.gradients import propagate, score_pairs
from dagnas.predictors.graph_vae.model import (
    SIZES,
    GraphVAE,
    Losses,
    Sizes,
    divergence,
)
from dagnas.predictors.graph_vae.passing import Passing, prepare
from dagnas.predictors.graph_vae.schedule import Schedule, Weights
from dagnas.predictors.graph_vae.training import Examples, build, fit_graph_vae
from dagnas.spaces import SPACES
from dagnas.spaces.cells import Cells, concatenate
from dagnas.spaces.nasbench101 import NASBench101Space
from tests.predictors import reference_vae
from tests.predictors.common import any_space, seeded

NAMES = ["enas", "nasbench101", "nasbench201"]
SMALL = Sizes(hidden=6, latent=4, types=5, edges=7)


def cells_of(space, count, seed=0):
    return space.prune(space.sample(count, np.random.default_rng(seed)))


def as_double(batch):
    return batch._replace(weights=batch.weights.double())


def normal(*shape, seed=3):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def model_of(space, bidirectional=False, sizes=SMALL):
    return build(space, sizes, seeded(), bidirectional).double()


def graphs_of(space, cells):
    return [reference_vae.Graph(space, cell) for cell in cells]


@pytest.fixture(params=NAMES)
def space(request):
    return SPACES.get(request.param)


# Equations.


@pytest.mark.parametrize("start", [False, True])
def test_passing_is_equation_2_on_one_graph_at_a_time(space, start):
    passing, cells = model_of(space).generate, cells_of(space, 9)
    begin = normal(9, 6).requires_grad_() if start else None
    leaves = [*passing.parameters()] + ([begin] if start else [])
    batch = as_double(prepare(space, cells))
    found = passing(passing.read(batch.nodes), batch.weights, begin)
    alone = [
        reference_vae.states_of(passing, [graph], begin[[i]] if start else None)
        for i, graph in enumerate(graphs_of(space, cells))
    ]
    expected = torch.cat(alone, dim=1)
    torch.testing.assert_close(found, expected)
    weight = normal(*found.shape)
    for mine, theirs in zip(
        torch.autograd.grad((found * weight).sum(), leaves),
        torch.autograd.grad((expected * weight).sum(), leaves),
        strict=True,
    ):
        assert theirs.abs().max() > 0
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_losses_and_gradients_are_those_of_the_graphs(space, bidirectional):
    model, cells = model_of(space, bidirectional), cells_of(space, 7)
    given = (
        torch.rand(7, generator=seeded(1)).double(),
        torch.rand(7, generator=seeded(2)).double(),
    )
    mine = model.losses(as_double(prepare(space, cells)), *given, normal(7, 4))
    theirs = reference_vae.losses(model, graphs_of(space, cells), *given, normal(7, 4))
    for name, found, expected in zip(Losses._fields, mine, theirs, strict=True):
        torch.testing.assert_close(found, expected, msg=name)
    gradients = [
        torch.autograd.grad(losses.objective(Weights(0.3)), list(model.parameters()))
        for losses in (mine, theirs)
    ]
    for (name, _), found, expected in zip(model.named_parameters(), *gradients, strict=True):
        torch.testing.assert_close(found, expected, msg=name)


def plain(passing, inputs, weights, start):
    """The states of `Passing`, a vertex at a time, by its steps of decoding and autograd."""
    states, messages = [], []
    for v, (read, into) in enumerate(zip(inputs, weights, strict=True)):
        sums = torch.zeros_like(read[:, : passing.hidden])
        if v:
            sent = torch.cat(messages)
            sums = (into[: len(sent), :, None] * sent).sum(dim=0)
        if start is not None:
            alone = (into.sum(dim=0) == 0)[:, None]
            sums = torch.where(alone, states[-1] if v else start, sums)
        states.append(passing.update(read, sums))
        messages.append(passing.messages(states[-1], v))
    return torch.stack(states)


@pytest.mark.parametrize("start", [False, True])
@pytest.mark.parametrize("kinds", [1, 3])
def test_propagation_by_hand_is_plain_pytorch_and_passes_gradcheck(kinds, start):
    vertices, types, size, batch = 4, 3, 2, 3
    with torch.random.fork_rng():
        torch.manual_seed(0)
        passing = Passing(vertices, types, kinds, size).double()
    weights = (torch.rand(vertices, vertices, kinds, batch, generator=seeded(2)) < 0.6).double()
    below = torch.ones(vertices, vertices).tril(-1).double()
    weights = (weights * below[:, :, None, None]).flatten(1, 2)
    weights[2, :, 0] = 0  # a vertex without predecessors
    inputs = normal(vertices, batch, 3 * size).requires_grad_()
    begin = normal(batch, size, seed=5).requires_grad_() if start else None
    leaves = [inputs, *passing.send.parameters(), passing.unit.weight_hh, passing.unit.bias_hh]
    leaves += [begin] if start else []
    found, expected = passing(inputs, weights, begin), plain(passing, inputs, weights, begin)
    torch.testing.assert_close(found, expected)
    weight = normal(*found.shape, seed=6)
    for mine, theirs in zip(
        torch.autograd.grad((found * weight).sum(), leaves),
        torch.autograd.grad((expected * weight).sum(), leaves),
        strict=True,
    ):
        assert theirs.abs().max() > 0
        torch.testing.assert_close(mine, theirs)

    carry = weights.sum(dim=1).eq(0).double() if start else None
    begin = normal(batch, size, seed=5).requires_grad_()
    unit, parts = passing.unit, passing.send.parts()
    free = [part.detach().requires_grad_() for part in (unit.weight_hh, unit.bias_hh, *parts)]
    assert torch.autograd.gradcheck(propagate, (inputs, weights, carry, begin, *free))


def test_pairs_are_all_tails_of_each_head_in_turn():
    tails, heads, weight = (
        values.requires_grad_()
        for values in (normal(3, 2, 5), normal(3, 2, 5, seed=4), normal(2, 5))
    )
    expected = [(tails[u] + heads[v - 1]).relu() @ weight.T for v in range(1, 4) for u in range(v)]
    torch.testing.assert_close(score_pairs(tails, heads, weight), torch.stack(expected))
    assert torch.autograd.gradcheck(score_pairs, (tails, heads, weight))


def test_what_a_cell_begins_with_reaches_its_end():
    space = SPACES.get("enas")
    model = build(space, SIZES["desk"], seeded())
    cells = cells_of(space, 50)
    end = end_of(model, space, cells)
    reached = []
    for v in (6, 1):
        other = Cells(cells.nodes.copy(), cells.edges)
        other.nodes[:, v] = 1 + cells.nodes[:, v] % 6
        reached.append((end_of(model, space, other) - end).norm(dim=1).mean())
    # The ratio is 2.1; with torch's own initial weights it is 0.1.
    assert reached[1] > 0.5 * reached[0]


def end_of(model, space, cells):
    batch = prepare(space, cells)
    return model.forwards(model.forwards.read(batch.nodes), batch.weights)[-1].detach()


def test_divergence_is_that_of_torch():
    mean, log_variance = normal(5, 3), normal(5, 3, seed=4)
    one = torch.distributions.Normal(mean, (log_variance / 2).exp())
    two = torch.distributions.Normal(torch.zeros(()).double(), torch.ones(()).double())
    expected = torch.distributions.kl_divergence(one, two).sum(dim=1)
    torch.testing.assert_close(divergence(mean, log_variance), expected)


def test_objective_is_the_sum_of_its_parts():
    losses = Losses(*(torch.tensor([1.0, 2.0]) * 10**i for i in range(5)))
    assert losses.objective(Weights(1.0)) == 33333
    assert losses.objective(Weights(0.5, 0.0, 2.0)) == 3 + 30 + 150 + 60000


def test_what_is_not_known_of_a_cell_is_not_learnt():
    space = SPACES.get("enas")
    model, batch, noise = (
        model_of(space),
        as_double(prepare(space, cells_of(space, 3))),
        normal(3, 4),
    )
    truth = torch.tensor([0.3, math.nan, math.nan]).double()
    losses = model.losses(batch, truth, truth, noise)
    assert losses.performance[0] > 0
    assert losses.performance[1:].tolist() == losses.complexity[1:].tolist() == [0, 0]
    known = model.losses(batch.take(slice(1)), truth[:1], truth[:1], noise[:1])
    predictor = list(model.performance.parameters())
    for mine, alone in zip(
        torch.autograd.grad(losses.objective(Weights()), predictor),
        torch.autograd.grad(known.objective(Weights()), predictor),
        strict=True,
    ):
        assert mine.isfinite().all()
        torch.testing.assert_close(mine, alone)


def test_a_permuted_batch_gives_permuted_losses(space):
    model, batch = model_of(space), as_double(prepare(space, cells_of(space, 8)))
    order = torch.tensor([3, 1, 7, 0, 2, 6, 5, 4])
    y, z, noise = torch.linspace(0, 1, 8).double(), torch.linspace(1, 0, 8).double(), normal(8, 4)
    plain = model.losses(batch, y, z, noise)
    permuted = model.losses(batch.take(order), y[order], z[order], noise[order])
    torch.testing.assert_close(torch.stack(permuted), torch.stack(plain)[:, order])


def test_what_has_no_effect_is_not_encoded():
    space = SPACES.get("nasbench101")
    model = model_of(space)
    # Vertex 2 leads nowhere, and vertices 1, 3, 4 and 5 are not connected.
    cells = space.from_str(["010001|00000|0000|000|00|0:" + ",".join(["maxpool3x3"] * 5)])
    assert not cells.same(space.prune(cells)).any()
    mean, _ = model.encode(as_double(prepare(NoPruning(space), cells)))
    other, _ = model.encode(as_double(prepare(space, cells)))
    assert torch.equal(mean, other)


def test_types_of_edges_tell_messages_apart():
    space = SPACES.get("nasbench201")
    texts = [f"|{op}~0|+|none~0|none~1|+|none~0|nor_conv_1x1~1|none~2|" for op in space.edge_types]
    mean, _ = model_of(space).encode(as_double(prepare(space, space.from_str(texts))))
    distances = torch.cdist(mean, mean) + torch.eye(5)
    assert distances.min() > 1e-4


# Decoding.


@pytest.mark.parametrize("sampled", [False, True])
def test_likelihood_of_a_decoding_is_that_of_its_cell(space, sampled):
    model, points = model_of(space), normal(60, 4)
    cells, _, likelihood = model.decode(points, seeded(5) if sampled else None)
    # What is decoded is scored as it is, dead vertices and all.
    raw = NoPruning(space)
    of_nodes, of_edges = model.likelihood(as_double(prepare(raw, cells)), points)
    torch.testing.assert_close(likelihood, of_nodes + of_edges)
    if not sampled:
        drawn = model.decode(points, seeded(5)).likelihood
        assert (likelihood >= drawn).double().mean() > 0.9


class NoPruning:
    def __init__(self, space):
        self.num_nodes, self.edge_types = space.num_nodes, space.edge_types

    def prune(self, cells):
        return cells


def test_choices_are_drawn_as_often_as_they_are_likely():
    space = SPACES.get("nasbench201")
    model = model_of(space)
    point = normal(1, 4)
    cells, _, likelihood = model.decode(point.expand(20_000, -1), seeded())
    codes = np.concatenate([cells.nodes[:, 1:3], cells.edges[:, *np.triu_indices(4, 1)]], axis=1)
    _, first, counts = np.unique(codes, axis=0, return_index=True, return_counts=True)
    for i, count in zip(first, counts, strict=True):
        expected = 20_000 * math.exp(float(likelihood[i]))
        assert abs(count - expected) < 6 * math.sqrt(expected) + 3
    # Not all alike.
    assert len(first) > 100


def test_valid_cells_are_those_of_the_space(space):
    model = model_of(space)
    cells, valid, _ = model.decode(normal(4000, 4), seeded())
    assert valid.dtype == bool
    for cell, good in zip(cells[:300], valid[:300], strict=True):
        inside = all(space.node_mask[v, kind] for v, kind in enumerate(cell.nodes[0]))
        pairs = zip(*np.triu_indices(space.num_nodes, 1), strict=True)
        inside &= all(space.edge_mask[u, v, cell.edges[0, u, v]] for u, v in pairs)
        assert good == (inside and space.is_valid(cell)[0])
    kept = cells[valid]
    if len(kept):
        assert space.from_str(space.to_str(kept)).same(kept).all()


def test_validity_knows_each_rule():
    space = SPACES.get("enas")
    good = cells_of(space, 6)
    bad = concatenate([good])
    bad.nodes[1, 3] = 7  # an early output
    bad.nodes[2, 2] = 0  # a second input
    bad.edges[3, 4, 5] = 0  # a gap in the chain
    bad.edges[4, 2, 7] = 1  # a second edge into the output
    assert model_of(space)._valid(good).all()
    assert model_of(space)._valid(bad).tolist() == [True, False, False, False, False, True]
    six = NASBench101Space(6)
    other = cells_of(SPACES.get("nasbench101"), 200)
    assert (model_of(six)._valid(other) == six.is_valid(other)).all()


def test_ends_of_several_types_are_refused():
    space = any_space(3, 2, 2)
    space.name = "odd"
    with pytest.raises(DagnasError, match="first or last vertex of odd has several types"):
        GraphVAE(space, SMALL)


# Training.


def examples_of(space, count, seed=0):
    rng = np.random.default_rng(seed)
    values = torch.from_numpy(rng.random((2, count))).float()
    return Examples(prepare(space, cells_of(space, count, seed)), *values)


QUICK = Schedule(batch_size=8, lr=1e-3, patience=0, factor=0.5)


def weights_of(model):
    return torch.cat([values.detach().flatten() for values in model.parameters()])


def trained(tmp_path, epochs, *, progress=None, seed=1, schedule=QUICK, path="x.pt", **more):
    space = SPACES.get("enas")
    model = build(space, SMALL, seeded())
    generator = seeded(seed)
    training = fit_graph_vae(
        model, examples_of(space, 20), epochs=epochs, schedule=schedule, generator=generator,
        checkpoint=tmp_path / path if path else None, progress=progress, **more,
    )  # fmt: skip
    return model, training, generator.get_state()


def same_bits(one, two):
    assert repr(one[1]) == repr(two[1])
    assert torch.equal(weights_of(one[0]), weights_of(two[0]))
    assert torch.equal(one[2], two[2])


@pytest.mark.parametrize("every", [1, 3])
def test_an_interrupted_training_ends_with_the_same_bits(tmp_path, every):
    whole = trained(tmp_path, 7, path=None, keep=(2, 6))

    def stop(record):
        if record.epoch == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, 7, progress=stop, every=every, keep=(2, 6))
    seen = []
    again = trained(tmp_path, 7, progress=seen.append, every=every, keep=(2, 6))
    assert [record.epoch for record in seen] == ([6, 7] if every == 1 else [4, 5, 6, 7])
    same_bits(whole, again)
    # Done already: nothing is trained, and all is as it was.
    same_bits(whole, trained(tmp_path, 7, progress=pytest.fail, keep=(2, 6)))


def test_weights_of_an_epoch_are_those_of_a_training_that_ends_there(tmp_path):
    _, training, _ = trained(tmp_path, 4, keep=(2, 4))
    for epoch in (2, 4):
        alone, *_ = trained(tmp_path, epoch, path=None)
        kept = training.states[epoch]
        assert all(torch.equal(kept[name], w) for name, w in alone.state_dict().items())
    with pytest.raises(DagnasError, match=r"x\.pt is beyond epoch 3, whose weights are to be kept"):
        trained(tmp_path, 5, keep=(2, 3, 5))


def test_more_epochs_go_on_and_fewer_are_refused(tmp_path):
    trained(tmp_path, 3)
    same_bits(trained(tmp_path, 5), trained(tmp_path, 5, path=None))
    with pytest.raises(DagnasError, match=r"x\.pt is after 5 epochs, more than the 4 asked for"):
        trained(tmp_path, 4)


def test_checkpoints_of_other_trainings_and_damaged_ones(tmp_path):
    trained(tmp_path, 1)
    for change in ({"seed": 2}, {"schedule": dataclasses.replace(QUICK, lr=1e-2)}):
        with pytest.raises(DagnasError, match=r"x\.pt is of another training"):
            trained(tmp_path, 2, **change)
    path = tmp_path / "x.pt"
    whole = path.read_bytes()
    for damaged in (b"", b"nonsense", whole[:-100], whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(DagnasError, match=r"x\.pt is no readable checkpoint"):
            trained(tmp_path, 2)
    # A pickle that would run something is refused, not run.
    torch.save({"identity": Trap()}, path)
    with pytest.raises(DagnasError, match=r"x\.pt is no readable checkpoint"):
        trained(tmp_path, 2)
    assert not (tmp_path / "sprung").exists()


class Trap:
    def __reduce__(self):
        return (print, ("sprung",))


def test_records_are_means_over_the_cells(tmp_path):
    space = SPACES.get("enas")
    train = examples_of(space, 20)
    model = build(space, SMALL, seeded())
    # With a rate of zero the model stays as it is.
    still = Schedule(batch_size=8, lr=0.0, noise=0.0)
    ((record,), _) = fit_graph_vae(model, train, epochs=1, schedule=still, generator=seeded())
    means = torch.stack(model.losses(*train, torch.zeros(20, 4))).mean(dim=1).tolist()
    assert record[2:] == pytest.approx(means, rel=1e-5)
    assert measures.errors(model, train) == pytest.approx([m**0.5 for m in means[3:]], rel=1e-5)


def test_global_random_state_is_left_alone(tmp_path):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one = trained(tmp_path, 2, path=None)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(8)
    same_bits(one, trained(tmp_path, 2, path=None))


def test_subnormal_numbers_are_zero_in_a_training_alone(monkeypatch):
    def product():
        return float(torch.tensor(1e-30) * 1e-10)

    met, losses = [], GraphVAE.losses

    def observed(*arguments):
        met.append(product())
        return losses(*arguments)

    monkeypatch.setattr(GraphVAE, "losses", observed)
    assert product() > 0
    trained(None, 1, path=None)
    assert set(met) == {0.0}
    assert product() > 0


def test_divergence_of_training_is_an_error(tmp_path):
    with pytest.raises(DagnasError, match=r"losses of epoch \d hold NaN or infinity"):
        trained(tmp_path, 3, schedule=Schedule(lr=float("inf"), batch_size=8), path=None)


@pytest.mark.parametrize(
    "name", ["enas", *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES[1:])]
)
def test_a_handful_of_cells_is_learnt_by_heart(name):
    space = SPACES.get(name)
    cells = cells_of(space, 8, seed=11)
    if (space.node_mask.sum(axis=1) > 1).any():
        # Each cell has the edges of another one, so that only types tell the two apart.
        edges = np.concatenate([cells.edges[:4], cells.edges[:4]])
        cells = space.prune(Cells(cells.nodes, edges))
    assert len(set(space.pack(cells))) == 8
    sizes = Sizes(hidden=32, latent=12, types=32, edges=32)
    values = torch.linspace(0.1, 0.9, 8)
    examples = Examples(prepare(space, cells), values, values.flip(0))
    model = build(space, sizes, seeded())
    before = measures.reconstruction(model, cells, generator=seeded(), decodings=1)
    schedule = Schedule(batch_size=8, lr=5e-3, patience=1000)
    records, _ = fit_graph_vae(model, examples, epochs=250, schedule=schedule, generator=seeded())
    assert before < 0.1
    assert records[-1].nodes + records[-1].edges < 0.2
    assert max(measures.errors(model, examples)) < 0.1
    assert measures.reconstruction(model, cells, generator=seeded()) > 0.85
    likeliest = model.decode(model.encode(examples.batch)[0])
    assert likeliest.valid.all()
    assert space.prune(likeliest.cells).same(cells).all()


# Measures.


class Fixed:
    """Stand-in for a model whose decodings are known."""

    def __init__(self, space, cells, valid):
        self.space, self.cells, self.valid = space, cells, np.array(valid)

    def parameters(self):
        return iter([torch.zeros(1)])

    def encode(self, batch):
        count = batch.nodes.shape[1]
        self.points = torch.arange(count * 2.0).reshape(count, 2)
        return self.points, torch.full((count, 2), -1e9)

    def decode(self, points, generator):
        self.drawn = points
        rows = np.arange(len(points)) % len(self.cells)
        return self.cells[rows], self.valid[rows], torch.zeros(len(points))


def test_measures_count_what_the_paper_says():
    space = SPACES.get("enas")
    cells = cells_of(space, 10)
    # Of ten decodings eight are valid, and one of these is another cell.
    decoded = concatenate([cells[:4], cells[9], cells[5:]])
    model = Fixed(space, decoded, [True] * 8 + [False] * 2)
    assert measures.reconstruction(model, cells, generator=seeded()) == 0.7
    # Eight valid ones, cell 9 among them: eight different cells, of which three are known.
    found = measures.prior(model, cells[:3], generator=seeded(), points=1000, decodings=2)
    assert found == pytest.approx((0.8, 8 / 1600, 5 / 8))
    mean, deviation = model.points.mean(dim=0), model.points.std(dim=0)
    torch.testing.assert_close(model.drawn.mean(dim=0), mean, atol=0.2, rtol=0)
    torch.testing.assert_close(model.drawn.std(dim=0), deviation, atol=0.2, rtol=0)
    nothing = Fixed(space, decoded, [False] * 10)
    with pytest.raises(DagnasError, match="none of 100 points"):
        measures.prior(nothing, cells, generator=seeded(), points=10)


def test_named_sizes():
    assert (SIZES["full"].hidden, SIZES["full"].latent) == (501, 56)
    assert Schedule() == Schedule(32, 1e-4, 0.1, 10, Weights(0.005, 1, 1), 0.01)
