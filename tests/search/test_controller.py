"""The dynamic controller against plain loops, its two trainings, replicas side by side."""

import numpy as np
import pytest
import torch

from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.objective import ObjectiveBenchmark
from dagnas.errors import DagnasError
from dagnas.search import METHODS
from dagnas.search.method import method
from dagnas.search.models.controller import Controller
from dagnas.search.runner import Search, run, run_side_by_side, run_trial
from dagnas.spaces.decisions import DecisionSpace

STATES = {
    "kind": {"convolution": "size", "pooling": "more"},
    "size": {"1": "more", "3": "more", "5": "more"},
    "more": {"yes": "kind", "no": None},
}


@pytest.fixture
def space():
    return DecisionSpace("layers", STATES, cap=7)


def controller(space, replicas=3, seed=0):
    return Controller(space, [np.random.default_rng(seed + r) for r in range(replicas)], hidden=8)


def reference(model, replica, walk):
    """Log-probabilities of all actions at each decision of one walk, by torch's own LSTM cell."""
    space, hidden = model.space, 8
    cell = torch.nn.LSTMCell(hidden, hidden)
    weights = model.gates[replica].T
    # torch orders its gates: enter, forget, candidate, leave.
    enter, forget, leave, candidate = weights.chunk(4)
    ordered = torch.cat([enter, forget, candidate, leave])
    with torch.no_grad():
        cell.weight_ih.copy_(ordered[:, :hidden])
        cell.weight_hh.copy_(ordered[:, hidden:])
        cell.bias_ih.zero_()
        cell.bias_hh.zero_()
    memory, state, rows = None, 0, []
    previous = len(space.states) * 3
    for step, action in enumerate(walk):
        embedded = torch.cat(
            [model.state_embedding[replica, state], model.action_embedding[replica, previous]]
        )
        joint = torch.relu(embedded @ model.joint[replica] + model.joint_bias[replica, 0])
        memory = cell(joint[None], memory)
        logits = memory[0][0] @ model.heads[replica, state] + model.heads_bias[replica, state]
        is_open = torch.from_numpy(space.open_actions(space.cap - step)[state])
        rows.append(torch.where(is_open, logits, -torch.inf).log_softmax(dim=0))
        previous = state * 3 + action
        state = int(space.targets[state, action])
    return rows


def test_scores_are_those_of_one_walk_at_a_time(space):
    model = controller(space)
    walks = [space.sample(4, np.random.default_rng(r)) for r in range(3)]
    log_probability, entropy = model.score(walks)
    for replica, of_replica in enumerate(walks):
        for number, walk in enumerate(of_replica):
            rows = reference(model, replica, walk)
            expected = sum(row[action] for row, action in zip(rows, walk, strict=True))
            torch.testing.assert_close(log_probability[replica, number], expected)
            entropies = [torch.distributions.Categorical(logits=row).entropy() for row in rows]
            torch.testing.assert_close(entropy[replica, number], torch.stack(entropies).mean())


def test_chances_of_all_walks_add_up_to_one(space):
    walks = space.enumerate()
    log_probability, _ = controller(space, 1).score([walks])
    assert log_probability.exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_walks_are_drawn_as_often_as_they_are_likely(space):
    model = controller(space, 200)
    # The same weights in all replicas, which draw from streams of their own.
    for weight in model.parameters():
        weight.data[:] = weight.data[:1].clone()
    drawn = [walk for _ in range(20) for walk in model.sample()]
    kinds = sorted(set(drawn), key=drawn.count)[-3:]
    log_probability, _ = model.score([kinds] * 200)
    for walk, probability in zip(kinds, log_probability[0].exp().tolist(), strict=True):
        deviation = (probability * (1 - probability) / len(drawn)) ** 0.5
        assert abs(drawn.count(walk) / len(drawn) - probability) < 4 * deviation


def test_gradients_do_not_cross_replicas(space):
    model = controller(space)
    log_probability, _ = model.score([[(1, 1)], [(0, 2, 1)], [(1, 0, 1, 1)]])
    log_probability[1].sum().backward()
    for weight in model.parameters():
        assert not weight.grad[[0, 2]].any()
    assert model.heads.grad[1].any()


def peaked(taken):
    """1 for two convolutions of size 5, less for each decision that differs."""
    names = [action for _, action in taken]
    right = ["convolution", "5", "yes", "convolution", "5", "no"]
    return sum(a == b for a, b in zip(names, right, strict=False)) / len(right)


@pytest.mark.parametrize(
    ("name", "given"),
    [("controller_reinforce", {"lr": 1e-2, "entropy": 0.01}), ("controller_pqt", {"lr": 1e-2})],
)
def test_controllers_learn_what_random_walks_do_not_find_more_often(space, name, given):
    bench = ObjectiveBenchmark("peaked", space, peaked)

    def late(method, **settings):
        terms = {"policy": "reward", "budget_evaluations": 150}
        chosen = Search(bench, METHODS.get(method), settings, **terms)
        traces = [run_trial(chosen, trial) for trial in range(4)]
        return np.mean([trace["signal"].to_numpy()[-30:] for trace in traces])

    assert late(name, **given) > late("random_search") + 0.1


def test_reinforce_makes_the_rewarded_walk_likelier(space):
    method = METHODS.get("controller_reinforce")
    given = method.settings(given={"lr": 1e-2, "entropy": 0.0})
    seen = []

    def watch(*args):
        seen.append(Controller(*args))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dagnas.search.methods.controller_reinforce.Controller", watch)
        trial = method.start(space, [np.random.default_rng(0)], given)
        walks = next(trial)
        # The first reward is the baseline, and so has no effect.
        walks = trial.send(np.array([0.5]))
        before = seen[0].score([walks])[0].item()
        trial.send(np.array([1.0]))
        assert seen[0].score([walks])[0].item() > before


@pytest.mark.parametrize("name", ["controller_reinforce", "controller_pqt"])
def test_a_replica_is_the_trial_that_it_would_be_alone(name, tmp_path):
    bench = BENCHMARKS.get("stack_layers").open(tmp_path)
    chosen = Search(bench, METHODS.get(name), {}, policy="reward", budget_evaluations=25)
    together = run_side_by_side(chosen, [0, 1, 2])
    alone = run_trial(chosen, 1)
    assert together[1].equals(alone)
    assert together[0].column("cell") != together[1].column("cell")
    run(chosen, range(3), tmp_path / "out.parquet", show=False)
    again = (tmp_path / "out.parquet").read_bytes()
    run(chosen, range(3), tmp_path / "out.parquet", show=False)
    assert (tmp_path / "out.parquet").read_bytes() == again


def test_kinds_of_space_are_told_apart():
    layers = BENCHMARKS.get("stack_layers").open(None)
    cells = BENCHMARKS.get("digits201").open(None)
    with pytest.raises(
        DagnasError, match="'goal' searches cells; stack_layers is a space of walks"
    ):
        Search(layers, METHODS.get("goal"), policy="reward")
    with pytest.raises(DagnasError, match="searches walks; digits201 is a space of cells"):
        Search(cells, METHODS.get("controller_pqt"))
    with pytest.raises(DagnasError, match="give budget_evaluations, not budget_seconds"):
        Search(layers, METHODS.get("controller_pqt"), policy="reward", budget_seconds=3)


def test_replicas_end_when_the_method_does():
    @method(space=DecisionSpace, batched=True)
    def three_walks(space, rngs):
        for _ in range(3):
            yield [space.sample(1, rng)[0] for rng in rngs]

    bench = BENCHMARKS.get("stack_layers").open(None)
    chosen = Search(bench, three_walks, policy="reward", budget_evaluations=10, study="s")
    assert [table.num_rows for table in run_side_by_side(chosen, [0, 1])] == [3, 3]
