"""The emulated columns: faithful to what is real, as good as promised, and repeatable."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import kurtosis, multivariate_normal, norm

from dagnas.errors import DagnasError
from dagnas.tables import emulation
from dagnas.tables.noise import NASBENCH101, nasbench201_pair, spread_201
from studies import training_noise


@pytest.fixture(scope="module")
def table(mirror):
    return pq.read_table(mirror / "nasbench101.parquet")


@pytest.fixture(scope="module")
def subset(mirror):
    return pq.read_table(mirror / "nasbench101_curves_subset.parquet")


@pytest.fixture(scope="module")
def public(table, subset):
    return emulation.read_subset(table, subset)


@pytest.fixture(scope="module")
def small(table, subset):
    """A few thousand rows, the public ones among them, with the subset pointing into them."""
    rows = np.union1d(subset["row"].to_numpy(), np.arange(0, table.num_rows, 150))
    place = np.searchsorted(rows, subset["row"].to_numpy())
    return table.take(rows), subset.set_column(0, "row", pa.array(place))


@pytest.fixture(scope="module")
def columns(small):
    return emulation.emulate(*small)


def runs(columns, split):
    return np.column_stack([columns[f"cifar10/{split}/108/s{i}"] for i in range(3)])


def r2(truth, guess):
    return 1 - ((guess - truth) ** 2).mean() / truth.var()


def test_columns_are_the_promised_ones_and_numbers(columns, small):
    assert list(columns) == [
        "cifar10/valid/108/mean",
        *(f"cifar10/{split}/108/s{i}" for split in ("valid", "test") for i in range(3)),
        "cifar10/seconds/108/mean",
        *(f"cifar10/valid-{number}/108/s{i}" for number in range(2, 6) for i in range(3)),
    ]
    for values in columns.values():
        assert values.shape == (small[0].num_rows,)
        assert values.dtype == np.float64
        assert np.isfinite(values).all()
        assert values.min() > 0


def test_mean_of_test_repeats_is_the_real_mean(columns, small):
    real = 100 * small[0]["test_correct_of_29952"].to_numpy().astype(float) / 29_952
    np.testing.assert_allclose(runs(columns, "test").mean(axis=1), real, rtol=0, atol=1e-12)


def test_mean_of_valid_repeats_is_the_valid_mean(columns):
    mean = columns["cifar10/valid/108/mean"]
    np.testing.assert_allclose(runs(columns, "valid").mean(axis=1), mean, rtol=0, atol=1e-12)


def test_repeats_are_whole_numbers_of_images(columns):
    for split in ("valid", "test"):
        images = runs(columns, split) * 99.84
        np.testing.assert_allclose(images, np.rint(images), atol=1e-9)


def test_emulated_values_resemble_the_public_ones(columns, small, public):
    """Residual spread as in the real data, no less and no more, and the right offset."""
    rows = small[1]["row"].to_numpy()
    valid = columns["cifar10/valid/108/mean"][rows]
    known = np.isfinite(public.valid)
    real, test = 100 * public.valid[known], 100 * public.test[known]
    emulated = valid[known]
    # Standard errors at 1,458 cells: 0.005 of the offset, 2 % of the spread.
    assert (emulated - test).mean() == pytest.approx((real - test).mean(), abs=0.02)
    assert (emulated - test).std() == pytest.approx((real - test).std(), rel=0.1)


def deviations(columns, split):
    """Deviations from the mean over sqrt(p(1 - p)), of cells whose trainings did not fail."""
    values = runs(columns, split)[runs(columns, "test").mean(axis=1) > 70] / 100
    mean = values.mean(axis=1, keepdims=True)
    return (values - mean) / np.sqrt(mean * (1 - mean))


def test_spread_of_repeats_is_the_stated_one(columns):
    test, valid = deviations(columns, "test"), deviations(columns, "valid")
    for values in (test, valid):
        spread = np.sqrt(values.var(axis=1, ddof=1))
        assert np.sqrt((spread**2).mean()) == pytest.approx(NASBENCH101.rms, rel=0.05)
    # Half of the cells have a spread 2.5 times that of the others, so that tails are heavy.
    assert 0.8 < kurtosis(test.ravel()) < 1.4
    # Narrow trainings share nothing between the sets, wide ones nearly all.
    assert 0.68 < np.corrcoef(test.ravel(), valid.ravel())[0, 1] < 0.79


def test_validation_and_test_of_a_training_differ_as_the_residual_says(columns):
    """Three times the variance of the residual of a mean over three, whatever the scale."""
    apart = deviations(columns, "valid") - deviations(columns, "test")
    spread = np.sqrt(apart.var(axis=1, ddof=1))
    assert np.sqrt((spread**2).mean()) == pytest.approx(np.sqrt(3) * 0.0062, rel=0.05)


def test_realisations_have_the_same_spread_and_nothing_else_in_common(columns):
    """Noise is drawn anew: of the mean over three and of each training."""
    expected = columns["cifar10/valid/108/mean"]
    sound = runs(columns, "test").mean(axis=1) > 85
    first = (runs(columns, "valid") - expected[:, None])[sound]
    for number in range(2, 6):
        values = runs(columns, f"valid-{number}")
        again = (values - values.mean(axis=1, keepdims=True))[sound]
        assert again.std() == pytest.approx(first.std(), rel=0.05)
        assert abs(np.corrcoef(first.ravel(), again.ravel())[0, 1]) < 0.03
        # Means differ by two residuals of 0.0062 sqrt(p(1 - p)), 0.19 points at 90 %.
        shift = (values.mean(axis=1) - expected)[sound]
        assert abs(shift.mean()) < 0.03
        assert 0.2 < shift.std() < 0.32


def test_stated_spread_is_that_of_public_trainings(mirror):
    single = training_noise.read_single(mirror).cells()
    assert len(single.mean) == 97
    model = training_noise.fit("sqrt(p(1-p))", "two scales", single)
    found = training_noise.mixture(model.parameters)
    for name in ("narrow", "wide", "share"):
        assert getattr(found, name) == pytest.approx(getattr(NASBENCH101, name), rel=0.01)
    # Better than the normal spread of NAS-Bench-201, by far more than by chance.
    before = training_noise.Model("sqrt(p(1-p))", "normal", np.log([0.009]))
    gain = model.density(single) - before.density(single)
    assert gain.sum() > 2.5 * gain.std() * np.sqrt(len(gain))


def test_deviations_of_one_and_two_trainings_have_the_density_of_their_normals():
    """Densities by SciPy, of the deviations from a mean of three that they belong to."""
    cells = training_noise.draws([0.9, 0.8], [np.array([0.91]), np.array([0.79, 0.82, 0.79])])
    model = training_noise.Model("sqrt(p(1-p))", "normal", np.log([0.02]))
    one, two = model.density(cells)
    assert one == pytest.approx(norm.logpdf(0.01, 0, 0.3 * 0.02 * np.sqrt(2 / 3)))
    covariance = (0.4 * 0.02) ** 2 * np.array([[2 / 3, -1 / 3], [-1 / 3, 2 / 3]])
    assert two == pytest.approx(multivariate_normal.logpdf([-0.01, 0.02], None, covariance))
    wide = training_noise.Model("sqrt(p(1-p))", "Student", np.log([0.02, 1e7]))
    np.testing.assert_allclose(wide.density(cells), [one, two], rtol=1e-4)


def test_pair_of_nasbench201_has_the_real_mean_and_the_stated_spread():
    mean = np.repeat([10.0, 65.0, 81.0], 20_000)
    first, second = nasbench201_pair(mean, 1)
    np.testing.assert_allclose((first + second) / 2, mean, rtol=0, atol=1e-12)
    spread = np.sqrt(((first - second) ** 2).reshape(3, -1).mean(axis=1) / 2)
    assert spread[0] == 0
    # Every eighth cell or so has 3.35 points at 65 %; at 81 % all have the same spread.
    np.testing.assert_allclose(spread[1:], [np.sqrt(0.869 * 0.58**2 + 0.131 * 3.35**2), 0.52], 0.03)
    again, _ = nasbench201_pair(mean, 2)
    assert abs(np.corrcoef((first - mean)[20_000:], (again - mean)[20_000:])[0, 1]) < 0.02


def test_spread_of_nasbench201_is_that_of_isomorphic_cells(mirror):
    columns, classes = training_noise.read_nasbench201(mirror)
    found = training_noise.pairs(columns["cifar10_valid_12ep"], classes)
    assert (found.difference != 0).all()
    used = spread_201(found.mean).rms
    for low, high in ((50, 65), (65, 74), (74, 78), (78, 81), (81, 85)):
        here = (found.mean >= low) & (found.mean < high)
        measured = np.sqrt((found.difference[here] ** 2).mean())
        assert measured == pytest.approx(np.sqrt((used[here] ** 2).mean()), rel=0.15)


def test_failed_trainings_stay_at_chance_in_both_sets():
    correct = np.array([2994, 10_500, 18_000, 27_000])
    tests, valids = emulation.repeats(correct, emulation.ValidModel(1.08, -0.1, 0.006))
    assert tests.sum(axis=1).tolist() == correct.tolist()
    for counts in (tests, valids):
        assert (counts < 1100).sum(axis=1).tolist() == [3, 2, 1, 0]
    assert ((tests < 1100) == (valids < 1100)).all()
    # The training that did not fail is an ordinary one.
    assert 0.8 < tests[1].max() / emulation.IMAGES < 0.9


def test_the_correct_images_of_three_test_runs_add_up():
    rng = np.random.default_rng(0)
    runs = rng.uniform(1000, 9000, (1000, 3))
    total = np.rint(runs.sum(axis=1)).astype(int)
    counts = emulation._apportion(total, runs)
    assert (counts.sum(axis=1) == total).all()
    assert np.abs(counts - runs).max() <= 1


def test_validation_model_in_cross_validation(public):
    known = np.isfinite(public.valid)
    test, valid = public.test[known], public.valid[known]
    folds = np.random.default_rng(0).permutation(len(test)) % 10
    guess = emulation.held_out(emulation.fit_valid, test, valid, folds)
    # As close to the mean of three real trainings as one real training is (0.25 points at 92 %).
    assert np.sqrt(((guess - valid) ** 2).mean()) < 0.0025
    assert np.corrcoef(guess, valid)[0, 1] > np.sqrt(1 - (0.0025 / valid.std()) ** 2)
    larger = np.where(public.num_vertices[known] > 5, 0, -1)
    guess = emulation.held_out(emulation.fit_valid, test, valid, larger)[larger == 0]
    assert np.sqrt(((guess - valid[larger == 0]) ** 2).mean()) < 0.0025


def test_seconds_in_cross_validation_and_beyond_the_largest_cells(public):
    known = np.isfinite(public.seconds)
    features = emulation.work(public.cells)[known]
    seconds = public.seconds[known]
    folds = np.random.default_rng(0).permutation(len(seconds)) % 5
    # Within the sizes fitted on, boosted trees alone reach 0.98 and more: no worse than that.
    assert r2(seconds, emulation.held_out(emulation.fit_seconds, features, seconds, folds)) > 0.98
    larger = np.where(public.num_vertices[known] > 5, 0, -1)
    beyond, truth = larger == 0, seconds[larger == 0]
    guess = emulation.held_out(emulation.fit_seconds, features, seconds, larger)[beyond]
    additive = emulation.held_out(emulation.fit_additive, features, seconds, larger)[beyond]
    # The number of evaluations that a budget buys is off by the bias alone: at most one in 20.
    assert abs(guess.mean() / truth.mean() - 1) < 0.05
    # The correction must not spoil what carries the model to seven vertices.
    assert r2(truth, guess) >= r2(truth, additive)


def test_seconds_over_the_space(columns, small):
    """A long chain of full-width 3x3 convolutions is dearest; the bare residual is cheapest."""
    seconds = columns["cifar10/seconds/108/mean"]
    size = small[0]["num_vertices"].to_numpy()
    assert size[seconds.argmin()] == 2
    assert size[seconds.argmax()] == 7
    assert 1500 < seconds.mean() < 2100


def _digest(columns):
    return hashlib.sha256(b"".join(values.tobytes() for values in columns.values())).hexdigest()


@pytest.mark.slow
def test_same_bytes_again_whatever_the_threads(small, columns, tmp_path):
    for table, name in zip(small, ("table", "subset"), strict=True):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    program = (
        "import hashlib, pyarrow.parquet as pq\n"
        "from dagnas.tables.emulation import emulate\n"
        "c = emulate(pq.read_table('table.parquet'), pq.read_table('subset.parquet'))\n"
        "print(hashlib.sha256(b''.join(v.tobytes() for v in c.values())).hexdigest())\n"
    )
    for threads in ("1", "3"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        printed = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env=os.environ | dict.fromkeys(names, threads),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert printed.strip() == _digest(columns)


@pytest.mark.slow
def test_whole_space(table, subset):
    columns = emulation.emulate(table, subset)
    correct = table["test_correct_of_29952"].to_numpy().astype(float)
    test = runs(columns, "test")
    np.testing.assert_allclose(test.mean(axis=1), 100 * correct / 29_952, rtol=0, atol=1e-12)
    assert all(np.isfinite(values).all() for values in columns.values())
    assert max(test.max(), runs(columns, "valid").max()) < 97


def replaced(table, name, change):
    values = table[name].to_numpy().astype(float).copy()
    change(values)
    return table.set_column(table.schema.get_field_index(name), name, pa.array(values))


@pytest.mark.parametrize("name", ["op_code", "test_correct_of_29952"])
def test_missing_column_of_the_table(small, name):
    with pytest.raises(DagnasError, match=f"NAS-Bench-101 table lacks the columns {name}"):
        emulation.emulate(small[0].drop_columns(name), small[1])


def test_missing_column_of_the_subset(small):
    with pytest.raises(DagnasError, match="subset of curves lacks the columns valid_108"):
        emulation.emulate(small[0], small[1].drop_columns("valid_108"))


def test_nan_in_the_table(small):
    broken = replaced(small[0], "test_correct_of_29952", lambda v: v.__setitem__(7, np.nan))
    with pytest.raises(DagnasError, match="test_correct_of_29952, row 7"):
        emulation.emulate(broken, small[1])


@pytest.mark.parametrize("row", [-1, 10**7, np.nan])
def test_row_outside_the_table(small, row):
    broken = replaced(small[1], "row", lambda v: v.__setitem__(3, row))
    with pytest.raises(DagnasError, match="points at row"):
        emulation.emulate(small[0], broken)


def test_subset_of_another_table(small):
    broken = replaced(small[1], "row", lambda v: v.__setitem__(slice(2), v[1::-1].copy()))
    with pytest.raises(DagnasError, match="contradicts"):
        emulation.emulate(small[0], broken)


@pytest.mark.parametrize(("name", "value"), [("valid_108", 91.5), ("train_seconds_108", -1.0)])
def test_impossible_value(small, name, value):
    broken = replaced(small[1], name, lambda v: v.__setitem__(0, value))
    with pytest.raises(DagnasError, match=f"{name} = {value}"):
        emulation.emulate(small[0], broken)


def test_too_few_values(small):
    broken = replaced(
        small[1], "train_seconds_108", lambda v: v.__setitem__(slice(10, None), np.nan)
    )
    with pytest.raises(DagnasError, match="too few values of train_seconds_108"):
        emulation.emulate(small[0], broken)
