"""HW-NAS-Bench: importer, order of its operations, benchmarks with costs, parts of spaces."""

import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import dagnas
from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.benchmark import Evaluations
from dagnas.benchmarks.hardware import DEVICES, EDGE_TPU
from dagnas.benchmarks.policy import Policy
from dagnas.errors import DagnasError
from dagnas.search.methods.random_search import random_search
from dagnas.search.models.coordinates import CellCoordinates
from dagnas.search.models.pareto import Frame, hypervolume
from dagnas.search.runner import Search, run_trial
from dagnas.spaces.nasbench201 import nasbench201 as space
from dagnas.spaces.part import part_of
from dagnas.tables.fetch import fetch
from dagnas.tables.importers import hardware
from dagnas.testing import space_checks


def rows_of(images):
    """All cells in the file's form, with invented costs that tell the cell's place in the file."""
    cells = list(itertools.product(range(5), repeat=6))
    place = np.arange(len(cells), dtype=np.float32)
    costs = {
        name: 1 + place + 1e5 * number + images * 1e6 for number, name in enumerate(hardware.COSTS)
    }
    costs[hardware.PARTIAL] = np.where(place % 3 == 0, -1, 1 + place)
    nets = ["({})".format(", ".join(map(str, cell))) for cell in cells]
    return {"dataset": [[*hardware.DATASETS.values()][images]] * len(cells), "net": nets, **costs}


@pytest.fixture(scope="module")
def invented():
    parts = [pa.table(rows_of(number)) for number in range(3)]
    return pa.concat_tables(parts).cast(
        pa.schema(
            [
                (name, pa.string() if name in ("dataset", "net") else pa.float32())
                for name in parts[0].column_names
            ]
        )
    )


def write(table, tmp_path):
    path = tmp_path / "hw_nasbench201.parquet"
    pq.write_table(table, path)
    return path


def changed(table, row, **values):
    for name, value in values.items():
        column = table[name].to_pylist()
        column[row] = value
        place = table.column_names.index(name)
        table = table.set_column(
            place, table.schema.field(name), pa.array([*column], table[name].type)
        )
    return table


def test_cells_and_costs_are_read_in_their_places(invented, tmp_path):
    table, emulated = hardware.read(write(invented, tmp_path))
    assert emulated == ()
    assert table["code"].to_pylist() == list(range(5**6))
    # Theirs: skip on 0->1, none on 0->2, 3x3 on 0->3, 1x1 on 1->2, pooling on 1->3, skip on 2->3.
    text = "|skip_connect~0|+|none~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|skip_connect~2|"
    (code,) = space.pack(space.from_str([text]))
    place = int("012340", base=5)
    for images, number in (("cifar10", 0), ("imagenet16", 2)):
        found = table[f"{images}/raspi4_latency/0/mean"][code].as_py()
        assert found == np.float32(1 + place + 2e5 + number * 1e6)
    tpu = table["cifar100/edgetpu_latency/0/mean"].to_numpy()
    assert np.isnan(tpu).sum() == -(-(5**6) // 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"net": "(1, 2, 3, 4, 5, 0)"}, "expected six numbers from 0 to 4"),
        ({"net": "__import__('os')"}, "expected six numbers from 0 to 4"),
        ({"net": "(0, 0, 0, 0, 0, 1)"}, "occurs more than once"),
        ({"dataset": "mnist"}, "holds 15624 cells; expected 15625"),
        ({"fpga_energy": 0.0}, "fpga_energy is 0.0 in row 7, not a positive number"),
        ({"fpga_energy": float("nan")}, "fpga_energy is nan in row 7"),
        (
            {"edgetpu_latency": -2.0},
            "edgetpu_latency is -2.0 in row 7, not a positive number or -1",
        ),
        ({"edgetpu_latency": float("inf")}, "edgetpu_latency is inf in row 7"),
    ],
)
def test_a_wrong_value_is_told(invented, tmp_path, values, message):
    with pytest.raises(DagnasError, match=message):
        hardware.read(write(changed(invented, 7, **values), tmp_path))


def test_missing_rows_and_columns_are_told(invented, tmp_path):
    with pytest.raises(DagnasError, match="lacks the columns pixel3_latency"):
        hardware.read(write(invented.drop_columns(["pixel3_latency"]), tmp_path))
    with pytest.raises(DagnasError, match="holds 15620 cells; expected 15625"):
        hardware.read(write(invented[:-5], tmp_path))


def test_another_file_is_refused(invented, tmp_path):
    (tmp_path / "mirror").mkdir()
    write(invented, tmp_path / "mirror")
    with pytest.raises(DagnasError, match="damaged or another file"):
        fetch("hw_nasbench201", tmp_path / "data", [str(tmp_path / "mirror")])


@pytest.fixture(scope="module")
def tables(mirror, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    fetch("nasbench201", folder, [str(mirror)])
    fetch("hw_nasbench201", folder, [str(mirror)])
    return folder


@pytest.fixture(scope="module")
def bench(tables):
    return BENCHMARKS.get("hw_nasbench201").open(tables)


def test_operations_are_those_that_the_simulated_devices_count(bench):
    """FPGA and Eyeriss cost the same for each operation of a kind, wherever it stands.

    So with the right kinds costs are a sum to the last digit of a float32, and any other pairing of
    the five kinds with the file's numbers, but for none and skip_connect, is off. Convolutions with
    more multiply-adds cost more.
    """
    kinds = space.to_values(bench.cells)
    counts = np.stack([(kinds == kind).sum(axis=1) for kind in (2, 3, 4)], axis=1)
    design = np.column_stack([np.ones(len(counts)), counts])
    for name in ("fpga_latency", "fpga_energy", "eyeriss_latency", "eyeriss_energy"):
        cost = bench.costs[name]
        weights, *_ = np.linalg.lstsq(design, cost, rcond=None)
        np.testing.assert_allclose(design @ weights, cost, rtol=1e-5)
        one, three, pool = weights[1:]
        assert three > 2 * one > 0 < pool
    # Per multiply-add: a cell with more of them, and as many poolings, is never faster on the FPGA.
    madds, latency = bench.costs["multiply_adds"], bench.costs["fpga_latency"]
    for poolings in range(7):
        here = counts[:, 2] == poolings
        same = (counts[here, 0] + counts[here, 1])[:, None] == np.arange(7)
        for group in same.T:
            order = np.argsort(madds[here][group], kind="stable")
            assert (np.diff(latency[here][group][order]) >= -1e-4).all()


def test_edges_are_those_without_which_others_have_no_effect(bench):
    """On the edge GPU a convolution from which no path leads to the output takes no time.

    That tells none from skip_connect, and an edge from every other: 0->2 and 1->2 need 2->3; 0->1
    needs 1->3, or 1->2 with 2->3; the others need nothing.
    """
    kinds = space.to_values(bench.cells)
    latency = bench.costs["edgegpu_latency"]
    edges = ["01", "02", "12", "03", "13", "23"]
    needs = {"02": [{"23"}], "12": [{"23"}], "01": [{"13", "12"}, {"13", "23"}]}
    for place, edge in enumerate(edges):
        others = [other for other in edges if other != edge]
        for absent in itertools.combinations(others, 2):
            without = [edges.index(other) for other in absent]
            here = (kinds[:, without] == 0).all(axis=1)
            gain = latency[here & (kinds[:, place] == 3)].mean()
            gain -= latency[here & (kinds[:, place] == 0)].mean()
            dead = any(need <= set(absent) for need in needs.get(edge, []))
            assert abs(gain) < 0.15 if dead else gain > 0.35, (edge, absent, gain)


def test_parameters_are_those_of_the_table(bench):
    np.testing.assert_array_equal(bench.costs["parameters"], bench.table["params"])


def test_costs_are_joined_by_cell(bench, mirror):
    raw = pq.read_table(mirror / "hw_nasbench201.parquet").to_pandas()
    row = raw[(raw["dataset"] == "cifar10") & (raw["net"] == "(4, 3, 3, 0, 0, 0)")].iloc[0]
    # Pooling on 0->1, 1x1 on 0->2 and 0->3, skip on the others.
    text = (
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+"
        "|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    )
    found = bench.query(text)
    for name in DEVICES:
        assert found[name] == pytest.approx(row[name], rel=1e-6)


def test_evaluations_carry_costs_and_the_same_signals(bench, tables):
    plain = BENCHMARKS.get("nasbench201").open(tables)
    cells = space.sample(50, np.random.default_rng(0))
    both = [b.evaluate(cells, b.policies["goal"], np.random.default_rng(1)) for b in (bench, plain)]
    for name in ("signal", "seconds", "valid", "test"):
        np.testing.assert_array_equal(*(getattr(found, name) for found in both))
    assert tuple(both[0].costs) == bench.policies["goal"].costs
    assert set(DEVICES) < set(both[0].costs)
    assert bench.digest() != plain.digest()


def test_search_under_a_limit_and_with_two_objectives(bench):
    trace = run_trial(
        Search(bench, random_search, budget_evaluations=40, constraints=["raspi4_latency<20"]), 0
    ).to_pandas()
    np.testing.assert_array_equal(trace["feasible"], trace["cost_raspi4_latency"] < 20)
    search = Search(
        bench,
        dagnas.METHODS.get("nsga2"),
        budget_evaluations=40,
        objectives=["valid", "raspi4_latency"],
    )
    assert search.objectives == ("raspi4_latency",)
    assert run_trial(search, 0).num_rows == 40


def test_the_edge_tpu_has_a_part_of_the_cells(tables):
    part = BENCHMARKS.get("hw_nasbench201_edgetpu").open(tables)
    assert len(part) == 5**6 - 4_699
    assert "among 10,926 cells of nasbench201" in part.policies["goal"].note
    cells = part.space.sample(100, np.random.default_rng(0))
    found = part.evaluate(cells, part.policies["goal"], np.random.default_rng(0))
    assert (found.costs[EDGE_TPU] > 0).all()


# Parts of spaces

SOME = np.sort(np.random.default_rng(3).choice(5**6, 3000, replace=False))
PART = part_of(space, SOME)


@pytest.mark.parametrize("check", space_checks(PART))
def test_part(check):
    check()


def test_members_alone_are_valid():
    valid = PART.is_valid(space.enumerate())
    np.testing.assert_array_equal(np.flatnonzero(valid), SOME)
    assert space.is_valid(space.enumerate()).all()


def test_members_are_drawn_uniformly():
    few = part_of(space, SOME[:10])
    drawn = few.pack(few.sample(20_000, np.random.default_rng(0)))
    counts = (drawn[:, None] == SOME[:10]).sum(axis=0)
    # Ten standard deviations of a count of 2,000.
    assert np.abs(counts - 2000).max() < 450


def test_nearest_members_are_those_of_brute_force():
    rng = np.random.default_rng(0)
    graphs = space.to_graph(space.sample(20, rng))
    relaxed = type(graphs)(*(part + rng.normal(0, 0.6, part.shape) for part in graphs))
    members = PART.to_graph(PART.enumerate())
    distance = sum(
        ((a[:, None] - b[None]) ** 2).reshape(20, len(SOME), -1).sum(axis=2)
        for a, b in zip(relaxed, members, strict=True)
    )
    np.testing.assert_array_equal(PART.pack(PART.project(relaxed)), SOME[distance.argmin(axis=1)])


def test_a_lonely_member_moves_to_the_nearest_ones():
    codes = space.pack(space.from_values(np.array([[0] * 6, [1, 1, 0, 0, 0, 0], [4] * 6])))
    few = part_of(space, codes)
    near = few.neighbours(few.unpack(codes[:1]))
    assert few.pack(near).tolist() == codes[1:2].tolist()
    moved = few.mutate(few.unpack(codes[:1]), np.random.default_rng(0))
    assert few.pack(moved).tolist() == codes[1:2].tolist()


def test_a_part_of_classes_holds_all_isomorphic_cells():
    codes = space.representatives()[:500]
    few = part_of(space, codes, by_class=True)
    expected = np.isin(space.canonical(space.enumerate()), codes)
    np.testing.assert_array_equal(few.is_valid(space.enumerate()), expected)
    assert few.representatives().tolist() == codes.tolist()
    with pytest.raises(DagnasError, match="two cells at least, not 1"):
        part_of(space, codes[:1])


# Multi-objective methods on cells

QUICK = {"initial": 8, "population": 12, "generations": 3, "steps": 300, "burn_in": 100}


class TwoSided:
    """Cells whose convolutions give accuracy and cost alike, and poolings the cost alone."""

    name = "two_sided"

    def __init__(self, cells=space):
        self.space = cells
        rules = Policy("a/x/1", "mean", "b", "x", "x", budget_evaluations=32, costs=("cost",))
        self.policies = {"goal": rules}

    def emulated(self, policy):
        return ()

    def digest(self):
        return ""

    def evaluate(self, cells, policy, rng):
        kinds = self.space.to_values(cells)
        good, bad = ((kinds == kind).sum(axis=1) for kind in (3, 4))
        accuracy = 50.0 + 5 * good
        ones = np.ones(len(cells))
        return Evaluations(accuracy, ones, accuracy, accuracy, {"cost": 1.0 + good + 2 * bad})


@pytest.mark.parametrize("cells", [space, PART, part_of(space, SOME[:40])])
def test_mobo_evaluates_each_cell_once(cells):
    trace = dagnas.run("mobo", TwoSided(cells), trials=1, **QUICK)
    later = trace["code"].iloc[QUICK["initial"] :]
    assert len(trace) == 32
    assert later.is_unique
    assert not set(later) & set(trace["code"].iloc[: QUICK["initial"]])
    assert cells.is_valid(cells.unpack(trace["code"].to_numpy())).all()


@pytest.mark.slow
def test_mobo_learns_on_cells():
    """Of the true front, where no operation but 3x3 costs, it finds more than random cells do."""
    settings = {"steps": 3000, "burn_in": 1000, "population": 20, "generations": 8}
    bench = TwoSided()
    frame = Frame(np.array([80.0, 1.0]), np.array([50.0, 13.0]))
    volumes = {}
    for method, given in (("mobo", settings), ("random_search", {})):
        trace = dagnas.run(method, bench, trials=3, budget_evaluations=48, **given)
        volumes[method] = [
            hypervolume(trial[["signal", "cost_cost"]].to_numpy(), frame)
            for _, trial in trace.groupby("trial")
        ]
    assert np.mean(volumes["mobo"]) > np.mean(volumes["random_search"])


def test_points_of_cells_are_as_far_apart_as_values_differ():
    seen = CellCoordinates(space)
    rows = seen.sample(30, np.random.default_rng(0))
    points = seen.points(rows)
    assert points.shape == (30, 30)
    assert (points.sum(axis=1) == 6).all()
    squares = ((points[:, None] - points) ** 2).sum(axis=2)
    np.testing.assert_allclose(squares, 2 * (rows[:, None] != rows).sum(axis=2))
