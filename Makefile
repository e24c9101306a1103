# make smoke | test | desk | result R=goal/fig4 | lint | bench | verify | report | clean
#
# Every target first makes the environment .venv, from constraints.txt with pip. pip looks where it
# is configured to look: to have torch without CUDA, point PIP_EXTRA_INDEX_URL to PyTorch's index
# of CPU builds. Other knobs: JOBS (cores), SCALE (a file in config/), PYTHON (3.11 or newer).

JOBS ?= 2
SCALE ?= desk
PYTHON ?= python3
R ?= goal/fig4

SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export OMP_NUM_THREADS := 1
export PYTHONHASHSEED := 0
READY := .venv/ready
SNAKEMAKE := snakemake --cores $(JOBS)
BENCHES := $(filter-out common,$(basename $(notdir $(wildcard perf/*.py))))

.PHONY: help smoke desk result test test-fast lint bench verify report clean

help:
	@sed -n 1p Makefile

# Without --no-compile pip compiles all modules, of which most are never imported.
$(READY): constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --no-compile --constraint constraints.txt \
	    --editable '.[dev]'
	touch $@

smoke: $(READY)
	$(SNAKEMAKE) --config scale=smoke
	snakemake --quiet --report results/smoke/report.html --config scale=smoke

desk: $(READY)
	$(SNAKEMAKE) --config scale=desk

result: $(READY)
	$(SNAKEMAKE) $(subst /,_,$(R)) --config scale=$(SCALE)

test: $(READY)
	pytest -n $(JOBS) --dist loadfile

test-fast: $(READY)
	pytest -n $(JOBS) --dist loadfile -m "not slow"

lint: $(READY)
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	snakefmt --check Snakefile workflow
	snakemake --lint --config scale=smoke
	dagnas config check config/*.yaml

bench: $(READY)
	for name in $(BENCHES); do python -m perf.$$name || exit; done

verify: smoke
	bash workflow/scripts/verify.sh smoke $(JOBS)

report: $(READY)
	snakemake --report results/$(SCALE)/report.html --config scale=$(SCALE)

clean:
	rm -rf results/smoke logs build .pytest_cache .mypy_cache .ruff_cache .hypothesis
