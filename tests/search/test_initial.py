"""Initial phases: what methods evaluate before they learn, and that random searches say so."""

import numpy as np
import pytest

from dagnas.cli import main
from dagnas.search import METHODS
from dagnas.search.initial import SETTINGS, USUAL, initial_phase, initial_setting
from dagnas.search.method import Proposal
from dagnas.spaces import SPACES
from dagnas.spaces.cell_space import CellSpace

#: Methods of cells, and of one objective, that tell an initial phase.
TELL = [
    name
    for name in METHODS.names()
    if METHODS.get(name).has(initial_setting(name))
    and issubclass(CellSpace, METHODS.get(name).space)
    and not METHODS.get(name).takes("objectives")
]
#: Settings that make what comes after short.
SHORT = {"epochs": 1, "later_epochs": 1, "unlabelled": 10, "points": 10, "steps": 1, "pool": 50}


def proposed(name, count, height):
    """Codes of the first cells that a method proposes, told a seeded signal of some height."""
    space, entry = SPACES.get("nasbench201"), METHODS.get(name)
    given = {key: value for key, value in SHORT.items() if entry.has(key)}
    trial = entry.start(space, np.random.default_rng(0), entry.settings(space.name, given))
    codes, signals = [], None
    while len(codes) < count:
        proposal = trial.send(signals)
        cells = proposal.cells if isinstance(proposal, Proposal) else proposal
        new = space.pack(cells)
        codes += new.tolist()
        # The order of cells by signal is reversed where the height is negative.
        signals = 50 + height * (new % 97) / 2.0
    return codes[:count]


def test_methods_that_tell_an_initial_phase():
    assert {"goal", "bonas", "bananas", "npnas", "spos", "ngae", "weaknas", "path_gp"} <= set(TELL)
    for name, setting in SETTINGS.items():
        assert METHODS.get(name).has(setting)
        assert not METHODS.get(name).has(USUAL)


@pytest.mark.parametrize("name", TELL)
def test_cells_of_the_initial_phase_depend_on_no_signal(name):
    first = initial_phase(name, METHODS.get(name).settings("nasbench201"))
    assert first > 0
    assert proposed(name, first, 1) == proposed(name, first, -1)


@pytest.mark.parametrize("name", ["regularized_evolution", "spos", "local_search_nas", "path_gp"])
def test_cells_after_the_initial_phase_do(name):
    first = initial_phase(name, METHODS.get(name).settings("nasbench201"))
    next_ones = [proposed(name, first + 10, height)[first:] for height in (1, -1)]
    assert next_ones[0] != next_ones[1]


def search(tmp_path, *words):
    """Search of digits201 by regularized evolution."""
    command = ["search", "--benchmark", "digits201", "--method", "regularized_evolution"]
    main([*command, "--trials", "0:2", *words, "--out", str(tmp_path / "trace.parquet")])


@pytest.mark.parametrize(
    ("population", "budget", "said"),
    [
        (30, ("--budget-evaluations", "30"), True),
        (30, ("--budget-evaluations", "31"), False),
        (100, ("--budget-seconds", "12"), True),
        (10, ("--budget-seconds", "12"), False),
    ],
)
def test_a_search_that_is_random_search_says_so(population, budget, said, tmp_path, capfd):
    search(tmp_path, "--set", f"population={population}", *budget)
    lines = [line for line in capfd.readouterr().err.splitlines() if "random search" in line]
    assert len(lines) == said
    if said:
        words = f"regularized_evolution evaluates {population} random cells"
        assert words in lines[0]
        assert f"(population={population})" in lines[0]


def test_improvements_of_a_search_until_the_best_are_not_all_that_it_evaluated(tmp_path, capfd):
    """A trace of a dozen improvements says nothing about 200 evaluations."""
    search(tmp_path, "--policy", "bonas", "--until-best", "--budget-evaluations", "200")
    assert "random search" not in capfd.readouterr().err
