"""Networks of decided layers: shapes, parameters, training."""

import numpy as np
import pytest
import torch

from dagnas.benchmarks.benchmark import find_policy
from dagnas.benchmarks.trained import TrainedBenchmark, read_accuracies
from dagnas.networks.layered import LayeredNetwork
from dagnas.search import METHODS
from dagnas.search.runner import Search, run_side_by_side
from dagnas.spaces.layers import Layer, chain_of_layers, graph_of_layers
from dagnas.training.images import ImageSet, split_thirds
from dagnas.training.layered import LayeredRecipe, train_layers

PLAIN = Layer("convolution", 1, 3, 0.0, False, 16, 1, "relu")
FAST = LayeredRecipe(epochs=2, batch_size=16)
ENOUGH = LayeredRecipe(epochs=12, batch_size=16)


def stripes(count=240, seed=0):
    """Horizontal and vertical stripes in noise."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 120, (count, 8, 8))
    labels = np.arange(count) % 2
    images[labels == 0, ::2] += 120
    images[labels == 1, :, ::2] += 120
    return ImageSet("stripes", images.astype(np.uint8), labels)


def parameters(*layers):
    return sum(weight.numel() for weight in LayeredNetwork(layers, 1, 10).parameters())


def test_parameters_by_hand():
    stem, head = 9 * 8 + 2 * 8, 16 * 10 + 10
    assert parameters(PLAIN) == stem + 9 * 8 * 16 + 2 * 16 + head
    separable = PLAIN._replace(operation="separable", kernel=5)
    assert parameters(separable) == stem + 25 * 8 + 2 * 8 + 8 * 16 + 2 * 16 + head
    inverted = PLAIN._replace(operation="inverted", expansion=3)
    expand, depth, project = 8 * 24 + 2 * 24, 9 * 24 + 2 * 24, 24 * 16 + 2 * 16
    assert parameters(inverted) == stem + expand + depth + project + head
    squeezed = PLAIN._replace(squeeze=0.25)
    assert parameters(squeezed) - parameters(PLAIN) == (16 * 4 + 4) + (4 * 16 + 16)
    repeated = PLAIN._replace(repeats=2)
    assert parameters(repeated) - parameters(PLAIN) == 9 * 16 * 16 + 2 * 16


def test_maps_shrink_at_the_third_and_fifth_layer():
    seen = []
    network = LayeredNetwork([PLAIN] * 6, 3, 10)
    for block in list(network)[2:8]:
        block.register_forward_hook(lambda module, given, found: seen.append(found.shape[2]))
    network(torch.zeros(2, 3, 32, 32))
    assert seen == [32, 32, 16, 16, 8, 8]


def test_skips_add_the_input_where_shapes_allow():
    skipping = PLAIN._replace(skip=True, repeats=2)
    blocks = list(LayeredNetwork([skipping, skipping], 1, 10))[2:6]
    # 8 channels become 16 in the first.
    assert [block.skip for block in blocks] == [False, True, True, True]
    maps = torch.randn(2, 16, 8, 8)
    torch.testing.assert_close(blocks[1](maps), blocks[1].body(maps) + maps)


@pytest.mark.parametrize("operation", ["convolution", "separable", "inverted"])
def test_a_network_learns_and_repeats(operation):
    layer = PLAIN._replace(operation=operation, squeeze=0.5, activation="swish")
    found = train_layers([layer], stripes(), split_thirds(stripes()), ENOUGH, ("a",))
    assert min(found) > 0.9
    assert train_layers([layer], stripes(), split_thirds(stripes()), ENOUGH, ("a",)) == found
    state = torch.get_rng_state()
    train_layers([layer], stripes(), split_thirds(stripes()), FAST, ("b",))
    assert torch.equal(torch.get_rng_state(), state)


def benchmark(tmp_path, space, trained):
    def images():
        trained.append("read")
        return stripes()

    return TrainedBenchmark("stripes", space, images, tmp_path, FAST)


def test_trainings_are_cached_and_shared(tmp_path):
    reads = []
    graph = benchmark(tmp_path, graph_of_layers(), reads)
    chain = benchmark(tmp_path, chain_of_layers(), reads)
    policy = find_policy(graph, "reward")
    text = "separable > 3 > none > no > 8 > 1 > relu > no"
    walks = graph.space.from_str([text])
    rng = np.random.default_rng(0)
    found = graph.evaluate(walks, policy, rng)
    (notes,) = tmp_path.glob("layers-stripes-*.jsonl")
    assert len(notes.read_text().splitlines()) == 1
    # The expansion has no effect, and nothing after the first "no" has.
    rest = "inverted > 6 > 5 > 1/4 > yes > 16 > 2 > swish > yes > " * 5
    longer = "separable > 6 > 3 > none > no > 8 > 1 > relu > no > " + rest.removesuffix(" > yes > ")
    again = chain.evaluate(chain.space.from_str([longer]), policy, rng)
    assert (again.valid, again.test) == (found.valid, found.test)
    assert len(notes.read_text().splitlines()) == 1
    # Cached trainings are used, and half a line is not.
    first = notes.read_text().replace(f"{found.test[0]}", "0.125")
    notes.write_text(first + '["half')
    other = benchmark(tmp_path, graph_of_layers(), reads)
    assert other.evaluate(walks, policy, rng).test.tolist() == [0.125]


def test_damaged_lines_of_a_cache_are_passed_over(tmp_path):
    path = tmp_path / "x.jsonl"
    good = '["a", 0.5, 0.25]'
    wrong = (
        '["b", 0.5]', '["b", 0.5, "x"]', '["b", NaN, 0.5]', '["b", 1e999, 0.5]', '[["b"], 1, 1]',
        '{"b": 1}', "7", "[" * 100_000, '["b", 0.5, 0.2',
    )  # fmt: skip
    path.write_bytes("\n".join([*wrong, good]).encode() + b"\n\xff")
    assert read_accuracies(path) == {"a": (0.5, 0.25)}
    assert not read_accuracies(tmp_path / "none.jsonl")


def test_a_controller_searches_trained_layers(tmp_path):
    bench = benchmark(tmp_path, graph_of_layers(), [])
    search = Search(bench, METHODS.get("controller_pqt"), policy="reward", budget_evaluations=3)
    traces = run_side_by_side(search, [0, 1])
    assert [len(trace) for trace in traces] == [3, 3]
    assert all(0.3 < reward <= 1 for trace in traces for reward in trace["signal"].to_pylist())
