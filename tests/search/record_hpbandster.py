"""Record what hpbandster computes, for test_bohb.py to compare with: writes hpbandster.json.

hpbandster does not run on current packages. With Python 3.8::

    pip install hpbandster==0.7.4 ConfigSpace==0.4.21 numpy==1.21.6 scipy==1.7.3 \
        statsmodels==0.12.2 pandas==1.3.5
    python tests/search/record_hpbandster.py
"""

from __future__ import annotations

import json
import logging
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np

ConfigSpace = import_module("ConfigSpace")
generators = import_module("hpbandster.optimizers.config_generators.bohb")
optimizers = import_module("hpbandster.optimizers.bohb")
Job = import_module("hpbandster.core.dispatcher").Job

SETTINGS = {"num_samples": 12, "random_fraction": 0.0, "min_bandwidth": 0.3}


def optimizer(sizes, lowest, highest, eta):
    """BOHB without the servers that its base class starts."""
    space = ConfigSpace.ConfigurationSpace(seed=0)
    for number, size in enumerate(sizes):
        name = f"x{number:02d}"
        values = [f"v{value}" for value in range(size)]
        space.add_hyperparameter(ConfigSpace.CategoricalHyperparameter(name, values))

    def start(self, config_generator):
        self.config_generator, self.config = config_generator, {}

    optimizers.Master.__init__ = start
    return optimizers.BOHB(space, eta=eta, min_budget=lowest, max_budget=highest, **SETTINGS)


def to_config(values):
    return {f"x{number:02d}": f"v{value}" for number, value in enumerate(values)}


def digits(values):
    return "".join(str(int(value)) for value in values)


def text(config):
    return "".join(config[name][1:] for name in sorted(config))


def short(number):
    return float(f"{number:.10g}")


def finished(number, config, budget, loss):
    job = Job(number, config=config, budget=budget)
    job.result = {"loss": loss}
    return job


def model_of(generator):
    """Longest budget that has a model, and that model."""
    if not generator.kde_models:
        return {"budget": None}, None
    budget = generator.largest_budget_with_model()
    model = generator.kde_models[budget]
    rows = {kind: [digits(row) for row in model[kind].data] for kind in ("good", "bad")}
    return {"budget": budget, **rows}, model


def record_models(sizes, favour, budgets, checks, seed):
    """Models after some of a series of results, their densities, and choices by them.

    ``favour`` is the probability that a variable has its last value instead of any: where it is
    large, all good or bad cells may agree in a variable.
    """
    random = np.random.RandomState(seed)
    np.random.seed(seed)  # noqa: NPY002 - what hpbandster draws from
    generator = optimizer(sizes, min(budgets), max(budgets), 3).config_generator
    sizes = np.array(sizes)

    def draw(probability):
        return np.where(random.rand(len(sizes)) < probability, sizes - 1, random.randint(sizes))

    results, found = [], []
    for number in range(max(checks)):
        values, budget = draw(favour), int(random.choice(budgets))
        loss = round(float(random.rand() - 0.1 * (values == sizes - 1).sum()), 6)
        results.append([digits(values), budget, loss])
        generator.new_result(finished(number, to_config(values), budget, loss))
        if number + 1 not in checks:
            continue
        notes, model = model_of(generator)
        notes["results"] = number + 1
        if model is not None:
            points = [draw(favour / 2) for _ in range(20)]
            notes["points"] = [digits(point) for point in points]
            for kind in ("good", "bad"):
                notes[f"{kind}_bandwidth"] = [short(width) for width in model[kind].bw]
                notes[f"{kind}_density"] = [short(model[kind].pdf(point)) for point in points]
            notes["choices"] = [record_choice(generator, model["good"]) for _ in range(6)]
        found.append(notes)
    return {"sizes": sizes.tolist(), "results": results, "models": found}


def record_choice(generator, good):
    """Samples that a call draws, in order and each once, and the one that it returns."""
    drawn = []

    def watched(values):
        if digits(values) not in drawn:
            drawn.append(digits(values))
        return type(good).pdf(good, values)

    good.pdf = watched
    config, notes = generator.get_config(None)
    del good.pdf
    return {"samples": drawn, "chosen": text(config), "by_model": notes["model_based_pick"]}


def record_schedule(lowest, highest, eta):
    chosen = optimizer([2], lowest, highest, eta)
    brackets = [chosen.get_next_iteration(number) for number in range(2 * chosen.max_SH_iter)]
    return {
        "lowest": lowest,
        "highest": highest,
        "eta": eta,
        "brackets": [[b.num_configs, list(b.budgets)] for b in brackets],
    }


def record_search(sizes, lowest, highest, eta, brackets, seed):
    """A whole search: each run in its order, and the model at each draw of a configuration."""
    np.random.seed(seed)  # noqa: NPY002 - what hpbandster draws from
    chosen = optimizer(sizes, lowest, highest, eta)
    generator = chosen.config_generator
    random = np.random.RandomState(seed)
    runs, models = [], []

    def sampler(budget):
        models.append(model_of(generator)[0])
        return type(generator).get_config(generator, budget)

    generator.get_config = sampler
    for number in range(brackets):
        bracket = chosen.get_next_iteration(number)
        run = bracket.get_next_run()
        while run is not None:
            name, config, budget = run
            loss = round(float(random.rand() / budget - 0.1 * text(config).count("3")), 6)
            runs.append([text(config), budget, loss, bool(budget == bracket.budgets[0])])
            job = finished(name, config, budget, loss)
            bracket.register_result(job)
            generator.new_result(job)
            run = bracket.get_next_run()
    return {"eta": eta, "runs": runs, "models": models}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable()
    everything = {
        "settings": SETTINGS,
        "models": [
            record_models([5] * 6, 0.3, [1, 3], [13, 14, 26, 40, 70, 110], seed=1),
            record_models([5] * 6, 0.85, [12], [13, 14, 30, 60], seed=2),
            record_models([2] * 21 + [3] * 5, 0.2, [108], [53, 54, 110, 160], seed=3),
            record_models([2] * 21 + [3] * 5, 0.8, [108], [54, 70], seed=4),
        ],
        "schedules": [
            record_schedule(*of)
            for of in [(108, 108, 3), (4, 108, 3), (1, 3, 3), (1, 12, 3), (1, 16, 2), (2, 50, 5)]
        ],
        "search": record_search([5] * 6, 1, 9, 3, 16, seed=5),
    }
    out = Path(__file__).with_name("hpbandster.json")
    out.write_text(json.dumps(everything, separators=(",", ":")) + "\n")
